//! Regimes against their twin.

use std::collections::BTreeMap;

use crate::log::{Log, Outputs, at, consolidated, epochs, truth};
use hearth_operators::reference;
use hearth_operators::words::{Epoch, Segment, Sequence, ShiftKey, Time};
use proptest::prelude::*;

/// After each epoch every segment lies in the regime that its start is counted into.
pub fn segments_lie_in_their_regimes(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    prop_assert!(consolidated(&outputs.regimes));
    for epoch in 0..epochs(log) {
        let mut expected = Vec::new();
        for (home, truth) in truth(log, epoch) {
            for moments in truth.segments {
                let regime = reference::regime(&log.shifts, home, moments[0].time);
                expected.push((ShiftKey { home, regime }, Segment { home, moments }));
            }
        }
        expected.sort();
        let held = at(&outputs.regimes, epoch as Epoch);
        prop_assert!(held.iter().all(|(_, n)| *n == 1));
        let held: Vec<_> = held
            .into_iter()
            .map(|((k, s), _)| (k, (*s).clone()))
            .collect();
        prop_assert_eq!(held, expected, "after epoch {}", epoch);
    }
    Ok(())
}

/// A regime ends once, with exactly the segments that it has in the end, and as soon as they are final.
pub fn regimes_end_once_and_are_final(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    let mut last: BTreeMap<ShiftKey, Vec<Sequence>> = BTreeMap::new();
    for ((key, segment), _) in at(&outputs.regimes, Epoch::MAX) {
        last.entry(key).or_default().push(segment.sequence());
    }
    let mut ended = BTreeMap::new();
    for (epoch, key, regime) in &outputs.ended {
        prop_assert_eq!(&regime.source, &last[key], "{:?} at epoch {}", key, epoch);
        prop_assert!(ended.insert(*key, *epoch).is_none());
        // Nothing about it changes afterwards.
        for ((of, _), at, _) in &outputs.regimes {
            prop_assert!(of != key || at <= epoch);
        }
    }
    // Each shift that lies before the home's horizon, or any once the log has ended, has ended its regime.
    for (home, truth) in truth(log, log.epochs.len()) {
        let newest = truth.applied.moments.last().map_or(i64::MIN, |m| m.time.0);
        let mine = log
            .shifts
            .iter()
            .filter(|s| s.home.is_none_or(|h| h == home));
        for shift in mine {
            // The segment that spans the shift must have ended, too: well after it, it has.
            let long_ago = newest.saturating_sub(log.rules.lateness + 60 * 24 * Time::HOUR);
            let due = log.ended || shift.time.0 < long_ago;
            let before = Time(shift.time.0 - 1);
            let regime = reference::regime(&log.shifts, home, before);
            let key = ShiftKey { home, regime };
            if due && log.ended && last.contains_key(&key) {
                prop_assert!(ended.contains_key(&key), "{:?} has not ended", key);
            }
        }
    }
    Ok(())
}
