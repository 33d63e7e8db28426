//! Maintained models: a home's from what is known of it, epoch by epoch, without queues, workers or waiting.

use std::collections::BTreeMap;
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
    // The regime that ended, segments, and their surprisal with and without what was imagined.
    let mut tried: Option<(u32, u32, f64, f64)> = None;
    for (epoch, updates) in &life.updates {
        let answered = life
            .answers
            .range(..*epoch)
            .flat_map(|(_, answers)| answers);
        if let Some((key, imagined)) = answered.last()
            && key.regime + 1 > version
        {
            version = key.regime + 1;
            habits.imagine(imagined);
            tried = (!imagined.is_empty()).then_some((key.regime, 0, 0.0, 0.0));
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
            for (i, (moment, step)) in segment.moments.iter().zip(&judged.steps).enumerate() {
                let score = Score {
                    home: segment.home,
                    moment: *moment,
                    score: detected.scores[i],
                    threshold: detected.threshold.unwrap_or(f32::INFINITY),
                    predictions: step.predictions.clone(),
                    detector: 0,
                    predictor: version,
                };
                scores.push((*epoch, score));
            }
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
