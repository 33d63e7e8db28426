//! Who waits for what becomes of lines of the inbox: from the moment they are there until it is known.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use hearth_operators::split::{Asked, Fate};
use hearth_operators::words::Line;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fated {
    /// Its number in the inbox, from 1.
    pub line: u64,
    /// What became of it.
    pub fate: Fate,
    /// Why, where more is known than its fate says.
    pub reason: Option<String>,
}

impl Fated {
    /// Of an event, by the dataflow.
    pub fn event(line: Line, fate: Fate) -> Self {
        Fated {
            line: line.line,
            fate,
            reason: None,
        }
    }

    /// Of a line that is no event, by whoever reads it.
    pub fn rejected(line: u64, reason: &str) -> Self {
        Fated {
            line,
            fate: Fate::Rejected,
            reason: Some(reason.to_owned()),
        }
    }
}

/// Tells somebody of a line; whether they are still there.
pub type Tell = Box<dyn Fn(Fated) -> bool + Send>;

/// Tells whoever listens at the other end.
pub fn telling(tell: UnboundedSender<Fated>) -> Tell {
    Box::new(move |fated| tell.send(fated).is_ok())
}

/// Who waits; clones share it. Each waits for lines one behind the other, no two for the same.
#[derive(Clone, Default)]
pub struct Fates(Arc<State>);

#[derive(Default)]
struct State {
    waiting: Mutex<BTreeMap<u64, Waits>>,
    /// Where those who wait are elsewhere.
    elsewhere: OnceLock<Box<dyn Fn(Fated) + Send + Sync>>,
}

struct Waits {
    last: u64,
    /// Those of which it is known. What was read and not fed is read again, by whoever goes on with other workers.
    known: BTreeSet<u64>,
    tell: Tell,
}

impl Fates {
    /// All who wait are elsewhere, and told by this.
    pub fn are_elsewhere(&self, tell: impl Fn(Fated) + Send + Sync + 'static) {
        // There is one such place.
        let _ = self.0.elsewhere.set(Box::new(tell));
    }

    /// Somebody waits for these lines, which nobody can have read yet.
    pub fn ask(&self, lines: RangeInclusive<u64>, tell: Tell) {
        let (first, last) = lines.into_inner();
        if first <= last {
            let known = BTreeSet::new();
            self.lock().insert(first, Waits { last, known, tell });
        }
    }

    /// Of these lines of the log's only file, those that somebody waits for.
    pub fn among(&self, lines: RangeInclusive<u64>) -> Vec<Asked> {
        let (first, last) = lines.into_inner();
        let line = |line| Line { file: 0, line };
        let waiting = self.lock();
        let waiting = waiting.range(..=last).rev();
        let asked = waiting
            .take_while(|(_, waits)| waits.last >= first)
            .map(|(begins, waits)| Asked {
                first: line(first.max(*begins)),
                last: line(last.min(waits.last)),
            });
        asked.collect()
    }

    /// Tells whoever waits for this line.
    pub fn tell(&self, fated: Fated) {
        if let Some(tell) = self.0.elsewhere.get() {
            return tell(fated);
        }
        let mut waiting = self.lock();
        let Some((&first, waits)) = waiting.range_mut(..=fated.line).next_back() else {
            return;
        };
        if waits.last < fated.line || !waits.known.insert(fated.line) {
            return;
        }
        let gone = !(waits.tell)(fated);
        if gone || waits.known.len() as u64 > waits.last - first {
            waiting.remove(&first);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Waits>> {
        let waiting = self.0.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Fates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fates").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn each_line_is_told_to_whoever_waits_for_it_and_nobody_waits_for_ever() {
        let fates = Fates::default();
        let (one, mut first) = unbounded_channel();
        let (two, second) = unbounded_channel();
        fates.ask(3..=5, telling(one));
        fates.ask(9..=10, telling(two));
        let among = |lines| {
            let asked = fates.among(lines).into_iter();
            let mut asked: Vec<_> = asked.map(|a| (a.first.line, a.last.line)).collect();
            asked.sort_unstable();
            asked
        };
        assert_eq!(among(1..=2), []);
        assert_eq!(among(4..=4), [(4, 4)]);
        assert_eq!(among(1..=20), [(3, 5), (9, 10)]);
        assert_eq!(among(6..=8), []);
        let fated = |line| Fated::rejected(line, "why");
        for line in [2, 3, 3, 6, 5] {
            fates.tell(fated(line));
        }
        assert_eq!(first.try_recv(), Ok(fated(3)));
        assert_eq!(first.try_recv(), Ok(fated(5)));
        assert!(first.try_recv().is_err() && !first.is_closed());
        fates.tell(fated(4));
        assert_eq!(first.try_recv(), Ok(fated(4)));
        // All is known of the first ones; whoever waited for the others has gone.
        assert_eq!(among(1..=8), []);
        drop(second);
        fates.tell(fated(9));
        assert_eq!(among(1..=20), []);
    }
}
