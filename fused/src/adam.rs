//! Adam's step in one pass over a parameter's values.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp2, Layout};

/// A step of Adam down a gradient, for one parameter: both are contiguous and of 32 bits.
pub struct AdamUpdate<'a> {
    /// First and second moment of each value.
    pub moments: &'a RefCell<(Vec<f32>, Vec<f32>)>,
    /// The decays of the two moments.
    pub betas: (f32, f32),
    /// What draws values towards zero (L2).
    pub decay: f32,
    /// The learning rate of this step, without bias.
    pub rate: f32,
    /// Guards the division where a value has hardly moved.
    pub epsilon: f32,
}

impl InplaceOp2 for AdamUpdate<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        to: &Layout,
        gradient: &CpuStorage,
        from: &Layout,
    ) -> candle_core::Result<()> {
        let (CpuStorage::F32(parameter), CpuStorage::F32(gradient)) = (parameter, gradient) else {
            candle_core::bail!("adam works on f32 alone");
        };
        let (Some((a, b)), Some((c, d))) = (to.contiguous_offsets(), from.contiguous_offsets())
        else {
            candle_core::bail!("adam works on contiguous tensors alone");
        };
        let (beta1, beta2) = self.betas;
        let (first, second) = &mut *self.moments.borrow_mut();
        let values = parameter[a..b].iter_mut().zip(&gradient[c..d]);
        for ((value, &g), (m, v)) in values.zip(first.iter_mut().zip(second.iter_mut())) {
            let g = g + self.decay * *value;
            *m += (1.0 - beta1) * (g - *m);
            *v += (1.0 - beta2) * (g * g - *v);
            *value -= self.rate * *m / (v.sqrt() + self.epsilon);
        }
        Ok(())
    }
}
