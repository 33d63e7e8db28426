//! The bootstrap over homes: how often each home is drawn.

use rand::Rng;

use super::log::Home;
use crate::models::generator;

/// How often is drawn.
const DRAWS: usize = 400;

/// By draw, how often each home is in it. All figures of a run are of the same draws, so that the difference of two in a draw
/// is a draw of their difference.
pub(super) struct Draws(Vec<Vec<f64>>);

impl Draws {
    /// Draws homes with replacement, within their groups; of `homes` homes in all, those without a group are in no draw. Where
    /// there is one home alone there is nothing to draw.
    pub fn new(homes: usize, groups: &[Vec<Home>], seed: u64) -> Self {
        let drawn: usize = groups.iter().map(Vec::len).sum();
        if drawn < 2 {
            return Draws(Vec::new());
        }
        let mut rng = generator(seed, 1);
        let draws = (0..DRAWS).map(|_| {
            let mut weights = vec![0.0; homes];
            for group in groups {
                for _ in group {
                    weights[group[rng.random_range(0..group.len())] as usize] += 1.0;
                }
            }
            weights
        });
        Draws(draws.collect())
    }

    /// The figure with every home once, and in each draw.
    pub fn figures<T>(&self, homes: usize, figure: impl Fn(&[f64]) -> T) -> (T, Vec<T>) {
        let all = figure(&vec![1.0; homes]);
        (all, self.0.iter().map(|weights| figure(weights)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_has_as_many_homes_of_each_group() {
        let draws = Draws::new(6, &[vec![0, 1, 2], vec![4, 5]], 1);
        let sums = |w: &[f64]| (w[..3].iter().sum::<f64>(), w[3], w[4] + w[5]);
        let (all, drawn) = draws.figures(6, sums);
        assert_eq!(all, (3.0, 1.0, 2.0));
        assert_eq!(drawn.len(), DRAWS);
        assert!(drawn.iter().all(|sums| *sums == (3.0, 0.0, 2.0)));
        let first = |w: &[f64]| w[0];
        assert!(draws.figures(6, first).1.iter().any(|w| *w != 1.0));
    }

    #[test]
    fn one_home_has_no_draws() {
        let (all, drawn) = Draws::new(3, &[vec![2]], 1).figures(3, |w| w[2]);
        assert_eq!((all, drawn.len()), (1.0, 0));
    }
}
