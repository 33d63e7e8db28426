//! Compression and the warm-up before it, against their twins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::log::{Log, epochs, truth};
use crate::run::{Outputs, WARM_UP, at, consolidated};
use crate::services::embedding;
use hearth_operators::reference;
use hearth_operators::warm_up::WarmedUp;
use hearth_operators::words::{CohortId, Epoch, Segment, Sequence, ShiftKey};
use proptest::prelude::*;

/// After each epoch the representatives are those of the greedy rule on all segments so far.
pub fn representatives_are_those_of_the_twin(
    log: &Log,
    outputs: &Outputs,
) -> Result<(), TestCaseError> {
    prop_assert!(consolidated(&outputs.representatives));
    // Without a warm-up there is no encoder and nothing is compressed.
    prop_assert_eq!(
        outputs.warm_up.is_empty(),
        outputs.representatives.is_empty()
    );
    for epoch in 0..epochs(log) as Epoch {
        if outputs.warm_up.is_empty() {
            break;
        }
        let mut buckets: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for ((key, segment), _) in at(&outputs.regimes, epoch) {
            buckets
                .entry((key, segment.weekday()))
                .or_default()
                .push((key, segment));
        }
        let mut expected = Vec::new();
        for bucket in buckets.into_values() {
            let embeddings: Vec<_> = bucket
                .iter()
                .map(|(_, s)| embedding(&s.sequence()))
                .collect();
            let kept = reference::compress(&embeddings, log.alpha);
            expected.extend(
                bucket
                    .into_iter()
                    .zip(kept)
                    .filter(|(_, kept)| *kept)
                    .map(|(s, _)| (s, 1)),
            );
        }
        for (asked, key, _) in outputs.ended.iter().filter(|(asked, ..)| *asked < epoch) {
            expected.retain(|((of, _), _)| of != key);
            expected.extend(stay(outputs, *key, *asked, epoch));
        }
        expected.sort();
        prop_assert_eq!(
            at(&outputs.representatives, epoch),
            expected,
            "after epoch {}",
            epoch
        );
    }
    Ok(())
}

/// The representatives with which something was asked about a regime, as far as they have stood up to an epoch.
fn stay(
    outputs: &Outputs,
    key: ShiftKey,
    asked: Epoch,
    epoch: Epoch,
) -> Vec<((ShiftKey, Arc<Segment>), i64)> {
    let mut stay = at(&outputs.representatives, asked);
    stay.retain(|((of, _), _)| *of == key);
    for epoch in asked + 1..=epoch {
        let stand: BTreeSet<_> = at(&outputs.regimes, epoch).into_iter().collect();
        stay.retain(|held| stand.contains(held));
    }
    stay
}

/// Where something is erased: the representatives of regimes that go on are those of the greedy rule on what stands; of ended ones they
/// are some of what stands.
pub fn what_stands_has_representatives(outputs: &Outputs) -> Result<(), TestCaseError> {
    prop_assert!(consolidated(&outputs.representatives));
    let stand: BTreeSet<_> = at(&outputs.regimes, Epoch::MAX).into_iter().collect();
    for held in at(&outputs.representatives, Epoch::MAX) {
        prop_assert!(stand.contains(&held), "{:?} does not stand", held);
    }
    Ok(())
}

/// The warm-up is the distinct sequences of the first epochs that have enough of them, or of the whole log.
pub fn the_warm_up_is_the_first_that_suffices(
    log: &Log,
    outputs: &Outputs,
) -> Result<(), TestCaseError> {
    let mut expected = Vec::new();
    for epoch in 0..epochs(log) {
        let segments: Vec<Segment> = truth(log, epoch)
            .into_iter()
            .flat_map(|(home, t)| {
                t.segments
                    .into_iter()
                    .map(move |moments| Segment { home, moments })
            })
            .collect();
        let distinct: BTreeSet<Sequence> = segments.iter().map(Segment::sequence).collect();
        let behaviors: usize = distinct.iter().map(|s| s.0.len()).sum();
        let first = segments
            .iter()
            .map(Segment::start)
            .min()
            .unwrap_or_default();
        let last = segments
            .iter()
            .map(Segment::start)
            .max()
            .unwrap_or_default();
        let suffices = behaviors >= WARM_UP.behaviors && last.0 - first.0 >= WARM_UP.span;
        let ends = epoch == log.epochs.len();
        if suffices || (ends && !distinct.is_empty()) {
            expected.push((
                epoch as Epoch,
                Arc::new(WarmedUp {
                    cohort: CohortId(0),
                    sequences: distinct.into_iter().collect(),
                }),
            ));
            break;
        }
    }
    prop_assert_eq!(&outputs.warm_up, &expected);
    Ok(())
}
