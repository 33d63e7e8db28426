//! How well planted anomalies are told from what happens, and how often a person would be called.

use anyhow::Result;
use hearth_operators::words::Time;

use super::draws::Draws;
use super::found::Found;
use super::lines::{Metrics, Slice, Task};
use super::log::{Home, Key};
use super::material::{Material, Replayed};
use super::methods::{Detector, detectors};
use crate::stop::Stop;

/// A month, of a home's time and after a shift.
const MONTH: i64 = 30 * Time::DAY;
/// Recalls at which false alarms are counted.
const RECALLS: [f64; 3] = [0.3, 0.5, 0.8];

/// A behaviour that counts.
#[derive(Clone, Copy, Debug)]
struct Item {
    score: f64,
    planted: bool,
    key: Key,
}

/// What a part of the log is.
struct Part<'a> {
    slice: Slice,
    /// Months of time that counts, by home.
    months: Vec<f64>,
    holds: Box<dyn Fn(&Key) -> bool + 'a>,
}

/// All of it, and the months after shifts, where there are any.
fn parts(material: &Material) -> Vec<Part<'_>> {
    let months = |of: &dyn Fn(Home, (i64, i64)) -> i64| {
        let homes = 0..material.log.homes() as Home;
        let micros = homes.map(|home| material.span(home).map_or(0, |span| of(home, span)));
        micros.map(|micros| micros as f64 / MONTH as f64).collect()
    };
    let mut parts = vec![Part {
        slice: Slice::default(),
        months: months(&|_, (first, last)| last - first),
        holds: Box::new(|_| true),
    }];
    if (0..material.log.homes() as Home).any(|home| material.shifts.first(home).is_some()) {
        let after = |home, (first, last): (i64, i64)| {
            let times: Vec<i64> = material.shifts.times(home).collect();
            let ends = times.iter().skip(1).copied().chain([i64::MAX]);
            let each = times.iter().zip(ends).map(|(&time, next)| {
                let end = next.min(time.saturating_add(MONTH)).min(last);
                (end - time.max(first)).max(0)
            });
            each.sum()
        };
        parts.push(Part {
            slice: Slice {
                month_after: true,
                ..Slice::default()
            },
            months: months(&after),
            holds: Box::new(|&(home, time, _)| {
                let past = material
                    .shifts
                    .times(home)
                    .filter(|shift| *shift <= time)
                    .last();
                past.is_some_and(|shift| time - shift < MONTH)
            }),
        });
    }
    parts
}

/// Judges all detectors, Hearth's first. Where no truth is known, only how often Hearth calls.
///
/// # Errors
/// The run is stopped.
pub(super) fn measure(
    material: &Material,
    draws: &Draws,
    (seed, stop): (u64, &Stop),
    tell: &dyn Fn(&str),
) -> Result<Vec<Found>> {
    let parts = parts(material);
    let mut found = Vec::new();
    for replay in &material.replays {
        let keys = material.log.keys();
        let items = keys.filter(|key| material.counts(key)).map(|key| Item {
            score: replay.scores[&key].score,
            planted: material.is_planted(&key),
            key,
        });
        let items: Vec<Item> = items.collect();
        for part in &parts {
            let calls = Calls::of(replay, &items, part, material);
            found.extend(of_part(
                replay.name,
                &items,
                Some(&calls),
                (part, material, draws),
            ));
        }
    }
    if material.planted.is_none() {
        return Ok(found);
    }
    for mut method in detectors(material.log.actions(), seed) {
        tell(method.name());
        let items = through(method.as_mut(), material, stop)?;
        for part in &parts {
            found.extend(of_part(
                method.name(),
                &items,
                None,
                (part, material, draws),
            ));
        }
    }
    Ok(found)
}

/// Takes a detector through a log: each segment is judged, then learnt.
fn through(method: &mut dyn Detector, material: &Material, stop: &Stop) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    for segment in &material.log.segments {
        anyhow::ensure!(!stop.is_stopped(), "stopped");
        let scores = method.judge(segment);
        for (key, score) in segment.keys().zip(scores) {
            if material.counts(&key) {
                let planted = material.is_planted(&key);
                items.push(Item {
                    score,
                    planted,
                    key,
                });
            }
        }
        method.learn(segment);
    }
    Ok(items)
}

/// The figures of a method in a part of the log; none of a part in which nothing happens.
fn of_part(
    method: &str,
    items: &[Item],
    calls: Option<&Calls>,
    (part, material, draws): (&Part<'_>, &Material, &Draws),
) -> Option<Found> {
    let mut items: Vec<Item> = items
        .iter()
        .filter(|i| (part.holds)(&i.key))
        .copied()
        .collect();
    // The strangest first; the order of equal scores changes nothing.
    items.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut homes: Vec<Home> = items.iter().map(|item| item.key.0).collect();
    homes.sort_unstable();
    homes.dedup();
    if homes.is_empty() {
        return None;
    }
    let what = (Task::Anomalies, method, part.slice.clone());
    let size = (homes.len() as u64, items.len() as u64);
    Some(Found::new(
        what,
        size,
        draws,
        material.log.homes(),
        |weights| {
            let months = homes.iter().map(|home| {
                let home = *home as usize;
                weights[home] * part.months[home]
            });
            let months: f64 = months.sum();
            let mut metrics = Metrics::new();
            if material.planted.is_some() {
                metrics = ranked(&items, weights, months);
            }
            if let Some(calls) = calls {
                metrics.append(&mut calls.metrics(weights, months));
            }
            metrics
        },
    ))
}

/// Figures of an order, the strangest first. Equal scores cross a threshold together; each item counts as often as its home.
fn ranked(items: &[Item], weights: &[f64], months: f64) -> Metrics {
    let mut metrics = Metrics::new();
    let sums = |items: &[Item]| {
        let mut sums = (0.0, 0.0);
        for item in items {
            let weight = weights[item.key.0 as usize];
            if item.planted {
                sums.0 += weight;
            } else {
                sums.1 += weight;
            }
        }
        sums
    };
    let (all_planted, all_normal) = sums(items);
    if all_planted == 0.0 || all_normal == 0.0 || months <= 0.0 {
        return metrics;
    }
    let (mut found, mut false_alarms, mut won, mut precision) = (0.0, 0.0, 0.0, 0.0);
    for tie in items.chunk_by(|a, b| a.score.total_cmp(&b.score).is_eq()) {
        let (planted, normal) = sums(tie);
        let below = all_normal - false_alarms - normal;
        won += planted * (below + normal / 2.0);
        let recall_before = found / all_planted;
        found += planted;
        false_alarms += normal;
        if planted > 0.0 {
            precision += planted / all_planted * found / (found + false_alarms);
        }
        for recall in RECALLS {
            // A share that a sum of shares missed by a rounding is reached.
            let reached = recall - 1e-9;
            if recall_before < reached && found / all_planted >= reached {
                let name = format!("false_alarms@{recall}");
                metrics.insert(name, false_alarms / months);
            }
        }
    }
    metrics.insert("auroc".to_owned(), won / (all_planted * all_normal));
    metrics.insert("ap".to_owned(), precision);
    metrics
}

/// How often a person would be called, by home.
struct Calls {
    /// Whether the truth is known.
    truth: bool,
    planted: Vec<f64>,
    /// Behaviours above Hearth's own threshold: all of them, and those that are planted.
    called: Vec<(f64, f64)>,
    /// Alarms, where there are any: all of them, those without a planted behaviour, and planted behaviours in one.
    alarms: Option<Vec<(f64, f64, f64)>>,
}

impl Calls {
    fn of(replay: &Replayed, items: &[Item], part: &Part<'_>, material: &Material) -> Self {
        let homes = material.log.homes();
        let mut calls = Calls {
            truth: material.planted.is_some(),
            planted: vec![0.0; homes],
            called: vec![(0.0, 0.0); homes],
            alarms: None,
        };
        for item in items.iter().filter(|item| (part.holds)(&item.key)) {
            let home = item.key.0 as usize;
            let planted = f64::from(u8::from(item.planted));
            calls.planted[home] += planted;
            if replay.scores[&item.key].called {
                calls.called[home].0 += 1.0;
                calls.called[home].1 += planted;
            }
        }
        calls.alarms = replay.alarms.as_ref().map(|alarms| {
            let mut of_homes = vec![(0.0, 0.0, 0.0); homes];
            let mut told = std::collections::HashSet::new();
            for alarm in alarms {
                let counted: Vec<&Key> = alarm
                    .iter()
                    .filter(|key| material.counts(key) && (part.holds)(key))
                    .collect();
                let Some(first) = counted.first() else {
                    continue;
                };
                let planted: Vec<_> = counted
                    .iter()
                    .filter(|key| material.is_planted(key))
                    .collect();
                let of_home = &mut of_homes[first.0 as usize];
                of_home.0 += 1.0;
                of_home.1 += f64::from(u8::from(planted.is_empty()));
                of_home.2 += planted.iter().filter(|key| told.insert(***key)).count() as f64;
            }
            of_homes
        });
        calls
    }

    fn metrics(&self, weights: &[f64], months: f64) -> Metrics {
        let mut metrics = Metrics::new();
        if months <= 0.0 {
            return metrics;
        }
        let sum = |of: &dyn Fn(usize) -> f64| -> f64 {
            weights
                .iter()
                .enumerate()
                .map(|(home, w)| w * of(home))
                .sum()
        };
        let planted = sum(&|home| self.planted[home]);
        let mut put = |name: &str, value: f64| metrics.insert(name.to_owned(), value);
        let (called, hits) = (sum(&|h| self.called[h].0), sum(&|h| self.called[h].1));
        put("calls", called / months);
        if self.truth && planted > 0.0 {
            put("false_calls", (called - hits) / months);
            put("recall", hits / planted);
        }
        if let Some(alarms) = &self.alarms {
            put("alarms", sum(&|h| alarms[h].0) / months);
            if self.truth && planted > 0.0 {
                put("false_alarms", sum(&|h| alarms[h].1) / months);
                put("alarm_recall", sum(&|h| alarms[h].2) / planted);
            }
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluate::statistics::{Judged, auroc, average_precision};

    fn items(of: &[(u32, u8, bool)]) -> Vec<Item> {
        let item = |(i, &(home, score, planted)): (usize, &(u32, u8, bool))| Item {
            score: f64::from(score),
            planted,
            key: (home, i as i64, 0),
        };
        let mut items: Vec<Item> = of.iter().enumerate().map(item).collect();
        items.sort_by(|a, b| b.score.total_cmp(&a.score));
        items
    }

    #[test]
    fn false_alarms_by_hand() {
        // From above: planted, normal, a tie of both, planted, normal, normal.
        let items = items(&[
            (0, 9, true),
            (0, 8, false),
            (0, 7, true),
            (0, 7, false),
            (0, 6, true),
            (0, 1, false),
            (0, 1, false),
        ]);
        let metrics = ranked(&items, &[1.0], 2.0);
        // One of three is found without a false alarm, two with two of them; the last one costs no more.
        assert_eq!(metrics["false_alarms@0.3"], 0.0);
        assert_eq!(metrics["false_alarms@0.5"], 1.0);
        assert_eq!(metrics["false_alarms@0.8"], 1.0);
        assert!(ranked(&items[..1], &[1.0], 2.0).is_empty());
    }

    proptest! {
        /// A home that is drawn twice counts as if its items were there twice.
        #[test]
        fn weights_are_copies(
            of in prop::collection::vec((0u32..3, 0u8..6, any::<bool>()), 2..40),
            weights in prop::collection::vec(0u8..3, 3),
        ) {
            let copies: Vec<(u32, u8, bool)> = of
                .iter()
                .flat_map(|item| (0..weights[item.0 as usize]).map(move |_| *item))
                .collect();
            let plain: Vec<Judged> = copies.iter().map(|(_, s, p)| (f64::from(*s), *p)).collect();
            let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
            let weighed = ranked(&items(&of), &weights, 1.0);
            let copied = ranked(&items(&copies), &[1.0; 3], 1.0);
            prop_assert_eq!(weighed.len(), copied.len());
            for (name, value) in &copied {
                prop_assert!((weighed[name] - value).abs() < 1e-9, "{}", name);
            }
            if let Some(area) = copied.get("auroc") {
                prop_assert!((area - auroc(&plain).unwrap()).abs() < 1e-9);
                prop_assert!((copied["ap"] - average_precision(&plain).unwrap()).abs() < 1e-9);
            }
        }
    }
}
