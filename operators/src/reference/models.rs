//! Maintained models: a home's from what is known of it, epoch by epoch, without queues, workers or waiting.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::habits::{Habits, Pooled, Vocabulary};
use crate::words::{Epoch, Score, Segment, Sequence, ShiftKey, Time};

/// What happens in a home, and what is imagined for it.
#[derive(Clone, Debug, Default)]
pub struct HomeLife {
    /// Segments that come and go, in their regimes, by epoch.
    pub updates: BTreeMap<Epoch, Vec<((ShiftKey, Arc<Segment>), i64)>>,
    /// What of the answers to requests of an epoch was retained, in order of the regimes that ended.
    pub answers: BTreeMap<Epoch, Vec<(ShiftKey, Vec<Sequence>)>>,
}

/// The scores of a home, as [`Models`](crate::models::Models) promises; `pooled`: the cohort's counts of all epochs before one.
pub fn models(
    words: &Vocabulary<'_>,
    life: &HomeLife,
    lateness: i64,
    pooled: impl Fn(Epoch) -> Pooled,
) -> Vec<(Epoch, Score)> {
    let mut scores = Vec::new();
    let mut habits = Habits::default();
    let (mut newest, mut regime, mut version) = (None::<Time>, None, 0);
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
        }
        if let Some(newest) = newest {
            habits.settle(Time(newest.0.saturating_sub(lateness)));
        }
        let all = updates.clone();
        let is_moved = |segment: &Arc<Segment>| {
            let same = all.iter().filter(|((_, s), _)| s == segment);
            same.count() > 1
        };
        let mut updates = updates.clone();
        // What goes first, then what moves between regimes, then what comes.
        updates
            .sort_by_key(|((_, segment), diff)| (*diff > 0, !is_moved(segment), segment.clone()));
        for ((key, segment), diff) in &updates {
            if *diff > 0 {
                // The newest regime begins where its first segment does.
                let began = (key.regime, std::cmp::Reverse(segment.start()));
                if regime.is_none_or(|known| began > known) {
                    if key.regime > 0 {
                        habits.shift(segment.start());
                    }
                    regime = Some(began);
                }
            }
            if is_moved(segment) {
                continue;
            }
            if *diff < 0 {
                habits.retract(words, segment);
                continue;
            }
            let judged = habits.judge(words, &pooled(*epoch), segment);
            for (moment, step) in segment.moments.iter().zip(&judged.steps) {
                let score = Score {
                    home: segment.home,
                    moment: *moment,
                    score: step.surprisal,
                    threshold: f32::INFINITY,
                    predictions: step.predictions.clone(),
                    detector: version,
                    predictor: version,
                };
                scores.push((*epoch, score));
            }
            habits.learn(words, segment, &judged);
            newest = newest.max(Some(segment.end()));
        }
    }
    scores
}
