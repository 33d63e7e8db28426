//! Output folders with files of bytes that nobody meant, to be merged.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::merge;
use crate::fuzz::{fuzz, reasons};
use crate::outputs::Stream;

/// What stands before each file of an input: `=== FOLDER NAME`.
const HEAD: &[u8] = b"=== ";

/// The file of this name, if the merge reads it.
fn file(name: &str) -> Option<String> {
    match name {
        "part" => Some(".hearth.part".to_owned()),
        "summary" => Some("summary.json".to_owned()),
        stream => {
            let known = Stream::ALL.iter().any(|known| known.name() == stream);
            known.then(|| format!("{stream}.jsonl"))
        }
    }
}

/// The parts of an input that have a place in the folders.
fn files<'a>(dirs: &[PathBuf], bytes: &'a [u8]) -> Vec<(PathBuf, &'a [u8])> {
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(HEAD) && (*at == 0 || bytes[*at - 1] == b'\n'))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    let part = |(start, end): (&usize, usize)| {
        let text = &bytes[start + HEAD.len()..end];
        let line = text.iter().position(|byte| *byte == b'\n')?;
        let (folder, name) = std::str::from_utf8(&text[..line]).ok()?.split_once(' ')?;
        let dir = dirs.get(folder.parse::<usize>().ok()?)?;
        Some((dir.join(file(name)?), &text[line + 1..]))
    };
    starts.iter().zip(ends).filter_map(part).collect()
}

/// What a run of two processes left, that had a third one earlier.
fn seed() -> String {
    let resting = json!({"2": {"segments": {"packed": false, "file": 24, "lines": 24}}});
    let mut seed = String::new();
    for process in 0..2 {
        let part = json!({"process": process, "processes": 2, "of": "7", "resting": resting});
        let summary = json!({
            "version": "1", "workers": 1, "events": {"in": 3, "applied": 2, "late": 1}, "homes": 1, "segments": 2,
            "seconds": 1.5, "notes": ["one"], "part": part,
        });
        seed += &format!("=== {process} part\n{part}\n=== {process} summary\n{summary}\n");
        for stream in ["segments", "alarms"] {
            let home = format!("h-{process}");
            seed += &format!("=== {process} {stream}\n");
            seed += &format!(
                "{{\"epoch\":0,\"home\":\"{home}\"}}\n{{\"epoch\":{},\"home\":\"{home}\"}}\n",
                process + 3
            );
        }
        seed += &format!("=== {process} late\n{{\"file\":\"a\",\"line\":4}}\n");
    }
    let part = json!({"process": 2, "processes": 3, "of": "7"});
    seed + &format!(
        "=== 2 part\n{part}\n=== 2 segments\n{{\"epoch\":1,\"home\":\"h-2\"}}\n{{\"epoch\":7}}\n"
    )
}

#[test]
fn merged_folders() {
    let folder = tempfile::tempdir().unwrap();
    let dirs = [0, 1, 2].map(|process| folder.path().join(format!("part-{process}")));
    for dir in &dirs {
        fs::create_dir(dir).unwrap();
        for stream in Stream::ALL {
            fs::write(stream.path(dir), "").unwrap();
        }
    }
    let out = folder.path().join("whole");
    let alarms = |dir: &Path| {
        let bytes = fs::read(Stream::Alarms.path(dir)).unwrap();
        bytes.iter().filter(|byte| **byte == b'\n').count()
    };
    let words = [
        "\n=== 1 alarms\n",
        "{\"epoch\":0}\n",
        "\"resting\":{}",
        "\"in\":",
        "\"undone\":",
    ];
    fuzz(&[seed().as_bytes()], &words, |bytes| {
        let files = files(&dirs, bytes);
        for (path, text) in &files {
            fs::write(path, text).unwrap();
        }
        let account = match merge(&dirs, &out, &dirs) {
            Ok(whole) => {
                assert!(whole.get("part").is_none());
                // Of a folder that rests there may be less.
                let all: usize = dirs.iter().map(|dir| alarms(dir)).sum();
                assert!(alarms(&out) <= all);
                String::new()
            }
            Err(error) => reasons([format!("{error:#}").as_str()]),
        };
        for (path, _) in &files {
            match path.extension().is_some_and(|of| of == "jsonl") {
                true => fs::write(path, "").unwrap(),
                // It may have been given twice.
                false => drop(fs::remove_file(path)),
            }
        }
        account
    });
}
