//! What both stages measure by: the reconstruction losses of models that have learnt some of the candidates.

use hearth_operators::words::{Catalog, Sequence, Weights};

use crate::models::{Autoencoder, ModelError, WINDOW, generator, mean, quantile};
use crate::trainer::{Purpose, Settings, learn, losses};

/// What stage 2 finds of an outlier.
#[derive(Clone, Copy, Default)]
pub(super) struct Evidence {
    /// What the trial may be at most.
    pub baseline: f32,
    /// What the outlier, or the others beside it, lose: see [`filter`](super::filter).
    pub trial: f32,
}

/// What the filter's models start from.
pub(super) struct Start<'a> {
    pub catalog: &'a Catalog,
    /// Weights of the cohort's encoder.
    pub cohort: &'a Weights,
    pub settings: &'a Settings,
}

impl Start<'_> {
    /// A model that has learnt nothing of the candidates.
    pub fn model(&self) -> Result<Autoencoder, ModelError> {
        let shape = self.settings.preset.detector();
        if self.settings.preset.warm() {
            Autoencoder::stored(self.catalog, shape, self.cohort, true)
        } else {
            let seed = self.settings.seed_for(Purpose::Filter);
            Autoencoder::fresh(self.catalog, shape, &mut generator(seed, 0))
        }
    }

    /// A model that has learnt these sequences.
    pub fn learnt(&self, sequences: &[&Sequence], seed: u64) -> Result<Autoencoder, ModelError> {
        let model = self.model()?;
        learn(
            &model,
            sequences,
            WINDOW,
            &self.settings.preset.filter_plan(),
            seed,
        )?;
        Ok(model)
    }
}

/// The loss of each sequence, mean over its behaviours.
pub(super) fn sequence_losses(
    model: &Autoencoder,
    sequences: &[&Sequence],
) -> Result<Vec<f32>, ModelError> {
    let each = sequences.iter();
    each.map(|s| Ok(mean(&losses(model, &[s], WINDOW)?)))
        .collect()
}

/// Q3 + 1.5·IQR: what lies above is an outlier (Tukey).
pub(super) fn fence(losses: &[f32]) -> f32 {
    let (q1, q3) = (quantile(losses, 0.25), quantile(losses, 0.75));
    q3 + 1.5 * (q3 - q1)
}
