//! SmartGen: Hearth's own predictor, made as [`crate::trainer`] makes a cohort's first one, from the sequences of the lesson.

use hearth_operators::words::{ActionId, Quadruple};

use super::answer::{Next, Vetted};
use crate::experiment::methods::{Given, Lesson, Prediction, Ranker};
use crate::models::{ModelError, Preset, SasRec, fit, generator, windows};

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
        let shape = self.preset.predictor();
        let model = SasRec::fresh(lesson.catalog, shape, &mut generator(lesson.seed, 0))?;
        let windows = windows(lesson.train, shape.window);
        fit(
            &model,
            &windows,
            &[],
            &self.preset.predictor_plan(),
            lesson.seed,
        )?;
        Ok(catalog.asking(Hearths {
            model,
            window: shape.window,
        }))
    }
}

struct Hearths {
    model: SasRec,
    window: usize,
}

impl Next for Hearths {
    fn next(&self, before: &[Quadruple], _: &Given) -> Result<Vec<f32>, ModelError> {
        let read = before.len().min(self.window - 1);
        let mut window = before[before.len() - read..].to_vec();
        window.push(Quadruple {
            weekday: 0,
            hours: 0,
            action: ActionId(0),
        });
        let mut all = self.model.predict(&window)?;
        all.pop().ok_or(ModelError::Empty)
    }
}
