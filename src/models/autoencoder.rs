//! The transformer autoencoder (the paper's equations 2–8) that compresses, filters and detects.
//!
//! The encoder reads the whole window and its mean memory is the *latent*, one vector. The decoder rebuilds behaviour
//! `i` from the latent and the behaviours before it. Two things keep it from merely copying its input: the latent
//! is a bottleneck, and a behaviour can be hidden from the encoder. Training hides some at random; scoring hides
//! each behaviour in turn, so that a loss says how well the *others* explain it (unhidden, most anomalies go unnoticed).
//!
//! What is rebuilt of a behaviour is first its time (weekday, bucket), then its action given that time: their cross
//! entropies, weighted and summed, are its loss.

use candle_core::{Device, Tensor};
use hearth_operators::words::{Catalog, HOURS, WEEKDAYS, Weights};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::encoding::{Batch, Columns, Embeddings, Vocabulary, Window};
use super::error::ModelError;
use super::fit::Learner;
use super::layers::{Block, HIDDEN, LayerNorm, Linear, Measures, Mode, causal, cross_entropy};
use super::parameters::{Parameters, Source};

/// How often training hides a behaviour from the encoder.
const HIDE: f32 = 0.5;
/// What the weekday counts in a loss. It follows from the behaviour before almost always, so it only breaks ties.
const WEEKDAY_WEIGHT: f64 = 0.1;
/// What the hour bucket counts in a loss, the action counting 1. Less than 1, because the bucket of a first behaviour is
/// mostly chance: with 1 a swapped action is found clearly less often, a wrong hour hardly more.
const HOURS_WEIGHT: f64 = 0.5;
/// How many rows are scored at once.
const SCORED: usize = 128;

/// The shape of an autoencoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub measures: Measures,
    /// Blocks of the encoder, and of the decoder.
    pub blocks: usize,
    pub columns: Columns,
}

impl Shape {
    fn label(&self) -> String {
        format!(
            "autoencoder 1, {} heads, {:?}",
            self.measures.heads, self.columns
        )
    }
}

/// An autoencoder over a catalog.
pub(crate) struct Autoencoder {
    vocabulary: Vocabulary,
    shape: Shape,
    table: Embeddings,
    encoder: Vec<Block>,
    encoded: LayerNorm,
    decoder: Vec<Block>,
    decoded: LayerNorm,
    /// To weekday and hours; where one column is read, only what that column needs exists.
    time: Option<Linear>,
    /// Joins what the decoder says with the time, for the action.
    join: Option<Linear>,
    parameters: Parameters,
}

/// The name of the table of embeddings.
const TABLE: &str = "table";

/// Which behaviours of a batch the encoder sees: `[row][place]`, flat, padded with `false`.
struct Visible(Vec<bool>);

impl Autoencoder {
    /// A new one, its weights drawn from `rng`.
    pub fn fresh(
        catalog: &Catalog,
        shape: Shape,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ModelError> {
        let vocabulary = Vocabulary::new(catalog, shape.columns);
        Self::build(vocabulary, shape, Source::fresh(shape.label(), rng))
    }

    /// One that was trained before; of a catalog that has grown since it knows the first ids.
    pub fn stored(catalog: &Catalog, shape: Shape, weights: &Weights) -> Result<Self, ModelError> {
        let source = Source::stored(shape.label(), weights, false)?;
        let rows = source.rows(TABLE).unwrap_or_default();
        Self::build(
            Vocabulary::first(catalog, shape.columns, rows),
            shape,
            source,
        )
    }

    fn build(vocabulary: Vocabulary, shape: Shape, mut source: Source) -> Result<Self, ModelError> {
        let Measures { width, .. } = shape.measures;
        let source_ = &mut source;
        let table = Embeddings::named(source_, TABLE, &vocabulary, width)?;
        let encoder = (0..shape.blocks)
            .map(|i| Block::new(source_, &format!("encoder.{i}"), shape.measures))
            .collect::<Result<_, _>>()?;
        let encoded = LayerNorm::new(source_, "encoded", width)?;
        let decoder = (0..shape.blocks)
            .map(|i| Block::with_memory(source_, &format!("decoder.{i}"), shape.measures))
            .collect::<Result<_, _>>()?;
        let decoded = LayerNorm::new(source_, "decoded", width)?;
        let times = match shape.columns {
            Columns::All => WEEKDAYS.len() + HOURS.len(),
            Columns::Weekday => WEEKDAYS.len(),
            Columns::Hours => HOURS.len(),
            Columns::Device | Columns::Action => 0,
        };
        let time = match times {
            0 => None,
            _ => Some(Linear::new(source_, "time", width, times)?),
        };
        let join = match shape.columns {
            Columns::All => Some(Linear::new(source_, "join", width, width)?),
            _ => None,
        };
        Ok(Autoencoder {
            vocabulary,
            shape,
            table,
            encoder,
            encoded,
            decoder,
            decoded,
            time,
            join,
            parameters: source.finish()?,
        })
    }

    /// The vectors of all slots with their sinusoidal positions (eq. 2–3), `[rows, places + 1, width]`.
    fn slots(&self, batch: &Batch) -> Result<Tensor, ModelError> {
        let slots = batch.places + 1;
        let width = self.shape.measures.width;
        let x = self
            .table
            .slots(batch)?
            .reshape((batch.rows, slots, width))?;
        Ok(x.broadcast_add(&positions(slots, width)?)?)
    }

    /// The mean memory of the slots that are visible, `[rows, width]`. The start token always is, so there is one.
    fn latent(
        &self,
        batch: &Batch,
        slots: &Tensor,
        visible: &Visible,
        mode: &mut Mode,
    ) -> Result<Tensor, ModelError> {
        let (rows, places, width) = slots.dims3()?;
        let mut mask = vec![HIDDEN; rows * places];
        let mut mean = vec![0f32; rows * places];
        for row in 0..rows {
            let seen = &visible.0[row * batch.places..][..batch.places];
            let share = 1.0 / (1 + seen.iter().filter(|s| **s).count()) as f32;
            for (slot, seen) in std::iter::once(&true).chain(seen).enumerate() {
                if *seen {
                    mask[row * places + slot] = 0.0;
                    mean[row * places + slot] = share;
                }
            }
        }
        let mask = Tensor::from_vec(mask, (rows, 1, places), &Device::Cpu)?;
        let mean = Tensor::from_vec(mean, (rows, 1, places), &Device::Cpu)?;
        let mut x = slots.reshape((rows * places, width))?;
        for block in &self.encoder {
            x = block.forward(&x, rows, &mask, None, mode)?;
        }
        let memory = self.encoded.forward(&x)?.reshape((rows, places, width))?;
        Ok(mean.matmul(&memory)?.squeeze(1)?)
    }

    /// The loss of each place, `[rows, places]`; what stands at padded places means nothing.
    fn losses(
        &self,
        batch: &Batch,
        visible: &Visible,
        mode: &mut Mode,
    ) -> Result<Tensor, ModelError> {
        let (rows, places, width) = (batch.rows, batch.places, self.shape.measures.width);
        let slots = self.slots(batch)?;
        let latent = self.latent(batch, &slots, visible, mode)?;
        let mask = causal(places)?;
        let mut x = slots
            .narrow(1, 0, places)?
            .reshape((rows * places, width))?;
        for block in &self.decoder {
            x = block.forward(&x, rows, &mask, Some(&latent), mode)?;
        }
        let said = self.decoded.forward(&x)?;
        let losses = match (self.shape.columns, &self.time, &self.join) {
            (Columns::All, Some(time), Some(join)) => {
                let logits = time.forward(&said)?;
                let weekday = logits.narrow(1, 0, WEEKDAYS.len())?;
                let hours = logits.narrow(1, WEEKDAYS.len(), HOURS.len())?;
                let when = (&said + self.table.times(batch)?)?;
                let what = (&when + join.forward(&when)?.relu()?)?;
                let action = what.matmul(&self.table.actions()?.t()?)?;
                let weekday = (cross_entropy(&weekday, &batch.weekday)? * WEEKDAY_WEIGHT)?;
                let hours = (cross_entropy(&hours, &batch.hours)? * HOURS_WEIGHT)?;
                ((cross_entropy(&action, &batch.action)? + hours)? + weekday)?
            }
            (Columns::Weekday, Some(time), _) => {
                cross_entropy(&time.forward(&said)?, &batch.weekday)?
            }
            (_, Some(time), _) => cross_entropy(&time.forward(&said)?, &batch.hours)?,
            (Columns::Device, ..) => {
                cross_entropy(&said.matmul(&self.table.devices()?.t()?)?, &batch.device)?
            }
            _ => cross_entropy(&said.matmul(&self.table.actions()?.t()?)?, &batch.action)?,
        };
        Ok(losses.reshape((rows, places))?)
    }

    /// A vector of length 1 that stands for no behaviour.
    pub fn nothing(&self) -> Vec<f32> {
        let width = self.shape.measures.width;
        let first = std::iter::once(1.0).chain(std::iter::repeat(0.0));
        first.take(width).collect()
    }

    /// The latent of each window, everything visible.
    pub fn embed(&self, windows: &[Window]) -> Result<Vec<Vec<f32>>, ModelError> {
        let batch = Batch::new(&self.vocabulary, windows)?;
        let visible = Visible::all(&batch);
        let latent = self.latent(&batch, &self.slots(&batch)?, &visible, &mut Mode::Use)?;
        Ok(latent.to_vec2()?)
    }
}

impl Learner for Autoencoder {
    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn objective(&self, windows: &[Window], rng: &mut ChaCha8Rng) -> Result<Tensor, ModelError> {
        let batch = Batch::new(&self.vocabulary, windows)?;
        let mut visible = Visible::all(&batch);
        for seen in visible.0.iter_mut().filter(|seen| **seen) {
            *seen = rng.random::<f32>() >= HIDE;
        }
        let losses = self.losses(&batch, &visible, &mut Mode::Train(rng))?;
        Ok((losses * batch.mean()?)?.sum_all()?)
    }

    fn scores(&self, windows: &[Window]) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut scores: Vec<Vec<f32>> = windows.iter().map(|w| vec![0.0; w.len()]).collect();
        let mut rows: Vec<(usize, usize)> = (0..windows.len())
            .flat_map(|w| (0..windows[w].len()).map(move |hidden| (w, hidden)))
            .collect();
        // Rows of like length share a batch, so that little of it is padding.
        rows.sort_by_key(|&(w, hidden)| (windows[w].len(), w, hidden));
        for rows in rows.chunks(SCORED) {
            let read: Vec<Window> = rows.iter().map(|&(w, _)| windows[w]).collect();
            let batch = Batch::new(&self.vocabulary, &read)?;
            let mut visible = Visible::all(&batch);
            for (row, &(_, hidden)) in rows.iter().enumerate() {
                visible.0[row * batch.places + hidden] = false;
            }
            let losses: Vec<Vec<f32>> = self.losses(&batch, &visible, &mut Mode::Use)?.to_vec2()?;
            for (&(w, hidden), losses) in rows.iter().zip(losses) {
                scores[w][hidden] = losses[hidden];
            }
        }
        Ok(scores)
    }
}

impl Visible {
    /// All behaviours, no padding.
    fn all(batch: &Batch) -> Self {
        let rows = batch.lengths.iter();
        Visible(
            rows.flat_map(|&length| (0..batch.places).map(move |place| place < length))
                .collect(),
        )
    }
}

/// Sinusoidal positions, `[1, slots, width]`, scaled to the size of an embedding so that they do not drown it.
fn positions(slots: usize, width: usize) -> Result<Tensor, ModelError> {
    let scale = (1.0 / width as f32).sqrt();
    let mut values = Vec::with_capacity(slots * width);
    for slot in 0..slots {
        for i in 0..width {
            let wave = slot as f32 / 10_000f32.powf((i / 2 * 2) as f32 / width as f32);
            values.push(scale * if i % 2 == 0 { wave.sin() } else { wave.cos() });
        }
    }
    Ok(Tensor::from_vec(values, (1, slots, width), &Device::Cpu)?)
}
