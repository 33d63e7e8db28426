//! The counts of a cohort: what homes do after what, each home's voice summed with the others'.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Vocabulary;
use crate::words::{ActionId, Segment};

/// A situation that homes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Situation(pub u64);

impl Situation {
    /// After the last action (none at a segment's start), in the cohort's words.
    pub fn after(last: Option<ActionId>) -> Self {
        Situation(last.map_or(u64::MAX, |action| u64::from(action.0)))
    }
}

/// A cohort's counts: by situation, how often which action came next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pooled {
    counts: BTreeMap<Situation, BTreeMap<ActionId, i64>>,
}

impl Pooled {
    /// Adds what segments change, or (`sign` -1) takes it back. Order and grouping of changes do not matter.
    pub fn apply(&mut self, changes: &PooledChanges, sign: i64) {
        for (situation, action, diff) in &changes.changes {
            let outcomes = self.counts.entry(*situation).or_default();
            let count = outcomes.entry(*action).or_default();
            *count += sign * diff;
            if *count == 0 {
                outcomes.remove(action);
            }
            if outcomes.is_empty() {
                self.counts.remove(situation);
            }
        }
    }

    /// What came next in a situation, by action.
    pub(super) fn of(&self, situation: Situation) -> impl Iterator<Item = (ActionId, i64)> {
        let outcomes = self.counts.get(&situation).into_iter().flatten();
        outcomes.map(|(action, count)| (*action, *count))
    }
}

/// What segments change in a cohort's counts, to be applied at once or sent to other workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PooledChanges {
    changes: Vec<(Situation, ActionId, i64)>,
}

impl PooledChanges {
    /// A segment comes (`diff` 1) or goes (-1).
    pub fn add(&mut self, words: &Vocabulary<'_>, segment: &Segment, diff: i32) {
        let mut last = None;
        for moment in &segment.moments {
            let action = words.to_cohort(moment.action);
            let situation = Situation::after(last);
            self.changes.push((situation, action, i64::from(diff)));
            last = Some(action);
        }
    }

    /// Adds other changes.
    pub fn merge(&mut self, other: &PooledChanges) {
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
}
