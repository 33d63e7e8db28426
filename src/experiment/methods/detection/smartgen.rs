//! SmartGen's detector as Hearth builds it: the autoencoder of [`crate::models`], which rebuilds each behaviour from the others.
//!
//! The paper's own detector is the plain [TransAE](super::transae) trained on synthetic sequences; which sequences is the
//! lesson's affair. Sizes and schedule are those of the preset, trained from scratch.

use super::losses::Losses;
use super::{Detection, Lesson, Scorer};
use crate::models::{Autoencoder, ModelError, Preset, WINDOW, generator};
use crate::trainer::learn;

/// Hearth's detector.
pub struct SmartGen(pub Preset);

impl Detection for SmartGen {
    fn name(&self) -> &'static str {
        "SmartGen"
    }

    fn fit(&self, lesson: &Lesson) -> Result<Box<dyn Scorer>, ModelError> {
        let train: Vec<_> = lesson.train.iter().collect();
        if train.is_empty() {
            return Err(ModelError::NoData);
        }
        let mut shape = self.0.detector();
        shape.columns = lesson.columns;
        let model = Autoencoder::fresh(lesson.catalog, shape, &mut generator(lesson.seed, 0))?;
        learn(&model, &train, WINDOW, &self.0.detector_plan(), lesson.seed)?;
        Ok(Box::new(Losses(model)))
    }
}
