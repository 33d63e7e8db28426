//! What a run keeps to go on from: looked at, made one, in another place, and of an older version.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::household::{EPOCH, dir, first};
use super::program::{Folder, STREAMS, end, hearth, same_lines, start};

fn command(out: &str, options: &str) -> String {
    format!(
        "replay events.jsonl --contexts contexts.jsonl --catalog catalog.json --out {out} --warm-up 100 --warm-up-span 1d \
         --max-gap 2h --epoch-events {EPOCH} --threads 1 --checkpoint-every 1ms {options}"
    )
}

/// Kills runs, each later than the one before, until one leaves several cuts; what `hearth state show` says of them.
fn kept(out: &str, place: &str, options: &str) -> Value {
    let _ = std::fs::remove_dir_all(dir().join(out));
    let soon = Duration::from_millis(40);
    let mut wait = soon;
    for _ in 0..300 {
        let mut child = start(dir(), &command(out, &format!("{options} --fresh")));
        drop(child.stdin.take());
        std::thread::sleep(wait);
        let _ = child.kill();
        end(child);
        let shown = hearth(dir(), &format!("state show {place} --json"));
        if shown.code == Some(0) {
            let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
            if shown["cuts"].as_array().unwrap().len() > 1 {
                return shown;
            }
        }
        // One that came to its end was killed too late.
        let late = dir().join(out).join("summary.json").exists();
        wait = if late { soon } else { wait + wait / 5 };
    }
    panic!("nothing is ever kept");
}

/// A part that the newest cut rests on.
fn part(shown: &Value) -> PathBuf {
    let newest = shown["cuts"].as_array().unwrap().last().unwrap();
    let part = newest["parts"][0]["part"].as_str().unwrap();
    Path::new(shown["place"].as_str().unwrap()).join(part)
}

#[test]
fn checkpoints_are_shown_verified_and_made_one() {
    let shown = kept("looked-at", "looked-at", "");
    let operators = shown["operators"].as_array().unwrap();
    let split = operators
        .iter()
        .find(|of| of["operator"] == "split")
        .unwrap();
    assert!(
        (1..=3).contains(&split["homes"].as_u64().unwrap()),
        "{shown}"
    );
    let text = hearth(dir(), "state show looked-at/state").fine().stdout;
    assert!(text.contains("cut-0") && text.contains("split"), "{text}");
    let sound = hearth(dir(), "state verify looked-at").fine().stdout;
    assert!(sound.contains("sound: cuts"), "{sound}");

    let path = dir().join(part(&shown));
    let bytes = std::fs::read(&path).unwrap();
    for at in [0, 9, bytes.len() / 3, bytes.len() - 20, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        let verified = hearth(dir(), "state verify looked-at --json");
        assert_eq!(verified.code, Some(1), "{}", verified.stderr);
        let said: Value = serde_json::from_str(&verified.stdout).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            said["damaged"][0]["path"].as_str().unwrap().ends_with(name),
            "{said}"
        );
    }
    std::fs::write(&path, bytes).unwrap();

    hearth(dir(), "state compact looked-at").fine();
    let shown = hearth(dir(), "state show looked-at --json").fine().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["cuts"].as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(
        shown["cuts"][0]["parts"].as_array().unwrap().len(),
        1,
        "{shown}"
    );
    hearth(dir(), "state verify looked-at").fine();
    let ended = hearth(dir(), &command("looked-at", "--workers 2")).fine();
    assert!(
        ended.stderr.contains("goes on at epoch"),
        "{}",
        ended.stderr
    );
    same_lines(first(), &Folder(dir().join("looked-at")), &STREAMS);
    // A complete run keeps one, if any, for a log that grows.
    let left = hearth(dir(), "state show looked-at --json");
    if left.code == Some(0) {
        let left: Value = serde_json::from_str(&left.stdout).unwrap();
        assert_eq!(left["cuts"].as_array().unwrap().len(), 1, "{left}");
    }
}

#[test]
fn checkpoints_lie_in_another_folder() {
    let place = "elsewhere/of/mine";
    let options = format!("--state {place}");
    kept("apart", place, &options);
    assert!(!dir().join("apart/state").exists());
    // What is not Hearth's stays there.
    std::fs::write(dir().join(place).join("mine"), "my own").unwrap();
    let ended = hearth(dir(), &command("apart", &options)).fine();
    assert!(
        ended.stderr.contains("goes on at epoch"),
        "{}",
        ended.stderr
    );
    same_lines(first(), &Folder(dir().join("apart")), &STREAMS);
    let left = std::fs::read_dir(dir().join(place)).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let (own, cuts): (Vec<_>, Vec<_>) = left
        .filter(|name| !name.starts_with("part-"))
        .partition(|name| !name.starts_with("cut-"));
    assert_eq!(own, ["mine"]);
    assert!(cuts.len() <= 1, "{cuts:?}");
    // What is erased is nowhere gone on with; the folder knows where it would be.
    kept("apart", place, &options);
    hearth(dir(), "erase apart --home h-2").fine();
    let left = std::fs::read_dir(dir().join(place)).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["mine"]);
}
