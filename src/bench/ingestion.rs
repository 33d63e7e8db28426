//! The incremental path of a replay, its outputs counted: read, split, shifts, transitions. No representatives, no models.

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};
use crossbeam_channel::{Receiver, Sender, bounded};
use hearth_operators::words::{Catalog, Epoch};

use super::totals::{Digest, Totals};
use crate::config::Config;
use crate::engine::{self, Engine, Epochs, Setup, Watch};
use crate::settings::settings;
use crate::sinks::{Row, rss};
use crate::sources::Source;
use crate::stop::Stop;

/// Batches of rows that may wait to be counted before a worker does.
const BATCHES: usize = 64;

/// How the path is run.
pub struct Path {
    /// The vocabulary.
    pub catalog: Arc<Catalog>,
    /// Threads that share the homes.
    pub workers: usize,
    /// Lines of an epoch.
    pub epoch_events: usize,
    /// Who is told how it goes.
    pub watch: Arc<dyn Watch>,
}

impl Path {
    /// Starts the engine, its rows going to `rows`.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn start(
        self,
        source: impl Source + 'static,
        rows: Sender<Vec<Row>>,
    ) -> anyhow::Result<(Engine, Stop)> {
        let stop = Stop::default();
        let setup = Setup {
            workers: self.workers,
            dataflow: settings(&Config::default(), &self.catalog),
            services: None,
            epochs: Epochs {
                lines: self.epoch_events,
                interval: None,
            },
            stop: stop.clone(),
            watch: self.watch,
        };
        Ok((engine::start(setup, source, rows)?, stop))
    }

    /// Runs a source to its end. Returns how many bytes of memory were held when all lines were through and nothing was said
    /// of an end yet (0 where the system does not tell).
    ///
    /// # Errors
    /// The source breaks off, or a worker fails.
    pub fn run(self, source: impl Source + 'static, rows: Sender<Vec<Row>>) -> anyhow::Result<u64> {
        let (mut engine, stop) = self.start(source, rows)?;
        engine.step(Epoch::MAX);
        let held = rss().unwrap_or(0);
        let outcome = engine.finish();
        match stop.failure() {
            Some(failure) => Err(anyhow!(failure)),
            None => Ok(outcome.source.map(|()| held)?),
        }
    }
}

/// A sink that counts rows and drops them.
pub struct Counter(JoinHandle<Totals>);

impl Counter {
    /// Begins to count; with `digest`, also sums up what is handed over, to be compared.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn start(digest: bool) -> anyhow::Result<(Self, Sender<Vec<Row>>)> {
        let (rows, taken) = bounded(BATCHES);
        let thread = std::thread::Builder::new().name("counter".into());
        let thread = thread.spawn(move || count(&taken, digest));
        Ok((Counter(thread.context("cannot count")?), rows))
    }

    /// Everything that was handed over, once nobody hands over any more.
    ///
    /// # Errors
    /// The counting panicked.
    pub fn totals(self) -> anyhow::Result<Totals> {
        let stopped = |_| anyhow!("the counter stopped unexpectedly");
        self.0.join().map_err(stopped)
    }
}

fn count(taken: &Receiver<Vec<Row>>, digest: bool) -> Totals {
    let mut totals = Totals::default();
    let mut digest = digest.then(Digest::default);
    for row in taken.iter().flatten() {
        match row {
            Row::Segment { diff, segment, .. } => {
                totals.segment(diff);
                if let Some(digest) = &mut digest {
                    digest.segment(segment.home, &segment.moments, diff);
                }
            }
            Row::Transition {
                diff,
                home,
                from,
                to,
                ..
            } => {
                totals.transition(diff);
                if let Some(digest) = &mut digest {
                    digest.transition(home, (from, to), diff);
                }
            }
            Row::Tally { applied, duplicate } => {
                totals.applied += applied;
                totals.duplicate += duplicate;
            }
            Row::Late { .. } | Row::Implausible { .. } | Row::Rejected { .. } => {
                totals.refused += 1;
            }
            _ => {}
        }
    }
    totals.digest = digest.map_or(0, Digest::value);
    totals
}
