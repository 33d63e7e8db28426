//! `hearth show`: what a replay found, accumulated from its output folder.

mod alarms;
mod graph;
mod home;
mod table;
mod terminal;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

pub use alarms::{AlarmsArgs, run as alarms};
pub use home::Part;

use crate::config::UsageError;
use crate::evaluate;
use crate::outputs::read;

/// Show what a replay found: its homes, one home, or how well it did against a known truth
///
/// Adds up the changelogs of an output folder. Without further options: a table of the homes. With --home: that
/// home's segments, behaviour graph, representatives, requests, verdicts, model versions and drifts. With --truth: how well
/// anomalies, next actions and shifts were recognised, beside trivial answers to the same questions.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth show out
  hearth show out --home h-17
  hearth show out --home h-17 --only graph,versions --limit 50
  hearth show out --home h-17 --dot - | dot -Tsvg > h-17.svg
  hearth show out --truth simulated/truth.jsonl")]
pub struct ShowArgs {
    /// Output folder of a replay
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Show this home
    #[arg(long, value_name = "NAME")]
    pub home: Option<String>,

    /// Of the home, show these parts alone (several with commas between)
    #[arg(long, value_name = "PART", value_delimiter = ',', requires = "home")]
    pub only: Vec<Part>,

    /// Show at most so many entries of each part of a home, the most frequent or the newest (without it 10), or so many homes (200);
    /// 0 shows all, and long segments whole
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,

    /// Write the home's behaviour graph for Graphviz instead; - is the standard output
    #[arg(long, value_name = "FILE", requires = "home", conflicts_with = "only")]
    pub dot: Option<PathBuf>,

    /// Compare with the truth.jsonl that hearth simulate wrote
    #[arg(long, value_name = "FILE", conflicts_with = "home")]
    pub truth: Option<PathBuf>,
}

/// Shows what the arguments ask for, on the standard output.
///
/// # Errors
/// The folder is no output folder ([`UsageError`]), a line of it is damaged, or the output cannot be written.
pub fn run(arguments: &ShowArgs) -> anyhow::Result<()> {
    let dir = &arguments.dir;
    read::check(dir).map_err(|refused| UsageError(refused.to_string()))?;
    let mut out = BufWriter::new(io::stdout().lock());
    match (&arguments.home, &arguments.truth) {
        (Some(name), _) => match &arguments.dot {
            Some(path) => {
                let transitions = home::transitions(dir, name)?;
                if path.as_os_str() == "-" {
                    graph::write(&mut out, name, &transitions)?;
                } else {
                    let failed = || format!("cannot write {}", path.display());
                    let file = std::fs::File::create(path).with_context(failed)?;
                    let mut file = BufWriter::new(file);
                    graph::write(&mut file, name, &transitions).with_context(failed)?;
                    file.flush().with_context(failed)?;
                }
            }
            None => {
                let limit = limit(arguments, ENTRIES);
                home::show(&mut out, dir, name, &arguments.only, limit)?;
            }
        },
        (None, Some(truth)) => {
            if !truth.is_file() {
                let path = truth.display();
                return Err(
                    UsageError(format!("cannot read the truth {path}: no such file")).into(),
                );
            }
            write!(out, "{}", evaluate::evaluate(dir, truth)?)?;
        }
        (None, None) => table::show(&mut out, dir, limit(arguments, HOMES))?,
    }
    Ok(out.flush()?)
}

/// Entries of a part of a home, and homes, that fit on a screen or are scrolled through.
const ENTRIES: usize = 10;
const HOMES: usize = 200;

fn limit(arguments: &ShowArgs, usual: usize) -> usize {
    match arguments.limit {
        Some(0) => usize::MAX,
        limit => limit.unwrap_or(usual),
    }
}

#[cfg(test)]
mod tests;
