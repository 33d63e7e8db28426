//! SmartGen's detector as Hearth builds it: in the preset `small` the habits of [`crate::models`], in `paper` its autoencoder, which
//! rebuilds each behaviour from the others; and that autoencoder in every preset as a row of its own, because it is what the habits
//! were weighed against.
//!
//! Where one column is shown, habits have nothing to hold on to but how rare a value is. Order within one column was tried on
//! shifts between the paper's source contexts and found no more.
//!
//! The paper's own detector is the plain [TransAE](super::transae) trained on synthetic sequences; which sequences is the
//! lesson's affair. Sizes and schedule are those of the preset, trained from scratch.

use hearth_operators::words::Sequence;

use super::losses::Losses;
use super::reader::Reader;
use super::{Detection, Lesson, Scorer};
use crate::models::{
    Autoencoder, Columns, Context, Counts, Detector, Habits, ModelError, Preset, WINDOW,
    as_a_whole, generator,
};
use crate::trainer::learn;

/// Hearth's detector.
pub struct SmartGen(pub Preset);

impl Detection for SmartGen {
    fn name(&self) -> &'static str {
        "SmartGen"
    }

    fn fit(&self, lesson: &Lesson) -> Result<Box<dyn Scorer>, ModelError> {
        if !self.0.counts() {
            return Network(self.0).fit(lesson);
        }
        if lesson.columns != Columns::All {
            return Ok(Box::new(Rarity::learn(lesson)?));
        }
        let train: Vec<&Sequence> = lesson.train.iter().collect();
        let habits = Habits::learn(lesson.catalog, &train)?;
        Ok(Box::new(Detector::counted(habits)))
    }
}

impl Scorer for Detector {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        self.strangeness(sequence)
    }
}

/// How rare the values of one column are.
struct Rarity {
    reader: Reader,
    counts: Counts,
}

/// The one context of a value.
const ANY: [Context; 1] = [Context::new(0, [0, 0])];

impl Rarity {
    fn learn(lesson: &Lesson) -> Result<Self, ModelError> {
        let reader = Reader::new(lesson.catalog, lesson.columns);
        let train = reader.train(lesson)?.into_iter().flat_map(|s| &s.0);
        let values = train.flat_map(|q| reader.numbers(q));
        let counts = Counts::of(values.map(|value| (ANY.to_vec(), value as u16)));
        Ok(Rarity { reader, counts })
    }
}

impl Scorer for Rarity {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        self.reader.check(sequence)?;
        let values = sequence.0.iter().flat_map(|q| self.reader.numbers(q));
        let among = self.reader.sizes().iter().sum();
        let losses = values.map(|value| {
            let p = self.counts.probability(&ANY, value as u16, among);
            -p.ln() as f32
        });
        Ok(as_a_whole(&losses.collect::<Vec<_>>()))
    }
}

/// Hearth's autoencoder as a detector.
pub struct Network(pub Preset);

impl Detection for Network {
    fn name(&self) -> &'static str {
        "SmartGen's network"
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
