//! SmartGen: Hearth's own predictor, made as [`crate::trainer`] makes a cohort's first one, from the sequences of the lesson.

use hearth_operators::words::{ActionId, Quadruple, Sequence};

use super::answer::{Next, Vetted};
use crate::experiment::methods::{Given, Lesson, Prediction, Ranker};
use crate::models::{Mixture, ModelError, Preset};
use crate::trainer::{Parts, Settings, predictor};

/// Hearth's predictor in one of its presets.
pub struct SmartGen {
    preset: Preset,
}

impl SmartGen {
    /// Sizes and schedule of a preset.
    pub fn new(preset: Preset) -> Self {
        SmartGen { preset }
    }
}

impl Prediction for SmartGen {
    fn name(&self) -> &'static str {
        "SmartGen"
    }

    fn fit(&self, lesson: &Lesson) -> Result<Box<dyn Ranker>, ModelError> {
        let catalog = Vetted::new(lesson)?;
        let [train, held] = [lesson.train, lesson.held].map(|s| {
            let taught = s.iter().filter(|s| !s.0.is_empty());
            taught.collect()
        });
        let parts = Parts { train, held };
        let settings = Settings {
            preset: self.preset,
            seed: lesson.seed,
        };
        Ok(catalog.asking(predictor(lesson.catalog, &parts, &settings)?))
    }
}

impl Next for Mixture {
    fn next(&self, before: &[Quadruple], _: &Given) -> Result<Vec<f32>, ModelError> {
        let mut read = before.to_vec();
        // The place that is predicted; nothing of it is read.
        read.push(Quadruple {
            weekday: 0,
            hours: 0,
            action: ActionId(0),
        });
        let mut all = self.predict(&Sequence(read))?;
        all.pop().ok_or(ModelError::Empty)
    }
}
