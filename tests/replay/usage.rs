//! What cannot work is refused before any work: code 2, one sentence, no output.

use super::program::{hearth, write};

#[test]
fn what_cannot_work_is_refused_before_any_work() {
    let dir = tempfile::tempdir().unwrap();
    let event = r#"{"home":"h","time":"2025-06-02T08:00:00Z","device":"Light","action":"on"}"#;
    write(dir.path(), "log.jsonl", event);
    write(dir.path(), "log.avro", event);
    write(dir.path(), "header.csv", "when,where\n1,2\n");
    write(dir.path(), "catalog.json", "{\"devices\":[{\"name\":1}]}");
    write(
        dir.path(),
        "house.toml",
        "lateness = \"2h\"\nepoch_event = 5\n",
    );
    write(dir.path(), "file", "");
    write(dir.path(), "hosts", "127.0.0.1:9\n127.0.0.1:10\n");
    for (arguments, said) in [
        ("none.jsonl --out out", "cannot read the log none.jsonl"),
        (
            "log.jsonl none.jsonl --out out",
            "cannot read the log none.jsonl",
        ),
        (
            "none.jsonl --out out --hosts hosts --process 0",
            "cannot read the log none.jsonl: No such file",
        ),
        ("log.avro --out out", "cannot tell the format of `log.avro`"),
        ("header.csv --out out", "header.csv:1"),
        ("- - --out out", "twice"),
        (
            "log.jsonl --contexts none --out out",
            "cannot read the contexts none",
        ),
        (
            "log.jsonl --catalog catalog.json --out out",
            "catalog.json:1: this is no catalog",
        ),
        (
            "log.jsonl --config house.toml --out out",
            "house.toml:2: unknown key `epoch_event`",
        ),
        ("log.jsonl --out file", "cannot create file"),
        ("log.jsonl --out file/out", "cannot create file/out"),
        ("log.jsonl --out .", "holds no earlier output"),
        ("log.jsonl --lateness soon --out out", "no duration"),
        ("log.jsonl --workers 0 --out out", "--workers"),
        ("log.jsonl --frobnicate --out out", "--frobnicate"),
    ] {
        let before = names(dir.path());
        let ended = hearth(dir.path(), &format!("replay {arguments}"));
        let told = &ended.stderr;
        assert_eq!(ended.code, Some(2), "{arguments}: {told}");
        assert!(told.contains(said), "{arguments}: {told}");
        if let Some(sentence) = told.strip_prefix("hearth: ") {
            assert_eq!(sentence.lines().count(), 1, "{arguments}: {told}");
        } else {
            assert!(told.starts_with("error: "), "{arguments}: {told}");
        }
        assert_eq!(ended.stdout, "", "{arguments}");
        assert_eq!(names(dir.path()), before, "{arguments} left something");
    }
}

/// Else a service that is started again for whatever else went wrong would be so for ever.
#[test]
fn what_a_live_run_cannot_connect_with_is_refused_before_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "file", "x");
    write(dir.path(), "log.jsonl.gz", "");
    for (arguments, said) in [
        ("--webhook http://127.0.0.1:9/x", "--webhook-secret-file"),
        ("--webhook-secret-file file", "no --webhook "),
        ("--home-assistant ws://h", "--home-assistant-token-file"),
        (
            "--home-assistant ws://h --home-assistant-token-file none",
            "cannot read the token file none",
        ),
        ("--home-assistant-token-file file", "no --home-assistant "),
        (
            "--mqtt mqtt://127.0.0.1:9 --mqtt-password-file file",
            "--mqtt-user",
        ),
        ("--mqtt-in events:x", "--mqtt-in is given, but no --mqtt "),
        ("--mqtt-user me", "--mqtt-user is given, but no --mqtt "),
        ("--kafka-user me", "no --kafka-in or --kafka-out "),
        (
            "--kafka-out kafka://127.0.0.1:9/x.{stream} --kafka-user me",
            "belong together",
        ),
        ("--kafka-out kafka://127.0.0.1:9/x", "would mix the streams"),
        ("--parquet file", "cannot write into file"),
        ("log.jsonl.gz", "log.jsonl.gz is packed"),
        ("-", "hearth replay -"),
        ("--state file/state", "file/state"),
        (
            "--state /proc/hearth",
            "--state must name a place that can be written",
        ),
    ] {
        let ended = hearth(
            dir.path(),
            &format!("run --out out --listen 127.0.0.1:0 {arguments}"),
        );
        let told = &ended.stderr;
        assert_eq!(ended.code, Some(2), "{arguments}: {told}");
        assert!(told.contains(said), "{arguments}: {told}");
        if !arguments.starts_with("--state") {
            assert!(!told.contains("the page is at"), "{arguments}: {told}");
        }
    }
}

/// What cannot be written is found out before anything else is.
#[cfg(target_os = "linux")]
#[test]
fn a_state_that_cannot_be_written_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let event = r#"{"home":"h","time":"2025-06-02T08:00:00Z","device":"Light","action":"on"}"#;
    write(dir.path(), "log.jsonl", event);
    let ended = hearth(
        dir.path(),
        "replay log.jsonl --out out --state /proc/hearth",
    );
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("os error"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("damaged"), "{}", ended.stderr);
}

fn names(dir: &std::path::Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}
