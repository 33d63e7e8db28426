//! A detector and its threshold.

use hearth_operators::words::{Catalog, Sequence, Version};

use super::held_out::{TrainingSplit, cross_fitted};
use super::learning::autoencoder;
use super::settings::{Purpose, Settings};
use crate::models::{Detector, Habits, ModelError, mean, quantile};

/// A detector's threshold is this quantile of the losses of held-out behaviours: one normal behaviour in a hundred is
/// called an anomaly.
const THRESHOLD: f32 = 0.99;

/// A detector from scratch, and the mean loss of the held-out behaviours. Those give a network its threshold; habits, counted in
/// no time, get theirs from all sequences, [cross-fitted](super::held_out::cross_fitted).
pub(super) fn detector(
    catalog: &Catalog,
    number: u32,
    parts: &TrainingSplit,
    settings: &Settings,
) -> Result<(Version, f32), ModelError> {
    let preset = settings.preset;
    let (model, unlearnt) = if preset.counts() {
        let counted =
            |sequences: &[&Sequence]| Habits::learn(catalog, sequences).map(Detector::counted);
        let all = [&parts.held[..], &parts.train].concat();
        cross_fitted(&all, counted, Detector::losses)?
    } else {
        let shape = preset.detector();
        let network = autoencoder(catalog, shape, Purpose::Detector, parts, settings)?;
        let model = Detector::of(network);
        let held = behavior_losses(&model, &parts.held)?;
        (model, held)
    };
    let version = Version {
        number,
        weights: model.weights()?,
        threshold: quantile(&unlearnt.concat(), THRESHOLD),
    };
    Ok((version, mean(&unlearnt[..parts.held.len()])))
}

/// The losses of all behaviours of some sequences.
pub(super) fn behavior_losses(
    model: &Detector,
    sequences: &[&Sequence],
) -> Result<Vec<Vec<f32>>, ModelError> {
    sequences.iter().map(|s| model.losses(s)).collect()
}
