//! Autoencoder: each behaviour through a linear bottleneck and back.
//!
//! The method is old (for anomalies: Sakurada, Yairi, MLSDA 2014); form and sizes are the authors': linear layers 128 → 256
//! → 64 → 256 → 128 with nothing between them, each behaviour for itself. So it knows how frequent behaviours are, and
//! nothing of their order. Ours: see [`super::reconstruction`].

use candle_core::Tensor;

use super::reconstruction::{Network, Reconstruction, Vectors, train};
use super::{Detection, Scorer, TrainingData};
use crate::models::{Linear, Mode, ModelError, Preset, Source};

/// Linear autoencoder.
pub struct Autoencoder(pub Preset);

impl Detection for Autoencoder {
    fn name(&self) -> &'static str {
        "Autoencoder"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        train(self.fresh(data)?, data, self.0)
    }
}

impl Autoencoder {
    /// The untrained model.
    pub(super) fn fresh(&self, data: &TrainingData) -> Result<Reconstruction<Layers>, ModelError> {
        hourglass(self.0, data, Linear::new, Layers)
    }
}

/// The untrained model whose layers narrow a behaviour's vector to a latent and widen it again; ARGUS has the same of other
/// layers. `layer` makes one, of a name and the widths before and behind it.
pub(super) fn hourglass<L, N: Network>(
    preset: Preset,
    data: &TrainingData,
    layer: impl Fn(&mut Source, &str, usize, usize) -> Result<L, ModelError>,
    network: impl FnOnce(Vec<L>) -> N,
) -> Result<Reconstruction<N>, ModelError> {
    let [width, hidden, latent] = match preset {
        Preset::Small => [32, 64, 16],
        Preset::Paper => [128, 256, 64],
    };
    Reconstruction::fresh(data, width, |source| {
        let layers = [
            ("encoder.0", width, hidden),
            ("encoder.1", hidden, latent),
            ("decoder.0", latent, hidden),
            ("decoder.1", hidden, width),
        ];
        let layers = layers.map(|(name, from, to)| layer(source, name, from, to));
        Ok(network(layers.into_iter().collect::<Result<_, _>>()?))
    })
}

/// One after the other.
pub(super) struct Layers(Vec<Linear>);

impl Network for Layers {
    fn rebuild(&self, vectors: &Vectors, _: &mut Mode) -> Result<Tensor, ModelError> {
        self.0
            .iter()
            .try_fold(vectors.x.clone(), |x, layer| layer.forward(&x))
    }
}
