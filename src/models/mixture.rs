//! Hearth's predictor: what SASRec learnt, mixed with what was counted.
//!
//! The network generalises over a cohort's homes and reads far back; counts know a home's own habits after days, exactly
//! and for nothing. The weight of the network is chosen on held-out sequences, once for the first behaviours
//! of sequences and once for the others.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use hearth_operators::words::{Catalog, Sequence, Weights};

use super::error::ModelError;
use super::fit::Learner;
use super::ngram::{Ngram, Situation, mixed};
use super::parameters::Source;
use super::sasrec::{SasRec, Shape};

/// What the names of the counts' tensors begin with.
const COUNTS: &str = "counts";
/// Name of the tensor of the network's shares.
const SHARE: &str = "network.share";

/// A network and counts, and the weight of the network.
pub(crate) struct Mixture {
    network: SasRec,
    counts: Ngram,
    /// The network's share where a sequence begins, and elsewhere.
    share: [f32; 2],
}

impl Mixture {
    /// A mixture in which the network has the weight `share`.
    pub fn new(network: SasRec, counts: Ngram, share: [f32; 2]) -> Self {
        Mixture {
            network,
            counts,
            share,
        }
    }

    /// What was stored; `train` says whether the network will be trained further.
    pub fn stored(
        catalog: &Catalog,
        shape: Shape,
        weights: &Weights,
        train: bool,
    ) -> Result<Self, ModelError> {
        let mut source = Source::stored(SasRec::label(shape), weights, train)?;
        let counts = Ngram::stored(COUNTS, catalog.actions(), &mut source)?;
        let share: Vec<f32> = source
            .take_stored(SHARE, DType::F32)?
            .flatten_all()?
            .to_vec1()?;
        let sound = share.iter().all(|s| (0.0..=1.0).contains(s));
        let share = <[f32; 2]>::try_from(share).ok().filter(|_| sound);
        let share = share.ok_or_else(|| {
            ModelError::Weights(format!("the tensor `{SHARE}` is not two shares"))
        })?;
        let network = SasRec::build(catalog, shape, source)?;
        Ok(Mixture {
            network,
            counts,
            share,
        })
    }

    /// Everything that is stored; equal models give equal bytes. Its network must be one that was trained, not only used.
    pub fn weights(&self) -> Result<Weights, ModelError> {
        let mut beside: HashMap<String, Tensor> =
            self.counts.tensors(COUNTS)?.into_iter().collect();
        let share = Tensor::new(&self.share, &Device::Cpu)?;
        beside.insert(SHARE.to_owned(), share);
        self.network.parameters().weights_beside(beside)
    }

    /// Its parts.
    pub fn into_parts(self) -> (SasRec, Ngram, [f32; 2]) {
        (self.network, self.counts, self.share)
    }

    /// Chooses the network's share so that sequences that neither part has learnt are likeliest. Without any it stays.
    pub fn weigh(&mut self, held: &[&Sequence]) -> Result<(), ModelError> {
        let mut by_class = [Vec::new(), Vec::new()];
        for s in held {
            let network = self.thought(s)?;
            for (i, (thought, q)) in network.iter().zip(&s.0).enumerate() {
                let action = usize::from(q.action.0);
                let counted = self.counts.predict(&Situation::new(&s.0[..i], None));
                by_class[usize::from(i > 0)].push([f64::from(thought[action]), counted[action]]);
            }
        }
        for (share, likelihoods) in self.share.iter_mut().zip(&by_class) {
            if !likelihoods.is_empty() {
                [*share, _] = mixed(likelihoods);
            }
        }
        Ok(())
    }

    /// For each behaviour the probabilities of all actions, by action id, given the behaviours before it.
    pub fn predict(&self, s: &Sequence) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut all = self.thought(s)?;
        for (i, probabilities) in all.iter_mut().enumerate() {
            let counted = self.counts.predict(&Situation::new(&s.0[..i], None));
            let share = self.share[usize::from(i > 0)];
            for (p, counted) in probabilities.iter_mut().zip(counted) {
                *p = share * *p + (1.0 - share) * counted as f32;
            }
        }
        Ok(all)
    }

    /// Minus the log probability of each behaviour of some sequences.
    pub fn losses(&self, sequences: &[&Sequence]) -> Result<Vec<Vec<f32>>, ModelError> {
        let of = |s: &&Sequence| {
            let all = self.predict(s)?;
            let own = all.iter().zip(&s.0).map(|(p, q)| {
                let p = p[usize::from(q.action.0)];
                -p.max(f32::MIN_POSITIVE).ln()
            });
            Ok(own.collect())
        };
        sequences.iter().map(of).collect()
    }

    /// What the network alone says, window by window.
    fn thought(&self, s: &Sequence) -> Result<Vec<Vec<f32>>, ModelError> {
        if s.0.is_empty() {
            return Err(ModelError::Empty);
        }
        self.network.vocabulary().check(s)?;
        let mut all = Vec::with_capacity(s.0.len());
        for window in s.windows(self.network.window()) {
            all.extend(self.network.predict(window)?);
        }
        Ok(all)
    }
}
