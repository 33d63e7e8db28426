//! `hearth bench`: what Hearth costs, beside a plain loop with the same duties in the same run.
//!
//! A measurement makes its log (or takes one), then runs the programs in turns, each in a process of its own, and
//! compares medians. Before it measures it insists that the programs hold the same segments and transitions in the end.

mod adapt;
mod adaptations;
mod cuts;
mod ingestion;
mod latencies;
mod latency;
mod live;
mod measure;
mod plain;
mod plot;
mod report;
mod restart;
mod scale;
mod soak;
mod throughput;
mod totals;
mod values;
mod workload;

use crate::stop::Stop;
pub use adapt::AdaptArgs;
pub use adaptations::{Adaptation, Share};
pub use latencies::Latency;
pub use latency::LatencyArgs;
pub use live::LiveArgs;
pub use measure::{MeasureArgs, Measured, Program};
pub use plain::Plain;
pub use report::{Report, Run};
pub use restart::RestartArgs;
pub use scale::ScaleArgs;
pub use soak::SoakArgs;
pub use throughput::ThroughputArgs;
pub use totals::{Digest, Totals};
pub use values::Input;
pub use workload::{Workload, catalog};

/// Measure what Hearth costs on this machine, beside a plain loop with the same duties
///
/// `throughput`, `latency` and `scale` measure the incremental path, `adapt` what a home's adaptation takes,
/// `restart` how soon a stopped run goes on, `soak` whether memory grows with time,
/// `live` how long an event takes from its sender to its score. The path of the others is: read,
/// split with revisions, duplicates and horizon, shifts, transition counts, all changes handed over and counted. Each run is a
/// process of its own; programs alternate; figures are medians. The load of the machine is said, and CPU seconds beside those of
/// the clock: on a busy machine only the former tell anything.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth bench throughput
  hearth bench throughput --events 10000000 --input binary,jsonl,csv --json bench.json
  hearth bench throughput my-log.jsonl.gz --workers 1,2
  hearth bench latency --rates 50000,100000,200000
  hearth bench scale --homes 10000,1000000
  hearth bench adapt --homes 200
  hearth bench restart --homes 10k
  hearth bench soak --duration 1h
  hearth bench live --rate 1k")]
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
    Restart(RestartArgs),
    Soak(SoakArgs),
    Live(LiveArgs),
    #[command(hide = true)]
    Measure(MeasureArgs),
}

/// Runs the command.
///
/// # Errors
/// A log cannot be made or read, a run fails, the programs do not agree, or the report cannot be written.
pub fn run(args: &BenchArgs, stop: &Stop) -> anyhow::Result<()> {
    match &args.measurement {
        Measurement::Throughput(args) => throughput::run(args),
        Measurement::Latency(args) => latency::run(args),
        Measurement::Scale(args) => scale::run(args),
        Measurement::Adapt(args) => adapt::run(args),
        Measurement::Restart(args) => restart::run(args),
        Measurement::Soak(args) => soak::run(args, stop),
        Measurement::Live(args) => live::run(args),
        Measurement::Measure(args) => measure::run(args),
    }
}
