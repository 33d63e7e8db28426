//! Lines as a run writes them.

use hearth_operators::alarms::{Budget, Standing};
use hearth_operators::portrait::Portrait;
use hearth_operators::words::{Action, ActionId, Catalog, Device, Time};
use serde_json::{Value, json};

use crate::outputs::Stream;
use crate::portrait::{View, Whose};

pub(super) type Line = (Stream, u64, String);

fn behavior(time: &str, action: &str) -> Value {
    let device = action.split(':').next();
    json!({ "time": time, "device": device, "action": action })
}

pub(super) fn segment(epoch: u64, diff: i64, home: &str, behaviors: &[(&str, &str)]) -> Line {
    let (start, end) = (behaviors[0].0, behaviors[behaviors.len() - 1].0);
    let behaviors: Vec<Value> = behaviors.iter().map(|(t, a)| behavior(t, a)).collect();
    let line = json!({
        "epoch": epoch, "diff": diff, "home": home, "start": start, "end": end, "behaviors": behaviors
    });
    (Stream::Segments, epoch, line.to_string())
}

pub(super) fn transition(epoch: u64, diff: i64, home: &str, from: &str, to: &str) -> Line {
    let line = json!({ "epoch": epoch, "diff": diff, "home": home, "from": from, "to": to });
    (Stream::Transitions, epoch, line.to_string())
}

pub(super) fn score(epoch: u64, home: &str, time: &str, action: &str) -> Line {
    let line = json!({
        "epoch": epoch, "home": home, "time": time, "action": action, "score": 1.5, "threshold": 9.0,
        "anomaly": false, "predictions": [{ "action": "Lamp:on", "probability": 0.5 }],
        "versions": { "detector": 0, "predictor": 1 }
    });
    (Stream::Scores, epoch, line.to_string())
}

/// A score of a behaviour whose segment is open.
pub(super) fn open(epoch: u64, home: &str, time: &str, action: &str) -> Line {
    let (stream, epoch, line) = score(epoch, home, time, action);
    let line = line.trim_end_matches('}');
    (stream, epoch, format!("{line}}},\"open\":true}}"))
}

pub(super) fn alarm(epoch: u64, diff: i64, home: &str, start: &str, why: &str) -> Line {
    let line = json!({
        "epoch": epoch, "diff": diff, "alarm": start, "home": home, "start": start, "end": start,
        "behaviors": [behavior(start, "Door:open")], "score": 12.5, "threshold": 9.0, "once_in_days": 40.0,
        "severity": 2, "reasons": [{
            "behavior": "Door:open", "time": start, "why": why, "expected": "most often Lamp:on (12 times)",
            "seen": 0, "times": 30
        }]
    });
    (Stream::Alarms, epoch, line.to_string())
}

pub(super) fn request(epoch: u64, home: &str) -> Line {
    let line = json!({
        "epoch": epoch, "request": format!("{home}/0/Mon/0"), "home": home,
        "shift": { "kind": "season", "from": "winter", "to": "summer", "time": "2025-01-02T00:00:00+01:00" },
        "weekday": "Monday", "representatives": [[["Monday", "(6~9)", "Lamp", "Lamp:on"]]],
        "hints": {}, "prompt": { "system": "s", "user": "u" }
    });
    (Stream::Requests, epoch, line.to_string())
}

pub(super) fn verdict(epoch: u64, home: &str) -> Line {
    let line = json!({
        "epoch": epoch, "request": format!("{home}/0/Mon/0"), "home": home, "position": 0,
        "sequence": [{ "weekday": "Monday", "hours": "(9~12)", "device": "Fan", "action": "Fan:on" }],
        "verdict": "retain", "stage": 1, "loss": 0.1, "bound": 0.5, "baseline": null, "trial": null
    });
    (Stream::Verdicts, epoch, line.to_string())
}

pub(super) fn adaptation(epoch: u64, home: &str) -> Line {
    let line = json!({
        "epoch": epoch, "home": home,
        "shift": { "kind": "season", "from": "winter", "to": "summer", "time": "2025-01-02T00:00:00+01:00" },
        "task": "predictor", "model": "habits", "version": 1, "event": "promoted", "before": 2.5, "after": 2.25,
        "evidence": "5 sequences"
    });
    (Stream::Adaptations, epoch, line.to_string())
}

pub(super) fn drift(epoch: u64, home: &str) -> Line {
    let line = json!({
        "epoch": epoch, "home": home, "time": "2025-01-09T00:00:00+01:00", "since": "2025-01-05T00:00:00+01:00",
        "evidence": 900.0, "days": { "before": 10.0, "after": 4.0 }, "rate": { "before": 40.0, "after": 20.0 },
        "devices": [{ "device": "Lamp", "before": 10.0, "after": 2.0 }],
        "hours": [{ "hours": "(6~9)", "before": 8.0, "after": 1.0 }]
    });
    (Stream::Drifts, epoch, line.to_string())
}

pub(super) fn erasure(epoch: u64, home: &str, device: Option<&str>) -> Line {
    let line = json!({
        "epoch": epoch, "home": home, "from": null, "to": null, "device": device, "events": 3, "source": "inbox.jsonl:9"
    });
    (Stream::Erasures, epoch, line.to_string())
}

/// A home with something of everything.
pub(super) fn all(home: &str) -> Vec<Line> {
    let day = [
        ("2025-01-03T07:00:00+01:00", "Lamp:on"),
        ("2025-01-03T07:05:00+01:00", "Lamp:off"),
    ];
    vec![
        segment(1, 1, home, &day),
        transition(1, 1, home, "Lamp:on", "Lamp:off"),
        score(1, home, day[0].0, day[0].1),
        score(1, home, day[1].0, day[1].1),
        alarm(
            2,
            1,
            home,
            "2025-01-03T09:00:00+01:00",
            "Door:open came for the first time",
        ),
        request(3, home),
        verdict(4, home),
        adaptation(4, home),
        drift(5, home),
    ]
}

/// What a home's model knows that switched a lamp on and off on two mornings.
pub(super) fn model(home: &str) -> View {
    let device = Device::new("Lamp", ["on", "off"].map(Action::new).to_vec());
    let portrait = Portrait {
        behaviors: 4,
        since: Some(Time(0)),
        until: Some(Time(Time::DAY)),
        shift: None,
        alarms: Standing {
            threshold: Some(9.5),
            raised: 1,
            left: Some(2.0),
        },
        budget: Budget {
            alarms: 3,
            per: 30 * Time::DAY,
        },
        kept: [(0, true), (1, false), (0, true), (1, false)]
            .map(|(action, begins)| (ActionId(action), 7, begins))
            .to_vec(),
    };
    let whose = Whose {
        home,
        cohort: None,
        catalog: &Catalog::new(vec![device]).unwrap(),
        zone: None,
    };
    View::of(&portrait, &whose)
}
