//! Drift against its twin.

use std::collections::BTreeMap;

use crate::log::{HALF_HOUR, Log, behavior, catalogs, shift};
use crate::run::{Outputs, declared, known, run};
use hearth_operators::compress::Alpha;
use hearth_operators::dataflow::Fitting;
use hearth_operators::drift::{Alertness, Drift, Strictness};
use hearth_operators::reference::{self, HomeLife};
use hearth_operators::split::Rules;
use hearth_operators::words::{
    ActionId, Epoch, HomeId, Moment, Scores, Shift, ShiftKey, ShiftKind, Time,
};
use proptest::prelude::*;

/// What is found, when, and how strong the case is.
pub fn drifts_are_those_of_the_twin(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    let alertness = Alertness {
        catalogs: log.rules.catalogs.clone(),
        lateness: log.rules.lateness,
        strictness: log.strictness,
        adapts: log.adapts,
    };
    let mut lives: BTreeMap<HomeId, HomeLife> = BTreeMap::new();
    for (epoch, placed) in &outputs.placed {
        let life = lives.entry(placed.key.home).or_default();
        life.updates.entry(*epoch).or_default().push(placed.clone());
    }
    for (home, life) in &lives {
        let own = outputs.drifts.iter().filter(|(_, d)| d.home == *home);
        let mut own: Vec<_> = own.collect();
        own.sort_by_key(|(_, drift)| drift.time);
        let declared = |epoch| {
            let shifts = declared(log, outputs, *home, epoch);
            shifts.iter().map(|shift| shift.time).collect()
        };
        let expected = reference::drifts(*home, life, declared, &alertness);
        let ends = |epoch, time, since| (epoch, time, since);
        let told: Vec<_> = own.iter().map(|(e, d)| ends(*e, d.time, d.since)).collect();
        let twins: Vec<_> = expected
            .iter()
            .map(|d| ends(d.epoch, d.time, d.since))
            .collect();
        prop_assert_eq!(told, twins, "of {:?}", home);
        for ((_, told), twin) in own.iter().zip(&expected) {
            let rate = told.changes.rate;
            let pairs = [
                (told.evidence, twin.evidence),
                (rate.before, twin.rate.0),
                (rate.after, twin.rate.1),
            ];
            for (told, twin) in pairs {
                // Sums are in another order.
                prop_assert!(
                    (told - twin).abs() <= 1e-9 * twin.abs(),
                    "{} {}",
                    told,
                    twin
                );
            }
        }
    }
    Ok(())
}

/// What is found ends a regime once, if so wished, and no other shift of the home lies near it; what is refused for that does.
pub fn one_change_is_one_shift(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    let near = log.strictness.learning as i64 * Time::DAY;
    let is_near = |a: Time, b: Time| (a.0 - b.0).abs() < near;
    for home in (0..3).map(HomeId) {
        let all = known(log, outputs, home, Epoch::MAX);
        let (found, others): (Vec<_>, Vec<_>) =
            all.iter().partition(|shift| shift.kind == ShiftKind::Drift);
        let adapted = outputs.drifts.iter().filter(|(_, d)| d.adapted);
        let adapted = adapted.filter(|(_, d)| d.home == home).count();
        prop_assert_eq!(found.len(), adapted);
        prop_assert!(log.adapts || found.is_empty());
        for (place, shift) in found.iter().enumerate() {
            let mut rest = others.iter().chain(&found[place + 1..]);
            prop_assert!(!rest.any(|other| is_near(other.time, shift.time)));
            let regime = reference::regime(&all, home, Time(shift.time.0 - 1));
            let ends = |key: &ShiftKey| (key.home, key.regime) == (home, regime);
            let ended = outputs.ended.iter().find(|(_, key, _)| ends(key));
            prop_assert!(ended.is_some_and(|(_, _, ended)| ended.shift == **shift));
        }
        for (epoch, refused) in outputs.refused.iter().filter(|(_, r)| r.home == Some(home)) {
            let then = known(log, outputs, home, *epoch);
            let is_answered = |shift: &Shift| {
                shift.time > refused.time
                    || shift.kind == ShiftKind::Drift && is_near(shift.time, refused.time)
            };
            prop_assert!(then.iter().any(is_answered), "{:?}", refused);
        }
    }
    Ok(())
}

/// What is found, and the regimes that end, whenever that is.
pub fn without_epochs(outputs: &Outputs) -> (Vec<Drift>, Vec<String>) {
    let mut found: Vec<_> = outputs.drifts.iter().map(|(_, d)| d.clone()).collect();
    found.sort_by_key(|drift| (drift.home, drift.time));
    // Of what came after it, as much is told as is known then.
    let ended = outputs.ended.iter();
    let ended =
        ended.map(|(_, key, ended)| format!("{key:?} {:?} {:?}", ended.shift, ended.source));
    let mut ended: Vec<_> = ended.collect();
    ended.sort();
    (found, ended)
}

/// Forty days: heater and light in the morning, from the thirtieth on the light and a sensor in the evening. One epoch a day.
pub fn forty_days() -> Log {
    let day = |day: i64| {
        let (hour, other) = if day < 30 { (8, 0) } else { (20, 6) };
        let at = |minute: i64, action| Moment {
            time: Time(
                day * Time::DAY + hour * Time::HOUR + (minute + day * 7 % 40) * HALF_HOUR / 30,
            ),
            action: ActionId(action),
            offset: 0,
        };
        let moments = [at(0, 3), at(5, other), at(9, 5)];
        moments.map(|moment| behavior(0, moment, None, 0)).to_vec()
    };
    Log {
        epochs: (0..40).map(day).collect(),
        shifts: Vec::new(),
        erasures: Vec::new(),
        forgotten: Vec::new(),
        feedback: Vec::new(),
        modes: Vec::new(),
        ended: true,
        rules: Rules::new(catalogs()),
        alpha: Alpha::Above(0.7),
        fitting: Fitting::Maintained,
        strictness: Strictness::default(),
        adapts: true,
        scores: Scores::Aligned,
        answered: true,
        workers: 2,
        suspensions: Vec::new(),
    }
}

#[test]
fn a_change_that_nobody_declared_is_answered_once() {
    let began = Time(30 * Time::DAY + 4 * Time::HOUR);
    let found = run(&forty_days());
    let [(epoch, drift)] = &found.drifts[..] else {
        panic!("{:?}", found.drifts);
    };
    assert!(
        drift.adapted && drift.since == began && *epoch < 37,
        "{drift:?}"
    );
    let [(at, key, ended)] = &found.ended[..] else {
        panic!("{:?}", found.ended);
    };
    assert_eq!((at, key.regime), (epoch, 0));
    assert_eq!(
        (ended.shift.kind, ended.shift.time),
        (ShiftKind::Drift, began)
    );
    assert!(ended.shift.to.contains("Heater 0.0"), "{}", ended.shift.to);
    // Whatever is known of what came after it is told.
    assert!(ended.source.len() == 30 && !ended.target.is_empty());
    assert!(
        found
            .requests
            .iter()
            .all(|(_, request)| request.key.shift == *key)
    );
    assert!(!found.requests.is_empty());
}

#[test]
fn a_shift_that_is_found_and_declared_is_one() {
    let day = |day: i64| Time(day * Time::DAY + 4 * Time::HOUR);
    // Known before it is found: what is found is noted, and the one that was declared ends the regime.
    let mut log = forty_days();
    log.shifts = vec![(0, shift(None, day(34)))];
    let known = run(&log);
    assert!(known.drifts.iter().all(|(_, drift)| !drift.adapted));
    assert!(
        known
            .ended
            .iter()
            .all(|(_, _, e)| e.shift.kind == ShiftKind::Season)
    );
    assert_eq!((known.drifts.len(), known.ended.len()), (1, 1));
    // Declared when it was found already.
    log.shifts = vec![(38, shift(Some(0), day(31)))];
    let late = run(&log);
    assert_eq!((late.drifts.len(), late.ended.len()), (1, 1));
    assert!(late.drifts[0].1.adapted);
    assert_eq!(late.refused, [(38, shift(Some(0), day(31)))]);
}
