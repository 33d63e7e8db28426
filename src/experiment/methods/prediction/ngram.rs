//! The honest yardstick among the trivial answers: Hearth's interpolated n-gram (`crate::models`) as a method of its own.
//!
//! Witten and Bell's smoothing, order three down to none, with the time of day; the first behaviour of a sequence
//! has weights of its own between what sequences begin with and what happens at that weekday and hour. The time is that of
//! the behaviour to be predicted where it is given, else that of the one before: two models, each trained for its question.

use hearth_operators::words::{Quadruple, Sequence};

use super::answer::{Next, Vetted};
use crate::experiment::methods::{Given, Lesson, Prediction, Ranker};
use crate::models::{ModelError, Ngram, Situation, When};

/// The interpolated n-gram.
pub struct InterpolatedNgram;

struct Both {
    told: Ngram,
    untold: Ngram,
}

impl Prediction for InterpolatedNgram {
    fn name(&self) -> &'static str {
        "n-gram"
    }

    fn fit(&self, lesson: &Lesson) -> Result<Box<dyn Ranker>, ModelError> {
        let catalog = Vetted::new(lesson)?;
        let sequences: Vec<&Sequence> = lesson.train.iter().collect();
        let learn = |told| Ngram::learn(catalog.actions(), &sequences, told);
        let both = Both {
            told: learn(true),
            untold: learn(false),
        };
        Ok(catalog.asking(both))
    }
}

impl Next for Both {
    fn next(&self, before: &[Quadruple], given: &Given) -> Result<Vec<f32>, ModelError> {
        let weekday = given.weekday;
        let told = given.hours.map(|hours| When { hours, weekday });
        let model = if told.is_some() {
            &self.told
        } else {
            &self.untold
        };
        let probabilities = model.predict(&Situation::new(before, told));
        Ok(probabilities.into_iter().map(|p| p as f32).collect())
    }
}
