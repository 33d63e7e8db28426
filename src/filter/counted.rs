//! Hearth's stages: how much of order, time and repetition does a candidate lack, by what has been counted?
//!
//! Those who know are the home's own past (the regime that ended), its cohort, and the other candidates: what is new to a home
//! can be known to these, and what is new to all is compared with chance, which knows it no better.

use std::collections::{BTreeMap, BTreeSet};

use hearth_operators::words::{Candidates, Catalog, Sequence};

use super::evidence::{Evidence, fence};
use crate::models::{Conduct, ConductReader, ModelError, Questions, quantile};

/// How many nats of evidence for disorder count for nothing, in order, in time and in repetition: one in twenty candidates is
/// taken to be junk (ln 20), and behaviours that nobody has seen after each other are not yet disorder.
const DOUBT: [f64; 3] = [5.0, 3.0, 3.0];
/// The quantile of the inliers' losses that an outlier may still have.
const HARMLESS: f32 = 0.95;
/// What chance costs: no more than itself.
const CHANCE: f32 = 0.0;

/// What is known before any candidate.
pub(super) struct Past<'a> {
    reader: ConductReader<'a>,
    home: Conduct,
    cohort: Conduct,
}

impl<'a> Past<'a> {
    /// Counts the home's past.
    pub fn of(catalog: &'a Catalog, candidates: &Candidates) -> Result<Self, ModelError> {
        let reader = ConductReader::new(catalog);
        let mut home = Conduct::default();
        for sequence in &candidates.regime.source {
            home.learn(&reader.read(sequence)?);
        }
        Ok(Past {
            reader,
            home,
            cohort: Conduct::of(&candidates.foundation.counts),
        })
    }

    /// Stage 1: the loss of each candidate among the others, and the bound above which it is an outlier.
    pub fn sift(&self, all: &[&Sequence]) -> Result<(Vec<f32>, f32), ModelError> {
        let found = self.losses(all, all)?;
        let fence = fence(&found);
        let bound = if quantile(&found, 0.5) < CHANCE {
            fence.min(CHANCE)
        } else {
            fence
        };
        Ok((found, bound))
    }

    /// Stage 2: compares each outlier's loss among the inliers with what chance costs and with the losses of the inliers.
    pub fn judge(
        &self,
        inliers: &[&Sequence],
        outliers: &mut BTreeMap<&Sequence, Evidence>,
    ) -> Result<(), ModelError> {
        let asked: Vec<&Sequence> = outliers.keys().copied().collect();
        let baseline = quantile(&self.losses(inliers, inliers)?, HARMLESS).max(CHANCE);
        let trials = self.losses(inliers, &asked)?;
        for (evidence, trial) in outliers.values_mut().zip(trials) {
            *evidence = Evidence { baseline, trial };
        }
        Ok(())
    }

    /// The loss of each of some sequences by the past and some candidates, among which it and its equals are left out.
    fn losses(&self, among: &[&Sequence], asked: &[&Sequence]) -> Result<Vec<f32>, ModelError> {
        let among: BTreeSet<&Sequence> = among.iter().copied().collect();
        let mut read = BTreeMap::new();
        for sequence in among.iter().chain(asked) {
            read.insert(*sequence, self.reader.read(sequence)?);
        }
        let mut others = Conduct::default();
        among.iter().for_each(|s| others.learn(&read[s]));
        let mut found = BTreeMap::new();
        for (sequence, questions) in &read {
            let own = among.contains(sequence);
            if own {
                others.forget(questions);
            }
            found.insert(*sequence, self.loss(sequence.0.len(), questions, &others));
            if own {
                others.learn(questions);
            }
        }
        Ok(asked.iter().map(|s| found[s]).collect())
    }

    /// The worst of order, time and repetition, less the doubt, a behaviour.
    fn loss(&self, behaviors: usize, questions: &Questions, others: &Conduct) -> f32 {
        let disorder = questions.disorder(&[&self.home, &self.cohort, others]);
        let beyond = disorder
            .iter()
            .zip(DOUBT)
            .map(|(found, doubt)| found - doubt);
        let worst = beyond.fold(f64::NEG_INFINITY, f64::max);
        (worst / behaviors as f64) as f32
    }
}
