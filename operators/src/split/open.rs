//! How a home's open segment, its last, differs from what it was before an epoch.

use std::collections::BTreeMap;

use super::home::HomeSplit;
use crate::words::{HomeId, Moment, Open};

/// What open segments were before an epoch, and what became of them.
#[derive(Default)]
pub(super) struct Opening {
    /// Of homes of which something is erased.
    erased: BTreeMap<HomeId, Stood>,
    pub open: Vec<Open>,
}

/// A home's open segment before an epoch.
pub(super) struct Stood {
    /// How many behaviours it had.
    length: usize,
    /// How many the home retained.
    retained: usize,
    /// How many followed these in the epoch.
    appended: usize,
    /// What it was, where it may have changed within.
    moments: Option<Vec<Moment>>,
}

impl Stood {
    /// Before the epoch's behaviours are taken in.
    fn new(state: &HomeSplit) -> Self {
        Stood {
            length: state.open().len(),
            retained: state.retained().len(),
            appended: 0,
            moments: None,
        }
    }

    /// Before the first of them is merged with what was there: until then all are appended.
    pub fn appended(&mut self, state: &HomeSplit) {
        if self.moments.is_some() {
            return;
        }
        self.appended = state.retained().len() - self.retained;
        if state.merges() {
            self.moments = Some(state.moments_before(self.appended, self.length));
        }
    }

    /// How many of its behaviours, from the first on, are those of the open segment now.
    fn same(&self, state: &HomeSplit) -> usize {
        let now = state.open();
        match &self.moments {
            Some(moments) => {
                let pairs = moments.iter().zip(now);
                pairs.take_while(|(m, e)| **m == e.moment()).count()
            }
            None if now.len() == self.length + self.appended => self.length,
            None => 0,
        }
    }
}

impl Opening {
    /// The open segment of a home before the epoch's behaviours are taken in.
    pub fn stood(&mut self, home: HomeId, state: &HomeSplit) -> Stood {
        let erased = self.erased.remove(&home);
        erased.unwrap_or_else(|| Stood::new(state))
    }

    /// Something of the home is about to be erased.
    pub fn erase(&mut self, home: HomeId, state: &HomeSplit) {
        let mut stood = Stood::new(state);
        stood.moments = Some(state.moments_before(0, stood.length));
        self.erased.insert(home, stood);
    }

    /// Homes of which something was erased, and that had nothing new in the epoch.
    pub fn erased(&mut self) -> BTreeMap<HomeId, Stood> {
        std::mem::take(&mut self.erased)
    }

    /// The epoch is complete for a home; `anew`: segments of it were erased.
    pub fn note(&mut self, home: HomeId, stood: &Stood, state: &HomeSplit, anew: bool) {
        let now = state.open();
        let same = stood.same(state);
        let unchanged = same == stood.length && same == now.len();
        let is_none = now.is_empty() && stood.length == 0;
        if is_none || unchanged && !anew {
            return;
        }
        let segment = (!now.is_empty()).then(|| state.open_segment(home));
        let new = if anew { 0 } else { same };
        self.open.push(Open { home, segment, new });
    }

    /// The log has ended: nothing is open any more.
    pub fn end(&mut self, home: HomeId, state: &HomeSplit) {
        let stood = self.stood(home, state);
        if stood.length > 0 {
            let segment = None;
            self.open.push(Open {
                home,
                segment,
                new: 0,
            });
        }
    }
}
