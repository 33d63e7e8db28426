//! The homes that live on a worker: their states, found by position, and what an epoch brings each of them.

use crate::words::HomeId;

/// States in a page: a new one moves none of the others.
const PAGE: usize = 512;

/// A state for each home of a worker, in order of their ids.
///
/// Ids are dense (the source counts homes as it meets them) and a home lives on worker `id % peers`, so its state has a
/// place: nothing is hashed, and homes that come together lie together. A home that was not met has a default state.
pub(crate) struct States<S> {
    index: u32,
    peers: u32,
    pages: Vec<Vec<S>>,
}

impl<S: Default> States<S> {
    /// The states of worker `index` among `peers`.
    pub fn new(index: usize, peers: usize) -> Self {
        States {
            index: index as u32,
            peers: peers.max(1) as u32,
            pages: Vec::new(),
        }
    }

    /// The state of a home that lives here.
    pub fn of(&mut self, home: HomeId) -> &mut S {
        let place = (home.0 / self.peers) as usize;
        let (page, place) = (place / PAGE, place % PAGE);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, Vec::new);
        }
        let page = &mut self.pages[page];
        if place >= page.len() {
            page.reserve_exact(PAGE - page.len());
            page.resize_with(place + 1, S::default);
        }
        &mut page[place]
    }

    /// The state of a home that lives here, if any home of its page was met.
    pub fn get(&self, home: HomeId) -> Option<&S> {
        let place = (home.0 / self.peers) as usize;
        self.pages.get(place / PAGE)?.get(place % PAGE)
    }

    /// Every state, with its home.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (HomeId, &mut S)> {
        let (index, peers) = (self.index, self.peers);
        let pages = self.pages.iter_mut().enumerate();
        pages.flat_map(move |(page, states)| {
            let first = (page * PAGE) as u32;
            let homes = (first..).map(move |place| HomeId(place * peers + index));
            homes.zip(states)
        })
    }
}

/// The events of an epoch by home: found home by home, each home's in their order, without moving or sorting them.
pub(crate) struct Agenda {
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

impl Agenda {
    /// Nothing yet, of worker `index` among `peers`.
    pub fn new(index: usize, peers: usize) -> Self {
        Agenda {
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
                let home = (home(event).0 / self.peers) as usize;
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
    fn a_state_stays_with_its_home() {
        let mut states = States::<u32>::new(1, 3);
        let homes = [1, 4, 7, 3 * 5000 + 1];
        for home in homes {
            *states.of(HomeId(home)) = home;
        }
        for home in homes {
            assert_eq!(*states.of(HomeId(home)), home);
        }
        let met: Vec<_> = states.iter_mut().filter(|(_, state)| **state > 0).collect();
        assert!(met.iter().all(|(home, state)| home.0 == **state));
        assert_eq!(met.len(), homes.len());
    }

    #[test]
    fn events_come_home_by_home_in_their_order() {
        let mut agenda = Agenda::new(1, 3);
        let messages = [vec![700, 1, 4], vec![], vec![700, 193, 4, 700]];
        let numbered: Vec<Vec<(u32, usize)>> = messages
            .iter()
            .map(|homes| homes.iter().copied().zip(0..).collect())
            .collect();
        // The second epoch finds nothing of the first.
        for numbered in [&numbered[..], &numbered[..1], &[]] {
            agenda.plan(numbered, |(home, _)| HomeId(*home));
            let mut expected: Vec<_> = numbered.concat();
            expected.sort_by_key(|(home, _)| *home);
            let homes = agenda.homes().iter();
            let found = homes.flat_map(|(home, first)| {
                let events = agenda.events(*first, numbered);
                events.map(|event| (HomeId(event.0), *home, *event))
            });
            let found: Vec<_> = found.collect();
            assert!(found.iter().all(|(of, home, _)| of == home));
            assert_eq!(found.iter().map(|f| f.2).collect::<Vec<_>>(), expected);
        }
    }
}
