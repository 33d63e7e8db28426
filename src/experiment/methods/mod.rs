//! The systems that are compared: Hearth's own models, the paper's baselines and the trivial answers, one file each.
//!
//! A method is its settings; `fit` makes a model of it. Training depends on its [`TrainingData`] alone (seed included).

pub mod detection;
mod life;
pub mod prediction;

use hearth_operators::words::{Catalog, DeviceId, Hours, Quadruple, Sequence, Weekday};

use crate::models::{Columns, ModelError};
pub use life::Life;

/// What a method learns from.
#[derive(Clone, Copy)]
pub struct TrainingData<'a> {
    /// The closed vocabulary.
    pub catalog: &'a Catalog,
    /// Sequences to learn, none empty.
    pub train: &'a [Sequence],
    /// Sequences to stop, tune or calibrate by; never a test set.
    pub held: &'a [Sequence],
    /// All of them in the order in which a home lived them, where there is one.
    pub life: Option<&'a Life>,
    /// What of a behaviour is read. The paper's protocol shows a detector the one column that the attack is in.
    pub columns: Columns,
    /// Seed of everything drawn.
    pub seed: u64,
}

/// Gives sequences an anomaly score (anomaly detection, AD).
pub trait Scorer: Send + Sync {
    /// The higher, the more anomalous; comparable between sequences of one model.
    ///
    /// # Errors
    /// The sequence is empty or not of the catalog.
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError>;

    /// The score above which the method itself speaks of an anomaly, where it has a rule of its own.
    fn threshold(&self) -> Option<f32> {
        None
    }
}

/// What is told of the behaviour to be predicted. The paper's protocol tells all of it but the action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Its weekday.
    pub weekday: Option<Weekday>,
    /// Its three-hour bucket.
    pub hours: Option<Hours>,
    /// Its device.
    pub device: Option<DeviceId>,
}

/// Says which action comes next (behaviour prediction, BP).
pub trait Ranker: Send + Sync {
    /// A score for each action of the catalog, by action id, the higher the more expected, after the behaviours `before`
    /// (none: a sequence begins) and what is `given` of the next.
    ///
    /// # Errors
    /// A behaviour is not of the catalog.
    fn rank(&self, before: &[Quadruple], given: &Given) -> Result<Vec<f32>, ModelError>;
}

/// A way to make a [`Scorer`].
pub trait Detection: Send + Sync {
    /// Its name in tables, as the paper writes it.
    fn name(&self) -> &'static str;

    /// Learns.
    ///
    /// # Errors
    /// There is nothing to learn from, or a sequence is not of the catalog.
    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError>;

    /// Learns, and scores sequences by what has not learnt them, for a threshold: the held-out ones, unless the method has a
    /// better way.
    ///
    /// # Errors
    /// As [`Detection::fit`] and [`Scorer::score`].
    fn calibrated(&self, data: &TrainingData) -> Result<Calibrated, ModelError> {
        let scorer = self.fit(data)?;
        let unlearnt = data.held.iter().map(|s| scorer.score(s));
        Ok(Calibrated {
            unlearnt: unlearnt.collect::<Result<_, _>>()?,
            scorer,
        })
    }
}

/// A [`Scorer`], and what normal sequences score that it does not know.
pub struct Calibrated {
    /// What scores sequences.
    pub scorer: Box<dyn Scorer>,
    /// One score a sequence.
    pub unlearnt: Vec<f32>,
}

/// A way to make a [`Ranker`].
pub trait Prediction: Send + Sync {
    /// Its name in tables, as the paper writes it.
    fn name(&self) -> &'static str;

    /// Learns.
    ///
    /// # Errors
    /// There is nothing to learn from, or a sequence is not of the catalog.
    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Ranker>, ModelError>;
}
