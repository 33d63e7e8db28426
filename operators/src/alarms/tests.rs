//! Alarms against their definition, by plain loops over the segments that stand.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::level::Level;
use super::*;
use crate::surprise::{Part, Surprise};
use crate::words::{ActionId, HomeId, Moment, Segment, Time};

const BUDGET: Budget = Budget {
    alarms: 1,
    per: 6 * Time::DAY,
};

/// A segment that starts so many hours after the beginning, and its only behaviour's surprise.
fn segment(hour: i64, score: f32) -> (Segment, [Surprise; 1]) {
    let moment = Moment {
        time: Time(hour * Time::HOUR),
        action: ActionId(0),
        offset: 0,
    };
    let segment = Segment {
        home: HomeId(0),
        moments: vec![moment],
    };
    (segment, [Surprise::new([score, 0.0, 0.0, 0.0, 0.0])])
}

/// A segment that stands: its hour, its score, whether it was an alarm.
#[derive(Clone, Copy, Debug)]
struct Stands {
    hour: i64,
    score: f32,
    alarm: bool,
}

/// The threshold of a segment at an hour, from the segments that stand.
fn threshold(all: &[Stands], tails: &Tails, hour: i64) -> Option<f32> {
    let earlier: Vec<_> = all.iter().filter(|s| s.hour < hour).collect();
    let first = earlier.iter().map(|s| s.hour).min()?;
    let mut days: BTreeMap<i64, f32> = BTreeMap::new();
    for s in &earlier {
        let day = days.entry(s.hour.div_euclid(24)).or_insert(s.score);
        *day = day.max(s.score);
    }
    let latest: Vec<f32> = days.into_values().rev().take(64).collect();
    if hour - first < 5 * 24 || latest.len() < 5 {
        return None;
    }
    let allowed = BUDGET.within((hour - first - 5 * 24) * Time::HOUR);
    let alarms = earlier.iter().filter(|s| s.alarm).count() as f32;
    let debt = (allowed - alarms - 0.1).clamp(-2.0, 2.0);
    let level = Level::of(latest, tails).unwrap();
    Some(level.threshold(tails, BUDGET.daily() * (2.0 * debt).exp()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Segments come late, change and go, and become final: threshold and alarm are those of the segments that stand.
    #[test]
    fn alarms_follow_from_the_segments_that_stand(
        steps in prop::collection::vec((0_i64..40, 0.0_f32..30.0, any::<bool>(), 0_u8..10), 1..150),
    ) {
        let (mut alarms, mut tails) = (Alarms::default(), Tails::default());
        let mut all: Vec<Stands> = Vec::new();
        let (mut newest, mut settled) = (0, i64::MIN);
        for (back, score, shared, kind) in steps {
            let hour = (newest + 20 - back).max(settled + 1);
            let was = all.iter().position(|s| s.hour == hour);
            let mut changes = TailChanges::default();
            if let Some(at) = was {
                let stood = all.remove(at);
                prop_assert!(alarms.retract(&segment(stood.hour, stood.score).0, &mut changes));
            }
            if kind > 0 {
                let (segment, surprises) = segment(hour, score);
                let verdict = alarms.judge(&tails, BUDGET, &segment, &surprises);
                let expected = threshold(&all, &tails, hour);
                prop_assert_eq!(verdict.threshold, expected);
                let alarm = expected.is_some_and(|threshold| score > threshold);
                prop_assert_eq!(verdict.alarm.is_some(), alarm);
                alarms.learn(&verdict);
                verdict.tell(&mut changes);
                all.push(Stands { hour, score, alarm });
                newest = newest.max(hour);
            }
            if shared {
                tails.apply(&changes);
            }
            let standing = alarms.standing(&tails, BUDGET, Time((newest + 1) * Time::HOUR));
            prop_assert_eq!(standing.threshold, threshold(&all, &tails, newest + 1));
            prop_assert_eq!(standing.raised as usize, all.iter().filter(|s| s.alarm).count());
            if kind == 9 {
                settled = settled.max(newest - 30);
                alarms.settle(Time((settled + 1) * Time::HOUR));
            }
        }
    }

    /// A score is above the threshold if and only if it is reached less often than the threshold allows.
    #[test]
    fn the_threshold_is_where_scores_become_as_rare_as_asked(
        days in prop::collection::vec(0.0_f32..20.0, 4..20),
        heights in prop::collection::vec((-3.0_f32..12.0, any::<bool>()), 0..200),
        per in 1.0_f32..400.0,
        score in -10.0_f32..120.0,
    ) {
        let (mut tails, mut changes) = (Tails::default(), TailChanges::default());
        for (height, day) in heights {
            changes.add(super::tails::Tail::new(height, (height > 0.0).then_some(height), day), 1);
        }
        tails.apply(&changes);
        let level = Level::of(days, &tails).unwrap();
        let (daily, threshold) = (level.daily(&tails, score), level.threshold(&tails, 1.0 / per));
        if score > threshold + 1e-2 {
            prop_assert!(daily < (1.0 / per) * 1.001, "{} {}", daily, threshold);
        }
        if score < threshold - 1e-2 && level.height(score) > -4.0 {
            prop_assert!(daily >= (1.0 / per) * 0.999, "{} {}", daily, threshold);
        }
    }
}

/// Scores between 0 and 1 that look like chance, the same at every run.
fn noise(n: u64) -> f32 {
    let mixed = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    ((mixed >> 40) as f32 + 0.5) / (1 << 24) as f32
}

/// The days on which a home whose days score `score` has alarms.
fn alarmed(days: i64, score: impl Fn(i64) -> f32) -> Vec<i64> {
    let (mut alarms, tails) = (Alarms::default(), Tails::default());
    let mut found = Vec::new();
    for day in 0..days {
        let (segment, surprises) = segment(24 * day, score(day));
        let verdict = alarms.judge(&tails, Budget::MONTHLY, &segment, &surprises);
        found.extend(verdict.alarm.is_some().then_some(day));
        alarms.learn(&verdict);
        alarms.settle(Time((day - 1) * Time::DAY));
    }
    found
}

#[test]
fn the_budget_is_kept_whatever_the_tail_is_like() {
    let uniform = |day: i64| 10.0 * noise(day as u64);
    let exponential = |day: i64| -3.0 * noise(day as u64).ln();
    let heavy = |day: i64| noise(day as u64).powf(-0.8);
    let bursts = |day: i64| {
        if day % 50 < 5 {
            90.0
        } else {
            5.0 * noise(day as u64)
        }
    };
    let rises = |day: i64| exponential(day) * (1.0 + day as f32 / 100.0);
    let scores: [&dyn Fn(i64) -> f32; 5] = [&uniform, &exponential, &heavy, &bursts, &rises];
    for score in scores {
        let alarms = alarmed(720, score).len();
        assert!((17..=31).contains(&alarms), "{alarms} in 24 months");
    }
}

#[test]
fn a_shift_does_not_flood() {
    let shifted = |day: i64| -3.0 * noise(day as u64).ln() + if day < 200 { 0.0 } else { 25.0 };
    let alarms = alarmed(260, shifted);
    let after = alarms
        .iter()
        .filter(|day| (200..230).contains(*day))
        .count();
    assert!(
        (1..=4).contains(&after),
        "{after} alarms in the month after a shift"
    );
}

#[test]
fn a_home_is_learnt_in_silence() {
    assert_eq!(alarmed(5, |day| (10 * day * day) as f32), []);
}

#[test]
fn what_was_fine_is_less_of_an_alarm() {
    let (mut alarms, tails) = (Alarms::default(), Tails::default());
    let mut hour = 0;
    let mut judged = |alarms: &mut Alarms, score: f32| {
        let (segment, surprises) = segment(hour, score);
        let verdict = alarms.judge(&tails, Budget::MONTHLY, &segment, &surprises);
        alarms.learn(&verdict);
        hour += 24;
        (segment.start(), verdict)
    };
    for day in 0..20 {
        judged(&mut alarms, 5.0 + (day % 4) as f32);
    }
    let (at, verdict) = judged(&mut alarms, 50.0);
    assert_eq!(verdict.alarm.unwrap().behaviors, [0]);
    let surprise = Surprise::new([50.0, 0.0, 0.0, 0.0, 0.0]);
    let score = |alarms: &Alarms| alarms.score(ActionId(0), &surprise);
    assert_eq!(score(&alarms), 50.0);
    assert!(!alarms.fine(Time(at.0 + 1)), "no such alarm");
    assert!(alarms.fine(at));
    assert_eq!(score(&alarms), 25.0);
    let hour = Surprise::new([0.0, 50.0, 0.0, 0.0, 0.0]);
    assert_eq!(alarms.score(ActionId(0), &hour), 50.0, "another part");
    assert_eq!(alarms.score(ActionId(1), &surprise), 50.0, "another action");
    assert_eq!(hour.of(Part::Hour), 50.0);
}
