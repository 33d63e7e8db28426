//! A predictor: a network, counts, and the weight of each.

use hearth_operators::words::{Catalog, Sequence, Weights};

use super::held_out::{MIN_SEQUENCES, TrainingSplit, split};
use super::learning::learn;
use super::settings::{Purpose, Settings};
use crate::models::{Mixture, ModelError, Ngram, SasRec, generator, mean};

/// A predictor from scratch: the network learns what there is to train on, then the held-out sequences say how far it is
/// to be believed beside the counts, and then they are counted too.
pub(crate) fn predictor(
    catalog: &Catalog,
    parts: &TrainingSplit,
    settings: &Settings,
) -> Result<Mixture, ModelError> {
    let preset = settings.preset;
    let shape = preset.predictor();
    let seed = settings.seed_for(Purpose::Predictor);
    let network = SasRec::fresh(catalog, shape, &mut generator(seed, 0))?;
    let plan = preset.predictor_plan();
    learn(&network, &parts.train, shape.window, &plan, seed)?;
    let count = |sequences: &[&Sequence]| Ngram::learn(catalog.actions(), sequences, false);
    let mut mixture = Mixture::new(network, count(&parts.train), [0.5; 2]);
    mixture.weigh(&parts.held)?;
    let (network, _, share) = mixture.into_parts();
    let all = [&parts.train[..], &parts.held].concat();
    Ok(Mixture::new(network, count(&all), share))
}

/// A predictor for a home's new context, and the mean loss of the held-out behaviours before they were counted too.
///
/// The network, the cohort's or in the preset `paper` a new one, learns what there is to train on, the source included; the home's
/// counts lie over the cohort's. `known` is the cohort's predictor, read from the `weights`.
pub(super) fn adapted(
    catalog: &Catalog,
    (known, weights): (Mixture, &Weights),
    parts: &TrainingSplit,
    source: &[&Sequence],
    settings: &Settings,
) -> Result<(Mixture, f32), ModelError> {
    let preset = settings.preset;
    let shape = preset.predictor();
    let seed = settings.seed_for(Purpose::Predictor);
    let (cohorts, share) = network_share(known, source, settings)?;
    let network = if preset.warm() {
        Mixture::stored(catalog, shape, weights, true)?
            .into_parts()
            .0
    } else {
        SasRec::fresh(catalog, shape, &mut generator(seed, 0))?
    };
    let plan = preset.predictor_adaptation();
    learn(&network, &parts.train, shape.window, &plan, seed)?;
    let model = Mixture::new(network, cohorts.over(&parts.train), share);
    let loss = mean(&model.losses(&parts.held)?);
    // Judged, it may count what judged it.
    let all = [&parts.train[..], &parts.held].concat();
    let model = Mixture::new(model.into_parts().0, cohorts.over(&all), share);
    Ok((model, loss))
}

/// The cohort's counts, and the share of a network beside a home's own counts: a fifth of the source is held out to
/// say it, with the cohort's network. Synthetic sequences cannot say it, for they are made of the source and so of what is
/// counted. The adapted network is better than the cohort's, if anything, so it is not believed too much.
fn network_share(
    cohort: Mixture,
    source: &[&Sequence],
    settings: &Settings,
) -> Result<(Ngram, [f32; 2]), ModelError> {
    let (network, counts, share) = cohort.into_parts();
    if source.len() < MIN_SEQUENCES {
        return Ok((counts, share));
    }
    let parts = split(source.to_vec(), settings.seed_for(Purpose::Split));
    let mut trial = Mixture::new(network, counts.over(&parts.train), share);
    trial.weigh(&parts.held)?;
    let (_, _, share) = trial.into_parts();
    Ok((counts, share))
}
