//! SmartGen's detector as Hearth builds it: in the preset `small` the habits of [`crate::models`], in `paper` its autoencoder,
//! which rebuilds each behaviour from the others; and that autoencoder in every preset as a row of its own, because it is what
//! the habits were weighed against.
//!
//! Where one column is shown, its values are what habits are of.
//!
//! The paper's own detector is the plain [TransAE](super::transae) trained on synthetic sequences; which sequences is
//! for the training data to say. Sizes and schedule are those of the preset, trained from scratch.

use hearth_operators::words::{Action, ActionId, Catalog, Device, Quadruple, Sequence};

use super::calibration::counted;
use super::columns::ColumnReader;
use super::losses::Losses;
use super::{Calibrated, Detection, Scorer, TrainingData};
use crate::models::{
    Autoencoder, Columns, Detector, Habits, ModelError, Preset, WINDOW, generator,
};
use crate::trainer::learn;

/// Hearth's detector.
pub struct SmartGen(pub Preset);

impl Detection for SmartGen {
    fn name(&self) -> &'static str {
        "SmartGen"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        if !self.0.counts() {
            return Network(self.0).fit(data);
        }
        if data.columns != Columns::All {
            return Ok(Box::new(Column::learn(data)?));
        }
        let train: Vec<&Sequence> = data.train.iter().collect();
        let habits = Habits::learn(data.catalog, &train)?;
        Ok(Box::new(Detector::counted(habits)))
    }

    fn calibrated(&self, data: &TrainingData) -> Result<Calibrated, ModelError> {
        if self.0.counts() {
            counted(self, data)
        } else {
            Network(self.0).calibrated(data)
        }
    }
}

impl Scorer for Detector {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        self.anomaly_score(sequence)
    }
}

/// Habits of one column: each value is what is done, and all happens at one time. An action names its device, so of a column of
/// actions there are two habits, the action's and the device's, and their anomaly scores add up: a device that never was used
/// scores above a known one's new action. Where weekday and hours are read as well, that did not help.
struct Column(Vec<(ColumnReader, Detector)>);

impl Column {
    fn learn(data: &TrainingData) -> Result<Self, ModelError> {
        let columns = match data.columns {
            Columns::Action => &[Columns::Action, Columns::Device][..],
            ref other => std::slice::from_ref(other),
        };
        let habits = columns.iter().map(|&columns| {
            let reader = ColumnReader::new(data.catalog, columns);
            let values =
                (0..reader.sizes().iter().sum()).map(|value| Action::new(value.to_string()));
            let column = Device::new("column", values.collect());
            let values = Catalog::new(vec![column]).map_err(|_| ModelError::NoData)?;
            let train = reader.train(data)?;
            let train: Vec<Sequence> = train.iter().map(|s| read(&reader, s)).collect();
            let habits = Habits::learn(&values, &train.iter().collect::<Vec<_>>())?;
            Ok((reader, Detector::counted(habits)))
        });
        Ok(Column(habits.collect::<Result<_, ModelError>>()?))
    }
}

fn read(reader: &ColumnReader, sequence: &Sequence) -> Sequence {
    let values = sequence.0.iter().flat_map(|q| reader.numbers(q));
    let behaviors = values.map(|value| Quadruple {
        weekday: 0,
        hours: 0,
        action: ActionId(value as u16),
    });
    Sequence(behaviors.collect())
}

impl Scorer for Column {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        let scores = self.0.iter().map(|(reader, habits)| {
            reader.check(sequence)?;
            habits.anomaly_score(&read(reader, sequence))
        });
        scores.sum()
    }
}

/// Hearth's autoencoder as a detector.
pub struct Network(pub Preset);

impl Detection for Network {
    fn name(&self) -> &'static str {
        "SmartGen's network"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        let train: Vec<_> = data.train.iter().collect();
        if train.is_empty() {
            return Err(ModelError::NoData);
        }
        let mut shape = self.0.detector();
        shape.columns = data.columns;
        let model = Autoencoder::fresh(data.catalog, shape, &mut generator(data.seed, 0))?;
        learn(&model, &train, WINDOW, &self.0.detector_plan(), data.seed)?;
        Ok(Box::new(Losses(model)))
    }
}
