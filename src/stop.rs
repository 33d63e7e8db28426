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
    /// Whether that was asked for here.
    asked: AtomicBool,
    heeded: AtomicUsize,
    keeping: AtomicUsize,
    failure: Mutex<Option<String>>,
}

impl Stop {
    /// Nothing new is to be begun.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
    }

    /// A person, or the system, wants the run to end. Says whether somebody will see to that: false where nobody
    /// [heeds](Stop::heed) it, or it was said before. The run is stopped by it, unless somebody has something to
    /// [keep](Stop::keep) first.
    pub fn interrupt(&self) -> bool {
        let again = self.0.asked.swap(true, Ordering::SeqCst);
        self.end();
        !again && self.0.heeded.load(Ordering::SeqCst) > 0
    }

    /// The run is to end as if it were interrupted, for others end: who then [asks](Stop::interrupt) for it here asks for the first time.
    pub fn end(&self) {
        self.0.interrupted.store(true, Ordering::SeqCst);
        if self.0.keeping.load(Ordering::SeqCst) == 0 {
            self.stop();
        }
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

    /// Promises to look, often, whether the run was interrupted: for as long as what is returned lives, that does not stop it.
    pub fn keep(&self) -> Keeps {
        self.0.keeping.fetch_add(1, Ordering::SeqCst);
        Keeps(self.clone())
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

/// Something that is to be done between an interruption and the stop.
#[derive(Debug)]
pub struct Keeps(Stop);

impl Drop for Keeps {
    fn drop(&mut self) {
        self.0.0.keeping.fetch_sub(1, Ordering::SeqCst);
        if self.0.is_interrupted() {
            self.0.stop();
        }
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
        let stop = Stop::default();
        let _heeded = stop.heed();
        stop.end();
        assert!(stop.is_stopped() && stop.is_interrupted());
        assert!(stop.interrupt(), "others were asked before, not this one");
        assert!(!stop.interrupt(), "the second one");
    }

    #[test]
    fn what_is_to_be_kept_comes_before_the_stop() {
        let stop = Stop::default();
        let (_heeded, keeps) = (stop.heed(), stop.keep());
        assert!(stop.interrupt() && stop.is_interrupted() && !stop.is_stopped());
        drop(keeps);
        assert!(stop.is_stopped());
        let stop = Stop::default();
        drop(stop.keep());
        assert!(!stop.is_stopped(), "nobody interrupted it");
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
