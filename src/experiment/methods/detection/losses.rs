//! Models that give each behaviour a loss, as scorers of sequences.

use hearth_operators::words::Sequence;

use super::Scorer;
use crate::models::{Learner, ModelError, Preset, WINDOW};

/// What the losses of its behaviours say of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Their mean: the authors' way.
    Mean,
    /// The greatest: one strange behaviour is enough, however many usual ones stand around it.
    Strangest,
}

impl Pooling {
    /// The authors' with their sizes, else ours.
    pub fn of(preset: Preset) -> Self {
        match preset {
            Preset::Small => Pooling::Strangest,
            Preset::Paper => Pooling::Mean,
        }
    }

    fn pool(self, losses: &[f32]) -> f32 {
        match self {
            Pooling::Mean => losses.iter().sum::<f32>() / losses.len().max(1) as f32,
            Pooling::Strangest => losses.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        }
    }
}

/// Scores sequences by the losses of a trained model.
pub(super) struct Losses<M> {
    pub model: M,
    pub pooling: Pooling,
}

impl<M: Learner + Send + Sync> Scorer for Losses<M> {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        if sequence.0.is_empty() {
            return Err(ModelError::Empty);
        }
        self.model.vocabulary().check(sequence)?;
        let windows: Vec<_> = sequence.windows(WINDOW).collect();
        Ok(self.pooling.pool(&self.model.scores(&windows)?.concat()))
    }
}
