//! Models as the dataflow sees them: opaque weights with a version. What is in them is the business of those who train.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ActionId, CohortId, HomeId, Moment, Shift, ShiftKey};

/// A trained model's parameters (safetensors), opaque here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights(pub Arc<Vec<u8>>);

/// A segment's embedding, of length d.
pub type Embedding = Arc<Vec<f32>>;

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// AD: scores each behaviour of a segment.
    Detector,
    /// BP: predicts each behaviour's action from those before it.
    Predictor,
}

/// A model of a home for a task. Version 0 is the cohort's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// 0 for the cohort's model, then one more than the regime whose end it answers.
    pub number: u32,
    /// Its parameters.
    pub weights: Weights,
    /// Detector: a score at or above this is an anomaly. Predictor: unused, 0.
    pub threshold: f32,
}

/// What a cohort's homes start from, trained on the warm-up data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Foundation {
    /// Whose homes.
    pub cohort: CohortId,
    /// The encoder of compression (SSC).
    pub encoder: Weights,
    /// Version 0 of every home's models, where those are trained.
    pub models: Option<FirstModels>,
    /// How its homes go about their days, counted, in order; empty where nobody counts.
    pub counts: Vec<Count>,
}

/// How often an outcome came in a context, opaque here. What the numbers stand for is the business of those who count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Count {
    /// Where.
    pub context: u64,
    /// What.
    pub outcome: u16,
    /// How often.
    pub times: u32,
}

/// Version 0 of the models of a cohort's homes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstModels {
    /// The detector.
    pub detector: Version,
    /// The predictor.
    pub predictor: Version,
}

/// When what happens is scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scores {
    /// Once its segment can only change by what comes late, by what follows from its own home's requests of earlier epochs: a replay is
    /// deterministic.
    #[default]
    Aligned,
    /// At once, by what is known then, and again once its segment can only change by what comes late: nobody waits for an answer.
    Eager,
}

/// What becomes of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It went live; the one before stays as its shadow.
    Promoted,
    /// It was better than its shadow on the real events that followed, or nothing new was trained.
    Kept,
    /// Its shadow was better and is live again.
    RolledBack,
}

/// A line of `adaptations`: what became of a version, with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adjustment {
    /// The home and the regime whose end caused it.
    pub key: ShiftKey,
    /// The shift that ended it.
    pub shift: Shift,
    /// Which model.
    pub task: Task,
    /// The version that this is about.
    pub version: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// Mean loss of the version before, on the data that `evidence` names.
    pub before: f32,
    /// Mean loss of this version, on the same.
    pub after: f32,
    /// What was compared.
    pub evidence: String,
}

/// New versions of a home's models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adaptation {
    /// The home and the regime whose end caused it.
    pub key: ShiftKey,
    /// Each new version with the line that announces it.
    pub versions: Vec<(Version, Adjustment)>,
}

/// What the live models of a home say of one behaviour of a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The home.
    pub home: HomeId,
    /// The behaviour.
    pub moment: Moment,
    /// The detector's loss on it: higher is stranger.
    pub score: f32,
    /// At or above this it is an anomaly.
    pub threshold: f32,
    /// The predictor's most probable actions at this place, seen what came before in the segment, best first.
    pub predictions: Vec<(ActionId, f32)>,
    /// Version of the detector that was live.
    pub detector: u32,
    /// Version of the predictor that was live.
    pub predictor: u32,
    /// Whether its segment is open: once that is closed, it is scored again.
    pub open: bool,
    /// The most probable actions after it, best first; of an open segment's last behaviour alone.
    pub next: Vec<(ActionId, f32)>,
}

impl Score {
    /// Whether the behaviour is called an anomaly.
    pub fn anomaly(&self) -> bool {
        self.score >= self.threshold
    }
}
