//! Suspends a running dataflow: what it holds is taken out, whole, with nothing in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use timely::worker::Worker;

use super::{Holds, Inputs, State};

/// How long a worker sleeps at most before it looks again.
const NAP: Duration = Duration::from_millis(1);

/// Where workers wait for each other. Where they are of several processes, each process has a gate of its own.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// Workers that have come.
    come: AtomicUsize,
    /// Of one process among others: how many workers it has.
    own: Option<usize>,
    /// Whether all workers of the others have come to theirs.
    admitted: AtomicBool,
    /// Whether nobody is to wait for anything any more.
    given_up: AtomicBool,
}

impl Gate {
    /// Of a process with so many workers, among others: it opens once they have come and [`Gate::admit`] says that the others have.
    pub fn among(workers: usize) -> Self {
        Gate(Arc::new(Waiting {
            own: Some(workers),
            ..Waiting::default()
        }))
    }

    /// Is as new, once all are through.
    pub fn shut(&self) {
        self.0.admitted.store(false, Ordering::SeqCst);
        self.0.come.store(0, Ordering::SeqCst);
    }

    /// Lets all through: one will not come.
    pub fn open(&self) {
        self.admit();
        self.0.come.fetch_add(usize::MAX / 2, Ordering::SeqCst);
    }

    /// Whether all workers of this process have come.
    pub fn is_full(&self) -> bool {
        let own = self.0.own.unwrap_or(usize::MAX);
        self.0.come.load(Ordering::SeqCst) >= own
    }

    /// All workers of other processes have come, too.
    pub fn admit(&self) {
        self.0.admitted.store(true, Ordering::SeqCst);
    }

    /// Another process will not come, or go on: nobody waits for it.
    pub fn give_up(&self) {
        self.0.given_up.store(true, Ordering::SeqCst);
    }

    /// Whether it was [given up](Gate::give_up): then what a dataflow held is worth nothing, and the dataflow is still there.
    pub fn is_given_up(&self) -> bool {
        self.0.given_up.load(Ordering::SeqCst)
    }

    /// Whether a worker among so many waits at it.
    fn holds(&self, peers: usize) -> bool {
        let Waiting {
            come,
            own,
            admitted,
            ..
        } = &*self.0;
        let all = come.load(Ordering::SeqCst) >= own.unwrap_or(peers);
        let through = all && (own.is_none() || admitted.load(Ordering::SeqCst));
        !(through || self.is_given_up())
    }
}

/// Ends the inputs of a worker's dataflow, without a word to any home that its log has ended, and takes out what its operators
/// hold once it has run empty. Every worker must call it, with the same `gate`; the dataflow is the worker's only one. Inputs
/// that were fed must be open until then.
///
/// Questions that are out are not waited for: they are part of the state and are asked again. See
/// [`Suspension`](crate::state::Suspension) for why this takes two steps.
pub fn suspend(worker: &mut Worker, inputs: Option<Inputs>, holds: &Holds, gate: &Gate) -> State {
    holds.suspension().freeze();
    gate.0.come.fetch_add(1, Ordering::SeqCst);
    while gate.holds(worker.peers()) {
        worker.step_or_park(Some(NAP));
    }
    drop(inputs);
    holds.suspension().release();
    while worker.step_or_park(Some(NAP)) && !gate.is_given_up() {}
    holds.take()
}
