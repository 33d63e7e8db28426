//! Stopping a run: the token that is passed down to whatever takes long.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Stops a run: because a person asked for it, or because of a failure, which is kept.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<State>);

#[derive(Debug, Default)]
struct State {
    stopped: AtomicBool,
    interrupted: AtomicBool,
    heeded: AtomicUsize,
    failure: Mutex<Option<String>>,
}

impl Stop {
    /// Nothing new is to be begun.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
    }

    /// A person, or the system, wants the run to end. Says whether somebody will see to that: false where nobody
    /// [heeds](Stop::heed) it, or it was said before.
    pub fn interrupt(&self) -> bool {
        let again = self.0.interrupted.swap(true, Ordering::SeqCst);
        self.stop();
        !again && self.0.heeded.load(Ordering::SeqCst) > 0
    }

    /// Whether the run was [interrupted](Stop::interrupt).
    pub fn is_interrupted(&self) -> bool {
        self.0.interrupted.load(Ordering::SeqCst)
    }

    /// Promises to end soon after an interruption, for as long as what is returned lives.
    pub fn heed(&self) -> Heeded {
        self.0.heeded.fetch_add(1, Ordering::SeqCst);
        Heeded(self.clone())
    }

    /// The run has failed. The first reason is kept.
    pub fn fail(&self, reason: String) {
        let mut failure = self
            .0
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(reason);
        self.stop();
    }

    /// Whether anything stopped the run.
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }

    /// Why the run failed, if it did.
    pub fn failure(&self) -> Option<String> {
        let failure = self
            .0
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        failure.clone()
    }
}

/// A promise to heed an interruption.
#[derive(Debug)]
pub struct Heeded(Stop);

impl Drop for Heeded {
    fn drop(&mut self) {
        self.0.0.heeded.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_is_somebodys_once_and_while_it_is_heeded() {
        let stop = Stop::default();
        assert!(!stop.interrupt(), "nobody heeds it");
        let stop = Stop::default();
        let heeded = stop.heed();
        assert!(stop.interrupt() && stop.is_stopped() && stop.is_interrupted());
        assert!(!stop.interrupt(), "the second one");
        drop(heeded);
        let stop = Stop::default();
        drop(stop.heed());
        assert!(!stop.interrupt(), "nobody heeds it any more");
    }

    #[test]
    fn a_failure_is_no_interruption_and_the_first_is_kept() {
        let stop = Stop::default();
        stop.fail("one".into());
        stop.fail("two".into());
        assert!(stop.is_stopped() && !stop.is_interrupted());
        assert_eq!(stop.failure().as_deref(), Some("one"));
    }
}
