//! SIAR: stacked recurrent networks for contexts and behaviours (Rakkappan and Rajan, *Context-Aware Sequential
//! Recommendations with Stacked Recurrent Neural Networks*, WWW 2019).
//!
//! A lower recurrent layer follows how contexts and the gaps between behaviours evolve; an upper one reads the
//! behaviours together with the lower one's state. Uncertain: the paper that we follow in the choice of baselines does not
//! describe its SIAR, and no code of it was at hand; this is built from the description of the method, with plain (tanh)
//! recurrent cells, the joint prediction from both states, and the gap in the steps that weekday and bucket tell. Ours: the
//! embeddings of weekday, bucket and gap are added.

use candle_core::{Device, Tensor};
use hearth_operators::words::{HOURS, WEEKDAYS};

use super::carnn::{TRANSITIONS, transition};
use super::network::{Input, Network, TrainingPlan};
use crate::models::{Init, Linear, Mode, ModelError, Preset, Source, Vocabulary};

/// The two layers.
pub(super) struct Siar {
    /// Embeddings of what a context is made of, `[categories, width]`.
    days: Tensor,
    hours: Tensor,
    gaps: Tensor,
    /// The lower layer, from a context.
    context: Layer,
    /// The upper layer, from a behaviour beside the lower state.
    behavior: Layer,
    /// From both states to what is said of the next behaviour.
    joined: Linear,
}

/// A plain recurrent layer.
struct Layer {
    input: Linear,
    recurrent: Linear,
}

impl Layer {
    fn new(source: &mut Source, name: &str, from: usize, width: usize) -> Result<Self, ModelError> {
        Ok(Layer {
            input: Linear::new(source, &format!("{name}.input"), from, width)?,
            recurrent: Linear::new(source, &format!("{name}.recurrent"), width, width)?,
        })
    }

    /// The states of all places, `[rows, places, width]`, from `[rows, places, from]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let (rows, places, from) = x.dims3()?;
        let read = self.input.forward(&x.reshape((rows * places, from))?)?;
        let width = read.dim(1)?;
        let read = read.reshape((rows, places, width))?;
        let mut state = Tensor::zeros((rows, width), read.dtype(), &Device::Cpu)?;
        let mut states = Vec::with_capacity(places);
        for place in 0..places {
            let entering = read.narrow(1, place, 1)?.squeeze(1)?;
            state = (entering + self.recurrent.forward(&state)?)?.tanh()?;
            states.push(state.clone());
        }
        Ok(Tensor::stack(&states, 1)?)
    }
}

impl Network for Siar {
    const NAME: &'static str = "SIAR";

    fn plan(preset: Preset) -> TrainingPlan {
        TrainingPlan::new(preset, 40, 100, 30)
    }

    fn build(source: &mut Source, _: &Vocabulary, width: usize) -> Result<Self, ModelError> {
        let spread = Init::Spread((1.0 / width as f32).sqrt());
        let mut embeddings =
            |name: &str, categories: usize| source.take(name, &[categories, width], spread);
        Ok(Siar {
            // One more than there are, for the start token.
            days: embeddings("days", WEEKDAYS.len() + 1)?,
            hours: embeddings("hours", HOURS.len() + 1)?,
            gaps: embeddings("gaps", TRANSITIONS)?,
            context: Layer::new(source, "context", width, width)?,
            behavior: Layer::new(source, "behavior", 2 * width, width)?,
            joined: Linear::new(source, "joined", 2 * width, width)?,
        })
    }

    fn states(&self, input: &Input, _: &mut Mode) -> Result<Tensor, ModelError> {
        let (rows, places, width) = input.measures()?;
        let back = |row: usize, place: usize, by: usize| {
            let place = place.checked_sub(by)?;
            Some(&input.windows[row][place])
        };
        let days = input.categories(WEEKDAYS.len() + 1, |row, place| {
            back(row, place, 1).map_or(WEEKDAYS.len(), |q| usize::from(q.weekday))
        })?;
        let hours = input.categories(HOURS.len() + 1, |row, place| {
            back(row, place, 1).map_or(HOURS.len(), |q| usize::from(q.hours))
        })?;
        let gaps = input.categories(TRANSITIONS, |row, place| {
            transition(back(row, place, 2), back(row, place, 1))
        })?;
        let contexts = (days.matmul(&self.days)? + hours.matmul(&self.hours)?)?;
        let contexts = (contexts + gaps.matmul(&self.gaps)?)?;
        let lower = self
            .context
            .forward(&contexts.reshape((rows, places, width))?)?;
        let upper = self
            .behavior
            .forward(&Tensor::cat(&[&input.slots, &lower], 2)?)?;
        let both = Tensor::cat(&[&upper, &lower], 2)?;
        self.joined
            .forward(&both.reshape((rows * places, 2 * width))?)
    }
}
