//! The homes that live on a worker: their states, found by position, and those that an epoch touches.

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

/// The homes of a worker that the open epoch touches, each once.
pub(crate) struct Touched {
    index: u32,
    peers: u32,
    /// A bit for each home, by its place.
    words: Vec<u64>,
}

impl Touched {
    /// None yet, of worker `index` among `peers`.
    pub fn new(index: usize, peers: usize) -> Self {
        Touched {
            index: index as u32,
            peers: peers.max(1) as u32,
            words: Vec::new(),
        }
    }

    /// Adds a home that lives here.
    pub fn insert(&mut self, home: HomeId) {
        let place = home.0 / self.peers;
        let word = (place / 64) as usize;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (place % 64);
    }

    /// Takes them all, in order of their ids.
    pub fn take(&mut self) -> Vec<HomeId> {
        let mut homes = Vec::new();
        for (word, first) in self.words.iter_mut().zip((0..).step_by(64)) {
            let mut bits = std::mem::take(word);
            while bits != 0 {
                let place = first + bits.trailing_zeros();
                homes.push(HomeId(place * self.peers + self.index));
                bits &= bits - 1;
            }
        }
        homes
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
    fn touched_homes_come_once_and_in_order() {
        let mut touched = Touched::new(1, 3);
        let homes = [700, 1, 4, 700, 193, 4].map(HomeId);
        for home in homes {
            touched.insert(home);
        }
        assert_eq!(touched.take(), [1, 4, 193, 700].map(HomeId));
        assert!(touched.take().is_empty());
    }
}
