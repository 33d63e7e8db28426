//! SASRec: which action comes next, by causal self-attention over those before.
//!
//! Place `i` reads the start token and behaviours `0..i`, nothing of behaviour `i` itself, so the first
//! behaviour is predicted too.

use candle_core::{Device, Tensor};
use hearth_operators::words::Catalog;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::encoding::{Batch, Columns, Embeddings, Vocabulary, Window};
use super::error::ModelError;
use super::fit::Learner;
use super::layers::{Block, LayerNorm, Measures, Mode, add_rows, causal, cross_entropy, softmax};
use super::parameters::{Init, Parameters, Source};

/// How many windows are scored at once.
const SCORED: usize = 128;

/// What training minimises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Cross entropy over all actions.
    Softmax,
    /// Binary cross entropy of the action and one other, drawn at random: the original's.
    Sampled,
}

/// The shape of a SASRec.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub measures: Measures,
    pub blocks: usize,
    /// Behaviours that it reads at most.
    pub window: usize,
    pub aim: Aim,
}

/// A SASRec over a catalog.
pub(crate) struct SasRec {
    vocabulary: Vocabulary,
    shape: Shape,
    table: Embeddings,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    /// How frequent each action is, whatever came before.
    bias: Tensor,
    parameters: Parameters,
}

impl SasRec {
    /// A new one, its weights drawn from `rng`.
    pub fn fresh(
        catalog: &Catalog,
        shape: Shape,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ModelError> {
        Self::build(catalog, shape, Source::fresh(Self::label(shape), rng))
    }

    /// What stored weights of this shape are labelled with; the counts of a [`Mixture`](super::Mixture) lie beside them.
    pub fn label(shape: Shape) -> String {
        format!("sasrec 2, {} heads", shape.measures.heads)
    }

    /// From fresh or stored tensors.
    pub fn build(catalog: &Catalog, shape: Shape, mut source: Source) -> Result<Self, ModelError> {
        let vocabulary = Vocabulary::new(catalog, Columns::All);
        let width = shape.measures.width;
        let spread = Init::Spread(0.5 / (width as f32).sqrt());
        let table = Embeddings::new(&mut source, &vocabulary, width)?;
        let positions = source.take("positions", &[shape.window, width], spread)?;
        let blocks = (0..shape.blocks)
            .map(|i| Block::new(&mut source, &format!("block.{i}"), shape.measures))
            .collect::<Result<_, _>>()?;
        let norm = LayerNorm::new(&mut source, "norm", width)?;
        let bias = source.take("bias", &[vocabulary.actions()], Init::Constant(0.0))?;
        Ok(SasRec {
            vocabulary,
            shape,
            table,
            positions,
            blocks,
            norm,
            bias,
            parameters: source.finish()?,
        })
    }

    /// Behaviours that it reads at most.
    pub fn window(&self) -> usize {
        self.shape.window
    }

    /// A score for every action at every place, `[rows × places, actions]`.
    fn logits(&self, batch: &Batch, mode: &mut Mode) -> Result<Tensor, ModelError> {
        let (rows, places, width) = (batch.rows, batch.places, self.shape.measures.width);
        let slots = self
            .table
            .slots(batch)?
            .reshape((rows, places + 1, width))?;
        // A window is one long row here, and so are the positions that are added to each.
        let read = slots
            .narrow(1, 0, places)?
            .reshape((rows, places * width))?;
        let positions = self.positions.narrow(0, 0, places)?;
        let read = add_rows(&read, &positions.reshape((1, places * width))?)?;
        let mask = causal(places)?;
        let mut x = read.reshape((rows * places, width))?;
        for block in &self.blocks {
            x = block.forward(&x, rows, &mask, None, mode)?;
        }
        let x = self.norm.forward(&x)?;
        let alike = x.matmul(&self.table.actions()?.t()?)?;
        add_rows(&alike, &self.bias.unsqueeze(0)?)
    }

    /// The probabilities of all actions at each behaviour of a window.
    pub fn predict(&self, window: Window) -> Result<Vec<Vec<f32>>, ModelError> {
        let batch = Batch::new(&self.vocabulary, &[window])?;
        Ok(softmax(&self.logits(&batch, &mut Mode::Use)?)?.to_vec2()?)
    }

    /// The original's loss by place: tell the action from one other.
    fn sampled(
        &self,
        logits: &Tensor,
        batch: &Batch,
        rng: &mut ChaCha8Rng,
    ) -> Result<Tensor, ModelError> {
        let right: Vec<u32> = batch.action.to_vec1()?;
        let actions = self.vocabulary.actions() as u32;
        let wrong: Vec<u32> = right
            .iter()
            // A step of 1..actions round the catalog never ends where it began (one action has no other).
            .map(|&right| (right + rng.random_range(1..actions.max(2))) % actions)
            .collect();
        let wrong = Tensor::new(wrong, &Device::Cpu)?;
        let of = |ids: &Tensor| -> Result<Tensor, ModelError> {
            Ok(logits.gather(&ids.unsqueeze(1)?, 1)?.squeeze(1)?)
        };
        Ok((softplus(&of(&batch.action)?.neg()?)? + softplus(&of(&wrong)?)?)?)
    }
}

/// `log(1 + e^x)` without overflow.
fn softplus(x: &Tensor) -> Result<Tensor, ModelError> {
    let rest = (x.abs()?.neg()?.exp()? + 1.0)?.log()?;
    Ok((x.relu()? + rest)?)
}

impl Learner for SasRec {
    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn objective(&self, windows: &[Window], rng: &mut ChaCha8Rng) -> Result<Tensor, ModelError> {
        let batch = Batch::new(&self.vocabulary, windows)?;
        let logits = self.logits(&batch, &mut Mode::Train(rng))?;
        let losses = match self.shape.aim {
            Aim::Softmax => cross_entropy(&logits, &batch.action)?,
            Aim::Sampled => self.sampled(&logits, &batch, rng)?,
        };
        let losses = losses.reshape((batch.rows, batch.places))?;
        Ok((losses * batch.mean()?)?.sum_all()?)
    }

    fn scores(&self, windows: &[Window]) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut order: Vec<usize> = (0..windows.len()).collect();
        order.sort_by_key(|&w| windows[w].len());
        let mut scores = vec![Vec::new(); windows.len()];
        for chunk in order.chunks(SCORED) {
            let read: Vec<Window> = chunk.iter().map(|&w| windows[w]).collect();
            let batch = Batch::new(&self.vocabulary, &read)?;
            let logits = self.logits(&batch, &mut Mode::Use)?;
            let losses = cross_entropy(&logits, &batch.action)?;
            let losses = losses.reshape((batch.rows, batch.places))?;
            let losses: Vec<Vec<f32>> = losses.to_vec2()?;
            for (&w, mut losses) in chunk.iter().zip(losses) {
                losses.truncate(windows[w].len());
                scores[w] = losses;
            }
        }
        Ok(scores)
    }
}
