//! Hearth's stage 2: how strange is an outlier to models that know the inliers alone?
//!
//! By first order, what learning an outlier does to the inliers' loss is what learning the inliers does to the outlier's:
//! the product of the two gradients (Koh and Liang, *Understanding Black-box Predictions via Influence Functions*, 2017).
//! But all inliers move one sequence far more than one sequence moves them, so asked this way round the answer stands
//! out of the training's noise.

use std::collections::BTreeMap;

use hearth_operators::words::Sequence;
use rand::seq::SliceRandom;

use super::{Evidence, Start, strangeness};
use crate::models::{ModelError, generator, quantile};
use crate::trainer::Purpose;

/// In how many parts the inliers are cut; each is held out from one model.
const PARTS: usize = 5;
/// The share of held-out inliers that are less strange than what may still be retained.
const HARMLESS: f32 = 0.95;

/// Compares each outlier's loss with what guessing costs and with the losses of held-out inliers.
pub(super) fn judge(
    start: &Start,
    mut inliers: Vec<&Sequence>,
    outliers: &mut BTreeMap<&Sequence, Evidence>,
) -> Result<(), ModelError> {
    let settings = start.settings;
    // Sorted first, so that the parts do not depend on the candidates' order.
    inliers.sort_unstable();
    inliers.shuffle(&mut generator(settings.seed_for(Purpose::Split), 0));
    let asked: Vec<&Sequence> = outliers.keys().copied().collect();
    let mut harmless = Vec::with_capacity(inliers.len());
    let mut found = Vec::with_capacity(PARTS);
    let mut guess = 0.0;
    for part in 0..PARTS {
        let (mut held, mut train) = (Vec::new(), Vec::new());
        for (place, sequence) in inliers.iter().enumerate() {
            let to = if place % PARTS == part {
                &mut held
            } else {
                &mut train
            };
            to.push(*sequence);
        }
        let seed = settings.seed_for(Purpose::Trial).wrapping_add(part as u64);
        let model = start.learnt(&train, seed)?;
        guess = model.guess();
        harmless.extend(strangeness(&model, &held)?);
        found.push(strangeness(&model, &asked)?);
    }
    let baseline = quantile(&harmless, HARMLESS).max(guess);
    for (place, evidence) in outliers.values_mut().enumerate() {
        let losses: Vec<f32> = found.iter().map(|losses| losses[place]).collect();
        *evidence = Evidence {
            baseline,
            trial: at_least(&losses),
        };
    }
    Ok(())
}

/// What a mean is at least: two standard errors less than what was found.
fn at_least(losses: &[f32]) -> f32 {
    let count = losses.len() as f32;
    let mean = losses.iter().sum::<f32>() / count;
    let square: f32 = losses.iter().map(|loss| (loss - mean).powi(2)).sum();
    mean - 2.0 * (square / (count * (count - 1.0))).sqrt()
}
