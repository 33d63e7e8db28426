//! Where epochs end, for a process that is told so by the first one.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where an epoch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Bytes of the log before it.
    pub at: u64,
    /// Whether somebody waits for what becomes of its lines.
    pub asked: bool,
}

/// Where the next epochs end, and how much of the log is here; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Ends(Arc<State>);

#[derive(Debug, Default)]
struct State {
    said: Mutex<Said>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Said {
    here: u64,
    ends: VecDeque<End>,
}

impl Ends {
    /// So many bytes of the log are here.
    pub fn are_here(&self, bytes: u64) {
        self.lock().here = bytes;
        self.0.news.notify_all();
    }

    /// The epoch behind those that were said ends there.
    pub fn say(&self, end: End) {
        self.lock().ends.push_back(end);
        self.0.news.notify_all();
    }

    /// Where the next epoch ends, once all before that is here; nothing, where it is not by the deadline.
    pub fn next(&self, deadline: Instant) -> Option<End> {
        let is_here = |said: &Said| said.ends.front().is_some_and(|end| end.at <= said.here);
        let wait = deadline.saturating_duration_since(Instant::now());
        let waits = |said: &mut Said| !is_here(said);
        let waited = self.0.news.wait_timeout_while(self.lock(), wait, waits);
        let mut said = waited.unwrap_or_else(PoisonError::into_inner).0;
        match is_here(&said) {
            true => said.ends.pop_front(),
            false => None,
        }
    }

    /// Waits for so long until that many bytes are here. Whether they are.
    pub fn has(&self, bytes: u64, within: Duration) -> bool {
        let waits = |said: &mut Said| said.here < bytes;
        let waited = self.0.news.wait_timeout_while(self.lock(), within, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.here >= bytes
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_had_once_its_lines_are_here_also_where_there_are_none() {
        let ends = Ends::default();
        let next = |wait| ends.next(Instant::now() + Duration::from_millis(wait));
        let end = |at| End { at, asked: false };
        ends.are_here(10);
        assert_eq!(next(0), None, "nothing was said");
        for at in [10, 10, 25] {
            ends.say(end(at));
        }
        assert_eq!(
            [next(0), next(0), next(0)],
            [Some(end(10)), Some(end(10)), None]
        );
        assert!(!ends.has(25, Duration::ZERO));
        let other = ends.clone();
        let waits =
            std::thread::spawn(move || other.next(Instant::now() + Duration::from_secs(60)));
        ends.are_here(30);
        assert_eq!(waits.join().unwrap(), Some(end(25)));
        assert!(ends.has(25, Duration::ZERO));
    }
}
