//! What all predictors have in common: they refuse what is not of the catalog, and a device that is given restricts them.

use hearth_operators::words::{DeviceId, Quadruple, Sequence};

use crate::experiment::methods::{Given, Ranker, TrainingData};
use crate::models::{Columns, ModelError, Vocabulary};

/// A fitted method before it is restricted.
pub(super) trait Next: Send + Sync {
    /// The probabilities of all actions, by action id, after the behaviours `before`, all of the catalog. Of what is given
    /// the device may be left to the caller.
    fn next(&self, before: &[Quadruple], given: &Given) -> Result<Vec<f32>, ModelError>;
}

/// The catalog of the training data: what may be asked, and which actions a device has.
pub(super) struct Vetted {
    vocabulary: Vocabulary,
    /// By action: its device.
    devices: Vec<DeviceId>,
}

impl Vetted {
    /// Refuses training data that holds no behaviour, or one that is not of its catalog.
    pub fn new(data: &TrainingData) -> Result<Self, ModelError> {
        let vocabulary = Vocabulary::new(data.catalog, Columns::All);
        if data.train.iter().all(|s| s.0.is_empty()) {
            return Err(ModelError::NoData);
        }
        for sequence in data.train.iter().chain(data.held) {
            vocabulary.check(sequence)?;
        }
        let actions = data.catalog.action_ids();
        Ok(Vetted {
            vocabulary,
            devices: actions.map(|a| data.catalog.device_of(a)).collect(),
        })
    }

    /// How many actions there are.
    pub fn actions(&self) -> usize {
        self.devices.len()
    }

    /// What `method` learnt, asked by this catalog's rules.
    pub fn asking(self, method: impl Next + 'static) -> Box<dyn Ranker> {
        Box::new(Restricted {
            catalog: self,
            method,
        })
    }
}

struct Restricted<N> {
    catalog: Vetted,
    method: N,
}

impl<N: Next> Ranker for Restricted<N> {
    fn rank(&self, before: &[Quadruple], given: &Given) -> Result<Vec<f32>, ModelError> {
        self.catalog.vocabulary.check(&Sequence(before.to_vec()))?;
        let mut probabilities = self.method.next(before, given)?;
        if let Some(device) = given.device {
            restrict(&mut probabilities, &self.catalog.devices, device);
        }
        Ok(probabilities)
    }
}

/// Conditions on the device: other devices' actions become impossible, its own keep their proportions (equal ones if none
/// was thought possible). A device without actions tells nothing.
fn restrict(probabilities: &mut [f32], devices: &[DeviceId], device: DeviceId) {
    let of = |other: &&DeviceId| **other == device;
    let own = devices.iter().filter(of).count();
    if own == 0 {
        return;
    }
    let all = probabilities.iter().zip(devices);
    let sum: f32 = all.filter(|(_, d)| of(d)).map(|(p, _)| p).sum();
    for (p, other) in probabilities.iter_mut().zip(devices) {
        *p = match (of(&other), sum > 0.0) {
            (false, _) => 0.0,
            (true, true) => *p / sum,
            (true, false) => 1.0 / own as f32,
        };
    }
}
