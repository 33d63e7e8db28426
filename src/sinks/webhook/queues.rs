//! What waits to be told, home by home, within bounds; and what of each stream is told.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::outputs::Stream;
use crate::sinks::outbox::Letter;

/// Messages that wait altogether, at most: more are not read before.
pub(super) const ALL: usize = 1_000;

/// Messages of a home that wait, at most: then the oldest goes untold.
pub(super) const OF_A_HOME: usize = 100;

/// Messages that wait.
#[derive(Default)]
pub(super) struct Queues {
    /// By home; the first of each is under way.
    homes: HashMap<String, VecDeque<Letter>>,
    waiting: usize,
    /// Of each stream, the lines that were read and are not told, by bytes of lines before them.
    open: BTreeMap<Stream, BTreeSet<u64>>,
    /// Those that were told though one before was not.
    done: BTreeMap<Stream, BTreeSet<u64>>,
}

/// What became of a letter that was taken in.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    /// Nothing of its home is under way: it is to go.
    Goes,
    /// It waits for its home's others.
    Waits,
    /// So does it, and an older one of its home goes untold.
    InPlaceOf(String),
}

impl Queues {
    /// Takes a letter in.
    pub fn take(&mut self, letter: Letter) -> Taken {
        self.open
            .entry(letter.stream)
            .or_default()
            .insert(letter.at);
        let queue = self.homes.entry(letter.home.clone()).or_default();
        queue.push_back(letter);
        self.waiting += 1;
        if queue.len() == 1 {
            return Taken::Goes;
        }
        if queue.len() <= OF_A_HOME {
            return Taken::Waits;
        }
        // The first is under way.
        match queue.remove(1) {
            Some(oldest) => {
                self.waiting -= 1;
                self.close(oldest.stream, oldest.at);
                Taken::InPlaceOf(oldest.id)
            }
            None => Taken::Waits,
        }
    }

    /// The letter of a home that is under way has come to an end. Gives its next one, to go.
    pub fn ended(&mut self, home: &str) -> Option<Letter> {
        let queue = self.homes.get_mut(home)?;
        let letter = queue.pop_front()?;
        let next = queue.front().cloned();
        if next.is_none() {
            self.homes.remove(home);
        }
        self.waiting -= 1;
        self.close(letter.stream, letter.at);
        next
    }

    /// Whether more may be read.
    pub fn has_room(&self) -> bool {
        self.waiting < ALL
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Before what everything of a stream that was read until `reached` is told, and what is told behind that.
    pub fn told(&mut self, stream: Stream, reached: u64) -> (u64, &BTreeSet<u64>) {
        let open = self.open.get(&stream).and_then(BTreeSet::first);
        let before = open.copied().unwrap_or(reached);
        let done = self.done.entry(stream).or_default();
        *done = done.split_off(&before);
        (before, done)
    }

    fn close(&mut self, stream: Stream, at: u64) {
        self.open.entry(stream).or_default().remove(&at);
        self.done.entry(stream).or_default().insert(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(home: &str, at: u64) -> Letter {
        Letter {
            stream: Stream::Alarms,
            id: format!("alarms-0-{at}"),
            home: home.to_owned(),
            line: "{}".to_owned(),
            at,
        }
    }

    fn told(queues: &mut Queues, reached: u64) -> (u64, Vec<u64>) {
        let (before, done) = queues.told(Stream::Alarms, reached);
        (before, done.iter().copied().collect())
    }

    #[test]
    fn homes_wait_for_themselves_alone_and_what_is_told_is_known() {
        let mut queues = Queues::default();
        for (home, at, taken) in [
            ("a", 0, Taken::Goes),
            ("a", 10, Taken::Waits),
            ("b", 20, Taken::Goes),
            ("a", 30, Taken::Waits),
        ] {
            assert_eq!(queues.take(letter(home, at)), taken);
        }
        assert_eq!(told(&mut queues, 40), (0, vec![]));
        assert_eq!(queues.ended("b"), None);
        assert_eq!(told(&mut queues, 40), (0, vec![20]));
        assert_eq!(queues.ended("a").unwrap().at, 10);
        assert_eq!(told(&mut queues, 40), (10, vec![20]));
        assert_eq!(queues.ended("a").unwrap().at, 30);
        assert_eq!(told(&mut queues, 40), (30, vec![]));
        assert_eq!(queues.ended("a"), None);
        assert_eq!(told(&mut queues, 40), (40, vec![]));
        assert_eq!(queues.len(), 0);
        assert_eq!(queues.take(letter("a", 40)), Taken::Goes);
    }

    #[test]
    fn a_home_whose_messages_nobody_takes_loses_its_oldest_and_leaves_room() {
        let mut queues = Queues::default();
        for at in 0..OF_A_HOME as u64 {
            queues.take(letter("a", at));
        }
        for at in 0..50 {
            let lost = Taken::InPlaceOf(format!("alarms-0-{}", 1 + at));
            assert_eq!(queues.take(letter("a", 1_000 + at)), lost);
        }
        assert_eq!(queues.len(), OF_A_HOME);
        assert!(queues.has_room());
        let (before, done) = told(&mut queues, 2_000);
        assert_eq!((before, done.len()), (0, 50));
        for n in 0..ALL {
            queues.take(letter(&n.to_string(), 3_000 + n as u64));
        }
        assert!(!queues.has_room());
    }
}
