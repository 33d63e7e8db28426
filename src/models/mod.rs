//! The models: what reads behaviours and says how alike, how strange and what next.
//!
//! - [`Embedder`] compresses a sequence to a vector (autoencoder),
//! - [`Detector`] gives each behaviour a loss, higher is stranger (counted habits; the paper's autoencoder in its preset),
//! - [`Predictor`] gives each behaviour the probabilities of all actions, from those before it (SASRec beside counts).
//!
//! They are loaded from weights that [`crate::trainer`] makes. Everything here is a function of its arguments: no
//! global state, no clock, no randomness that is not seeded. Padding never changes a result.

mod adam;
mod autoencoder;
mod counts;
mod detector;
mod fit;
mod habits;
mod layers;
mod mixture;
mod ngram;
mod parameters;
mod preset;
mod reading;
mod sasrec;
#[cfg(test)]
mod tests;

pub(crate) use adam::Adam;
pub(crate) use autoencoder::{Autoencoder, Shape as AutoencoderShape};
pub(crate) use counts::{Context, Counts};
pub use detector::Detector;
pub(crate) use fit::{Learner, Plan, batches, fit, generator, mean, quantile, windows};
pub(crate) use habits::Habits;
pub(crate) use layers::{
    Attention, HIDDEN, LayerNorm, Linear, Measures, Mode, cross_entropy, softmax,
};
pub(crate) use mixture::Mixture;
pub(crate) use ngram::{Ngram, Situation, When};
pub(crate) use parameters::{Init, Parameters, Source};
pub use preset::Preset;
pub(crate) use preset::WINDOW;
pub use reading::Columns;
pub(crate) use reading::{Batch, Table, Vocabulary, Window};
pub(crate) use sasrec::{Aim as SasRecAim, SasRec, Shape as SasRecShape};

use hearth_operators::words::{Catalog, Sequence, Weights};

/// Why a model cannot be built, used or trained.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A sequence holds what the catalog or the calendar does not.
    #[error(
        "a sequence holds action {action} on weekday {weekday} in bucket {hours}, which is not of this catalog and \
         calendar; read the log with the catalog that the models were trained with"
    )]
    Unknown {
        /// Id of the action.
        action: u16,
        /// The weekday, 0 to 6 where it is right.
        weekday: u8,
        /// The three-hour bucket, 0 to 7 where it is right.
        hours: u8,
    },
    /// A sequence without behaviours.
    #[error("a sequence without behaviours can be neither embedded nor scored")]
    Empty,
    /// Nothing to train on.
    #[error("the warm-up data holds no sequence to train on; give more events or a longer warm-up")]
    NoData,
    /// The weights are not what this model needs.
    #[error("the weights do not fit: {0}; train them again with this catalog and preset")]
    Weights(String),
    /// The tensor library refused.
    #[error("tensor arithmetic failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// Compresses sequences to vectors.
pub struct Embedder(Autoencoder);

impl Embedder {
    /// Loads the encoder of a [`Foundation`](hearth_operators::words::Foundation).
    ///
    /// # Errors
    /// The weights are of another model, preset or catalog.
    pub fn load(catalog: &Catalog, preset: Preset, w: &Weights) -> Result<Self, ModelError> {
        let model = Autoencoder::stored(catalog, preset.encoder(), w, false)?;
        Ok(Embedder(model))
    }

    /// A vector of length 1: the mean of the latents of the sequence's windows.
    ///
    /// # Errors
    /// The sequence is empty or not of this catalog.
    pub fn embed(&self, s: &Sequence) -> Result<Vec<f32>, ModelError> {
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

/// Says which action comes next.
pub struct Predictor(Mixture);

impl Predictor {
    /// Loads a predictor [`Version`](hearth_operators::words::Version).
    ///
    /// # Errors
    /// The weights are of another model, preset or catalog.
    pub fn load(catalog: &Catalog, preset: Preset, w: &Weights) -> Result<Self, ModelError> {
        let model = Mixture::stored(catalog, preset.predictor(), w, false)?;
        Ok(Predictor(model))
    }

    /// For each behaviour the probabilities of all actions, by action id, given the behaviours before it (for the first:
    /// given that a sequence begins). They sum to 1.
    ///
    /// # Errors
    /// The sequence is empty or not of this catalog.
    pub fn predict(&self, s: &Sequence) -> Result<Vec<Vec<f32>>, ModelError> {
        self.0.predict(s)
    }
}

fn readable(model: &impl Learner, s: &Sequence) -> Result<(), ModelError> {
    if s.0.is_empty() {
        return Err(ModelError::Empty);
    }
    model.vocabulary().check(s)
}
