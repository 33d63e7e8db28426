//! The prequential protocol: each segment is judged by what was known before it, then learnt.
//!
//! Hearth replays a log, and its scores are read; beside it, plain methods go through the segments that it cut, in the order in
//! which they were known. For all of them the same behaviours count: from seven days after a home's first on, or from where
//! Hearth has begun to score it, whichever is later.

mod detection;
mod draws;
mod found;
pub(super) mod lines;
mod log;
mod material;
mod methods;
mod prediction;
mod scores;
mod seeds;
mod shifts;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::config::{Config, Synthesizer, UsageError};
use crate::evaluate::Truth;
use crate::replay::{self, ReplayArgs};
use crate::simulate::{self, SimulateArgs};
use crate::stop::Stop;
use lines::{Line, Slice, Task};
use log::Log;
use material::{Material, Replayed};
use seeds::Seeds;
pub(super) use shifts::Days;
use shifts::Shifts;

/// Hearth's row in the tables.
pub(super) const HEARTH: &str = "Hearth";
/// The same without anybody to answer its requests.
pub(super) const UNANSWERED: &str = "Hearth, no synthesis";

#[derive(clap::Args, Clone, Debug)]
#[command(
    long_about = "Each segment is judged by what was known before it, then learnt: Hearth, with and without synthesis, beside plain methods, \
        on simulated homes or on a log.\n\n\
        Hearth replays the log with the configuration given here; the other rows go through the segments that it cut. For all \
        rows the same behaviours count: from seven days after a home's first on, or from where Hearth has begun to score it, whichever is \
        later. Intervals are bootstraps over homes. Lines go to prequential.jsonl, tables and plots to prequential.html; what is \
        there already is not computed again.",
    after_help = "Examples:
  hearth experiment prequential --out run
  hearth experiment prequential --homes 30 --days 21 --seeds 201-202 --out quick
  hearth experiment prequential --log events.jsonl --contexts contexts.jsonl --truth truth.jsonl --out mine"
)]
pub(super) struct PrequentialArgs {
    /// Simulated homes a seed
    #[arg(long, value_name = "N", default_value = "150")]
    homes: NonZeroU32,

    /// Days that they live; the shift is about the middle
    #[arg(long, value_name = "D", default_value = "30")]
    days: simulate::Days,

    /// How many simulations, with seeds 1, 2, ...; or which: 201,207 or 201-205
    #[arg(long, value_name = "SEEDS", default_value = "5")]
    seeds: Seeds,

    /// A log of dated events instead of simulated homes; several files are one log
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["homes", "days", "seeds"])]
    log: Vec<PathBuf>,

    /// The log's declared shifts, as replay takes them
    #[arg(long, value_name = "FILE", requires = "log")]
    contexts: Option<PathBuf>,

    /// The log's devices and actions, as replay takes them
    #[arg(long, value_name = "FILE", requires = "log")]
    catalog: Option<PathBuf>,

    /// What was planted in the log, as simulate writes it
    #[arg(long, value_name = "FILE", requires = "log")]
    truth: Option<PathBuf>,

    /// Output folder; one that holds lines of an earlier run is taken up
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Configuration file; none: hearth.toml of the current folder, where there is one
    #[arg(
        long = "config",
        env = "HEARTH_CONFIG",
        value_name = "FILE",
        hide_env_values = true
    )]
    file: Option<PathBuf>,

    /// Everything that has a default.
    #[command(flatten, next_help_heading = "Configuration")]
    config: Config,
}

/// A log to be measured.
#[derive(Clone, Copy)]
enum Unit {
    /// Homes of a seed.
    Simulated(u64),
    /// The log that was given.
    Given,
}

/// The files of a log.
struct Files {
    logs: Vec<PathBuf>,
    contexts: Option<PathBuf>,
    catalog: Option<PathBuf>,
    truth: Option<PathBuf>,
}

/// Measures what is not measured yet, and appends its lines.
///
/// # Errors
/// The options make no sense, the folder cannot be used, a replay fails, or the run is stopped: what was finished before stays.
pub(super) fn run(args: &PrequentialArgs, stop: &Stop) -> Result<()> {
    if !args.log.is_empty() {
        args.given().check(args)?;
    }
    fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot make the folder {}", args.out.display()))?;
    agree(args)?;
    let there = lines::resume(&args.out)?;
    let _heeded = stop.heed();
    let units: Vec<Unit> = match args.log.is_empty() {
        true => args.seeds.iter().map(Unit::Simulated).collect(),
        false => vec![Unit::Given],
    };
    let source = args.source();
    for (i, unit) in units.iter().enumerate() {
        let seed = match unit {
            Unit::Simulated(seed) => *seed,
            Unit::Given => args.config.seed,
        };
        let name = format!("{source}, seed {seed} ({} of {})", i + 1, units.len());
        if there
            .iter()
            .any(|line| (&line.source, line.seed) == (&source, seed))
        {
            eprintln!("{name}: there already");
            continue;
        }
        let measured = measure(args, *unit, seed, stop, &|step| eprintln!("{name}: {step}"));
        if stop.is_interrupted() {
            bail!(
                "interrupted; what was finished before is in {}, and the same command goes on with the rest",
                args.out.display()
            );
        }
        lines::append(&args.out, &measured.with_context(|| name.clone())?)?;
    }
    Ok(())
}

impl PrequentialArgs {
    /// What the lines call the log.
    fn source(&self) -> String {
        if self.log.is_empty() {
            return format!("{} simulated homes, {} days", self.homes, self.days.get());
        }
        let name = |path: &PathBuf| match path.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => path.display().to_string(),
        };
        self.log.iter().map(name).collect::<Vec<_>>().join(" + ")
    }

    /// The log that was given.
    fn given(&self) -> Files {
        Files {
            logs: self.log.clone(),
            contexts: self.contexts.clone(),
            catalog: self.catalog.clone(),
            truth: self.truth.clone(),
        }
    }
}

impl Files {
    /// Refuses files that cannot be opened, before any work.
    fn check(&self, args: &PrequentialArgs) -> Result<()> {
        if self.logs.iter().any(|log| log.as_os_str() == "-") {
            let message = "the log is read more than once, so it must be a file; write standard input into one first";
            return Err(UsageError(message.to_owned()).into());
        }
        self.replay(args, Path::new(""), args.config.synthesizer)
            .check()?;
        if let Some(truth) = &self.truth {
            Truth::read(truth).map_err(|error| UsageError(format!("{error:#}")))?;
        }
        Ok(())
    }

    fn replay(&self, args: &PrequentialArgs, out: &Path, synthesizer: Synthesizer) -> ReplayArgs {
        ReplayArgs {
            logs: self.logs.clone(),
            contexts: self.contexts.clone(),
            feedback: None,
            erasures: None,
            compact: false,
            catalog: self.catalog.clone(),
            homes: None,
            out: out.to_owned(),
            fresh: true,
            dry_run: false,
            explain: false,
            cluster: Default::default(),
            file: None,
            config: Config {
                synthesizer,
                ..args.config.clone()
            },
        }
    }
}

/// All lines of a log, the run's own last.
fn measure(
    args: &PrequentialArgs,
    unit: Unit,
    seed: u64,
    stop: &Stop,
    tell: &dyn Fn(&str),
) -> Result<Vec<Line>> {
    let began = Instant::now();
    // Beside the results: a replay's output can be larger than what a system has for temporary files.
    let folder = tempfile::Builder::new()
        .prefix("replay-")
        .tempdir_in(&args.out)
        .with_context(|| format!("cannot make a folder in {}", args.out.display()))?;
    let files = match unit {
        Unit::Given => args.given(),
        Unit::Simulated(seed) => {
            tell("simulating");
            simulated(args, seed, &folder)?
        }
    };
    let material = replayed(args, &files, &folder, stop, tell)?;
    drop(folder);
    let draws = material.draws(seed);
    let mut found = prediction::measure(&material, &draws, stop, tell)?;
    found.extend(detection::measure(&material, &draws, (seed, stop), tell)?);
    let source = args.source();
    let mut lines: Vec<Line> = found
        .iter()
        .map(|found| found.line(&source, seed))
        .collect();
    let whole = whole(&material, &source, seed);
    tell(&format!(
        "{} of {} behaviours counted, {:.0} s",
        whole.behaviors,
        whole.metrics["behaviors"],
        began.elapsed().as_secs_f64()
    ));
    lines.push(whole);
    Ok(lines)
}

/// The line of the run itself: what there was, and what of it counts.
fn whole(material: &Material, source: &str, seed: u64) -> Line {
    let keys = || material.log.keys();
    let counted = || keys().filter(|key| material.counts(key));
    let homes = (0..material.log.homes() as u32).filter(|home| material.span(*home).is_some());
    let figures = [
        ("homes", material.log.homes()),
        ("actions", material.log.actions()),
        ("behaviors", keys().count()),
        (
            "planted",
            counted().filter(|key| material.is_planted(key)).count(),
        ),
    ];
    Line {
        source: source.to_owned(),
        seed,
        task: Task::Run,
        method: HEARTH.to_owned(),
        slice: Slice::default(),
        homes: homes.count() as u64,
        behaviors: counted().count() as u64,
        metrics: figures
            .map(|(name, figure)| (name.to_owned(), figure as f64))
            .into(),
        draws: Default::default(),
    }
}

fn simulated(args: &PrequentialArgs, seed: u64, folder: &TempDir) -> Result<Files> {
    let out = folder.path().join("simulated");
    simulate::write(&SimulateArgs {
        settings: simulate::Settings {
            homes: args.homes,
            days: args.days,
            seed,
            ..simulate::Settings::default()
        },
        out: out.clone(),
        format: Default::default(),
    })?;
    Ok(Files {
        logs: vec![out.join("events.jsonl")],
        contexts: Some(out.join("contexts.jsonl")),
        catalog: Some(out.join("catalog.json")),
        truth: Some(out.join("truth.jsonl")),
    })
}

/// Replays the log with and without synthesis (once, where either makes no difference), and reads what came of it.
fn replayed(
    args: &PrequentialArgs,
    files: &Files,
    folder: &TempDir,
    stop: &Stop,
    tell: &dyn Fn(&str),
) -> Result<Material> {
    let mut runs = vec![
        (HEARTH, args.config.synthesizer),
        (UNANSWERED, Synthesizer::None),
    ];
    if args.config.synthesizer == Synthesizer::None {
        runs.remove(0);
    } else if files.contexts.is_none() {
        runs.truncate(1);
    }
    let (mut log, mut replays) = (None, Vec::new());
    for (name, synthesizer) in runs {
        tell(name);
        let out = folder.path().join("replayed");
        replay::run_with_pauses(&files.replay(args, &out, synthesizer), &[], stop)?;
        // The segments are the same whoever answers requests.
        let log = match &log {
            Some(log) => log,
            None => log.insert(Log::read(&out)?),
        };
        replays.push(Replayed {
            name,
            scores: scores::read(&out, log)?,
            alarms: scores::alarms(&out, log)?,
        });
        fs::remove_dir_all(&out).with_context(|| format!("cannot remove {}", out.display()))?;
    }
    let log = log.context("nothing was replayed")?;
    let truth = files.truth.as_deref().map(Truth::read).transpose()?;
    let shifts = match (&files.contexts, &truth) {
        (Some(contexts), _) => Shifts::declared(contexts, args.config.timezone.clone(), &log)?,
        (None, Some(truth)) => Shifts::planted(truth, &log),
        (None, None) => Shifts::default(),
    };
    let planted = truth.map(|truth| {
        let planted = truth.anomalies.iter();
        let keys = planted.filter_map(|(home, time, action)| log.key(home, *time, action));
        keys.collect::<HashSet<_, _>>()
    });
    let material = Material::new(log, replays, shifts, planted);
    if (0..material.log.homes() as u32).all(|home| material.span(home).is_none()) {
        bail!(
            "no behaviour counts: no home was scored later than seven days after its first; give a longer log (or more --days)"
        );
    }
    Ok(material)
}

/// What all lines of a folder have in common.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    version: String,
    /// A checksum of the configuration, but for what outputs do not depend on, and of the given files' names and sizes.
    configuration: String,
}

/// Lines of replays that were configured differently, or of a log that has changed, are not to stand in one file.
fn agree(args: &PrequentialArgs) -> Result<()> {
    let config = Config {
        workers: std::num::NonZeroUsize::MIN,
        threads: std::num::NonZeroUsize::MIN,
        ..args.config.clone()
    };
    let files = args.log.iter().chain(&args.contexts);
    let files = files.chain(&args.catalog).chain(&args.truth);
    let sizes = files.map(|file| (file, fs::metadata(file).map_or(0, |data| data.len())));
    let all = format!("{config:?} {:?}", sizes.collect::<Vec<_>>());
    let ours = Settings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        configuration: format!("{:08x}", crc32fast::hash(all.as_bytes())),
    };
    let path = args.out.join("prequential.json");
    let Ok(text) = fs::read_to_string(&path) else {
        let text = serde_json::to_string(&ours)?;
        return fs::write(&path, text + "\n")
            .with_context(|| format!("cannot write {}", path.display()));
    };
    let theirs: Settings = serde_json::from_str(&text)
        .with_context(|| format!("{} is damaged; name another folder", path.display()))?;
    if theirs != ours {
        let message = format!(
            "{} holds results of version {} with another configuration or log than this one; name another folder",
            args.out.display(),
            theirs.version
        );
        return Err(UsageError(message).into());
    }
    Ok(())
}
