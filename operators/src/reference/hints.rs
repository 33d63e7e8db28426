//! Top-k successors, by sorting all of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::words::{ActionId, Hints};

/// The `k` most frequent successors of each action that has any, ties broken by action id.
pub fn hints(counts: &BTreeMap<(ActionId, ActionId), i64>, k: usize) -> Hints {
    let actions: BTreeSet<ActionId> = counts.keys().map(|(from, _)| *from).collect();
    let successors = |action: ActionId| {
        let mut all: Vec<(i64, ActionId)> = Vec::new();
        for ((from, to), count) in counts {
            if *from == action {
                all.push((-count, *to));
            }
        }
        all.sort();
        let best = all.into_iter().take(k);
        best.map(|(count, to)| (to, (-count) as u32)).collect()
    };
    Hints(actions.into_iter().map(|a| (a, successors(a))).collect())
}
