//! LSTM: a recurrent network with gates (Hochreiter and Schmidhuber, *Long Short-Term Memory*, Neural Computation 9(8), 1997).

use candle_core::{Device, Tensor};

use super::network::{Input, Network, TrainingPlan, sigmoid};
use crate::models::{Linear, Mode, ModelError, Preset, Source, Vocabulary};

/// One layer, its state as long as an embedding.
pub(super) struct Lstm {
    /// From a behaviour to the input, forget and output gates and the candidate.
    input: Linear,
    /// From the state before to the same.
    recurrent: Linear,
}

impl Network for Lstm {
    const NAME: &'static str = "LSTM";

    fn plan(preset: Preset) -> TrainingPlan {
        TrainingPlan::new(preset, 64, 200, 32)
    }

    fn build(source: &mut Source, _: &Vocabulary, width: usize) -> Result<Self, ModelError> {
        Ok(Lstm {
            input: Linear::new(source, "input", width, 4 * width)?,
            recurrent: Linear::new(source, "recurrent", width, 4 * width)?,
        })
    }

    fn states(&self, input: &Input, _: &mut Mode) -> Result<Tensor, ModelError> {
        let (rows, places, width) = input.measures()?;
        let read = self
            .input
            .forward(&input.slots.reshape((rows * places, width))?)?;
        let read = read.reshape((rows, places, 4 * width))?;
        let mut state = Tensor::zeros((rows, width), read.dtype(), &Device::Cpu)?;
        let mut memory = state.clone();
        let mut states = Vec::with_capacity(places);
        for place in 0..places {
            let of_input = read.narrow(1, place, 1)?.squeeze(1)?;
            let sum = (of_input + self.recurrent.forward(&state)?)?;
            let part = |i: usize| sum.narrow(1, i * width, width);
            let kept = (sigmoid(&part(1)?)? * memory)?;
            memory = (kept + (sigmoid(&part(0)?)? * part(3)?.tanh()?)?)?;
            state = (sigmoid(&part(2)?)? * memory.tanh()?)?;
            states.push(state.clone());
        }
        Ok(Tensor::stack(&states, 1)?.reshape((rows * places, width))?)
    }
}
