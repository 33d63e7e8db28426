//! SmartGen: Hearth's own predictor, made as [`crate::trainer`] makes a cohort's first one, from the sequences of the lesson.
//!
//! In use nothing is ever told of the next behaviour. Where an experiment tells its hours, that changes each action's
//! probability by the factor by which it changes the counts' (two n-grams, one that is told the time and one that is not).

use hearth_operators::words::{ActionId, Quadruple, Sequence};

use super::answer::{Next, Vetted};
use super::ngram::Both;
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
        let predictor = predictor(lesson.catalog, &parts, &settings)?;
        let counts = Both::learn(catalog.actions(), &parts.train);
        Ok(catalog.asking(Hearths { predictor, counts }))
    }
}

struct Hearths {
    predictor: Mixture,
    counts: Both,
}

impl Next for Hearths {
    fn next(&self, before: &[Quadruple], given: &Given) -> Result<Vec<f32>, ModelError> {
        let mut read = before.to_vec();
        // The place that is predicted; nothing of it is read.
        read.push(Quadruple {
            weekday: 0,
            hours: 0,
            action: ActionId(0),
        });
        let mut all = self.predictor.predict(&Sequence(read))?;
        let mut probabilities = all.pop().ok_or(ModelError::Empty)?;
        if given.hours.is_some() {
            let told = self.counts.expected(before, given);
            let untold = self.counts.expected(before, &Given::default());
            for ((p, told), untold) in probabilities.iter_mut().zip(told).zip(untold) {
                *p *= (told / untold) as f32;
            }
            let sum: f32 = probabilities.iter().sum();
            probabilities.iter_mut().for_each(|p| *p /= sum);
        }
        Ok(probabilities)
    }
}
