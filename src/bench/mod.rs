//! `hearth bench`: what Hearth costs, beside a plain loop with the same duties in the same run.
//!
//! A measurement makes its log (or takes one), then runs the programs in turns, each in a process of its own, and
//! compares medians. Before it measures it insists that the programs hold the same segments and transitions in the end.

mod adapt;
mod incremental;
mod latency;
mod measure;
mod plain;
mod plot;
mod report;
mod scale;
mod throughput;
mod totals;
mod workload;

pub use adapt::{AdaptArgs, Adaptation, Share};
pub use incremental::Path as IncrementalPath;
pub use latency::{Latency, LatencyArgs};
pub use measure::{MeasureArgs, Measured, Program};
pub use plain::Plain;
pub use report::{Machine, Report, Run};
pub use scale::ScaleArgs;
pub use throughput::ThroughputArgs;
pub use totals::{Digest, Totals};
pub use workload::{Workload, catalog};

use crate::sources::LogFormat;

/// Measure what Hearth costs on this machine, beside a plain loop with the same duties
///
/// `throughput`, `latency` and `scale` measure the incremental path, `adapt` what a home's adaptation takes. The path is: read, split with revisions, duplicates and horizon, shifts, transition counts, all
/// changes handed over and counted. Each run is a process of its own; programs alternate; figures are medians. The load of
/// the machine is said, and CPU seconds beside those of the clock: on a busy machine only the former tell anything.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth bench throughput
  hearth bench throughput --events 10000000 --input binary,jsonl,csv --json bench.json
  hearth bench throughput my-log.jsonl.gz --workers 1,2
  hearth bench latency --rates 50000,100000,200000
  hearth bench scale --homes 10000,1000000
  hearth bench adapt --homes 200")]
pub struct BenchArgs {
    /// What to measure.
    #[command(subcommand)]
    pub measurement: Measurement,
}

/// The measurements; each is described where its arguments are.
#[derive(clap::Subcommand, Clone, Debug)]
#[allow(
    missing_docs,
    reason = "a comment here would replace the arguments' own on the help page"
)]
pub enum Measurement {
    Throughput(ThroughputArgs),
    Latency(LatencyArgs),
    Scale(ScaleArgs),
    Adapt(AdaptArgs),
    #[command(hide = true)]
    Measure(MeasureArgs),
}

/// Runs the command.
///
/// # Errors
/// A log cannot be made or read, a run fails, the programs do not agree, or the report cannot be written.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    match &args.measurement {
        Measurement::Throughput(args) => throughput::run(args),
        Measurement::Latency(args) => latency::run(args),
        Measurement::Scale(args) => scale::run(args),
        Measurement::Adapt(args) => adapt::run(args),
        Measurement::Measure(args) => measure::run(args),
    }
}

/// The formats of a measured log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Input {
    /// Packed (`.hlog`), blocks as they are.
    Binary,
    /// JSON Lines.
    Jsonl,
    /// CSV.
    Csv,
    /// Parquet.
    Parquet,
}

impl Input {
    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Input::Binary => "binary",
            Input::Jsonl => "jsonl",
            Input::Csv => "csv",
            Input::Parquet => "parquet",
        }
    }

    /// The format that its logs are written in.
    fn format(self) -> LogFormat {
        match self {
            Input::Binary => LogFormat::Hlog,
            Input::Jsonl => LogFormat::Jsonl,
            Input::Csv => LogFormat::Csv,
            Input::Parquet => LogFormat::Parquet,
        }
    }
}

/// A number of events such as `10000000` or `10M`, `300k`.
fn count(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_000),
        None => match text.strip_suffix(['m', 'M']) {
            Some(digits) => (digits, 1_000_000),
            None => (text, 1),
        },
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(unit))
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("`{text}` is no number above zero; write 300000, 300k or 10M"))
}

/// The same for homes.
fn homes(text: &str) -> Result<u32, String> {
    let number = count(text)?;
    u32::try_from(number).map_err(|_| format!("`{text}` homes are too many"))
}

/// The middle of some numbers; 0 of none.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    match numbers.len() {
        0 => 0.0,
        n if n % 2 == 1 => numbers[n / 2],
        n => (numbers[n / 2 - 1] + numbers[n / 2]) / 2.0,
    }
}
