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

struct Model {
    live: Version,
    trial: Option<(Adjustment, Version, Vec<f64>, Vec<f64>, u32)>,
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
    let fresh = |version: &Version| Model {
        live: version.clone(),
        trial: None,
    };
    let mut models = [fresh(&first.detector), fresh(&first.predictor)];
    let tasks = [Task::Detector, Task::Predictor];
    let mut in_force = 0;
    for (&epoch, segments) in &home.segments {
        if epoch <= since {
            continue;
        }
        let known = home.answers.range(..epoch).flat_map(|(_, answers)| answers);
        for answer in known.clone().skip(in_force) {
            for (version, line) in &answer.versions {
                let model = &mut models[usize::from(line.task == Task::Predictor)];
                if line.outcome == Outcome::Promoted {
                    let shadow = std::mem::replace(&mut model.live, version.clone());
                    model.trial = Some((line.clone(), shadow, Vec::new(), Vec::new(), 0));
                }
            }
        }
        in_force = known.count();

        let versions = |model: &Model| {
            let shadow = model.trial.iter().map(|t| t.1.clone());
            std::iter::once(model.live.clone()).chain(shadow).collect()
        };
        let mut segments = segments.clone();
        segments.sort();
        let judged = judge(&ToScore {
            segments: segments.clone(),
            detectors: versions(&models[0]),
            predictors: versions(&models[1]),
        });
        for (segment, judged) in segments.iter().zip(&judged) {
            for (moment, judged) in segment.moments.iter().zip(judged) {
                let score = Score {
                    home: segment.home,
                    moment: *moment,
                    score: judged.losses[0],
                    threshold: models[0].live.threshold,
                    predictions: judged.predictions.clone(),
                    detector: models[0].live.number,
                    predictor: models[1].live.number,
                };
                scores.push((epoch, score));
                for (model, losses) in models.iter_mut().zip([&judged.losses, &judged.surprisals]) {
                    if let Some((_, _, live, shadow, _)) = &mut model.trial {
                        live.push(f64::from(losses[0]));
                        shadow.push(f64::from(losses[1]));
                    }
                }
            }
        }
        for (model, task) in models.iter_mut().zip(tasks) {
            let Some((line, shadow, live_losses, shadow_losses, seen)) = &mut model.trial else {
                continue;
            };
            *seen += segments.len() as u32;
            if *seen < trial {
                continue;
            }
            let mean = |losses: &[f64]| (losses.iter().sum::<f64>() / losses.len() as f64) as f32;
            let (after, before) = (mean(live_losses), mean(shadow_losses));
            let kept = after <= before;
            adjustments.push((
                epoch,
                Adjustment {
                    task,
                    version: model.live.number,
                    outcome: if kept {
                        Outcome::Kept
                    } else {
                        Outcome::RolledBack
                    },
                    before,
                    after,
                    evidence: String::new(),
                    ..line.clone()
                },
            ));
            if !kept {
                model.live = shadow.clone();
            }
            model.trial = None;
        }
    }
    (scores, adjustments)
}
