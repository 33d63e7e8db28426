//! Maintained models: a home's from what is known of it, epoch by epoch, without queues, workers or waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::detect::Detections;
use super::life::{HomeLife, Imagined, in_turn};
use crate::detect::Detected;
use crate::habits::{Context, Contribution, Habits, Judged, Pooled, Vocabulary};
use crate::shift::Placed;
use crate::words::{Epoch, Open, Score, Segment, Shift, Time};

/// The scores of a home, as [`Models`](crate::models::Models) promises; `pooled`: the cohort's counts of all epochs before
/// one; `said`: what the detector said in an epoch; `trial`: after how many segments
/// what was imagined is kept or dropped.
pub fn models(
    words: &Vocabulary<'_>,
    life: &HomeLife,
    (lateness, trial): (i64, u32),
    pooled: impl Fn(Epoch) -> Pooled,
    said: &Detections,
) -> Vec<(Epoch, Score)> {
    let mut home = Home::default();
    let mut scores = Vec::new();
    // Answers to requests of earlier epochs are in force.
    let mut heard = 0;
    let epochs: BTreeSet<&Epoch> = life.updates.keys().chain(life.open.keys()).collect();
    for epoch in epochs {
        let around = Around {
            words,
            life,
            lateness,
            epoch: *epoch,
            detected: &said.detected,
        };
        let answered = life
            .answers
            .range(heard..*epoch)
            .flat_map(|(_, answers)| answers);
        heard = *epoch;
        if let Some(imagined) = answered.last() {
            home.hear(imagined);
        }
        let mut counts = pooled(*epoch);
        if life.erased.contains(epoch) {
            counts = pooled(*epoch + 1);
            home.anew(&around, &counts, &mut scores);
        } else if life.updates.contains_key(epoch) {
            home.update(&around, &counts, &mut scores);
            home.decide(trial);
        }
        if let Some(open) = life.open.get(epoch) {
            let looked = said.looked.get(&(*epoch, open.home));
            home.look(&around, &counts, open, looked, &mut scores);
        }
    }
    scores
}

#[derive(Default)]
struct Home {
    habits: Habits,
    newest: Option<Time>,
    regime: u32,
    /// What began it.
    began: Option<Shift>,
    version: u32,
    /// The regime that ended, segments, and their surprisal with and without what was imagined.
    tried: Option<(u32, u32, f64, f64)>,
    /// The open segment as far as it is read, and what that taught.
    read: Option<(Segment, Contribution)>,
}

struct Around<'a> {
    words: &'a Vocabulary<'a>,
    life: &'a HomeLife,
    lateness: i64,
    epoch: Epoch,
    detected: &'a BTreeMap<(Epoch, Arc<Segment>), Detected>,
}

impl Home {
    fn hear(&mut self, imagined: &Imagined) {
        let Imagined {
            key,
            shift,
            sequences,
        } = imagined;
        if key.regime + 1 > self.version {
            self.version = key.regime + 1;
            self.begin(self.version, shift);
            self.habits.imagine(sequences);
            self.tried = (!sequences.is_empty()).then_some((key.regime, 0, 0.0, 0.0));
        }
    }

    fn settle(&mut self, lateness: i64) {
        if let Some(newest) = self.newest {
            self.habits.settle(Time(newest.0.saturating_sub(lateness)));
        }
    }

    fn began(&mut self, placed: &Placed) {
        if let Some(shift) = &placed.began {
            self.begin(placed.key.regime, shift);
        }
    }

    fn begin(&mut self, regime: u32, shift: &Shift) {
        if regime > self.regime {
            self.regime = regime;
            self.began = Some(shift.clone());
            self.habits.shift(shift.time, Context::of(shift));
        }
    }

    fn learn(&mut self, around: &Around<'_>, segment: &Segment, judged: &Judged) {
        self.habits.learn(around.words, segment, judged);
        self.newest = self.newest.max(Some(segment.end()));
    }

    /// From nothing but the segments that stand.
    fn anew(&mut self, around: &Around<'_>, pooled: &Pooled, scores: &mut Vec<(Epoch, Score)>) {
        let old = std::mem::take(self);
        self.read.clone_from(&old.read);
        let standing = around.life.standing(around.epoch);
        if standing.is_empty() {
            return;
        }
        self.version = old.version;
        for placed in &standing {
            self.settle(around.lateness);
            self.began(placed);
            let segment = &placed.segment;
            let judged = self.habits.judge(around.words, pooled, segment);
            if let Some(detected) = around.detected.get(&(around.epoch, segment.clone())) {
                let told = told(segment, detected, &judged, self.version);
                scores.extend(told.map(|score| (around.epoch, score)));
            }
            self.learn(around, segment, &judged);
        }
        if let Some(shift) = old.began.filter(|_| old.regime == old.version) {
            self.begin(old.regime, &shift);
        }
        if self.habits.imagine_as(&old.habits) {
            self.tried = old.tried;
        }
    }

    fn update(&mut self, around: &Around<'_>, pooled: &Pooled, scores: &mut Vec<(Epoch, Score)>) {
        self.settle(around.lateness);
        for (update, is_moved) in in_turn(&around.life.updates[&around.epoch]) {
            let segment = &update.segment;
            if update.diff > 0 {
                self.began(update);
            }
            if is_moved {
                continue;
            }
            if update.diff < 0 {
                let known = self.habits.retract(around.words, segment);
                assert!(known, "what goes is not final");
                continue;
            }
            let judged = self.habits.judge(around.words, pooled, segment);
            let detected = &around.detected[&(around.epoch, segment.clone())];
            let told = told(segment, detected, &judged, self.version);
            scores.extend(told.map(|score| (around.epoch, score)));
            if let Some((ended, segments, with, without)) = &mut self.tried
                && update.key.regime > *ended
            {
                let plain = self.habits.judge_unimagined(around.words, pooled, segment);
                *segments += 1;
                *with += surprisal(&judged);
                *without += surprisal(&plain);
            }
            self.learn(around, segment, &judged);
        }
    }

    /// Reads on in the open segment if only its end is new, else from its start.
    fn look(
        &mut self,
        around: &Around<'_>,
        pooled: &Pooled,
        open: &Open,
        looked: Option<&Detected>,
        scores: &mut Vec<(Epoch, Score)>,
    ) {
        let before = self.read.take();
        let (Some(segment), Some(looked)) = (&open.segment, looked) else {
            return;
        };
        let (read, taught) = before
            .filter(|(read, _)| {
                segment.moments.starts_with(&read.moments) && open.new == read.moments.len()
            })
            .map(|(read, taught)| (read.moments.len(), taught))
            .unwrap_or_default();
        let said = self
            .habits
            .read_on(around.words, pooled, segment, read, taught);
        for (at, moment) in segment.moments.iter().enumerate().skip(open.new) {
            let is_last = at + 1 == segment.moments.len();
            let score = Score {
                home: segment.home,
                moment: *moment,
                score: looked.scores[at - open.new],
                threshold: looked.threshold.unwrap_or(f32::INFINITY),
                predictions: said.steps[at - read].predictions.clone(),
                detector: 0,
                predictor: self.version,
                open: true,
                next: if is_last {
                    said.next.clone()
                } else {
                    Vec::new()
                },
            };
            scores.push((around.epoch, score));
        }
        self.read = Some((Segment::clone(segment), said.contribution));
    }

    fn decide(&mut self, trial: u32) {
        if let Some((_, segments, with, without)) = self.tried
            && segments >= trial
        {
            if with > without {
                self.habits.imagine(&[]);
            }
            self.tried = None;
        }
    }
}

fn surprisal(judged: &Judged) -> f64 {
    judged.steps.iter().map(|s| f64::from(s.surprisal)).sum()
}

fn told<'a>(
    segment: &'a Segment,
    detected: &'a Detected,
    judged: &'a Judged,
    version: u32,
) -> impl Iterator<Item = Score> + 'a {
    let steps = segment.moments.iter().zip(&judged.steps).enumerate();
    steps.map(move |(i, (moment, step))| Score {
        home: segment.home,
        moment: *moment,
        score: detected.scores[i],
        threshold: detected.threshold.unwrap_or(f32::INFINITY),
        predictions: step.predictions.clone(),
        detector: 0,
        predictor: version,
        open: false,
        next: Vec::new(),
    })
}
