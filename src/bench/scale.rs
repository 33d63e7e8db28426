//! `hearth bench scale`: CPU an event and bytes a home, as homes and their history grow.

use std::path::{Path, PathBuf};

use super::measure::{MeasureArgs, Measured, Program};
use super::report::{Report, Run};
use super::values::{Input, count, homes, median};
use super::workload::{self, Workload};
use crate::catalog;

/// Measure CPU an event and bytes a home, as homes and their history grow
///
/// The same number of events is spread over more and more homes: the CPU of an event should hardly change. Then the log
/// ends within a day, after a handful of events of each home that had any: what memory grows by is what an idle home
/// costs, its name included. Last, the history of the first number of homes grows fourfold and sixteenfold.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth bench scale
  hearth bench scale --homes 10k,100k,1M --events 10M --json scale.json")]
pub struct ScaleArgs {
    /// Homes, from few to many
    #[arg(long, value_name = "NUMBER,..", default_value = "10k,100k", value_delimiter = ',', value_parser = homes)]
    pub homes: Vec<u32>,

    /// Events over all homes
    #[arg(long, value_name = "NUMBER", default_value = "1M", value_parser = count)]
    pub events: u64,

    /// Runs of each; the median counts
    #[arg(long, value_name = "NUMBER", default_value = "3", value_parser = count)]
    pub runs: u64,

    /// Lines of an epoch
    #[arg(long, value_name = "NUMBER", default_value = "10000", value_parser = count)]
    pub epoch_events: u64,

    /// Where all chance comes from
    #[arg(long, value_name = "SEED", default_value = "2024")]
    pub seed: u64,

    /// Write every run and the ratios as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Draw the figures
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// Events of the log of idle homes, for each of them. Not every one has had its first then; those count that had.
const IDLE: u64 = 2;

/// Where runs are measured, and what came of them.
struct Bench<'a> {
    args: &'a ScaleArgs,
    dir: &'a Path,
    report: Report,
}

impl Bench<'_> {
    fn catalog(&self) -> PathBuf {
        self.dir.join("catalog.json")
    }

    /// Runs a log of so many homes and events, as often as asked for.
    fn measure(&mut self, what: &str, homes: u32, events: u64) -> anyhow::Result<Median> {
        let log = self.dir.join("scale.hlog");
        let workload = Workload {
            homes,
            events,
            late: 0.0,
            skew: 0.0,
            seed: self.args.seed,
        };
        workload.write(Input::Binary, &log)?;
        let order = MeasureArgs {
            program: Program::Hearth,
            log,
            catalog: self.catalog(),
            workers: 1,
            epoch_events: usize::try_from(self.args.epoch_events).unwrap_or(usize::MAX),
            digest: false,
            write: None,
        };
        let mut all = Vec::new();
        for _ in 0..self.args.runs {
            let measured = order.spawn()?;
            let input = Input::Binary.name();
            let run = Run::new(what.to_owned(), input, 1, &measured);
            self.report.runs.push(run);
            all.push(measured);
        }
        let median = |of: fn(&Measured) -> f64| median(all.iter().map(of).collect());
        let (cpu, held) = (median(|m| m.cpu_seconds), median(|m| m.held_bytes as f64));
        let (events, homes) = all.first().map_or((0, 0), |m| (m.events, m.homes));
        Ok(Median {
            events,
            homes: homes as f64,
            cpu,
            held,
        })
    }
}

/// Runs the command.
///
/// # Errors
/// As [`super::run`].
pub fn run(args: &ScaleArgs) -> anyhow::Result<()> {
    let dir = tempfile::Builder::new().prefix("hearth-bench-").tempdir()?;
    let mut bench = Bench {
        args,
        dir: dir.path(),
        report: Report::new(),
    };
    catalog::save(&workload::catalog()?, &bench.catalog())?;
    let mut measure = |what: &str, homes: u32, events: u64| bench.measure(what, homes, events);

    let mut ratios = Vec::new();
    let Some((&few, more)) = args.homes.split_first() else {
        anyhow::bail!("no homes are given; write --homes 10k,100k");
    };
    let first = measure("hearth, same events", few, args.events)?;
    let idle = measure("hearth, idle homes", few, u64::from(few) * IDLE)?;
    for &homes in more {
        let same = measure("hearth, same events", homes, args.events)?;
        ratios.push((
            format!(
                "CPU an event: {homes} homes / {few} homes ({} events)",
                args.events
            ),
            per_event(&same) / per_event(&first),
        ));
        let many = measure("hearth, idle homes", homes, u64::from(homes) * IDLE)?;
        let grown = many.held - idle.held;
        ratios.push((
            format!(
                "bytes an idle home: {} to {} homes with few events",
                idle.homes, many.homes
            ),
            grown / (many.homes - idle.homes),
        ));
    }
    for times in [4, 16] {
        let longer = measure("hearth, longer history", few, args.events * times)?;
        ratios.push((
            format!("CPU an event: history of {times} times the events / once ({few} homes)"),
            per_event(&longer) / per_event(&first),
        ));
        let grown = longer.held - first.held;
        ratios.push((
            format!("bytes an event of history: {times} times the events ({few} homes)"),
            grown / (longer.events as f64 - first.events as f64),
        ));
    }
    let mut report = bench.report;
    report.ratios.extend(ratios);
    report.publish(args.json.as_deref(), args.svg.as_deref())
}

/// The medians of some runs.
struct Median {
    events: u64,
    homes: f64,
    cpu: f64,
    /// What was held before the log's end was told: at its end all homes hand over at once, which no idle one does.
    held: f64,
}

fn per_event(median: &Median) -> f64 {
    median.cpu / (median.events.max(1) as f64)
}
