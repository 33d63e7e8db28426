//! A model that gives each behaviour a loss, as a scorer of sequences.

use hearth_operators::words::Sequence;

use super::Scorer;
use crate::models::{Learner, ModelError, WINDOW, mean};

/// Scores a sequence by the mean loss of its behaviours, as the authors do.
///
/// The greatest loss in place of the mean was tried on one swapped action in the paper's source data: AUROC of the same height
/// within 0.01 for each model. The mean is what is comparable between sequences of different lengths.
pub(super) struct Losses<M>(pub M);

impl<M: Learner + Send + Sync> Scorer for Losses<M> {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        if sequence.0.is_empty() {
            return Err(ModelError::Empty);
        }
        self.0.vocabulary().check(sequence)?;
        let windows: Vec<_> = sequence.windows(WINDOW).collect();
        Ok(mean(&self.0.scores(&windows)?))
    }
}
