//! Adaptations: what becomes of model versions.

use std::borrow::Cow;

use hearth_operators::words::{Adjustment, Epoch, Outcome, Task};
use serde::{Deserialize, Serialize};

use super::parts::{ShiftLine, shift_line};
use super::{Names, Record, Stream, Tally};

/// `adaptations.jsonl`: what became of a model version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdaptationLine<'a> {
    /// See [the module](super).
    pub epoch: u64,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// The shift that caused it.
    #[serde(borrow)]
    pub shift: ShiftLine<'a>,
    /// `detector` (anomaly detection) or `predictor` (behaviour prediction).
    #[serde(borrow)]
    pub task: Cow<'a, str>,
    /// The kind of model: `habits` where models are maintained, else `autoencoder` or `sasrec`.
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    /// The version that this is about: 0 is the cohort's.
    pub version: u32,
    /// `promoted`, `kept` or `rolled_back`.
    #[serde(borrow)]
    pub event: Cow<'a, str>,
    /// Mean loss of the version before.
    pub before: Option<f32>,
    /// Mean loss of this version, on the same data.
    pub after: Option<f32>,
    /// What was compared.
    #[serde(borrow)]
    pub evidence: Cow<'a, str>,
}

impl Record for Adjustment {
    const STREAM: Stream = Stream::Adaptations;

    fn line(&self, epoch: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let model = names.model(self.task);
        let task = match self.task {
            Task::Detector => "detector",
            Task::Predictor => "predictor",
        };
        let event = match self.outcome {
            Outcome::Promoted => "promoted",
            Outcome::Kept => "kept",
            Outcome::RolledBack => "rolled_back",
        };
        let value = AdaptationLine {
            epoch,
            home: Cow::Borrowed(&names.home(self.key.home)),
            shift: shift_line(&self.shift),
            task: task.into(),
            model: model.into(),
            version: self.version,
            event: event.into(),
            before: Some(self.before),
            after: Some(self.after),
            evidence: Cow::Borrowed(&self.evidence),
        };
        serde_json::to_writer(line, &value)
    }

    fn count(&self, tally: &mut Tally) {
        tally.answered(self.key);
        match self.outcome {
            Outcome::Promoted => {
                tally.adapted(self.key.home);
                tally.counts.promoted += 1;
            }
            Outcome::Kept => tally.counts.kept += 1,
            Outcome::RolledBack => tally.counts.rolled_back += 1,
        }
    }
}
