//! The Two-stage Outlier Filter (TOF): which synthetic sequences to learn from.

mod held_out;
mod losses;
mod retrained;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use hearth_operators::words::{Candidate, Candidates, Catalog, Filtered, Sequence, Verdict};

use crate::models::{ModelError, Preset};
use crate::trainer::{Purpose, Settings};
use losses::{Evidence, Start, fence, sequence_losses};

/// Candidates below which quartiles say nothing: all are retained.
const ENOUGH: usize = 8;

/// Judges each candidate of a shift.
///
/// Stage 1: an autoencoder learns the candidates; whose reconstruction loss (mean over its behaviours) lies above
/// Q3 + 1.5·IQR is an outlier, the others are retained.
/// - `small`: five models learn the candidates, each without another fifth of them, and a candidate's loss is that of the model
///   that has not seen it. So is what they make less likely than no knowledge at all would, wherever the quartiles lie: what a
///   language model wrote is so various that the quartiles alone let most junk pass. Where that would be most of them, they say
///   too little of each other, and the quartiles decide alone.
/// - `paper`: one model learns all and is asked of the same.
///
/// Stage 2 tries each outlier against the inliers, and retains it if its `trial` is at most the `baseline`:
/// - `small`: five models learn the inliers as in stage 1. `trial` is the outlier's own loss: the mean
///   over the five less two standard errors, so that doubt retains. `baseline` is what guessing costs, or the loss that 95 % of
///   the inliers stay within while they are held out, whichever is more. So an outlier is deleted if the inliers make it
///   less likely than no knowledge at all would, and than they make each other.
/// - `paper`: the inliers are split 8:2 (drawn). `baseline` is the loss on the smaller part of a model that learns the larger
///   one; `trial` is that of a model that starts from the same weights and learns the same batches in the same order
///   with the same draws, the outlier joining one batch of each pass.
///
/// In the `small` preset models start from the cohort's encoder and learn shortly, in `paper` each is trained from scratch.
/// Equal candidates share their stage 2. Fewer than 8 candidates (in `small`: different ones) are all retained at stage 1, with a loss of 0 and an
/// infinite bound: there is nothing to compare with.
///
/// # Errors
/// A candidate is empty or not of this catalog, or the foundation's weights are of another catalog or preset.
pub fn filter(
    catalog: &Catalog,
    candidates: &Candidates,
    settings: &Settings,
) -> Result<Filtered, ModelError> {
    first_stage(catalog, candidates, settings)?.second_stage()
}

/// Candidates after stage 1.
pub(crate) struct Sifted<'a> {
    start: Start<'a>,
    candidates: &'a Candidates,
    /// One a candidate, as if stage 1 had decided all.
    verdicts: Vec<Verdict>,
}

/// Stage 1 of [`filter`].
pub(crate) fn first_stage<'a>(
    catalog: &'a Catalog,
    candidates: &'a Candidates,
    settings: &'a Settings,
) -> Result<Sifted<'a>, ModelError> {
    let start = Start {
        catalog,
        cohort: &candidates.foundation.encoder,
        settings,
    };
    let all: Vec<&Sequence> = candidates.candidates.iter().map(|c| &c.sequence).collect();
    let compared = match settings.preset {
        // A model that leaves a sequence out must leave out its equals, so they say nothing of each other.
        Preset::Small => all.iter().collect::<BTreeSet<_>>().len(),
        Preset::Paper => all.len(),
    };
    let (found, bound) = if compared < ENOUGH {
        (vec![0.0; all.len()], f32::INFINITY)
    } else if all.iter().any(|s| s.0.is_empty()) {
        return Err(ModelError::Empty);
    } else if settings.preset == Preset::Small {
        held_out::losses(&start, &all)?
    } else {
        let model = start.learnt(&all, settings.seed_for(Purpose::Filter))?;
        let found = sequence_losses(&model, &all)?;
        let bound = fence(&found);
        (found, bound)
    };
    let judged = candidates.candidates.iter().zip(&found);
    let verdict = |(candidate, &loss): (&Candidate, &f32)| Verdict {
        candidate: candidate.clone(),
        retain: true,
        stage: 1,
        loss,
        bound,
        baseline: None,
        trial: None,
    };
    Ok(Sifted {
        start,
        candidates,
        verdicts: judged.map(verdict).collect(),
    })
}

impl Sifted<'_> {
    /// Stage 2 of [`filter`].
    pub(crate) fn second_stage(self) -> Result<Filtered, ModelError> {
        let Sifted {
            start,
            candidates,
            mut verdicts,
        } = self;
        let mut inliers = Vec::new();
        let mut outliers: BTreeMap<&Sequence, Evidence> = BTreeMap::new();
        for (candidate, verdict) in candidates.candidates.iter().zip(&verdicts) {
            if verdict.loss > verdict.bound {
                outliers.insert(&candidate.sequence, Evidence::default());
            } else {
                inliers.push(&candidate.sequence);
            }
        }
        if !outliers.is_empty() {
            match start.settings.preset {
                Preset::Small => held_out::judge(&start, &inliers, &mut outliers)?,
                Preset::Paper => retrained::judge(&start, inliers, &mut outliers)?,
            }
        }
        for verdict in &mut verdicts {
            if let Some(Evidence { baseline, trial }) = outliers.get(&verdict.candidate.sequence) {
                verdict.stage = 2;
                verdict.retain = trial <= baseline;
                verdict.baseline = Some(*baseline);
                verdict.trial = Some(*trial);
            }
        }
        Ok(Filtered {
            key: candidates.key,
            regime: candidates.regime.clone(),
            verdicts,
            foundation: candidates.foundation.clone(),
        })
    }
}
