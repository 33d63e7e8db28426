//! The paper's stages: the reconstruction loss of an autoencoder that has learnt the candidates, and whether the held-out loss
//! rises if an outlier is learnt too.
//!
//! One sequence among many hardly moves that loss, and not by how absurd it is. See `counted` for what Hearth asks instead.

use std::collections::BTreeMap;

use hearth_operators::words::{Catalog, Sequence};

use super::evidence::{Evidence, fence};
use crate::models::{Autoencoder, ModelError, Preset, WINDOW, fit, generator, mean, windows};
use crate::trainer::{Purpose, Settings, learn, losses, split};

/// What the filter's models start from: nothing.
pub(super) struct Start<'a> {
    pub catalog: &'a Catalog,
    pub settings: &'a Settings,
}

impl Start<'_> {
    /// A model that has learnt nothing of the candidates.
    fn model(&self) -> Result<Autoencoder, ModelError> {
        let shape = self.settings.preset.detector();
        let seed = self.settings.seed_for(Purpose::Filter);
        Autoencoder::fresh(self.catalog, shape, &mut generator(seed, 0))
    }

    /// Stage 1: the loss of each candidate, mean over its behaviours, and the bound above which it is an outlier.
    pub fn sift(&self, all: &[&Sequence]) -> Result<(Vec<f32>, f32), ModelError> {
        let seed = self.settings.seed_for(Purpose::Filter);
        let model = self.model()?;
        learn(&model, all, WINDOW, &Preset::filter_plan(), seed)?;
        let each = all.iter();
        let found: Vec<f32> = each
            .map(|s| Ok(mean(&losses(&model, &[s], WINDOW)?)))
            .collect::<Result<_, ModelError>>()?;
        let bound = fence(&found);
        Ok((found, bound))
    }

    /// Stage 2: retrains once without and once with each outlier, which is all that the two runs differ in.
    pub fn judge(
        &self,
        inliers: Vec<&Sequence>,
        outliers: &mut BTreeMap<&Sequence, Evidence>,
    ) -> Result<(), ModelError> {
        let settings = self.settings;
        let parts = split(inliers, settings.seed_for(Purpose::Split));
        let train = windows(parts.train.iter().copied(), WINDOW);
        let seed = settings.seed_for(Purpose::Trial);
        let retrained = |guest: Option<&Sequence>| {
            let model = self.model()?;
            let guest = windows(guest, WINDOW);
            fit(&model, &train, &guest, &Preset::filter_plan(), seed)?;
            Ok::<f32, ModelError>(mean(&losses(&model, &parts.held, WINDOW)?))
        };
        let baseline = retrained(None)?;
        for (outlier, evidence) in outliers {
            *evidence = Evidence {
                baseline,
                trial: retrained(Some(outlier))?,
            };
        }
        Ok(())
    }
}
