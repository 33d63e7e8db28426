//! `hearth bench live`: from the moment an event is sent to a live run until its score is on the disk, while others look on.

mod clients;
mod log;
mod mqtt;
mod program;
mod scores;
mod sending;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use serde::Serialize;

use super::values::{count, homes};
use crate::config::{Broker, Span};
use crate::machine::Machine;
use crate::outputs::{grouped, inbox_path};
use clients::Clients;
use log::Log;
use program::Program;
use scores::Scores;

/// Measure how long an event takes from its sender until its score is on the disk, in a live run
///
/// A live run is started, and learns the first days of simulated homes. Then events are due at a fixed rate, whatever it does,
/// each in a request of its own (or several, by --body), and each one's time runs from when it was due until the line of its
/// first score is in scores.jsonl. Everything is on: models, alarms, checkpoints, the inbox that is synced before a sender is
/// answered. With --mqtt events come by way of a broker, and nothing is told to it. With --clients others ask for the page and
/// the API all the time, and how long they wait is measured, too.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth bench live
  hearth bench live --epoch-interval 5ms,100ms --rate 1k --duration 1m
  hearth bench live --mqtt mqtt://localhost
  hearth bench live --rate 100k --body 1000 --clients 0,100,0,100 --json live.json")]
pub struct LiveArgs {
    /// Homes
    #[arg(long, value_name = "NUMBER", default_value = "10k", value_parser = homes)]
    pub homes: u32,

    /// Events a second that are due
    #[arg(long, value_name = "NUMBER", default_value = "1k", value_parser = count)]
    pub rate: u64,

    /// Events of a request
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = count)]
    pub body: u64,

    /// A broker without a password by which the events that are measured come, each in a message of its own (QoS 1); none: over HTTP
    #[arg(long, value_name = "URL", conflicts_with = "body")]
    pub mqtt: Option<Broker>,

    /// How long events are due
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub duration: Span,

    /// How long the run's epochs last; several are measured one after another
    #[arg(
        long,
        value_name = "DURATION,..",
        default_value = "100ms,5ms",
        value_delimiter = ','
    )]
    pub epoch_interval: Vec<Span>,

    /// Clients of the page and the API, each of which asks for something a second; several are measured one after another
    #[arg(
        long,
        value_name = "NUMBER,..",
        default_value = "0",
        value_delimiter = ','
    )]
    pub clients: Vec<usize>,

    /// Events that are learnt before it is measured, of each home in the mean
    #[arg(long, value_name = "NUMBER", default_value = "20", value_parser = count)]
    pub learnt: u64,

    /// Worker threads of the dataflow
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = count)]
    pub workers: u64,

    /// Where all chance comes from
    #[arg(long, value_name = "SEED", default_value = "2024")]
    pub seed: u64,

    /// Write what was measured as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// How long scores are waited for behind the last event.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was measured of a run. Times are in milliseconds.
#[derive(Clone, Debug, Serialize)]
struct Measured {
    epoch_interval: String,
    clients: usize,
    /// Events a second that were due, and that were scored.
    due: u64,
    done: f64,
    events: u64,
    /// Events whose score did not come: of late ones there is none, and a home's first one waits for its second.
    unscored: u64,
    score: Times,
    /// How long clients waited for an answer, and answers that were none.
    answers: u64,
    failed: u64,
    answer: Times,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Times {
    p50: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

/// What is written.
#[derive(Serialize)]
struct Written<'a> {
    machine: Machine,
    homes: u32,
    /// By which they came.
    way: &'static str,
    body: u64,
    workers: u64,
    runs: &'a [Measured],
}

/// Runs the command.
///
/// # Errors
/// A run cannot be started, or takes nothing in.
pub fn run(args: &LiveArgs) -> anyhow::Result<()> {
    let machine = Machine::here();
    let folder = tempfile::Builder::new().prefix("hearth-bench-").tempdir()?;
    let log = Log::of(args, folder.path())?;
    let mut runs = Vec::new();
    println!("{machine}");
    println!("{}", head());
    for interval in &args.epoch_interval {
        for clients in &args.clients {
            let out = folder.path().join(format!("out-{}", runs.len()));
            let measured = measure(args, (*interval, *clients), &log, &out)?;
            println!("{}", line(&measured));
            runs.push(measured);
            std::fs::remove_dir_all(&out)?;
        }
    }
    let Some(path) = &args.json else {
        return Ok(());
    };
    let written = Written {
        machine,
        homes: args.homes,
        way: match args.mqtt {
            Some(_) => "MQTT",
            None => "HTTP",
        },
        body: args.body,
        workers: args.workers,
        runs: &runs,
    };
    std::fs::write(path, serde_json::to_vec_pretty(&written)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn measure(
    args: &LiveArgs,
    (interval, clients): (Span, usize),
    log: &Log,
    out: &Path,
) -> anyhow::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let program = Program::start(args, interval, log.catalog(), out)?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    runtime.block_on(sending::learn(&client, program.address(), log.learnt()))?;
    program.comes_to_rest(&runtime, &client, &inbox_path(out))?;
    let scores = Scores::follow(&out.join("scores.jsonl"))?;
    let clients_of = Clients::start(&runtime, program.address(), clients, args.homes);
    let began = Instant::now();
    let every = Duration::from_secs_f64(args.body as f64 / args.rate as f64);
    let live = log.live();
    runtime.block_on(async {
        match &args.mqtt {
            Some(broker) => mqtt::send(broker, &mqtt::topic(out), live, &scores, every).await,
            None => {
                let bodies = live.chunks(args.body as usize);
                sending::send(&client, program.address(), bodies, &scores, every).await
            }
        }
    })?;
    let (last, times, unscored) = scores.end(PATIENCE);
    let (answered, failed) = clients_of.end(&runtime);
    program.end()?;
    let events = log.live().len() as u64;
    let took = last.saturating_duration_since(began).as_secs_f64();
    Ok(Measured {
        epoch_interval: interval.to_string(),
        clients,
        due: args.rate,
        done: (events - unscored) as f64 / took.max(1e-9),
        events,
        unscored,
        score: Times::of(&times),
        answers: answered.len(),
        failed,
        answer: Times::of(&answered),
    })
}

impl Times {
    fn of(histogram: &Histogram<u64>) -> Times {
        let at = |percentile| histogram.value_at_percentile(percentile) as f64 / 1e3;
        Times {
            p50: at(50.0),
            p99: at(99.0),
            p999: at(99.9),
            max: histogram.max() as f64 / 1e3,
        }
    }
}

/// Times in microseconds, up to ten minutes, to three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(600_000_000, 3)
        .unwrap_or_else(|_| unreachable!("ten minutes in microseconds are a valid bound"))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn head() -> String {
    format!(
        "{:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} | {:>8} {:>7} {:>9} {:>9} {:>9}",
        "epoch",
        "clients",
        "due/s",
        "scored/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "unscored",
        "answers",
        "failed",
        "p50 ms",
        "p99 ms",
        "max ms"
    )
}

fn line(run: &Measured) -> String {
    let (score, answer) = (&run.score, &run.answer);
    format!(
        "{:>8} {:>8} {:>9} {:>9} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9} | {:>8} {:>7} {:>9.1} {:>9.1} {:>9.1}",
        run.epoch_interval,
        run.clients,
        grouped(run.due),
        grouped(run.done as u64),
        score.p50,
        score.p99,
        score.p999,
        score.max,
        run.unscored,
        run.answers,
        run.failed,
        answer.p50,
        answer.p99,
        answer.max
    )
}
