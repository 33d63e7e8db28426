//! `hearth bench throughput`: events per CPU second, beside the plain loop.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::measure::{MeasureArgs, Measured, Program};
use super::report::{Report, Run};
use super::values::{Input, count, homes, median};
use super::workload::{self, Workload};
use crate::catalog;
use crate::config::Keys;
use crate::sources;
use crate::zones::Zones;

/// Measure events per CPU second of the incremental path, beside the plain loop
///
/// Makes a log in time order (or takes one), lets Hearth and the plain loop run on it in turns, each in a process of its
/// own, and compares the medians. First both must hold the same segments and transitions in the end. A log with late
/// events is sorted by the plain loop in memory first, which a stream cannot do.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth bench throughput
  hearth bench throughput --events 10M --homes 10k,1M --json bench.json
  hearth bench throughput --input binary,jsonl,csv,parquet --workers 1,2 --late 0,0.05
  hearth bench throughput my-log.jsonl.gz --runs 5")]
pub struct ThroughputArgs {
    /// A log to measure with; none: one is made
    #[arg(value_name = "LOG")]
    pub log: Option<PathBuf>,

    /// Homes of the log that is made
    #[arg(long, value_name = "NUMBER,..", default_value = "10k", value_delimiter = ',', value_parser = homes)]
    pub homes: Vec<u32>,

    /// Its events
    #[arg(long, value_name = "NUMBER", default_value = "1M", value_parser = count)]
    pub events: u64,

    /// Its formats
    #[arg(
        long,
        value_name = "FORMAT,..",
        default_value = "binary",
        value_delimiter = ','
    )]
    pub input: Vec<Input>,

    /// Shares of its events that come up to twelve hours late
    #[arg(
        long,
        value_name = "SHARE,..",
        default_value = "0",
        value_delimiter = ','
    )]
    pub late: Vec<f64>,

    /// Exponent of its homes' activity: 0 all alike, 1 the second half as active as the first
    #[arg(long, value_name = "EXPONENT", default_value = "0")]
    pub skew: f64,

    /// Where all chance comes from: the same seed gives the same log
    #[arg(long, value_name = "SEED", default_value = "2024")]
    pub seed: u64,

    /// Workers of Hearth
    #[arg(
        long,
        value_name = "NUMBER,..",
        default_value = "1",
        value_delimiter = ','
    )]
    pub workers: Vec<usize>,

    /// Lines of an epoch
    #[arg(long, value_name = "NUMBER", default_value = "10000", value_parser = count)]
    pub epoch_events: u64,

    /// Runs of each program; the median counts
    #[arg(long, value_name = "NUMBER", default_value = "3", value_parser = count)]
    pub runs: u64,

    /// Fail if Hearth takes more than so many times the plain loop's CPU
    #[arg(long, value_name = "RATIO")]
    pub at_most: Option<f64>,

    /// Also run Hearth with its outputs written to files
    #[arg(long)]
    pub write: bool,

    /// Where logs and outputs of the measurement lie; none: a temporary folder, removed afterwards
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// Write every run and the ratios as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Draw the figures
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// One log, and what it is.
struct Case {
    log: PathBuf,
    catalog: PathBuf,
    input: String,
    /// What is told of the log beside its homes and events.
    kind: String,
    /// Whether the plain loop can take it as it is.
    in_order: bool,
}

/// Runs the command.
///
/// # Errors
/// As [`super::run`].
pub fn run(args: &ThroughputArgs) -> anyhow::Result<()> {
    let mut report = Report::new();
    let temporary;
    let dir = match &args.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot make the folder {}", dir.display()))?;
            dir.as_path()
        }
        None => {
            temporary = tempfile::Builder::new().prefix("hearth-bench-").tempdir()?;
            temporary.path()
        }
    };
    match &args.log {
        Some(log) => measure(args, dir, &given(log, dir)?, &mut report)?,
        None => {
            for &homes in &args.homes {
                for &late in &args.late {
                    for &input in &args.input {
                        let case = made(args, dir, homes, late, input)?;
                        measure(args, dir, &case, &mut report)?;
                        if args.dir.is_none() {
                            std::fs::remove_file(&case.log)?;
                        }
                    }
                }
            }
        }
    }
    report.publish(args.json.as_deref(), args.svg.as_deref())?;
    let most = args.at_most.unwrap_or(f64::INFINITY);
    let beyond = |(what, ratio): &(&String, &f64)| what.starts_with(CPU) && **ratio > most;
    if let Some((what, ratio)) = report.ratios.iter().find(beyond) {
        anyhow::bail!("{what}: {ratio:.2} is more than --at-most {most}");
    }
    Ok(())
}

/// The plain loop without tables of counts.
const UNCOUNTED: &str = "plain loop, no counts";

/// How ratios of CPU seconds are named.
const CPU: &str = "CPU: ";

/// A log of the user's own. Its catalog is inferred.
fn given(log: &Path, dir: &Path) -> anyhow::Result<Case> {
    let inferred = catalog::infer(&[log.to_owned()], &Zones::new(None), &Keys::default())?;
    let file = dir.join("catalog.json");
    catalog::save(&inferred, &file)?;
    Ok(Case {
        log: log.to_owned(),
        catalog: file,
        input: sources::format_name(log).to_owned(),
        kind: String::new(),
        in_order: false,
    })
}

/// A log of the measured work.
fn made(
    args: &ThroughputArgs,
    dir: &Path,
    homes: u32,
    late: f64,
    input: Input,
) -> anyhow::Result<Case> {
    let workload = Workload {
        homes,
        events: args.events,
        late,
        skew: args.skew,
        seed: args.seed,
    };
    let log = dir
        .join(format!("{homes}-{}-{late}-{}", args.events, args.skew))
        .with_added_extension(input.format().extension());
    workload.write(input, &log)?;
    let catalog = dir.join("catalog.json");
    catalog::save(&workload::catalog()?, &catalog)?;
    let mut kind = String::new();
    if args.skew != 0.0 {
        kind += &format!(", skew {}", args.skew);
    }
    if late > 0.0 {
        kind += &format!(", {} % late", late * 100.0);
    }
    Ok(Case {
        log,
        catalog,
        input: input.name().to_owned(),
        kind,
        in_order: late == 0.0,
    })
}

/// Lets the programs run on a log in turns.
fn measure(
    args: &ThroughputArgs,
    dir: &Path,
    case: &Case,
    report: &mut Report,
) -> anyhow::Result<()> {
    let programs = programs(args, dir, case);
    agree(&programs)?;
    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); programs.len()];
    for _ in 0..args.runs {
        for ((what, order), all) in programs.iter().zip(&mut measured) {
            let measured = order.spawn()?;
            let what = format!("{what}{}", case.kind);
            let run = Run::new(what, &case.input, order.workers, &measured);
            report.runs.push(run);
            all.push(measured);
        }
    }
    compare(case, &programs, &measured, report);
    Ok(())
}

/// A program and what it is called. The first is the plain loop.
type Named = (&'static str, MeasureArgs);

/// What runs on a log.
fn programs(args: &ThroughputArgs, dir: &Path, case: &Case) -> Vec<Named> {
    let order = |program, workers, write: Option<PathBuf>| MeasureArgs {
        program,
        log: case.log.clone(),
        catalog: case.catalog.clone(),
        workers,
        epoch_events: usize::try_from(args.epoch_events).unwrap_or(usize::MAX),
        digest: false,
        write,
    };
    let mut programs = match case.in_order {
        true => vec![
            ("plain loop", order(Program::Plain, 1, None)),
            (UNCOUNTED, order(Program::Uncounted, 1, None)),
        ],
        false => vec![("plain loop, sorted first", order(Program::Sorted, 1, None))],
    };
    for &workers in &args.workers {
        programs.push(("hearth", order(Program::Hearth, workers, None)));
        if args.write {
            let out = Some(dir.join("out"));
            programs.push(("hearth, written", order(Program::Hearth, workers, out)));
        }
    }
    programs
}

/// Insists that all programs hold the same in the end. That is checked apart, for summing up costs time.
fn agree(programs: &[Named]) -> anyhow::Result<()> {
    let digest = |order: &MeasureArgs| MeasureArgs {
        digest: true,
        write: None,
        ..order.clone()
    };
    let expected = digest(&programs[0].1).spawn()?.totals;
    for (what, order) in &programs[1..] {
        let held = digest(order).spawn()?.totals;
        anyhow::ensure!(
            held.same(&expected),
            "{what} with {} workers and the plain loop do not hold the same in the end: {held:?}, {expected:?}; \
             if the log is in order and without lines that are rejected, this is a bug in Hearth",
            order.workers
        );
    }
    Ok(())
}

/// Reports the medians of what was measured over those of the plain loops.
fn compare(case: &Case, programs: &[Named], measured: &[Vec<Measured>], report: &mut Report) {
    let median = |program: usize, of: fn(&Measured) -> f64| {
        median(measured[program].iter().map(of).collect())
    };
    let cpu = |m: &Measured| m.cpu_seconds;
    let uncounted = programs.iter().position(|(what, _)| *what == UNCOUNTED);
    let mut one_worker = None;
    for (program, (what, order)) in programs.iter().enumerate().skip(1) {
        let (homes, events) = measured[program]
            .first()
            .map_or((0, 0), |m| (m.homes, m.events));
        let about = format!(
            "{}{}, {homes} homes, {events} events",
            case.input, case.kind
        );
        let workers = order.workers;
        let name = format!(
            "{CPU}{what} / {} ({about}, {workers} workers)",
            programs[0].0
        );
        let ratio = median(program, cpu) / median(0, cpu).max(1e-9);
        report.ratios.insert(name, ratio);
        if *what != "hearth" {
            continue;
        }
        if let Some(uncounted) = uncounted {
            let name = format!("{what} / {UNCOUNTED} ({about}, {workers} workers)");
            let ratio = median(program, cpu) / median(uncounted, cpu).max(1e-9);
            report.ratios.insert(name, ratio);
        }
        let wall = median(program, |m| m.wall_seconds);
        match one_worker {
            None if workers == 1 => one_worker = Some(wall),
            Some(one) => {
                let name = format!("wall: 1 worker / {workers} workers ({about})");
                report.ratios.insert(name, one / wall.max(1e-9));
            }
            None => {}
        }
    }
}
