//! Maintained models: a home's from what is known of it, epoch by epoch, without queues, workers or waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::detect::Detected;
use crate::habits::{Context, Habits, Judged, Pooled, Vocabulary};
use crate::shift::Placed;
use crate::words::{Epoch, Score, Segment, Sequence, ShiftKey, Time};

/// What happens in a home, and what is imagined for it.
#[derive(Clone, Debug, Default)]
pub struct HomeLife {
    /// Segments that come and go, in their regimes, by epoch.
    pub updates: BTreeMap<Epoch, Vec<Placed>>,
    /// What of the answers to requests of an epoch was retained, in order of the regimes that ended.
    pub answers: BTreeMap<Epoch, Vec<(ShiftKey, Vec<Sequence>)>>,
    /// Epochs in which an erasure changed segments.
    pub erased: BTreeSet<Epoch>,
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
    let mut scores = Vec::new();
    let mut habits = Habits::default();
    let (mut newest, mut regime, mut version) = (None::<Time>, 0, 0);
    // Answers to requests of earlier epochs are in force.
    let mut heard = 0;
    // The regime that ended, segments, and their surprisal with and without what was imagined.
    let mut tried: Option<(u32, u32, f64, f64)> = None;
    for (epoch, updates) in &life.updates {
        let answered = life
            .answers
            .range(heard..*epoch)
            .flat_map(|(_, answers)| answers);
        heard = *epoch;
        if let Some((key, imagined)) = answered.last()
            && key.regime + 1 > version
        {
            version = key.regime + 1;
            habits.imagine(imagined);
            tried = (!imagined.is_empty()).then_some((key.regime, 0, 0.0, 0.0));
        }
        if life.erased.contains(epoch) {
            let (old, old_tried) = (std::mem::take(&mut habits), tried.take());
            (newest, regime) = (None, 0);
            let standing = life.standing(*epoch);
            for placed in &standing {
                if let Some(newest) = newest {
                    habits.settle(Time(newest.0.saturating_sub(lateness)));
                }
                let segment = &placed.segment;
                if placed.key.regime > regime {
                    regime = placed.key.regime;
                    let shift = placed.began.as_ref().expect("a later regime has a shift");
                    habits.shift(shift.time, Context::of(shift));
                }
                let judged = habits.judge(words, &pooled(*epoch + 1), segment);
                if let Some(detected) = detected.get(&(*epoch, segment.clone())) {
                    let told = told(segment, detected, &judged, version);
                    scores.extend(told.map(|score| (*epoch, score)));
                }
                habits.learn(words, segment, &judged);
                newest = newest.max(Some(segment.end()));
            }
            if standing.is_empty() {
                version = 0;
            } else if habits.imagine_as(&old) {
                tried = old_tried;
            }
            continue;
        }
        if let Some(newest) = newest {
            habits.settle(Time(newest.0.saturating_sub(lateness)));
        }
        for (update, is_moved) in in_turn(updates) {
            let segment = &update.segment;
            if update.diff > 0 && update.key.regime > regime {
                regime = update.key.regime;
                let shift = update.began.as_ref().expect("a later regime has a shift");
                habits.shift(shift.time, Context::of(shift));
            }
            if is_moved {
                continue;
            }
            if update.diff < 0 {
                assert!(habits.retract(words, segment), "what goes is not final");
                continue;
            }
            let judged = habits.judge(words, &pooled(*epoch), segment);
            let detected = &detected[&(*epoch, segment.clone())];
            let told = told(segment, detected, &judged, version);
            scores.extend(told.map(|score| (*epoch, score)));
            if let Some((ended, segments, with, without)) = &mut tried
                && update.key.regime > *ended
            {
                let plain = habits.judge_unimagined(words, &pooled(*epoch), segment);
                *segments += 1;
                *with += surprisal(&judged);
                *without += surprisal(&plain);
            }
            habits.learn(words, segment, &judged);
            newest = newest.max(Some(segment.end()));
        }
        if let Some((_, segments, with, without)) = tried
            && segments >= trial
        {
            if with > without {
                habits.imagine(&[]);
            }
            tried = None;
        }
    }
    scores
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
