//! An epoch's events by home, found without moving or sorting them.

use crate::words::HomeId;

/// The events of an epoch by home: found home by home, each home's in their order, without moving or sorting them.
pub(crate) struct ByHome {
    index: u32,
    peers: u32,
    /// A bit for each home that has events, by its place.
    words: Vec<u64>,
    /// The first event of each such home, by its place.
    first: Vec<Spot>,
    /// Behind each event the next one of its home.
    next: Vec<Vec<Spot>>,
    homes: Vec<(HomeId, Spot)>,
}

/// Where an event lies: in which message of its epoch, and where in that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    message: u32,
    place: u32,
}

impl Spot {
    const NONE: Spot = Spot {
        message: u32::MAX,
        place: u32::MAX,
    };

    /// What lies there.
    pub fn of<T>(self, messages: &[Vec<T>]) -> Option<&T> {
        messages
            .get(self.message as usize)?
            .get(self.place as usize)
    }
}

impl ByHome {
    /// Nothing yet, of worker `index` among `peers`.
    pub fn new(index: usize, peers: usize) -> Self {
        ByHome {
            index: index as u32,
            peers: peers.max(1) as u32,
            words: Vec::new(),
            first: Vec::new(),
            next: Vec::new(),
            homes: Vec::new(),
        }
    }

    /// Takes in the messages of an epoch, all for homes that live here.
    pub fn plan<T>(&mut self, messages: &[Vec<T>], home: impl Fn(&T) -> HomeId) {
        self.next.resize_with(messages.len(), Vec::new);
        let numbered = messages.iter().zip(&mut self.next).enumerate();
        // From the back, so that the first event of a home is the last to be noted.
        for (message, (events, next)) in numbered.rev() {
            next.clear();
            next.resize(events.len(), Spot::NONE);
            for (place, (event, next)) in events.iter().zip(next).enumerate().rev() {
                let home = home(event);
                debug_assert_eq!(home.worker(self.peers as usize), self.index as usize);
                let home = (home.0 / self.peers) as usize;
                if home >= self.first.len() {
                    self.first.resize(home + 1, Spot::NONE);
                    self.words.resize(home / 64 + 1, 0);
                }
                let spot = Spot {
                    message: message as u32,
                    place: place as u32,
                };
                *next = std::mem::replace(&mut self.first[home], spot);
                self.words[home / 64] |= 1 << (home % 64);
            }
        }
        self.homes.clear();
        for (word, first) in self.words.iter_mut().zip((0..).step_by(64)) {
            let mut bits = std::mem::take(word);
            while bits != 0 {
                let place = first + bits.trailing_zeros();
                let spot = std::mem::replace(&mut self.first[place as usize], Spot::NONE);
                let home = HomeId(place * self.peers + self.index);
                self.homes.push((home, spot));
                bits &= bits - 1;
            }
        }
    }

    /// The homes that have events, in order of their ids, each with its first one.
    pub fn homes(&self) -> &[(HomeId, Spot)] {
        &self.homes
    }

    /// The events of a home, from its first one on.
    pub fn events<'a, T>(
        &'a self,
        first: Spot,
        messages: &'a [Vec<T>],
    ) -> impl Iterator<Item = &'a T> {
        let mut spot = first;
        std::iter::from_fn(move || {
            let event = spot.of(messages)?;
            spot = self.next[spot.message as usize][spot.place as usize];
            Some(event)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_home_by_home_in_their_order() {
        let mut by_home = ByHome::new(1, 3);
        let messages = [vec![700, 1, 4], vec![], vec![700, 193, 4, 700]];
        let numbered: Vec<Vec<(u32, usize)>> = messages
            .iter()
            .map(|homes| homes.iter().copied().zip(0..).collect())
            .collect();
        // The second epoch finds nothing of the first.
        for numbered in [&numbered[..], &numbered[..1], &[]] {
            by_home.plan(numbered, |(home, _)| HomeId(*home));
            let mut expected: Vec<_> = numbered.concat();
            expected.sort_by_key(|(home, _)| *home);
            let homes = by_home.homes().iter();
            let found = homes.flat_map(|(home, first)| {
                let events = by_home.events(*first, numbered);
                events.map(|event| (HomeId(event.0), *home, *event))
            });
            let found: Vec<_> = found.collect();
            assert!(found.iter().all(|(of, home, _)| of == home));
            assert_eq!(found.iter().map(|f| f.2).collect::<Vec<_>>(), expected);
        }
    }
}
