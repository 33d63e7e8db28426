//! Training, the same for every model: seeded batches, Adam, a learning rate that falls to nothing.

use candle_core::Tensor;
use hearth_operators::words::Sequence;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::adam::Adam;
use super::encoding::{Vocabulary, Window};
use super::error::ModelError;
use super::parameters::Parameters;

/// A model that can be trained and asked for its loss.
pub(crate) trait Learner {
    /// The vocabulary of its inputs.
    fn vocabulary(&self) -> &Vocabulary;

    /// Its trainable parameters.
    fn parameters(&self) -> &Parameters;

    /// The training loss of the windows, summed over them (each the mean over its behaviours), as a scalar to
    /// differentiate. `rng` draws dropout and the like.
    fn objective(&self, windows: &[Window], rng: &mut ChaCha8Rng) -> Result<Tensor, ModelError>;

    /// The loss of each behaviour of each window when the model is used: no randomness.
    fn scores(&self, windows: &[Window]) -> Result<Vec<Vec<f32>>, ModelError>;
}

/// How long and how fast to train.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Passes over the windows.
    pub epochs: usize,
    /// More passes where these would be fewer steps: little data must be learnt too.
    pub min_steps: usize,
    /// Fewer passes where these would be more steps: work is bounded whatever the data.
    pub max_steps: usize,
    /// Windows a step.
    pub batch: usize,
    /// The learning rate of the first step.
    pub rate: f32,
    /// Whether the rate falls linearly to nothing.
    pub falling: bool,
    /// Decay of Adam's two moments.
    pub betas: (f32, f32),
}

/// Trains `model` on `windows`, after `seed` alone. The windows of `guest` join the first batch of each pass
/// without changing anything else of it: two runs with and without a guest differ in the guest alone.
pub(crate) fn fit(
    model: &impl Learner,
    windows: &[Window],
    guest: &[Window],
    plan: &Plan,
    seed: u64,
) -> Result<(), ModelError> {
    let size = plan.batch.max(1);
    if windows.is_empty() {
        return Ok(());
    }
    let total = (windows.len().div_ceil(size) * plan.epochs).clamp(plan.min_steps, plan.max_steps);
    let mut adam = Adam::new(model.parameters(), plan.betas);
    let mut order: Vec<Window> = windows.to_vec();
    let mut rng = generator(seed, 0);
    let mut step = 0;
    while step < total {
        for (place, batch) in batches(&mut order, size, &mut rng).into_iter().enumerate() {
            if step == total {
                break;
            }
            // Each step has a generator of its own, and a guest another, so that a guest shifts no one's draws.
            let stream = 1 + 2 * step as u64;
            let mut loss = model.objective(batch, &mut generator(seed, stream))?;
            if place == 0 && !guest.is_empty() {
                loss = (loss + model.objective(guest, &mut generator(seed, stream + 1))?)?;
            }
            let gradients = (loss / batch.len() as f64)?.backward()?;
            let left = 1.0 - step as f32 / total as f32;
            let rate = if plan.falling {
                plan.rate * left
            } else {
                plan.rate
            };
            adam.step(model.parameters(), &gradients, rate)?;
            step += 1;
        }
    }
    Ok(())
}

/// One pass over `windows` in batches of `size`. Windows of like length share a batch: less padding. Which ones, and in
/// which order, is drawn.
pub(crate) fn batches<'a, 'b>(
    windows: &'a mut [Window<'b>],
    size: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<&'a [Window<'b>]> {
    windows.shuffle(rng);
    windows.sort_by_key(|w| w.len());
    let mut batches: Vec<_> = windows.chunks(size).collect();
    batches.shuffle(rng);
    batches
}

/// Generator number `stream` of `seed`; each is independent of the others.
pub(crate) fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Refuses a sequence that a model cannot read: an empty one, or one that is not of its catalog.
pub(super) fn readable(model: &impl Learner, s: &Sequence) -> Result<(), ModelError> {
    if s.0.is_empty() {
        return Err(ModelError::Empty);
    }
    model.vocabulary().check(s)
}

/// The windows of some sequences, in order.
pub(crate) fn windows<'a>(
    sequences: impl IntoIterator<Item = &'a Sequence>,
    length: usize,
) -> Vec<Window<'a>> {
    let windows = sequences.into_iter().map(|s| s.windows(length));
    windows.flatten().collect()
}

/// Mean over all behaviours of all windows; 0 where there are none.
pub(crate) fn mean(scores: &[Vec<f32>]) -> f32 {
    let count: usize = scores.iter().map(Vec::len).sum();
    let sum: f64 = scores.iter().flatten().map(|&s| f64::from(s)).sum();
    (sum / count.max(1) as f64) as f32
}

/// The value below which the share `q` of `values` lies, interpolated linearly between neighbours (Hyndman and Fan's
/// type 7, as numpy and R do it). 0 where there are no values.
pub(crate) fn quantile(values: &[f32], q: f32) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let place = q.clamp(0.0, 1.0) * last as f32;
    let below = place as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        let values = [4.0, 1.0, 3.0, 2.0];
        // numpy.quantile([1, 2, 3, 4], [0, .25, .5, .75, 1])
        for (q, expected) in [
            (0.0, 1.0),
            (0.25, 1.75),
            (0.5, 2.5),
            (0.75, 3.25),
            (1.0, 4.0),
        ] {
            assert_eq!(quantile(&values, q), expected);
        }
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }

    #[test]
    fn generators_of_one_seed_differ_and_repeat() {
        use rand::Rng;
        let draw = |seed, stream| generator(seed, stream).random::<u64>();
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }
}
