//! Folders from which something goes.

use super::*;
use crate::outputs::read;

const SEGMENTS: &str = r#"{"epoch":0,"diff":1,"home":"a","start":"2024-01-01T08:00:00Z","end":"2024-01-01T08:02:00Z","behaviors":[{"time":"2024-01-01T08:00:00Z","device":"Light","action":"Light:on"},{"time":"2024-01-01T08:01:00Z","device":"Cam","action":"Cam:on"},{"time":"2024-01-01T08:02:00Z","device":"Light","action":"Light:off"}]}
{"epoch":1,"diff":1,"home":"a","start":"2024-01-03T08:00:00Z","end":"2024-01-03T08:02:00Z","behaviors":[{"time":"2024-01-03T08:00:00Z","device":"Light","action":"Light:on"},{"time":"2024-01-03T08:02:00Z","device":"Light","action":"Light:off"}]}
{"epoch":1,"diff":1,"home":"b","start":"2024-01-01T08:00:00Z","end":"2024-01-01T08:00:00Z","behaviors":[{"time":"2024-01-01T08:00:00Z","device":"Cam","action":"Cam:on"}]}
"#;
const TRANSITIONS: &str = r#"{"epoch":0,"diff":3,"home":"a","from":"Light:on","to":"Cam:on"}
{"epoch":1,"diff":1,"home":"a","from":"Light:on","to":"Light:off"}
"#;
const LATE: &str = r#"{"line":"{\"home\":\"a\",\"time\":\"2024-01-01T07:00:00Z\",\"device\":\"Cam\",\"action\":\"on\"}","source":"log:1","reason":"late"}
{"line":"a,2024-01-01T07:00:00Z,Light","source":"log:2","reason":"no action"}
"#;

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for stream in Stream::ALL {
        let text = match stream {
            Stream::Segments => SEGMENTS,
            Stream::Transitions => TRANSITIONS,
            Stream::Late => LATE,
            _ => "",
        };
        std::fs::write(stream.path(dir.path()), text).unwrap();
    }
    dir
}

fn lines(dir: &Path, stream: Stream) -> Vec<String> {
    let mut lines = Vec::new();
    read::each(dir, stream, |text| {
        lines.push(text.to_owned());
        Ok(())
    })
    .unwrap();
    lines
}

fn all_of(home: &str) -> What {
    What {
        home: home.to_owned(),
        from: None,
        to: None,
        device: None,
        before: None,
    }
}

#[test]
fn a_home_goes_whole() {
    let dir = folder();
    let gone = erase(dir.path(), &all_of("a")).unwrap();
    let expected = [
        (Stream::Segments, 2),
        (Stream::Transitions, 2),
        (Stream::Late, 2),
    ];
    assert_eq!(gone, expected.into());
    assert_eq!(lines(dir.path(), Stream::Segments).len(), 1);
    assert_eq!(erase(dir.path(), &all_of("a")).unwrap(), BTreeMap::new());
}

#[test]
fn a_device_goes_with_the_segments_that_hold_it() {
    let dir = folder();
    let what = What {
        device: Some("Cam".to_owned()),
        ..all_of("a")
    };
    erase(dir.path(), &what).unwrap();
    let kept = lines(dir.path(), Stream::Segments).concat();
    assert!(!kept.contains("2024-01-01T08:02"), "{kept}");
    assert!(kept.contains("2024-01-03"), "{kept}");
    // The segment counted one of the three, and one that another line of its epoch had cancelled.
    let transitions = lines(dir.path(), Stream::Transitions);
    let count = |from: &str, to: &str| -> i64 {
        let lines = transitions
            .iter()
            .map(|line| serde_json::from_str(line).unwrap());
        let own = lines.filter(|line: &serde_json::Value| line["from"] == from && line["to"] == to);
        own.map(|line| line["diff"].as_i64().unwrap()).sum()
    };
    assert_eq!(count("Light:on", "Cam:on"), 2);
    assert_eq!(count("Cam:on", "Light:off"), -1);
    assert_eq!(count("Light:on", "Light:off"), 1);
    assert_eq!(lines(dir.path(), Stream::Late).len(), 1);
}

#[test]
fn only_what_stands_is_left() {
    let dir = folder();
    let path = Stream::Transitions.path(dir.path());
    let more = r#"{"epoch":2,"diff":-3,"home":"a","from":"Light:on","to":"Cam:on"}
{"epoch":3,"diff":4,"home":"a","from":"Light:on","to":"Light:off"}
"#;
    std::fs::write(&path, format!("{TRANSITIONS}{more}")).unwrap();
    compact(dir.path()).unwrap();
    let left = r#"{"epoch":3,"diff":5,"home":"a","from":"Light:on","to":"Light:off"}"#;
    assert_eq!(lines(dir.path(), Stream::Transitions), [left]);
    assert_eq!(lines(dir.path(), Stream::Segments).len(), 3);
}
