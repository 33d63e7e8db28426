//! Every record becomes the documented line, and is counted.

use std::sync::Arc;

use hearth_operators::alarms::{Alarm, Fact, Reason};
use hearth_operators::detect::Raised;
use hearth_operators::surprise::Part;
use hearth_operators::transitions::Transition;
use hearth_operators::validate::Invalid;
use hearth_operators::words::{
    ActionId, Adjustment, Behavior, Candidate, Catalogs, Hints, HomeId, Line, Moment, Outcome,
    Regime, Request, RequestKey, Score, Segment, Shift, ShiftKey, ShiftKind, Task, Time, Verdict,
};
use serde_json::{Value, json};

use super::*;
use crate::catalog::catalog_of;
use crate::home_names::HomeNames;

const ODD: &str = "h \"1\"\n\u{1F3E0}\\";

fn names() -> Names {
    let catalog = catalog_of(&[("Light", &["switch on", "switch off"])]);
    let homes = HomeNames::default();
    homes.intern(ODD);
    Names::new(
        homes,
        Catalogs::shared(Arc::new(catalog)),
        ["habits", "habits"],
        vec!["log.jsonl".into()],
    )
    .with_prompt(|request| ("be brief".into(), format!("{} parts", request.parts)))
}

const HOME: HomeId = HomeId(0);
const KEY: RequestKey = RequestKey {
    shift: ShiftKey {
        home: HOME,
        regime: 0,
    },
    weekday: 3,
    part: 1,
};

/// 2022-08-04T18:30:00+02:00 and `minutes` later, a Thursday.
fn moment(minutes: i64, action: u16) -> Moment {
    Moment {
        time: Time((1_659_630_600 + 60 * minutes) * Time::SECOND),
        action: ActionId(action),
        offset: 120,
    }
}

fn segment() -> Arc<Segment> {
    Arc::new(Segment {
        home: HOME,
        moments: vec![moment(0, 0), moment(5, 1)],
    })
}

fn shift() -> Shift {
    Shift {
        home: None,
        time: moment(0, 0).time,
        offset: 120,
        kind: ShiftKind::Season,
        from: "winter".into(),
        to: "summer".into(),
    }
}

fn behavior() -> Behavior {
    Behavior {
        home: HOME,
        moment: moment(0, 0),
        id: Some("e\"1".into()),
        line: Line { file: 0, line: 17 },
    }
}

fn verdict(stage: u8, retain: bool, loss: f32) -> Judged {
    Judged::Filtered(Verdict {
        candidate: Candidate {
            request: KEY,
            position: 2,
            sequence: segment().sequence(),
        },
        retain,
        stage,
        loss,
        bound: 1.5,
        baseline: None,
        trial: Some(0.25),
    })
}

fn request() -> Arc<Request> {
    let hints = vec![(ActionId(0), vec![(ActionId(1), 12), (ActionId(0), 3)])];
    Arc::new(Request {
        key: KEY,
        parts: 2,
        requests: 2,
        representatives: vec![segment().sequence()],
        hints: Arc::new(Hints(hints)),
        regime: Arc::new(Regime {
            shift: shift(),
            source: Vec::new(),
            target: Vec::new(),
        }),
    })
}

fn adjustment() -> Adjustment {
    Adjustment {
        key: KEY.shift,
        shift: shift(),
        task: Task::Detector,
        version: 1,
        outcome: Outcome::Promoted,
        before: 2.0,
        after: f32::NAN,
        evidence: "20 segments".into(),
    }
}

fn score() -> Score {
    Score {
        home: HOME,
        moment: moment(0, 0),
        score: 3.0,
        threshold: 2.5,
        predictions: vec![(ActionId(1), 0.75)],
        detector: 1,
        predictor: 0,
        open: false,
        next: Vec::new(),
    }
}

/// The lines of the records, in epoch 3, and what they add to the counts.
fn lines<R: Record>(records: Vec<R>) -> (Vec<Value>, Counts) {
    let rows: Box<dyn Rows> = Box::new(records);
    let names = names();
    let line = |index| {
        let mut line = Vec::new();
        rows.line(index, 3, &names, &mut line).unwrap();
        assert!(!line.contains(&b'\n'));
        let line = serde_json::from_slice(&line).unwrap();
        has_columns(R::STREAM, &line);
        line
    };
    let mut tally = Tally::default();
    rows.count(&mut tally);
    ((0..rows.len()).map(line).collect(), tally.counts())
}

/// Each key of a line is a column, in this order, and what is there is what the column says.
fn has_columns(stream: Stream, line: &Value) {
    let mut columns = stream.columns().iter();
    for (key, value) in line.as_object().unwrap() {
        let column = columns.find(|column| column.0 == key);
        let (_, content) = column.unwrap_or_else(|| panic!("{key} of {line}"));
        let fits = match content {
            Content::Text => value.is_string(),
            Content::Time => serde_json::from_value::<Stamp>(value.clone()).is_ok(),
            Content::Whole => value.is_i64() || value.is_u64(),
            Content::Number => value.is_number(),
            Content::Truth => value.is_boolean(),
            Content::Nested => value.is_array() || value.is_object(),
        };
        assert!(fits || value.is_null(), "{key} of {line}");
    }
}

fn counted(stream: Stream, lines: u64) -> Counts {
    Counts {
        lines: [(stream, lines)].into(),
        ..Counts::default()
    }
}

fn behaviors() -> Value {
    json!([
        {"time": "2022-08-04T18:30:00+02:00", "device": "Light", "action": "Light:switch on"},
        {"time": "2022-08-04T18:35:00+02:00", "device": "Light", "action": "Light:switch off"},
    ])
}

fn shift_told() -> Value {
    json!({"kind": "season", "from": "winter", "to": "summer", "time": "2022-08-04T18:30:00+02:00"})
}

#[test]
fn a_segment() {
    let (lines, counts) = lines(vec![(segment(), 1, 1), (segment(), 2, -1)]);
    for (line, (epoch, diff)) in lines.iter().zip([(1, 1), (2, -1)]) {
        let expected = json!({"epoch": epoch, "diff": diff, "home": ODD, "start": "2022-08-04T18:30:00+02:00",
            "end": "2022-08-04T18:35:00+02:00", "behaviors": behaviors()});
        assert_eq!(*line, expected);
    }
    let expected = Counts {
        homes: 1,
        met: vec![HOME],
        ..counted(Stream::Segments, 2)
    };
    assert_eq!(counts, expected);
}

#[test]
fn a_transition() {
    let edge = Transition {
        home: HOME,
        from: ActionId(0),
        to: ActionId(1),
    };
    let (lines, counts) = lines(vec![(edge, 1, 4)]);
    let expected = json!({"epoch": 1, "diff": 4, "home": ODD, "from": "Light:switch on", "to": "Light:switch off"});
    assert_eq!(lines, [expected]);
    let expected = Counts {
        transitions: 4,
        ..counted(Stream::Transitions, 1)
    };
    assert_eq!(counts, expected);
}

#[test]
fn a_representative() {
    let (lines, counts) = lines(vec![((KEY.shift, segment()), 1, 1)]);
    let expected = json!({"epoch": 1, "diff": 1, "home": ODD, "regime": 0, "weekday": "Thursday",
        "start": "2022-08-04T18:30:00+02:00", "behaviors": behaviors()});
    assert_eq!(lines, [expected]);
    let expected = Counts {
        representatives: 1,
        ..counted(Stream::Representatives, 1)
    };
    assert_eq!(counts, expected);
}

#[test]
fn a_request() {
    let (lines, counts) = lines(vec![request()]);
    let expected = json!({"epoch": 3, "request": format!("{ODD}/0/Thu/1"), "home": ODD, "shift": shift_told(),
        "weekday": "Thursday",
        "representatives": [[["Thursday", "(18~21)", "Light", "switch on"], ["Thursday", "(18~21)", "Light", "switch off"]]],
        "hints": {"Light:switch on": {"Light:switch off": 12, "Light:switch on": 3}},
        "prompt": {"system": "be brief", "user": "2 parts"}});
    assert_eq!(lines, [expected]);
    let expected = Counts {
        requests: 1,
        waiting: 1,
        asked: vec![HOME],
        ..counted(Stream::Requests, 1)
    };
    assert_eq!(counts, expected);
}

#[test]
fn a_verdict_of_the_filter() {
    let judged = vec![verdict(1, true, 0.5), verdict(2, false, f32::INFINITY)];
    let (lines, counts) = lines(judged);
    let expected = |verdict: &str, stage: u8, loss: Option<f32>| {
        json!({"epoch": 3, "request": format!("{ODD}/0/Thu/1"), "home": ODD, "position": 2,
            "sequence": [
                {"weekday": "Thursday", "hours": "(18~21)", "device": "Light", "action": "Light:switch on"},
                {"weekday": "Thursday", "hours": "(18~21)", "device": "Light", "action": "Light:switch off"},
            ],
            "verdict": verdict, "stage": stage, "loss": loss, "bound": 1.5, "baseline": null, "trial": 0.25})
    };
    assert_eq!(
        lines,
        [
            expected("retain", 1, Some(0.5)),
            expected("delete", 2, None)
        ]
    );
    let expected = Counts {
        candidates: 2,
        retained: [(1, 1)].into(),
        deleted: [(2, 1)].into(),
        ..counted(Stream::Verdicts, 2)
    };
    assert_eq!(counts, expected);
}

#[test]
fn what_validation_says() {
    let unread = Invalid::Reply {
        request: KEY,
        reason: "no knowledge".into(),
    };
    let unknown = Invalid::Sequence {
        request: KEY,
        position: 7,
        rows: vec![["Mon".into(), "(6~9)".into(), "Lamp".into(), "on".into()]],
        reason: "unknown device `Lamp`".into(),
    };
    let (lines, counts) = lines(vec![Judged::Invalid(unread), Judged::Invalid(unknown)]);
    let expected = |position: u32, sequence: Value, reason: &str| {
        json!({"epoch": 3, "request": format!("{ODD}/0/Thu/1"), "home": ODD, "position": position,
            "sequence": sequence, "verdict": "delete", "stage": 0, "loss": null, "bound": null, "baseline": null,
            "trial": null, "reason": reason})
    };
    let lamp = json!([{"weekday": "Mon", "hours": "(6~9)", "device": "Lamp", "action": "on"}]);
    assert_eq!(
        lines,
        [
            expected(0, json!([]), "no knowledge"),
            expected(7, lamp, "unknown device `Lamp`")
        ]
    );
    let expected = Counts {
        failures: 1,
        deleted: [(0, 1)].into(),
        ..counted(Stream::Verdicts, 2)
    };
    assert_eq!(counts, expected);
}

#[test]
fn an_adaptation() {
    let (lines, counts) = lines(vec![adjustment()]);
    let expected = json!({"epoch": 3, "home": ODD, "shift": shift_told(), "task": "detector", "model": "habits",
        "version": 1, "event": "promoted", "before": 2.0, "after": null, "evidence": "20 segments"});
    assert_eq!(lines, [expected]);
    let expected = Counts {
        promoted: 1,
        adapted_homes: 1,
        ..counted(Stream::Adaptations, 1)
    };
    assert_eq!(counts, expected);
}

#[test]
fn a_score() {
    let (lines, counts) = lines(vec![score()]);
    let expected = json!({"epoch": 3, "home": ODD, "time": "2022-08-04T18:30:00+02:00", "action": "Light:switch on",
        "score": 3.0, "threshold": 2.5, "anomaly": true,
        "predictions": [{"action": "Light:switch off", "probability": 0.75}],
        "versions": {"detector": 1, "predictor": 0}});
    assert_eq!(lines, [expected]);
    let expected = Counts {
        homes: 1,
        met: vec![HOME],
        scores: 1,
        anomalies: 1,
        ..counted(Stream::Scores, 1)
    };
    assert_eq!(counts, expected);
}

const EVENT: &str = "{\"home\":\"h \\\"1\\\"\\n\u{1F3E0}\\\\\",\"time\":\"2022-08-04T18:30:00+02:00\",\"device\":\"Light\",\"action\":\"switch on\",\"id\":\"e\\\"1\"}";

#[test]
fn an_event_that_is_late() {
    let (lines, counts) = lines(vec![Late(behavior())]);
    let reason = "it lies before its home's horizon (newest event minus lateness)";
    assert_eq!(
        lines,
        [json!({"line": EVENT, "source": "log.jsonl:17", "reason": reason})]
    );
    let expected = Counts {
        late: 1,
        late_homes: vec![(HOME, 1)],
        ..counted(Stream::Late, 1)
    };
    assert_eq!(counts, expected);
}

#[test]
fn what_is_rejected() {
    let [line, source, reason] = ["\0{", "log.jsonl:9", "no JSON"].map(String::from);
    let told = json!({"line": line, "source": source, "reason": reason});
    let event = Rejection::Line {
        line: line.clone(),
        source: source.clone(),
        reason: reason.clone(),
    };
    let context = Rejection::Context {
        line,
        source,
        reason,
    };
    let (lines, counts) = lines(vec![
        Rejection::Implausible(behavior()),
        event,
        context,
        Rejection::Shift(shift()),
    ]);
    let jumps = "it jumps ahead of its home's newest event and no second event confirms it";
    let late = "{\"home\":\"*\",\"time\":\"2022-08-04T18:30:00+02:00\",\"kind\":\"season\",\"from\":\"winter\",\"to\":\"summer\"}";
    let answered = "a later shift of this home was answered already, or this one was found before it was declared";
    assert_eq!(
        lines,
        [
            json!({"line": EVENT, "source": "log.jsonl:17", "reason": jumps}),
            told.clone(),
            told,
            json!({"line": late, "source": "contexts", "reason": answered}),
        ]
    );
    let expected = Counts {
        rejected: 2,
        rejected_contexts: 2,
        ..counted(Stream::Rejected, 4)
    };
    assert_eq!(counts, expected);
}

#[test]
fn tallies_add_up() {
    let mut all = Tally::default();
    let mut one = Tally::default();
    Rows::count(&vec![score(), score()], &mut one);
    Rows::count(&vec![(segment(), 0, 1)], &mut one);
    Rows::count(&vec![verdict(1, true, 0.5)], &mut one);
    Rows::count(&vec![adjustment()], &mut one);
    one.events(10, 1);
    all.add(one.clone());
    all.add(one);
    let counts = all.counts();
    assert_eq!((counts.applied, counts.duplicate), (20, 2));
    assert_eq!((counts.scores, counts.segments, counts.promoted), (4, 2, 2));
    assert_eq!(counts.retained, [(1, 2)].into());
    // It is one home both times.
    assert_eq!((counts.homes, counts.adapted_homes), (1, 1));
    assert_eq!(counts.lines[&Stream::Scores], 4);
}

#[test]
fn reasons_of_what_is_new_name_no_device_that_did_nothing() {
    let why = |fact: Fact, seen: u32, times: u32| {
        let raised = Raised {
            segment: segment(),
            alarm: Alarm {
                behaviors: vec![1],
                score: 9.0,
                threshold: 8.0,
                once_in_days: 40.0,
                severity: 1,
            },
            reasons: vec![Reason {
                behavior: 1,
                part: Part::Order,
                surprise: 9.0,
                fact,
                seen,
                times,
            }],
        };
        let mut line = Vec::new();
        let change: Change<Arc<Raised>> = (Arc::new(raised), 0, 1);
        change.line(0, &names(), &mut line).unwrap();
        let line: Value = serde_json::from_slice(&line).unwrap();
        line["reasons"][0]["why"].as_str().unwrap().to_owned()
    };
    let never = "Light:switch off was never seen in this home before;";
    for (times, device) in [
        (0, "nor was anything of its device"),
        (1, "its device was, once"),
        (3, "its device was, 3 times"),
    ] {
        assert_eq!(why(Fact::New, 0, times), format!("{never} {device}"));
    }
    let after = |times| {
        let before = Some(ActionId(0));
        why(
            Fact::After {
                before,
                usual: None,
            },
            0,
            times,
        )
    };
    let place = "right after Light:switch on came Light:switch off";
    assert_eq!(after(0), format!("{place} for the first time"));
    assert_eq!(after(1), format!("{place} 0 of 1 time"));
    assert_eq!(after(9), format!("{place} 0 of 9 times"));
}
