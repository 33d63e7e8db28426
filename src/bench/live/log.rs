//! The events that are sent: the first days of simulated homes.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Parser;
use serde::Deserialize;

use super::LiveArgs;
use crate::simulate::{self, SimulateArgs};

/// Events of a simulated home a day, as few as there are.
const A_DAY: u64 = 20;

/// The log in memory.
pub(super) struct Log {
    catalog: PathBuf,
    lines: Vec<Line>,
    learnt: usize,
}

/// An event as it is sent.
pub(super) struct Line {
    pub text: String,
    pub key: String,
}

/// What an event, or its score, is known by.
#[derive(Deserialize)]
struct Named {
    home: String,
    time: String,
    device: Option<String>,
    action: String,
}

/// What an event is known by, in its log and in its score.
pub(super) fn key(line: &str) -> Option<String> {
    let Named {
        home,
        time,
        device,
        action,
    } = serde_json::from_str(line).ok()?;
    Some(match device {
        Some(device) => format!("{home} {time} {device}:{action}"),
        None => format!("{home} {time} {action}"),
    })
}

#[derive(Parser)]
struct Simulation {
    #[command(flatten)]
    args: SimulateArgs,
}

impl Log {
    /// As many events as are learnt and sent, simulated into the folder.
    pub fn of(args: &LiveArgs, folder: &Path) -> anyhow::Result<Log> {
        let (homes, learnt) = (u64::from(args.homes), args.learnt * u64::from(args.homes));
        let sent = args.rate as f64 * args.duration.duration().as_secs_f64();
        let sent = (sent as u64).max(1);
        let days = 1 + (learnt + sent).div_ceil(A_DAY * homes);
        let (homes, days, seed) = (args.homes.to_string(), days.to_string(), args.seed);
        let out = folder.join("log");
        let simulation = Simulation::try_parse_from([
            "simulate".as_ref(),
            "--homes".as_ref(),
            homes.as_ref(),
            "--days".as_ref(),
            days.as_ref(),
            "--seed".as_ref(),
            seed.to_string().as_ref(),
            "--out".as_ref(),
            out.as_os_str(),
        ])?;
        simulate::write(&simulation.args)?;
        let file = File::open(out.join("events.jsonl")).context("the simulated log is gone")?;
        let mut lines = Vec::new();
        for text in BufReader::new(file).lines().take((learnt + sent) as usize) {
            let text = text?;
            let key = key(&text).context("the simulated log holds no events")?;
            lines.push(Line { text, key });
        }
        ensure!(
            lines.len() as u64 == learnt + sent,
            "the simulated homes do less than was thought: {} events of {}",
            lines.len(),
            learnt + sent
        );
        Ok(Log {
            catalog: out.join("catalog.json"),
            lines,
            learnt: learnt as usize,
        })
    }

    pub fn catalog(&self) -> &Path {
        &self.catalog
    }

    pub fn learnt(&self) -> &[Line] {
        &self.lines[..self.learnt]
    }

    pub fn live(&self) -> &[Line] {
        &self.lines[self.learnt..]
    }
}
