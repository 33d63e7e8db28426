//! Hearth's stages: how much of order, time and repetition does a candidate lack, by what has been counted, and is it in an order
//! in which such things happen?
//!
//! Those who know are the home's own past (the regime that ended), its cohort, and the other candidates: what is new to a home
//! can be known to these, and what is new to all is compared with chance, which knows it no better.

use std::collections::{BTreeMap, BTreeSet};

use hearth_operators::words::{Candidates, Catalog, Sequence};

use super::evidence::{Evidence, fence};
use crate::models::{
    Arranged, Arrangement, Conduct, ConductReader, ModelError, Orders, Questions, quantile,
};

/// How many nats of evidence for disorder count for nothing, in order, in time and in repetition: one in twenty candidates is
/// taken to be junk (ln 20), and behaviours that nobody has seen after each other are not yet disorder.
const DOUBT: [f64; 3] = [5.0, 3.0, 3.0];
/// As many nats of evidence against a candidate's order count for nothing, less the evidence for the order of most candidates,
/// but two: where the order of most is known, that of few is not; where it is anybody's guess, it is so of all.
const DOUBT_OF_ORDER: f64 = 6.0;
const LEAST_DOUBT_OF_ORDER: f64 = 2.0;
/// The quantile of the inliers' losses that an outlier may still have.
const HARMLESS: f32 = 0.95;
/// What chance costs: no more than itself.
const CHANCE: f32 = 0.0;

/// What is known before any candidate.
pub(super) struct Past<'a> {
    reader: ConductReader<'a>,
    home: Conduct,
    cohort: Conduct,
    arranged: Arranged,
    orders: Orders,
    /// How many nats of evidence against an order count for nothing.
    doubt: f64,
}

impl<'a> Past<'a> {
    /// Counts the home's past.
    pub fn of(catalog: &'a Catalog, candidates: &Candidates) -> Result<Self, ModelError> {
        let reader = ConductReader::new(catalog);
        let (mut home, mut arranged) = (Conduct::default(), Arranged::default());
        for sequence in &candidates.regime.source {
            home.learn(&reader.read(sequence)?);
            arranged.learn(&reader, sequence);
        }
        Ok(Past {
            reader,
            home,
            cohort: Conduct::of(&candidates.foundation.counts),
            arranged,
            orders: Orders::default(),
            doubt: DOUBT_OF_ORDER,
        })
    }

    /// Stage 1: the loss of each candidate among the others, and the bound above which it is an outlier.
    pub fn sift(&mut self, all: &[&Sequence]) -> Result<(Vec<f32>, f32), ModelError> {
        let found = self.found(all, all)?;
        let evidence: Vec<f32> = found.iter().map(|found| found.order as f32).collect();
        let known = f64::from(quantile(&evidence, 0.5)).max(0.0);
        self.doubt = (DOUBT_OF_ORDER - known).max(LEAST_DOUBT_OF_ORDER);
        let found: Vec<f32> = found.iter().map(|found| found.loss(self.doubt)).collect();
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
        let losses = |asked: &[&Sequence]| -> Result<Vec<f32>, ModelError> {
            let found = self.found(inliers, asked)?;
            Ok(found.iter().map(|found| found.loss(self.doubt)).collect())
        };
        let baseline = quantile(&losses(inliers)?, HARMLESS).max(CHANCE);
        for (evidence, trial) in outliers.values_mut().zip(losses(&asked)?) {
            *evidence = Evidence { baseline, trial };
        }
        Ok(())
    }

    /// What is found of each of some sequences by the past and some candidates, among which it and its equals are left out.
    fn found(&self, among: &[&Sequence], asked: &[&Sequence]) -> Result<Vec<Found>, ModelError> {
        let among: BTreeSet<&Sequence> = among.iter().copied().collect();
        let mut read = BTreeMap::new();
        for sequence in among.iter().chain(asked) {
            read.insert(*sequence, self.reader.read(sequence)?);
        }
        let (mut others, mut arranged) = (Conduct::default(), Arranged::default());
        for sequence in &among {
            others.learn(&read[sequence]);
            arranged.learn(&self.reader, sequence);
        }
        let different: BTreeSet<&Sequence> = asked.iter().copied().collect();
        let mut found = BTreeMap::new();
        for sequence in different {
            let own = among.contains(sequence);
            if own {
                others.forget(&read[sequence]);
                arranged.forget(&self.reader, sequence);
            }
            found.insert(
                sequence,
                self.judged(sequence, &read[sequence], &others, &arranged),
            );
            if own {
                others.learn(&read[sequence]);
                arranged.learn(&self.reader, sequence);
            }
        }
        Ok(asked.iter().map(|s| found[s]).collect())
    }

    fn judged(
        &self,
        sequence: &Sequence,
        questions: &Questions,
        others: &Conduct,
        arranged: &Arranged,
    ) -> Found {
        let disorder = questions.disorder(&[&self.home, &self.cohort, others]);
        let beyond = disorder
            .iter()
            .zip(DOUBT)
            .map(|(found, doubt)| found - doubt);
        let asked = Arrangement {
            reader: &self.reader,
            orders: &self.orders,
            knowing: &[&self.arranged, arranged],
        };
        Found {
            behaviors: sequence.0.len(),
            beyond: beyond.fold(f64::NEG_INFINITY, f64::max),
            order: asked.evidence(sequence),
        }
    }
}

/// What is found of a sequence.
#[derive(Clone, Copy)]
struct Found {
    behaviors: usize,
    /// The worst of order, time and repetition against chance, less the doubt.
    beyond: f64,
    /// The evidence for its order among others of the same behaviours.
    order: f64,
}

impl Found {
    /// The worst of all, less the doubt, a behaviour.
    fn loss(&self, doubt: f64) -> f32 {
        let worst = self.beyond.max(-self.order - doubt);
        (worst / self.behaviors as f64) as f32
    }
}
