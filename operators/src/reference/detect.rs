//! Maintained detectors: all homes of a cohort, epoch by epoch, without workers, feedback or buffers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::models::{HomeLife, in_turn};
use crate::alarms::{Alarms, TailChanges, Tails, reasons};
use crate::detect::{Detected, Raised, Vigilance};
use crate::habits::Vocabulary;
use crate::surprise::{Counts, Detector};
use crate::words::{Epoch, HomeId, Segment, Time};

/// What detectors say of the homes of one cohort.
#[derive(Debug, Default)]
pub struct Detections {
    /// Of each segment that came, by the epoch.
    pub detected: BTreeMap<(Epoch, Arc<Segment>), Detected>,
    /// Alarms that were raised and withdrawn.
    pub alarms: Vec<(Epoch, Raised, i64)>,
}

#[derive(Default)]
struct Home {
    detector: Detector,
    alarms: Alarms,
    newest: Option<Time>,
    raised: BTreeMap<Time, Raised>,
}

/// As [`Detect`](crate::detect::Detect) promises; `counted`: the cohort's counts of all epochs before one.
pub fn detect(
    lives: &BTreeMap<HomeId, HomeLife>,
    watch: &Vigilance,
    counted: impl Fn(Epoch) -> Counts,
) -> Detections {
    let mut homes: BTreeMap<HomeId, Home> = BTreeMap::new();
    let mut epochs: Vec<Epoch> = lives
        .values()
        .flat_map(|l| l.updates.keys().copied())
        .collect();
    epochs.sort_unstable();
    epochs.dedup();
    let (mut all, mut tails) = (Detections::default(), Tails::default());
    for epoch in epochs {
        let counts = counted(epoch);
        // What is reached in an epoch is known in the next.
        let mut reached = TailChanges::default();
        for (home, life) in lives {
            let Some(updates) = life.updates.get(&epoch) else {
                continue;
            };
            let words = Vocabulary::new(&watch.catalogs, *home);
            let Home {
                detector,
                alarms,
                newest,
                raised,
            } = homes.entry(*home).or_default();
            if let Some(newest) = newest {
                let before = Time(newest.0.saturating_sub(watch.lateness));
                detector.settle(&words, before);
                alarms.settle(before);
            }
            let changed = in_turn(updates).into_iter().filter(|(_, moved)| !moved);
            for (update, _) in changed {
                let segment = &update.segment;
                if update.diff < 0 {
                    let known = detector.retract(&words, segment);
                    assert!(
                        known && alarms.retract(segment, &mut reached),
                        "what goes is not final"
                    );
                    let gone = raised.remove(&segment.start());
                    all.alarms.extend(gone.map(|raised| (epoch, raised, -1)));
                    continue;
                }
                let surprises = detector.judge(&words, &counts, segment);
                let verdict = alarms.judge(&tails, watch.budget, segment, &surprises);
                let actions = segment.moments.iter().map(|moment| moment.action);
                let scores = actions.zip(&surprises).map(|(a, s)| alarms.score(a, s));
                let detected = Detected {
                    scores: scores.collect(),
                    threshold: verdict.threshold,
                };
                all.detected.insert((epoch, segment.clone()), detected);
                if let Some(alarm) = verdict.alarm.clone() {
                    let line = Raised {
                        segment: segment.clone(),
                        reasons: reasons(&words, detector, segment, &surprises, &alarm.behaviors),
                        alarm,
                    };
                    raised.insert(segment.start(), line.clone());
                    all.alarms.push((epoch, line, 1));
                }
                verdict.tell(&mut reached);
                alarms.learn(&verdict);
                detector.learn(&words, segment);
                *newest = (*newest).max(Some(segment.end()));
            }
        }
        tails.apply(&reached);
    }
    all
}
