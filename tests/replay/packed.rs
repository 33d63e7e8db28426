//! A packed log replays as the log that it was packed from.

use super::household::{dir, first, replay_log};
use super::program::{STREAMS, hearth, same_lines};

#[test]
fn a_packed_log_replays_as_its_source() {
    let packed = hearth(dir(), "pack events.jsonl --out events.hlog").fine();
    assert!(
        packed.stdout.contains("lines that are none"),
        "{}",
        packed.stdout
    );
    let other = replay_log("events.hlog", "packed", "--workers 2 --threads 2");
    let exact: Vec<&str> = STREAMS
        .into_iter()
        .filter(|stream| !["late", "rejected"].contains(stream))
        .collect();
    same_lines(first(), &other, &exact);
    assert_eq!(first().accounting(), other.accounting());
    for stream in ["late", "rejected"] {
        let told = |folder: &super::program::Folder| {
            let refused = folder.values(stream).into_iter();
            let mut told: Vec<_> = refused
                .map(|v| (v["line"].clone(), v["reason"].clone()))
                .collect();
            told.sort_by_key(|(line, reason)| (line.to_string(), reason.to_string()));
            told
        };
        assert_eq!(told(first()), told(&other), "{stream}");
        let sources = other.refused(stream);
        let named = sources
            .iter()
            .all(|(source, _)| source.starts_with("events.hlog:"));
        assert!(named, "{sources:?}");
    }
}

#[test]
fn what_cannot_be_packed_is_said() {
    let none = hearth(dir(), "pack none.jsonl --out none.hlog");
    assert_eq!(none.code, Some(2), "{}", none.stderr);
    assert!(!dir().join("none.hlog").exists());
    let nowhere = hearth(dir(), "pack events.jsonl --out nowhere/events.hlog");
    assert_eq!(nowhere.code, Some(2), "{}", nowhere.stderr);
}

#[test]
fn lines_that_parquet_cannot_hold_are_left_out_and_said() {
    let packed = hearth(dir(), "pack events.jsonl --out events.parquet").fine();
    let said = "lines that are no event, the first: events.jsonl:";
    assert!(packed.stderr.contains(said), "{}", packed.stderr);
}
