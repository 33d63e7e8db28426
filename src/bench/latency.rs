//! `hearth bench latency`: from the planned time of an event until its epoch's outputs are out, at rates up to saturation.
//!
//! The loop is open: events are due at a fixed rate whatever the dataflow does, and a late answer counts from the time at
//! which its event was due, so that waiting in a queue is not left out. An epoch is fed when its last event is due.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use hdrhistogram::Histogram;
use hearth_operators::split::Rules;
use hearth_operators::words::{Behavior, Catalogs, HomeId, Line, Moment};
use serde::Serialize;
use timely::worker::Worker;

use super::incremental::{self, AHEAD, NAP, Running};
use super::report::Report;
use super::workload::{self, Workload};
use super::{count, homes};
use crate::outputs::grouped;

/// Measure how long an event takes to its epoch's outputs, at rates up to saturation
///
/// First the greatest rate is measured, as quickly as the path takes epochs. Then events are due at fixed shares of it (or
/// at fixed rates), whatever the path does, and each one's time runs from when it was due. A rate that the path cannot
/// keep up with is marked. Latencies tell something on a quiet machine alone: see the load that is said with them.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth bench latency
  hearth bench latency --epoch-events 1,100,10000 --json latency.json
  hearth bench latency --rates 50000,100000,200000 --workers 2")]
pub struct LatencyArgs {
    /// Homes
    #[arg(long, value_name = "NUMBER", default_value = "10k", value_parser = homes)]
    pub homes: u32,

    /// Events of each measurement
    #[arg(long, value_name = "NUMBER", default_value = "500k", value_parser = count)]
    pub events: u64,

    /// Events of an epoch
    #[arg(
        long,
        value_name = "NUMBER,..",
        default_value = "100",
        value_delimiter = ','
    )]
    pub epoch_events: Vec<NonZeroUsize>,

    /// Events a second; none: 10, 25, 50, 75 and 90 % of the greatest rate
    #[arg(long, value_name = "NUMBER,..", value_delimiter = ',', value_parser = count)]
    pub rates: Vec<u64>,

    /// Workers
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    pub workers: NonZeroUsize,

    /// Where all chance comes from
    #[arg(long, value_name = "SEED", default_value = "2024")]
    pub seed: u64,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Draw the figures
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// What was measured at a rate.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// Events of an epoch.
    pub epoch_events: usize,
    /// Workers.
    pub workers: usize,
    /// Events a second that were due; the greatest rate where `open_loop` is false.
    pub rate: f64,
    /// Events a second that got through.
    pub achieved: f64,
    /// Whether events were due at a rate, or fed as quickly as they were taken.
    pub open_loop: bool,
    /// Microseconds from an event's due time until its epoch was out: the median.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// All but one of a hundred.
    pub p99: f64,
    /// All but one of a thousand.
    pub p999: f64,
    /// All but one of ten thousand.
    pub p9999: f64,
    /// All.
    pub max: f64,
}

impl Latency {
    /// Whether the path kept up.
    pub fn kept_up(&self) -> bool {
        self.achieved >= 0.95 * self.rate
    }
}

/// Shares of the greatest rate that are measured.
const SHARES: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];

/// Below this a worker does not sleep until the next epoch is due: waking up takes as long.
const SPIN: Duration = Duration::from_micros(100);

/// Runs the command.
///
/// # Errors
/// A worker fails, or the report cannot be written.
pub fn run(args: &LatencyArgs) -> anyhow::Result<()> {
    let mut report = Report::new();
    let log = Arc::new(log(args)?);
    let measure = |epoch_events: NonZeroUsize, rate: Option<f64>| {
        measure(&log, args.workers.get(), epoch_events.get(), rate)
    };
    for &epoch_events in &args.epoch_events {
        let greatest = measure(epoch_events, None)?;
        let rates: Vec<f64> = match args.rates[..] {
            [] => SHARES.map(|share| share * greatest.achieved).to_vec(),
            ref rates => rates.iter().map(|rate| *rate as f64).collect(),
        };
        report.latencies.push(greatest);
        for rate in rates {
            report.latencies.push(measure(epoch_events, Some(rate))?);
        }
    }
    report.publish(args.json.as_deref(), args.svg.as_deref())
}

/// The measured work in memory.
fn log(args: &LatencyArgs) -> anyhow::Result<Vec<Behavior>> {
    let workload = Workload {
        homes: args.homes,
        events: args.events,
        late: 0.0,
        skew: 0.0,
        seed: args.seed,
    };
    let mut log = Vec::new();
    workload.each(|event| {
        log.push(Behavior {
            home: HomeId(event.home),
            moment: Moment {
                time: event.time,
                action: event.action,
                offset: 0,
            },
            id: None,
            line: Line {
                file: 0,
                line: log.len() as u64 + 1,
            },
        });
        Ok(())
    })?;
    Ok(log)
}

/// Feeds the log at a rate (without one: as quickly as it is taken), and tells how long events took.
fn measure(
    log: &Arc<Vec<Behavior>>,
    workers: usize,
    epoch_events: usize,
    rate: Option<f64>,
) -> anyhow::Result<Latency> {
    let path = incremental::Path {
        rules: Rules::new(Catalogs::shared(Arc::new(workload::catalog()?))),
        workers,
        epoch_events,
        digest: false,
        rows: None,
    };
    let result = Arc::new(Mutex::new(None));
    let (told, log, count) = (result.clone(), log.clone(), log.len());
    let running = timely::execute(timely::Config::process(workers), move |worker| {
        let running = worker.dataflow(|scope| path.build(scope, &Arc::default()));
        if worker.index() == 0 {
            let measured = feed(worker, running, &log, epoch_events, rate);
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(measured);
        } else {
            let done = running.done.clone();
            drop(running);
            while !done.done() {
                worker.step_or_park(Some(NAP));
            }
        }
    });
    for worker in running.map_err(|error| anyhow!(error))?.join() {
        worker.map_err(|error| anyhow!("a worker failed: {error}"))?;
    }
    let measured = result.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (took, histogram) = measured.ok_or_else(|| anyhow!("the first worker gave no result"))?;
    let achieved = count as f64 / took.as_secs_f64().max(1e-9);
    let micros = |percentile| histogram.value_at_percentile(percentile) as f64 / 1e3;
    Ok(Latency {
        epoch_events,
        workers,
        rate: rate.unwrap_or(achieved),
        achieved,
        open_loop: rate.is_some(),
        p50: micros(50.0),
        p90: micros(90.0),
        p99: micros(99.0),
        p999: micros(99.9),
        p9999: micros(99.99),
        max: histogram.max() as f64 / 1e3,
    })
}

/// Feeds epochs when they are due. How long all took, and each event in nanoseconds.
fn feed(
    worker: &mut Worker,
    running: Running,
    log: &[Behavior],
    epoch_events: usize,
    rate: Option<f64>,
) -> (Duration, Histogram<u64>) {
    let Running {
        mut behaviors,
        mut notices,
        done,
    } = running;
    // Up to an hour, to three digits: bounds that hold for any log.
    let mut histogram = Histogram::new_with_max(3_600_000_000_000, 3)
        .unwrap_or_else(|_| unreachable!("an hour in nanoseconds is a valid bound"));
    let between = Duration::from_secs_f64(rate.map_or(0.0, |rate| 1.0 / rate));
    let due = |event: usize| between.mul_f64(event as f64);
    let batches: Vec<&[Behavior]> = log.chunks(epoch_events).collect();
    // When each epoch was fed: what counts where no rate is given.
    let mut fed: Vec<Duration> = Vec::with_capacity(batches.len());
    let mut out = 0;
    let began = Instant::now();
    while out < batches.len() {
        let next = batches.get(fed.len());
        let now = began.elapsed();
        let wait = match (next, rate) {
            (None, _) => Some(NAP),
            (Some(batch), Some(_)) => {
                let last = due(fed.len() * epoch_events + batch.len() - 1);
                last.checked_sub(now).filter(|wait| !wait.is_zero())
            }
            // Without a rate only so much is ahead as in a replay.
            (Some(_), None) => ((fed.len() - out) as u64 >= AHEAD).then_some(NAP),
        };
        match (next, wait) {
            (Some(batch), None) => {
                fed.push(now);
                behaviors.send_batch(&mut batch.to_vec());
                behaviors.advance_to(fed.len() as u64);
                notices.advance_to(fed.len() as u64);
                worker.step();
            }
            (_, Some(wait)) if wait > SPIN && !done.less_than(&(fed.len() as u64)) => {
                worker.step_or_park(Some(wait - SPIN / 2));
            }
            _ => {
                worker.step();
            }
        }
        while out < fed.len() && !done.less_equal(&(out as u64)) {
            let now = began.elapsed();
            for event in 0..batches[out].len() {
                let since = match rate {
                    Some(_) => due(out * epoch_events + event),
                    None => fed[out],
                };
                let took = now.saturating_sub(since).as_nanos();
                histogram.saturating_record(u64::try_from(took).unwrap_or(u64::MAX));
            }
            out += 1;
        }
    }
    let took = began.elapsed();
    drop((behaviors, notices));
    while !done.done() {
        worker.step_or_park(Some(NAP));
    }
    (took, histogram)
}

/// A line a measurement.
pub(super) fn table(latencies: &[Latency]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:>12} {:>7} {:>11} {:>11} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10}",
        "epoch events",
        "workers",
        "due/s",
        "done/s",
        "p50 µs",
        "p90 µs",
        "p99 µs",
        "p99.9 µs",
        "p99.99 µs",
        "max µs"
    );
    for l in latencies {
        let due = match l.open_loop {
            true => grouped(l.rate as u64),
            false => "greatest".into(),
        };
        let _ = writeln!(
            text,
            "{:>12} {:>7} {:>11} {:>11} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>10.0}{}",
            grouped(l.epoch_events as u64),
            l.workers,
            due,
            grouped(l.achieved as u64),
            l.p50,
            l.p90,
            l.p99,
            l.p999,
            l.p9999,
            l.max,
            if l.kept_up() {
                ""
            } else {
                "  not kept up with"
            }
        );
    }
    text
}
