//! How unlike its home's other days a day is, seen from several sides: each gives an e-value.
//!
//! A side scores today and the days that it is compared with alike: each by all the others. The e-value of today is its share of
//! `exp(score)` among them, times their number. Were today exchangeable with those days its mean would be one, whatever scores are
//! like and however few the days (soft-rank e-values: Wang and Ramdas 2022; Vovk's conformal tests).

use super::day::{Day, Use};
use crate::words::Catalog;

/// How many sides there are.
pub const VIEWS: usize = 6;

/// How much an unusual score counts, per standard deviation.
const SHARPNESS: f64 = 2.0;
/// What standard deviations are given: with few days they are known badly.
const SLACK: f64 = 0.5;
/// Standard deviations that no score passes.
const FARTHEST: f64 = 40.0;
/// Days that say into which direction the home seems to go.
const RECENT: usize = 4;
/// Days that a side needs to compare with.
const FEWEST: usize = 2;

/// What of a use is compared: a small number.
type Feature<'a> = &'a dyn Fn(&Use) -> usize;

/// The e-values of a day: `past` are the days before it, the last `run` of them under suspicion.
pub fn e_values(past: &[Day], run: usize, today: &Day, catalog: &Catalog) -> [f64; VIEWS] {
    let reference = past.len().saturating_sub(run);
    // The latest days tell a direction also where none is under suspicion.
    let recent = past.len().saturating_sub(run.clamp(1, RECENT));
    let action = |used: &Use| usize::from(used.action.0);
    let hours = |used: &Use| usize::from(used.hours);
    let quarter = |used: &Use| {
        usize::from(catalog.device_of(used.action).0) * 4 + usize::from(used.hours / 2)
    };
    let compared = |first: usize| -> Vec<&Day> { past[..first].iter().chain([today]).collect() };
    let usual = compared(reference);
    let strange = |feature: Feature<'_>, weigh: fn(f64, bool) -> f64| {
        scored(&usual, feature, |_, expected, has| weigh(expected, has))
    };
    let (elder, lately) = (compared(recent), past[recent..].iter().collect::<Vec<_>>());
    [
        strange(&action, rarity),
        strange(&quarter, surprise),
        strange(&hours, surprise),
        rates(&usual),
        likeness(&elder, &lately, &action),
        likeness(&elder, &lately, &quarter),
    ]
    .map(|scores| e_value(&scores))
}

/// The e-value of the last of the days that have these scores.
pub fn e_value(scores: &[f64]) -> f64 {
    let days = scores.len() as f64;
    if scores.len() <= FEWEST {
        return 1.0;
    }
    let mean = scores.iter().sum::<f64>() / days;
    let square = |score: &f64| (score - mean).powi(2);
    let variance = scores.iter().map(square).sum::<f64>() / (days - 1.0);
    let scale = variance.sqrt() + SLACK;
    let weight = |score: &f64| (SHARPNESS * ((score - mean) / scale).min(FARTHEST)).exp();
    let all: f64 = scores.iter().map(weight).sum();
    days * scores.last().map_or(0.0, weight) / all
}

/// How often a feature is to be expected that `seen` of `days` days had.
fn expected(seen: f64, days: f64) -> f64 {
    (seen + 0.5) / (days + 1.0)
}

/// What a feature adds to the surprise of a day that has it, or has not.
fn surprise(expected: f64, has: bool) -> f64 {
    -(if has { expected } else { 1.0 - expected }).ln()
}

/// The same by χ²: what is rare weighs more.
fn rarity(expected: f64, has: bool) -> f64 {
    let odds = expected / (1.0 - expected);
    if has { 1.0 / odds } else { odds }
}

/// How much more each day is like the `recent` ones than like the others.
fn likeness(days: &[&Day], recent: &[&Day], feature: Feature<'_>) -> Vec<f64> {
    let (lately, among) = (Seen::of(recent, feature), recent.len() as f64);
    scored(days, feature, |feature, p, has| {
        surprise(p, has) - surprise(expected(lately.by(feature), among), has)
    })
}

/// On how many days each feature was seen.
struct Seen(Vec<u32>);

impl Seen {
    fn of(days: &[&Day], feature: Feature<'_>) -> Self {
        let mut seen = Vec::new();
        each(days, feature, |_, feature| {
            if feature >= seen.len() {
                seen.resize(feature + 1, 0);
            }
            seen[feature] += 1;
        });
        Seen(seen)
    }

    fn by(&self, feature: usize) -> f64 {
        f64::from(self.0.get(feature).copied().unwrap_or(0))
    }
}

/// Each feature of each day (by position) once.
fn each(days: &[&Day], feature: Feature<'_>, mut take: impl FnMut(usize, usize)) {
    // By feature: how many days had been begun when it was met last.
    let mut met: Vec<usize> = Vec::new();
    for (place, day) in days.iter().enumerate() {
        for feature in day.uses.iter().map(feature) {
            if feature >= met.len() {
                met.resize(feature + 1, 0);
            }
            if met[feature] <= place {
                met[feature] = place + 1;
                take(place, feature);
            }
        }
    }
}

/// Each day's sum of what `weigh` says of a feature, given how often it is expected by the other days.
fn scored(
    days: &[&Day],
    feature: Feature<'_>,
    weigh: impl Fn(usize, f64, bool) -> f64,
) -> Vec<f64> {
    let (seen, others) = (Seen::of(days, feature), days.len() as f64 - 1.0);
    // What all days share, and what each feature adds: a day costs what it has.
    let (mut shared, mut adds) = (0.0, Vec::with_capacity(seen.0.len()));
    for (feature, &times) in seen.0.iter().enumerate() {
        if times == 0 {
            adds.push(0.0);
            continue;
        }
        let times = f64::from(times);
        let with = weigh(feature, expected(times - 1.0, others), true);
        if times > others {
            // No day is without it.
            shared += with;
            adds.push(0.0);
        } else {
            let without = weigh(feature, expected(times, others), false);
            shared += without;
            adds.push(with - without);
        }
    }
    let mut scores = vec![shared; days.len()];
    each(days, feature, |place, feature| {
        scores[place] += adds[feature];
    });
    scores
}

/// How far each day's number of behaviours is from what is usual. Square roots: their spread depends little on how many there are.
fn rates(days: &[&Day]) -> Vec<f64> {
    let roots = days.iter().map(|day| f64::from(day.behaviors).sqrt());
    let roots: Vec<f64> = roots.collect();
    let (sum, others) = (roots.iter().sum::<f64>(), roots.len() as f64 - 1.0);
    let apart = |root: &f64| (root - (sum - root) / others).abs();
    roots.iter().map(apart).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// If it is any of the days in turn, the e-values have the mean one.
        #[test]
        fn e_values_have_the_mean_one(scores in prop::collection::vec(-50.0..50.0, 3..30)) {
            let mut scores: Vec<f64> = scores;
            let mut sum = 0.0;
            for _ in 0..scores.len() {
                scores.rotate_left(1);
                sum += e_value(&scores);
            }
            prop_assert!((sum / scores.len() as f64 - 1.0).abs() < 1e-9);
        }
    }
}
