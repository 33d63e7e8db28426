//! The writer against real folders: every row becomes the documented line, and trouble is told, not hung on.

use hearth_operators::words::{
    Candidate, Hints, Line, Moment, Quadruple, Regime, Sequence, ShiftKey, ShiftKind, Task, Time,
};
use serde_json::{Value, json};

use super::*;
use crate::catalog::catalog_of;

const ODD: &str = "h \"1\"\n\u{1F3E0}\\";

fn names() -> Names {
    let catalog = catalog_of(&[("Light", &["switch on", "switch off"])]);
    let homes = Homes::default();
    homes.intern(ODD);
    Names {
        homes,
        catalogs: Catalogs::shared(Arc::new(catalog)),
        cohorts: Vec::new(),
        detector: "habits",
        files: vec!["log.jsonl".into()],
        prompt: Arc::new(|request| ("be brief".into(), format!("{} parts", request.parts))),
    }
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

fn verdict(stage: u8, retain: bool, loss: f32) -> Row {
    let sequence = segment().sequence();
    let verdict = Verdict {
        candidate: Candidate {
            request: KEY,
            position: 2,
            sequence,
        },
        retain,
        stage,
        loss,
        bound: 1.5,
        baseline: None,
        trial: None,
    };
    Row::Verdict { epoch: 3, verdict }
}

fn one_of_each() -> Vec<Row> {
    let request = Arc::new(Request {
        key: KEY,
        parts: 2,
        requests: 2,
        representatives: vec![segment().sequence()],
        hints: Arc::new(Hints(vec![(
            ActionId(0),
            vec![(ActionId(1), 12), (ActionId(0), 3)],
        )])),
        regime: Arc::new(Regime {
            shift: shift(),
            source: Vec::new(),
            target: Vec::new(),
        }),
    });
    vec![
        Row::Segment {
            epoch: 1,
            diff: 1,
            segment: segment(),
        },
        Row::Segment {
            epoch: 2,
            diff: -1,
            segment: segment(),
        },
        Row::Transition {
            epoch: 1,
            diff: 4,
            home: HOME,
            from: ActionId(0),
            to: ActionId(1),
        },
        Row::Representative {
            epoch: 1,
            diff: 1,
            representative: Representative {
                regime: 0,
                segment: segment(),
            },
        },
        Row::Request { epoch: 3, request },
        verdict(1, true, 0.5),
        verdict(2, false, f32::INFINITY),
        Row::Failure {
            epoch: 3,
            key: KEY,
            reason: "no knowledge".into(),
        },
        Row::Invalid {
            epoch: 3,
            key: KEY,
            position: 7,
            sequence: vec![["Mon".into(), "(6~9)".into(), "Lamp".into(), "on".into()]],
            reason: "unknown device `Lamp`".into(),
        },
        Row::Adjustment {
            epoch: 4,
            adjustment: Adjustment {
                key: KEY.shift,
                shift: shift(),
                task: Task::Detector,
                version: 1,
                outcome: Outcome::Promoted,
                before: 2.0,
                after: f32::NAN,
                evidence: "20 segments".into(),
            },
        },
        Row::Score {
            epoch: 5,
            score: Score {
                home: HOME,
                moment: moment(0, 0),
                score: 3.0,
                threshold: 2.5,
                predictions: vec![(ActionId(1), 0.75)],
                detector: 1,
                predictor: 0,
            },
        },
        Row::Late {
            behavior: behavior(),
            reason: "2 days late".into(),
        },
        Row::Implausible {
            behavior: behavior(),
            reason: "90 days ahead".into(),
        },
        Row::Rejected {
            line: "\0{".into(),
            source: "log.jsonl:9".into(),
            reason: "no JSON".into(),
        },
        Row::Tally {
            applied: 10,
            duplicate: 1,
        },
    ]
}

fn read(dir: &Path, stream: Stream) -> Vec<Value> {
    let text = std::fs::read_to_string(stream.path(dir)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_row_is_its_documented_line() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, sender) = Writer::open(dir.path(), names()).unwrap();
    sender.send(one_of_each()).unwrap();
    drop(sender);
    let counts = writer.finish().unwrap();
    let behaviors = json!([
        {"time": "2022-08-04T18:30:00+02:00", "device": "Light", "action": "Light:switch on"},
        {"time": "2022-08-04T18:35:00+02:00", "device": "Light", "action": "Light:switch off"},
    ]);
    let shift = json!({"kind": "season", "from": "winter", "to": "summer", "time": "2022-08-04T18:30:00+02:00"});
    let request = format!("{ODD}/0/Thu/1");
    let sequence = json!([
        {"weekday": "Thursday", "hours": "(18~21)", "device": "Light", "action": "Light:switch on"},
        {"weekday": "Thursday", "hours": "(18~21)", "device": "Light", "action": "Light:switch off"},
    ]);
    let event = "{\"home\":\"h \\\"1\\\"\\n\u{1F3E0}\\\\\",\"time\":\"2022-08-04T18:30:00+02:00\",\"device\":\"Light\",\"action\":\"switch on\",\"id\":\"e\\\"1\"}";
    for (stream, expected) in [
        (
            Stream::Segments,
            vec![
                json!({"epoch": 1, "diff": 1, "home": ODD, "start": "2022-08-04T18:30:00+02:00",
                "end": "2022-08-04T18:35:00+02:00", "behaviors": behaviors}),
                json!({"epoch": 2, "diff": -1, "home": ODD, "start": "2022-08-04T18:30:00+02:00",
                "end": "2022-08-04T18:35:00+02:00", "behaviors": behaviors}),
            ],
        ),
        (
            Stream::Transitions,
            vec![
                json!({"epoch": 1, "diff": 4, "home": ODD, "from": "Light:switch on", "to": "Light:switch off"}),
            ],
        ),
        (
            Stream::Representatives,
            vec![
                json!({"epoch": 1, "diff": 1, "home": ODD, "regime": 0, "weekday": "Thursday",
                "start": "2022-08-04T18:30:00+02:00", "behaviors": behaviors}),
            ],
        ),
        (
            Stream::Requests,
            vec![
                json!({"epoch": 3, "request": request, "home": ODD, "shift": shift, "weekday": "Thursday",
                "representatives": [[["Thursday", "(18~21)", "Light", "switch on"], ["Thursday", "(18~21)", "Light", "switch off"]]],
                "hints": {"Light:switch on": {"Light:switch off": 12, "Light:switch on": 3}},
                "prompt": {"system": "be brief", "user": "2 parts"}}),
            ],
        ),
        (
            Stream::Verdicts,
            vec![
                json!({"epoch": 3, "request": request, "home": ODD, "position": 2, "sequence": sequence,
                "verdict": "retain", "stage": 1, "loss": 0.5, "bound": 1.5, "baseline": null, "trial": null}),
                json!({"epoch": 3, "request": request, "home": ODD, "position": 2, "sequence": sequence,
                "verdict": "delete", "stage": 2, "loss": null, "bound": 1.5, "baseline": null, "trial": null}),
                json!({"epoch": 3, "request": request, "home": ODD, "position": 0, "sequence": [],
                "verdict": "delete", "stage": 0, "loss": null, "bound": null, "baseline": null, "trial": null,
                "reason": "no knowledge"}),
                json!({"epoch": 3, "request": request, "home": ODD, "position": 7,
                "sequence": [{"weekday": "Mon", "hours": "(6~9)", "device": "Lamp", "action": "on"}],
                "verdict": "delete", "stage": 0, "loss": null, "bound": null, "baseline": null, "trial": null,
                "reason": "unknown device `Lamp`"}),
            ],
        ),
        (
            Stream::Adaptations,
            vec![
                json!({"epoch": 4, "home": ODD, "shift": shift, "task": "detector", "model": "habits",
                "version": 1, "event": "promoted", "before": 2.0, "after": null, "evidence": "20 segments"}),
            ],
        ),
        (
            Stream::Scores,
            vec![
                json!({"epoch": 5, "home": ODD, "time": "2022-08-04T18:30:00+02:00", "action": "Light:switch on",
                "score": 3.0, "threshold": 2.5, "anomaly": true,
                "predictions": [{"action": "Light:switch off", "probability": 0.75}],
                "versions": {"detector": 1, "predictor": 0}}),
            ],
        ),
        (
            Stream::Late,
            vec![json!({"line": event, "source": "log.jsonl:17", "reason": "2 days late"})],
        ),
        (
            Stream::Rejected,
            vec![
                json!({"line": event, "source": "log.jsonl:17", "reason": "90 days ahead"}),
                json!({"line": "\0{", "source": "log.jsonl:9", "reason": "no JSON"}),
            ],
        ),
    ] {
        assert_eq!(read(dir.path(), stream), expected, "{}", stream.name());
        assert_eq!(counts.lines[stream.name()], expected.len() as u64);
    }
    let expected = Counts {
        applied: 10,
        duplicate: 1,
        late: 1,
        rejected: 2,
        homes: 1,
        segments: 0,
        transitions: 4,
        representatives: 1,
        requests: 1,
        failures: 1,
        candidates: 2,
        retained: [(1, 1)].into(),
        deleted: [(0, 1), (2, 1)].into(),
        promoted: 1,
        adapted_homes: 1,
        scores: 1,
        anomalies: 1,
        lines: counts.lines.clone(),
        ..Counts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn an_earlier_output_is_overwritten_a_strangers_folder_is_not() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("thesis.tex"), "x").unwrap();
    let refused = Writer::open(dir.path(), names()).unwrap_err();
    assert!(matches!(refused, SinkError::Occupied(_)), "{refused}");
    assert!(!Stream::Segments.path(dir.path()).exists());

    std::fs::write(Summary::path(dir.path()), "{}").unwrap();
    std::fs::write(Stream::Scores.path(dir.path()), "old\n").unwrap();
    let (writer, sender) = Writer::open(dir.path(), names()).unwrap();
    drop(sender);
    writer.finish().unwrap();
    assert_eq!(read(dir.path(), Stream::Scores), Vec::<Value>::new());
    assert!(!Summary::path(dir.path()).exists());
    assert!(dir.path().join("thesis.tex").exists());
}

#[test]
fn a_missing_folder_is_created_and_a_file_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, sender) = Writer::open(&dir.path().join("a/b"), names()).unwrap();
    drop(sender);
    assert_eq!(writer.finish().unwrap(), Counts::default());
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let refused = Writer::open(&file, names()).unwrap_err();
    assert!(matches!(refused, SinkError::Create { .. }), "{refused}");
}

/// A full disk: senders go on, the error comes out at the end.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_blocks_nobody() {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", Stream::Transitions.path(dir.path())).unwrap();
    let (writer, sender) = Writer::open(dir.path(), names()).unwrap();
    let row = Row::Transition {
        epoch: 0,
        diff: 1,
        home: HOME,
        from: ActionId(0),
        to: ActionId(1),
    };
    for _ in 0..4 * BATCHES {
        sender.send(vec![row.clone(); 100]).unwrap();
    }
    drop(sender);
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("transitions.jsonl failed"), "{error}");
}

#[test]
fn rows_of_several_workers_all_arrive() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, sender) = Writer::open(dir.path(), names()).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let sender = sender.clone();
            scope.spawn(move || {
                for epoch in 0..200 {
                    let segment = segment();
                    sender
                        .send(vec![
                            Row::Segment {
                                epoch,
                                diff: worker,
                                segment
                            };
                            3
                        ])
                        .unwrap();
                }
            });
        }
    });
    drop(sender);
    assert_eq!(writer.finish().unwrap().segments, 3 * 200 * (1 + 2));
    assert_eq!(read(dir.path(), Stream::Segments).len(), 3 * 200 * 3);
}

#[test]
fn a_sequence_keeps_its_words() {
    let sequence = Sequence(vec![Quadruple {
        weekday: 0,
        hours: 7,
        action: ActionId(1),
    }]);
    let format = Format::new(names());
    let mut line = Vec::new();
    let row = Row::Verdict {
        epoch: 0,
        verdict: Verdict {
            candidate: Candidate {
                request: KEY,
                position: 0,
                sequence,
            },
            retain: false,
            stage: 2,
            loss: 2.0,
            bound: 1.0,
            baseline: Some(0.5),
            trial: Some(0.75),
        },
    };
    let (_, written) = format.row(&row, &mut line).unwrap();
    written.unwrap();
    let read: lines::VerdictLine<'_> = serde_json::from_slice(&line).unwrap();
    assert_eq!(read.sequence[0].weekday, "Monday");
    assert_eq!(read.sequence[0].hours, "(21~24)");
    assert_eq!((read.baseline, read.trial), (Some(0.5), Some(0.75)));
}
