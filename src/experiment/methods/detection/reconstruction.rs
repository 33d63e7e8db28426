//! What the paper's three reconstructing baselines share: embeddings in, a network that rebuilds them, logits out.
//!
//! Each behaviour of a window becomes one vector, the sum of its columns' embeddings. A [`Network`] makes of the window's
//! vectors as many others, from which a linear layer guesses each column. The cross entropies of the columns, summed, are
//! the behaviour's loss; the device is guessed only where it stands alone, for an action has but one. Ours: several columns at
//! once (the authors read one) and padding that is never looked at.

use candle_core::{Device, Tensor};
use hearth_operators::words::{HOURS, WEEKDAYS};
use rand_chacha::ChaCha8Rng;

use super::losses::Losses;
use super::{Scorer, TrainingData};
use crate::models::{
    Batch, Columns, Embeddings, HIDDEN, Learner, Linear, Mode, ModelError, Parameters, Preset,
    Source, Vocabulary, WINDOW, Window, cross_entropy, generator,
};
use crate::trainer::learn;

/// The vectors of a batch of windows.
pub(super) struct Vectors {
    /// `[rows × places, width]`, row by row.
    pub x: Tensor,
    /// Windows.
    pub rows: usize,
    /// Behaviours of the longest window; shorter ones are padded at their ends.
    pub places: usize,
    /// Added to an attention, so that padding is not looked at: `[rows, 1, places]`.
    pub mask: Tensor,
}

/// Rebuilds vectors.
pub(super) trait Network: Send + Sync {
    /// A vector for each of the vectors, `[rows × places, width]`. What stands at padded places must not change the others.
    fn rebuild(&self, vectors: &Vectors, mode: &mut Mode) -> Result<Tensor, ModelError>;
}

/// A network between embeddings and logits.
pub(super) struct Reconstruction<N> {
    vocabulary: Vocabulary,
    columns: Columns,
    /// How many logits there are for each guessed column.
    sizes: Vec<usize>,
    table: Embeddings,
    network: N,
    out: Linear,
    parameters: Parameters,
}

impl<N: Network> Reconstruction<N> {
    /// A fresh one whose vectors have the length `width`; `build` makes the network.
    pub fn fresh(
        data: &TrainingData,
        width: usize,
        build: impl FnOnce(&mut Source) -> Result<N, ModelError>,
    ) -> Result<Self, ModelError> {
        let TrainingData {
            catalog, columns, ..
        } = *data;
        let mut rng = generator(data.seed, 0);
        let mut source = Source::fresh("reconstruction".into(), &mut rng);
        let vocabulary = Vocabulary::new(catalog, columns);
        let table = Embeddings::new(&mut source, &vocabulary, width)?;
        let network = build(&mut source)?;
        let sizes = match columns {
            Columns::All => vec![WEEKDAYS.len(), HOURS.len(), catalog.actions()],
            Columns::Weekday => vec![WEEKDAYS.len()],
            Columns::Hours => vec![HOURS.len()],
            Columns::Device => vec![catalog.devices().len()],
            Columns::Action => vec![catalog.actions()],
        };
        let out = Linear::new(&mut source, "out", width, sizes.iter().sum())?;
        Ok(Reconstruction {
            vocabulary,
            columns,
            sizes,
            table,
            network,
            out,
            parameters: source.finish()?,
        })
    }

    /// The loss of each place, `[rows, places]`; what stands at padded places means nothing.
    fn losses(&self, batch: &Batch, mode: &mut Mode) -> Result<Tensor, ModelError> {
        let (rows, places) = (batch.rows, batch.places);
        let slots = self.table.slots(batch)?;
        let width = slots.dim(1)?;
        // The slot of the start token is of no use here.
        let x = slots
            .reshape((rows, places + 1, width))?
            .narrow(1, 1, places)?
            .reshape((rows * places, width))?;
        let lengths = batch.lengths.iter();
        let mask: Vec<f32> = lengths
            .flat_map(|&length| (0..places).map(move |i| if i < length { 0.0 } else { HIDDEN }))
            .collect();
        let vectors = Vectors {
            x,
            rows,
            places,
            mask: Tensor::from_vec(mask, (rows, 1, places), &Device::Cpu)?,
        };
        let rebuilt = self.network.rebuild(&vectors, mode)?;
        let logits = self.out.forward(&rebuilt)?;
        let targets = match self.columns {
            Columns::All => vec![&batch.weekday, &batch.hours, &batch.action],
            Columns::Weekday => vec![&batch.weekday],
            Columns::Hours => vec![&batch.hours],
            Columns::Device => vec![&batch.device],
            Columns::Action => vec![&batch.action],
        };
        let mut start = 0;
        let mut sum = Tensor::zeros(rows * places, candle_core::DType::F32, &Device::Cpu)?;
        for (&size, targets) in self.sizes.iter().zip(targets) {
            sum = (sum + cross_entropy(&logits.narrow(1, start, size)?, targets)?)?;
            start += size;
        }
        Ok(sum.reshape((rows, places))?)
    }
}

impl<N: Network> Learner for Reconstruction<N> {
    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn objective(&self, windows: &[Window], rng: &mut ChaCha8Rng) -> Result<Tensor, ModelError> {
        let batch = Batch::new(&self.vocabulary, windows)?;
        let losses = self.losses(&batch, &mut Mode::Train(rng))?;
        Ok((losses * batch.mean()?)?.sum_all()?)
    }

    fn scores(&self, windows: &[Window]) -> Result<Vec<Vec<f32>>, ModelError> {
        let batch = Batch::new(&self.vocabulary, windows)?;
        let mut losses: Vec<Vec<f32>> = self.losses(&batch, &mut Mode::Use)?.to_vec2()?;
        for (losses, window) in losses.iter_mut().zip(windows) {
            losses.truncate(window.len());
        }
        Ok(losses)
    }
}

/// Trains a fresh reconstruction on the training sequences, by the detector's schedule of the preset (`paper`: 15 epochs, batch
/// 32, Adam 1e-3).
pub(super) fn train<N: Network + 'static>(
    model: Reconstruction<N>,
    data: &TrainingData,
    preset: Preset,
) -> Result<Box<dyn Scorer>, ModelError> {
    let train: Vec<_> = data.train.iter().collect();
    if train.is_empty() {
        return Err(ModelError::NoData);
    }
    learn(&model, &train, WINDOW, &preset.detector_plan(), data.seed)?;
    Ok(Box::new(Losses(model)))
}
