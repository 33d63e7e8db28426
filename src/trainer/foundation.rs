//! A cohort's first models.

use hearth_operators::words::{
    Catalog, CohortId, Count, FirstModels, Foundation, Sequence, Version,
};

use super::detector::detector;
use super::held_out::{TrainingSplit, split};
use super::learning::autoencoder;
use super::predictor::predictor;
use super::settings::{Purpose, Settings};
use crate::models::{Conduct, ConductReader, Learner, ModelError, Preset};

/// Warm-up sequences beyond this many are sampled: a cohort's models are a start, and work must be bounded.
const MAX_WARM_UP: usize = 4096;

/// Trains the models that a cohort's homes start from, on sequences of any of its homes; in preset `small` counts them too, for the
/// filter.
///
/// Only the `paper` preset trains a detector and a predictor: otherwise these are maintained in the dataflow, and the encoder is all.
/// The detector's threshold is the 99th percentile of the losses of behaviours that it has not learnt: of a fifth of the sequences,
/// drawn and held out, or of all of them in turn where it is counted. Of more than 4096 sequences as many are drawn.
///
/// # Errors
/// There is no behaviour to train on, or one is not of this catalog.
pub fn foundation(
    catalog: &Catalog,
    warm_up: &[Sequence],
    settings: &Settings,
) -> Result<Foundation, ModelError> {
    let preset = settings.preset;
    let known = warm_up.iter().filter(|s| !s.0.is_empty()).collect();
    let mut parts = split(known, settings.seed_for(Purpose::Split));
    if parts.train.is_empty() {
        return Err(ModelError::NoData);
    }
    parts.train.truncate(MAX_WARM_UP / 5 * 4);
    parts.held.truncate(MAX_WARM_UP / 5);
    let encoder = autoencoder(
        catalog,
        preset.encoder(),
        Purpose::Encoder,
        &parts,
        settings,
    )?;
    let encoder = encoder.parameters().weights()?;
    let models = match preset {
        Preset::Small => None,
        Preset::Paper => Some(first_models(catalog, &parts, settings)?),
    };
    let counts = match preset.counts() {
        true => counts(catalog, parts.train.iter().chain(&parts.held))?,
        false => Vec::new(),
    };
    Ok(Foundation {
        cohort: CohortId::default(),
        encoder,
        counts,
        models,
    })
}

/// Version 0 of the models of a cohort's homes, where those are trained.
pub(super) fn first_models(
    catalog: &Catalog,
    parts: &TrainingSplit,
    settings: &Settings,
) -> Result<FirstModels, ModelError> {
    Ok(FirstModels {
        detector: detector(catalog, 0, parts, settings)?.0,
        predictor: Version {
            number: 0,
            weights: predictor(catalog, parts, settings)?.weights()?,
            threshold: 0.0,
        },
    })
}

/// How the homes go about their days.
fn counts<'a>(
    catalog: &Catalog,
    sequences: impl Iterator<Item = &'a &'a Sequence>,
) -> Result<Vec<Count>, ModelError> {
    let reader = ConductReader::new(catalog);
    let mut conduct = Conduct::default();
    for sequence in sequences {
        conduct.learn(&reader.read(sequence)?);
    }
    Ok(conduct.counts())
}
