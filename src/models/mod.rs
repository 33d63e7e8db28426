//! The models: embeddings of sequences, anomaly scores of behaviours, and predictions of the next action.
//!
//! - [`Embedder`] compresses a sequence to a vector (autoencoder),
//! - [`Detector`] gives each behaviour a loss, the higher the more anomalous (counted habits; the paper's autoencoder in its preset),
//! - [`Predictor`] gives each behaviour the probabilities of all actions, from those before it (SASRec beside counts).
//!
//! They are loaded from weights that [`crate::trainer`] makes. Everything here is a function of its arguments: no
//! global state, no clock, no randomness that is not seeded. Padding never changes a result.

mod adam;
mod arrangement;
mod autoencoder;
mod conduct;
mod counts;
mod detector;
mod embedder;
mod encoding;
mod error;
mod fit;
mod habits;
mod layers;
mod mixture;
mod ngram;
mod parameters;
mod predictor;
mod preset;
mod sasrec;
#[cfg(test)]
mod tests;

pub(crate) use adam::Adam;
pub(crate) use arrangement::{Arranged, Arrangement, Orders};
pub(crate) use autoencoder::{Autoencoder, Shape as AutoencoderShape};
pub(crate) use conduct::{Conduct, Questions, Reader as ConductReader};
pub(crate) use counts::{Context, Counts};
pub use detector::Detector;
pub use embedder::Embedder;
pub use encoding::Columns;
pub(crate) use encoding::{Batch, Embeddings, Vocabulary, Window};
pub use error::ModelError;
pub(crate) use fit::{Learner, Plan, batches, fit, generator, mean, quantile, windows};
pub(crate) use habits::Habits;
pub(crate) use layers::{
    Attention, HIDDEN, LayerNorm, Linear, Measures, Mode, cross_entropy, softmax,
};
pub(crate) use mixture::Mixture;
pub(crate) use ngram::{Ngram, Situation, When};
pub(crate) use parameters::{Init, Parameters, Source};
pub use predictor::Predictor;
pub use preset::Preset;
pub(crate) use preset::WINDOW;
pub(crate) use sasrec::{Aim as SasRecAim, SasRec, Shape as SasRecShape};
