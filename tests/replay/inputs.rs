//! Inputs as users have them, and runs that come to nothing: said, and never with exit code 0.

use std::path::Path;

use super::program::{Ended, Folder, HARDLY_TRAINED, hearth, write};

/// An event of the home `x` so many minutes after a midnight.
fn event(minute: u32, action: &str) -> String {
    let (day, hour, minute) = (1 + minute / 1440, minute / 60 % 24, minute % 60);
    let time = format!("2025-03-{day:02}T{hour:02}:{minute:02}:00Z");
    format!(r#"{{"home":"x","time":"{time}","device":"lamp","action":"{action}"}}"#)
}

fn replay(dir: &Path, rest: &str) -> Ended {
    hearth(
        dir,
        &format!("replay {rest} --out out {HARDLY_TRAINED} --synthesizer none"),
    )
}

/// Insists that a run came to nothing, for this reason.
fn fails(ended: &Ended, reason: &str) {
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains(reason), "{}", ended.stderr);
}

#[test]
fn a_log_of_no_event_at_all_has_failed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "log.jsonl", "{\"house\":1}\nnonsense\n");
    let ended = replay(dir.path(), "log.jsonl");
    fails(
        &ended,
        "none of the 2 lines is an event; the first: log.jsonl:1: field `home` is missing",
    );
}

#[test]
fn shifts_of_which_none_is_of_a_home_of_the_log_have_failed() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..9).map(|hour| event(hour * 60, "on")).collect();
    write(dir.path(), "log.jsonl", lines.join("\n"));
    let shift =
        r#"{"home":"X 1","time":"2025-03-01","kind":"season","from":"winter","to":"spring"}"#;
    write(dir.path(), "contexts.jsonl", shift);
    let ended = replay(dir.path(), "log.jsonl --contexts contexts.jsonl");
    fails(&ended, "no declared shift is of a home that the log has");
    assert!(ended.stdout.contains("`X 1`"), "{}", ended.stdout);
}

#[test]
fn a_log_of_which_nothing_is_scored_has_failed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "log.jsonl", event(0, "on"));
    let command = "replay log.jsonl --out out --preset paper --synthesizer none";
    fails(
        &hearth(dir.path(), command),
        "nothing was scored: the log has fewer behaviours than",
    );
}

#[test]
fn a_log_that_is_newest_first_has_failed_and_is_sorted() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..60).rev().map(|hour| event(hour * 300, "on")).collect();
    write(dir.path(), "log.jsonl", lines.join("\n"));
    let ended = replay(dir.path(), "log.jsonl --epoch-events 5");
    fails(&ended, "hearth pack LOG --sort --out sorted.hlog");
    assert!(ended.stdout.contains("events are late"), "{}", ended.stdout);
    hearth(dir.path(), "pack log.jsonl --sort --out sorted.hlog").fine();
    replay(dir.path(), "sorted.hlog --epoch-events 5").fine();
    let output = Folder(dir.path().join("out"));
    assert_eq!(output.accounting(), [60, 60, 0, 0, 0]);
}

/// A lamp that says every minute how it is.
#[test]
fn states_that_are_reported_again_and_again_are_noted_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let state = |n: u32| {
        if (n / 10).is_multiple_of(2) {
            "on"
        } else {
            "off"
        }
    };
    let lines: Vec<String> = (0..60).map(|n| event(n, state(n))).collect();
    write(dir.path(), "log.jsonl", lines.join("\n"));
    let ended = replay(dir.path(), "log.jsonl");
    let note = "54 of the first 60 events of devices that do several things say what their device said last";
    assert!(ended.fine().stdout.contains(note));
    hearth(dir.path(), "pack log.jsonl --changes --out changes.hlog").fine();
    let ended = replay(dir.path(), "changes.hlog --fresh");
    assert!(!ended.fine().stdout.contains("said last"));
    assert_eq!(Folder(dir.path().join("out")).accounting(), [6, 6, 0, 0, 0]);
}

#[test]
fn measured_values_are_no_actions() {
    let dir = tempfile::tempdir().unwrap();
    let mut lines: Vec<String> = (0..40).map(|n| event(n * 7, "on")).collect();
    for n in 0..40 {
        let value = format!("{}.5 \u{b0}C", n);
        lines.push(event(n * 7 + 1, &value).replace("lamp", "thermometer"));
        lines.push(event(n * 7 + 2, &(n % 4).to_string()).replace("lamp", "fan"));
    }
    lines.sort_by_key(|line| line[19..40].to_owned());
    write(dir.path(), "log.jsonl", lines.join("\n"));
    let ended = replay(dir.path(), "log.jsonl").fine();
    assert!(
        ended.stdout.contains("(`thermometer` of `x`)"),
        "{}",
        ended.stdout
    );
    let output = Folder(dir.path().join("out"));
    assert_eq!(output.accounting(), [120, 80, 0, 0, 40]);
    let (_, reason) = &output.refused("rejected")[0];
    assert!(reason.contains("is a measured value"), "{reason}");
}

#[test]
fn folders_and_partitions_are_logs() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.jsonl", event(0, "on"));
    for home in ["a", "b"] {
        let folder = dir.path().join(format!("lake/home={home}"));
        std::fs::create_dir_all(&folder).unwrap();
        write(
            &folder,
            "1.csv",
            "time,action\n2025-03-01T08:00:00Z,lamp:on\n2025-03-01T08:10:00Z,lamp:off\n",
        );
    }
    replay(dir.path(), "lake a.jsonl").fine();
    let output = Folder(dir.path().join("out"));
    assert_eq!(output.accounting(), [5, 5, 0, 0, 0]);
    assert_eq!(output.summary()["homes"], 3);
    // The same command once more: the folder that it left is none of its logs.
    let ended = replay(dir.path(), ".");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(output.accounting(), [5, 5, 0, 0, 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_without_a_catalog_is_read_twice() {
    let dir = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(dir.path().join("pipe"))
        .status();
    assert!(made.unwrap().success());
    let pipe = dir.path().join("pipe");
    let writer = std::thread::spawn(move || std::fs::write(pipe, event(0, "on")));
    replay(dir.path(), "pipe").fine();
    writer.join().unwrap().unwrap();
    let output = Folder(dir.path().join("out"));
    assert_eq!(output.accounting(), [1, 1, 0, 0, 0]);
}

/// Standard output that is full is no reason to panic.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_told() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "log.jsonl", event(0, "on"));
    for arguments in [
        "replay log.jsonl --out out --synthesizer none",
        "pack log.jsonl --out log.hlog",
        "show out",
        "config",
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_hearth"))
            .current_dir(dir.path())
            .args(arguments.split(' '))
            .stdout(full.unwrap())
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments}: {told}");
        assert!(told.contains("No space left"), "{arguments}: {told}");
        assert!(!told.contains("panicked"), "{arguments}: {told}");
    }
}
