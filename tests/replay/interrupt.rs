//! Ctrl-C stops a run soon and cleanly: what is done is written, and the sums agree.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::program::{Ended, Folder, end, hearth, start, write};

/// Nothing here takes so long, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lines that are no events: `rejected.jsonl` grows with them and shows that the run is under way.
fn rubbish() -> String {
    "rubbish\n".repeat(100)
}

/// Presses Ctrl-C once the run is under way.
fn interrupt(child: &Child, out: &Path) {
    let began = Instant::now();
    let grown = |path: &Path| std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
    while !grown(&out.join("rejected.jsonl")) {
        assert!(began.elapsed() < PATIENCE, "the run does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut kill = Command::new("kill");
    let sent = kill.args(["-INT", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Waits for the end of a run, but not for ever.
fn ends(mut child: Child) -> Ended {
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the run does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    end(child)
}

/// Insists on a clean stop, and returns the accounting.
fn stopped(ended: &Ended, output: &Folder) -> [u64; 5] {
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("interrupted"), "{}", ended.stderr);
    assert_eq!(output.summary()["interrupted"], true);
    let numbers = output.accounting();
    let [read, applied, duplicate, late, rejected] = numbers;
    assert_eq!(read, applied + duplicate + late + rejected);
    assert_eq!(rejected, output.lines("rejected").len() as u64);
    assert_eq!(output.behaviors(), applied as i64);
    numbers
}

#[test]
fn a_run_that_trains_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, "simulate --homes 5 --days 20 --seed 3 --out sim").fine();
    let short = "--warm-up 100 --warm-up-span 1d";
    write(dir, "rubbish.jsonl", rubbish());
    let files = "rubbish.jsonl sim/events.jsonl --contexts sim/contexts.jsonl";
    let child = start(
        dir,
        &format!("replay {files} --catalog sim/catalog.json --out out {short}"),
    );
    interrupt(&child, &dir.join("out"));
    let output = Folder(dir.join("out"));
    let [read, ..] = stopped(&ends(child), &output);
    assert!(read >= 100, "{read}");
    // What is there can be looked at.
    hearth(dir, "show out").fine();
}

#[test]
fn a_run_that_waits_for_its_input_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, "simulate --homes 2 --days 3 --seed 3 --out sim").fine();
    let events = std::fs::read(dir.join("sim/events.jsonl")).unwrap();
    let files = "- --catalog sim/catalog.json --epoch-events 50";
    let mut child = start(dir, &format!("replay {files} --out out"));
    let mut input = child.stdin.take().unwrap();
    input.write_all(&events).unwrap();
    input.write_all(rubbish().as_bytes()).unwrap();
    input.flush().unwrap();
    interrupt(&child, &dir.join("out"));
    // The input is still open.
    let ended = ends(child);
    drop(input);
    let [read, applied, ..] = stopped(&ended, &Folder(dir.join("out")));
    assert!(read >= 50 && applied > 0, "{read} read, {applied} applied");
}
