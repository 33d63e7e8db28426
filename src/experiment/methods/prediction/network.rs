//! The deep baselines: how all of them read, are trained and answer. What tells them apart is a [`Network`] each.
//!
//! Ours, and the same for all: place `i` of a window predicts behaviour `i` from a start token and the behaviours before
//! it, so every behaviour is a target, not the last of ten alone; an action is scored by the product of what the network
//! says with the action's embedding (its own and its device's) plus a bias; the loss is the cross entropy over all
//! actions. The weights of the epoch with the best accuracy on the held-out sequences are kept.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use candle_core::{D, Device, Tensor};
use hearth_operators::words::{ActionId, Quadruple};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::answer::{Next, Vetted};
use crate::experiment::methods::{Given, Prediction, Ranker, TrainingData};
use crate::models::{
    Adam, Batch, Columns, Embeddings, Init, Mode, ModelError, Parameters, Preset, Source,
    Vocabulary, WINDOW, Window, batches, cross_entropy, generator, softmax, windows,
};

/// Windows that are read at once where nothing is trained.
const READ: usize = 256;

/// How a network is trained.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrainingPlan {
    /// Length of an embedding.
    pub width: usize,
    /// Passes over the windows.
    pub epochs: usize,
    /// More passes where these would be fewer steps: little data must be learnt too.
    pub min_steps: usize,
    /// Windows a step.
    pub batch: usize,
    /// The learning rate of the first steps.
    pub rate: f32,
    /// How often the rate is halved, at equal distances.
    pub halvings: usize,
    /// Adam's L2 penalty.
    pub decay: f32,
}

impl TrainingPlan {
    /// The paper's, whose rate is halved every 20 epochs, or the small one's, which takes fewer and longer steps.
    pub fn new(preset: Preset, width: usize, epochs: usize, batch: usize) -> Self {
        match preset {
            Preset::Paper => TrainingPlan {
                width,
                epochs,
                min_steps: 0,
                batch,
                rate: 1e-3,
                halvings: epochs / 20,
                decay: 1e-5,
            },
            Preset::Small => TrainingPlan {
                width: 32,
                epochs: 25,
                min_steps: 800,
                batch: 32,
                rate: 5e-3,
                halvings: 5,
                decay: 1e-5,
            },
        }
    }
}

/// What a deep baseline is made of.
pub(super) trait Network: Sized + Send + Sync + 'static {
    /// Its name in the paper's tables.
    const NAME: &'static str;

    /// How it is trained.
    fn plan(preset: Preset) -> TrainingPlan;

    /// Takes its tensors; `width` is the length of an embedding.
    fn build(source: &mut Source, of: &Vocabulary, width: usize) -> Result<Self, ModelError>;

    /// What is compared with the embeddings of actions at each place, `[rows × places, width]`. Place `i` may look at
    /// slots `0..=i`, and at the time of behaviour `i` where that is told.
    fn states(&self, input: &Input, mode: &mut Mode) -> Result<Tensor, ModelError>;
}

/// What a network reads.
pub(super) struct Input<'a> {
    /// The windows, padded.
    pub batch: Batch,
    /// The embeddings of start token and behaviours before each place, `[rows, places, width]`.
    pub slots: Tensor,
    /// The windows; their last behaviours may be no more than a time that is told.
    pub windows: &'a [Window<'a>],
    /// By window, whether weekday and hours of the behaviours to be predicted are told.
    pub told: Vec<[bool; 2]>,
}

impl Input<'_> {
    /// Rows, places and width.
    pub fn measures(&self) -> Result<(usize, usize, usize), ModelError> {
        Ok(self.slots.dims3()?)
    }

    /// A category by place, `[rows × places, categories]`, as ones and zeroes; `of` is told row and place, no padding.
    /// Padding has no category.
    pub fn categories(
        &self,
        categories: usize,
        of: impl Fn(usize, usize) -> usize,
    ) -> Result<Tensor, ModelError> {
        let places = self.batch.places;
        let mut values = vec![0f32; self.batch.rows * places * categories];
        for (row, window) in self.windows.iter().enumerate() {
            for place in 0..window.len() {
                values[(row * places + place) * categories + of(row, place)] = 1.0;
            }
        }
        let shape = (self.batch.rows * places, categories);
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }
}

/// A network with the embeddings that all have.
pub(super) struct Model<N> {
    vocabulary: Vocabulary,
    table: Embeddings,
    network: N,
    /// How frequent each action is, whatever came before.
    bias: Tensor,
    parameters: Parameters,
}

impl<N: Network> Model<N> {
    pub fn build(
        mut source: Source,
        vocabulary: Vocabulary,
        width: usize,
    ) -> Result<Self, ModelError> {
        let table = Embeddings::new(&mut source, &vocabulary, width)?;
        let network = N::build(&mut source, &vocabulary, width)?;
        let bias = source.take("bias", &[vocabulary.actions()], Init::Constant(0.0))?;
        Ok(Model {
            vocabulary,
            table,
            network,
            bias,
            parameters: source.finish()?,
        })
    }

    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// A score for every action at every place, `[rows × places, actions]`.
    fn logits(
        &self,
        batch: Batch,
        windows: &[Window],
        told: Vec<[bool; 2]>,
        mode: &mut Mode,
    ) -> Result<Tensor, ModelError> {
        let slots = self.table.slots(&batch)?;
        let width = slots.dim(1)?;
        let slots = slots.reshape((batch.rows, batch.places + 1, width))?;
        let input = Input {
            slots: slots.narrow(1, 0, batch.places)?.contiguous()?,
            batch,
            windows,
            told,
        };
        let states = self.network.states(&input, mode)?;
        let scores = states.matmul(&self.table.actions()?.t()?)?;
        Ok(scores.broadcast_add(&self.bias)?)
    }

    /// The mean loss of the windows' behaviours, to differentiate.
    pub fn objective(
        &self,
        windows: &[Window],
        rng: &mut ChaCha8Rng,
    ) -> Result<Tensor, ModelError> {
        let batch = Batch::new(&self.vocabulary, windows)?;
        // Half of the time each part of the next behaviour's time is told, so that one training serves both questions.
        let told = windows.iter().map(|_| [rng.random(), rng.random()]);
        let told = told.collect();
        let (real, targets) = (real(&batch)?, batch.action.clone());
        let logits = self.logits(batch, windows, told, &mut Mode::Train(rng))?;
        let losses = cross_entropy(&logits, &targets)?;
        let behaviors: usize = windows.iter().map(|w| w.len()).sum();
        Ok(((losses * real)?.sum_all()? / behaviors as f64)?)
    }

    /// A score for every action at every place, nothing of the time being told, `[rows, places, actions]`.
    pub fn untold(&self, windows: &[Window]) -> Result<Tensor, ModelError> {
        let batch = Batch::new(&self.vocabulary, windows)?;
        let shape = (batch.rows, batch.places, self.vocabulary.actions());
        let told = vec![[false; 2]; windows.len()];
        let logits = self.logits(batch, windows, told, &mut Mode::Use)?;
        Ok(logits.reshape(shape)?)
    }

    /// How many of the windows' actions are the most expected ones.
    fn hits(&self, windows: &[Window]) -> Result<usize, ModelError> {
        let mut hits = 0;
        for windows in windows.chunks(READ) {
            let best = self.untold(windows)?.argmax(D::Minus1)?;
            for (best, window) in best.to_vec2::<u32>()?.iter().zip(windows) {
                let pairs = best.iter().zip(*window);
                hits += pairs
                    .filter(|(best, q)| **best == u32::from(q.action.0))
                    .count();
            }
        }
        Ok(hits)
    }

    /// Trains on `train` and keeps what is best on `held`; without any, what came last.
    pub fn train(
        &self,
        train: &[Window],
        held: &[Window],
        plan: &TrainingPlan,
        seed: u64,
    ) -> Result<(), ModelError> {
        let mut adam = Adam::new(self.parameters(), (0.9, 0.999)).decaying(plan.decay);
        let mut order = train.to_vec();
        let mut rng = generator(seed, 1);
        let mut best: Option<(usize, BTreeMap<String, Tensor>)> = None;
        let size = plan.batch.max(1);
        let steps = train.len().div_ceil(size).max(1);
        let epochs = plan.epochs.max(plan.min_steps.div_ceil(steps));
        for epoch in 0..epochs {
            let halved = plan.halvings * epoch / epochs;
            let rate = plan.rate * 0.5f32.powi(halved as i32);
            // Drawn apart from the losses, which draw from the same generator.
            let mut drawn = generator(seed, 2 + epoch as u64);
            for batch in batches(&mut order, size, &mut drawn) {
                let gradients = self.objective(batch, &mut rng)?.backward()?;
                adam.step(self.parameters(), &gradients, rate)?;
            }
            let hits = self.hits(held)?;
            if !held.is_empty() && best.as_ref().is_none_or(|(most, _)| hits > *most) {
                let values = self.parameters.iter().map(|(name, var)| {
                    let copy = var.as_tensor().detach().copy()?;
                    Ok((name.to_owned(), copy))
                });
                best = Some((hits, values.collect::<Result<_, ModelError>>()?));
            }
        }
        if let Some((_, values)) = best {
            for (name, var) in self.parameters.iter() {
                if let Some(value) = values.get(name) {
                    var.set(value)?;
                }
            }
        }
        Ok(())
    }
}

impl<N: Network> Next for Model<N> {
    fn next(&self, before: &[Quadruple], given: &Given) -> Result<Vec<f32>, ModelError> {
        let read = before.len().min(WINDOW - 1);
        let mut window = before[before.len() - read..].to_vec();
        // The place that is predicted: what is not told of it is not read either.
        window.push(Quadruple {
            weekday: given.weekday.unwrap_or(0),
            hours: given.hours.unwrap_or(0),
            action: ActionId(0),
        });
        let windows = [window.as_slice()];
        let batch = Batch::new(&self.vocabulary, &windows)?;
        let told = vec![[given.weekday.is_some(), given.hours.is_some()]];
        let logits = self.logits(batch, &windows, told, &mut Mode::Use)?;
        Ok(softmax(&logits.narrow(0, read, 1)?)?
            .squeeze(0)?
            .to_vec1()?)
    }
}

/// One for a behaviour, zero for padding, `[rows × places]`.
fn real(batch: &Batch) -> Result<Tensor, ModelError> {
    let mut values = vec![0f32; batch.rows * batch.places];
    for (row, &length) in batch.lengths.iter().enumerate() {
        values[row * batch.places..][..length].fill(1.0);
    }
    let places = values.len();
    Ok(Tensor::from_vec(values, places, &Device::Cpu)?)
}

/// The logistic function; by way of `tanh`, which neither overflows nor loses its gradient.
pub(super) fn sigmoid(x: &Tensor) -> Result<Tensor, ModelError> {
    Ok((((x * 0.5)?.tanh()? + 1.0)? * 0.5)?)
}

/// A deep baseline with its settings.
pub(super) struct Deep<N> {
    plan: TrainingPlan,
    network: PhantomData<N>,
}

impl<N: Network> Deep<N> {
    pub fn new(preset: Preset) -> Self {
        Deep {
            plan: N::plan(preset),
            network: PhantomData,
        }
    }
}

impl<N: Network> Prediction for Deep<N> {
    fn name(&self) -> &'static str {
        N::NAME
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Ranker>, ModelError> {
        let catalog = Vetted::new(data)?;
        let mut rng = generator(data.seed, 0);
        let source = Source::fresh(N::NAME.to_owned(), &mut rng);
        let vocabulary = Vocabulary::new(data.catalog, Columns::All);
        let model = Model::<N>::build(source, vocabulary, self.plan.width)?;
        let [train, held] = [data.train, data.held].map(|s| windows(s, WINDOW));
        model.train(&train, &held, &self.plan, data.seed)?;
        Ok(catalog.asking(model))
    }
}
