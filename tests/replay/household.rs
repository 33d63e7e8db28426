//! A log with everything in it, and its first replay, which several tests look at.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::program::{Folder, hearth, write};

/// Lines that are ingested as one epoch.
pub const EPOCH: usize = 100;

/// Lines that are no events; one of them stands after every 300 that are.
const BAD: [&str; 3] = [
    "this is no event",
    r#"{"home":"h-1","time":"2025-01-08T08:00:00+00:00","device":"Gramophone","action":"play"}"#,
    r#"{"home":"h-1","time":"2025-02-31T08:00:00Z","device":"Kettle","action":"switch on"}"#,
];

/// The folder with `events.jsonl`, `contexts.jsonl`, `catalog.json` and `truth.jsonl`.
pub fn dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replay");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let disorder = "--late 0.05 --late-by 60h --duplicates 0.03 --reorder 0.1 --anomalies 0.03";
        let simulate = format!("simulate --homes 3 --days 14 --seed 5 --ids {disorder} --out .");
        hearth(&dir, &simulate).fine();
        let events = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
        let mut log = String::new();
        for (number, line) in events.lines().enumerate() {
            log.extend([line, "\n"]);
            if number % 300 == 150 {
                log.extend([BAD[number / 300 % BAD.len()], "\n", " \n"]);
            }
        }
        write(&dir, "events.jsonl", log);
        dir
    })
}

/// Replays the log into the folder `out`, with these options beside those that keep it short.
pub fn replay(out: &str, options: &str) -> Folder {
    replay_log("events.jsonl", out, options)
}

/// The same with another file of the same events.
pub fn replay_log(log: &str, out: &str, options: &str) -> Folder {
    let files = format!("{log} --contexts contexts.jsonl --catalog catalog.json");
    let short = "--warm-up 100 --warm-up-span 1d --max-gap 2h";
    let command = format!("replay {files} --out {out} {short} --epoch-events {EPOCH} {options}");
    hearth(dir(), &command).fine();
    Folder(dir().join(out))
}

/// The replay with one worker and one thread.
pub fn first() -> &'static Folder {
    static FIRST: OnceLock<Folder> = OnceLock::new();
    FIRST.get_or_init(|| replay("first", "--workers 1 --threads 1"))
}
