//! The incremental path of a replay, its outputs counted: read, split, shifts, transitions. Nothing is learnt.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use hearth_operators::dataflow::{Services, Settings, Streams};
use hearth_operators::split::Account;
use hearth_operators::words::{Catalogs, Epoch};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::Operator;

use super::totals::{Digest, Totals};
use crate::config::Config;
use crate::engine::{self, Engine, Epochs, Outlet, Probes, Resumed, Setup, Watch};
use crate::memory::rss;
use crate::settings::settings;
use crate::sources::{Rejected, Source};
use crate::stop::Stop;

/// How the path is run.
pub struct Path {
    /// The vocabularies of homes.
    pub catalogs: Arc<Catalogs>,
    /// Threads that share the homes.
    pub workers: usize,
    /// Lines of an epoch.
    pub epoch_events: usize,
    /// Who is told how it goes.
    pub watch: Arc<dyn Watch>,
}

impl Path {
    /// Starts the engine.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn start(
        self,
        source: impl Source + 'static,
        outlet: Arc<dyn Outlet>,
    ) -> anyhow::Result<(Engine, Stop)> {
        let stop = Stop::default();
        let setup = Setup {
            workers: self.workers,
            dataflow: Settings {
                learn: false,
                ..settings(&Config::default(), &self.catalogs)
            },
            services: Services::nobody(),
            outlet,
            resumed: Resumed::default(),
            epochs: Epochs {
                lines: self.epoch_events,
                interval: None,
            },
            stop: stop.clone(),
            watch: self.watch,
        };
        Ok((engine::start(setup, source)?, stop))
    }

    /// Runs a source to its end. Returns how many bytes of memory were held when all lines were through and nothing was said
    /// of an end yet (0 where the system does not tell).
    ///
    /// # Errors
    /// The source breaks off, or a worker fails.
    pub fn run(
        self,
        source: impl Source + 'static,
        outlet: Arc<dyn Outlet>,
    ) -> anyhow::Result<u64> {
        let (mut engine, stop) = self.start(source, outlet)?;
        engine.step(Epoch::MAX);
        let held = rss().unwrap_or(0);
        let outcome = engine.finish();
        match stop.failure() {
            Some(failure) => Err(anyhow!(failure)),
            None => Ok(outcome.source.map(|()| held)?),
        }
    }
}

/// Counts what leaves the dataflow, on the workers, and drops it.
#[derive(Clone)]
pub struct Counter {
    digest: bool,
    totals: Arc<Mutex<Totals>>,
}

impl Counter {
    /// Nothing yet; with `digest`, what is handed over is also summed up, to be compared.
    pub fn new(digest: bool) -> Self {
        let totals = Arc::default();
        Counter { digest, totals }
    }

    /// What was counted by workers that have ended.
    pub fn totals(&self) -> Totals {
        let totals = self.totals.lock();
        totals.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count<D: Clone + 'static>(
        &self,
        stream: StreamVec<'_, Epoch, D>,
        probes: &Probes,
        count: impl Fn(&mut Totals, Option<&mut Digest>, &D) + 'static,
    ) {
        let mut share = Share {
            own: Totals::default(),
            digest: self.digest.then(Digest::default),
            all: self.totals.clone(),
        };
        stream
            .unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
                Pipeline,
                "Count",
                |_capability, _info| {
                    move |input, _output| {
                        input.for_each_stamp(|_, data| {
                            for batch in data {
                                share.count(batch, &count);
                            }
                        });
                    }
                },
            )
            .probe_with(&probes.ingested)
            .probe_with(&probes.done);
    }
}

impl Outlet for Counter {
    fn connect(&self, streams: Streams<'_>) -> Probes {
        let probes = Probes::default();
        let ingested = streams.ingested;
        self.count(
            ingested.segments.inner,
            &probes,
            |totals, digest, (segment, _, diff)| {
                totals.segment(*diff);
                if let Some(digest) = digest {
                    digest.segment(segment.home, &segment.moments, *diff);
                }
            },
        );
        self.count(
            ingested.transitions.inner,
            &probes,
            |totals, digest, (edge, _, diff)| {
                totals.transition(*diff);
                if let Some(digest) = digest {
                    digest.transition(edge.home, (edge.from, edge.to), *diff);
                }
            },
        );
        self.count(
            ingested.accounts,
            &probes,
            |totals, _, account| match account {
                Account::Counted { applied, duplicate } => {
                    totals.applied += applied;
                    totals.duplicate += duplicate;
                }
                Account::Late(_) | Account::Rejected(_) => totals.refused += 1,
                Account::Erased(erased) => totals.applied -= erased.applied,
                // Nobody asks.
                Account::Told(..) => {}
            },
        );
        probes
    }

    fn refuse(&self, _: Epoch, lines: Vec<Rejected>, _: Vec<Rejected>) {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.refused += lines.len() as u64;
    }
}

/// A worker's numbers, added to those of all when it is through.
struct Share {
    own: Totals,
    digest: Option<Digest>,
    all: Arc<Mutex<Totals>>,
}

impl Share {
    fn count<D>(&mut self, batch: &[D], count: impl Fn(&mut Totals, Option<&mut Digest>, &D)) {
        for datum in batch {
            count(&mut self.own, self.digest.as_mut(), datum);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.own.digest = self.digest.map_or(0, Digest::value);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.add(&self.own);
    }
}
