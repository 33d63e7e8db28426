//! The predictor of a home: which action comes next.

use hearth_operators::words::{Catalog, Sequence, Weights};

use super::error::ModelError;
use super::mixture::Mixture;
use super::preset::Preset;

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
