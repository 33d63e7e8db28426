//! One-class SVM: a boundary in the space of a kernel around all but a share ν of the training data.
//!
//! Schölkopf, Platt, Shawe-Taylor, Smola, Williamson: *Estimating the Support of a High-Dimensional Distribution*, Neural
//! Computation 2001; ν 0.1, Gaussian kernel with γ 0.1 as in the paper's evaluation. The dual is solved by sequential minimal
//! optimisation with second-order working sets (Fan, Chen, Lin, JMLR 2005). Ours: it is inductive, and equal points are one
//! variable with a wider box, which is the same problem, only smaller.

use hearth_operators::words::Sequence;

use super::features::{Features, Points, Space, squared_distance};
use super::{Detection, Scorer, TrainingData};
use crate::models::{ModelError, Preset};

/// At most this share of the training data lies outside.
const NU: f64 = 0.1;
/// Width of the kernel `exp(−γ |a − b|²)`.
const GAMMA: f32 = 0.1;
/// The gradients of two variables that may be moved against each other agree to this much at the end.
const TOLERANCE: f64 = 1e-3;
/// Steps a point, after which the solution is taken as it is: always a feasible one.
const STEPS: usize = 1000;

/// One-class support vector machine.
pub struct OneClassSvm(pub Preset);

impl Detection for OneClassSvm {
    fn name(&self) -> &'static str {
        "OCSVM"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        let Points {
            space,
            points,
            weights,
        } = Points::of(data, Features::of(self.0))?;
        let solution = Solution::of(&points, &weights);
        Ok(Box::new(Model::new(space, points, solution)))
    }
}

struct Model {
    space: Space,
    /// Support vectors with their coefficients.
    support: Vec<(Vec<f32>, f64)>,
    offset: f64,
}

impl Model {
    fn new(space: Space, points: Vec<Vec<f32>>, solution: Solution) -> Self {
        let support = points.into_iter().zip(solution.alphas);
        Model {
            space,
            support: support.filter(|(_, alpha)| *alpha > 0.0).collect(),
            offset: solution.offset,
        }
    }

    /// How far a point is outside; below 0 it is inside.
    fn of(&self, point: &[f32]) -> f32 {
        let support = self.support.iter();
        let inside: f64 = support
            .map(|(x, alpha)| alpha * f64::from(kernel(x, point)))
            .sum();
        (self.offset - inside) as f32
    }
}

impl Scorer for Model {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        Ok(self.of(&self.space.point(sequence)?))
    }

    fn threshold(&self) -> Option<f32> {
        Some(0.0)
    }
}

fn kernel(a: &[f32], b: &[f32]) -> f32 {
    (-GAMMA * squared_distance(a, b)).exp()
}

/// Minimises `½ αᵀKα` where `0 ≤ αᵢ ≤ weightᵢ` and `Σα = ν Σ weight`.
struct Solution {
    alphas: Vec<f64>,
    /// ρ: what `Kα` is on the boundary.
    offset: f64,
}

impl Solution {
    fn of(points: &[Vec<f32>], weights: &[u32]) -> Self {
        let n = points.len();
        let kernel: Vec<f32> = points
            .iter()
            .flat_map(|a| points.iter().map(move |b| kernel(a, b)))
            .collect();
        let row = |i: usize| &kernel[i * n..][..n];
        let limits: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
        let mut left = NU * limits.iter().sum::<f64>();
        let mut alphas = vec![0f64; n];
        let mut gradient = vec![0f64; n];
        for i in 0..n {
            alphas[i] = limits[i].min(left);
            left -= alphas[i];
            if alphas[i] > 0.0 {
                add(&mut gradient, alphas[i], row(i));
            }
        }
        for _ in 0..STEPS.saturating_mul(n) {
            let grow = (0..n).filter(|&i| alphas[i] < limits[i]);
            let Some(up) = grow.min_by(|&i, &j| gradient[i].total_cmp(&gradient[j])) else {
                break;
            };
            let toward = row(up);
            let mut best: Option<(f64, usize)> = None;
            let mut widest = 0f64;
            for j in (0..n).filter(|&j| alphas[j] > 0.0) {
                let difference = gradient[j] - gradient[up];
                widest = widest.max(difference);
                let gain = difference * difference / curvature(toward[j]);
                if difference > 0.0 && best.is_none_or(|(most, _)| gain > most) {
                    best = Some((gain, j));
                }
            }
            let Some((_, down)) = best.filter(|_| widest > TOLERANCE) else {
                break;
            };
            let step = (gradient[down] - gradient[up]) / curvature(toward[down]);
            let step = step.min(limits[up] - alphas[up]).min(alphas[down]);
            alphas[up] += step;
            alphas[down] -= step;
            add(&mut gradient, step, toward);
            add(&mut gradient, -step, row(down));
        }
        Solution {
            offset: offset(&alphas, &limits, &gradient),
            alphas,
        }
    }
}

/// Of the objective along the exchange of two variables whose kernel is `k`, each with itself 1.
fn curvature(k: f32) -> f64 {
    (2.0 - 2.0 * f64::from(k)).max(1e-12)
}

fn add(sum: &mut [f64], factor: f64, row: &[f32]) {
    for (sum, &x) in sum.iter_mut().zip(row) {
        *sum += factor * f64::from(x);
    }
}

/// The mean gradient of the variables within their boxes; without any, halfway between the two kinds at their ends.
fn offset(alphas: &[f64], limits: &[f64], gradient: &[f64]) -> f64 {
    let (mut sum, mut count) = (0f64, 0u32);
    let (mut below, mut above) = (f64::NEG_INFINITY, f64::INFINITY);
    for ((&alpha, &limit), &gradient) in alphas.iter().zip(limits).zip(gradient) {
        if alpha >= limit {
            below = below.max(gradient);
        } else if alpha <= 0.0 {
            above = above.min(gradient);
        } else {
            sum += gradient;
            count += 1;
        }
    }
    match (count, below.is_finite(), above.is_finite()) {
        (1.., ..) => sum / f64::from(count),
        (0, true, true) => f64::midpoint(below, above),
        (0, true, false) => below,
        (0, ..) => above,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::cloud;
    use super::*;
    use proptest::prelude::*;

    /// Minus the decision function of `sklearn.svm.OneClassSVM(nu=0.1, kernel="rbf", gamma=0.1, tol=1e-8)` of scikit-learn
    /// 1.9.1 on the points repeated by their weights.
    #[test]
    fn decisions_are_those_of_scikit_learn() {
        let Points {
            space,
            points,
            weights,
        } = cloud(|i| 1 + i as u32 % 3);
        let solution = Solution::of(&points, &weights);
        let model = Model::new(space, points, solution);
        let expected = [
            ([0.0, 0.0, 0.0], -0.749_126_1),
            ([3.0, 2.0, 1.0], 0.318_529_5),
            ([5.0, -5.0, 5.0], 3.565_215),
            ([0.5, 1.0, -0.5], -0.514_216_3),
        ];
        for (point, expected) in expected {
            let outside = model.of(&point);
            assert!((outside - expected).abs() < 5e-3, "{point:?}: {outside}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The conditions of Karush, Kuhn and Tucker, which only a solution meets: the problem is convex.
        #[test]
        fn any_solution_is_optimal(
            points in prop::collection::btree_map(prop::collection::vec(-3i8..=3, 3), 1..6_u32, 1..40),
        ) {
            let (points, weights): (Vec<Vec<f32>>, Vec<u32>) = points
                .into_iter()
                .map(|(point, weight)| (point.into_iter().map(f32::from).collect(), weight))
                .unzip();
            let Solution { alphas, offset } = Solution::of(&points, &weights);
            let total: f64 = alphas.iter().sum();
            let mass: f64 = weights.iter().map(|&w| f64::from(w)).sum();
            prop_assert!((total - NU * mass).abs() < 1e-6);
            for ((point, &weight), &alpha) in points.iter().zip(&weights).zip(&alphas) {
                prop_assert!((0.0..=f64::from(weight) + 1e-9).contains(&alpha));
                let others = points.iter().zip(&alphas);
                let gradient: f64 = others.map(|(x, a)| a * f64::from(kernel(x, point))).sum();
                if alpha < f64::from(weight) {
                    prop_assert!(gradient > offset - 2.0 * TOLERANCE, "{gradient} {offset}");
                }
                if alpha > 0.0 {
                    prop_assert!(gradient < offset + 2.0 * TOLERANCE, "{gradient} {offset}");
                }
            }
        }
    }
}
