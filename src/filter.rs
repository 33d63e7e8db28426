//! The Two-stage Outlier Filter (TOF): which synthetic sequences to learn from.

use std::collections::BTreeMap;

use hearth_operators::words::{Candidate, Candidates, Catalog, Filtered, Sequence, Verdict};

use crate::models::{
    Autoencoder, Learner, ModelError, WINDOW, fit, generator, mean, quantile, windows,
};
use crate::trainer::{Purpose, Settings, learn, losses, split};

/// Candidates below which quartiles say nothing: all are retained.
const ENOUGH: usize = 8;

/// Judges each candidate of a shift.
///
/// Stage 1: an autoencoder learns all candidates; whose reconstruction loss (mean over its behaviours) lies above
/// Q3 + 1.5·IQR is an outlier, the others are retained.
///
/// Stage 2: the inliers are split 8:2 (drawn). A base model learns the larger part; for each outlier a trial model
/// starts from the same weights and learns the same batches in the same order with the same draws, the outlier
/// joining each. It is retained if the loss on the smaller part does not rise by it.
///
/// In the `small` preset stage 1 starts from the cohort's detector and stage 2 from stage 1's weights, a few steps each;
/// in `paper` each model is trained from scratch. Equal candidates share their stage 2. Fewer than 8 candidates are
/// all retained at stage 1, with a loss of 0 and an infinite bound: there is nothing to compare with.
///
/// # Errors
/// A candidate is empty or not of this catalog, or the foundation's weights are of another catalog or preset.
pub fn filter(
    catalog: &Catalog,
    candidates: &Candidates,
    settings: &Settings,
) -> Result<Filtered, ModelError> {
    let verdicts = if candidates.candidates.len() < ENOUGH {
        let of = |c: &Candidate| first_stage(c, 0.0, f32::INFINITY);
        candidates.candidates.iter().map(of).collect()
    } else {
        judge(catalog, candidates, settings)?
    };
    Ok(Filtered {
        key: candidates.key,
        regime: candidates.regime.clone(),
        verdicts,
        foundation: candidates.foundation.clone(),
    })
}

fn judge(
    catalog: &Catalog,
    candidates: &Candidates,
    settings: &Settings,
) -> Result<Vec<Verdict>, ModelError> {
    let preset = settings.preset;
    let all: Vec<&Sequence> = candidates.candidates.iter().map(|c| &c.sequence).collect();
    if all.iter().any(|s| s.0.is_empty()) {
        return Err(ModelError::Empty);
    }
    let seed = settings.seed_for(Purpose::Filter);
    let fresh = || Autoencoder::fresh(catalog, preset.detector(), &mut generator(seed, 0));
    let model = if preset.warm() {
        let start = &candidates.foundation.detector.weights;
        Autoencoder::stored(catalog, preset.detector(), start, true)?
    } else {
        fresh()?
    };
    learn(&model, &all, WINDOW, &preset.filter_plan(), seed)?;
    let found = all
        .iter()
        .map(|s| Ok(mean(&losses(&model, &[s], WINDOW)?)))
        .collect::<Result<Vec<f32>, ModelError>>()?;
    let bound = fence(&found);
    let mut verdicts: Vec<Verdict> = candidates
        .candidates
        .iter()
        .zip(&found)
        .map(|(candidate, &loss)| first_stage(candidate, loss, bound))
        .collect();

    let inliers = all.iter().zip(&found).filter(|(_, loss)| **loss <= bound);
    let parts = split(
        inliers.map(|(s, _)| *s).collect(),
        settings.seed_for(Purpose::Split),
    );
    let weights = model.parameters().weights()?;
    let seed = settings.seed_for(Purpose::Trial);
    let train = windows(parts.train.iter().copied(), WINDOW);
    // The loss on the smaller part of a model that learnt the larger one, with or without a guest.
    let retrained = |guest: Option<&Sequence>| {
        let model = if preset.warm() {
            Autoencoder::stored(catalog, preset.detector(), &weights, true)?
        } else {
            fresh()?
        };
        let guest = guest.map(|s| windows([s], WINDOW)).unwrap_or_default();
        fit(&model, &train, &guest, &preset.trial_plan(), seed)?;
        Ok::<f32, ModelError>(mean(&losses(&model, &parts.held, WINDOW)?))
    };
    let mut baseline = None;
    let mut tried: BTreeMap<&Sequence, f32> = BTreeMap::new();
    for (verdict, sequence) in verdicts.iter_mut().zip(&all) {
        if verdict.loss <= bound {
            continue;
        }
        let baseline = match baseline {
            Some(loss) => loss,
            None => *baseline.insert(retrained(None)?),
        };
        let trial = match tried.get(sequence) {
            Some(&loss) => loss,
            None => {
                let loss = retrained(Some(sequence))?;
                tried.insert(sequence, loss);
                loss
            }
        };
        verdict.stage = 2;
        verdict.retain = trial <= baseline;
        verdict.baseline = Some(baseline);
        verdict.trial = Some(trial);
    }
    Ok(verdicts)
}

fn first_stage(candidate: &Candidate, loss: f32, bound: f32) -> Verdict {
    Verdict {
        candidate: candidate.clone(),
        retain: true,
        stage: 1,
        loss,
        bound,
        baseline: None,
        trial: None,
    }
}

/// Q3 + 1.5·IQR: what lies above is an outlier (Tukey).
fn fence(losses: &[f32]) -> f32 {
    let (q1, q3) = (quantile(losses, 0.25), quantile(losses, 0.75));
    q3 + 1.5 * (q3 - q1)
}
