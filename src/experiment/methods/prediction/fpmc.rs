//! FPMC: a factorised personalised Markov chain (Rendle, Freudenthaler and Schmidt-Thieme, *Factorizing Personalized Markov
//! Chains for Next-Basket Recommendation*, WWW 2010).
//!
//! The score of an action is a product of its factors with those of the behaviour before it (the chain) plus a product
//! with those of the user (the taste). Ours: a sequence is its own user here, and one that is asked about was never
//! trained on, so its factors are the mean of a second embedding of its behaviours so far (with the start token, so that
//! there always is one), as in asymmetric factorisations (Paterek, *Improving Regularized Singular Value Decomposition for
//! Collaborative Filtering*, KDD Cup 2007). Trained on all actions instead of pairs that are drawn.

use candle_core::{Device, Tensor};

use super::network::{Input, Network, TrainingPlan};
use crate::models::{Embeddings, Linear, Mode, ModelError, Preset, Source, Vocabulary};

/// Factors of the behaviour before and of the user.
pub(super) struct Fpmc {
    /// From the embedding of the behaviour before to its factors: those of an action as a successor are not its own
    /// as a predecessor.
    chain: Linear,
    /// Embeddings as a part of the user.
    user: Embeddings,
}

impl Network for Fpmc {
    const NAME: &'static str = "FPMC";

    fn plan(preset: Preset) -> TrainingPlan {
        TrainingPlan::new(preset, 64, 100, 32)
    }

    fn build(source: &mut Source, of: &Vocabulary, width: usize) -> Result<Self, ModelError> {
        Ok(Fpmc {
            chain: Linear::new(source, "chain", width, width)?,
            user: Embeddings::named(source, "user", of, width)?,
        })
    }

    fn states(&self, input: &Input, _: &mut Mode) -> Result<Tensor, ModelError> {
        let (rows, places, width) = input.measures()?;
        let before = input.slots.reshape((rows * places, width))?;
        let chain = self.chain.forward(&before)?;
        let parts = self.user.slots(&input.batch)?;
        let parts = parts.reshape((rows, places + 1, width))?;
        let parts = parts.narrow(1, 0, places)?.contiguous()?;
        let user = so_far(places)?.broadcast_matmul(&parts)?;
        Ok((chain + user.reshape((rows * places, width))?)?)
    }
}

/// `[1, places, places]`: takes the mean over each place and those before it.
fn so_far(places: usize) -> Result<Tensor, ModelError> {
    let weight = |i: usize| {
        let (of, from) = (i / places, i % places);
        if from > of {
            0.0
        } else {
            1.0 / (of + 1) as f32
        }
    };
    let weights: Vec<f32> = (0..places * places).map(weight).collect();
    Ok(Tensor::from_vec(
        weights,
        (1, places, places),
        &Device::Cpu,
    )?)
}
