//! Whatever stands in a log, the rest of it is replayed, and each bad line is told with its place and its cause.

use std::collections::BTreeMap;
use std::path::Path;

use super::program::{Ended, Folder, HARDLY_TRAINED, hearth, write};

const CATALOG: &str =
    r#"{"devices":[{"name":"Light","actions":[{"name":"on"},{"name":"off","closes":["on"]}]}]}"#;

/// An event of the second of June 2025 and the days after, `hour` hours from its midnight.
fn event(home: &str, hour: u32, action: &str) -> String {
    let (day, hour) = (2 + hour / 24, hour % 24);
    let time = format!("2025-06-{day:02}T{hour:02}:00:00Z");
    format!(r#"{{"home":"{home}","time":"{time}","device":"Light","action":"{action}"}}"#)
}

/// A log in which each bad line stands between good ones, and what is to be said of it.
fn log() -> (Vec<Vec<u8>>, Vec<(usize, &'static str)>) {
    let bad: Vec<(Vec<u8>, &str)> = vec![
        ("this is no event".into(), "no JSON object"),
        (r#"{"home":"h-1","time":"#.into(), "malformed JSON"),
        ("[1, 2]".into(), "no JSON object"),
        (
            r#"{"home":"h-1","action":"Light:on"}"#.into(),
            "`time` is missing",
        ),
        (
            event("h-1", 9, "on").replace("Light", "Gramophone").into(),
            "unknown device `Gramophone`",
        ),
        (
            event("h-1", 9, "explode").into(),
            "unknown action `explode`",
        ),
        (
            event("h-1", 9, "on").replace("06-02", "02-30").into(),
            "impossible time",
        ),
        (
            event("h-1", 9, "on").replace("2025", "1492").into(),
            "impossible time",
        ),
        (
            event("h-1", 9, "on").replace("Light", "Li\0ght").into(),
            "malformed JSON",
        ),
        (
            event("h-1", 9, "on").replace("h-1", r"h\u0000").into(),
            "NUL byte",
        ),
        (b"{\"home\":\"h-\xff\xfe\"}".to_vec(), "invalid UTF-8"),
        (vec![b'x'; 5_000_000], "longer than"),
        (
            event(&"h".repeat(10_000), 9, "on").into(),
            "`home` is 10000 bytes long",
        ),
        (event("", 9, "on").into(), "`home` is empty"),
        (
            event("h-1", 9, "on").replace("2025", "2035").into(),
            "jumps ahead",
        ),
    ];
    let (mut lines, mut expected) = (Vec::new(), Vec::new());
    for (number, (line, reason)) in bad.into_iter().enumerate() {
        lines.push(event("h-1", 4 * number as u32, "on").into_bytes());
        lines.push(line);
        expected.push((lines.len(), reason));
        lines.push(event("h-2", 4 * number as u32, "off").into_bytes());
        lines.push(b"  \t".to_vec());
    }
    (lines, expected)
}

fn replay(dir: &Path, files: &str, options: &str) -> Ended {
    let command = format!("replay {files} --catalog catalog.json --out out {HARDLY_TRAINED}");
    hearth(dir, &format!("{command} {options}"))
}

#[test]
fn each_bad_line_is_told_and_the_rest_applied() {
    let dir = tempfile::tempdir().unwrap();
    let (lines, expected) = log();
    write(dir.path(), "catalog.json", CATALOG);
    write(dir.path(), "bad.jsonl", lines.join(&b'\n'));
    write(dir.path(), "empty.jsonl", "");
    write(dir.path(), "empty.csv", "");
    replay(
        dir.path(),
        "empty.jsonl bad.jsonl empty.csv",
        "--epoch-events 7",
    )
    .fine();
    let output = Folder(dir.path().join("out"));

    let refused = output.refused("rejected");
    assert_eq!(refused.len(), expected.len(), "{refused:?}");
    let refused: BTreeMap<_, _> = refused.into_iter().collect();
    for (line, cause) in &expected {
        let told = refused.get(&format!("bad.jsonl:{line}"));
        let told = told.map_or("nothing", String::as_str);
        assert!(told.contains(cause), "line {line}, {cause}: {told}");
    }
    let longest = output.lines("rejected").iter().map(String::len).max();
    assert!(longest.unwrap() < 10_000, "a line is shown as a whole");

    let (good, bad) = (2 * expected.len() as u64, expected.len() as u64);
    assert_eq!(output.accounting(), [good + bad, good, 0, 0, bad]);
    // Among them the later ones of the home whose clock once jumped ahead.
    assert_eq!(output.behaviors(), good as i64);
}

#[test]
fn a_broken_clock_does_not_end_its_home() {
    let dir = tempfile::tempdir().unwrap();
    let ahead = event("h-1", 4, "on").replace("2025", "2035");
    let before = (0..4).map(|hour| event("h-1", hour, "on"));
    let after = (5..60).map(|hour| event("h-1", hour, "off"));
    let lines: Vec<String> = before.chain([ahead]).chain(after).collect();
    write(dir.path(), "catalog.json", CATALOG);
    write(dir.path(), "log.jsonl", lines.join("\n"));
    replay(dir.path(), "log.jsonl", "--epoch-events 3").fine();
    let output = Folder(dir.path().join("out"));
    assert_eq!(output.accounting(), [60, 59, 0, 0, 1]);
    assert_eq!(output.behaviors(), 59);
    let [(source, reason)] = &output.refused("rejected")[..] else {
        panic!("one line is rejected");
    };
    assert_eq!(source, "log.jsonl:5");
    assert!(reason.contains("jumps ahead"), "{reason}");
}

#[test]
fn bad_csv_records_are_told_and_the_next_ones_read() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "catalog.json", CATALOG);
    let log = "home,time,device,action\n\
        h-1,2025-06-02T08:00:00Z,Light,on\n\
        h-1,2025-06-02T08:10:00Z,Light\n\
        h-1,2025-06-02T08:20:00Z,\"Light,off\n\
        h-1,tomorrow,Light,off\n\
        \n\
        h-1,2025-06-02T08:30:00Z,\"Light\",off\n";
    write(dir.path(), "log.csv", log);
    replay(dir.path(), "log.csv", "").fine();
    let output = Folder(dir.path().join("out"));
    assert_eq!(output.accounting(), [5, 2, 0, 0, 3]);
    let refused: BTreeMap<_, _> = output.refused("rejected").into_iter().collect();
    for (line, cause) in [
        (3, "3 fields where the header has 4"),
        (4, "not closed"),
        (5, "impossible time"),
    ] {
        let told = refused.get(&format!("log.csv:{line}"));
        let told = told.map_or("nothing", String::as_str);
        assert!(told.contains(cause), "line {line}, {cause}: {told}");
    }
}

#[test]
fn a_log_without_any_event_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "empty.jsonl", "");
    hearth(dir.path(), "replay empty.jsonl --out out").fine();
    let output = Folder(dir.path().join("out"));
    assert_eq!(output.accounting(), [0; 5]);
    let summary = output.summary();
    assert_eq!(summary["homes"], 0);
    assert!(summary["notes"][0].as_str().unwrap().contains("no event"));
}

/// An id that is not the event's own, and an encoding that is not UTF-8: nothing breaks, and it is said.
#[test]
fn a_log_of_which_little_counts_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "catalog.json", CATALOG);
    let same = |hour| event("h-1", hour, "on").replace('}', r#","id":"sensor-1"}"#);
    let lines: Vec<String> = (0..30).map(same).collect();
    write(dir.path(), "ids.jsonl", lines.join("\n"));
    let mut bytes = Vec::new();
    for hour in 0..30 {
        let home = if hour % 3 == 0 {
            &b"Caf\xe9"[..]
        } else {
            b"h-1"
        };
        let line = event("HOME", hour, "on");
        let (before, behind) = line.split_once("HOME").unwrap();
        bytes.extend([before.as_bytes(), home, behind.as_bytes(), b"\n"].concat());
    }
    std::fs::write(dir.path().join("latin.jsonl"), bytes).unwrap();
    for (log, note) in [
        ("ids.jsonl", "29 of 30 events are duplicates"),
        ("latin.jsonl", "10 of 30 lines are no events"),
    ] {
        replay(dir.path(), log, "--fresh").fine();
        let notes = Folder(dir.path().join("out")).summary()["notes"].clone();
        assert!(notes.to_string().contains(note), "{log}: {notes}");
    }
}

#[test]
fn a_truncated_archive_fails_after_what_stands_before_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..400).map(|hour| event("h-1", hour, "on")).collect();
    let packed = zstd::encode_all(lines.join("\n").as_bytes(), 3).unwrap();
    write(dir.path(), "catalog.json", CATALOG);
    write(dir.path(), "cut.jsonl.zst", &packed[..packed.len() - 9]);
    write(dir.path(), "next.jsonl", event("h-2", 1, "on"));
    let ended = replay(dir.path(), "cut.jsonl.zst next.jsonl", "");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("cut.jsonl.zst:"), "{}", ended.stderr);
    let output = Folder(dir.path().join("out"));
    let [read, applied, ..] = output.accounting();
    assert_eq!(read, applied);
    let segments = output.lines("segments");
    assert!(
        segments.iter().any(|line| line.contains("h-2")),
        "the next file is read"
    );
}

#[test]
fn strict_fails_at_the_first_bad_line() {
    let dir = tempfile::tempdir().unwrap();
    let (lines, expected) = log();
    write(dir.path(), "catalog.json", CATALOG);
    write(dir.path(), "bad.jsonl", lines.join(&b'\n'));
    let ended = replay(dir.path(), "bad.jsonl", "--strict");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let (line, cause) = expected[0];
    let told = format!("bad.jsonl:{line}: ");
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    assert!(ended.stderr.contains(cause), "{}", ended.stderr);
}

/// Which the lines alone do not show: the home's other events do.
#[test]
fn strict_fails_at_a_broken_clock() {
    let dir = tempfile::tempdir().unwrap();
    let ahead = event("h-1", 4, "on").replace("2025", "2035");
    let lines: Vec<String> = (0..4)
        .map(|hour| event("h-1", hour, "on"))
        .chain([ahead])
        .collect();
    write(dir.path(), "catalog.json", CATALOG);
    write(dir.path(), "log.jsonl", lines.join("\n"));
    let ended = replay(dir.path(), "log.jsonl", "--strict");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("--strict"), "{}", ended.stderr);
}

#[test]
fn strict_fails_at_a_bad_context() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "catalog.json", CATALOG);
    write(dir.path(), "log.jsonl", event("h-1", 1, "on"));
    write(dir.path(), "contexts.jsonl", "\nnonsense\n");
    let ended = replay(
        dir.path(),
        "log.jsonl",
        "--contexts contexts.jsonl --strict",
    );
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("contexts.jsonl:2: "),
        "{}",
        ended.stderr
    );
}

#[test]
fn strict_does_not_mind_a_good_log() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "catalog.json", CATALOG);
    write(dir.path(), "log.jsonl", event("h-1", 1, "on"));
    replay(dir.path(), "log.jsonl", "--strict").fine();
}
