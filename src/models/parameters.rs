//! A model's parameters by name: drawn fresh from a seeded generator, or read from stored weights.
//!
//! A model asks a [`Source`] for each tensor that it needs, by name and shape, and so is built the same way in both
//! cases. Stored weights are safetensors with a label that says which model they belong to; what does not fit
//! exactly (another label, a tensor missing, left over or of another shape) is an error, never a panic.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};
use hearth_operators::words::Weights;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use safetensors::SafeTensors;

use super::error::ModelError;

/// The key of the one entry of metadata. One alone, because safetensors writes several in no fixed order.
const LABEL: &str = "hearth";

/// How a fresh tensor begins.
#[derive(Clone, Copy)]
pub(crate) enum Init {
    /// Uniform with this standard deviation.
    Spread(f32),
    /// The same value everywhere.
    Constant(f32),
}

/// Where a model's tensors come from.
pub(crate) enum Source<'a> {
    /// Drawn in the order asked for; they can be trained.
    Fresh {
        rng: &'a mut ChaCha8Rng,
        label: String,
        taken: BTreeMap<String, Var>,
    },
    /// Read; `taken` is filled only where they shall be trained.
    Stored {
        left: HashMap<String, Tensor>,
        label: String,
        train: bool,
        taken: BTreeMap<String, Var>,
    },
}

impl<'a> Source<'a> {
    /// Fresh parameters of the model that `label` names.
    pub fn fresh(label: String, rng: &'a mut ChaCha8Rng) -> Self {
        let taken = BTreeMap::new();
        Source::Fresh { rng, label, taken }
    }

    /// Stored parameters of the model that `label` names; `train` says whether they will be trained further.
    pub fn stored(label: String, weights: &Weights, train: bool) -> Result<Self, ModelError> {
        let bytes = weights.0.as_slice();
        let unreadable = |e| ModelError::Weights(format!("they are no safetensors ({e})"));
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let found = metadata.metadata().as_ref().and_then(|m| m.get(LABEL));
        if found != Some(&label) {
            let found = found.map_or("nothing known", String::as_str);
            return Err(ModelError::Weights(format!(
                "they are of `{found}`, wanted is `{label}`"
            )));
        }
        let left = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?;
        let taken = BTreeMap::new();
        Ok(Source::Stored {
            left,
            label,
            train,
            taken,
        })
    }

    /// The tensor of that name and shape.
    pub fn take(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor, ModelError> {
        match self {
            Source::Fresh { rng, taken, .. } => {
                let size = shape.iter().product();
                let values: Vec<f32> = match init {
                    Init::Constant(value) => vec![value; size],
                    Init::Spread(deviation) => {
                        let limit = deviation * 3f32.sqrt();
                        (0..size)
                            .map(|_| rng.random_range(-limit..=limit))
                            .collect()
                    }
                };
                let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
                keep(taken, name, &tensor)
            }
            Source::Stored {
                left, train, taken, ..
            } => {
                let Some(tensor) = left.remove(name) else {
                    return Err(ModelError::Weights(format!(
                        "the tensor `{name}` is missing"
                    )));
                };
                if tensor.dims() != shape || tensor.dtype() != DType::F32 {
                    return Err(ModelError::Weights(format!(
                        "the tensor `{name}` is {:?} of {:?}, wanted is {shape:?} of F32",
                        tensor.dims(),
                        tensor.dtype(),
                    )));
                }
                if *train {
                    keep(taken, name, &tensor)
                } else {
                    Ok(tensor)
                }
            }
        }
    }

    /// The rows of a stored tensor.
    pub fn rows(&self, name: &str) -> Option<usize> {
        match self {
            Source::Fresh { .. } => None,
            Source::Stored { left, .. } => left.get(name)?.dims().first().copied(),
        }
    }

    /// A tensor of any shape that is no parameter but was stored beside them.
    pub fn take_stored(&mut self, name: &str, of: DType) -> Result<Tensor, ModelError> {
        let found = match self {
            Source::Fresh { .. } => None,
            Source::Stored { left, .. } => left.remove(name),
        };
        found.filter(|tensor| tensor.dtype() == of).ok_or_else(|| {
            ModelError::Weights(format!("the tensor `{name}` is missing or not {of:?}"))
        })
    }

    /// Whether there is still a stored tensor of that name.
    pub fn holds(&self, name: &str) -> bool {
        match self {
            Source::Fresh { .. } => false,
            Source::Stored { left, .. } => left.contains_key(name),
        }
    }

    /// All parameters that may be trained, once the model has taken what it needs.
    pub fn finish(self) -> Result<Parameters, ModelError> {
        match self {
            Source::Fresh { label, taken, .. } => Ok(Parameters { label, taken }),
            Source::Stored {
                label, taken, left, ..
            } => match left.keys().min() {
                Some(name) => Err(ModelError::Weights(format!(
                    "the tensor `{name}` belongs to no part of the model"
                ))),
                None => Ok(Parameters { label, taken }),
            },
        }
    }
}

fn keep(
    taken: &mut BTreeMap<String, Var>,
    name: &str,
    tensor: &Tensor,
) -> Result<Tensor, ModelError> {
    let var = Var::from_tensor(tensor)?;
    let tensor = var.as_tensor().clone();
    taken.insert(name.to_owned(), var);
    Ok(tensor)
}

/// The trainable parameters of a model, by name; the model holds the same tensors and sees each change.
pub(crate) struct Parameters {
    label: String,
    taken: BTreeMap<String, Var>,
}

impl Parameters {
    /// Of a model that has none to train.
    pub fn none(label: String) -> Self {
        let taken = BTreeMap::new();
        Parameters { label, taken }
    }

    /// Name and variable, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.taken.iter().map(|(name, var)| (name.as_str(), var))
    }

    /// Serialises them: equal values give equal bytes.
    pub fn weights(&self) -> Result<Weights, ModelError> {
        self.weights_beside(HashMap::new())
    }

    /// The same with other tensors beside them, of other names.
    pub fn weights_beside(&self, others: HashMap<String, Tensor>) -> Result<Weights, ModelError> {
        let label = HashMap::from([(LABEL.to_owned(), self.label.clone())]);
        let own = self.taken.iter();
        let own = own.map(|(name, var)| (name.clone(), var.as_tensor().clone()));
        let tensors: BTreeMap<String, Tensor> = own.chain(others).collect();
        let bytes = safetensors::serialize(tensors, Some(label))
            .map_err(|e| ModelError::Weights(format!("they cannot be written ({e})")))?;
        Ok(Weights(Arc::new(bytes)))
    }
}
