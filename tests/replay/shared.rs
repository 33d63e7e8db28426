//! A live run by several processes, on loopback: whatever comes in at any of them, and whichever is killed, what they leave together is a
//! replay of the inbox by one process.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cluster::{ends, ends_as_the_first_hangs, hosts, number, there};
use super::crew::{newest_cut, until};
use super::household::{EPOCH, dir};
use super::killed::{Random, signal};
use super::network::free_port;
use super::program::{Ended, Folder, STREAMS, hearth, start};
use super::run::{answered, append, beyond, posted, reaches};

const FILES: &str = "--contexts contexts.jsonl --catalog catalog.json";

/// Processes that share a live run, and whose files begin with a name of their own.
pub struct Live {
    name: &'static str,
    options: String,
    pub all: Vec<Child>,
    ports: Vec<u16>,
}

impl Live {
    /// A run with epochs of so many lines.
    pub fn new(name: &'static str, options: &str) -> Self {
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
    pub fn start(&mut self, processes: usize, own: impl Fn(usize) -> String) {
        let file = format!("{}-hosts", self.name);
        hosts(dir(), &file, processes);
        let locks = self.begin(processes);
        let one = |process| self.start_one(process, &own(process), &file);
        self.all = (0..processes).map(one).collect();
        // One that waits for the others to come waits long.
        there(&locks);
    }

    /// Starts a process by its hosts file; what is `own` is its own.
    pub fn start_one(&self, process: usize, own: &str, hosts: &str) -> Child {
        let (name, options) = (self.name, &self.options);
        let port = self.ports[process];
        let place = format!("--hosts {hosts} --process {process} --out {name}-{process}");
        let listens = format!("--state {name}-state --listen 127.0.0.1:{port}");
        start(dir(), &format!("run {own} {options} {place} {listens}"))
    }

    /// What is there once so many processes run, made anew by each life.
    pub fn begin(&mut self, processes: usize) -> Vec<PathBuf> {
        self.ports = (0..processes).map(|_| free_port()).collect();
        let lock = |process| self.out(process).0.join(".hearth.lock");
        let locks: Vec<PathBuf> = (0..processes).map(lock).collect();
        for lock in &locks {
            let _ = fs::remove_file(lock);
        }
        locks
    }

    /// Ends all by one; what each said.
    pub fn interrupt(&mut self, process: usize) -> Vec<Ended> {
        assert!(signal(&self.all[process], "-INT"));
        self.ended()
    }

    pub fn ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.all)
            .into_iter()
            .map(ends)
            .collect()
    }

    /// The name of the newest cut of each.
    fn cuts(&self) -> Vec<String> {
        let state = |process| dir().join(format!("{}-state/process-{process}", self.name));
        (0..self.all.len())
            .map(|process| newest_cut(&state(process)))
            .collect()
    }

    /// Whether all have a cut.
    fn have_kept(&self) -> bool {
        self.cuts().iter().all(|cut| !cut.is_empty())
    }

    /// Each process has the same answer for whoever asks for a home's model, or for one of nobody.
    fn knows_models(&self) {
        let model = |process: usize, home: &str| {
            let path = format!("/api/homes/{home}/model");
            let answer = answered(self.ports[process], "GET", &path, "");
            let (head, json) = answer.split_once("\r\n\r\n").expect(&answer);
            let json: Value = serde_json::from_str(json).expect(&answer);
            (head[..12].to_owned(), json)
        };
        // How far the cohort's scores go is known one epoch later.
        model(0, "h-1");
        for home in ["h-1", "h-2", "h-3"] {
            let told = [0, 1].map(|process| model(process, home));
            let (head, json) = &told[0];
            assert_eq!(head, "HTTP/1.1 200", "{json}");
            assert!(json["behaviors"].as_i64() > Some(100), "{json}");
            assert_eq!(told[0], told[1]);
        }
        assert_eq!(model(1, "nobody").0, "HTTP/1.1 404");
    }

    /// Waits until scores of so many epochs are out, which wait for everything else, and nothing more is written.
    pub fn settle(&self, epochs: u64) {
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

    /// Its inbox has each of these lines once, and no other.
    pub fn has_each_once(&self, log: &[String]) {
        let inbox = fs::read_to_string(self.out(0).0.join("inbox.jsonl")).unwrap();
        let mut lines = BTreeMap::<String, i64>::new();
        for line in inbox.lines().filter(|line| !line.starts_with("{\"mark\":")) {
            *lines.entry(format!("{line}\n")).or_default() += 1;
        }
        for line in log {
            *lines.entry(line.clone()).or_default() -= 1;
        }
        lines.retain(|_, count| *count != 0);
        assert!(lines.is_empty(), "{lines:?}");
    }

    /// Makes the outputs one: so many epochs of a replay of the inbox, line by line; and their summary.
    pub fn is_replay_of_its_inbox(&self) -> (Folder, Value) {
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

pub fn fine(ended: Vec<Ended>) {
    for ended in ended {
        let ended = ended.fine();
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}

pub fn log() -> Vec<String> {
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
    live.has_each_once(&log);
    live.is_replay_of_its_inbox();
}

/// Whoever posts to any process is told what became of each event, and who asks for a home's model has it, wherever that lives, from one
/// life to the next, also where the inbox is dropped meanwhile; in the last one nothing happens, and it ends at once.
#[test]
fn who_waits_is_told_in_each_life() {
    const LIVES: usize = 4;
    let options = "--epoch-interval 20ms --checkpoint-every 1ms --inbox-keep 8KiB";
    let mut live = Live::new("told-anywhere", options);
    let log = log();
    let names = ["applied", "duplicate", "late", "rejected", "pending"];
    let mut sums = [0; 5];
    for (life, pieces) in log.chunks(log.len().div_ceil(LIVES)).enumerate() {
        live.start(2, |_| String::new());
        for (port, piece) in live
            .ports
            .iter()
            .zip(pieces.chunks(pieces.len().div_ceil(2)))
        {
            let answer = posted(*port, "/events?wait=60s", &piece.concat());
            for (sum, name) in sums.iter_mut().zip(names) {
                *sum += answer["fates"][name].as_u64().expect("a count");
            }
        }
        if life + 1 == LIVES {
            live.knows_models();
        }
        fine(live.interrupt(life % 2));
    }
    let merged = |processes: &str, out: &str| {
        hearth(dir(), &format!("merge {processes} --out {out}")).fine();
        Folder(dir().join(out)).accounting()
    };
    let accounting = merged("told-anywhere-1 told-anywhere-0", "told-merged");
    let [_, applied, duplicate, late, rejected] = accounting;
    let [told, rest @ .., pending] = sums;
    // Each home's first one waited for its second, and was then applied.
    let all = (told + pending, rest);
    assert_eq!(all, (applied, [duplicate, late, rejected]));
    assert!(sums[..4].iter().all(|sum| *sum > 0), "{sums:?}");
    let kept = fs::read_dir(live.out(0).0).unwrap().flatten();
    let kept = kept.filter(|file| file.file_name().to_string_lossy().starts_with("inbox"));
    let kept: u64 = kept.map(|file| file.metadata().unwrap().len()).sum();
    let all = log.concat().len() as u64;
    assert!(kept < all * 9 / 10, "{kept} bytes of {all} are kept");
    live.start(2, |_| String::new());
    for port in &live.ports {
        let ready = || answered(*port, "GET", "/readyz", "").starts_with("HTTP/1.1 200");
        until("it is not ready", ready);
    }
    fine(live.interrupt(0));
    let again = merged("told-anywhere-0 told-anywhere-1", "told-again");
    assert_eq!(again, accounting);
    let listed = hearth(dir(), "model list told-again").fine().stdout;
    let homes = (1..=3).all(|home| listed.contains(&format!("h-{home}")));
    assert!(homes, "{listed}");
}

/// The first one hangs, which has the inbox: nobody waits for it for long, whoever puts something neither.
#[test]
fn all_end_with_a_first_process_that_hangs() {
    let mut live = Live::new("hung", "--epoch-interval 20ms");
    live.start(2, |_| String::new());
    let ready = |port: u16| answered(port, "GET", "/readyz", "").starts_with("HTTP/1.1 200");
    until("it is not ready", || {
        ready(live.ports[0]) && ready(live.ports[1])
    });
    assert!(signal(&live.all[0], "-STOP"));
    let since = Instant::now();
    let body = log()[..10].concat();
    let answer = answered(live.ports[1], "POST", "/events?wait=60s", &body);
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (hangs, other) = (live.all.remove(0), live.all.remove(0));
    ends_as_the_first_hangs(other, since);
    assert!(signal(&hangs, "-CONT"));
    let ended = ends(hangs);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
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
