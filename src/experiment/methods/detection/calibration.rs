//! What normal sequences score under a method that has not learnt them.

use hearth_operators::words::Sequence;

use super::{Calibrated, Detection, TrainingData};
use crate::models::ModelError;
use crate::trainer::cross_fitted;

/// Calibrates a method that counts: it learns the held-out sequences too, and each sequence is scored by counts that leave it
/// out.
pub(super) fn counted(
    method: &dyn Detection,
    data: &TrainingData,
) -> Result<Calibrated, ModelError> {
    let all: Vec<&Sequence> = data.held.iter().chain(data.train).collect();
    let learn = |sequences: &[&Sequence]| {
        let train: Vec<Sequence> = sequences.iter().map(|s| (*s).clone()).collect();
        method.fit(&TrainingData {
            train: &train,
            ..*data
        })
    };
    let (scorer, unlearnt) = cross_fitted(&all, learn, |scorer, s| scorer.score(s))?;
    Ok(Calibrated { scorer, unlearnt })
}
