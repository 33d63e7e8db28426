//! A replay by several processes, on loopback: what they write together, and how they end when one is lost.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::crew::{many_epochs, undisturbed};
use super::household::{EPOCH, dir, first, replay};
use super::killed::{Random, counted, signal};
use super::program::{Ended, Folder, STREAMS, end, hearth, same_lines, start, write};

/// Nothing here takes so long, on however busy a machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What [`first`] was given.
pub fn household() -> String {
    format!(
        "replay events.jsonl --contexts contexts.jsonl --catalog catalog.json --warm-up 100 --warm-up-span 1d --max-gap 2h \
         --epoch-events {EPOCH} --threads 1"
    )
}

/// A hosts file of free ports.
pub fn hosts(dir: &Path, name: &str, processes: usize) {
    let listeners = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let listeners: Vec<TcpListener> = listeners.collect();
    let lines = listeners
        .iter()
        .map(|l| format!("{}\n", l.local_addr().unwrap()));
    write(dir, name, lines.collect::<String>());
}

/// What a summary counts; what is noted of homes is noted by each process.
fn counts(folder: &Folder) -> Value {
    let mut counts = counted(folder);
    counts.as_object_mut().unwrap().remove("notes");
    counts
}

fn models(folder: &Folder) -> String {
    let listed = hearth(dir(), &format!("model list {}", folder.0.display()));
    listed
        .fine()
        .stdout
        .replace(&*folder.0.to_string_lossy(), "")
}

pub fn same(one: &Folder, other: &Folder) {
    same_lines(one, other, &STREAMS);
    assert_eq!(counts(one), counts(other));
    assert_eq!(models(one), models(other));
}

#[test]
fn processes_write_together_what_one_does() {
    for (processes, workers) in [(2, 1), (3, 1), (2, 2)] {
        let out = format!("launched-{processes}-{workers}");
        let replay = format!("{} --workers {workers} --out {out}", household());
        let ended = hearth(
            dir(),
            &format!("launch --processes {processes} -- {replay}"),
        )
        .fine();
        assert!(ended.stdout.contains("holds the whole"), "{}", ended.stdout);
        let whole = Folder(dir().join(out));
        same(first(), &whole);
        assert_eq!(whole.summary()["workers"], processes * workers);
        assert!(!whole.0.join(".hearth.parts").exists());
    }
}

/// Each process infers the same catalogs; what people say reaches the home that it is of.
#[test]
fn homes_have_their_own_words_on_every_process() {
    let told = dir().join("told-in-a-cluster.jsonl");
    let alarms = first().values("alarms");
    let erased =
        r#"{"home":"h-2","erase":{"from":"2025-01-09T00:00:00Z","to":"2025-01-11T00:00:00Z"}}"#;
    let mut lines = format!("{erased}\nnothing of the kind\n");
    for alarm in &alarms {
        let (home, name) = (&alarm["home"], &alarm["alarm"]);
        lines += &format!("{{\"home\":{home},\"alarm\":{name},\"fine\":true}}\n");
    }
    write(dir(), &told, lines);
    let events = std::fs::read_to_string(dir().join("events.jsonl")).unwrap();
    let told = std::fs::read_to_string(told).unwrap();
    write(dir(), "talked.jsonl", events + &told);
    let command = household()
        .replace("events.jsonl", "talked.jsonl")
        .replace(" --catalog catalog.json", "");
    hearth(dir(), &format!("{command} --out alone-talked")).fine();
    hearth(
        dir(),
        &format!("launch --processes 2 -- {command} --out both-talked"),
    )
    .fine();
    let (alone, both) = (
        Folder(dir().join("alone-talked")),
        Folder(dir().join("both-talked")),
    );
    same(&alone, &both);
    same_lines(&alone, &both, &["feedback", "erasures"]);
    assert_eq!(both.summary()["erasures"]["applied"], 1);
}

#[test]
fn only_parts_of_one_whole_run_are_merged() {
    hosts(dir(), "merged-hosts", 2);
    let part = |process: usize| {
        let own = format!("--hosts merged-hosts --process {process} --out part-{process}");
        start(dir(), &format!("{} {own}", household()))
    };
    let both = [part(0), part(1)];
    let _ = both.map(|child| end(child).fine());
    hearth(dir(), "merge part-1 part-0 --out merged").fine();
    same(first(), &Folder(dir().join("merged")));
    replay("no-part", "--threads 1");
    for (folders, word) in [
        ("part-0", "process 1 of 2"),
        ("part-0 part-0", "both"),
        ("part-0 no-part", "is no part"),
        ("part-0 nowhere", "nowhere is no folder"),
    ] {
        let refused = hearth(dir(), &format!("merge {folders} --out nothing"));
        let word = if word == "both" {
            "are all of process 0"
        } else {
            word
        };
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
        assert!(!dir().join("nothing").exists());
    }
    let inside = hearth(dir(), "merge part-0 part-1 --out part-1");
    assert_eq!(inside.code, Some(2), "{}", inside.stderr);
    // Of another run, or one that was stopped.
    let summary = dir().join("part-1/summary.json");
    let text = std::fs::read_to_string(&summary).unwrap();
    let of = Folder(dir().join("part-1")).summary()["part"]["of"].to_string();
    for (changed, word) in [
        (text.replace(&of, "\"other\""), "different runs"),
        (
            text.replace("\"interrupted\": false", "\"interrupted\": true"),
            "was stopped",
        ),
    ] {
        std::fs::write(&summary, changed).unwrap();
        let refused = hearth(dir(), "merge part-0 part-1 --out nothing");
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
}

#[test]
fn processes_of_different_runs_do_not_begin() {
    hosts(dir(), "differing", 2);
    let with = |process: usize, options: &str| {
        let own =
            format!("--hosts differing --process {process} --out differs-{process} {options}");
        start(dir(), &format!("{} {own}", household()))
    };
    for ended in [with(0, ""), with(1, "--seed 7 --workers 2")].map(end) {
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("--workers, --seed"),
            "{}",
            ended.stderr
        );
    }
    let keeps_nothing = [with(0, ""), with(1, "--checkpoint-every off")].map(end);
    for ended in keeps_nothing {
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("--checkpoint-every"),
            "{}",
            ended.stderr
        );
    }
    for (options, word) in [
        ("--process 2", "--process 2 is none of the 2"),
        ("--process 0 --epoch-interval 1s", "--epoch-interval"),
        ("--process 0 --synthesizer openai", "language model"),
    ] {
        let refused = hearth(
            dir(),
            &format!("{} --hosts differing {options} --out no", household()),
        );
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
    let refused = hearth(dir(), "replay - --hosts differing --process 0 --out no");
    assert!(
        refused.stderr.contains("standard input"),
        "{}",
        refused.stderr
    );
    assert!(!dir().join("no").exists());
}

/// How many kills, and from which seed: `HEARTH_CLUSTER_KILLS=200 HEARTH_SEED=7 cargo test --release --test replay go_on_together`.
pub fn number(name: &str, usual: u64) -> u64 {
    let number = std::env::var(name).ok();
    number.map_or(usual, |number| number.parse().expect("it is a number"))
}

/// Waits until all of these are there.
pub fn there(files: &[PathBuf]) {
    let began = Instant::now();
    while !files.iter().all(|file| file.exists()) {
        assert!(began.elapsed() < PATIENCE, "the processes do not meet");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whichever process is killed or stopped, and whenever: all end, the same commands go on, and leave what an undisturbed run does.
#[test]
fn killed_processes_go_on_together() {
    let mut random = Random(number("HEARTH_SEED", 2024));
    let (mut kills, mut resumed) = (number("HEARTH_CLUSTER_KILLS", 3), 0);
    let begin = |process: usize| {
        let own = format!("--hosts again-hosts --process {process} --out again-{process}");
        start(
            dir(),
            &format!("{} {own} --checkpoint-every 1ms", many_epochs()),
        )
    };
    hosts(dir(), "again-hosts", 2);
    let began = Instant::now();
    let _ = [begin(0), begin(1)].map(|child| ends(child).fine());
    let whole = began.elapsed().as_micros() as u64;
    while kills > 0 {
        for process in 0..2 {
            let _ = std::fs::remove_dir_all(dir().join(format!("again-{process}")));
        }
        loop {
            hosts(dir(), "again-hosts", 2);
            let locks = [0, 1].map(|process| dir().join(format!("again-{process}/.hearth.lock")));
            let _ = locks.each_ref().map(std::fs::remove_file);
            let mut both = [begin(0), begin(1)];
            if kills > 0 {
                // One that waits for the other to come waits long.
                there(&locks);
                std::thread::sleep(Duration::from_micros(random.below(whole)));
                let victim = &mut both[random.below(2) as usize];
                // One that has ended by now takes no signal.
                let _ = match random.below(3) {
                    0 => signal(victim, "-INT"),
                    _ => victim.kill().is_ok(),
                };
                kills -= 1;
            }
            let ended = both.map(ends);
            resumed += usize::from(ended[0].stderr.contains("goes on at epoch"));
            for ended in &ended {
                assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
                assert_ne!(ended.code, Some(2), "{}", ended.stderr);
            }
            if ended.iter().all(|ended| ended.code == Some(0)) {
                break;
            }
        }
        hearth(dir(), "merge again-0 again-1 --out again").fine();
        same(undisturbed(), &Folder(dir().join("again")));
        eprintln!("{kills} kills left, {resumed} times gone on");
    }
    assert!(resumed > 0, "no run went on from anything");
    let done = [begin(0), begin(1)].map(|child| ends(child).fine());
    assert!(
        done[0].stdout.contains("holds the whole of this run"),
        "{}",
        done[0].stdout
    );
}

/// A run that takes minutes, once its first lines are written.
fn under_way(name: &str) -> [Child; 2] {
    let dir = dir();
    hosts(dir, name, 2);
    write(dir, "rubbish.jsonl", "rubbish\n".repeat(3000));
    let begin = |process: usize| {
        let files = "rubbish.jsonl events.jsonl --contexts contexts.jsonl --catalog catalog.json";
        let own = format!("--hosts {name} --process {process} --out {name}-{process}");
        let slow = "--warm-up 100 --warm-up-span 1d --preset paper --epoch-events 10 --threads 1";
        start(dir, &format!("replay {files} {own} {slow}"))
    };
    let both = [begin(0), begin(1)];
    let began = Instant::now();
    let rejected = dir.join(format!("{name}-0/rejected.jsonl"));
    while !std::fs::metadata(&rejected).is_ok_and(|file| file.len() > 0) {
        assert!(began.elapsed() < PATIENCE, "the run does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    both
}

/// Waits for the end, but not for ever.
pub fn ends(mut child: Child) -> Ended {
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the process does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    end(child)
}

#[test]
fn all_end_with_one_that_is_killed() {
    let [survivor, mut victim] = under_way("killed-hosts");
    victim.kill().unwrap();
    victim.wait().unwrap();
    let ended = ends(survivor);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let lost = ended.stderr.contains("process 1 (127.0.0.1:") && ended.stderr.contains("is lost");
    assert!(
        lost && !ended.stderr.contains("panicked"),
        "{}",
        ended.stderr
    );
}

/// Waits until a process has ended because process 0 hangs since then.
pub fn ends_as_the_first_hangs(survivor: Child, since: Instant) {
    let ended = ends(survivor);
    eprintln!("the other took {:.1?} to end", since.elapsed());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let lost = ended.stderr.contains("process 0 (127.0.0.1:") && ended.stderr.contains("it hangs");
    assert!(
        lost && !ended.stderr.contains("panicked"),
        "{}",
        ended.stderr
    );
}

#[test]
fn all_end_with_one_that_hangs() {
    let [hangs, survivor] = under_way("stopped-hosts");
    assert!(signal(&hangs, "-STOP"));
    let since = Instant::now();
    ends_as_the_first_hangs(survivor, since);
    // Once it is awake it ends, too.
    assert!(signal(&hangs, "-CONT"));
    let ended = ends(hangs);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("process 1 (127.0.0.1:"),
        "{}",
        ended.stderr
    );
}

#[test]
fn all_end_with_one_that_is_interrupted_or_fails() {
    let both = under_way("interrupted-hosts");
    assert!(signal(&both[1], "-INT"));
    for ended in both.map(ends) {
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("interrupted"), "{}", ended.stderr);
    }
    // The first process alone meets lines that are no events.
    let strict = format!("{} --strict --out strict-both", household());
    let ended = hearth(dir(), &format!("launch --processes 2 -- {strict}"));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let why = "process 0 (127.0.0.1:";
    assert!(
        ended.stderr.contains(why) && ended.stderr.contains("--strict"),
        "{}",
        ended.stderr
    );
}
