//! Caser: the last behaviours as an image, read by convolutions (Tang and Wang, *Personalized Top-N Sequential Recommendation
//! via Convolutional Sequence Embedding*, WSDM 2018).
//!
//! Horizontal filters of every height see short patterns and keep their strongest answer; vertical filters are
//! weighted sums over the last behaviours. Ours: the paper's user embedding is left out, because a sequence is its own user
//! and one that is asked about was never seen; the last embedding is compared with the actions' own.

use candle_core::{D, Device, Tensor};

use super::network::{Input, Network, TrainingPlan};
use crate::models::{Init, Linear, Mode, ModelError, Preset, Source, Vocabulary};

/// Behaviours in the image.
const LENGTH: usize = 5;
/// Horizontal filters of each height.
const HORIZONTAL: usize = 16;
/// Vertical filters.
const VERTICAL: usize = 4;
/// Dropout before the fully connected layer.
const DROPOUT: f32 = 0.5;

/// The filters and the layer that joins their answers.
pub(super) struct Caser {
    /// By height, from 1.
    horizontal: Vec<Linear>,
    /// `[LENGTH, VERTICAL]`.
    vertical: Tensor,
    joined: Linear,
}

impl Network for Caser {
    const NAME: &'static str = "Caser";

    fn plan(preset: Preset) -> TrainingPlan {
        TrainingPlan::new(preset, 64, 100, 32)
    }

    fn build(source: &mut Source, _: &Vocabulary, width: usize) -> Result<Self, ModelError> {
        let horizontal = (1..=LENGTH)
            .map(|height| {
                let name = format!("horizontal.{height}");
                Linear::new(source, &name, height * width, HORIZONTAL)
            })
            .collect::<Result<_, _>>()?;
        let spread = Init::Spread((1.0 / LENGTH as f32).sqrt());
        let vertical = source.take("vertical", &[LENGTH, VERTICAL], spread)?;
        let answers = LENGTH * HORIZONTAL + VERTICAL * width;
        Ok(Caser {
            horizontal,
            vertical,
            joined: Linear::new(source, "joined", answers, width)?,
        })
    }

    fn states(&self, input: &Input, mode: &mut Mode) -> Result<Tensor, ModelError> {
        let (rows, places, width) = input.measures()?;
        let count = rows * places;
        // Nothing lies before the start token: zeroes, as in the paper's padding.
        let nothing = Tensor::zeros((rows, LENGTH - 1, width), input.slots.dtype(), &Device::Cpu)?;
        let slots = Tensor::cat(&[&nothing, &input.slots], 1)?;
        let lines = (0..LENGTH)
            .map(|line| slots.narrow(1, line, places)?.reshape((count, width)))
            .collect::<candle_core::Result<Vec<_>>>()?;
        let mut answers = Vec::with_capacity(LENGTH + 1);
        for (filter, height) in self.horizontal.iter().zip(1..) {
            let patches = lines
                .windows(height)
                .map(|lines| {
                    filter
                        .forward(&Tensor::cat(lines, 1)?)?
                        .relu()
                        .map_err(Into::into)
                })
                .collect::<Result<Vec<_>, ModelError>>()?;
            answers.push(Tensor::stack(&patches, 2)?.max(D::Minus1)?);
        }
        let image = Tensor::stack(&lines, 2)?.reshape((count * width, LENGTH))?;
        let sums = image.matmul(&self.vertical)?;
        answers.push(sums.reshape((count, VERTICAL * width))?);
        let answers = mode.dropout(Tensor::cat(&answers, 1)?, DROPOUT)?;
        Ok(self.joined.forward(&answers)?.relu()?)
    }
}
