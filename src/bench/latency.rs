//! `hearth bench latency`: from the planned time of an event until its epoch's outputs are out, at rates up to saturation.
//!
//! The loop is open: events are due at a fixed rate whatever the dataflow does, and a late answer counts from the time at
//! which its event was due, so that waiting in a queue is not left out. An epoch is fed when its last event is due.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use hearth_operators::words::{Behavior, Catalogs, Epoch, HomeId, Line, Moment};

use super::cuts::Cuts;
use super::ingestion::{Counter, Path};
use super::latencies::Latency;
use super::report::Report;
use super::values::{count, homes};
use super::workload::{self, Workload};
use crate::config::Checkpointing;
use crate::engine::{Dealt, Watch};
use crate::sources::{Batch, Flow, Source, SourceError};

/// Measure how long an event takes to its epoch's outputs, at rates up to saturation
///
/// First the greatest rate is measured, as quickly as the path takes epochs. Then events are due at fixed shares of it (or
/// at fixed rates), whatever the path does, and each one's time runs from when it was due. A rate that the path cannot
/// keep up with is marked. Latencies tell something on a quiet machine alone: see the load that is said with them.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth bench latency
  hearth bench latency --epoch-events 1,100,10000 --json latency.json
  hearth bench latency --rates 50000,100000,200000 --workers 2
  hearth bench latency --events 60M --rates 2500k --checkpoint-every 10s")]
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

    /// Take checkpoints as a replay does, so often; off: none
    #[arg(long, value_name = "DURATION", default_value = "off")]
    pub checkpoint_every: Checkpointing,

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

/// Shares of the greatest rate that are measured.
const SHARES: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];

/// Below this the source does not sleep until the next epoch is due: waking up takes as long.
const SPIN: Duration = Duration::from_micros(100);

/// Runs the command.
///
/// # Errors
/// A worker fails, or the report cannot be written.
pub fn run(args: &LatencyArgs) -> anyhow::Result<()> {
    let mut report = Report::new();
    let log = Arc::new(log(args)?);
    let measure = |epoch_events: NonZeroUsize, rate: Option<f64>| {
        let cuts = Cuts::new(args.checkpoint_every)?;
        measure(&log, args.workers.get(), epoch_events.get(), rate, &cuts)
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
    cuts: &Cuts,
) -> anyhow::Result<Latency> {
    let began = Arc::new(OnceLock::new());
    let pace = Pace {
        began: began.clone(),
        first: epoch_events.min(log.len()),
        between: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
    };
    let watch = Arc::new(Clock::new(pace.clone(), log.len(), epoch_events));
    let path = Path {
        catalogs: Catalogs::shared(Arc::new(workload::catalog()?)),
        workers,
        epoch_events,
        watch: watch.clone(),
    };
    let source = Paced {
        log: log.clone(),
        read: 0,
        pace,
    };
    let (mut engine, stop) = path.start(source, Arc::new(Counter::new(false)))?;
    // The first epoch finds everything ready before it is measured.
    engine.step(1);
    began.get_or_init(Instant::now);
    let cuts = cuts.feed(&mut engine)?;
    engine.step(Epoch::MAX);
    engine.suspend();
    if let Some(failure) = stop.failure() {
        anyhow::bail!(failure);
    }
    let (took, histogram) = watch.result();
    let count = log.len() - epoch_events.min(log.len());
    let achieved = count as f64 / took.as_secs_f64().max(1e-9);
    let micros = |percentile| histogram.value_at_percentile(percentile) as f64 / 1e3;
    Ok(Latency {
        epoch_events,
        workers,
        rate: rate.unwrap_or(achieved),
        achieved,
        open_loop: rate.is_some(),
        cuts,
        p50: micros(50.0),
        p90: micros(90.0),
        p99: micros(99.0),
        p999: micros(99.9),
        p9999: micros(99.99),
        max: histogram.max() as f64 / 1e3,
    })
}

/// When events are due.
#[derive(Clone)]
struct Pace {
    /// When the first measured event is.
    began: Arc<OnceLock<Instant>>,
    /// Events before it, which are due at once.
    first: usize,
    /// Time between two events; `None`: all are due at once.
    between: Option<Duration>,
}

impl Pace {
    /// When an event is due, after the beginning.
    fn due(&self, event: usize) -> Duration {
        let between = self.between.unwrap_or_default();
        between.mul_f64(event.saturating_sub(self.first) as f64)
    }

    /// Sleeps until an event is due, but not past `deadline`. Whether it is due.
    fn wait(&self, event: usize, deadline: Instant) -> bool {
        loop {
            let now = Instant::now();
            let due = match self.began.get() {
                _ if event < self.first => return true,
                Some(began) => *began + self.due(event),
                None => now + SPIN * 2,
            };
            let wait = due.saturating_duration_since(now);
            if wait.is_zero() {
                return true;
            }
            if now >= deadline {
                return false;
            }
            if wait > SPIN {
                let wait = wait.min(deadline.saturating_duration_since(now));
                std::thread::sleep(wait.saturating_sub(SPIN / 2));
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

/// The measured work as a source: an epoch is there when its last event is due.
struct Paced {
    log: Arc<Vec<Behavior>>,
    read: usize,
    pace: Pace,
}

impl Source for Paced {
    fn read(
        &mut self,
        limit: usize,
        deadline: Instant,
        batch: &mut Batch,
    ) -> Result<Flow, SourceError> {
        let end = (self.read + limit).min(self.log.len());
        if end > self.read && self.pace.wait(end - 1, deadline) {
            batch.behaviors.extend_from_slice(&self.log[self.read..end]);
            self.read = end;
            batch.position.line = end as u64;
        }
        Ok(match self.read == self.log.len() {
            true => Flow::Ended,
            false => Flow::Open,
        })
    }
}

/// Measures how long events take.
struct Clock {
    pace: Pace,
    events: usize,
    epoch_events: usize,
    state: Mutex<Measured>,
}

struct Measured {
    /// When each epoch was fed: what counts where nothing is due at a time.
    fed: Vec<Instant>,
    last: Duration,
    histogram: Histogram<u64>,
}

impl Clock {
    fn new(pace: Pace, events: usize, epoch_events: usize) -> Self {
        // Up to an hour, to three digits: bounds that hold for any log.
        let histogram = Histogram::new_with_max(3_600_000_000_000, 3)
            .unwrap_or_else(|_| unreachable!("an hour in nanoseconds is a valid bound"));
        Clock {
            pace,
            events,
            epoch_events,
            state: Mutex::new(Measured {
                fed: Vec::new(),
                last: Duration::ZERO,
                histogram,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, Measured> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long all took, and each event in nanoseconds.
    fn result(&self) -> (Duration, Histogram<u64>) {
        let state = self.state();
        (state.last, state.histogram.clone())
    }
}

impl Watch for Clock {
    fn feeds(&self, _epoch: Epoch, _dealt: &Dealt) {
        self.state().fed.push(Instant::now());
    }

    fn out(&self, epoch: Epoch) {
        let (Some(began), true) = (self.pace.began.get(), epoch > 0) else {
            return;
        };
        let mut state = self.state();
        let epoch = epoch as usize;
        state.last = began.elapsed();
        let (last, fed) = (state.last, state.fed[epoch]);
        let begin = epoch * self.epoch_events;
        for event in begin..(begin + self.epoch_events).min(self.events) {
            let since = match self.pace.between {
                Some(_) => self.pace.due(event),
                None => fed.saturating_duration_since(*began),
            };
            let took = last.saturating_sub(since).as_nanos();
            let took = u64::try_from(took).unwrap_or(u64::MAX);
            state.histogram.saturating_record(took);
        }
    }
}
