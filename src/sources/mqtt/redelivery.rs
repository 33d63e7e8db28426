//! Which messages a broker may give again, and how they are known when it does.
//!
//! A broker gives a message again, under its number and marked as given before, until it has its acknowledgement. No packet says
//! that it has. But it reads what it is sent in its order: once it answers a ping, it has what was sent before that; and on a new
//! connection it gives what it must give again before anything new. Until then a message is remembered, by number and checksum.
//! How many these are is for the broker to say: Mosquitto has another hundred under way after each connection that broke.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// Messages that are remembered in any case: a broker that died may come back as it was a while before.
const ALWAYS: usize = 200;

/// Messages that are remembered at most: there are no more numbers.
const MOST: usize = u16::MAX as usize;

/// A message that came, by number and checksum.
pub(super) type Seen = (u16, u32);

/// The messages that may come again.
#[derive(Debug, Default)]
pub(super) struct Redelivery {
    /// In the order in which they came, with whether the broker is known to have the acknowledgement.
    seen: VecDeque<(Seen, bool)>,
    /// How many came before these. So each has a place in all that ever came.
    before: u64,
    /// The place of the newest message of each number: a number is free for another one once the broker has the acknowledgement.
    newest: HashMap<u16, u64>,
    /// How many of them, the newest, are not kept.
    fresh: usize,
    /// Places of those that were acknowledged on this connection since the last ping.
    acknowledged: Vec<u64>,
    /// Places of those that were so before it, while its answer is waited for.
    asked: Vec<u64>,
    /// Where those begin that came by this connection, until something new comes by it.
    connected: Option<u64>,
    /// Places of those before that which were given again by it.
    again: BTreeSet<u64>,
}

impl Redelivery {
    /// A connection stands. `session`: whether the broker knows of the one before.
    pub fn connected(&mut self, session: bool) {
        self.acknowledged.clear();
        self.asked.clear();
        self.again.clear();
        if !session {
            self.before = self.end();
            self.seen.clear();
            self.newest.clear();
            self.fresh = 0;
        }
        self.connected = Some(self.end());
    }

    /// Whether a message, marked as given before, came before.
    pub fn is_again(&mut self, message: Seen) -> bool {
        let Some(at) = self.newest(message.0) else {
            return false;
        };
        let is_again = self.seen[at].0 == message;
        if is_again {
            self.again.insert(self.before + at as u64);
        }
        is_again
    }

    /// A message came that did not come before. `new`: it is not marked as given before.
    pub fn came(&mut self, message: Seen, new: bool) {
        if let Some(connected) = self.connected.filter(|_| new) {
            // What was not given again by now is not given again any more.
            let earlier = self.seen.iter_mut().zip(self.before..connected);
            for ((_, has), at) in earlier {
                *has |= !self.again.contains(&at);
            }
            self.connected = None;
            self.again.clear();
        }
        self.remember(message);
        self.fresh += 1;
        self.forget();
    }

    /// The message of this number is acknowledged.
    pub fn acknowledge(&mut self, number: u16) {
        if let Some(at) = self.newest(number) {
            self.acknowledged.push(self.before + at as u64);
        }
    }

    /// The broker is asked for an answer.
    pub fn ask(&mut self) {
        self.asked.append(&mut self.acknowledged);
    }

    /// It has answered.
    pub fn answered(&mut self) {
        for place in std::mem::take(&mut self.asked) {
            let at = place.checked_sub(self.before).map(|at| at as usize);
            if let Some((_, has)) = at.and_then(|at| self.seen.get_mut(at)) {
                *has = true;
            }
        }
        self.forget();
    }

    /// How many are not kept.
    pub fn fresh(&self) -> usize {
        self.fresh
    }

    /// What is to be kept: those that were not, and how many of all that were ever kept are remembered.
    pub fn keep(&mut self) -> (Vec<Seen>, usize) {
        let fresh = std::mem::take(&mut self.fresh);
        let fresh = self.seen.range(self.seen.len() - fresh..);
        (fresh.map(|(seen, _)| *seen).collect(), self.seen.len())
    }

    /// All that are remembered, in the order in which they came.
    pub fn all(&self) -> Vec<Seen> {
        self.seen.iter().map(|(seen, _)| *seen).collect()
    }

    /// Remembers what was kept.
    pub fn recall(&mut self, seen: Vec<Seen>, remembered: Option<usize>) {
        seen.into_iter().for_each(|seen| self.remember(seen));
        let most = remembered.unwrap_or(ALWAYS).min(MOST);
        while self.seen.len() > most {
            self.drop_first();
        }
    }

    fn remember(&mut self, message: Seen) {
        self.newest.insert(message.0, self.end());
        self.seen.push_back((message, false));
    }

    fn drop_first(&mut self) {
        if let Some(((number, _), _)) = self.seen.pop_front() {
            if self.newest.get(&number) == Some(&self.before) {
                self.newest.remove(&number);
            }
            self.before += 1;
        }
    }

    fn end(&self) -> u64 {
        self.before + self.seen.len() as u64
    }

    fn newest(&self, number: u16) -> Option<usize> {
        let place = self.newest.get(&number)?;
        Some(place.checked_sub(self.before)? as usize)
    }

    fn forget(&mut self) {
        let has = |first: Option<&(Seen, bool)>| first.is_some_and(|(_, has)| *has);
        while self.seen.len() > MOST || self.seen.len() > ALWAYS && has(self.seen.front()) {
            self.drop_first();
        }
        self.fresh = self.fresh.min(self.seen.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(n: u32) -> Seen {
        ((n % 65_535) as u16 + 1, n * 31)
    }

    /// Messages from..to come, and are acknowledged.
    fn come(known: &mut Redelivery, numbers: std::ops::Range<u32>) {
        for n in numbers {
            known.came(message(n), true);
            known.acknowledge(message(n).0);
        }
    }

    #[test]
    fn whatever_the_broker_may_not_know_of_is_remembered_and_nothing_else() {
        let mut known = Redelivery::default();
        known.connected(true);
        come(&mut known, 0..1_000);
        assert!(known.is_again(message(0)), "nothing was answered");
        known.ask();
        come(&mut known, 1_000..1_500);
        known.answered();
        assert_eq!(known.seen.len(), 500);
        assert!(!known.is_again(message(999)) && known.is_again(message(1_000)));
        // What is sent by a connection that broke may not have come.
        known.connected(true);
        known.ask();
        known.answered();
        assert!(known.is_again(message(1_000)));
        // It gave 1,000 again, so that something new says nothing of it.
        known.came(message(1_500), true);
        assert!(known.is_again(message(1_000)));
        known.acknowledge(message(1_000).0);
        known.ask();
        known.answered();
        assert_eq!(known.seen.len(), ALWAYS);
        known.connected(false);
        assert!(!known.is_again(message(1_500)), "of another session");
    }

    #[test]
    fn a_number_is_of_the_newest_message_that_had_it() {
        let mut known = Redelivery::default();
        known.came((7, 1), true);
        known.came((7, 2), true);
        assert!(known.is_again((7, 2)) && !known.is_again((7, 1)));
    }

    proptest! {
        /// However often the connection breaks, and whatever acknowledgements come: each message counts once.
        #[test]
        fn what_is_given_again_by_broken_connections_counts_once(
            connections in proptest::collection::vec((0..300_usize, 0..300_usize, 0..300_usize, any::<bool>()), 1..8),
        ) {
            let mut known = Redelivery::default();
            let mut marks = Vec::new();
            // What the broker has under way, the next new one, and how often each counted.
            let (mut under_way, mut next) = (VecDeque::new(), 0_u32);
            let mut counted = Vec::new();
            for (new, lost, acknowledged, killed) in connections {
                if killed {
                    known = Redelivery::default();
                    for (seen, remembered) in &marks {
                        known.recall(Vec::clone(seen), Some(*remembered));
                    }
                }
                known.connected(true);
                let again = under_way.len();
                for _ in 0..new {
                    under_way.push_back(next);
                    next += 1;
                }
                // What was sent last is lost with the connection: it is marked, though nobody has it.
                let came = under_way.len().saturating_sub(lost);
                for (at, n) in under_way.iter().take(came).enumerate() {
                    let (n, new) = (*n, at >= again);
                    if new || !known.is_again(message(n)) {
                        known.came(message(n), new);
                        counted.push(n);
                    }
                    known.acknowledge(message(n).0);
                }
                marks.push(known.keep());
                let acknowledged = acknowledged.min(came);
                under_way.drain(..acknowledged);
                if acknowledged == came {
                    known.ask();
                    known.answered();
                }
            }
            counted.sort_unstable();
            let before = counted.len();
            counted.dedup();
            prop_assert_eq!(counted.len(), before);
        }
    }
}
