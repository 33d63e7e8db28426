//! Scoring, one home and one epoch after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::score::{Judged, ToScore};
use crate::words::{
    Adaptation, Adjustment, Epoch, Foundation, Outcome, Score, Segment, Task, Version,
};

/// What concerns one home.
#[derive(Clone, Debug, Default)]
pub struct HomeHistory {
    /// Segments that came, by epoch.
    pub segments: BTreeMap<Epoch, Vec<Arc<Segment>>>,
    /// Answers to its requests, by the requests' epoch and then regime.
    pub answers: BTreeMap<Epoch, Vec<Adaptation>>,
}

/// A model's version that is live, and what is tried.
struct Model {
    task: Task,
    live: Version,
    trial: Option<Trial>,
}

/// A live version's trial against the one before it.
struct Trial {
    line: Adjustment,
    shadow: Version,
    losses: Vec<f64>,
    shadow_losses: Vec<f64>,
    segments: u32,
}

impl Model {
    fn new(task: Task, version: &Version) -> Self {
        Model {
            task,
            live: version.clone(),
            trial: None,
        }
    }

    /// The live version, and its shadow behind it.
    fn versions(&self) -> Vec<Version> {
        let shadow = self.trial.iter().map(|trial| trial.shadow.clone());
        std::iter::once(self.live.clone()).chain(shadow).collect()
    }

    /// Takes in what a shift's adaptation made.
    fn adapt(&mut self, version: &Version, line: &Adjustment) {
        if line.outcome == Outcome::Promoted {
            let shadow = std::mem::replace(&mut self.live, version.clone());
            self.trial = Some(Trial {
                line: line.clone(),
                shadow,
                losses: Vec::new(),
                shadow_losses: Vec::new(),
                segments: 0,
            });
        }
    }

    /// Takes in the losses of a behaviour.
    fn lose<L: Copy + Into<f64>>(&mut self, losses: &[L]) {
        if let Some(trial) = &mut self.trial {
            trial.losses.push(losses[0].into());
            trial.shadow_losses.push(losses[1].into());
        }
    }

    /// Ends the trial once it has seen enough segments, these being the latest.
    fn end_trial(&mut self, segments: u32, enough: u32) -> Option<Adjustment> {
        let trial = self.trial.as_mut()?;
        trial.segments += segments;
        if trial.segments < enough {
            return None;
        }
        let trial = self.trial.take()?;
        let mean = |losses: &[f64]| (losses.iter().sum::<f64>() / losses.len() as f64) as f32;
        let (after, before) = (mean(&trial.losses), mean(&trial.shadow_losses));
        let version = self.live.number;
        let outcome = if after <= before {
            Outcome::Kept
        } else {
            self.live = trial.shadow;
            Outcome::RolledBack
        };
        Some(Adjustment {
            task: self.task,
            version,
            outcome,
            before,
            after,
            evidence: String::new(),
            ..trial.line
        })
    }
}

/// Scores a home's segments of each epoch by the versions that follow from its requests of earlier epochs, as
/// [`Scoring`](crate::score::Scoring) promises.
pub fn score(
    home: &HomeHistory,
    foundation: Option<(Epoch, &Foundation)>,
    judge: impl Fn(&ToScore) -> Vec<Vec<Judged>>,
    trial: u32,
) -> (Vec<(Epoch, Score)>, Vec<(Epoch, Adjustment)>) {
    let (mut scores, mut adjustments) = (Vec::new(), Vec::new());
    let first = foundation.map(|(since, foundation)| (since, foundation.models.as_ref()));
    let Some((since, Some(first))) = first else {
        return (scores, adjustments);
    };
    let mut detector = Model::new(Task::Detector, &first.detector);
    let mut predictor = Model::new(Task::Predictor, &first.predictor);
    let mut in_force = 0;
    for (&epoch, segments) in home.segments.range(since + 1..) {
        let known = home.answers.range(..epoch).flat_map(|(_, answers)| answers);
        let adapted = known.clone().skip(in_force);
        for (version, line) in adapted.flat_map(|answer| &answer.versions) {
            match line.task {
                Task::Detector => detector.adapt(version, line),
                Task::Predictor => predictor.adapt(version, line),
            }
        }
        in_force = known.count();

        let mut segments = segments.clone();
        segments.sort();
        let judged = judge(&ToScore {
            segments: segments.clone(),
            detectors: detector.versions(),
            predictors: predictor.versions(),
        });
        for (segment, judged) in segments.iter().zip(&judged) {
            for (moment, judged) in segment.moments.iter().zip(judged) {
                let score = Score {
                    home: segment.home,
                    moment: *moment,
                    score: judged.losses[0],
                    threshold: detector.live.threshold,
                    predictions: judged.predictions.clone(),
                    detector: detector.live.number,
                    predictor: predictor.live.number,
                    open: false,
                    next: Vec::new(),
                };
                scores.push((epoch, score));
                detector.lose(&judged.losses);
                predictor.lose(&judged.surprisals);
            }
        }
        for model in [&mut detector, &mut predictor] {
            let ended = model.end_trial(segments.len() as u32, trial);
            adjustments.extend(ended.map(|line| (epoch, line)));
        }
    }
    (scores, adjustments)
}
