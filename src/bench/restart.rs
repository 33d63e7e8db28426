//! `hearth bench restart`: how long a run that was stopped takes until it goes on.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::values::{Input, count, homes, median};
use super::workload::{self, Workload};
use crate::catalog;
use crate::replay::BACK_AFTER;

/// Measure how long a run that was stopped takes until it goes on
///
/// A replay is stopped near the end of its log, by Ctrl-C, so that it leaves a cut of where it is. Then it is started again and
/// again, each time from that cut; what counts is the time until its first new epoch is out. The more events a home has, the
/// more its models hold; with a few, homes are as good as idle.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth bench restart --homes 1M --events 2M --epoch-events 10k
  hearth bench restart --homes 10k --events 1M --workers 2")]
pub struct RestartArgs {
    /// Homes
    #[arg(long, value_name = "NUMBER", default_value = "10k", value_parser = homes)]
    pub homes: u32,

    /// Events over all homes
    #[arg(long, value_name = "NUMBER", default_value = "1M", value_parser = count)]
    pub events: u64,

    /// Starts; median and worst are told
    #[arg(long, value_name = "NUMBER", default_value = "20", value_parser = count)]
    pub runs: u64,

    /// Lines of an epoch
    #[arg(long, value_name = "NUMBER", default_value = "1000", value_parser = count)]
    pub epoch_events: u64,

    /// Worker threads of the dataflow
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = count)]
    pub workers: u64,

    /// Where all chance comes from
    #[arg(long, value_name = "SEED", default_value = "2024")]
    pub seed: u64,
}

/// Share of the log behind which the run is stopped.
const STOPPED: f64 = 0.9;

/// Runs the command.
///
/// # Errors
/// The log cannot be made, or a run fails.
pub fn run(args: &RestartArgs) -> anyhow::Result<()> {
    let dir = tempfile::Builder::new().prefix("hearth-bench-").tempdir()?;
    let dir = dir.path();
    catalog::save(&workload::catalog()?, &dir.join("catalog.json"))?;
    let workload = Workload {
        homes: args.homes,
        events: args.events,
        late: 0.0,
        skew: 0.0,
        seed: args.seed,
    };
    workload.write(Input::Jsonl, &dir.join("log.jsonl"))?;
    stopped(args, dir)?;
    let (out, kept) = (dir.join("out"), dir.join("kept"));
    fs::rename(&out, &kept)?;
    let mut took = Vec::new();
    for _ in 0..args.runs {
        copied(&kept, &out)?;
        took.push(goes_on(args, dir)?);
        fs::remove_dir_all(&out)?;
    }
    let worst = took.iter().copied().fold(0.0, f64::max);
    println!(
        "{} homes, {} events, {} starts: goes on after {:.2} s (median), {worst:.2} s (worst); the state is {} MiB",
        args.homes,
        args.events,
        args.runs,
        median(took),
        bytes(&kept.join("state"))? >> 20
    );
    Ok(())
}

fn replay(args: &RestartArgs, dir: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .current_dir(dir)
        .args(["replay", "log.jsonl", "--catalog", "catalog.json"]);
    command.args([
        "--out",
        "out",
        "--checkpoint-every",
        "1h",
        "--synthesizer",
        "none",
    ]);
    command.args(["--epoch-events", &args.epoch_events.to_string()]);
    command.args(["--workers", &args.workers.to_string()]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.spawn().context("a run cannot be started")
}

/// Runs it until most of the log is read, and stops it.
fn stopped(args: &RestartArgs, dir: &Path) -> anyhow::Result<()> {
    let log = fs::metadata(dir.join("log.jsonl"))?.len() as f64;
    let mut child = replay(args, dir)?;
    let io = PathBuf::from(format!("/proc/{}/io", child.id()));
    loop {
        if child.try_wait()?.is_some() {
            bail!("the run came to its end before it could be stopped; give it more events");
        }
        let io = fs::read_to_string(&io).context("the system does not tell what a run has read")?;
        let read = io
            .lines()
            .find_map(|line| line.strip_prefix("rchar: ")?.parse().ok());
        if read.is_some_and(|read: f64| read > STOPPED * log) {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupt = ["-INT", &child.id().to_string()];
    Command::new("kill").args(interrupt).status()?;
    let ended = child.wait_with_output()?;
    let told = String::from_utf8_lossy(&ended.stderr);
    match told.contains("the same command goes on with it") {
        true => Ok(()),
        false => bail!("the run left nothing to go on from: {told}"),
    }
}

/// Starts it again, and ends it when its first new epoch is out: the seconds until then.
fn goes_on(args: &RestartArgs, dir: &Path) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut child = replay(args, dir)?;
    let told = child.stderr.take().context("the run tells nothing")?;
    let mut took = None;
    for line in BufReader::new(told).lines() {
        if line?.contains(BACK_AFTER) {
            took = Some(began.elapsed().as_secs_f64());
            break;
        }
    }
    child.kill()?;
    child.wait()?;
    took.context("the run did not go on")
}

fn copied(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copied(&entry.path(), &to)?,
            false => drop(fs::copy(entry.path(), &to)?),
        }
    }
    Ok(())
}

fn bytes(of: &Path) -> anyhow::Result<u64> {
    let mut all = 0;
    for entry in fs::read_dir(of)? {
        let entry = entry?;
        all += match entry.file_type()?.is_dir() {
            true => bytes(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(all)
}
