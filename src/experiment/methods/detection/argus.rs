//! ARGUS: an autoencoder of gated recurrent units.
//!
//! Rieger, Chilese, Mohamed, Miettinen, Fereidooni, Sadeghi: *ARGUS: Context-Based Detection of Stealthy IoT Infiltration
//! Attacks*, USENIX Security 2023; units after Cho et al., EMNLP 2014. Form and sizes are the authors' of SmartGen: four layers
//! 128 → 256 → 64 → 256 → 128, the decoder reading what the encoder says at each place. Ours: see [`super::reconstruction`].

use candle_core::{DType, Device, Tensor};

use super::autoencoder::hourglass;
use super::reconstruction::{Network, Reconstruction, Vectors, train};
use super::{Detection, Scorer, TrainingData};
use crate::models::{Linear, Mode, ModelError, Preset, Source};

/// GRU autoencoder.
pub struct Argus(pub Preset);

impl Detection for Argus {
    fn name(&self) -> &'static str {
        "ARGUS"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        train(self.fresh(data)?, data, self.0)
    }
}

impl Argus {
    /// The untrained model.
    pub(super) fn fresh(
        &self,
        data: &TrainingData,
    ) -> Result<Reconstruction<Recurrent>, ModelError> {
        hourglass(self.0, data, Gru::new, Recurrent)
    }
}

/// One after the other.
pub(super) struct Recurrent(Vec<Gru>);

impl Network for Recurrent {
    /// Padding stands at the ends, and time runs forward: it is never read.
    fn rebuild(&self, vectors: &Vectors, _: &mut Mode) -> Result<Tensor, ModelError> {
        let (rows, places) = (vectors.rows, vectors.places);
        self.0.iter().try_fold(vectors.x.clone(), |x, layer| {
            layer.forward(&x, rows, places)
        })
    }
}

/// A layer of gated recurrent units: `h' = z h + (1 − z) tanh(n + r m)`, where the gates `r`, `z` and the proposals `n`
/// (from the input), `m` (from `h`) are linear.
struct Gru {
    /// To r, z and n.
    input: Linear,
    /// To r, z and m.
    state: Linear,
    width: usize,
}

impl Gru {
    fn new(source: &mut Source, name: &str, from: usize, to: usize) -> Result<Self, ModelError> {
        Ok(Gru {
            input: Linear::new(source, &format!("{name}.input"), from, 3 * to)?,
            state: Linear::new(source, &format!("{name}.state"), to, 3 * to)?,
            width: to,
        })
    }

    /// The state after each place, `[rows × places, width]`.
    fn forward(&self, x: &Tensor, rows: usize, places: usize) -> Result<Tensor, ModelError> {
        let width = self.width;
        let input = self.input.forward(x)?.reshape((rows, places, 3 * width))?;
        let mut h = Tensor::zeros((rows, width), DType::F32, &Device::Cpu)?;
        let mut states = Vec::with_capacity(places);
        for place in 0..places {
            let told = input.narrow(1, place, 1)?.squeeze(1)?;
            let own = self.state.forward(&h)?;
            let gates = (told.narrow(1, 0, 2 * width)? + own.narrow(1, 0, 2 * width)?)?;
            let gates = sigmoid(&gates)?;
            let (r, z) = (gates.narrow(1, 0, width)?, gates.narrow(1, width, width)?);
            let m = own.narrow(1, 2 * width, width)?;
            let proposal = (told.narrow(1, 2 * width, width)? + (r * m)?)?.tanh()?;
            h = (&proposal + (z * (&h - &proposal)?)?)?;
            states.push(h.clone());
        }
        Ok(Tensor::stack(&states, 1)?.reshape((rows * places, width))?)
    }
}

/// `1 / (1 + e^−x)`, of operations that candle differentiates.
fn sigmoid(x: &Tensor) -> Result<Tensor, ModelError> {
    Ok((((x / 2.0)?.tanh()? + 1.0)? / 2.0)?)
}
