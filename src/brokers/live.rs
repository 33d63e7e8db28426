//! A live run between two topics, whose broker is killed on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::{Args, Command, FromArgMatches};
use serde_json::Value;

use super::hearth::{events, until};
use super::network::free_port;
use super::tansu::{Peer, Store, Tansu, installed, text};
use crate::outputs::{Stream, inbox_path, read, summary_path};
use crate::replay::{self, ReplayArgs};
use crate::run::{self, RunArgs};
use crate::simulate::{self, SimulateArgs};
use crate::stop::Stop;

/// How long it may take until all is fed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What both the run and the replay are told.
const SHORT: [&str; 6] = [
    "--warm-up=1",
    "--warm-up-span=1s",
    "--max-gap=2h",
    "--threads=1",
    "--scores=aligned",
    "--synthesizer=none",
];

fn arguments<T: Args + FromArgMatches>(command: fn(Command) -> Command, given: &[String]) -> T {
    let command = command(T::augment_args(Command::new("hearth")));
    let given = ["hearth".to_owned()].into_iter().chain(given.to_vec());
    T::from_arg_matches(&command.get_matches_from(given)).unwrap()
}

/// A live run in this process.
struct Run(Stop, JoinHandle<anyhow::Result<()>>);

impl Run {
    fn begin(given: &[String]) -> Self {
        let args: RunArgs = arguments(RunArgs::defaults, given);
        let stop = Stop::default();
        let own = stop.clone();
        Run(stop, std::thread::spawn(move || run::run(&args, &own)))
    }

    fn end(self) {
        self.0.interrupt();
        self.1.join().unwrap().unwrap();
    }
}

/// The segments that hold, by their lines without what tells when they came.
fn segments(out: &Path) -> BTreeMap<String, i64> {
    let mut segments = BTreeMap::new();
    read::each(out, Stream::Segments, |line| {
        let mut line: Value = serde_json::from_str(line)?;
        let fields = line.as_object_mut().unwrap();
        fields.remove("epoch");
        let diff = fields.remove("diff").unwrap().as_i64().unwrap();
        read::add(&mut segments, line.to_string(), diff);
        Ok(())
    })
    .unwrap();
    segments
}

/// How many events a run had read when it ended.
fn read_in(out: &Path) -> usize {
    let summary = std::fs::read_to_string(summary_path(out)).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    summary["events"]["in"].as_u64().unwrap() as usize
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_between_topics_whose_broker_dies_leaves_what_a_replay_of_the_same_events_does() {
    let (Some(program), Some(store)) = (installed(), Store::start().await) else {
        return;
    };
    let port = free_port();
    let mut broker = Tansu::with(program, port, port, Some(store));
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let option = |name: &str, file: &str| format!("--{name}={}", path(file).display());
    let homes = ["--homes=3", "--days=4", "--ids"].map(str::to_owned);
    let simulated = [&homes[..], &[option("out", "sim")]].concat();
    simulate::write(&arguments::<SimulateArgs>(|command| command, &simulated)).unwrap();
    let peer = Peer::at(port).await;
    peer.create("events", 3).await;
    peer.create("hearth.segments", 1).await;
    let short = SHORT.map(str::to_owned);
    let catalog = option("catalog", "sim/catalog.json");
    let given = [
        &short[..],
        &[
            option("out", "live"),
            catalog.clone(),
            "--listen=off".to_owned(),
            "--checkpoint-every=100ms".to_owned(),
            format!("--kafka-in=kafka://127.0.0.1:{port}/events"),
            format!("--kafka-out=kafka://127.0.0.1:{port}/hearth.{{stream}}"),
            "--kafka-streams=segments".to_owned(),
        ],
    ]
    .concat();
    let run = Run::begin(&given);
    let log = std::fs::read_to_string(path("sim/events.jsonl")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    for (n, piece) in lines.chunks(lines.len().div_ceil(6)).enumerate() {
        let mut homes: BTreeMap<usize, Vec<(&str, String)>> = BTreeMap::new();
        for line in piece {
            let home = (0..3).find(|n| line.contains(&format!("\"h-{}\"", n + 1)));
            homes
                .entry(home.unwrap())
                .or_default()
                .push(("", (*line).to_owned()));
        }
        for (home, messages) in homes {
            peer.say("events", home as i32, &messages, n).await;
        }
        if n == 2 {
            broker.kill();
            tokio::time::sleep(Duration::from_millis(500)).await;
            broker.begin();
        }
    }
    let live = path("live");
    until("all have come", || {
        inbox_path(&live).is_file() && events(&live).len() >= lines.len()
    })
    .await;
    run.end();
    assert_eq!(events(&live).len(), lines.len());
    let start = Instant::now();
    while read_in(&live) < lines.len() {
        assert!(start.elapsed() < PATIENCE, "not all is fed");
        let run = Run::begin(&given);
        tokio::time::sleep(Duration::from_millis(500)).await;
        run.end();
    }
    // Its last cut may have what there was no time to tell: the next run does.
    let run = Run::begin(&given);
    let mut written = BTreeSet::new();
    read::each(&live, Stream::Segments, |line| {
        written.insert(line.to_owned());
        Ok(())
    })
    .unwrap();
    let told = peer.told("hearth.segments", written.len()).await;
    run.end();
    let told: BTreeSet<String> = told.iter().map(text).collect();
    assert_eq!(told, written);
    let replayed = [
        &short[..],
        &[
            path("sim/events.jsonl").display().to_string(),
            option("out", "again"),
            catalog,
        ],
    ]
    .concat();
    let args: ReplayArgs = arguments(|command| command, &replayed);
    replay::run(&args, &Stop::default()).unwrap();
    let (live, again) = (segments(&live), segments(&path("again")));
    assert!(live.len() > 10, "{}", live.len());
    assert!(live.keys().all(|segment| again.contains_key(segment)));
    // The last one of a home stays open in a run.
    assert!(
        again.len() <= live.len() + 4,
        "{} and {}",
        again.len(),
        live.len()
    );
}
