//! A run that is killed goes on, and leaves what an undisturbed one does.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::household::{EPOCH, dir, first, replay};
use super::program::{Folder, STREAMS, end, hearth, same_lines, start};

/// The same run as [`first`], into another folder, keeping what it goes on from as often as it can.
pub fn command(out: &str, options: &str) -> String {
    format!(
        "replay events.jsonl --contexts contexts.jsonl --catalog catalog.json --out {out} --warm-up 100 --warm-up-span 1d \
         --max-gap 2h --epoch-events {EPOCH} --threads 1 --checkpoint-every 1ms {options}"
    )
}

/// How many real kills, and from which seed: `HEARTH_KILLS=1000 HEARTH_SEED=7 cargo test --release --test replay killed` for many others.
fn number(name: &str, usual: u64) -> u64 {
    let number = std::env::var(name).ok();
    number.map_or(usual, |number| number.parse().expect("it is a number"))
}

/// Numbers that look random, the same in each run of the test (splitmix64).
pub struct Random(pub u64);

impl Random {
    /// One below that.
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) % most
    }
}

/// SIGKILL at any moment, any number of workers afterwards: every stream and every count is that of the undisturbed run.
#[test]
fn a_killed_run_goes_on_as_if_nothing_had_happened() {
    let began = Instant::now();
    hearth(dir(), &command("unharmed", "")).fine();
    let whole = began.elapsed().as_micros() as u64;
    let mut random = Random(number("HEARTH_SEED", 2024));
    let (all, mut resumed) = (number("HEARTH_KILLS", 20), 0);
    let mut kills = all;
    while kills > 0 {
        let _ = std::fs::remove_dir_all(dir().join("killed"));
        loop {
            let workers = 1 + random.below(3);
            let mut child = start(dir(), &command("killed", &format!("--workers {workers}")));
            drop(child.stdin.take());
            // Once all kills are spent it is left alone.
            if kills > 0 {
                std::thread::sleep(Duration::from_micros(random.below(whole)));
                // One that has ended takes no signal. Ctrl-C, too, leaves what the same command goes on with.
                let _ = match random.below(4) {
                    0 => signal(&child, "-INT"),
                    _ => child.kill().is_ok(),
                };
                kills -= 1;
            }
            let ended = end(child);
            resumed += usize::from(ended.stderr.contains("goes on at epoch"));
            if ended.code == Some(0) {
                break;
            }
            // Before it looks for signals, and when it has nothing left to bring to an end, Ctrl-C ends it at once (130).
            let at_once = matches!(ended.code, None | Some(130));
            let stopped = at_once || ended.stderr.contains("interrupted");
            let (code, told, spent) = (ended.code, ended.stderr, all - kills);
            assert!(stopped, "after {spent} kills, {code:?}: {told}");
        }
        let killed = Folder(dir().join("killed"));
        same_lines(first(), &killed, &STREAMS);
        assert_eq!(counted(&killed), counted(first()));
        let again = hearth(dir(), &command("killed", "")).fine();
        assert!(
            again.stdout.contains("holds the whole of this run"),
            "{}",
            again.stdout
        );
        same_lines(first(), &killed, &STREAMS);
        eprintln!("{} of {all} kills, {resumed} gone on from", all - kills);
    }
    assert!(resumed > 0, "no run went on from anything");
}

pub fn signal(child: &Child, name: &str) -> bool {
    let id = child.id().to_string();
    let sent = Command::new("kill").args([name, &id]).status();
    sent.unwrap().success()
}

/// What a summary counts, without what is the run's own.
pub fn counted(folder: &Folder) -> serde_json::Value {
    let mut summary = folder.summary();
    for own in [
        "workers",
        "seconds",
        "events_per_second",
        "peak_rss_bytes",
        "timings",
        "run",
    ] {
        summary.as_object_mut().unwrap().remove(own);
    }
    summary
}

/// Ctrl-C leaves a cut of where the run is, however seldom one is taken.
#[test]
fn an_interrupted_run_leaves_what_it_goes_on_from() {
    let command = command("halted", "").replace("every 1ms", "every 1h");
    let _ = std::fs::remove_dir_all(dir().join("halted"));
    let mut wait = Duration::from_millis(100);
    loop {
        let mut child = start(dir(), &format!("{command} --fresh"));
        drop(child.stdin.take());
        std::thread::sleep(wait);
        signal(&child, "-TERM");
        let ended = end(child);
        if ended.stderr.contains("the same command goes on with it") {
            break;
        }
        wait += Duration::from_millis(50);
        assert!(wait < Duration::from_secs(5), "it is never stopped in time");
    }
    let ended = hearth(dir(), &command).fine();
    let goes_on =
        ended.stderr.contains("goes on at epoch") && ended.stderr.contains(" % of the input");
    assert!(goes_on, "{}", ended.stderr);
    same_lines(first(), &Folder(dir().join("halted")), &STREAMS);
}

/// What was kept serves no other run, says so, and stays until a run begins anew.
#[test]
fn another_run_does_not_go_on_with_what_was_kept() {
    let state = dir().join("stopped/state");
    let files = |kind: &str| {
        let names = std::fs::read_dir(&state).into_iter().flatten();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let whole = |name: &String| name.starts_with(kind) && !name.ends_with(".partial");
        names.filter(whole).collect::<Vec<_>>()
    };
    let _ = std::fs::remove_dir_all(dir().join("stopped"));
    let mut wait = Duration::from_millis(20);
    while files("cut-").is_empty() {
        let mut child = start(dir(), &command("stopped", "--fresh"));
        drop(child.stdin.take());
        std::thread::sleep(wait);
        let _ = child.kill();
        end(child);
        wait += Duration::from_millis(7);
        assert!(wait < Duration::from_secs(2), "nothing is ever kept");
    }
    let other = hearth(dir(), &command("stopped", "--lateness 1h --seed 3"));
    assert_eq!(other.code, Some(2), "{}", other.stderr);
    for part in ["--lateness", "--seed", "--fresh"] {
        assert!(other.stderr.contains(part), "{}", other.stderr);
    }
    // Where none is sound, nothing is begun over what may be of worth.
    for part in files("part-") {
        std::fs::write(state.join(part), "nothing of it").unwrap();
    }
    let damaged = hearth(dir(), &command("stopped", ""));
    assert_eq!(damaged.code, Some(2), "{}", damaged.stderr);
    assert!(damaged.stderr.contains("part-"), "{}", damaged.stderr);
    let fresh = replay("stopped", "--threads 1 --checkpoint-every 1ms --fresh");
    same_lines(first(), &fresh, &STREAMS);
}
