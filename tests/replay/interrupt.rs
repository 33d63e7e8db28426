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

/// Waits until a run is under way.
fn begun(out: &Path) {
    let began = Instant::now();
    let grown = |path: &Path| std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
    while !grown(&out.join("rejected.jsonl")) {
        assert!(began.elapsed() < PATIENCE, "the run does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, name: &str) {
    let mut kill = Command::new("kill");
    let sent = kill.args([name, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Presses Ctrl-C once the run is under way.
fn interrupt(child: &Child, out: &Path) {
    begun(out);
    signal(child, "-INT");
}

/// Waits for the end of a run whose standard input stays open.
fn ends_without_input(mut child: Child) -> Ended {
    let input = child.stdin.take();
    let ended = ends(child);
    drop(input);
    ended
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

/// What is left of a run that was to compact its outputs is whole, to be gone on with.
#[test]
fn a_run_that_compacts_goes_on_after_its_interruption() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, "simulate --homes 5 --days 20 --seed 3 --out sim").fine();
    write(dir, "rubbish.jsonl", rubbish());
    let files = "rubbish.jsonl sim/events.jsonl --contexts sim/contexts.jsonl";
    let replay = format!(
        "replay {files} --catalog sim/catalog.json --warm-up 100 --warm-up-span 1d --compact --out"
    );
    let child = start(dir, &format!("{replay} out"));
    interrupt(&child, &dir.join("out"));
    stopped(&ends(child), &Folder(dir.join("out")));
    hearth(dir, &format!("{replay} out")).fine();
    hearth(dir, &format!("{replay} undisturbed")).fine();
    let [out, undisturbed] = ["out", "undisturbed"].map(|name| Folder(dir.join(name)));
    for stream in ["segments", "transitions", "scores", "alarms"] {
        let sorted = |folder: &Folder| {
            let mut lines = folder.lines(stream);
            lines.sort();
            lines
        };
        assert_eq!(sorted(&out), sorted(&undisturbed), "{stream}");
    }
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

#[test]
fn a_training_of_minutes_is_abandoned_and_the_summary_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, "simulate --homes 20 --days 30 --seed 3 --out sim").fine();
    write(dir, "rubbish.jsonl", rubbish());
    let files = "rubbish.jsonl sim/events.jsonl --contexts sim/contexts.jsonl";
    let options = "--catalog sim/catalog.json --preset paper --threads 1 --out out";
    let child = start(dir, &format!("replay {files} {options}"));
    begun(&dir.join("out"));
    // The log is read soon, and the first models of all homes are being trained.
    std::thread::sleep(Duration::from_secs(5));
    let asked = Instant::now();
    signal(&child, "-TERM");
    let ended = ends(child);
    let took = asked.elapsed();
    let output = Folder(dir.join("out"));
    stopped(&ended, &output);
    assert!(took < Duration::from_secs(2), "{took:?}");
    let undone = &output.summary()["undone"];
    assert_eq!(undone["jobs"]["foundation"], 1, "{undone}");
    assert_eq!(undone["lines"], 0, "{undone}");
    assert!(
        ended.stdout.contains("1 trainings dropped"),
        "{}",
        ended.stdout
    );
    // The log has ended; what is waited for is what the next run goes on with.
    let child = start(dir, &format!("replay {files} {options}"));
    std::thread::sleep(Duration::from_secs(3));
    signal(&child, "-TERM");
    let ended = ends(child);
    assert!(
        ended.stderr.contains("100 % of the input"),
        "{}",
        ended.stderr
    );
    stopped(&ended, &output);
    assert_eq!(output.summary()["undone"]["jobs"]["foundation"], 1);
}

#[test]
fn what_has_nothing_to_bring_to_an_end_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing ever comes, so the log is never open.
    let child = start(dir.path(), "replay - --out out");
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "-INT");
    let ended = ends_without_input(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(!dir.path().join("out").exists());
}

#[test]
fn a_quiet_house_closes_epochs_too() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let catalog = r#"{"devices":[{"name":"Light","actions":[{"name":"on"}]}]}"#;
    write(dir, "catalog.json", catalog);
    let options = "--catalog catalog.json --epoch-interval 1s --synthesizer none --out out";
    let mut child = start(dir, &format!("replay - {options}"));
    let mut input = child.stdin.take().unwrap();
    // Ten events a second, far fewer than fill an epoch; each lies so long after the one before that it closes a segment.
    for n in 0..30 {
        let (day, hour) = (1 + n / 2, n % 2 * 12);
        let event = format!(
            "{{\"home\":\"h\",\"time\":\"2024-01-{day:02}T{hour:02}:00:00Z\",\"device\":\"Light\",\"action\":\"on\"}}"
        );
        writeln!(input, "{event}").unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(input);
    end(child).fine();
    let segments = Folder(dir.join("out")).values("segments");
    assert_eq!(segments.len(), 30);
    let epochs: std::collections::BTreeSet<u64> = segments
        .iter()
        .map(|segment| segment["epoch"].as_u64().unwrap())
        .collect();
    assert!(epochs.len() >= 3, "{epochs:?}");
}
