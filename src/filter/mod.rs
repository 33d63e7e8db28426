//! The Two-stage Outlier Filter (TOF): which synthetic sequences to learn from.

mod counted;
mod evidence;
mod retrained;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use hearth_operators::words::{Candidate, Candidates, Catalog, Filtered, Sequence, Verdict};

use crate::models::{ModelError, Preset};
use crate::trainer::Settings;
use counted::Past;
use evidence::Evidence;
use retrained::Start;

/// Candidates below which quartiles say nothing: all are retained.
const ENOUGH: usize = 8;

/// Judges each candidate of a shift.
///
/// Stage 1: whose loss lies above Q3 + 1.5·IQR is an outlier, the others are retained.
/// - `small`: the loss says how much better chance explains a candidate than those do who know something: the home's past, its
///   cohort's counts and the other candidates, believed equally. Chance has the same behaviours come in any order, at any time.
///   It is measured in order, in time and in repetition, as evidence in nats; 5, 3 and 3 nats are taken off for doubt. Where its
///   behaviours go together but for their order, the evidence is that of other orders of the same behaviours over its own, less
///   2 nats, or more where the order of most candidates is anybody's guess. The worst of the four is spread over the candidate's
///   behaviours. So a short sequence is seldom an outlier, and nothing is one for being new. What lies above 0, where chance would
///   explain it better, is an outlier too wherever the quartiles lie: what a language model wrote is so various that the quartiles
///   alone let junk pass. Where that would be most candidates, these say too little of each other, and the quartiles decide alone.
/// - `paper`: an autoencoder learns all candidates; the loss is that of their reconstruction, mean over a candidate's behaviours.
///
/// Stage 2 tries each outlier against the inliers, and retains it if its `trial` is at most the `baseline`:
/// - `small`: `trial` is the outlier's own loss among the inliers alone. `baseline` is 0, or the loss that 95 % of the inliers
///   stay within while each is left out, whichever is more. So an outlier is deleted if chance explains it better than the
///   inliers and the past do, and by more than they leave of each other.
/// - `paper`: the inliers are split 8:2 (drawn). `baseline` is the loss on the smaller part of a model that learns the larger
///   one; `trial` is that of a model that starts from the same weights and learns the same batches in the same order
///   with the same draws, the outlier joining one batch of each pass.
///
/// Equal candidates share their stage 2, and in `small` say nothing of each other. Fewer than 8 candidates (in `small`: different
/// ones) are all retained at stage 1, with a loss of 0 and an infinite bound: there is nothing to compare with.
///
/// # Errors
/// A candidate is empty, or it, or a sequence of the home's past, is not of this catalog.
pub fn filter(
    catalog: &Catalog,
    candidates: &Candidates,
    settings: &Settings,
) -> Result<Filtered, ModelError> {
    first_stage(catalog, candidates, settings)?.second_stage()
}

/// Who measures.
enum Judge<'a> {
    Counts(Box<Past<'a>>),
    Networks(Start<'a>),
}

/// Candidates after stage 1.
pub(crate) struct Sifted<'a> {
    judge: Judge<'a>,
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
    let all: Vec<&Sequence> = candidates.candidates.iter().map(|c| &c.sequence).collect();
    let (mut judge, compared) = match settings.preset {
        Preset::Small => {
            let different = all.iter().collect::<BTreeSet<_>>().len();
            let past = Box::new(Past::of(catalog, candidates)?);
            (Judge::Counts(past), different)
        }
        Preset::Paper => (Judge::Networks(Start { catalog, settings }), all.len()),
    };
    let (found, bound) = if compared < ENOUGH {
        (vec![0.0; all.len()], f32::INFINITY)
    } else if all.iter().any(|s| s.0.is_empty()) {
        return Err(ModelError::Empty);
    } else {
        match &mut judge {
            Judge::Counts(past) => past.sift(&all)?,
            Judge::Networks(start) => start.sift(&all)?,
        }
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
        judge,
        candidates,
        verdicts: judged.map(verdict).collect(),
    })
}

impl Sifted<'_> {
    /// Stage 2 of [`filter`].
    pub(crate) fn second_stage(self) -> Result<Filtered, ModelError> {
        let Sifted {
            judge,
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
            match judge {
                Judge::Counts(past) => past.judge(&inliers, &mut outliers)?,
                Judge::Networks(start) => start.judge(inliers, &mut outliers)?,
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
