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
        for (loss, evidence) in strangeness(&model, &asked)?
            .iter()
            .zip(outliers.values_mut())
        {
            evidence.trial += loss / PARTS as f32;
        }
    }
    let baseline = quantile(&harmless, HARMLESS).max(guess);
    for evidence in outliers.values_mut() {
        evidence.baseline = baseline;
    }
    Ok(())
}
