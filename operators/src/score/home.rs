//! The models of one home: which versions are live, which are on trial, and what waits for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Judgement, ToScore};
use crate::words::{
    Adaptation, Adjustment, Epoch, FirstModels, Outcome, Score, Segment, Shift, ShiftKey, Task,
    Version,
};

/// A live version with its shadow, both judged on the same segments.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Trial {
    key: ShiftKey,
    shift: Shift,
    shadow: Version,
    segments: u32,
    behaviors: u64,
    live_loss: f64,
    shadow_loss: f64,
}

/// A task's live version (until the first adaptation the cohort's) and its trial.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Live {
    version: Option<Version>,
    trial: Option<Trial>,
}

impl Live {
    /// Puts a new version live, the one before as its shadow. A trial that was going on ends undecided.
    fn promote(&mut self, of: Adjustment, version: Version, base: &Version) {
        let shadow = self
            .version
            .replace(version)
            .unwrap_or_else(|| base.clone());
        self.trial = Some(Trial {
            key: of.key,
            shift: of.shift,
            shadow,
            segments: 0,
            behaviors: 0,
            live_loss: 0.0,
            shadow_loss: 0.0,
        });
    }

    fn versions(&self, base: &Version) -> Vec<Version> {
        let live = self.version.as_ref().unwrap_or(base);
        let shadow = self.trial.as_ref().map(|t| &t.shadow);
        std::iter::once(live).chain(shadow).cloned().collect()
    }

    fn observe(&mut self, losses: &[f32]) {
        if let (Some(trial), [live, shadow]) = (&mut self.trial, losses) {
            trial.behaviors += 1;
            trial.live_loss += f64::from(*live);
            trial.shadow_loss += f64::from(*shadow);
        }
    }

    /// Ends the trial once it has seen enough: the better version goes on.
    fn decide(&mut self, task: Task, segments: u32, enough: u32) -> Option<Adjustment> {
        let trial = self.trial.as_mut()?;
        trial.segments += segments;
        if trial.segments < enough || trial.behaviors == 0 {
            return None;
        }
        let trial = self.trial.take()?;
        let number = self.version.as_ref().map_or(0, |v| v.number);
        let mean = |sum: f64| (sum / trial.behaviors as f64) as f32;
        let (before, after) = (mean(trial.shadow_loss), mean(trial.live_loss));
        let better = after <= before;
        let evidence = format!(
            "mean loss of version {} and version {number} on {} behaviors in {} segments that followed",
            trial.shadow.number, trial.behaviors, trial.segments
        );
        if !better {
            self.version = Some(trial.shadow);
        }
        Some(Adjustment {
            key: trial.key,
            shift: trial.shift,
            task,
            version: number,
            outcome: if better {
                Outcome::Kept
            } else {
                Outcome::RolledBack
            },
            before,
            after,
            evidence,
        })
    }
}

/// One home's state: plain data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct HomeModels {
    detector: Live,
    predictor: Live,
    /// Regimes whose requests are not answered yet, by the requests' epoch.
    open: BTreeMap<Epoch, BTreeSet<u32>>,
    /// Answers that are not in force yet, by epoch and regime.
    arrived: BTreeMap<(Epoch, u32), Adaptation>,
    /// Segments that wait to be judged.
    waiting: BTreeMap<Epoch, Vec<Arc<Segment>>>,
    /// The batch that is being judged; no part of what is taken out, where it waits again.
    #[serde(skip)]
    judging: Option<Judging>,
}

/// By which versions a batch is being judged.
#[derive(Clone, Debug)]
struct Judging {
    detector: u32,
    predictor: u32,
    /// Of the live detector.
    threshold: f32,
}

impl HomeModels {
    /// A request went out.
    pub fn open(&mut self, epoch: Epoch, regime: u32) {
        if !self.arrived.contains_key(&(epoch, regime)) {
            self.open.entry(epoch).or_default().insert(regime);
        }
    }

    /// An answer came.
    pub fn arrive(&mut self, epoch: Epoch, adaptation: Adaptation) {
        if let Some(regimes) = self.open.get_mut(&epoch) {
            regimes.remove(&adaptation.key.regime);
            if regimes.is_empty() {
                self.open.remove(&epoch);
            }
        }
        self.arrived
            .insert((epoch, adaptation.key.regime), adaptation);
    }

    /// Queues a batch. Whether it is the home's next.
    pub fn wait(&mut self, epoch: Epoch, segments: Vec<Arc<Segment>>) -> bool {
        self.waiting.insert(epoch, segments);
        self.next() == Some(epoch)
    }

    /// The epoch to be judged next, unless one is being judged.
    pub fn next(&self) -> Option<Epoch> {
        let first = self.waiting.first_key_value().map(|(epoch, _)| *epoch);
        first.filter(|_| self.judging.is_none())
    }

    /// Whether an answer to a request of an earlier epoch is still to come.
    pub fn waits_for_answer(&self, epoch: Epoch) -> bool {
        self.open.range(..epoch).next().is_some()
    }

    /// The epochs of batches that wait.
    pub fn waiting(&self) -> impl Iterator<Item = Epoch> {
        self.waiting.keys().copied()
    }

    /// Takes a batch out for judgement.
    pub fn take(&mut self, epoch: Epoch) -> Vec<Arc<Segment>> {
        self.waiting.remove(&epoch).unwrap_or_default()
    }

    /// Puts a batch back that was not judged.
    pub fn put_back(&mut self, epoch: Epoch, segments: Vec<Arc<Segment>>) {
        self.judging = None;
        self.waiting.insert(epoch, segments);
    }

    /// Puts the answers of earlier epochs in force, and asks with the versions that are live then.
    pub fn question(
        &mut self,
        epoch: Epoch,
        segments: Vec<Arc<Segment>>,
        first: &FirstModels,
    ) -> ToScore {
        let later = self.arrived.split_off(&(epoch, 0));
        for adaptation in std::mem::replace(&mut self.arrived, later).into_values() {
            for (version, adjustment) in adaptation.versions {
                let (live, base) = match adjustment.task {
                    Task::Detector => (&mut self.detector, &first.detector),
                    Task::Predictor => (&mut self.predictor, &first.predictor),
                };
                if adjustment.outcome == Outcome::Promoted {
                    live.promote(adjustment, version, base);
                }
            }
        }
        let detectors = self.detector.versions(&first.detector);
        let predictors = self.predictor.versions(&first.predictor);
        self.judging = Some(Judging {
            detector: detectors[0].number,
            predictor: predictors[0].number,
            threshold: detectors[0].threshold,
        });
        ToScore {
            segments,
            detectors,
            predictors,
        }
    }

    /// Takes the judgement of the batch: its scores, and what it decides.
    pub fn judged(
        &mut self,
        segments: &[Arc<Segment>],
        judgement: &Judgement,
        trial: u32,
    ) -> (Vec<Score>, Vec<Adjustment>) {
        let mut scores = Vec::new();
        let Some(by) = self.judging.take() else {
            return (scores, Vec::new());
        };
        for (segment, judged) in segments.iter().zip(judgement) {
            for (moment, judged) in segment.moments.iter().zip(judged) {
                self.detector.observe(&judged.losses);
                self.predictor.observe(&judged.surprisals);
                scores.push(Score {
                    home: segment.home,
                    moment: *moment,
                    score: judged.losses.first().copied().unwrap_or(f32::NAN),
                    threshold: by.threshold,
                    predictions: judged.predictions.clone(),
                    detector: by.detector,
                    predictor: by.predictor,
                    open: false,
                    next: Vec::new(),
                });
            }
        }
        let seen = judgement.len() as u32;
        let detector = self.detector.decide(Task::Detector, seen, trial);
        let predictor = self.predictor.decide(Task::Predictor, seen, trial);
        (scores, detector.into_iter().chain(predictor).collect())
    }
}
