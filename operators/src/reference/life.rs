//! What happens in a home, as the twins of its detector and models are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::shift::Placed;
use crate::words::{Epoch, Open, Segment, Sequence, Shift, ShiftKey};

/// What happens in a home, and what is imagined for it.
#[derive(Clone, Debug, Default)]
pub struct HomeLife {
    /// Segments that come and go, in their regimes, by epoch.
    pub updates: BTreeMap<Epoch, Vec<Placed>>,
    /// The answers to requests of an epoch, in order of the regimes that ended.
    pub answers: BTreeMap<Epoch, Vec<Imagined>>,
    /// Epochs in which an erasure changed segments.
    pub erased: BTreeSet<Epoch>,
    /// The open segment, in epochs in which it changed or `erased`, where what happens is scored at once.
    pub open: BTreeMap<Epoch, Open>,
}

/// What of the answers to a shift's requests was retained.
#[derive(Clone, Debug)]
pub struct Imagined {
    /// The home, and the regime that ended.
    pub key: ShiftKey,
    /// What ended it.
    pub shift: Shift,
    /// What the next one is imagined to be like.
    pub sequences: Vec<Sequence>,
}

impl HomeLife {
    /// The segments that stand after an epoch, in order.
    pub(super) fn standing(&self, epoch: Epoch) -> Vec<Placed> {
        let past = self.updates.range(..=epoch).flat_map(|(_, u)| u);
        let mut sums: BTreeMap<(&Arc<Segment>, ShiftKey), (i64, &Placed)> = BTreeMap::new();
        for placed in past {
            let sum = sums.entry((&placed.segment, placed.key));
            sum.or_insert((0, placed)).0 += placed.diff;
        }
        let stand = sums.into_values().filter(|(sum, _)| *sum > 0);
        stand.map(|(_, placed)| placed.clone()).collect()
    }
}

/// An epoch's updates of a home in the order in which they take effect: what goes, what moves between regimes (true), what comes.
pub(super) fn in_turn(updates: &[Placed]) -> Vec<(&Placed, bool)> {
    let is_moved = |placed: &Placed| {
        let same = updates
            .iter()
            .filter(|other| other.segment == placed.segment);
        same.count() > 1
    };
    let mut all: Vec<_> = updates.iter().map(|p| (p, is_moved(p))).collect();
    all.sort_by_key(|(p, is_moved)| (p.diff > 0, !is_moved, &p.segment));
    all
}
