//! The encoder of compression: a sequence as one vector.

use hearth_operators::words::{Catalog, Quadruple, Sequence, Weights};

use super::autoencoder::Autoencoder;
use super::encoding::Window;
use super::error::ModelError;
use super::fit::{Learner, readable};
use super::preset::{Preset, WINDOW};

/// Compresses sequences to vectors.
pub struct Embedder(Autoencoder);

impl Embedder {
    /// Loads the encoder of a [`Foundation`](hearth_operators::words::Foundation).
    ///
    /// # Errors
    /// The weights are of another model, preset or catalog.
    pub fn load(catalog: &Catalog, preset: Preset, w: &Weights) -> Result<Self, ModelError> {
        let model = Autoencoder::stored(catalog, preset.encoder(), w)?;
        Ok(Embedder(model))
    }

    /// A vector of length 1: the mean of the latents of the sequence's windows. Actions that came to the catalog after it
    /// was trained say nothing to it; sequences of nothing else are all alike.
    ///
    /// # Errors
    /// The sequence is empty, or its times make no sense.
    pub fn embed(&self, s: &Sequence) -> Result<Vec<f32>, ModelError> {
        let knows = |q: &&Quadruple| self.0.vocabulary().knows(q);
        let known = Sequence(s.0.iter().filter(knows).copied().collect());
        if known.0.is_empty() && !s.0.is_empty() {
            return Ok(self.0.nothing());
        }
        let s = &known;
        readable(&self.0, s)?;
        let windows: Vec<Window> = s.windows(WINDOW).collect();
        let latents = self.0.embed(&windows)?;
        let mut sum = vec![0f32; latents.first().map_or(0, Vec::len)];
        for latent in &latents {
            for (sum, x) in sum.iter_mut().zip(latent) {
                *sum += x;
            }
        }
        let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
        // The memory is normalised, so its mean is zero only for weights that were never trained.
        let length = if length > 0.0 { length } else { 1.0 };
        Ok(sum.into_iter().map(|x| x / length).collect())
    }
}
