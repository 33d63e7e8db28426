//! What a cohort's homes know together of how far scores go beyond what is usual: counts, ± exact.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many bins of heights there are.
pub(super) const BINS: usize = 96;
/// Bins to a spread.
const FINE: f32 = 4.0;
/// The height of the lowest bin.
const LOWEST: f32 = -4.0;
/// One nat of excess, in fixed point.
const NAT: f32 = 1024.0;
/// The spread of a cohort that has shown nothing yet, in nats, and as how many days above their median it counts.
const SPREAD: f32 = 4.0;
const SPREAD_DAYS: f32 = 10.0;

/// The height from which a bin begins.
pub(super) fn bin_floor(bin: usize) -> f32 {
    LOWEST + bin as f32 / FINE
}

fn bin_of(height: f32) -> usize {
    (((height - LOWEST) * FINE).max(0.0) as usize).min(BINS - 1)
}

/// What one segment adds to the tails of its cohort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tail {
    bin: u8,
    /// Whether its day had no segment before.
    day: bool,
    /// In fixed point, where it is above what is usual.
    excess: Option<u32>,
}

impl Tail {
    pub fn new(height: f32, excess: Option<f32>, day: bool) -> Self {
        Tail {
            bin: bin_of(height) as u8,
            day,
            excess: excess.map(|excess| (excess * NAT) as u32),
        }
    }
}

/// What segments change in [`Tails`], to be applied at once or sent to other workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailChanges {
    bins: BTreeMap<u8, i64>,
    days: i64,
    above: i64,
    excess: i64,
}

impl TailChanges {
    pub(super) fn add(&mut self, tail: Tail, diff: i32) {
        let diff = i64::from(diff);
        self.bump(tail.bin, diff);
        self.days += diff * i64::from(tail.day);
        if let Some(excess) = tail.excess {
            self.above += diff;
            self.excess += diff * i64::from(excess);
        }
    }

    fn bump(&mut self, bin: u8, diff: i64) {
        let count = self.bins.entry(bin).or_default();
        *count += diff;
        if *count == 0 {
            self.bins.remove(&bin);
        }
    }

    /// Adds other changes.
    pub fn merge(&mut self, other: &TailChanges) {
        for (&bin, &diff) in &other.bins {
            self.bump(bin, diff);
        }
        self.days += other.days;
        self.above += other.above;
        self.excess += other.excess;
    }

    /// Takes other changes back.
    pub fn take_back(&mut self, other: &TailChanges) {
        for (&bin, &diff) in &other.bins {
            self.bump(bin, -diff);
        }
        self.days -= other.days;
        self.above -= other.above;
        self.excess -= other.excess;
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == TailChanges::default()
    }
}

/// How far a cohort's segments went beyond what was usual for their homes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tails(TailChanges);

impl Tails {
    /// Adds what segments change. Order and grouping of changes do not matter.
    pub fn apply(&mut self, changes: &TailChanges) {
        self.0.merge(changes);
    }

    /// The same without what some segments added.
    #[must_use]
    pub fn without(&self, changes: &TailChanges) -> Self {
        let mut rest = self.clone();
        rest.0.take_back(changes);
        rest
    }

    /// Days of homes that were counted.
    pub(super) fn days(&self) -> i64 {
        self.0.days
    }

    pub(super) fn in_bin(&self, bin: usize) -> i64 {
        self.0.bins.get(&(bin as u8)).copied().unwrap_or(0)
    }

    /// How many segments went at least as high, or into the same bin.
    pub(super) fn reached(&self, height: f32) -> i64 {
        self.0
            .bins
            .range(bin_of(height) as u8..)
            .map(|(_, n)| n)
            .sum()
    }

    /// By how much what is above what is usual exceeds it, on average.
    pub(super) fn spread(&self) -> f32 {
        let excess = self.0.excess as f32 / NAT;
        (excess + SPREAD * SPREAD_DAYS) / (self.0.above as f32 + SPREAD_DAYS)
    }
}
