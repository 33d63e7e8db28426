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

/// A device's own name may be another's with more behind a colon.
#[test]
fn a_device_is_told_from_one_whose_name_goes_on() {
    let dir = folder();
    let segment = |device: &str| {
        let action = format!("{device}:on");
        format!(
            r#"{{"epoch":0,"diff":1,"home":"a","start":"2024-01-01T08:00:00Z","end":"2024-01-01T08:00:00Z","behaviors":[{{"time":"2024-01-01T08:00:00Z","device":"{device}","action":"{action}"}}]}}"#
        )
    };
    let score = |action: &str| {
        format!(r#"{{"epoch":0,"home":"a","time":"2024-01-01T08:00:00Z","action":"{action}"}}"#)
    };
    let write = |stream: Stream, lines: [String; 2]| {
        std::fs::write(stream.path(dir.path()), lines.join("\n")).unwrap();
    };
    write(Stream::Segments, [segment("TV"), segment("TV:bedroom")]);
    write(Stream::Scores, [score("TV:on"), score("TV:bedroom:on")]);
    let what = What {
        device: Some("TV".to_owned()),
        ..all_of("a")
    };
    erase(dir.path(), &what).unwrap();
    for stream in [Stream::Segments, Stream::Scores] {
        let left = lines(dir.path(), stream);
        assert!(
            left.len() == 1 && left[0].contains("TV:bedroom"),
            "{left:?}"
        );
    }
}

/// However a log writes them.
#[test]
fn refused_lines_of_a_home_go_with_it() {
    let dir = folder();
    let refused = |line: &str| {
        serde_json::json!({"line": line, "source": "log:1", "reason": "no"}).to_string()
    };
    let lines_of = [
        "Flat 3,never,Light,on",
        r#"{"home_id":"Flat 3","ts":1}"#,
        r#"{"home":17,"time":"never"}"#,
        "\"Flat 3\";x",
        "Flat 33,never,Light,on",
    ];
    let text = lines_of.map(refused).join("\n");
    std::fs::write(Stream::Rejected.path(dir.path()), text).unwrap();
    for home in ["Flat 3", "17"] {
        erase(dir.path(), &all_of(home)).unwrap();
    }
    let left = lines(dir.path(), Stream::Rejected);
    assert!(left.len() == 1 && left[0].contains("Flat 33"), "{left:?}");
}

#[test]
fn what_nobody_has_is_not_held() {
    let dir = folder();
    let of = |device: &str| What {
        device: Some(device.to_owned()),
        ..all_of("a")
    };
    assert!(holds(dir.path(), &of("Cam")).unwrap());
    assert!(!holds(dir.path(), &of("Camera")).unwrap());
}
