//! The anomaly score of behaviours: by a home's habits, or by the paper's autoencoder.

use hearth_operators::words::{Catalog, Sequence, Weights};

use super::autoencoder::Autoencoder;
use super::encoding::Window;
use super::error::ModelError;
use super::fit::{Learner, mean, readable};
use super::habits::Habits;
use super::preset::{Preset, WINDOW};

/// The weight of the greatest loss in a sequence's anomaly score, beside the mean of all.
const GREATEST: f32 = 0.5;

/// Gives each behaviour of a sequence a loss, the higher the more anomalous.
pub struct Detector(Kind);

enum Kind {
    Habits(Habits),
    Network(Autoencoder),
}

impl Detector {
    /// Loads a detector [`Version`](hearth_operators::words::Version).
    ///
    /// # Errors
    /// The weights are of another model, preset or catalog.
    pub fn load(catalog: &Catalog, preset: Preset, w: &Weights) -> Result<Self, ModelError> {
        Ok(Detector(if preset.counts() {
            Kind::Habits(Habits::stored(catalog, w)?)
        } else {
            Kind::Network(Autoencoder::stored(catalog, preset.detector(), w)?)
        }))
    }

    /// A detector that is a network.
    pub(crate) fn of(network: Autoencoder) -> Self {
        Detector(Kind::Network(network))
    }

    /// A detector that is counted habits.
    pub(crate) fn counted(habits: Habits) -> Self {
        Detector(Kind::Habits(habits))
    }

    /// Everything that is stored; equal detectors give equal bytes. A network must be one that was trained, not only loaded.
    pub(crate) fn weights(&self) -> Result<Weights, ModelError> {
        match &self.0 {
            Kind::Habits(habits) => habits.weights(),
            Kind::Network(network) => network.parameters().weights(),
        }
    }

    /// One loss a behaviour, in nats. By habits: how surprising what it does, when and how often are. By the autoencoder: minus the
    /// log probability of its action at its time, plus a weighted share of that of its time, from the rest of its window.
    ///
    /// # Errors
    /// The sequence is empty or not of this catalog.
    pub fn losses(&self, s: &Sequence) -> Result<Vec<f32>, ModelError> {
        match &self.0 {
            Kind::Habits(habits) => habits.losses(s),
            Kind::Network(network) => {
                readable(network, s)?;
                let windows: Vec<Window> = s.windows(WINDOW).collect();
                Ok(network.scores(&windows)?.concat())
            }
        }
    }

    /// The anomaly score of a sequence: by habits the mean of its behaviours' losses and half the greatest, so that one
    /// anomalous behaviour is noticed among many; by the autoencoder the mean, as the paper has it.
    ///
    /// # Errors
    /// As [`Detector::losses`].
    pub fn anomaly_score(&self, s: &Sequence) -> Result<f32, ModelError> {
        let losses = self.losses(s)?;
        Ok(match &self.0 {
            Kind::Habits(_) => mean(std::slice::from_ref(&losses)) + GREATEST * greatest(&losses),
            Kind::Network(_) => mean(&[losses]),
        })
    }
}

fn greatest(losses: &[f32]) -> f32 {
    losses.iter().copied().fold(f32::MIN, f32::max)
}
