//! The pooled counts of cohorts, as of any epoch that somebody still needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::habits::Pooled;
use crate::pooling::CohortChanges;
use crate::words::{CohortId, Epoch};

/// The counts of all cohorts, and how they changed since the earliest epoch that a home still waits in.
///
/// A home that waits for an answer goes on later with the counts as they were: they are moved back and forth by what changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pools {
    counts: BTreeMap<CohortId, Pooled>,
    /// The changes of all epochs before this one are in the counts, no others are.
    before: Epoch,
    changes: BTreeMap<Epoch, Vec<(CohortId, Arc<CohortChanges>)>>,
}

impl Pools {
    /// Takes in what an epoch changes. It must not have been passed yet.
    pub fn change(&mut self, epoch: Epoch, cohort: CohortId, changes: Arc<CohortChanges>) {
        assert!(
            epoch >= self.before,
            "the pooled counts of epoch {epoch} come when it was passed"
        );
        self.changes
            .entry(epoch)
            .or_default()
            .push((cohort, changes));
    }

    /// A cohort's counts of all epochs before `epoch`: what is known when its segments are judged.
    pub fn before(&mut self, epoch: Epoch, cohort: CohortId) -> &Pooled {
        self.move_to(epoch);
        self.counts.entry(cohort).or_default()
    }

    /// The counts are as of this epoch: what came before it is in them, what comes in it is not.
    pub fn reached(&self) -> Epoch {
        self.before
    }

    /// By how many single changes the counts are beyond those of all epochs before `epoch`.
    pub fn distance(&self, epoch: Epoch) -> usize {
        let beyond = self.changes.range(epoch.min(self.before)..self.before);
        let beyond = beyond.flat_map(|(_, changes)| changes);
        beyond.map(|(_, changes)| changes.predictor.len()).sum()
    }

    /// Nobody will ask for the counts before an earlier epoch than this: what changed until then is summed and dropped.
    pub fn settle(&mut self, epoch: Epoch) {
        // Where no more can come for now, epochs may still come once the dataflow goes on: the counts are as of the last one.
        let last = self.changes.last_key_value();
        let known = last.map_or(self.before, |(last, _)| self.before.max(last + 1));
        let epoch = epoch.min(known);
        if epoch > self.before {
            self.move_to(epoch);
        }
        self.changes = self.changes.split_off(&epoch);
    }

    /// The counts as they are.
    pub fn into_counts(self) -> BTreeMap<CohortId, Pooled> {
        self.counts
    }

    fn move_to(&mut self, epoch: Epoch) {
        if epoch > self.before {
            for (cohort, changes) in self.changes.range(self.before..epoch).flat_map(|(_, c)| c) {
                self.counts
                    .entry(*cohort)
                    .or_default()
                    .apply(&changes.predictor);
            }
        } else if epoch < self.before {
            for (cohort, changes) in self.changes.range(epoch..self.before).flat_map(|(_, c)| c) {
                self.counts
                    .entry(*cohort)
                    .or_default()
                    .take_back(&changes.predictor);
            }
        }
        self.before = epoch;
    }

    /// Makes of two workers' pools what either would hold: all have the same counts, but for what they still wait with.
    pub fn merge(&mut self, other: Pools) {
        let mut other = other;
        if other.before > self.before {
            std::mem::swap(self, &mut other);
        }
        for (epoch, changes) in other.changes {
            self.changes.entry(epoch).or_insert(changes);
        }
    }
}
