//! How unlike its home's other days a day is, seen from several sides: each gives an e-value.
//!
//! A side scores today and the days that it is compared with alike: each by all the others. The e-value of today is its share of
//! `exp(score)` among them, times their number. Were today exchangeable with those days its mean would be one, whatever scores are
//! like and however few the days (soft-rank e-values: Wang and Ramdas 2022; Vovk's conformal tests).

use super::day::Day;
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

/// What of a day is compared: which features it has, in ascending order.
type Features = Vec<u32>;

/// A way to look at a day.
type Look = fn(&Day, &Catalog) -> Features;

/// Which actions happened.
fn actions(day: &Day, _: &Catalog) -> Features {
    let mut all: Features = day.uses.iter().map(|u| u32::from(u.action.0)).collect();
    all.dedup();
    all
}

/// Which devices were used in which quarter of the day.
fn quarters(day: &Day, catalog: &Catalog) -> Features {
    let feature = |used: &super::day::Use| {
        u32::from(catalog.device_of(used.action).0) * 4 + u32::from(used.hours / 2)
    };
    let mut all: Features = day.uses.iter().map(feature).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// In which three hours anything happened.
fn hours(day: &Day, _: &Catalog) -> Features {
    let mut all: Features = day.uses.iter().map(|u| u32::from(u.hours)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The e-values of a day: `past` are the days before it, the last `run` of them under suspicion.
pub fn e_values(past: &[Day], run: usize, today: &Day, catalog: &Catalog) -> [f64; VIEWS] {
    let reference = past.len().saturating_sub(run);
    // The latest days tell a direction also where none is under suspicion.
    let recent = past.len().saturating_sub(run.clamp(1, RECENT));
    let seen = |look: Look| -> Vec<Features> {
        let days = past.iter().chain([today]);
        days.map(|day| look(day, catalog)).collect()
    };
    let (acted, used, woken) = (seen(actions), seen(quarters), seen(hours));
    // Today with the days before it, without those in between.
    let bag = |days: &[Features], first: usize| -> Vec<Features> {
        let compared = days[..first].iter().chain(days.last());
        compared.cloned().collect()
    };
    let like = |days: &[Features]| likeness(&bag(days, recent), &days[recent..past.len()]);
    [
        scored(&bag(&acted, reference), |_, p, has| rarity(p, has)),
        scored(&bag(&used, reference), |_, p, has| surprise(p, has)),
        scored(&bag(&woken, reference), |_, p, has| surprise(p, has)),
        rates(past[..reference].iter().chain([today])),
        like(&acted),
        like(&used),
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
fn likeness(days: &[Features], recent: &[Features]) -> Vec<f64> {
    let among = recent.len() as f64;
    let lately = |feature: u32| {
        let having = recent
            .iter()
            .filter(|day| day.binary_search(&feature).is_ok());
        expected(having.count() as f64, among)
    };
    scored(days, |feature, expected, has| {
        surprise(expected, has) - surprise(lately(feature), has)
    })
}

/// Each day's sum of what `weigh` says of a feature, given how often it is expected by the other days.
fn scored(days: &[Features], weigh: impl Fn(u32, f64, bool) -> f64) -> Vec<f64> {
    let mut features: Features = days.iter().flatten().copied().collect();
    features.sort_unstable();
    features.dedup();
    let place = |feature: &u32| features.binary_search(feature).ok();
    let mut seen = vec![0.0; features.len()];
    for place in days.iter().flatten().filter_map(place) {
        seen[place] += 1.0;
    }
    let others = days.len() as f64 - 1.0;
    // What all days share, and what each feature adds: a day costs what it has.
    let (mut shared, mut adds) = (0.0, Vec::with_capacity(features.len()));
    for (feature, seen) in features.iter().zip(&seen) {
        let with = weigh(*feature, expected(*seen - 1.0, others), true);
        if *seen > others {
            // No day is without it.
            shared += with;
            adds.push(0.0);
        } else {
            let without = weigh(*feature, expected(*seen, others), false);
            shared += without;
            adds.push(with - without);
        }
    }
    let score = |day: &Features| {
        let places = day.iter().filter_map(place);
        shared + places.map(|place| adds[place]).sum::<f64>()
    };
    days.iter().map(score).collect()
}

/// How far each day's number of behaviours is from what is usual. Square roots: their spread depends little on how many there are.
fn rates<'a>(days: impl Iterator<Item = &'a Day>) -> Vec<f64> {
    let roots = days.map(|day| f64::from(day.behaviors).sqrt());
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
