//! How the words of experts become one: a product, each to the power of its weight.

use serde::{Deserialize, Serialize};

/// How many experts there are.
pub(super) const EXPERTS: usize = 3;

/// Weights of a home that has shown nothing yet.
const PRIOR: [f32; EXPERTS] = [0.3, 0.4, 0.3];
/// One in fixed point: sums of contributions do not depend on their order.
const ONE: f32 = (1 << 20) as f32;
/// How far one behaviour moves weights.
const RATE: f32 = 0.004;
/// What one behaviour may say at most.
const MOST: f32 = 4.0;

/// What segments add to the weights of a home's experts, in fixed point: it is summed, and taken back, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution([i32; EXPERTS]);

impl Contribution {
    /// Adds another one, or takes it back.
    pub(super) fn add(&mut self, other: &Contribution, sign: i32) {
        for (sum, part) in self.0.iter_mut().zip(other.0) {
            *sum = sum.wrapping_add(part.wrapping_mul(sign));
        }
    }

    /// One step: by how much more each expert says of what happened than of what was expected.
    pub(super) fn step(&mut self, advantage: &[f32; EXPERTS]) {
        for (sum, advantage) in self.0.iter_mut().zip(advantage) {
            let step = RATE * advantage.clamp(-MOST, MOST) * ONE;
            *sum = sum.wrapping_add(step as i32);
        }
    }

    /// The weights that follow.
    pub(super) fn weights(&self) -> [f32; EXPERTS] {
        let mut weights = PRIOR;
        for (weight, learnt) in weights.iter_mut().zip(self.0) {
            *weight = (*weight + learnt as f32 / ONE).clamp(0.0, 2.0);
        }
        weights
    }
}

/// The product of what the experts say (logarithms, by expert and action) as probabilities.
pub(super) fn mix(weights: &[f32; EXPERTS], said: &[Vec<f32>; EXPERTS]) -> Vec<f32> {
    let actions = said[0].len();
    let mut mixed = vec![0.0; actions];
    for (weight, said) in weights.iter().zip(said) {
        for (sum, said) in mixed.iter_mut().zip(said) {
            *sum += weight * said;
        }
    }
    let most = mixed.iter().copied().fold(f32::MIN, f32::max);
    let mut total = 0.0;
    for q in &mut mixed {
        *q = (*q - most).exp();
        total += *q;
    }
    for q in &mut mixed {
        *q /= total;
    }
    mixed
}
