//! Hearth's stages: what is the loss of a candidate under models that have not seen it?
//!
//! Stage 1 asks that of each candidate among the others, stage 2 of an outlier among the inliers.
//!
//! By first order, what learning an outlier does to the inliers' loss is what learning the inliers does to the outlier's:
//! the product of the two gradients (Koh and Liang, *Understanding Black-box Predictions via Influence Functions*, 2017).
//! But all inliers move one sequence far more than one sequence moves them, so asked this way round the answer stands
//! out of the training's noise.

use std::collections::{BTreeMap, BTreeSet};

use hearth_operators::words::Sequence;
use rand::seq::SliceRandom;

use super::losses::{Evidence, Start, fence, sequence_losses};
use crate::models::{Autoencoder, ModelError, generator, quantile};
use crate::trainer::Purpose;

/// In how many parts sequences are cut; each is held out from one model.
const PARTS: usize = 5;
/// The quantile of the held-out inliers' losses that an outlier may still have.
const HARMLESS: f32 = 0.95;

/// Stage 1: the loss of each sequence, and the bound above which it is an outlier.
pub(super) fn losses(start: &Start, all: &[&Sequence]) -> Result<(Vec<f32>, f32), ModelError> {
    let mut found = BTreeMap::new();
    let mut guess = 0.0;
    each_without(start, all, Purpose::Filter, |model, held| {
        guess = model.guess();
        found.extend(held.iter().copied().zip(sequence_losses(model, held)?));
        Ok(())
    })?;
    let found: Vec<f32> = all.iter().filter_map(|s| found.get(s).copied()).collect();
    let fence = fence(&found);
    let bound = if quantile(&found, 0.5) < guess {
        fence.min(guess)
    } else {
        fence
    };
    Ok((found, bound))
}

/// Stage 2: compares each outlier's loss with what guessing costs and with the losses of held-out inliers.
pub(super) fn judge(
    start: &Start,
    inliers: &[&Sequence],
    outliers: &mut BTreeMap<&Sequence, Evidence>,
) -> Result<(), ModelError> {
    let asked: Vec<&Sequence> = outliers.keys().copied().collect();
    let mut harmless = Vec::with_capacity(inliers.len());
    let mut found = Vec::with_capacity(PARTS);
    let mut guess = 0.0;
    each_without(start, inliers, Purpose::Trial, |model, held| {
        guess = model.guess();
        harmless.extend(sequence_losses(model, held)?);
        found.push(sequence_losses(model, &asked)?);
        Ok(())
    })?;
    let baseline = quantile(&harmless, HARMLESS).max(guess);
    for (place, evidence) in outliers.values_mut().enumerate() {
        let losses: Vec<f32> = found.iter().map(|losses| losses[place]).collect();
        *evidence = Evidence {
            baseline,
            trial: lower_bound(&losses),
        };
    }
    Ok(())
}

/// Trains a model without each part of the sequences in turn, and hands over both. Equal sequences are in one part.
fn each_without<'a>(
    start: &Start,
    sequences: &[&'a Sequence],
    purpose: Purpose,
    mut ask: impl FnMut(&Autoencoder, &[&'a Sequence]) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    let settings = start.settings;
    // Sorted, so that the parts do not depend on the candidates' order.
    let distinct: BTreeSet<&Sequence> = sequences.iter().copied().collect();
    let mut places: Vec<usize> = (0..distinct.len()).collect();
    places.shuffle(&mut generator(settings.seed_for(Purpose::Split), 0));
    let part: BTreeMap<&Sequence, usize> = distinct
        .into_iter()
        .zip(places.into_iter().map(|place| place % PARTS))
        .collect();
    let mut sorted = sequences.to_vec();
    sorted.sort_unstable();
    for out in 0..PARTS {
        let of = |s: &&Sequence| part.get(*s) == Some(&out);
        let (held, train): (Vec<_>, Vec<_>) = sorted.iter().copied().partition(of);
        let seed = settings.seed_for(purpose).wrapping_add(out as u64);
        ask(&start.learnt(&train, seed)?, &held)?;
    }
    Ok(())
}

/// The mean less two standard errors.
fn lower_bound(losses: &[f32]) -> f32 {
    let count = losses.len() as f32;
    let mean = losses.iter().sum::<f32>() / count;
    let square: f32 = losses.iter().map(|loss| (loss - mean).powi(2)).sum();
    mean - 2.0 * (square / (count * (count - 1.0))).sqrt()
}
