//! Checkpoints that older versions wrote are read for ever.
//!
//! A folder of `tests/checkpoints/` is named by the form of its files. It holds an input, what a run that was killed on the way left
//! of it in `out/`, and what an undisturbed run gave, in `expected/`. A new form gets a folder of its own:
//! `HEARTH_UPDATE_CHECKPOINTS=v2 cargo test --release --test checkpoints` makes it. Those that are there stay as they are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Makes that folder.
const UPDATE: &str = "HEARTH_UPDATE_CHECKPOINTS";

/// What follows from the log alone, whatever models say.
const STREAMS: [&str; 4] = ["segments", "transitions", "late", "rejected"];

const OPTIONS: &str = "replay events.jsonl --contexts contexts.jsonl --catalog catalog.json --warm-up 40 --warm-up-span 1d \
                       --max-gap 2h --lateness 12h --epoch-events 30 --threads 1 --output-packing none";

fn hearth(dir: &Path, out: &str, options: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HEARTH_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(dir)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped());
    command
        .args(OPTIONS.split_whitespace())
        .args(["--out", out])
        .args(options.split_whitespace());
    command
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(std::fs::copy(&path, target).unwrap()),
        }
    }
}

fn sorted(folder: &Path, stream: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(format!("{stream}.jsonl"))).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn counted(folder: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(folder.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    summary["events"].clone()
}

/// Of every version there has been.
#[test]
fn what_older_versions_kept_is_gone_on_from() {
    let all = Path::new("tests/checkpoints");
    if let Ok(name) = std::env::var(UPDATE) {
        make(&all.join(name));
    }
    let mut folders: Vec<PathBuf> = std::fs::read_dir(all)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    assert!(!folders.is_empty());
    for folder in folders {
        for workers in ["1", "3"] {
            let dir = tempfile::tempdir().unwrap();
            copy(&folder, dir.path());
            let ended = hearth(dir.path(), "out", &format!("--workers {workers}"))
                .output()
                .unwrap();
            let said = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(ended.status.code(), Some(0), "{}: {said}", folder.display());
            assert!(
                said.contains("goes on at epoch"),
                "{}: {said}",
                folder.display()
            );
            let (out, expected) = (dir.path().join("out"), folder.join("expected"));
            for stream in STREAMS {
                assert_eq!(
                    sorted(&out, stream),
                    sorted(&expected, stream),
                    "{}: {stream}",
                    folder.display()
                );
            }
            assert_eq!(counted(&out), counted(&expected), "{}", folder.display());
        }
    }
}

/// What `hearth state show` says.
fn shown(out: &Path) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    let shown = command.args(["state", "show", "--json"]).arg(out).output();
    serde_json::from_slice(&shown.unwrap().stdout).unwrap_or_default()
}

/// Kills runs as soon as they have kept something, until a cut in the midst of the log rests on what an earlier one wrote.
fn make(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let simulated = Command::new(env!("CARGO_BIN_EXE_hearth"))
        .args("simulate --homes 2 --days 4 --seed 11 --late 0.05 --late-by 20h --duplicates 0.03 --out".split(' '))
        .arg(folder)
        .status();
    assert!(simulated.unwrap().success());
    let out = folder.join("out");
    let lines = std::fs::read_to_string(folder.join("events.jsonl"))
        .unwrap()
        .lines()
        .count();
    let mut fresh = "--fresh";
    for attempt in 0.. {
        assert!(attempt < 1000, "no cut is as it should be");
        let before = shown(&out)["cuts"].clone();
        let mut run = hearth(folder, "out", &format!("{fresh} --checkpoint-every 1ms"))
            .spawn()
            .unwrap();
        while shown(&out)["cuts"] == before && run.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = run.kill();
        run.wait().unwrap();
        let shown = shown(&out);
        let newest = shown["cuts"].as_array().and_then(|cuts| cuts.last());
        let parts = newest
            .and_then(|cut| cut["parts"].as_array())
            .map_or(0, Vec::len);
        let reached = newest
            .and_then(|cut| cut["lines"].as_u64())
            .unwrap_or(u64::MAX);
        let early = reached < lines as u64;
        if early && parts > 1 {
            break;
        }
        fresh = if early { "" } else { "--fresh" };
    }
    let _ = std::fs::remove_file(out.join(".hearth.lock"));
    let whole = hearth(folder, "whole", "--checkpoint-every off").status();
    assert!(whole.unwrap().success());
    let (whole, expected) = (folder.join("whole"), folder.join("expected"));
    std::fs::create_dir_all(&expected).unwrap();
    for name in STREAMS.map(|stream| format!("{stream}.jsonl")) {
        std::fs::copy(whole.join(&name), expected.join(&name)).unwrap();
    }
    let counts = serde_json::json!({ "events": counted(&whole) });
    std::fs::write(expected.join("summary.json"), format!("{counts}\n")).unwrap();
    std::fs::remove_dir_all(whole).unwrap();
    std::fs::remove_file(folder.join("truth.jsonl")).unwrap();
}
