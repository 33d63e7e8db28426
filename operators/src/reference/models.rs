//! Maintained models: a home's from what is known of it, epoch by epoch, without queues, workers or waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::detect::Detected;
use crate::habits::{Context, Habits, Judged, Pooled, Vocabulary};
use crate::shift::Placed;
use crate::words::{Epoch, Open, Score, Segment, Sequence, ShiftKey, Time};

/// What happens in a home, and what is imagined for it.
#[derive(Clone, Debug, Default)]
pub struct HomeLife {
    /// Segments that come and go, in their regimes, by epoch.
    pub updates: BTreeMap<Epoch, Vec<Placed>>,
    /// What of the answers to requests of an epoch was retained, in order of the regimes that ended.
    pub answers: BTreeMap<Epoch, Vec<(ShiftKey, Vec<Sequence>)>>,
    /// Epochs in which an erasure changed segments.
    pub erased: BTreeSet<Epoch>,
    /// The open segment, in epochs in which it changed or `erased`, where what happens is scored at once.
    pub open: BTreeMap<Epoch, Open>,
}

impl HomeLife {
    /// The segments that stand after an epoch, in order.
    pub(super) fn standing(&self, epoch: Epoch) -> Vec<Placed> {
        let past = self.updates.range(..=epoch).flat_map(|(_, u)| u);
        let mut sums: BTreeMap<(&Arc<Segment>, ShiftKey), (i64, &Placed)> = BTreeMap::new();
        for placed in past {
            let sum = sums.entry((&placed.segment, placed.key));
            sum.or_insert((0, placed)).0 += placed.diff;
        }
        let stand = sums.into_values().filter(|(sum, _)| *sum > 0);
        stand.map(|(_, placed)| placed.clone()).collect()
    }
}

/// An epoch's updates of a home in the order in which they take effect: what goes, what moves between regimes (true), what comes.
pub(super) fn in_turn(updates: &[Placed]) -> Vec<(&Placed, bool)> {
    let is_moved = |placed: &Placed| {
        let same = updates
            .iter()
            .filter(|other| other.segment == placed.segment);
        same.count() > 1
    };
    let mut all: Vec<_> = updates.iter().map(|p| (p, is_moved(p))).collect();
    all.sort_by_key(|(p, is_moved)| (p.diff > 0, !is_moved, &p.segment));
    all
}

/// The scores of a home, as [`Models`](crate::models::Models) promises; `pooled`: the cohort's counts of all epochs before
/// one; `detected`: what the detector said in an epoch; `trial`: after how many segments
/// what was imagined is kept or dropped.
pub fn models(
    words: &Vocabulary<'_>,
    life: &HomeLife,
    (lateness, trial): (i64, u32),
    pooled: impl Fn(Epoch) -> Pooled,
    detected: &BTreeMap<(Epoch, Arc<Segment>), Detected>,
) -> Vec<(Epoch, Score)> {
    let mut home = Home::default();
    let mut scores = Vec::new();
    // Answers to requests of earlier epochs are in force.
    let mut heard = 0;
    for epoch in life.updates.keys() {
        let around = Around {
            words,
            life,
            lateness,
            epoch: *epoch,
            detected,
        };
        let answered = life
            .answers
            .range(heard..*epoch)
            .flat_map(|(_, answers)| answers);
        heard = *epoch;
        if let Some((key, imagined)) = answered.last() {
            home.hear(key, imagined);
        }
        if life.erased.contains(epoch) {
            home.anew(&around, &pooled(*epoch + 1), &mut scores);
        } else {
            home.update(&around, &pooled(*epoch), &mut scores);
            home.decide(trial);
        }
    }
    scores
}

#[derive(Default)]
struct Home {
    habits: Habits,
    newest: Option<Time>,
    regime: u32,
    version: u32,
    /// The regime that ended, segments, and their surprisal with and without what was imagined.
    tried: Option<(u32, u32, f64, f64)>,
}

struct Around<'a> {
    words: &'a Vocabulary<'a>,
    life: &'a HomeLife,
    lateness: i64,
    epoch: Epoch,
    detected: &'a BTreeMap<(Epoch, Arc<Segment>), Detected>,
}

impl Home {
    fn hear(&mut self, key: &ShiftKey, imagined: &[Sequence]) {
        if key.regime + 1 > self.version {
            self.version = key.regime + 1;
            self.habits.imagine(imagined);
            self.tried = (!imagined.is_empty()).then_some((key.regime, 0, 0.0, 0.0));
        }
    }

    fn settle(&mut self, lateness: i64) {
        if let Some(newest) = self.newest {
            self.habits.settle(Time(newest.0.saturating_sub(lateness)));
        }
    }

    fn began(&mut self, placed: &Placed) {
        if placed.key.regime > self.regime {
            self.regime = placed.key.regime;
            let shift = placed.began.as_ref().expect("a later regime has a shift");
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
    })
}
