//! Counts of situations, a home's or all homes': added and taken back exactly, in any order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::situation::{Situation, Trait};
use super::table::{BORDER, Bins, Id, Share, Table, bump};
use crate::habits::Vocabulary;
use crate::state::{Packing, packing, read_number, write_number};
use crate::words::{ActionId, DeviceId, Segment};

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

    /// How many single counts are changed.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is changed (after [`Changes::consolidate`]).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Counts of situations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// What came right after an action or the border.
    after: Table<ActionId>,
    /// How often anything came right before each, and how many different ones: which, [`after`](Self::after) knows.
    before: Vec<(ActionId, Before)>,
    /// What came next of an action's device.
    device: Table<ActionId>,
    first: Table<DeviceId>,
    /// In order of actions.
    bins: Vec<(ActionId, Bins)>,
    /// Of all actions together.
    all: Bins,
    /// Behaviours and segments.
    total: u32,
}

/// What came right before an action or the border.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Before {
    times: u32,
    kinds: u32,
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
                let kinds = self.after.add(before, after, diff);
                self.came_before(after, diff, kinds);
                bump(&mut self.total, diff);
            }
            Cell::Device(last, action) => {
                self.device.add(last, action, diff);
            }
            Cell::First(device, action) => {
                self.first.add(device, action, diff);
            }
            Cell::Bin(action, of, bin) => {
                let found = self.bins.binary_search_by_key(&action, |(a, _)| *a);
                let at = found.unwrap_or_else(|free| {
                    self.bins.insert(free, (action, Bins::default()));
                    free
                });
                let bins = &mut self.bins[at].1;
                bins.add(of, bin, diff);
                if diff < 0 && bins.is_empty() {
                    self.bins.remove(at);
                }
                self.all.add(of, bin, diff);
            }
        }
    }

    /// How much there is to keep, roughly: counts of actions in contexts.
    pub(super) fn size(&self) -> usize {
        2 * self.after.size() + self.device.size() + self.first.size()
    }

    /// Bytes that they take beside themselves, roughly.
    pub(super) fn bytes(&self) -> usize {
        let bins = self.bins.iter().map(|(_, bins)| bins.bytes());
        self.after.bytes()
            + self.device.bytes()
            + self.first.bytes()
            + size_of::<(ActionId, Before)>() * self.before.capacity()
            + size_of::<(ActionId, Bins)>() * self.bins.capacity()
            + bins.sum::<usize>()
    }

    fn came_before(&mut self, after: ActionId, diff: i32, kinds: i32) {
        let found = self.before.binary_search_by_key(&after, |(a, _)| *a);
        let at = found.unwrap_or_else(|free| {
            self.before.insert(free, (after, Before::default()));
            free
        });
        let before = &mut self.before[at].1;
        bump(&mut before.times, diff);
        bump(&mut before.kinds, kinds);
        if *before == Before::default() {
            self.before.remove(at);
        }
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
            kinds: self.after.len() as u32,
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
        let found = self.before.binary_search_by_key(&after, |(a, _)| *a);
        let before = found.map_or_else(|_| Before::default(), |at| self.before[at].1);
        Share {
            seen: self.after.share(action, after).seen,
            times: before.times,
            kinds: before.kinds,
        }
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
        let bins = self.bins_of(action);
        bins.map_or_else(Share::default, |bins| bins.share(of, bin))
    }

    /// A bin of a trait, for all actions.
    pub(super) fn bin_of_all(&self, of: Trait, bin: u8) -> Share {
        self.all.share(of, bin)
    }

    /// How often any was met in each bin of a trait.
    pub(super) fn bins_of_all(&self, of: Trait) -> Vec<u32> {
        self.all.of(of).collect()
    }

    /// How often an action was met in each bin of a trait.
    pub fn bins(&self, action: ActionId, of: Trait) -> Vec<u32> {
        let bins = self.bins_of(action);
        bins.map_or_else(|| vec![0; of.bins()], |bins| bins.of(of).collect())
    }

    fn bins_of(&self, action: ActionId) -> Option<&Bins> {
        let at = self.bins.binary_search_by_key(&action, |(a, _)| *a);
        at.ok().map(|at| &self.bins[at].1)
    }

    /// What came most often right after an action (none: what segments begin with), and how often; ties by action.
    pub fn usual_after(&self, before: Option<ActionId>) -> Option<(ActionId, u32)> {
        self.after.most(before.unwrap_or(BORDER))
    }

    /// What came most often right before an action (none: what segments end with).
    pub fn usual_before(&self, after: Option<ActionId>) -> Option<(ActionId, u32)> {
        let after = after.unwrap_or(BORDER);
        let before = self
            .after
            .iter()
            .filter(|(before, action, _)| *action == after && *before != BORDER);
        let most = before.max_by_key(|(before, _, times)| (*times, Reverse(*before)));
        most.map(|(before, _, times)| (before, times))
    }

    /// What of an action's device came most often next.
    pub fn usual_of_device(&self, last: ActionId) -> Option<(ActionId, u32)> {
        self.device.most(last)
    }
}

/// What is not summed anew: what came after what, of each device, and by bin.
impl Packing for Counts {
    fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.after.write(&mut bytes);
        self.device.write(&mut bytes);
        self.first.write(&mut bytes);
        write_number(self.bins.len() as u64, &mut bytes);
        for (action, bins) in &self.bins {
            write_number(action.0.into(), &mut bytes);
            bins.write(&mut bytes);
        }
        bytes
    }

    fn unpack(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let mut counts = Counts {
            after: Table::read(bytes)?,
            device: Table::read(bytes)?,
            first: Table::read(bytes)?,
            ..Counts::default()
        };
        let mut before: BTreeMap<ActionId, Before> = BTreeMap::new();
        for (_, after, times) in counts.after.iter() {
            let before = before.entry(after).or_default();
            bump(&mut before.times, times as i32);
            bump(&mut before.kinds, 1);
            bump(&mut counts.total, times as i32);
        }
        counts.before = before.into_iter().collect();
        for _ in 0..read_number(bytes)? {
            let action = ActionId(read_number(bytes)?.try_into().ok()?);
            let bins = Bins::read(bytes)?;
            counts.all.merge(&bins);
            counts.bins.push((action, bins));
        }
        let in_order = counts.bins.is_sorted_by(|(a, _), (b, _)| a < b);
        (in_order && bytes.is_empty()).then_some(counts)
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        packing::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        packing::deserialize(deserializer)
    }
}

impl Id for ActionId {
    fn to(self) -> u16 {
        self.0
    }

    fn from(id: u16) -> Self {
        ActionId(id)
    }
}

impl Id for DeviceId {
    fn to(self) -> u16 {
        self.0
    }

    fn from(id: u16) -> Self {
        DeviceId(id)
    }
}
