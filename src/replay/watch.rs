//! What a replay looks at while it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hearth_operators::words::Epoch;

use crate::config::Size;
use crate::ends::End;
use crate::engine::{Dealt, Watch};
use crate::memory::rss;
use crate::mirror::Sharing;
use crate::outputs::grouped;
use crate::services::Workload;
use crate::stop::Stop;

/// Keeps account of what is fed to the dataflow; what was only read does not count.
pub struct Fed {
    lines: AtomicU64,
    bytes: AtomicU64,
    during_adaptation: AtomicU64,
    workload: Workload,
    /// What a rejected line ends, if it ends anything.
    strict: Option<Stop>,
    /// The most memory that the process is to hold.
    most: Option<Size>,
    /// Of a run that goes on: since when it does, until its first epoch is out.
    back: Mutex<Option<Instant>>,
    /// Whom it is told where epochs end.
    shared: Option<Sharing>,
    waits: Mutex<Waits>,
}

/// How reading waits for memory.
#[derive(Default)]
struct Waits {
    /// Since when it does; `None`: it does not.
    since: Option<Instant>,
    /// Since when nothing is left that could give any back.
    idle: Option<Instant>,
    /// Waits that are over.
    over: Duration,
    any: bool,
}

/// So long after nothing is left to be done memory was given back, if it will be.
const GIVEN_BACK: Duration = Duration::from_secs(5);

impl Fed {
    /// Nothing yet. `strict`: what the first rejected line stops. `most`: the most memory that the process is to hold.
    pub fn new(workload: Workload, strict: Option<Stop>, most: Option<Size>) -> Self {
        Fed {
            lines: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            during_adaptation: AtomicU64::new(0),
            workload,
            strict,
            most,
            back: Mutex::default(),
            shared: None,
            waits: Mutex::default(),
        }
    }

    /// The same, where other processes are told where epochs end.
    #[must_use]
    pub fn shared_by(self, shared: Option<Sharing>) -> Self {
        Fed { shared, ..self }
    }

    /// The run goes on with an earlier one, and has been about it since then.
    pub fn goes_on(&self, since: Instant) {
        *self.back.lock().unwrap_or_else(PoisonError::into_inner) = Some(since);
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the run cannot go on, where it waits for memory and nothing is left that could give any back. `out`: whether what was
    /// fed is out, but for what is open beside the dataflow.
    pub fn lacks_memory(&self, out: bool) -> Option<String> {
        let mut waits = self.waits();
        let open = self.workload.all().iter().any(|(_, work)| work.open() > 0);
        if waits.since.is_none() || !out || open {
            waits.idle = None;
            return None;
        }
        let idle = waits.idle.get_or_insert_with(Instant::now);
        let most = self.most.filter(|_| idle.elapsed() >= GIVEN_BACK)?;
        let held = grouped(rss().unwrap_or(0) >> 20);
        Some(format!(
            "the run holds {held} MiB with nothing left to wait for, and may hold {most} (--max-memory); run it with more"
        ))
    }

    /// What a person should know of it, if reading had to wait for memory.
    pub fn waited(&self) -> Option<String> {
        let waits = self.waits();
        let most = self.most.filter(|_| waits.any)?;
        let now = waits.since.map_or(Duration::ZERO, |since| since.elapsed());
        let seconds = (waits.over + now).as_secs_f64();
        Some(format!(
            "reading waited {seconds:.1} s for memory: the process held more than {most} (--max-memory)"
        ))
    }

    /// Lines.
    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Bytes of the source.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Events that were fed while requests were open.
    pub fn during_adaptation(&self) -> u64 {
        self.during_adaptation.load(Ordering::Relaxed)
    }
}

/// What is told once a run that goes on has its first new epoch out; the time follows.
pub const BACK_AFTER: &str = "the first new epoch is out after";

impl Watch for Fed {
    fn out(&self, _epoch: Epoch) {
        let mut back = self.back.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = back.take() {
            tracing::info!("{BACK_AFTER} {:.2} s", since.elapsed().as_secs_f64());
        }
    }

    fn holds_back(&self) -> bool {
        let Some(most) = self.most else {
            return false;
        };
        let holds = rss().is_some_and(|bytes| bytes > most.bytes());
        let mut waits = self.waits();
        match waits.since {
            None if holds => {
                waits.since = Some(Instant::now());
                if !std::mem::replace(&mut waits.any, true) {
                    tracing::warn!(
                        "more than {most} of memory (--max-memory): reading waits until there is less"
                    );
                }
            }
            Some(since) if !holds => {
                waits.over += since.elapsed();
                (waits.since, waits.idle) = (None, None);
            }
            _ => {}
        }
        holds
    }

    fn feeds(&self, _epoch: Epoch, dealt: &Dealt) {
        // What was read at once is one to whoever reads it.
        if let Some(shared) = self.shared.as_ref().filter(|_| !dealt.torn) {
            shared.end(End {
                at: dealt.position.offset,
                asked: dealt.told.asks_for_fates(),
            });
        }
        let lines = dealt.lines() as u64;
        self.lines.fetch_add(lines, Ordering::Relaxed);
        self.bytes.store(dealt.position.bytes, Ordering::Relaxed);
        if self.workload.open_requests() > 0 {
            let events = dealt.events as u64;
            self.during_adaptation.fetch_add(events, Ordering::Relaxed);
        }
        if let (Some(stop), Some(first)) = (&self.strict, dealt.rejected.first()) {
            stop.fail(format!("{}: {} (--strict)", first.source, first.reason));
        }
    }
}
