//! The incremental path of a replay, its outputs counted: read, split, shifts, transitions. No representatives, no models.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use crossbeam_channel::{Receiver, Sender, bounded};
use hearth_operators::hints::Hinting;
use hearth_operators::shift::Shifts;
use hearth_operators::split::{Account, Notice, Rules, Split};
use hearth_operators::transitions::Transitions;
use hearth_operators::words::{Behavior, Epoch};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::{Broadcast, Map};
use timely::dataflow::operators::{Input as _, Probe};
use timely::dataflow::{InputHandleVec, ProbeHandle, Scope, StreamVec};
use timely::worker::Worker;

use super::totals::{Digest, Totals};
use crate::memory::rss;
use crate::outputs::{Late, Rejection};
use crate::sinks::{Out, RowSender};
use crate::sources::EventLog;

/// Batches that may be decoded ahead of the first worker.
const DECODED: usize = 4;

/// Epochs that may be ahead of the segments: bounds what waits inside the dataflow.
pub(super) const AHEAD: Epoch = 8;

/// How long a worker sleeps at most.
pub(super) const NAP: Duration = Duration::from_millis(20);

/// How the path is run.
#[derive(Clone)]
pub struct Path {
    /// Limits of the split.
    pub rules: Rules,
    /// Threads that share the homes.
    pub workers: usize,
    /// Lines of an epoch.
    pub epoch_events: usize,
    /// Whether what is handed over is summed up, to be compared.
    pub digest: bool,
    /// Where rows go, if they are written.
    pub rows: Option<RowSender>,
}

/// A worker's hold on its dataflow.
pub(super) struct Running {
    pub behaviors: InputHandleVec<Epoch, Behavior>,
    pub notices: InputHandleVec<Epoch, Notice>,
    pub done: ProbeHandle<Epoch>,
}

impl Path {
    /// Runs a log to its end. What was handed over, in all, and how many bytes of memory were held when all lines were
    /// through and nothing was said of an end yet (0 where the system does not tell).
    ///
    /// # Errors
    /// The log breaks off, or a worker fails.
    pub fn run(self, mut log: EventLog) -> anyhow::Result<(Totals, u64)> {
        let (batches, decoded) = bounded::<Vec<Behavior>>(DECODED);
        let all = Arc::new(Mutex::new(Totals::default()));
        let (epoch_events, workers) = (self.epoch_events, self.workers);
        let reader = std::thread::Builder::new()
            .name("reader".into())
            .spawn(move || read(&mut log, epoch_events, &batches))?;
        let totals = all.clone();
        let held = Arc::new(AtomicU64::new(0));
        let holds = held.clone();
        let running = timely::execute(timely::Config::process(workers), move |worker| {
            let running = worker.dataflow(|scope| self.build(scope, &totals));
            feed(worker, running, &decoded, &holds);
        });
        for worker in running.map_err(|error| anyhow!(error))?.join() {
            worker.map_err(|error| anyhow!("a worker failed: {error}"))?;
        }
        let rejected = reader.join();
        let rejected = rejected.map_err(|_| anyhow!("the reader stopped unexpectedly"))??;
        let mut totals = all.lock().unwrap_or_else(PoisonError::into_inner).clone();
        totals.refused += rejected;
        Ok((totals, held.load(Ordering::Relaxed)))
    }

    /// Builds the path on a worker; at its end the worker's share is added to `totals`.
    pub(super) fn build(&self, scope: Scope<'_, Epoch>, totals: &Arc<Mutex<Totals>>) -> Running {
        let (behaviors_in, behaviors) = scope.new_input::<Vec<Behavior>>();
        let (notices_in, notices) = scope.new_input::<Vec<Notice>>();
        let notices = notices.broadcast();

        let split = behaviors.split(notices.clone(), self.rules.clone());
        let shifts = split.segments.clone().shifts(split.settled, notices);
        let transitions = split.segments.clone().transitions();
        let hints = shifts.ended.hints(5);

        let done = ProbeHandle::new();
        hints.probe_with(&done);
        let out = Counted {
            totals,
            digest: self.digest,
            done: &done,
        };
        if let Some(rows) = &self.rows {
            let out = Out {
                rows,
                probes: &[&done],
            };
            out.write(split.segments.inner.clone());
            out.write(transitions.inner.clone());
            out.count(split.accounts.clone());
            out.write(split.accounts.clone().flat_map(Late::of));
            out.write(split.accounts.clone().flat_map(Rejection::of));
        }
        out.count(
            split.segments.inner,
            |totals, digest, (segment, _, diff)| {
                totals.segment(*diff);
                if let Some(digest) = digest {
                    digest.segment(segment.home, &segment.moments, *diff);
                }
            },
        );
        out.count(transitions.inner, |totals, digest, (edge, _, diff)| {
            totals.transition(*diff);
            if let Some(digest) = digest {
                digest.transition(edge.home, (edge.from, edge.to), *diff);
            }
        });
        out.count(split.accounts, |totals, _, account| match account {
            Account::Counted { applied, duplicate } => {
                totals.applied += applied;
                totals.duplicate += duplicate;
            }
            Account::Late(_) | Account::Rejected(_) => totals.refused += 1,
        });
        Running {
            behaviors: behaviors_in,
            notices: notices_in,
            done,
        }
    }
}

/// Reads batches until the log ends. How many lines were no event.
fn read(
    log: &mut EventLog,
    epoch_events: usize,
    batches: &Sender<Vec<Behavior>>,
) -> anyhow::Result<u64> {
    let mut rejected = Vec::new();
    loop {
        let mut behaviors = Vec::with_capacity(epoch_events);
        if log.read(epoch_events, &mut behaviors, &mut rejected)? == 0
            || batches.send(behaviors).is_err()
        {
            return Ok(rejected.len() as u64);
        }
    }
}

/// Feeds the dataflow on the first worker, and runs it on each until everything is out.
fn feed(
    worker: &mut Worker,
    running: Running,
    decoded: &Receiver<Vec<Behavior>>,
    held: &AtomicU64,
) {
    let Running {
        mut behaviors,
        mut notices,
        done,
    } = running;
    if worker.index() == 0 {
        let mut last = 0;
        for (batch, epoch) in decoded.iter().zip(1..) {
            let mut batch: Vec<Behavior> = batch;
            behaviors.send_batch(&mut batch);
            behaviors.advance_to(epoch);
            notices.advance_to(epoch);
            worker.step();
            while done.less_than(&epoch.saturating_sub(AHEAD)) {
                worker.step_or_park(Some(NAP));
            }
            last = epoch;
        }
        while done.less_than(&last) {
            worker.step_or_park(Some(NAP));
        }
        held.store(rss().unwrap_or(0), Ordering::Relaxed);
        notices.send(Notice::LogEnd);
    }
    drop((behaviors, notices));
    while !done.done() {
        worker.step_or_park(Some(NAP));
    }
}

/// Where streams leave the dataflow: into numbers.
struct Counted<'a> {
    totals: &'a Arc<Mutex<Totals>>,
    digest: bool,
    done: &'a ProbeHandle<Epoch>,
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

impl Counted<'_> {
    fn count<D: Clone + 'static>(
        &self,
        stream: StreamVec<'_, Epoch, D>,
        count: impl Fn(&mut Totals, Option<&mut Digest>, &D) + 'static,
    ) {
        let mut share = Share {
            own: Totals::default(),
            digest: self.digest.then(Digest::default),
            all: self.totals.clone(),
        };
        stream
            .unary::<timely::container::CapacityContainerBuilder<Vec<()>>, _, _, _>(
                Pipeline,
                "Count",
                |_capability, _info| {
                    move |input, _output| {
                        input.for_each_stamp(|_, data| {
                            data.for_each(|batch| share.count(batch, &count));
                        });
                    }
                },
            )
            .probe_with(self.done);
    }
}
