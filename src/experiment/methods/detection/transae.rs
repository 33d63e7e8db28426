//! TransAE: the plain transformer as an autoencoder.
//!
//! Vaswani et al.: *Attention Is All You Need*, NeurIPS 2017; form and sizes are the authors' of SmartGen: d 512, 8 heads, two
//! layers each in encoder and decoder, no positions, and a decoder that sees what it shall rebuild. So it is a bag of
//! behaviours, and whatever it has seen often it rebuilds well. The layers normalise before they act, as ours all do. Ours: see
//! [`super::reconstruction`].

use candle_core::Tensor;

use super::reconstruction::{Network, Reconstruction, Vectors, train};
use super::{Detection, Scorer, TrainingData};
use crate::models::{Attention, LayerNorm, Linear, Measures, Mode, ModelError, Preset, Source};

/// Transformer autoencoder.
pub struct TransAe(pub Preset);

impl Detection for TransAe {
    fn name(&self) -> &'static str {
        "TransAE"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        train(self.fresh(data)?, data, self.0)
    }
}

impl TransAe {
    /// The untrained model, of the same measures as Hearth's own detector.
    pub(super) fn fresh(
        &self,
        data: &TrainingData,
    ) -> Result<Reconstruction<Transformer>, ModelError> {
        let shape = self.0.detector();
        let width = shape.measures.width;
        Reconstruction::fresh(data, width, |source| {
            let mut layers = |part: &str, looks: bool| -> Result<Vec<Layer>, ModelError> {
                let names = (0..shape.blocks).map(|i| format!("{part}.{i}"));
                names
                    .map(|name| Layer::new(source, &name, shape.measures, looks))
                    .collect()
            };
            let (encoder, decoder) = (layers("encoder", false)?, layers("decoder", true)?);
            Ok(Transformer {
                encoder,
                encoded: LayerNorm::new(source, "encoded", width)?,
                decoder,
                decoded: LayerNorm::new(source, "decoded", width)?,
            })
        })
    }
}

/// Encoder and decoder.
pub(super) struct Transformer {
    encoder: Vec<Layer>,
    encoded: LayerNorm,
    decoder: Vec<Layer>,
    decoded: LayerNorm,
}

impl Network for Transformer {
    fn rebuild(&self, vectors: &Vectors, mode: &mut Mode) -> Result<Tensor, ModelError> {
        let mut memory = vectors.x.clone();
        for layer in &self.encoder {
            memory = layer.forward(&memory, None, vectors, mode)?;
        }
        let memory = self.encoded.forward(&memory)?;
        let mut x = vectors.x.clone();
        for layer in &self.decoder {
            x = layer.forward(&x, Some(&memory), vectors, mode)?;
        }
        self.decoded.forward(&x)
    }
}

/// A pre-norm layer: attention on its own rows, in a decoder on the memory too, then a feed-forward layer, each added to the row.
struct Layer {
    attention: (LayerNorm, Attention),
    memory: Option<(LayerNorm, Attention)>,
    before_inner: LayerNorm,
    inner: Linear,
    outer: Linear,
    dropout: f32,
}

impl Layer {
    fn new(
        source: &mut Source,
        name: &str,
        of: Measures,
        decodes: bool,
    ) -> Result<Self, ModelError> {
        let mut attention = |part: &str| -> Result<(LayerNorm, Attention), ModelError> {
            let name = format!("{name}.{part}");
            let norm = LayerNorm::new(source, &format!("{name}.norm"), of.width)?;
            Ok((norm, Attention::new(source, &name, of)?))
        };
        Ok(Layer {
            attention: attention("attention")?,
            memory: decodes.then(|| attention("memory")).transpose()?,
            before_inner: LayerNorm::new(source, &format!("{name}.norm"), of.width)?,
            inner: Linear::new(source, &format!("{name}.inner"), of.width, of.inner)?,
            outer: Linear::new(source, &format!("{name}.outer"), of.inner, of.width)?,
            dropout: of.dropout,
        })
    }

    /// `x` and `memory` are `[rows × places, width]`.
    fn forward(
        &self,
        x: &Tensor,
        memory: Option<&Tensor>,
        vectors: &Vectors,
        mode: &mut Mode,
    ) -> Result<Tensor, ModelError> {
        let (rows, mask) = (vectors.rows, &vectors.mask);
        let (norm, attention) = &self.attention;
        let normal = norm.forward(x)?;
        let seen = attention.forward(&normal, &normal, rows, mask)?;
        let mut x = (x + mode.dropout(seen, self.dropout)?)?;
        if let (Some((norm, attention)), Some(memory)) = (&self.memory, memory) {
            let told = attention.forward(&norm.forward(&x)?, memory, rows, mask)?;
            x = (&x + mode.dropout(told, self.dropout)?)?;
        }
        let thought = self
            .inner
            .forward(&self.before_inner.forward(&x)?)?
            .relu()?;
        let thought = self.outer.forward(&thought)?;
        Ok((&x + mode.dropout(thought, self.dropout)?)?)
    }
}
