//! The states of the homes that live on a worker, found by position; which of them changed; how they move to other workers.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::marker::PhantomData;

use super::scribe::{Due, Scribe};
use crate::words::HomeId;

/// States in a page: a new one moves none of the others.
const PAGE: usize = 512;

/// More homes than anybody has: what claims an id beyond is damaged.
const MOST: u32 = 1 << 28;

/// What an operator keeps of one home: plain data.
pub trait HomeState: Default {
    /// Whether it holds nothing, as for a home that was never met: such a state is not taken out.
    fn is_blank(&self) -> bool;

    /// A clone, where that is made much sooner than bytes: a cut takes it then, and others make bytes of it later.
    fn cloned(&self) -> Option<Self> {
        None
    }
}

impl<S> HomeState for Option<S> {
    fn is_blank(&self) -> bool {
        self.is_none()
    }
}

/// A state for each home of a worker, in order of their ids.
///
/// Ids are dense (the source counts homes as it meets them) and a home lives on worker `id % peers`, so its state has a
/// place: nothing is hashed, and homes that come together lie together. A home that was not met has a blank state.
/// Serialises as a list of homes with their states, without the blank ones.
pub struct Homes<S> {
    index: u32,
    peers: u32,
    pages: Vec<Vec<S>>,
    /// A bit for each place whose state was lent out to be changed since the last [`Homes::cut`].
    changed: Vec<u64>,
    /// What had changed by then.
    before: Vec<u64>,
    /// What of that cut is still to be written.
    due: Option<Due<S>>,
}

/// A cut stays with what it was taken of.
impl<S: Clone> Clone for Homes<S> {
    fn clone(&self) -> Self {
        Homes {
            pages: self.pages.clone(),
            changed: self.changed.clone(),
            before: self.before.clone(),
            due: None,
            ..*self
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Homes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.pages).finish()
    }
}

impl<S> Default for Homes<S> {
    fn default() -> Self {
        Homes {
            index: 0,
            peers: 1,
            pages: Vec::new(),
            changed: Vec::new(),
            before: Vec::new(),
            due: None,
        }
    }
}

impl<S: HomeState> Homes<S> {
    /// The states of worker `index` among `peers`.
    pub fn new(index: usize, peers: usize) -> Self {
        let mut homes = Homes::default();
        homes.settle(index, peers);
        homes
    }

    /// Says whose states these are. States that are held already must have been dealt to that worker.
    pub fn settle(&mut self, index: usize, peers: usize) {
        let (index, peers) = (index as u32, peers.max(1) as u32);
        debug_assert!(self.pages.is_empty() || (index, peers) == (self.index, self.peers));
        (self.index, self.peers) = (index, peers);
    }

    /// The state of a home that lives here, to be changed.
    pub fn of(&mut self, home: HomeId) -> &mut S {
        let place = (home.0 / self.peers) as usize;
        if place / 64 >= self.changed.len() {
            self.changed.resize(place / 64 + 1, 0);
        }
        self.changed[place / 64] |= 1 << (place % 64);
        if self.due.is_some() {
            self.write_first(home);
        }
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

    /// The state of a home that lives here, to be given another form: it does not count as changed.
    pub fn quietly(&mut self, home: HomeId) -> Option<&mut S> {
        let place = (home.0 / self.peers) as usize;
        self.pages.get_mut(place / PAGE)?.get_mut(place % PAGE)
    }

    /// Every home that is not blank, with its state.
    pub fn iter(&self) -> impl Iterator<Item = (HomeId, &S)> {
        let homes = (0..).map(|page| self.homes_of(page));
        let all = self.pages.iter().zip(homes);
        let all = all.flat_map(|(states, homes)| homes.zip(states));
        all.filter(|(_, state)| !state.is_blank())
    }

    /// Every home that is not blank, with its state to be changed: all count as changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (HomeId, &mut S)> {
        self.write(&mut || true);
        self.change_all();
        let (index, peers) = (self.index, self.peers);
        let pages = self.pages.iter_mut().enumerate();
        let all = pages.flat_map(move |(page, states)| {
            let first = (page * PAGE) as u32;
            let homes = (first..).map(move |place| HomeId(place * peers + index));
            homes.zip(states)
        });
        all.filter(|(_, state)| !state.is_blank())
    }

    /// A cut: every home that changed since the one before goes to `scribe` as it stands now, also such as are blank by now. It
    /// goes there before it changes again, or when [`Homes::write`] comes to it. What an earlier cut has not written by now it
    /// never will.
    pub fn cut(&mut self, scribe: Box<dyn Scribe<S>>) {
        self.before = std::mem::take(&mut self.changed);
        self.due = Some(Due::new(self.before.clone(), scribe));
        // What is done by now says so.
        self.write(&mut || false);
    }

    /// Writes homes of the cut while `goes_on`. Whether all are written.
    pub fn write(&mut self, goes_on: &mut impl FnMut() -> bool) -> bool {
        let Some(mut due) = self.due.take() else {
            return true;
        };
        while let Some(place) = due.next() {
            if !goes_on() {
                self.due = Some(due);
                return false;
            }
            let home = HomeId(place * self.peers + self.index);
            due.take(place, self.get(home).map(|state| (home, state)));
        }
        due.done();
        true
    }

    /// The state of a home is lent out: it is written first, if that is due.
    #[cold]
    fn write_first(&mut self, home: HomeId) {
        if let Some(mut due) = self.due.take() {
            let state = self.get(home).map(|state| (home, state));
            due.take(home.0 / self.peers, state);
            self.due = Some(due);
        }
    }

    /// The last cut came to nothing: what had changed by then counts as changed since.
    pub fn undo_cut(&mut self) {
        let before = std::mem::take(&mut self.before);
        if before.len() > self.changed.len() {
            self.changed.resize(before.len(), 0);
        }
        for (changed, before) in self.changed.iter_mut().zip(before) {
            *changed |= before;
        }
    }

    /// Has all homes count as changed.
    pub fn change_all(&mut self) {
        self.changed.fill(u64::MAX);
    }

    /// Puts back the state of a home that lives here, as it was written: that is no change.
    pub fn put(&mut self, home: HomeId, state: S) {
        let place = (home.0 / self.peers) as usize;
        let was = self.changed.get(place / 64).copied().unwrap_or(0);
        *self.of(home) = state;
        self.changed[place / 64] = was;
    }

    /// Moves every state to the worker of `to` on which its home lives now.
    pub fn deal<'a>(self, to: impl IntoIterator<Item = &'a mut Homes<S>>)
    where
        S: 'a,
    {
        let mut to: Vec<_> = to.into_iter().collect();
        let peers = to.len();
        for (index, homes) in to.iter_mut().enumerate() {
            homes.settle(index, peers);
        }
        let stays = to.get_mut(self.index as usize);
        if let Some(place) = stays.filter(|at| at.peers == self.peers && at.pages.is_empty()) {
            **place = self;
            return;
        }
        let (index, own) = (self.index, self.peers);
        for (page, states) in self.pages.into_iter().enumerate() {
            let first = (page * PAGE) as u32;
            for (place, state) in (first..).zip(states) {
                let home = HomeId(place * own + index);
                if !state.is_blank() {
                    *to[home.worker(peers)].of(home) = state;
                }
            }
        }
    }

    fn homes_of(&self, page: usize) -> impl Iterator<Item = HomeId> + use<S> {
        let (index, peers) = (self.index, self.peers);
        let first = (page * PAGE) as u32;
        (first..).map(move |place| HomeId(place * peers + index))
    }
}

impl<S: HomeState + Serialize> Serialize for Homes<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut list = serializer.serialize_seq(Some(self.iter().count()))?;
        for home in self.iter() {
            list.serialize_element(&home)?;
        }
        list.end()
    }
}

/// What was taken out lies on one worker until it is [dealt](Homes::deal).
impl<'de, S: HomeState + Deserialize<'de>> Deserialize<'de> for Homes<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<S>(PhantomData<S>);
        impl<'de, S: HomeState + Deserialize<'de>> Visitor<'de> for List<S> {
            type Value = Homes<S>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of homes with their states")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Homes<S>, A::Error> {
                let mut homes = Homes::default();
                while let Some((home, state)) = list.next_element::<(HomeId, S)>()? {
                    if home.0 >= MOST {
                        return Err(A::Error::custom("it is of more homes than there are"));
                    }
                    *homes.of(home) = state;
                }
                Ok(homes)
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Count(u32);

    impl HomeState for Count {
        fn is_blank(&self) -> bool {
            self.0 == 0
        }
    }

    const HOMES: [u32; 4] = [1, 4, 7, 3 * 5000 + 1];

    fn states() -> Homes<Count> {
        let mut states = Homes::<Count>::new(1, 3);
        for home in HOMES {
            states.of(HomeId(home)).0 = home;
        }
        states
    }

    #[test]
    fn a_state_stays_with_its_home() {
        let mut states = states();
        for home in HOMES {
            assert_eq!(states.of(HomeId(home)).0, home);
        }
        let met: Vec<_> = states
            .iter()
            .map(|(home, state)| (home.0, state.0))
            .collect();
        assert_eq!(met, HOMES.map(|home| (home, home)));
    }

    /// What a cut has, in the order in which it was written; and whether that is all.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<(Vec<(u32, u32)>, bool)>>);

    impl Scribe<Count> for Log {
        fn write(&mut self, home: HomeId, state: &Count) {
            self.0.lock().unwrap().0.push((home.0, state.0));
        }

        fn done(self: Box<Self>) {
            self.0.lock().unwrap().1 = true;
        }
    }

    impl Log {
        fn of(states: &mut Homes<Count>) -> Self {
            let log = Log::default();
            states.cut(Box::new(log.clone()));
            log
        }

        /// What it has by now, in order of homes.
        fn written(&self) -> Vec<(u32, u32)> {
            let mut homes = self.0.lock().unwrap().0.clone();
            homes.sort_unstable();
            homes
        }

        fn is_done(&self) -> bool {
            self.0.lock().unwrap().1
        }
    }

    #[test]
    fn a_cut_has_what_was_lent_out_since_the_one_before() {
        let mut states = states();
        let first = Log::of(&mut states);
        assert!(states.write(&mut || true));
        assert_eq!(first.written(), HOMES.map(|home| (home, home)));
        let none = Log::of(&mut states);
        assert!(none.is_done() && none.written().is_empty());
        states.of(HomeId(7)).0 += 1;
        let _ = states.of(HomeId(10));
        states.put(HomeId(13), Count(1));
        let second = Log::of(&mut states);
        assert!(!second.is_done() && states.write(&mut || true) && second.is_done());
        assert_eq!(second.written(), [(7, 8), (10, 0)]);
    }

    #[test]
    fn what_changes_while_a_cut_is_written_is_written_as_it_was() {
        let mut states = states();
        let first = Log::of(&mut states);
        states.of(HomeId(7)).0 = 70;
        states.of(HomeId(7)).0 = 71;
        states.of(HomeId(10)).0 = 10;
        assert_eq!(first.written(), [(7, 7)]);
        let mut two = [true, true].into_iter();
        assert!(!states.write(&mut || two.next().unwrap_or(false)));
        assert_eq!(first.written().len(), 3);
        assert!(states.write(&mut || true) && first.is_done());
        assert_eq!(first.written(), HOMES.map(|home| (home, home)));
        let second = Log::of(&mut states);
        states.write(&mut || true);
        assert_eq!(second.written(), [(7, 71), (10, 10)]);
    }

    #[test]
    fn a_cut_that_came_to_nothing_is_made_up_for() {
        let mut states = states();
        let lost = Log::of(&mut states);
        states.of(HomeId(7)).0 = 70;
        states.undo_cut();
        let next = Log::of(&mut states);
        for (_, state) in states.iter_mut() {
            state.0 = 0;
        }
        assert!(next.is_done() && !lost.is_done());
        assert_eq!(next.written(), [(1, 1), (4, 4), (7, 70), (15_001, 15_001)]);
    }

    #[test]
    fn states_go_to_where_their_homes_live() {
        let mut two = [Homes::default(), Homes::default()];
        states().deal(&mut two);
        let held = |homes: &Homes<Count>| homes.iter().map(|(home, _)| home.0).collect::<Vec<_>>();
        assert_eq!(held(&two[0]), [4]);
        assert_eq!(held(&two[1]), [1, 7, 15_001]);
    }
}
