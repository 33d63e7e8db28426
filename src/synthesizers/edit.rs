//! What a shift takes from a home's sequences and what it brings: one edit for seasons, for devices that come or go, and
//! for what a language model proposes.

use std::collections::{BTreeMap, BTreeSet};

use hearth_operators::words::{ActionId, HOURS, Hours, Quadruple, Sequence, WEEKDAYS, Weekday};
use rand::Rng;
use rand::seq::IndexedRandom;

use super::vocabulary::{Pair, Vocabulary};

/// In how many of the times that something begins something else is done with it too: how a device is used that a home never
/// used nobody knows, but seldom is it switched on and off alone.
const BESIDES: f64 = 0.5;

/// Behaviours that end, those that take their place, and those that begin.
#[derive(Debug, Default)]
pub struct Edit {
    /// Actions that do not occur any more.
    pub gone: BTreeSet<ActionId>,
    /// Hours in which what is gone stays nevertheless.
    pub spared: BTreeSet<Hours>,
    /// By action that is gone: what is done instead, best first, each in its hours.
    pub instead: BTreeMap<ActionId, Vec<(Pair, BTreeSet<Hours>)>>,
    /// What begins.
    pub additions: Vec<Addition>,
}

/// Something that a home begins to do.
#[derive(Debug)]
pub struct Addition {
    /// What is done.
    pub pair: Pair,
    /// When.
    pub hours: BTreeSet<Hours>,
    /// On which days.
    pub weekdays: BTreeSet<Weekday>,
    /// Right after which action; `None`: after any.
    pub after: Option<ActionId>,
    /// In how many of the sequences that have such a place, from 0 to 1.
    pub share: f64,
    /// What else may be done with it while it goes on.
    pub besides: Vec<ActionId>,
    /// Where one of these occurs it is done already.
    pub same: BTreeSet<ActionId>,
}

/// All hours of the day.
pub fn every_hour() -> BTreeSet<Hours> {
    (0..HOURS.len() as Hours).collect()
}

/// All days of the week.
pub fn every_day() -> BTreeSet<Weekday> {
    (0..WEEKDAYS.len() as Weekday).collect()
}

impl Edit {
    /// The sequence after the shift; empty if nothing is left of it.
    pub fn apply(
        &self,
        vocabulary: &Vocabulary,
        source: &Sequence,
        rng: &mut impl Rng,
    ) -> Sequence {
        let mut sequence = self.without_the_gone(vocabulary, &source.0);
        for addition in &self.additions {
            addition.insert(&mut sequence, rng);
        }
        Sequence(sequence)
    }

    fn without_the_gone(&self, vocabulary: &Vocabulary, source: &[Quadruple]) -> Vec<Quadruple> {
        let mut kept: Vec<Quadruple> = Vec::with_capacity(source.len());
        // By action that occurred so far: whether its latest occurrence was kept, the one that can be open.
        let mut seen: BTreeMap<ActionId, bool> = BTreeMap::new();
        // What was put in the place of something gone and is still open: by the action that is gone.
        let mut open: BTreeMap<ActionId, Pair> = BTreeMap::new();
        for &behavior in source {
            let closes = vocabulary.catalog.closes(behavior.action);
            let mut opened = closes.iter().filter_map(|a| seen.get(a)).peekable();
            // What closed only things that are gone has nothing left to close.
            let orphan = opened.peek().is_some() && opened.all(|&kept| !kept);
            let gone = self.gone.contains(&behavior.action);
            let stays = !orphan && (!gone || self.spared.contains(&behavior.hours));
            seen.insert(behavior.action, stays);
            if stays {
                kept.push(behavior);
                continue;
            }
            let ended = closes.iter().find_map(|action| open.remove(action));
            if let Some(action) = ended.and_then(|pair| pair.close) {
                kept.push(Quadruple { action, ..behavior });
            } else if let Some(pair) = self.replacement(behavior)
                && !open.values().any(|already| already.open == pair.open)
            {
                let action = pair.open;
                kept.push(Quadruple { action, ..behavior });
                open.insert(behavior.action, pair);
            }
        }
        kept
    }

    fn replacement(&self, behavior: Quadruple) -> Option<Pair> {
        let choices = self.instead.get(&behavior.action)?;
        choices
            .iter()
            .find(|(_, hours)| hours.contains(&behavior.hours))
            .map(|&(pair, _)| pair)
    }
}

impl Addition {
    /// Whether it can begin right after a behaviour.
    pub fn fits(&self, behavior: &Quadruple) -> bool {
        self.hours.contains(&behavior.hours)
            && self.weekdays.contains(&behavior.weekday)
            && self.after.is_none_or(|action| behavior.action == action)
    }

    /// Lets it begin after one of the behaviours where it fits and end at a later one's time, at the share's odds.
    fn insert(&self, sequence: &mut Vec<Quadruple>, rng: &mut impl Rng) {
        let places: Vec<usize> = (0..sequence.len())
            .filter(|&i| self.fits(&sequence[i]))
            .collect();
        let done = sequence.iter().any(|q| self.same.contains(&q.action));
        if places.is_empty() || done || !rng.random_bool(self.share) {
            return;
        }
        let start = places[rng.random_range(0..places.len())];
        let end = rng.random_range(start..sequence.len());
        // The end first, so that the start's place still holds.
        if let Some(action) = self.pair.close {
            let at = sequence[end];
            sequence.insert(end + 1, Quadruple { action, ..at });
        }
        let at = sequence[start];
        if let Some(&action) = self.besides.choose(rng)
            && rng.random_bool(BESIDES)
        {
            sequence.insert(start + 1, Quadruple { action, ..at });
        }
        let action = self.pair.open;
        sequence.insert(start + 1, Quadruple { action, ..at });
    }
}
