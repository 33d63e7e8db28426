//! Maintained detectors: all homes of a cohort, epoch by epoch, without workers, feedback edges or buffers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::models::{HomeLife, in_turn};
use crate::alarms::{Alarms, TailChanges, Tails, reasons};
use crate::detect::{Detected, Raised, Vigilance};
use crate::habits::Vocabulary;
use crate::shift::Placed;
use crate::surprise::{Counts, Detector};
use crate::words::{Epoch, Feedback, Heard, HomeId, Segment, Time};

/// What detectors say of the homes of one cohort.
#[derive(Debug, Default)]
pub struct Detections {
    /// Of each segment that came, by the epoch.
    pub detected: BTreeMap<(Epoch, Arc<Segment>), Detected>,
    /// Alarms that were raised and withdrawn.
    pub alarms: Vec<(Epoch, Raised, i64)>,
    /// What became of feedback.
    pub heard: Vec<(Epoch, Heard)>,
}

#[derive(Default)]
struct Home {
    detector: Detector,
    alarms: Alarms,
    newest: Option<Time>,
    raised: BTreeMap<Time, Raised>,
    told: TailChanges,
}

/// What is known besides a home, in an epoch.
struct Around<'a> {
    watch: &'a Vigilance,
    epoch: Epoch,
    counts: &'a Counts,
    tails: &'a Tails,
}

/// As [`Detect`](crate::detect::Detect) promises; `counted`: the cohort's counts of all epochs before one.
pub fn detect(
    lives: &BTreeMap<HomeId, HomeLife>,
    feedback: &[(Epoch, Feedback)],
    watch: &Vigilance,
    counted: impl Fn(Epoch) -> Counts,
) -> Detections {
    let mut homes: BTreeMap<HomeId, Home> = BTreeMap::new();
    let updated = lives.values().flat_map(|life| life.updates.keys());
    let mut epochs: BTreeSet<Epoch> = updated.copied().collect();
    epochs.extend(feedback.iter().map(|(epoch, _)| *epoch));
    let (mut all, mut tails) = (Detections::default(), Tails::default());
    for epoch in epochs {
        let counts = counted(epoch);
        let rest = counted(epoch + 1);
        // What is reached in an epoch is known in the next.
        let mut reached = TailChanges::default();
        let mut around = Around {
            watch,
            epoch,
            counts: &counts,
            tails: &tails,
        };
        for (home, life) in lives.iter().filter(|(_, l)| l.updates.contains_key(&epoch)) {
            let state = homes.entry(*home).or_default();
            let before = state.told.clone();
            around.counts = &counts;
            if life.erased.contains(&epoch) {
                around.counts = &rest;
                state.anew(&around, life, &mut all);
            } else {
                state.update(&around, *home, life, &mut all);
            }
            reached.merge(&state.told);
            reached.take_back(&before);
        }
        tails.apply(&reached);
        for (_, feedback) in feedback.iter().filter(|(e, _)| *e == epoch) {
            let home = homes.get_mut(&feedback.home);
            let known = home.is_some_and(|home| {
                home.raised.contains_key(&feedback.start) && home.alarms.fine(feedback.start)
            });
            let feedback = *feedback;
            all.heard.push((epoch, Heard { feedback, known }));
        }
    }
    all
}

impl Home {
    fn settle(&mut self, watch: &Vigilance, home: HomeId) {
        if let Some(newest) = self.newest {
            let before = Time(newest.0.saturating_sub(watch.lateness));
            let words = Vocabulary::new(&watch.catalogs, home);
            self.detector.settle(&words, before);
            self.alarms.settle(before);
        }
    }

    fn update(&mut self, around: &Around<'_>, home: HomeId, life: &HomeLife, all: &mut Detections) {
        self.settle(around.watch, home);
        let words = Vocabulary::new(&around.watch.catalogs, home);
        for (update, moved) in in_turn(&life.updates[&around.epoch]) {
            let segment = &update.segment;
            if moved {
                let diff = update.diff.signum() as i32;
                self.detector.relabel(segment, update.key.regime, diff);
            } else if update.diff > 0 {
                self.judge(around, update, true, all);
            } else {
                let known = self.detector.retract(&words, segment);
                let known = known && self.alarms.retract(segment, &mut self.told);
                assert!(known, "what goes is not final");
                let gone = self.raised.remove(&segment.start());
                all.alarms.extend(gone.map(|gone| (around.epoch, gone, -1)));
            }
        }
    }

    /// From nothing but the segments that stand, and the alarms of these.
    fn anew(&mut self, around: &Around<'_>, life: &HomeLife, all: &mut Detections) {
        let new = in_turn(&life.updates[&around.epoch]).into_iter();
        let new = new.filter(|(update, moved)| !moved && update.diff > 0);
        let new: Vec<_> = new.map(|(update, _)| update.segment.clone()).collect();
        let standing = life.standing(around.epoch);
        let mut anew = Home::default();
        for (start, raised) in std::mem::take(&mut self.raised) {
            if standing
                .iter()
                .any(|placed| placed.segment == raised.segment)
            {
                anew.raised.insert(start, raised);
            } else {
                all.alarms.push((around.epoch, raised, -1));
            }
        }
        anew.alarms = self.alarms.anew(|start| anew.raised.contains_key(&start));
        let around = &Around {
            tails: &around.tails.without(&self.told),
            ..*around
        };
        for placed in standing {
            let segment = &placed.segment;
            anew.settle(around.watch, segment.home);
            anew.judge(around, &placed, new.contains(segment), all);
        }
        *self = anew;
    }

    /// Judges a segment and learns it; says so where it is new.
    fn judge(&mut self, around: &Around<'_>, placed: &Placed, is_new: bool, all: &mut Detections) {
        let Around { watch, epoch, .. } = *around;
        let (segment, regime) = (&placed.segment, placed.key.regime);
        let words = Vocabulary::new(&watch.catalogs, segment.home);
        let surprises = self.detector.judge(&words, around.counts, segment, regime);
        let verdict = self
            .alarms
            .judge(around.tails, watch.budget, segment, &surprises);
        let actions = segment.moments.iter().map(|moment| moment.action);
        let scores = actions
            .zip(&surprises)
            .map(|(a, s)| self.alarms.score(a, s));
        let detected = Detected {
            scores: scores.collect(),
            threshold: verdict.threshold,
        };
        verdict.tell(&mut self.told);
        if !is_new {
            let raised = self.raised.contains_key(&segment.start());
            self.alarms.learn_again(&verdict, raised);
        } else {
            all.detected.insert((epoch, segment.clone()), detected);
            if let Some(alarm) = verdict.alarm.clone() {
                let detector = &self.detector;
                let line = Raised {
                    segment: segment.clone(),
                    reasons: reasons(&words, detector, segment, &surprises, &alarm.behaviors),
                    alarm,
                };
                self.raised.insert(segment.start(), line.clone());
                all.alarms.push((epoch, line, 1));
            }
            self.alarms.learn(&verdict);
        }
        self.detector.learn(&words, segment, regime);
        self.newest = self.newest.max(Some(segment.end()));
    }
}
