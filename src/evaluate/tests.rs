//! A small output folder whose figures are known by hand.

use std::fmt::Write;

use super::statistics::Calls;
use super::*;

fn score(
    epoch: u64,
    home: &str,
    minute: u32,
    action: &str,
    score: f32,
    predictions: &[&str],
) -> String {
    let predictions: Vec<String> = predictions
        .iter()
        .map(|action| format!(r#"{{"action":"{action}","probability":0.1}}"#))
        .collect();
    format!(
        r#"{{"epoch":{epoch},"home":"{home}","time":"2024-01-01T08:{minute:02}:00Z","action":"{action}","score":{score},"threshold":0.5,"anomaly":{},"predictions":[{}],"versions":{{"detector":0,"predictor":0}}}}"#,
        score >= 0.5,
        predictions.join(",")
    ) + "\n"
}

fn segment(diff: i64, home: &str, behaviors: &[(u32, &str)]) -> String {
    let mut text = String::new();
    for (minute, action) in behaviors {
        let comma = if text.is_empty() { "" } else { "," };
        let device = action.split_once(':').unwrap().0;
        let _ = write!(
            text,
            r#"{comma}{{"time":"2024-01-01T08:{minute:02}:00Z","device":"{device}","action":"{action}"}}"#
        );
    }
    format!(
        r#"{{"epoch":0,"diff":{diff},"home":"{home}","start":"2024-01-01T08:00:00Z","end":"2024-01-01T09:00:00Z","behaviors":[{text}]}}"#
    ) + "\n"
}

fn folder(segments: &str, scores: &str, truth: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for stream in Stream::ALL {
        std::fs::write(stream.path(dir.path()), "").unwrap();
    }
    std::fs::write(Stream::Segments.path(dir.path()), segments).unwrap();
    std::fs::write(Stream::Scores.path(dir.path()), scores).unwrap();
    std::fs::write(dir.path().join("truth.jsonl"), truth).unwrap();
    dir
}

#[test]
fn figures_by_hand() {
    let segments = segment(1, "a", &[(0, "L:on"), (1, "L:off"), (2, "L:on")])
        + &segment(-1, "a", &[(0, "L:on"), (1, "L:off"), (2, "L:on")])
        + &segment(
            1,
            "a",
            &[
                (0, "L:on"),
                (1, "L:off"),
                (2, "L:on"),
                (3, "L:off"),
                (4, "F:on"),
            ],
        );
    // The first behaviour is not scored; 08:01 is scored twice, the later epoch holds; 08:09 was withdrawn.
    let scores = score(3, "a", 1, "L:off", 0.1, &["L:off", "L:on"])
        + &score(2, "a", 1, "L:off", 0.9, &[])
        + &score(2, "a", 2, "L:on", 0.6, &["L:off", "L:on"])
        + &score(2, "a", 3, "L:off", 0.2, &["F:on"])
        + &score(2, "a", 4, "F:on", 0.8, &["L:on"])
        + &score(2, "a", 9, "F:on", 0.8, &["L:on"]);
    let truth = r#"{"truth":"anomaly","home":"a","time":"2024-01-01T09:04:00+01:00","device":"F","action":"on","kind":"x"}
{"truth":"anomaly","home":"gone","time":"2024-01-01T09:04:00+01:00","device":"F","action":"F:on","kind":"x"}
{"truth":"shift","home":"a","time":"2024-01-01T08:03:00Z","kind":"season","from":"winter","to":"summer"}
{"truth":"counts","lines":5}
"#;
    let dir = folder(&segments, &scores, truth);
    let found = evaluate(dir.path(), &dir.path().join("truth.jsonl")).unwrap();
    assert_eq!((found.planted, found.withdrawn, found.longest), (2, 1, 2));
    // Scores .1 .6 .2 normal, .8 planted: the detector orders perfectly and calls one too many.
    assert_eq!(found.all.curves, Some((1.0, 1.0)));
    assert_eq!(
        found.all.calls,
        Calls {
            hits: 1,
            false_alarms: 1,
            misses: 0
        }
    );
    assert_eq!(
        found.all.always,
        Calls {
            hits: 1,
            false_alarms: 3,
            misses: 0
        }
    );
    assert_eq!(
        found.all.never,
        Calls {
            hits: 0,
            false_alarms: 0,
            misses: 1
        }
    );
    // New in this home: L:off at 08:01 and F:on at 08:04.
    assert_eq!(
        found.all.unseen,
        Calls {
            hits: 1,
            false_alarms: 1,
            misses: 0
        }
    );
    // Lists at 08:01 (rank 1), 08:02 (rank 2), 08:03 (miss).
    assert_eq!(found.all.predictor.hits()[0], 1.0 / 3.0);
    assert_eq!(found.all.predictor.mrr(), 0.5);
    // Successors so far: none at 08:01 (never done: miss), at 08:02 none after off: on is most frequent by action
    // order (off precedes on: rank 2), at 08:03 off followed on: rank 1.
    assert_eq!(found.all.following.mrr(), (0.5 + 1.0) / 3.0);
    let after = found.after.unwrap();
    assert_eq!(after.always.hits + after.always.false_alarms, 2);
    assert_eq!(
        found.shifts,
        Shifts {
            planted: 1,
            requested: 0,
            answered: 0,
            adapted: 0
        }
    );
}

#[test]
fn the_order_of_lines_changes_nothing() {
    let mut segments = [
        segment(1, "a", &[(0, "L:on"), (0, "F:on"), (2, "L:on")]),
        segment(1, "b", &[(0, "F:on"), (1, "L:off"), (1, "F:on")]),
    ];
    let mut scores = [
        score(1, "a", 2, "L:on", 0.6, &["L:off", "L:on"]),
        score(1, "b", 1, "L:off", 0.6, &["F:on", "L:on"]),
        score(1, "b", 1, "F:on", 0.7, &["F:on", "L:on"]),
    ];
    let truth = r#"{"truth":"anomaly","home":"b","time":"2024-01-01T08:01:00Z","device":"F","action":"on","kind":"x"}"#;
    let mut told = || {
        let dir = folder(&segments.concat(), &scores.concat(), truth);
        let found = evaluate(dir.path(), &dir.path().join("truth.jsonl")).unwrap();
        segments.reverse();
        scores.reverse();
        found.to_string()
    };
    let first = told();
    assert_eq!(first, told());
    assert!(first.contains("detector"), "{first}");
}

#[test]
fn shifts_are_followed_to_the_new_version() {
    let dir = folder("", "", "");
    let shift = |minute: u32| {
        format!(
            r#"{{"kind":"season","from":"winter","to":"summer","time":"2024-01-01T08:{minute:02}:00Z"}}"#
        )
    };
    let request = |minute: u32, id: &str| {
        format!(
            r#"{{"epoch":1,"request":"{id}","home":"a","shift":{},"weekday":"Monday","representatives":[],"hints":{{}},"prompt":{{"system":"","user":""}}}}"#,
            shift(minute)
        ) + "\n"
    };
    let verdict = |id: &str, stage: u8| {
        format!(
            r#"{{"epoch":1,"request":"{id}","home":"a","position":0,"sequence":[],"verdict":"delete","stage":{stage},"loss":null,"bound":null,"baseline":null,"trial":null}}"#
        ) + "\n"
    };
    let adaptation = format!(
        r#"{{"epoch":1,"home":"a","shift":{},"task":"detector","model":"autoencoder","version":1,"event":"promoted","before":1,"after":0.5,"evidence":"x"}}"#,
        shift(1)
    );
    let truth: String = (1..=4)
        .map(|minute| format!(r#"{{"truth":"shift","home":"a","time":"2024-01-01T08:{minute:02}:00Z","kind":"season","from":"winter","to":"summer"}}"#) + "\n")
        .collect();
    std::fs::write(
        Stream::Requests.path(dir.path()),
        request(1, "r1") + &request(2, "r2") + &request(3, "r3"),
    )
    .unwrap();
    std::fs::write(
        Stream::Verdicts.path(dir.path()),
        verdict("r1", 1) + &verdict("r2", 2) + &verdict("r3", 0),
    )
    .unwrap();
    std::fs::write(Stream::Adaptations.path(dir.path()), adaptation).unwrap();
    std::fs::write(dir.path().join("truth.jsonl"), truth).unwrap();
    let found = evaluate(dir.path(), &dir.path().join("truth.jsonl")).unwrap();
    assert_eq!(
        found.shifts,
        Shifts {
            planted: 4,
            requested: 3,
            answered: 2,
            adapted: 1
        }
    );
}

#[test]
fn a_shift_is_found_by_the_first_drift_after_it() {
    let truth: String = [("a", 10, "season"), ("b", 10, "season"), ("c", 10, "schedule")]
        .map(|(home, day, kind)| {
            format!(
                "{{\"truth\":\"shift\",\"home\":\"{home}\",\"time\":\"2024-01-{day}T04:00:00Z\",\"kind\":\"{kind}\"}}\n"
            )
        })
        .concat();
    // A home's own shift within five days, another one's too late; one before it, and one more after it.
    let drifts: String = [("a", 14), ("a", 24), ("b", 16), ("c", 10), ("d", 20)]
        .map(|(home, day)| {
            let time = format!("2024-01-{day}T04:00:00Z");
            let rates = r#"{"before":1.0,"after":2.0}"#;
            format!(
                "{{\"epoch\":0,\"home\":\"{home}\",\"time\":\"{time}\",\"since\":\"{time}\",\"evidence\":400.0,\
                 \"days\":{rates},\"rate\":{rates},\"devices\":[],\"hours\":[]}}\n"
            )
        })
        .concat();
    let dir = folder(&segment(1, "a", &[(0, "L:on")]), "", &truth);
    std::fs::write(Stream::Drifts.path(dir.path()), drifts).unwrap();
    let found = evaluate(dir.path(), &dir.path().join("truth.jsonl")).unwrap();
    let kind = |planted, soon, late| Kind {
        planted,
        soon,
        late,
    };
    let drifts = &found.drifts;
    assert_eq!(drifts.kinds["season"], kind(2, 1, 1));
    assert_eq!(drifts.kinds["schedule"], kind(1, 0, 0));
    assert_eq!((drifts.false_ones, drifts.watched), (3, 3_600 * 1_000_000));
    let text = found.to_string();
    assert!(text.contains("3 others in 0.0 home-years"), "{text}");
}
