//! Which sequences a model learns, and which it is judged by.

use std::ops::RangeInclusive;

use hearth_operators::words::Sequence;
use rand::seq::SliceRandom;

use crate::models::{ModelError, generator};

/// Fewer sequences than this are not split: a home of fewer in its new context is not trained for, and one of fewer in its source
/// says nothing of how far its predictor's network is to be believed.
pub(super) const MIN_SEQUENCES: usize = 5;

/// In how many parts [`cross_fitted`] cuts sequences. The more parts, the more each model knows; where there is much to count, a
/// fifth less makes no difference.
const FOLDS: RangeInclusive<usize> = 5..=20;

/// Sequences that the models of [`cross_fitted`] count in all, about: more sequences are cut into fewer parts.
const MAX_COUNTED: usize = 4000;

/// Sequences to train on and sequences to judge by.
pub(crate) struct TrainingSplit<'a> {
    pub train: Vec<&'a Sequence>,
    pub held: Vec<&'a Sequence>,
}

/// Draws a fifth, rounded up, to be held out. A single sequence must serve as both.
pub(crate) fn split(mut sequences: Vec<&Sequence>, seed: u64) -> TrainingSplit<'_> {
    sequences.shuffle(&mut generator(seed, 0));
    let held = sequences.split_off(sequences.len() - sequences.len().div_ceil(5));
    let train = if sequences.is_empty() {
        held.clone()
    } else {
        sequences
    };
    TrainingSplit { train, held }
}

/// A model of all sequences (or of what holds them), and what is made of each, in their order, by a model of the others: of all
/// but one part of [`FOLDS`].
///
/// So a threshold rests on all sequences, and nothing is held back from the model; for models that are cheap to learn. A held-out
/// fifth says too little: of thirty sequences, two decide where the 95th percentile lies.
pub(crate) fn cross_fitted<S: Copy, M, T>(
    sequences: &[S],
    learn: impl Fn(&[S]) -> Result<M, ModelError>,
    judge: impl Fn(&M, S) -> Result<T, ModelError>,
) -> Result<(M, Vec<T>), ModelError> {
    let folds = (MAX_COUNTED / sequences.len().max(1)).clamp(*FOLDS.start(), *FOLDS.end());
    let folds = folds.min(sequences.len()).max(1);
    let models = (0..folds).map(|fold| {
        let others = sequences
            .iter()
            .enumerate()
            .filter(|(at, _)| at % folds != fold);
        let others: Vec<S> = others.map(|(_, s)| *s).collect();
        // One sequence alone must serve as both.
        learn(if others.is_empty() {
            sequences
        } else {
            &others
        })
    });
    let models: Vec<M> = models.collect::<Result<_, _>>()?;
    let judged = sequences.iter().zip(models.iter().cycle());
    let unlearnt = judged
        .map(|(s, model)| judge(model, *s))
        .collect::<Result<_, _>>()?;
    Ok((learn(sequences)?, unlearnt))
}
