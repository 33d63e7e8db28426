//! Transition counts, counted.

use std::collections::BTreeMap;

use crate::words::{ActionId, Moment};

/// How often each action directly follows another inside a segment.
pub fn transitions(segments: &[Vec<Moment>]) -> BTreeMap<(ActionId, ActionId), i64> {
    let mut counts = BTreeMap::new();
    for segment in segments {
        for pair in segment.windows(2) {
            *counts.entry((pair[0].action, pair[1].action)).or_default() += 1;
        }
    }
    counts
}
