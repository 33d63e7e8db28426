//! The honest yardstick among the trivial answers: Hearth's interpolated n-gram (`crate::models`) as a method of its own.
//!
//! Witten and Bell's smoothing, order three down to none, with the time of day; the first behaviour of a sequence
//! has weights of its own between what sequences begin with and what happens at that weekday and hour. The time is that of
//! the behaviour to be predicted where it is given, else that of the one before: two models, each trained for its question.

use hearth_operators::words::{Quadruple, Sequence};

use super::answer::{Next, Vetted};
use crate::experiment::methods::{Given, Prediction, Ranker, TrainingData};
use crate::models::{ModelError, Ngram, Situation, When};

/// The interpolated n-gram.
pub struct InterpolatedNgram;

impl Prediction for InterpolatedNgram {
    fn name(&self) -> &'static str {
        "n-gram"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Ranker>, ModelError> {
        let catalog = Vetted::new(data)?;
        let sequences: Vec<&Sequence> = data.train.iter().collect();
        let both = Both::learn(catalog.actions(), &sequences);
        Ok(catalog.asking(both))
    }
}

/// The model for each question.
pub(super) struct Both {
    told: Ngram,
    untold: Ngram,
}

impl Both {
    /// Counts some sequences over a catalog of so many actions.
    pub fn learn(actions: usize, sequences: &[&Sequence]) -> Self {
        Both {
            told: Ngram::learn(actions, sequences, true),
            untold: Ngram::learn(actions, sequences, false),
        }
    }

    /// The probabilities of all actions. None is 0.
    pub fn expected(&self, before: &[Quadruple], given: &Given) -> Vec<f64> {
        let weekday = given.weekday;
        match given.hours.map(|hours| When { hours, weekday }) {
            None => self.untold.predict(&Situation::new(before, None)),
            told => self.told.predict(&Situation::new(before, told)),
        }
    }
}

impl Next for Both {
    fn next(&self, before: &[Quadruple], given: &Given) -> Result<Vec<f32>, ModelError> {
        let probabilities = self.expected(before, given);
        Ok(probabilities.into_iter().map(|p| p as f32).collect())
    }
}
