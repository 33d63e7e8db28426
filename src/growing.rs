//! A log that grows while it is read: how far it may be read, and the wait for more.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::fates::Fates;

/// How far a log may be read that somebody appends to: up to there it is whole lines that outlive a power failure. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Growing(Arc<State>);

#[derive(Debug, Default)]
struct State {
    length: Mutex<u64>,
    grown: Condvar,
    fates: Fates,
}

impl Growing {
    /// How far it may be read, in bytes.
    pub fn length(&self) -> u64 {
        *self.lock()
    }

    /// Who waits for what becomes of its lines.
    pub fn fates(&self) -> &Fates {
        &self.0.fates
    }

    /// It may be read that far.
    pub fn grow(&self, to: u64) {
        *self.lock() = to;
        self.0.grown.notify_all();
    }

    /// Waits until more may be read than that, or until the deadline. Whether more may be.
    pub fn beyond(&self, read: u64, deadline: Instant) -> bool {
        let wait = deadline.saturating_duration_since(Instant::now());
        let waits = |length: &mut u64| *length <= read;
        let waited = self.0.grown.wait_timeout_while(self.lock(), wait, waits);
        *waited.unwrap_or_else(PoisonError::into_inner).0 > read
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.length.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
