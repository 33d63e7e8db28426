//! A home's models after a shift.

use hearth_operators::words::{
    Adaptation, Adjustment, Catalog, Filtered, FirstModels, Sequence, Task, Version,
};

use super::detector::{behavior_losses, detector};
use super::evidence::Comparison;
use super::held_out::{MIN_SEQUENCES, TrainingSplit, split};
use super::predictor;
use super::settings::{Purpose, Settings};
use crate::models::{Detector, Mixture, ModelError, mean};

/// Adapts a home's models to the context that a shift began.
///
/// The detector learns the retained synthetic sequences and the real ones since the shift, so that it forgets what the
/// shift ended; the predictor learns the source regime as well, because what still happens is best known from there. A
/// fifth of the sequences of the new context, drawn, is held out: on it the cohort's model and the new one are compared. A model
/// that is not better there is not promoted; nor is one trained for a home with fewer than 5 sequences of the new context. Then
/// the cohort's version is returned as `Kept`, with the reason as evidence.
///
/// # Errors
/// A sequence is not of this catalog, or the foundation's weights are of another catalog or preset.
pub fn adapt(
    catalog: &Catalog,
    filtered: &Filtered,
    settings: &Settings,
) -> Result<Adaptation, ModelError> {
    let retained = filtered.verdicts.iter().filter(|v| v.retain);
    let retained = retained.map(|v| &v.candidate.sequence);
    let new: Vec<&Sequence> = retained
        .chain(&filtered.regime.target)
        .filter(|s| !s.0.is_empty())
        .collect();
    let comparison = Comparison {
        key: filtered.key,
        shift: &filtered.regime.shift,
        sequences: new.len(),
    };
    let Some(first) = &filtered.foundation.models else {
        return Err(ModelError::NoData);
    };
    let versions = if new.len() < MIN_SEQUENCES {
        vec![
            comparison.unchanged(Task::Detector, &first.detector),
            comparison.unchanged(Task::Predictor, &first.predictor),
        ]
    } else {
        let home = Home {
            catalog,
            filtered,
            first,
            settings,
            comparison,
        };
        let split = split(new, settings.seed_for(Purpose::Split));
        let detector = home.detector(&split)?;
        vec![detector, home.predictor(split)?]
    };
    Ok(Adaptation {
        key: filtered.key,
        versions,
    })
}

/// A home with enough sequences of its new context.
struct Home<'a> {
    catalog: &'a Catalog,
    filtered: &'a Filtered,
    first: &'a FirstModels,
    settings: &'a Settings,
    comparison: Comparison<'a>,
}

impl<'a> Home<'a> {
    /// The number of its new versions.
    fn number(&self) -> u32 {
        self.filtered.key.regime + 1
    }

    /// The better of the cohort's detector and one that learns the new context alone.
    fn detector(&self, split: &TrainingSplit) -> Result<(Version, Adjustment), ModelError> {
        let cohort = &self.first.detector;
        let old = Detector::load(self.catalog, self.settings.preset, &cohort.weights)?;
        let before = mean(&behavior_losses(&old, &split.held)?);
        let (new, after) = detector(self.catalog, self.number(), split, self.settings)?;
        let losses = (before, after);
        Ok(self
            .comparison
            .better(Task::Detector, cohort, new, losses, split))
    }

    /// The better of the cohort's predictor and one that learns the source as well.
    fn predictor(&self, mut split: TrainingSplit<'a>) -> Result<(Version, Adjustment), ModelError> {
        let cohort = &self.first.predictor;
        let source = self.filtered.regime.source.iter();
        let source: Vec<&Sequence> = source.filter(|s| !s.0.is_empty()).collect();
        let shape = self.settings.preset.predictor();
        let old = Mixture::stored(self.catalog, shape, &cohort.weights, false)?;
        let before = mean(&old.losses(&split.held)?);
        split.train.extend(&source);
        let (model, after) = predictor::adapted(
            self.catalog,
            (old, &cohort.weights),
            &split,
            &source,
            self.settings,
        )?;
        let new = Version {
            number: self.number(),
            weights: model.weights()?,
            threshold: 0.0,
        };
        let losses = (before, after);
        Ok(self
            .comparison
            .better(Task::Predictor, cohort, new, losses, &split))
    }
}
