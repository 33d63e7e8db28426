//! What training depends on besides data.

use rand::Rng;

use crate::models::{Preset, generator};

/// What training depends on besides data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Sizes and schedules.
    pub preset: Preset,
    /// Seed of everything drawn: equal seeds and data give bit-equal weights.
    pub seed: u64,
}

/// What a seed is used for: each purpose draws from a stream of its own, so that none moves another.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Split,
    Encoder,
    Detector,
    Predictor,
    Filter,
    Trial,
}

impl Settings {
    /// The seed for one purpose.
    pub(crate) fn seed_for(&self, purpose: Purpose) -> u64 {
        generator(self.seed, purpose as u64).random()
    }
}
