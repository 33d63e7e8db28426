//! The output folder: one run at a time, no mixture of two runs, nothing outside it is touched.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::program::{Folder, HARDLY_TRAINED, STREAMS, end, hearth, start, write};

const CATALOG: &str =
    r#"{"devices":[{"name":"Light","actions":[{"name":"on"},{"name":"off","closes":["on"]}]}]}"#;

/// An event of `home`, and a line that is none.
fn log(home: &str) -> String {
    let event = r#""time":"2025-06-02T08:00:00Z","device":"Light","action":"on"}"#;
    format!("{{\"home\":\"{home}\",{event}\nrubbish of {home}\n")
}

/// A folder with logs of two homes, and the replay of the first in `out`.
fn replayed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "catalog.json", CATALOG);
    write(dir.path(), "one.jsonl", log("one"));
    write(dir.path(), "two.jsonl", log("two"));
    hearth(dir.path(), &replay("one.jsonl", "")).fine();
    dir
}

fn replay(log: &str, options: &str) -> String {
    format!("replay {log} --catalog catalog.json --out out {HARDLY_TRAINED} {options}")
}

/// Every file below a folder with its contents; links are not followed.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.symlink_metadata().unwrap().is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_second_run_into_the_same_folder_is_refused() {
    let dir = replayed();
    let dir = dir.path();
    let mut running = start(dir, &replay("-", ""));
    let mut input = running.stdin.take().unwrap();
    // Its format is known by its beginning.
    input.write_all(log("two").as_bytes()).unwrap();
    input.flush().unwrap();
    // The earlier output is gone before anything new is written, its summary with it.
    let began = Instant::now();
    while dir.join("out/summary.json").exists() {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "it does not begin"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let second = hearth(dir, &replay("one.jsonl", ""));
    assert_eq!(second.code, Some(2), "{}", second.stderr);
    let told = "another run writes into out";
    assert!(second.stderr.contains(told), "{}", second.stderr);

    drop(input);
    end(running).fine();
    let output = Folder(dir.join("out"));
    assert_eq!(output.accounting(), [2, 1, 0, 0, 1]);
    assert_eq!(output.lines("segments").len(), 1);
    // The first one's end frees the folder.
    hearth(dir, &replay("one.jsonl", "")).fine();
}

#[test]
fn a_run_that_is_refused_leaves_the_earlier_output_as_it_was() {
    let dir = replayed();
    let dir = dir.path();
    let before = contents(dir);
    write(dir, "file", "");
    // What is checked last: where answers are kept.
    let asking = "--synthesizer openai --llm-url http://127.0.0.1:9/v1 --llm-model m";
    let refused = hearth(
        dir,
        &replay("two.jsonl", &format!("{asking} --llm-cassette-dir file")),
    );
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    std::fs::remove_file(dir.join("file")).unwrap();
    assert_eq!(contents(dir), before);
}

#[test]
fn an_earlier_output_is_replaced_whole() {
    let dir = replayed();
    let dir = dir.path();
    let stale = dir.join("out/models/homes/one");
    std::fs::create_dir_all(&stale).unwrap();
    write(&stale, "detector-7.safetensors", "old");
    hearth(dir, &replay("two.jsonl", "")).fine();
    assert!(!stale.exists());
    let output = Folder(dir.join("out"));
    for stream in STREAMS {
        let lines = output.lines(stream).concat();
        assert!(!lines.contains("one"), "{stream}: {lines}");
    }
    assert!(output.lines("rejected").concat().contains("rubbish of two"));
}

#[test]
fn an_input_in_the_output_folder_is_refused() {
    let dir = replayed();
    let dir = dir.path();
    write(dir, "out/events.jsonl", log("three"));
    std::fs::create_dir(dir.join("out/deep")).unwrap();
    write(dir, "out/deep/contexts.jsonl", "");
    let before = contents(dir);
    for (files, named) in [
        ("out/events.jsonl", "out/events.jsonl"),
        ("one.jsonl out/rejected.jsonl", "out/rejected.jsonl"),
        ("out/../out/late.jsonl", "out/../out/late.jsonl"),
        (
            "one.jsonl --contexts out/deep/contexts.jsonl",
            "out/deep/contexts.jsonl",
        ),
    ] {
        let refused = hearth(dir, &replay(files, ""));
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        let told = format!("{named} lies in the output folder out");
        assert!(refused.stderr.contains(&told), "{}", refused.stderr);
        assert_eq!(contents(dir), before);
    }
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let dir = replayed();
    let dir = dir.path();
    // An input that only a link names lies where the link leads.
    symlink("out/rejected.jsonl", dir.join("link.jsonl")).unwrap();
    let refused = hearth(dir, &replay("link.jsonl", ""));
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    let told = "link.jsonl lies in the output folder out";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);

    write(dir, "precious.txt", "precious");
    std::fs::create_dir(dir.join("elsewhere")).unwrap();
    write(dir, "elsewhere/precious.txt", "precious");
    for name in ["segments.jsonl", "summary.json"] {
        std::fs::remove_file(dir.join("out").join(name)).unwrap();
        symlink("../precious.txt", dir.join("out").join(name)).unwrap();
    }
    std::fs::remove_dir_all(dir.join("out/models")).unwrap();
    symlink("../elsewhere", dir.join("out/models")).unwrap();
    hearth(dir, &replay("two.jsonl", "")).fine();
    assert_eq!(
        std::fs::read(dir.join("precious.txt")).unwrap(),
        b"precious"
    );
    assert_eq!(contents(&dir.join("elsewhere")).len(), 1);
    assert_eq!(Folder(dir.join("out")).lines("segments").len(), 1);
    assert!(
        dir.join("out/models/cohort/encoder-0.safetensors")
            .is_file()
    );
}
