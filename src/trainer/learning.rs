//! Training of networks on sequences.

use hearth_operators::words::{Catalog, Sequence};

use super::held_out::TrainingSplit;
use super::settings::{Purpose, Settings};
use crate::models::{
    Autoencoder, AutoencoderShape, Learner, ModelError, Plan, WINDOW, fit, generator, windows,
};

/// Trains a model on sequences, read in windows of at most `length`.
pub(crate) fn learn(
    model: &impl Learner,
    sequences: &[&Sequence],
    length: usize,
    plan: &Plan,
    seed: u64,
) -> Result<(), ModelError> {
    check(model, sequences)?;
    let windows = windows(sequences.iter().copied(), length);
    fit(model, &windows, &[], plan, seed)
}

/// The losses of all behaviours of some sequences, by window.
pub(crate) fn losses(
    model: &impl Learner,
    sequences: &[&Sequence],
    length: usize,
) -> Result<Vec<Vec<f32>>, ModelError> {
    check(model, sequences)?;
    model.scores(&windows(sequences.iter().copied(), length))
}

/// An autoencoder of some shape from scratch.
pub(super) fn autoencoder(
    catalog: &Catalog,
    shape: AutoencoderShape,
    purpose: Purpose,
    parts: &TrainingSplit,
    settings: &Settings,
) -> Result<Autoencoder, ModelError> {
    let seed = settings.seed_for(purpose);
    let model = Autoencoder::fresh(catalog, shape, &mut generator(seed, 0))?;
    let plan = settings.preset.detector_plan();
    learn(&model, &parts.train, WINDOW, &plan, seed)?;
    Ok(model)
}

fn check(model: &impl Learner, sequences: &[&Sequence]) -> Result<(), ModelError> {
    let vocabulary = model.vocabulary();
    sequences.iter().try_for_each(|s| vocabulary.check(s))
}
