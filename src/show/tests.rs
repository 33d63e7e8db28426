//! Changelogs that add up, and those that cannot.

use std::path::Path;

use super::*;
use crate::outputs::Stream;

fn folder(files: &[(Stream, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for stream in Stream::ALL {
        std::fs::write(stream.path(dir.path()), "").unwrap();
    }
    for (stream, text) in files {
        std::fs::write(stream.path(dir.path()), text).unwrap();
    }
    dir
}

const SEGMENTS: &str = r#"{"epoch":0,"diff":1,"home":"a","start":"2024-01-01T08:00:00Z","end":"2024-01-01T08:01:00Z","behaviors":[{"time":"2024-01-01T08:00:00Z","device":"Light","action":"Light:on"},{"time":"2024-01-01T08:01:00Z","device":"Light","action":"Light:off"}]}
{"epoch":1,"diff":-1,"home":"a","start":"2024-01-01T08:00:00Z","end":"2024-01-01T08:01:00Z","behaviors":[{"time":"2024-01-01T08:00:00Z","device":"Light","action":"Light:on"},{"time":"2024-01-01T08:01:00Z","device":"Light","action":"Light:off"}]}
{"epoch":1,"diff":1,"home":"a","start":"2024-01-01T08:00:00Z","end":"2024-01-01T08:00:00Z","behaviors":[{"time":"2024-01-01T08:00:00Z","device":"Light","action":"Light:on"}]}
{"epoch":1,"diff":1,"home":"b","start":"2024-01-01T08:00:00Z","end":"2024-01-01T08:00:00Z","behaviors":[{"time":"2024-01-01T08:00:00Z","device":"Fan","action":"Fan:on"}]}
"#;
const TRANSITIONS: &str = r#"{"epoch":0,"diff":3,"home":"a","from":"Light:on","to":"Light:off"}
{"epoch":1,"diff":-1,"home":"a","from":"Light:on","to":"Light:off"}
{"epoch":1,"diff":1,"home":"a","from":"Light:off","to":"Light:\"on\""}
"#;

fn told(show: impl FnOnce(&mut Vec<u8>) -> anyhow::Result<()>) -> Result<String, String> {
    let mut out = Vec::new();
    match show(&mut out) {
        Ok(()) => Ok(String::from_utf8(out).unwrap()),
        Err(error) => Err(format!("{error:#}")),
    }
}

#[test]
fn the_table_holds_net_counts() {
    let dir = folder(&[
        (Stream::Segments, SEGMENTS),
        (Stream::Transitions, TRANSITIONS),
    ]);
    let text = told(|out| table::show(out, dir.path(), 200)).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[1][..4], ["a", "1", "1", "3"], "{text}");
    assert_eq!(rows[2][..4], ["b", "1", "1", "0"], "{text}");
    assert_eq!(rows[3][..4], ["total", "2", "2", "3"], "{text}");
}

#[test]
fn a_home_shows_what_holds() {
    let dir = folder(&[
        (Stream::Segments, SEGMENTS),
        (Stream::Transitions, TRANSITIONS),
    ]);
    let text = told(|out| home::show(out, dir.path(), "a", &[], 1)).unwrap();
    assert!(
        text.contains("segments: 1\n  2024-01-01T08:00:00+00:00  Light:on\n"),
        "{text}"
    );
    assert!(
        text.contains("transitions: 3 (the most frequent 1 of 2; --limit shows more)\n"),
        "{text}"
    );
    assert!(text.contains("  2  Light:on → Light:off\n"), "{text}");
    let text = told(|out| home::show(out, dir.path(), "a", &[Part::Graph], 10)).unwrap();
    assert!(!text.contains("segments"), "{text}");
    let error = told(|out| home::show(out, dir.path(), "ab", &[], 1)).unwrap_err();
    assert!(error.contains("no home `ab`; did you mean `a`?"), "{error}");
}

#[test]
fn graphviz_names_are_escaped_and_widths_follow_counts() {
    let dir = folder(&[
        (Stream::Segments, SEGMENTS),
        (Stream::Transitions, TRANSITIONS),
    ]);
    let transitions = home::transitions(dir.path(), "a").unwrap();
    let text = told(|out| Ok(graph::write(out, "a \"b\"", &transitions)?)).unwrap();
    assert!(text.starts_with("digraph \"a \\\"b\\\"\" {\n"), "{text}");
    assert!(
        text.contains("\"Light:on\" -> \"Light:off\" [label=\"2\", penwidth=5.00];"),
        "{text}"
    );
    assert!(
        text.contains("\"Light:off\" -> \"Light:\\\"on\\\"\" [label=\"1\", penwidth=2.75];"),
        "{text}"
    );
}

#[test]
fn a_count_below_zero_is_told() {
    let below = r#"{"epoch":0,"diff":-1,"home":"a","from":"Light:on","to":"Light:off"}"#;
    let dir = folder(&[(Stream::Segments, SEGMENTS), (Stream::Transitions, below)]);
    for error in [
        told(|out| table::show(out, dir.path(), 200)).unwrap_err(),
        told(|out| home::show(out, dir.path(), "a", &[], 1)).unwrap_err(),
    ] {
        assert!(
            error.contains("transitions.jsonl") && error.contains("sum to -1, below zero"),
            "{error}"
        );
    }
}

#[test]
fn a_terminal_sees_no_control_characters() {
    let verdict = r#"{"epoch":0,"request":"a/0/Mon/0","home":"a","position":0,"sequence":[{"weekday":"\u001b[2J","hours":"","device":"","action":""}],"verdict":"delete","stage":0,"loss":null,"bound":null,"baseline":null,"trial":null,"reason":"x"}"#;
    let dir = folder(&[(Stream::Segments, SEGMENTS), (Stream::Verdicts, verdict)]);
    let text = told(|out| home::show(out, dir.path(), "a", &[Part::Verdicts], 10)).unwrap();
    assert!(text.contains("delete a/0/Mon/0#0, x: ·[2J"), "{text}");
    assert!(text.contains("        1  delete at stage 0\n"), "{text}");
}

#[test]
fn damage_is_told_with_its_line() {
    let dir = folder(&[(Stream::Segments, &format!("{SEGMENTS}{{\"home\":"))]);
    let error = told(|out| table::show(out, dir.path(), 200)).unwrap_err();
    assert!(error.contains("segments.jsonl:5: not a line"), "{error}");
}

#[test]
fn only_an_output_folder_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let error = crate::outputs::read::check(dir.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no output folder of hearth replay"),
        "{error}"
    );
    assert!(crate::outputs::read::check(Path::new("/no/such/folder")).is_err());
}
