//! Counts in few bytes: of actions in contexts, and of bins.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::situation::{CELLS, Trait};
use crate::state::{read_number, write_number};
use crate::words::ActionId;

/// What stands beyond either end of a segment: no catalog has an action of that id.
pub(super) const BORDER: ActionId = ActionId(u16::MAX);

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

/// What a context is: an id.
pub(super) trait Id: Copy + Ord {
    fn to(self) -> u16;
    fn from(id: u16) -> Self;
}

/// How often which action came in which context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table<C> {
    /// In order of contexts.
    contexts: Vec<(C, Context)>,
    /// Of counts of 65,536 and more what does not fit there: few homes have any.
    high: BTreeMap<(u16, ActionId), u16>,
    /// How many different actions there are in all contexts.
    size: usize,
}

/// How often which action came in one context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Context {
    times: u32,
    /// In order of action. No action that did not come.
    seen: Box<[(ActionId, u16)]>,
}

impl<C> Default for Table<C> {
    fn default() -> Self {
        Table {
            contexts: Vec::new(),
            high: BTreeMap::new(),
            size: 0,
        }
    }
}

impl<C: Id> Table<C> {
    /// Changes a count, and tells by how much that changes how many different actions there are.
    pub fn add(&mut self, context: C, action: ActionId, diff: i32) -> i32 {
        let at = match self.find(context) {
            Ok(at) => at,
            Err(free) => {
                self.contexts.insert(free, (context, Context::default()));
                free
            }
        };
        let here = &mut self.contexts[at].1;
        bump(&mut here.times, diff);
        let key = (context.to(), action);
        let place = here.place(action);
        let mut count = match place {
            Ok(place) => u32::from(here.seen[place].1) | self.high(key) << 16,
            Err(_) => 0,
        };
        bump(&mut count, diff);
        let (low, high) = (count as u16, (count >> 16) as u16);
        if high > 0 {
            self.high.insert(key, high);
        } else if !self.high.is_empty() {
            self.high.remove(&key);
        }
        let here = &mut self.contexts[at].1;
        let kinds = match (place, count) {
            (Ok(_), 0) => {
                here.change(|seen| seen.retain(|(a, _)| *a != action));
                -1
            }
            (Ok(place), _) => {
                here.seen[place].1 = low;
                0
            }
            (Err(_), 0) => 0,
            (Err(place), _) => {
                here.change(|seen| seen.insert(place, (action, low)));
                1
            }
        };
        if here.seen.is_empty() {
            self.contexts.remove(at);
        }
        self.size = self.size.wrapping_add_signed(kinds as isize);
        kinds
    }

    /// How many contexts there are.
    pub fn len(&self) -> usize {
        self.contexts.len()
    }

    /// How many different actions there are in all contexts.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How often anything came in a context.
    pub fn times(&self, context: C) -> u32 {
        let found = self.find(context);
        found.map_or(0, |at| self.contexts[at].1.times)
    }

    /// How often an action came in a context.
    pub fn share(&self, context: C, action: ActionId) -> Share {
        let found = self.find(context);
        found.map_or_else(
            |_| Share::default(),
            |at| {
                let here = &self.contexts[at].1;
                Share {
                    seen: self.seen(context, here, action),
                    times: here.times,
                    kinds: here.seen.len() as u32,
                }
            },
        )
    }

    /// The most frequent action (not the border) in a context, and how often it came; ties by action.
    pub fn most(&self, context: C) -> Option<(ActionId, u32)> {
        let here = &self.contexts[self.find(context).ok()?].1;
        let actions = here.seen.iter().map(|(action, _)| *action);
        let actions = actions.filter(|action| *action != BORDER);
        let counted = actions.map(|action| (action, self.seen(context, here, action)));
        counted.max_by_key(|(action, times)| (*times, Reverse(*action)))
    }

    /// All counts, by context and action.
    pub fn iter(&self) -> impl Iterator<Item = (C, ActionId, u32)> {
        self.contexts.iter().flat_map(move |(context, here)| {
            here.seen.iter().map(move |(action, low)| {
                let high = self.high((context.to(), *action));
                (*context, *action, u32::from(*low) | high << 16)
            })
        })
    }

    /// Bytes that it takes beside itself, roughly.
    pub fn bytes(&self) -> usize {
        size_of::<(C, Context)>() * self.contexts.capacity()
            + size_of::<(ActionId, u16)>() * self.size
            + 16 * self.high.len()
    }

    /// By context: its id, how many actions there are, and of each how far its id is from the one before and its count.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        write_number(self.contexts.len() as u64, bytes);
        for (context, here) in &self.contexts {
            write_number(context.to().into(), bytes);
            write_number(here.seen.len() as u64, bytes);
            let mut before = 0;
            for (action, _) in &here.seen {
                write_number((action.0 - before).into(), bytes);
                write_number(self.seen(*context, here, *action).into(), bytes);
                before = action.0;
            }
        }
    }

    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let mut table = Table::default();
        for _ in 0..read_number(bytes)? {
            let context = C::from(read_id(bytes)?);
            let (mut here, mut seen) = (Context::default(), Vec::new());
            let mut action = 0u16;
            for _ in 0..read_number(bytes)? {
                action = action.checked_add(read_id(bytes)?)?;
                let count = u32::try_from(read_number(bytes)?).ok()?;
                bump(&mut here.times, count as i32);
                seen.push((ActionId(action), count as u16));
                if count >> 16 > 0 {
                    let key = (context.to(), ActionId(action));
                    table.high.insert(key, (count >> 16) as u16);
                }
            }
            table.size += seen.len();
            here.seen = seen.into();
            table.contexts.push((context, here));
        }
        let in_order = |(a, _): &(C, _), (b, _): &(C, _)| a < b;
        table.contexts.is_sorted_by(in_order).then_some(table)
    }

    fn find(&self, context: C) -> Result<usize, usize> {
        self.contexts.binary_search_by_key(&context, |(c, _)| *c)
    }

    fn high(&self, key: (u16, ActionId)) -> u32 {
        if self.high.is_empty() {
            return 0;
        }
        self.high.get(&key).copied().unwrap_or(0).into()
    }

    fn seen(&self, context: C, here: &Context, action: ActionId) -> u32 {
        let Ok(place) = here.place(action) else {
            return 0;
        };
        u32::from(here.seen[place].1) | self.high((context.to(), action)) << 16
    }
}

impl Context {
    fn place(&self, action: ActionId) -> Result<usize, usize> {
        self.seen.binary_search_by_key(&action, |(a, _)| *a)
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<(ActionId, u16)>)) {
        let mut seen = std::mem::take(&mut self.seen).into_vec();
        seen.reserve_exact(1);
        change(&mut seen);
        self.seen = seen.into();
    }
}

fn read_id(bytes: &mut &[u8]) -> Option<u16> {
    read_number(bytes)?.try_into().ok()
}

/// By trait: how often each bin was met.
#[derive(Clone, Debug)]
pub(super) enum Bins {
    /// No count of 65,536 or more.
    Narrow(Box<[u16; CELLS]>),
    Wide(Box<[u32; CELLS]>),
}

impl Default for Bins {
    fn default() -> Self {
        Bins::Narrow(Box::new([0; CELLS]))
    }
}

impl PartialEq for Bins {
    fn eq(&self, other: &Self) -> bool {
        (0..CELLS).all(|cell| self.get(cell) == other.get(cell))
    }
}

impl Eq for Bins {}

impl Bins {
    fn get(&self, cell: usize) -> u32 {
        match self {
            Bins::Narrow(counts) => counts[cell].into(),
            Bins::Wide(counts) => counts[cell],
        }
    }

    /// Changes a count.
    pub fn add(&mut self, of: Trait, bin: u8, diff: i32) {
        self.bump(of.cells().start + usize::from(bin), diff);
    }

    fn bump(&mut self, cell: usize, diff: i32) {
        let mut count = self.get(cell);
        bump(&mut count, diff);
        match self {
            Bins::Wide(counts) => counts[cell] = count,
            Bins::Narrow(counts) => match u16::try_from(count) {
                Ok(count) => counts[cell] = count,
                Err(_) => {
                    let mut wide = Box::new(counts.map(u32::from));
                    wide[cell] = count;
                    *self = Bins::Wide(wide);
                }
            },
        }
    }

    /// Whether nothing was met.
    pub fn is_empty(&self) -> bool {
        (0..CELLS).all(|cell| self.get(cell) == 0)
    }

    /// Adds other counts.
    pub fn merge(&mut self, other: &Bins) {
        for cell in 0..CELLS {
            self.bump(cell, other.get(cell) as i32);
        }
    }

    /// The counts of a trait, by bin.
    pub fn of(&self, of: Trait) -> impl Iterator<Item = u32> {
        of.cells().map(|cell| self.get(cell))
    }

    pub fn share(&self, of: Trait, bin: u8) -> Share {
        match self {
            Bins::Narrow(counts) => share(&counts[of.cells()], bin),
            Bins::Wide(counts) => share(&counts[of.cells()], bin),
        }
    }

    /// Bytes that they take beside themselves.
    pub fn bytes(&self) -> usize {
        match self {
            Bins::Narrow(_) => size_of::<[u16; CELLS]>(),
            Bins::Wide(_) => size_of::<[u32; CELLS]>(),
        }
    }

    /// Which are met, then how often each.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let met = (0..CELLS).map(|cell| u64::from(self.get(cell) > 0) << cell);
        write_number(met.sum(), bytes);
        let counts = (0..CELLS).map(|cell| self.get(cell));
        counts
            .filter(|n| *n > 0)
            .for_each(|n| write_number(n.into(), bytes));
    }

    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let (met, mut bins) = (read_number(bytes)?, Bins::default());
        for cell in (0..CELLS).filter(|cell| met >> cell & 1 > 0) {
            let count = u32::try_from(read_number(bytes)?).ok()?;
            bins.bump(cell, count as i32);
        }
        Some(bins)
    }
}

fn share<N: Copy + Into<u32>>(bins: &[N], bin: u8) -> Share {
    let bins = bins.iter().map(|n| (*n).into());
    let (mut times, mut kinds) = (0u32, 0);
    for n in bins.clone() {
        times = times.wrapping_add(n);
        kinds += u32::from(n > 0);
    }
    let seen = bins.clone().nth(bin.into()).unwrap_or(0);
    Share { seen, times, kinds }
}

/// Changes a count. What goes was there before.
pub(super) fn bump(count: &mut u32, diff: i32) {
    *count = count.wrapping_add_signed(diff);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::words::DeviceId;

    type Plain = BTreeMap<(u16, u16), u32>;

    fn share_of(plain: &Plain, context: u16, action: u16) -> Share {
        let here = plain.range((context, 0)..=(context, u16::MAX));
        Share {
            seen: plain.get(&(context, action)).copied().unwrap_or(0),
            times: here.clone().map(|(_, n)| n).sum(),
            kinds: here.count() as u32,
        }
    }

    proptest! {
        /// As a map, also of counts that need more than two bytes, and so it is read back.
        #[test]
        fn a_table_counts_as_a_map(
            steps in prop::collection::vec((0u16..3, prop_oneof![0u16..3, Just(u16::MAX)], 1u32..100_000, any::<bool>()), 0..40),
        ) {
            let (mut table, mut plain) = (Table::<DeviceId>::default(), Plain::new());
            for (context, action, n, more) in steps {
                let known = plain.entry((context, action)).or_default();
                let diff = if more { n as i32 } else { -(n.min(*known) as i32) };
                *known = known.wrapping_add_signed(diff);
                plain.retain(|_, n| *n > 0);
                table.add(DeviceId(context), ActionId(action), diff);
            }
            let found: Plain = table.iter().map(|(c, a, n)| ((c.0, a.0), n)).collect();
            prop_assert_eq!(&found, &plain);
            prop_assert_eq!(table.size(), plain.len());
            for context in 0..3 {
                for action in [0, 1, 2, u16::MAX] {
                    let share = table.share(DeviceId(context), ActionId(action));
                    prop_assert_eq!(share, share_of(&plain, context, action));
                }
            }
            let mut bytes = Vec::new();
            table.write(&mut bytes);
            let mut rest = &bytes[..];
            prop_assert_eq!(Table::read(&mut rest), Some(table));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn bins_count_as_a_list(steps in prop::collection::vec((0..CELLS, 1u32..100_000, any::<bool>()), 0..40)) {
            let (mut bins, mut plain) = (Bins::default(), [0u32; CELLS]);
            for (cell, n, more) in steps {
                let diff = if more { n as i32 } else { -(n.min(plain[cell]) as i32) };
                plain[cell] = plain[cell].wrapping_add_signed(diff);
                bins.bump(cell, diff);
            }
            let found = Trait::ALL.into_iter().flat_map(|of| bins.of(of).collect::<Vec<_>>());
            prop_assert_eq!(found.collect::<Vec<_>>(), plain);
            prop_assert_eq!(bins.is_empty(), plain == [0; CELLS]);
            let mut bytes = Vec::new();
            bins.write(&mut bytes);
            prop_assert_eq!(Bins::read(&mut &bytes[..]), Some(bins));
        }
    }
}
