//! A live run by several processes, on loopback: whatever comes in at any of them, and whichever is killed, what they leave together is a
//! replay of the inbox by one process.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cluster::{ends, hosts, number, there};
use super::crew::{newest_cut, until};
use super::household::{EPOCH, dir};
use super::killed::{Random, signal};
use super::network::free_port;
use super::program::{Ended, Folder, STREAMS, hearth, start};
use super::run::{answered, append, beyond, posted, reaches};

const FILES: &str = "--contexts contexts.jsonl --catalog catalog.json";

/// Processes that share a live run, and whose files begin with a name of their own.
struct Live {
    name: &'static str,
    options: String,
    all: Vec<Child>,
    ports: Vec<u16>,
}

impl Live {
    /// A run with epochs of so many lines.
    fn new(name: &'static str, options: &str) -> Self {
        for process in 0..4 {
            let _ = fs::remove_dir_all(dir().join(format!("{name}-{process}")));
        }
        let _ = fs::remove_dir_all(dir().join(format!("{name}-state")));
        Live {
            name,
            options: format!(
                "{FILES} --warm-up 100 --warm-up-span 1d --max-gap 2h --threads 1 --scores aligned --epoch-events {EPOCH} {options}"
            ),
            all: Vec::new(),
            ports: Vec::new(),
        }
    }

    fn out(&self, process: usize) -> Folder {
        Folder(dir().join(format!("{}-{process}", self.name)))
    }

    /// Starts so many processes; what is `own` is each one's.
    fn start(&mut self, processes: usize, own: impl Fn(usize) -> String) {
        let name = self.name;
        let file = format!("{name}-hosts");
        hosts(dir(), &file, processes);
        self.ports = (0..processes).map(|_| free_port()).collect();
        let one = |process: usize| {
            let (port, own) = (self.ports[process], own(process));
            let place = format!("--hosts {file} --process {process} --out {name}-{process}");
            start(
                dir(),
                &format!(
                    "run {own} {} {place} --state {name}-state --listen 127.0.0.1:{port}",
                    self.options
                ),
            )
        };
        let lock = |process| self.out(process).0.join(".hearth.lock");
        let locks: Vec<PathBuf> = (0..processes).map(lock).collect();
        for lock in &locks {
            let _ = fs::remove_file(lock);
        }
        self.all = (0..processes).map(one).collect();
        // One that waits for the others to come waits long.
        there(&locks);
    }

    /// Ends all by one; what each said.
    fn interrupt(&mut self, process: usize) -> Vec<Ended> {
        assert!(signal(&self.all[process], "-INT"));
        self.ended()
    }

    fn ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.all)
            .into_iter()
            .map(ends)
            .collect()
    }

    /// Whether all have a cut.
    fn have_kept(&self) -> bool {
        let state = |process| dir().join(format!("{}-state/process-{process}", self.name));
        let mut all = (0..self.all.len()).map(|process| newest_cut(&state(process)));
        all.all(|cut| !cut.is_empty())
    }

    /// Waits until scores of so many epochs are out, which wait for everything else, and nothing more is written.
    fn settle(&self, epochs: u64) {
        let processes = 0..self.all.len();
        let written = || {
            let files = processes
                .clone()
                .flat_map(|process| fs::read_dir(self.out(process).0).unwrap());
            let lengths = files.map(|file| file.unwrap().metadata().map_or(0, |data| data.len()));
            lengths.sum::<u64>()
        };
        let mut last = (0, Instant::now());
        until("it does not come to an end", || {
            let now = written();
            if now != last.0 {
                last = (now, Instant::now());
            }
            let is_out = |process| reaches(&self.out(process), "scores", epochs - 1);
            last.1.elapsed() > Duration::from_millis(500) && processes.clone().any(is_out)
        });
    }

    /// Makes the outputs one: so many epochs of a replay of the inbox, line by line; and their summary.
    fn is_replay_of_its_inbox(&self) -> (Folder, Value) {
        let name = self.name;
        let summary = self.out(0).summary();
        let part = &summary["part"];
        let resting = part["resting"].as_object().into_iter().flatten();
        let resting = resting.map(|(process, _)| process.parse().unwrap());
        let all = (0..part["processes"].as_u64().unwrap()).chain(resting);
        let all: Vec<String> = all.map(|process| format!("{name}-{process}")).collect();
        let merged = format!("{name}-merged");
        hearth(dir(), &format!("merge {} --out {merged}", all.join(" "))).fine();
        let options = self.options.replace("--checkpoint-every 1ms", "");
        let command = format!("replay {name}-0/inbox.jsonl --out {name}-again {options}");
        hearth(dir(), &command).fine();
        let (merged, again) = (
            Folder(dir().join(merged)),
            Folder(dir().join(format!("{name}-again"))),
        );
        let fed = part["ended"]["epochs"].as_u64().unwrap();
        for stream in STREAMS {
            for (line, count) in beyond(&again, &merged, stream) {
                assert!(count > 0, "{stream}: the run alone has {line}");
                let line: Value = serde_json::from_str(&line).unwrap();
                let epoch = line["epoch"].as_u64();
                assert!(
                    epoch.is_none_or(|epoch| epoch >= fed),
                    "{stream}, of {fed} epochs: {line}"
                );
            }
        }
        assert!(!merged.lines("adaptations").is_empty() && !merged.lines("late").is_empty());
        let summary = merged.summary();
        (merged, summary)
    }
}

fn fine(ended: Vec<Ended>) {
    for ended in ended {
        let ended = ended.fine();
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}

fn log() -> Vec<String> {
    let log = fs::read_to_string(dir().join("events.jsonl")).unwrap();
    let lines = log.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

/// Events, erasures and what is no event, to each process in turn.
#[test]
fn what_comes_in_at_any_process_is_had_by_all() {
    let mut live = Live::new("anywhere", "--epoch-interval off --checkpoint-every 1ms");
    live.start(3, |_| String::new());
    let log = log();
    let whole = log.len() / EPOCH * EPOCH;
    for (number, piece) in log[..whole].chunks(whole / 7).enumerate() {
        let port = live.ports[number % 3];
        let taken = posted(port, "/events", &piece.concat());
        assert!(taken["accepted"].as_u64() > Some(0), "{taken}");
        let erased = format!(
            "{{\"home\":\"h-{}\",\"erase\":{{\"device\":\"Kettle\"}}}}\n",
            1 + number % 3
        );
        posted(live.ports[(number + 1) % 3], "/erasures", &erased);
    }
    // Each erasure has an epoch of its own.
    live.settle((whole / EPOCH) as u64 + 6);
    let refused = answered(live.ports[1], "POST", "/workers", "{\"workers\":2}");
    assert!(refused.starts_with("HTTP/1.1 409"), "{refused}");
    fine(live.interrupt(1));
    let (merged, summary) = live.is_replay_of_its_inbox();
    assert_eq!(summary["erasures"]["applied"], 7, "{summary}");
    let events = |name: &str| summary["events"][name].as_u64().unwrap();
    let lines = summary["undone"]["lines"].as_u64().unwrap_or(0);
    let ended = ["applied", "duplicate", "late", "rejected", "erased"].map(events);
    assert_eq!(events("in"), ended.iter().sum::<u64>() + lines);
    assert!(!merged.lines("rejected").is_empty() && !merged.lines("alarms").is_empty());
}

/// Each line once, whoever is killed and however many processes go on. Each follows a file of its own.
#[test]
fn whichever_process_is_killed_the_same_commands_go_on() {
    let mut random = Random(number("HEARTH_SEED", 2024));
    let mut live = Live::new("befallen", "--epoch-interval off --checkpoint-every 1ms");
    let followed = |process: usize| format!("befallen-{process}.jsonl");
    for process in 0..3 {
        let _ = fs::remove_file(dir().join(followed(process)));
    }
    let log = log();
    // The last life, in which nobody is killed, has all processes.
    let mut lives: Vec<usize> = (0..number("HEARTH_CLUSTER_KILLS", 2))
        .map(|_| 2 + random.below(2) as usize)
        .collect();
    lives[0] = 3;
    if let Some(second) = lives.get_mut(1) {
        *second = 2;
    }
    lives.push(3);
    for (life, pieces) in log.chunks(log.len().div_ceil(lives.len())).enumerate() {
        let processes = lives[life];
        live.start(processes, followed);
        let last = life + 1 == lives.len();
        for (number, piece) in pieces.chunks(pieces.len().div_ceil(6)).enumerate() {
            append(&dir().join(followed(number % 3)), &piece.concat());
            std::thread::sleep(Duration::from_millis(random.below(60)));
        }
        until("nothing is ever kept", || live.have_kept());
        if last {
            live.settle((log.len() / EPOCH) as u64);
            fine(live.interrupt(2));
            break;
        }
        std::thread::sleep(Duration::from_millis(random.below(700)));
        let victim = random.below(processes as u64) as usize;
        live.all[victim].kill().unwrap();
        for (process, ended) in live.ended().into_iter().enumerate() {
            assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
            if process != victim {
                assert_eq!(ended.code, Some(1), "{}", ended.stderr);
                let lost = format!("process {victim} (127.0.0.1:");
                assert!(ended.stderr.contains(&lost), "{}", ended.stderr);
            }
        }
    }
    let inbox = fs::read_to_string(live.out(0).0.join("inbox.jsonl")).unwrap();
    let mut lines = BTreeMap::<String, i64>::new();
    for line in inbox.lines().filter(|line| !line.starts_with("{\"mark\":")) {
        *lines.entry(format!("{line}\n")).or_default() += 1;
    }
    for line in &log {
        *lines.entry(line.clone()).or_default() -= 1;
    }
    lines.retain(|_, count| *count != 0);
    assert!(lines.is_empty(), "{lines:?}");
    live.is_replay_of_its_inbox();
}

/// Whoever posts to any process is told what became of each event, and who asks for a home's model has it, wherever that lives; a run in
/// which nothing happens takes its cuts, and ends.
#[test]
fn who_waits_is_told_and_an_idle_run_ends() {
    let mut live = Live::new(
        "told-anywhere",
        "--epoch-interval 20ms --checkpoint-every 1ms",
    );
    live.start(2, |_| String::new());
    let log = log();
    let (names, mut sums) = (
        ["applied", "duplicate", "late", "rejected", "pending"],
        [0; 5],
    );
    for (number, piece) in log.chunks(log.len().div_ceil(4)).enumerate() {
        let answer = posted(live.ports[number % 2], "/events?wait=60s", &piece.concat());
        for (sum, name) in sums.iter_mut().zip(names) {
            *sum += answer["fates"][name].as_u64().expect("a count");
        }
    }
    // How far the cohort's scores go is known one epoch later.
    answered(live.ports[0], "GET", "/api/homes/h-1/model", "");
    let home = |process: usize| answered(live.ports[process], "GET", "/api/homes/h-1/model", "");
    let models: Vec<String> = (0..2).map(home).collect();
    let json = |answer: &String| -> Value {
        let (head, json) = answer.split_once("\r\n\r\n").expect(answer);
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(json).expect(answer)
    };
    assert!(
        json(&models[0])["behaviors"].as_i64() > Some(100),
        "{}",
        models[0]
    );
    assert_eq!(json(&models[0]), json(&models[1]));
    let nobody = answered(live.ports[1], "GET", "/api/homes/nobody/model", "");
    assert!(nobody.starts_with("HTTP/1.1 404"), "{nobody}");
    until("nothing is ever kept", || live.have_kept());
    // Nothing happens any more.
    std::thread::sleep(Duration::from_millis(500));
    fine(live.interrupt(1));
    hearth(
        dir(),
        "merge told-anywhere-1 told-anywhere-0 --out told-merged",
    )
    .fine();
    let [_, applied, duplicate, late, rejected] = Folder(dir().join("told-merged")).accounting();
    let [told, rest @ .., pending] = sums;
    // Each home's first one waited for its second, and was then applied.
    assert_eq!(
        (told + pending, rest),
        (applied, [duplicate, late, rejected])
    );
    assert!(sums[..4].iter().all(|sum| *sum > 0), "{sums:?}");
    // It goes on, and ends at once, by the other one; a process that began anew has its parts, too.
    live.start(2, |_| String::new());
    for port in &live.ports {
        until("it is not ready", || {
            answered(*port, "GET", "/readyz", "").starts_with("HTTP/1.1 200")
        });
    }
    fine(live.interrupt(0));
    hearth(
        dir(),
        "merge told-anywhere-0 told-anywhere-1 --out told-again",
    )
    .fine();
    let (one, other) = ("told-merged", "told-again");
    let accounting = |name: &str| Folder(dir().join(name)).accounting();
    assert_eq!(accounting(one), accounting(other));
}

#[test]
fn what_processes_cannot_share_is_refused() {
    hosts(dir(), "unshared", 2);
    for (options, word) in [
        ("", "--catalog"),
        ("--demo", "--demo"),
        (
            "--catalog catalog.json --synthesizer openai",
            "language model",
        ),
        (
            "--catalog catalog.json --process 3",
            "--process 3 is none of the 2",
        ),
    ] {
        let process = if options.contains("--process") {
            ""
        } else {
            "--process 0"
        };
        let command = format!("run --out unshared-0 --hosts unshared {process} {options}");
        let refused = hearth(dir(), &command);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
    let launched = hearth(
        dir(),
        "launch --processes 2 -- run --out x --catalog catalog.json",
    );
    assert_eq!(launched.code, Some(2), "{}", launched.stderr);
    assert!(
        launched.stderr.contains("hearth run"),
        "{}",
        launched.stderr
    );
}
