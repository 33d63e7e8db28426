//! Counts of situations, a home's or all homes': added and taken back exactly, in any order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::situation::{PAUSES, REPEATS, Situation, Trait};
use crate::habits::Vocabulary;
use crate::words::{ActionId, DeviceId, Segment};

/// What stands beyond either end of a segment: no catalog has an action of that id.
const BORDER: ActionId = ActionId(u16::MAX);

/// In whose words something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// A home's own.
    Home,
    /// Its cohort's.
    Cohort,
}

impl Whose {
    /// An action of the home in these words.
    pub(super) fn action(self, words: &Vocabulary<'_>, action: ActionId) -> ActionId {
        match self {
            Whose::Home => action,
            Whose::Cohort => words.to_cohort(action),
        }
    }

    /// The device of an action of the home in these words.
    pub(super) fn device(self, words: &Vocabulary<'_>, action: ActionId) -> DeviceId {
        match self {
            Whose::Home => words.device_of(action),
            Whose::Cohort => words.cohort_device_of(words.to_cohort(action)),
        }
    }
}

/// One thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Cell {
    /// One action, or the border, right after another.
    Next(ActionId, ActionId),
    /// One action of a device next after another one of it in a segment, whatever came between.
    Device(ActionId, ActionId),
    /// An action as the first of its device in a segment.
    First(DeviceId, ActionId),
    /// An action in a bin of a trait.
    Bin(ActionId, Trait, u8),
}

/// Says what a segment adds to the counts, one by one.
fn cells(words: &Vocabulary<'_>, whose: Whose, segment: &Segment, mut say: impl FnMut(Cell)) {
    let named = |action: ActionId| whose.action(words, action);
    let or_border = |action: Option<ActionId>| action.map_or(BORDER, named);
    for s in Situation::all(words.catalog(), &segment.moments) {
        let action = named(s.action);
        say(Cell::Next(or_border(s.before), action));
        if s.after.is_none() {
            say(Cell::Next(action, BORDER));
        }
        say(match s.device {
            Some(last) => Cell::Device(named(last), action),
            None => Cell::First(whose.device(words, s.action), action),
        });
        for of in Trait::ALL {
            say(Cell::Bin(action, of, s.bin(of)));
        }
    }
}

/// What segments change in the [`Counts`] of their cohort, to be applied at once or sent to other workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes(Vec<(Cell, i32)>);

/// Changes that are not consolidated before there are so many, and as many again.
const LOOSE: usize = 1 << 16;

impl Changes {
    /// A segment comes (`diff` 1) or goes (-1).
    pub fn add(&mut self, words: &Vocabulary<'_>, segment: &Segment, diff: i32) {
        // A segment may have a million behaviours, but not as many different ones.
        let mut limit = self.0.len() + LOOSE;
        cells(words, Whose::Cohort, segment, |cell| {
            self.0.push((cell, diff));
            if self.0.len() > limit {
                self.consolidate();
                limit = 2 * self.0.len() + LOOSE;
            }
        });
    }

    /// Adds other changes.
    pub fn merge(&mut self, other: &Changes) {
        self.0.extend_from_slice(&other.0);
    }

    /// Sorts, and sums what belongs together: equal changes are equal values afterwards, and what cancels is gone.
    pub fn consolidate(&mut self) {
        self.0.sort_unstable();
        self.0.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        self.0.retain(|(_, diff)| *diff != 0);
    }

    /// Whether nothing is changed (after [`Changes::consolidate`]).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How often an outcome came where something came so often, in so many kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How often it was this outcome.
    pub seen: u32,
    /// How often there was any.
    pub times: u32,
    /// How many different ones there were.
    pub kinds: u32,
}

impl Share {
    /// The outcome's probability by Witten and Bell: what was seen, over what `general` says.
    pub(super) fn over(self, general: f32) -> f32 {
        if self.times == 0 {
            return general;
        }
        let kinds = self.kinds as f32;
        (self.seen as f32 + kinds * general) / (self.times as f32 + kinds)
    }
}

/// How often which action came in which context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Table<C: Ord> {
    contexts: BTreeMap<C, Context>,
    /// How many different actions there are in all contexts.
    size: usize,
}

/// How often which action came in one context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Context {
    times: u32,
    /// In order of action; none of them zero.
    seen: Vec<(ActionId, u32)>,
}

impl<C: Ord> Default for Table<C> {
    fn default() -> Self {
        Table {
            contexts: BTreeMap::new(),
            size: 0,
        }
    }
}

impl<C: Ord + Copy> Table<C> {
    fn add(&mut self, context: C, action: ActionId, diff: i32) {
        let here = self.contexts.entry(context).or_default();
        bump(&mut here.times, diff);
        match here.seen.binary_search_by_key(&action, |(a, _)| *a) {
            Ok(at) => {
                bump(&mut here.seen[at].1, diff);
                if here.seen[at].1 == 0 {
                    here.seen.remove(at);
                    self.size -= 1;
                }
            }
            Err(at) => {
                here.seen.insert(at, (action, diff as u32));
                self.size += 1;
            }
        }
        if here.seen.is_empty() {
            self.contexts.remove(&context);
        }
    }

    fn times(&self, context: C) -> u32 {
        self.contexts.get(&context).map_or(0, |here| here.times)
    }

    fn share(&self, context: C, action: ActionId) -> Share {
        self.contexts
            .get(&context)
            .map_or_else(Share::default, |here| {
                let at = here.seen.binary_search_by_key(&action, |(a, _)| *a);
                Share {
                    seen: at.map_or(0, |at| here.seen[at].1),
                    times: here.times,
                    kinds: here.seen.len() as u32,
                }
            })
    }

    /// The most frequent action (not the border) in a context, and how often it came; ties by action.
    fn most(&self, context: C) -> Option<(ActionId, u32)> {
        let here = self.contexts.get(&context)?;
        let actions = here.seen.iter().filter(|(action, _)| *action != BORDER);
        let most = actions.max_by_key(|(action, times)| (*times, Reverse(*action)));
        most.copied()
    }
}

/// By trait: how often each bin was met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Bins {
    hours: [u32; 8],
    before: [u32; PAUSES],
    after: [u32; PAUSES],
    run: [u32; REPEATS],
    often: [u32; REPEATS],
}

impl Bins {
    fn of(&self, of: Trait) -> &[u32] {
        match of {
            Trait::Hours => &self.hours,
            Trait::PauseBefore => &self.before,
            Trait::PauseAfter => &self.after,
            Trait::Run => &self.run,
            Trait::Often => &self.often,
        }
    }

    fn add(&mut self, of: Trait, bin: u8, diff: i32) {
        let bin = usize::from(bin);
        let count = match of {
            Trait::Hours => &mut self.hours[bin],
            Trait::PauseBefore => &mut self.before[bin],
            Trait::PauseAfter => &mut self.after[bin],
            Trait::Run => &mut self.run[bin],
            Trait::Often => &mut self.often[bin],
        };
        bump(count, diff);
    }

    fn share(&self, of: Trait, bin: u8) -> Share {
        let bins = self.of(of);
        Share {
            seen: bins[usize::from(bin)],
            times: bins.iter().sum(),
            kinds: bins.iter().filter(|n| **n > 0).count() as u32,
        }
    }
}

/// Counts of situations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// What came right after, and right before, an action or the border.
    after: Table<ActionId>,
    before: Table<ActionId>,
    /// What came next of an action's device.
    device: Table<ActionId>,
    first: Table<DeviceId>,
    bins: BTreeMap<ActionId, Bins>,
    /// Of all actions together.
    all: Bins,
    /// Behaviours and segments.
    total: u32,
}

impl Counts {
    /// Adds what segments change. Order and grouping of changes do not matter.
    pub fn apply(&mut self, changes: &Changes) {
        for &(cell, diff) in &changes.0 {
            self.bump(cell, diff);
        }
    }

    /// A segment of the home whose counts these are comes (`diff` 1) or goes (-1).
    pub(super) fn count(&mut self, words: &Vocabulary<'_>, segment: &Segment, diff: i32) {
        cells(words, Whose::Home, segment, |cell| self.bump(cell, diff));
    }

    fn bump(&mut self, cell: Cell, diff: i32) {
        match cell {
            Cell::Next(before, after) => {
                self.after.add(before, after, diff);
                self.before.add(after, before, diff);
                bump(&mut self.total, diff);
            }
            Cell::Device(last, action) => self.device.add(last, action, diff),
            Cell::First(device, action) => self.first.add(device, action, diff),
            Cell::Bin(action, of, bin) => {
                let bins = self.bins.entry(action).or_default();
                bins.add(of, bin, diff);
                if diff < 0 && *bins == Bins::default() {
                    self.bins.remove(&action);
                }
                self.all.add(of, bin, diff);
            }
        }
    }

    /// How much there is to keep, roughly: counts of actions in contexts.
    pub(super) fn size(&self) -> usize {
        self.after.size + self.before.size + self.device.size + self.first.size
    }

    /// How often an action came.
    pub fn times(&self, action: ActionId) -> u32 {
        self.after.times(action)
    }

    /// An action (none: a segment's border) among all that came.
    pub(super) fn any(&self, action: Option<ActionId>) -> Share {
        Share {
            seen: self.after.times(action.unwrap_or(BORDER)),
            times: self.total,
            kinds: self.after.contexts.len() as u32,
        }
    }

    /// An action (none: a segment's end) right after another one (none: its beginning).
    pub fn after(&self, before: Option<ActionId>, action: Option<ActionId>) -> Share {
        let (before, action) = (before.unwrap_or(BORDER), action.unwrap_or(BORDER));
        self.after.share(before, action)
    }

    /// An action (none: a segment's beginning) right before another one (none: its end).
    pub fn before(&self, after: Option<ActionId>, action: Option<ActionId>) -> Share {
        let (after, action) = (after.unwrap_or(BORDER), action.unwrap_or(BORDER));
        self.before.share(after, action)
    }

    /// An action as the next of its device in a segment, after another one of it.
    pub fn device(&self, last: ActionId, action: ActionId) -> Share {
        self.device.share(last, action)
    }

    /// An action as the first of its device in a segment.
    pub(super) fn first(&self, device: DeviceId, action: ActionId) -> Share {
        self.first.share(device, action)
    }

    /// A bin of a trait, for an action.
    pub(super) fn bin(&self, action: ActionId, of: Trait, bin: u8) -> Share {
        let bins = self.bins.get(&action);
        bins.map_or_else(Share::default, |bins| bins.share(of, bin))
    }

    /// A bin of a trait, for all actions.
    pub(super) fn bin_of_all(&self, of: Trait, bin: u8) -> Share {
        self.all.share(of, bin)
    }

    /// How often any was met in each bin of a trait.
    pub(super) fn bins_of_all(&self, of: Trait) -> &[u32] {
        self.all.of(of)
    }

    /// How often an action was met in each bin of a trait.
    pub fn bins(&self, action: ActionId, of: Trait) -> &[u32] {
        self.bins.get(&action).map_or(&[], |bins| bins.of(of))
    }

    /// What came most often right after an action (none: what segments begin with), and how often; ties by action.
    pub fn usual_after(&self, before: Option<ActionId>) -> Option<(ActionId, u32)> {
        self.after.most(before.unwrap_or(BORDER))
    }

    /// What came most often right before an action (none: what segments end with).
    pub fn usual_before(&self, after: Option<ActionId>) -> Option<(ActionId, u32)> {
        self.before.most(after.unwrap_or(BORDER))
    }

    /// What of an action's device came most often next.
    pub fn usual_of_device(&self, last: ActionId) -> Option<(ActionId, u32)> {
        self.device.most(last)
    }
}

/// Changes a count. What goes was there before.
fn bump(count: &mut u32, diff: i32) {
    *count = count.wrapping_add_signed(diff);
}
