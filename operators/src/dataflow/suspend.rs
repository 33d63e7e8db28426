//! Suspends a running dataflow: what it holds is taken out, whole, with nothing in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use timely::worker::Worker;

use super::{Holds, Inputs, State};

/// How long a worker sleeps at most before it looks again.
const NAP: Duration = Duration::from_millis(1);

/// Where the workers of a process wait for each other.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<AtomicUsize>);

impl Gate {
    /// Is as new, once all are through.
    pub fn shut(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    /// Lets all through: one will not come.
    pub fn open(&self) {
        self.0.fetch_add(usize::MAX / 2, Ordering::SeqCst);
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
    gate.0.fetch_add(1, Ordering::SeqCst);
    while gate.0.load(Ordering::SeqCst) < worker.peers() {
        worker.step_or_park(Some(NAP));
    }
    drop(inputs);
    holds.suspension().release();
    while worker.step_or_park(Some(NAP)) {}
    holds.take()
}
