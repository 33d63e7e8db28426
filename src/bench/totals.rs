//! What a run handed over, in numbers that two programs can be compared by.

use std::hash::{Hash, Hasher};

use hearth_operators::words::{ActionId, HomeId, Moment};
use serde::{Deserialize, Serialize};

use crate::outputs::{Counts, Stream};

/// What a run handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Events that took part.
    pub applied: u64,
    /// Events that were there already.
    pub duplicate: u64,
    /// Events from before their home's horizon, and such as cannot be true.
    pub refused: u64,
    /// Segments that hold.
    pub segments: i64,
    /// Transitions that hold.
    pub transitions: i64,
    /// Updates that were handed over: revisions twice, what cancels within an epoch not at all.
    pub updates: u64,
    /// [`Digest`] of what holds; 0 where it was not asked for.
    pub digest: u64,
}

impl Totals {
    /// A segment came or went.
    pub fn segment(&mut self, diff: i64) {
        self.segments += diff;
        self.updates += 1;
    }

    /// A transition's count changed.
    pub fn transition(&mut self, diff: i64) {
        self.transitions += diff;
        self.updates += 1;
    }

    /// Adds what another worker handed over.
    pub fn add(&mut self, other: &Totals) {
        self.applied += other.applied;
        self.duplicate += other.duplicate;
        self.refused += other.refused;
        self.segments += other.segments;
        self.transitions += other.transitions;
        self.updates += other.updates;
        self.digest = self.digest.wrapping_add(other.digest);
    }

    /// What was written into a folder.
    pub fn written(counts: &Counts) -> Self {
        let lines = |stream| counts.lines.get(&stream).copied().unwrap_or(0);
        Totals {
            applied: counts.applied.max(0).cast_unsigned(),
            duplicate: counts.duplicate,
            refused: counts.late + counts.rejected,
            segments: counts.segments,
            transitions: counts.transitions,
            updates: lines(Stream::Segments) + lines(Stream::Transitions),
            digest: 0,
        }
    }

    /// Whether both hold the same at the end, whatever updates led there.
    pub fn same(&self, other: &Totals) -> bool {
        let updates = self.updates;
        *self
            == Totals {
                updates,
                ..other.clone()
            }
    }
}

/// The sum of the hashes of what is held: in any order, and with what came and went left out, it is the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Digest(u64);

impl Digest {
    /// A segment came or went.
    pub fn segment(&mut self, home: HomeId, moments: &[Moment], diff: i64) {
        self.add(&(home, moments), diff);
    }

    /// A transition's count changed.
    pub fn transition(&mut self, home: HomeId, edge: (ActionId, ActionId), diff: i64) {
        self.add(&(home, edge), diff);
    }

    /// The sum.
    pub fn value(self) -> u64 {
        self.0
    }

    fn add(&mut self, what: &impl Hash, diff: i64) {
        // Its keys are fixed, so two processes agree.
        let mut hasher = std::hash::DefaultHasher::new();
        what.hash(&mut hasher);
        let weighed = hasher.finish().wrapping_mul(diff as u64);
        self.0 = self.0.wrapping_add(weighed);
    }
}
