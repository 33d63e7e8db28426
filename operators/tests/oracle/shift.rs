//! Regimes against their twin.

use std::collections::BTreeMap;

use crate::log::{Log, epochs, truth};
use crate::run::{Outputs, at, consolidated, known};
use hearth_operators::reference;
use hearth_operators::words::{Epoch, HomeId, Segment, Sequence, ShiftKey, Time};
use proptest::prelude::*;

/// After each epoch every segment lies in the regime that its start is counted into.
pub fn segments_lie_in_their_regimes(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    prop_assert!(consolidated(&outputs.regimes));
    for epoch in 0..epochs(log) {
        let mut expected = Vec::new();
        for (home, truth) in truth(log, epoch) {
            for moments in truth.segments {
                let regime = reference::regime(
                    &known(log, outputs, home, epoch as Epoch),
                    home,
                    moments[0].time,
                );
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

/// The segments of a regime after an epoch.
fn of_regime(outputs: &Outputs, key: ShiftKey, epoch: Epoch) -> Vec<Sequence> {
    let all = at(&outputs.regimes, epoch).into_iter();
    let own = all.filter(|((of, _), _)| *of == key);
    own.map(|((_, segment), _)| segment.sequence()).collect()
}

/// A regime ends once, with exactly the segments that it has in the end, and as soon as they are final; where it is asked about earlier,
/// with those that it has by then.
pub fn regimes_end_once(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    let mut last: BTreeMap<ShiftKey, Vec<Sequence>> = BTreeMap::new();
    for ((key, segment), _) in at(&outputs.regimes, Epoch::MAX) {
        last.entry(key).or_default().push(segment.sequence());
    }
    let mut ended = BTreeMap::new();
    for (epoch, key, regime) in &outputs.ended {
        let known = of_regime(outputs, *key, *epoch);
        prop_assert_eq!(&regime.source, &known, "{:?} at epoch {}", key, epoch);
        prop_assert!(ended.insert(*key, *epoch).is_none());
        // Nothing about it changes afterwards.
        let mut changes = outputs.regimes.iter();
        let is_final = changes.all(|((of, _), at, _)| of != key || at <= epoch);
        let asked = log.rules.ask_after.is_some_and(|after| {
            reached(log, key.home, *epoch) >= regime.shift.time.0.saturating_add(after)
        });
        prop_assert!(is_final || asked, "{:?} at epoch {}", key, epoch);
    }
    if !log.adapts {
        regimes_end_as_soon_as_that_is_asked_about(log, outputs, &ended)?;
    }
    // Once the log has ended, every regime with a shift behind it has.
    for home in truth(log, log.epochs.len()).into_keys() {
        let mine = known(log, outputs, home, Epoch::MAX);
        for shift in mine.iter().filter(|_| log.ended) {
            let regime = reference::regime(&mine, home, Time(shift.time.0 - 1));
            let key = ShiftKey { home, regime };
            prop_assert!(
                !last.contains_key(&key) || ended.contains_key(&key),
                "{key:?} has not ended"
            );
        }
    }
    Ok(())
}

/// The newest that is known of a home after an epoch.
fn reached(log: &Log, home: HomeId, epoch: Epoch) -> i64 {
    let known = truth(log, epoch as usize).remove(&home);
    let newest = known.and_then(|truth| truth.applied.moments.last().map(|m| m.time.0));
    newest.unwrap_or(i64::MIN)
}

/// In the first epoch by which a home is so far behind a shift, what lies before it has ended, if that is anything.
fn regimes_end_as_soon_as_that_is_asked_about(
    log: &Log,
    outputs: &Outputs,
    ended: &BTreeMap<ShiftKey, Epoch>,
) -> Result<(), TestCaseError> {
    let Some(after) = log.rules.ask_after else {
        return Ok(());
    };
    for home in truth(log, log.epochs.len()).into_keys() {
        // Of an empty regime nobody asks, and the ones after it wait until that is final.
        let mut before = true;
        let mut mine = known(log, outputs, home, Epoch::MAX);
        mine.sort_by_key(|shift| shift.time);
        for (regime, shift) in mine.iter().enumerate() {
            let is_due = |epoch: &Epoch| {
                let reached = reached(log, home, *epoch) >= shift.time.0.saturating_add(after);
                reached && known(log, outputs, home, *epoch).contains(shift)
            };
            let regime = regime as u32;
            let key = ShiftKey { home, regime };
            let Some(due) = (0..log.epochs.len() as Epoch).find(is_due) else {
                break;
            };
            before &= !of_regime(outputs, key, due).is_empty();
            if before {
                let at = ended.get(&key);
                prop_assert!(at.is_some_and(|at| *at <= due), "{:?} by {}", key, due);
            }
        }
    }
    Ok(())
}

/// What comes knows the shift that began its regime, and both streams of segments in regimes are the same.
pub fn segments_know_what_began_their_regime(
    log: &Log,
    outputs: &Outputs,
) -> Result<(), TestCaseError> {
    for (epoch, placed) in outputs.placed.iter().filter(|(_, p)| p.diff > 0) {
        let mut mine = known(log, outputs, placed.key.home, *epoch);
        mine.sort();
        mine.sort_by_key(|shift| shift.time);
        let began = (placed.key.regime as usize).checked_sub(1);
        let began = began.map(|place| (mine[place].time, &mine[place].to));
        let told = placed.began.as_deref().map(|shift| (shift.time, &shift.to));
        prop_assert_eq!(told, began, "at epoch {}", epoch);
    }
    let mut regimes = outputs.regimes.clone();
    regimes.sort();
    let placed = outputs.placed.iter();
    let mut placed: Vec<_> = placed
        .map(|(epoch, p)| ((p.key, p.segment.clone()), *epoch, p.diff))
        .collect();
    placed.sort();
    prop_assert_eq!(placed, regimes);
    Ok(())
}
