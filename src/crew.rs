//! How many workers a live run has, and who wishes for another number.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot::{Receiver, Sender, channel};

/// The workers of a run; clones share it.
#[derive(Clone, Debug)]
pub struct Crew(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    workers: NonZeroUsize,
    /// Whether they stay so many.
    fixed: bool,
    wish: Option<Wish>,
}

#[derive(Debug)]
struct Wish {
    workers: NonZeroUsize,
    tell: Sender<Duration>,
}

impl Crew {
    /// So many.
    pub fn of(workers: NonZeroUsize) -> Self {
        Crew(Arc::new(Mutex::new(State {
            workers,
            fixed: false,
            wish: None,
        })))
    }

    /// They stay so many while the run goes on: other processes have as many.
    pub fn stay(&self) {
        self.lock().fixed = true;
    }

    /// Whether they stay so many.
    pub fn is_fixed(&self) -> bool {
        self.lock().fixed
    }

    /// How many they are.
    pub fn workers(&self) -> NonZeroUsize {
        self.lock().workers
    }

    /// Wishes for so many; is told for how long nothing was fed, once they are. Nobody is told of a wish that another one follows.
    pub fn wish(&self, workers: NonZeroUsize) -> Receiver<Duration> {
        let (tell, told) = channel();
        self.lock().wish = Some(Wish { workers, tell });
        told
    }

    /// How many somebody wishes for.
    pub fn wished(&self) -> Option<NonZeroUsize> {
        self.lock().wish.as_ref().map(|wish| wish.workers)
    }

    /// They are so many now, after so long.
    pub fn are(&self, workers: NonZeroUsize, after: Duration) {
        let mut state = self.lock();
        state.workers = workers;
        if let Some(wish) = state.wish.take_if(|wish| wish.workers == workers) {
            // Whoever wished for it may have gone.
            let _ = wish.tell.send(after);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wish_counts() {
        let number = |n| NonZeroUsize::new(n).unwrap();
        let crew = Crew::of(number(1));
        let mut earlier = crew.wish(number(2));
        let mut later = crew.wish(number(3));
        assert_eq!(crew.wished(), Some(number(3)));
        assert!(earlier.try_recv().is_err());
        // One that was being fulfilled meanwhile.
        crew.are(number(2), Duration::ZERO);
        assert_eq!(crew.wished(), Some(number(3)));
        crew.are(number(3), Duration::from_millis(7));
        assert_eq!(later.try_recv(), Ok(Duration::from_millis(7)));
        assert_eq!((crew.wished(), crew.workers()), (None, number(3)));
    }
}
