//! The layers of our transformers, in two dimensions: `rows` = batch × places, then width.
//!
//! Everything is made of operations that candle differentiates, and of those of `hearth_fused`, which bring their gradients.
//! Candle's own `LayerNorm` and `softmax_last_dim` cut the gradient without a word.

use candle_core::{Device, Tensor};
use hearth_fused as fused;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::error::ModelError;
use super::parameters::{Init, Source};

/// Added to the attention of a place that must not be looked at.
pub(crate) const HIDDEN: f32 = -1e9;

/// Whether a model runs to be trained (dropout, drawn from the generator) or to be used.
pub(crate) enum Mode<'a> {
    Train(&'a mut ChaCha8Rng),
    Use,
}

impl Mode<'_> {
    /// Zeroes values with probability `rate` and scales the others up; nothing in use.
    pub fn dropout(&mut self, x: Tensor, rate: f32) -> Result<Tensor, ModelError> {
        match self {
            Mode::Train(rng) if rate > 0.0 => {
                let scale = 1.0 / (1.0 - rate);
                let mask: Vec<f32> = (0..x.elem_count())
                    .map(|_| {
                        if rng.random::<f32>() < rate {
                            0.0
                        } else {
                            scale
                        }
                    })
                    .collect();
                Ok((&x * Tensor::from_vec(mask, x.dims(), &Device::Cpu)?)?)
            }
            _ => Ok(x),
        }
    }
}

/// `x W + b`.
pub(crate) struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    pub fn new(
        source: &mut Source,
        name: &str,
        from: usize,
        to: usize,
    ) -> Result<Self, ModelError> {
        let spread = Init::Spread((2.0 / (from + to) as f32).sqrt());
        Ok(Linear {
            weight: source.take(&format!("{name}.weight"), &[from, to], spread)?,
            bias: source.take(&format!("{name}.bias"), &[to], Init::Constant(0.0))?,
        })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let product = x.matmul(&self.weight)?;
        Ok(fused::add_rows(&product, &self.bias.unsqueeze(0)?)?)
    }
}

/// Each row to mean 0 and variance 1, then scaled and shifted.
pub(crate) struct LayerNorm {
    scale: Tensor,
    shift: Tensor,
}

impl LayerNorm {
    pub fn new(source: &mut Source, name: &str, width: usize) -> Result<Self, ModelError> {
        Ok(LayerNorm {
            scale: source.take(&format!("{name}.scale"), &[width], Init::Constant(1.0))?,
            shift: source.take(&format!("{name}.shift"), &[width], Init::Constant(0.0))?,
        })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(fused::normalise(x, &self.scale, &self.shift)?)
    }
}

/// Softmax of each row, `[rows, width]`.
pub(crate) fn softmax(x: &Tensor) -> Result<Tensor, ModelError> {
    let (rows, width) = x.dims2()?;
    let nothing = Tensor::zeros((1, 1, width), x.dtype(), &Device::Cpu)?;
    let shares = fused::masked_softmax(&x.reshape((1, 1, rows, width))?, &nothing)?;
    Ok(shares.reshape((rows, width))?)
}

/// Cross entropy of each row: `-log softmax(logits)[target]`, one value a row; targets are u32.
pub(crate) fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor, ModelError> {
    Ok(fused::cross_entropy(logits, targets)?)
}

/// The sums of `group` consecutive rows each: `[n × group, width]` to `[n, width]`.
pub(crate) fn sum_rows(x: &Tensor, group: usize) -> Result<Tensor, ModelError> {
    Ok(fused::sum_rows(x, group)?)
}

/// `x` `[n, width]` plus `rows` `[k, width]`, each of which is added to `n / k` consecutive rows.
pub(crate) fn add_rows(x: &Tensor, rows: &Tensor) -> Result<Tensor, ModelError> {
    Ok(fused::add_rows(x, rows)?)
}

/// The measures of a transformer block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measures {
    /// Length of a behaviour's vector.
    pub width: usize,
    /// Attention heads; they divide `width`.
    pub heads: usize,
    /// Width of the feed-forward layer.
    pub inner: usize,
    /// Dropout on what attention and feed-forward add.
    pub dropout: f32,
}

/// Scaled dot-product attention of rows on a memory, which may be the rows themselves.
pub(crate) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
}

impl Attention {
    pub fn new(source: &mut Source, name: &str, of: Measures) -> Result<Self, ModelError> {
        let mut linear =
            |part: &str| Linear::new(source, &format!("{name}.{part}"), of.width, of.width);
        Ok(Attention {
            query: linear("query")?,
            key: linear("key")?,
            value: linear("value")?,
            out: linear("out")?,
            heads: of.heads,
        })
    }

    /// `memory` is `[batch × its places, width]`; `mask` is added to the attention, `[batch or 1, places or 1, memory's
    /// places]`.
    pub fn forward(
        &self,
        x: &Tensor,
        memory: &Tensor,
        batch: usize,
        mask: &Tensor,
    ) -> Result<Tensor, ModelError> {
        let (rows, width) = x.dims2()?;
        let part = width / self.heads;
        // Heads lie beside each other in a row; to multiply they become part of the batch.
        let split = |x: Tensor| -> Result<Tensor, ModelError> {
            let places = x.dim(0)? / batch;
            if self.heads == 1 {
                return Ok(x.reshape((batch, 1, places, part))?);
            }
            let x = x.reshape((batch, places, self.heads, part))?;
            Ok(x.transpose(1, 2)?.contiguous()?)
        };
        let query = split((self.query.forward(x)? / (part as f64).sqrt())?)?;
        let key = split(self.key.forward(memory)?)?;
        let value = split(self.value.forward(memory)?)?;
        let attention = query.matmul(&key.transpose(2, 3)?)?;
        let attention = fused::masked_softmax(&attention, mask)?;
        let mixed = attention.matmul(&value)?;
        let mixed = mixed.transpose(1, 2)?.reshape((rows, width))?;
        self.out.forward(&mixed)
    }
}

/// A pre-norm transformer block: attention, then (in a decoder) what the memory says, then a feed-forward layer, each added to the row.
pub(crate) struct Block {
    before_attention: LayerNorm,
    attention: Attention,
    memory: Option<Linear>,
    before_inner: LayerNorm,
    inner: Linear,
    outer: Linear,
    dropout: f32,
}

impl Block {
    /// A block that looks at its own rows alone.
    pub fn new(source: &mut Source, name: &str, of: Measures) -> Result<Self, ModelError> {
        Ok(Block {
            before_attention: LayerNorm::new(source, &format!("{name}.norm1"), of.width)?,
            attention: Attention::new(source, &format!("{name}.attention"), of)?,
            memory: None,
            before_inner: LayerNorm::new(source, &format!("{name}.norm2"), of.width)?,
            inner: Linear::new(source, &format!("{name}.inner"), of.width, of.inner)?,
            outer: Linear::new(source, &format!("{name}.outer"), of.inner, of.width)?,
            dropout: of.dropout,
        })
    }

    /// A block that also attends to a memory of one vector. Attention on one vector always chooses it, so what is left of
    /// cross-attention is its value projection.
    pub fn with_memory(source: &mut Source, name: &str, of: Measures) -> Result<Self, ModelError> {
        let mut block = Block::new(source, name, of)?;
        block.memory = Some(Linear::new(
            source,
            &format!("{name}.memory"),
            of.width,
            of.width,
        )?);
        Ok(block)
    }

    /// `x` is `[batch × places, width]`, `memory` `[batch, width]`, `mask` as for attention.
    pub fn forward(
        &self,
        x: &Tensor,
        batch: usize,
        mask: &Tensor,
        memory: Option<&Tensor>,
        mode: &mut Mode,
    ) -> Result<Tensor, ModelError> {
        let normal = self.before_attention.forward(x)?;
        let seen = self.attention.forward(&normal, &normal, batch, mask)?;
        let mut x = (x + mode.dropout(seen, self.dropout)?)?;
        if let (Some(layer), Some(memory)) = (&self.memory, memory) {
            x = fused::add_rows(&x, &layer.forward(memory)?)?;
        }
        let thought = self
            .inner
            .forward(&self.before_inner.forward(&x)?)?
            .relu()?;
        let thought = self.outer.forward(&thought)?;
        Ok((&x + mode.dropout(thought, self.dropout)?)?)
    }
}

/// `[1, places, places]`: each place may look at itself and at what lies before it.
pub(crate) fn causal(places: usize) -> Result<Tensor, ModelError> {
    let mask: Vec<f32> = (0..places * places)
        .map(|i| if i % places > i / places { HIDDEN } else { 0.0 })
        .collect();
    Ok(Tensor::from_vec(mask, (1, places, places), &Device::Cpu)?)
}
