//! Adam with each parameter updated in place, in one pass over its values.
//!
//! `candle_nn::AdamW` makes about twelve tensors a parameter a step; this makes none.

use std::cell::RefCell;

use candle_core::backprop::GradStore;
use hearth_fused::AdamUpdate;

use super::error::ModelError;
use super::parameters::Parameters;

/// Guards the division where a parameter has hardly moved.
const EPSILON: f32 = 1e-8;

/// The optimiser's state for one model.
pub(crate) struct Adam {
    betas: (f32, f32),
    decay: f32,
    steps: i32,
    /// First and second moment by parameter, in the order of [`Parameters::iter`].
    moments: Vec<RefCell<(Vec<f32>, Vec<f32>)>>,
}

impl Adam {
    /// State for the first step; `betas` are the decays of the two moments.
    pub fn new(parameters: &Parameters, betas: (f32, f32)) -> Self {
        let moments = parameters
            .iter()
            .map(|(_, var)| {
                let size = var.elem_count();
                RefCell::new((vec![0.0; size], vec![0.0; size]))
            })
            .collect();
        Adam {
            betas,
            decay: 0.0,
            steps: 0,
            moments,
        }
    }

    /// Draws all parameters towards zero: `decay` times the parameter is added to its gradient (the L2 penalty of Adam, not
    /// AdamW's).
    pub fn decaying(self, decay: f32) -> Self {
        Adam { decay, ..self }
    }

    /// One step down the gradients with the learning rate `rate`. A parameter without a gradient stays.
    pub fn step(
        &mut self,
        parameters: &Parameters,
        gradients: &GradStore,
        rate: f32,
    ) -> Result<(), ModelError> {
        self.steps += 1;
        let (beta1, beta2) = self.betas;
        let unbias2 = (1.0 - beta2.powi(self.steps)).sqrt();
        let rate = rate * unbias2 / (1.0 - beta1.powi(self.steps));
        for ((_, var), moments) in parameters.iter().zip(&self.moments) {
            let Some(gradient) = gradients.get(var.as_tensor()) else {
                continue;
            };
            let update = AdamUpdate {
                moments,
                betas: self.betas,
                decay: self.decay,
                rate,
                epsilon: EPSILON * unbias2,
            };
            var.inplace_op2(&gradient.contiguous()?, &update)?;
        }
        Ok(())
    }
}
