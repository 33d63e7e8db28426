//! The counts of a cohort: what homes do in which situation, each home's voice summed with the others'.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::FixedState;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Vocabulary;
use super::places::Clock;
use crate::words::{ActionId, DeviceId, Segment, Shift, ShiftKind};

/// What homes that have been through the same shift share: what they live in since. Homes that declared no shift share nothing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Context(u16);

impl Context {
    /// The context that a shift begins. What was found is what one home does now: that is no context that others share.
    pub fn of(shift: &Shift) -> Self {
        if shift.kind == ShiftKind::Drift {
            return Context::default();
        }
        let word = shift.kind.name().bytes().chain(shift.to.bytes());
        // FNV-1a, folded; 0 is no context. Two texts that meet here only share their counts.
        let hash = word.fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        Context(((hash >> 16) as u16 ^ hash as u16).max(1))
    }
}

/// A situation that homes share, in the cohort's words: its kind, and what it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Situation(u64);

/// Bits of how many pairs, and triples, of actions are counted at most that have an action as late in their cohort's catalog:
/// up to 4,096 actions it is all pairs, up to 512 all triples.
const PAIRS: u32 = 24;
const TRIPLES: u32 = 27;

/// Mixes bits (the end of MurmurHash3).
fn mixed(mut bits: u64) -> u64 {
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53_u64] {
        bits = (bits ^ bits >> 33).wrapping_mul(factor);
    }
    bits ^ bits >> 33
}

/// What stands for an action where there is none: before a segment's first.
const NOTHING: u16 = u16::MAX;

impl Situation {
    /// How many kinds there are of what follows a moment.
    pub const KINDS: usize = 6;

    /// After the behaviours of a segment so far (given: the last two in the cohort's words, and the time of the last): after the
    /// last one; after the last two; at that hour; in those three hours after the last one. With a context: in those three
    /// hours in that context, and there after the last one.
    pub fn after(
        last: Option<ActionId>,
        second: Option<ActionId>,
        clock: Option<Clock>,
        context: Context,
    ) -> [Option<Self>; Self::KINDS] {
        let word = |action: Option<ActionId>| u64::from(action.map_or(NOTHING, |a| a.0));
        let (last, second) = (word(last), word(second));
        let hour = clock.map_or(24, |clock| u64::from(clock.hour()));
        let hours = clock.map_or(8, |clock| u64::from(clock.hours()));
        let within = (context != Context::default()).then_some(u64::from(context.0));
        [
            Some(Self::new(0, last)),
            Some(Self::new(1, second << 16 | last)),
            Some(Self::new(2, hour)),
            Some(Self::new(3, hours << 16 | last)),
            within.map(|context| Self::new(4, context << 16 | hours)),
            within.map(|context| Self::new(5, context << 32 | hours << 16 | last)),
        ]
    }

    /// A device acts whose last action in the segment was this (the device's own, so that all stay apart).
    pub fn of_device(device: DeviceId, last: Option<ActionId>) -> Self {
        match last {
            Some(action) => Self::new(6, u64::from(action.0)),
            None => Self::new(7, u64::from(device.0)),
        }
    }

    fn new(kind: u64, parts: u64) -> Self {
        Situation(kind << 56 | parts)
    }

    /// Whether it is counted what comes in it. In a cohort of thousands of actions there could be more pairs and triples of
    /// them than any memory holds: of those with so late an action a share is counted, chosen by nothing but what they are,
    /// so that what goes is what came.
    fn counts(self, action: ActionId) -> bool {
        let (words, room) = match self.0 >> 56 {
            1 => (3, TRIPLES),
            0 | 3 | 5 | 6 => (2, PAIRS),
            _ => return true,
        };
        let known = |word: u64| {
            if word as u16 == NOTHING {
                0
            } else {
                word as u16
            }
        };
        let second = if words == 3 { known(self.0 >> 16) } else { 0 };
        let latest = action.0 | known(self.0) | second;
        let possible = words * (u16::BITS - latest.leading_zeros());
        possible <= room
            || mixed(self.0 ^ u64::from(action.0).rotate_left(32)) >> (64 - (possible - room)) == 0
    }
}

/// How often which action came in a situation. What came often stands together, so that who reads that need not go through
/// all that ever came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcomes {
    total: i64,
    /// None 0; first what came often, then the rest, each by action.
    counts: Vec<(ActionId, i32)>,
    /// How many came often.
    often: u32,
}

impl Outcomes {
    /// Actions that are less than this share of a situation are left out where it is looked at as a whole.
    const LEAST: i64 = 300;

    /// How often anything came.
    pub fn total(&self) -> f32 {
        self.total as f32
    }

    /// How often an action came.
    pub fn count(&self, action: ActionId) -> f32 {
        self.find(action)
            .map_or(0.0, |(_, at)| self.counts[at].1 as f32)
    }

    /// What came, but for what hardly ever did, by action.
    pub fn usual(&self) -> impl Iterator<Item = (ActionId, f32)> {
        let least = (self.total + Self::LEAST - 1) / Self::LEAST;
        let least = least.clamp(1, i32::MAX.into()) as i32;
        let often = self.counts[..self.often as usize].iter();
        let usual = often.filter(move |(_, n)| *n >= least);
        usual.map(|(action, n)| (*action, *n as f32))
    }

    /// From how many times on an action came often: at least half of what [`Outcomes::usual`] asks for, and the same for many
    /// totals, so that what stands where seldom changes.
    fn bound(total: i64) -> i32 {
        let least = (total / Self::LEAST).clamp(1, i32::MAX.into()) as i32;
        1 << least.ilog2()
    }

    /// Where an action that came often, or seldom, stands, or would.
    fn place(&self, action: ActionId, often: bool) -> Result<usize, usize> {
        let middle = self.often as usize;
        let (first, part) = match often {
            true => (0, &self.counts[..middle]),
            false => (middle, &self.counts[middle..]),
        };
        let found = part.binary_search_by_key(&action, |(a, _)| *a);
        found.map(|at| first + at).map_err(|at| first + at)
    }

    /// Whether an action came often, and where it stands.
    fn find(&self, action: ActionId) -> Option<(bool, usize)> {
        let find = |often| self.place(action, often).ok().map(|at| (often, at));
        find(true).or_else(|| find(false))
    }

    fn add(&mut self, action: ActionId, diff: i32) {
        let bound = Self::bound(self.total);
        let known = self.find(action);
        let n = diff + known.map_or(0, |(_, at)| self.counts[at].1);
        let often = n >= bound;
        match known {
            Some((before, at)) if before == often && n != 0 => self.counts[at].1 = n,
            _ => {
                if let Some((before, at)) = known {
                    self.counts.remove(at);
                    self.often -= u32::from(before);
                }
                if n != 0 {
                    let (Ok(at) | Err(at)) = self.place(action, often);
                    self.counts.insert(at, (action, n));
                    self.often += u32::from(often);
                }
            }
        }
        self.total += i64::from(diff);
        if Self::bound(self.total) != bound {
            self.arrange();
        }
    }

    /// Puts each where it belongs.
    fn arrange(&mut self) {
        let bound = Self::bound(self.total);
        self.counts
            .sort_unstable_by_key(|(action, n)| (*n < bound, *action));
        self.often = self.counts.partition_point(|(_, n)| *n >= bound) as u32;
    }
}

/// [`Outcomes`] as they are written: all by action.
#[derive(Serialize, Deserialize)]
struct ByAction<'a> {
    total: i64,
    counts: Cow<'a, [(ActionId, i32)]>,
}

impl Serialize for Outcomes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut counts = Cow::from(&self.counts);
        if (self.often as usize) < counts.len() {
            counts.to_mut().sort_unstable_by_key(|(action, _)| *action);
        }
        let total = self.total;
        ByAction { total, counts }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Outcomes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ByAction { total, counts } = ByAction::deserialize(deserializer)?;
        let mut outcomes = Outcomes {
            total,
            counts: counts.into_owned(),
            often: 0,
        };
        outcomes.arrange();
        Ok(outcomes)
    }
}

/// A cohort's counts: by situation, how often which action came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pooled {
    /// How many behaviours were counted.
    behaviors: i64,
    #[serde(serialize_with = "in_order")]
    situations: HashMap<Situation, Outcomes, FixedState>,
}

/// Equal counts are equal bytes.
fn in_order<S: Serializer>(
    situations: &HashMap<Situation, Outcomes, FixedState>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut all: Vec<_> = situations.iter().collect();
    all.sort_unstable_by_key(|(situation, _)| **situation);
    serializer.collect_map(all)
}

impl Pooled {
    /// Adds what segments change. Order and grouping of changes do not matter.
    pub fn apply(&mut self, changes: &PooledChanges) {
        self.add(changes, 1);
    }

    /// Takes back what was applied.
    pub fn take_back(&mut self, changes: &PooledChanges) {
        self.add(changes, -1);
    }

    fn add(&mut self, changes: &PooledChanges, sign: i32) {
        self.behaviors += i64::from(sign) * changes.behaviors;
        // Consolidated, the changes of a situation lie together: it is looked up once.
        for same in changes.changes.chunk_by(|a, b| a.0 == b.0) {
            let mut outcomes = match self.situations.entry(same[0].0) {
                Entry::Occupied(known) => known,
                Entry::Vacant(new) => new.insert_entry(Outcomes::default()),
            };
            for (_, action, diff) in same.iter().filter(|(_, _, diff)| *diff != 0) {
                outcomes.get_mut().add(*action, sign * diff);
            }
            if outcomes.get().counts.is_empty() {
                outcomes.remove();
            }
        }
    }

    /// How many situations are known.
    pub fn len(&self) -> usize {
        self.situations.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.situations.is_empty()
    }

    /// Which share of what was counted is not of a home that has shown so many behaviours: as far as it is, the cohort only repeats
    /// what the home says itself.
    pub(super) fn of_others(&self, own: i64) -> f32 {
        match self.behaviors {
            ..=0 => 0.0,
            all => (1.0 - own as f32 / all as f32).max(0.0),
        }
    }

    /// What came in a situation.
    pub(super) fn of(&self, situation: Situation) -> Option<&Outcomes> {
        self.situations.get(&situation)
    }
}

/// What segments change in a cohort's counts, to be applied at once or sent to other workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PooledChanges {
    behaviors: i64,
    changes: Vec<(Situation, ActionId, i32)>,
}

impl PooledChanges {
    /// A segment comes (`diff` 1) or goes (-1), in the context in which it was learnt.
    pub fn add(&mut self, words: &Vocabulary<'_>, segment: &Segment, context: Context, diff: i32) {
        let (mut last, mut second, mut clock) = (None, None, None);
        let mut devices = Vec::new();
        self.behaviors += i64::from(diff) * segment.moments.len() as i64;
        for moment in &segment.moments {
            let action = words.to_cohort(moment.action);
            let situations = Situation::after(last, second, clock, context);
            let device = words.cohort_device_of(action);
            let state = devices.iter_mut().find(|(known, _)| *known == device);
            let before = match state {
                Some((_, state)) => Some(std::mem::replace(state, action)),
                None => {
                    devices.push((device, action));
                    None
                }
            };
            let of_device = Situation::of_device(device, before);
            let situations = situations.into_iter().flatten().chain([of_device]);
            let situations = situations.filter(|situation| situation.counts(action));
            self.changes.extend(situations.map(|s| (s, action, diff)));
            (last, second) = (Some(action), last);
            clock = Some(Clock::of(moment));
        }
    }

    /// Adds other changes.
    pub fn merge(&mut self, other: &PooledChanges) {
        self.behaviors += other.behaviors;
        self.changes.extend_from_slice(&other.changes);
    }

    /// Sorts, and sums what belongs together: equal changes are equal values afterwards, and what cancels is gone.
    pub fn consolidate(&mut self) {
        self.changes.sort_unstable();
        self.changes.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        self.changes.retain(|(_, _, diff)| *diff != 0);
    }

    /// Whether nothing is changed (after [`PooledChanges::consolidate`]).
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many single counts are changed.
    pub fn len(&self) -> usize {
        self.changes.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is added and taken back, it is as if what is left had been read from a file that lists it by action.
        #[test]
        fn what_came_often_is_told_from_what_did_not(
            changes in prop::collection::vec((0..40_u16, -90..1500_i32), 0..120),
        ) {
            let mut outcomes = Outcomes::default();
            let mut plain = std::collections::BTreeMap::new();
            for (action, diff) in changes {
                // Some come a hundred times as often as others.
                let diff = if action % 4 == 0 { diff } else { diff.signum() };
                outcomes.add(ActionId(action), diff);
                *plain.entry(ActionId(action)).or_insert(0) += diff;
                plain.retain(|_, n| *n != 0);

                let total: i64 = plain.values().map(|n| i64::from(*n)).sum();
                let counts = plain.iter().map(|(action, n)| (*action, *n)).collect::<Vec<_>>();
                let usual = counts.iter().filter(|(_, n)| *n > 0 && i64::from(*n) * 300 >= total);
                let usual: Vec<_> = usual.map(|(action, n)| (*action, *n as f32)).collect();
                prop_assert_eq!(outcomes.usual().collect::<Vec<_>>(), usual);
                for action in (0..40).map(ActionId) {
                    let n = plain.get(&action).copied().unwrap_or(0);
                    prop_assert_eq!(outcomes.count(action), n as f32);
                }
                let written = bincode::serialize(&outcomes).unwrap();
                prop_assert_eq!(&written, &bincode::serialize(&(total, counts)).unwrap());
                prop_assert_eq!(bincode::deserialize::<Outcomes>(&written).unwrap(), outcomes.clone());
            }
        }
    }

    #[test]
    fn of_many_actions_a_share_of_pairs_counts() {
        let counted = |actions: std::ops::Range<u16>| {
            let all = actions.clone().step_by(97);
            let pairs = all.flat_map(|last| actions.clone().step_by(89).map(move |a| (last, a)));
            let (mut counted, mut all) = ([0, 0], 0);
            for (last, action) in pairs {
                let last = Some(ActionId(last));
                let situations = Situation::after(last, last, None, Context::default());
                for (counted, situation) in counted.iter_mut().zip(situations.into_iter().flatten())
                {
                    *counted += u32::from(situation.counts(ActionId(action)));
                }
                all += 1;
            }
            counted.map(|counted| f64::from(counted) / f64::from(all))
        };
        assert_eq!(counted(0..512), [1.0, 1.0]);
        assert_eq!(counted(2048..4096), [1.0, counted(2048..4096)[1]]);
        let [pairs, triples] = counted(32_768..65_535);
        assert!((0.8..1.2).contains(&(pairs * 256.0)), "{pairs}");
        assert!(triples < 0.001, "{triples}");
    }
}
