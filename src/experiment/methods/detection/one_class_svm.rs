//! One-class SVM: a boundary in the space of a kernel around all but a share ν of the training data.
//!
//! Schölkopf, Platt, Shawe-Taylor, Smola, Williamson: *Estimating the Support of a High-Dimensional Distribution*, Neural
//! Computation 2001; ν 0.1, Gaussian kernel with γ 0.1 as in the paper's evaluation. The dual is solved by sequential minimal
//! optimisation with second-order working sets (Fan, Chen, Lin, JMLR 2005). Ours: it is inductive, and equal points are one
//! variable with a wider box, which is the same problem, only smaller.

use hearth_operators::words::Sequence;

use super::features::{Features, Points, Space, squared_distance};
use super::{Detection, Lesson, Scorer};
use crate::models::{ModelError, Preset};

/// At most this share of the training data lies outside.
const NU: f64 = 0.1;
/// Width of the kernel `exp(−γ |a − b|²)`.
const GAMMA: f32 = 0.1;
/// The gradients of two variables that may be moved against each other agree to this much at the end.
const TOLERANCE: f64 = 1e-3;
/// Steps a point, after which the solution is taken as it is: always a feasible one. Hundreds of points have needed
/// about as many steps as there are points.
const STEPS: usize = 1000;

/// One-class support vector machine.
pub struct OneClassSvm(pub Preset);

impl Detection for OneClassSvm {
    fn name(&self) -> &'static str {
        "OCSVM"
    }

    fn fit(&self, lesson: &Lesson) -> Result<Box<dyn Scorer>, ModelError> {
        let Points {
            space,
            points,
            weights,
        } = Points::of(lesson, Features::of(self.0))?;
        let solution = Solution::of(&points, &weights);
        let support = points.into_iter().zip(solution.alphas);
        Ok(Box::new(Model {
            space,
            support: support.filter(|(_, alpha)| *alpha > 0.0).collect(),
            offset: solution.offset,
        }))
    }
}

struct Model {
    space: Space,
    /// Support vectors with their coefficients.
    support: Vec<(Vec<f32>, f64)>,
    offset: f64,
}

impl Scorer for Model {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        let point = self.space.point(sequence)?;
        let support = self.support.iter();
        let inside: f64 = support
            .map(|(x, alpha)| alpha * f64::from(kernel(x, &point)))
            .sum();
        Ok((self.offset - inside) as f32)
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
