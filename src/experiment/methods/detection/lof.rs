//! LOF: how thin the surroundings of a point are beside those of its neighbours.
//!
//! Breunig, Kriegel, Ng, Sander: *LOF: Identifying Density-Based Local Outliers*, SIGMOD 2000; k 20 as in the paper's
//! evaluation. Ours: it is inductive (a new point is held against the training points alone), and neighbours are the k nearest
//! *different* places with all that lies there, the remedy that the LOF paper names for duplicates; without it a routine that
//! is repeated more than k times is infinitely dense, and everything near it infinitely strange.

use hearth_operators::words::Sequence;

use super::features::{Features, Points, Space, squared_distance};
use super::{Detection, Lesson, Scorer};
use crate::models::{ModelError, Preset, quantile};

/// Neighbouring places.
const NEIGHBOURS: usize = 20;
/// The share of the training data that the authors suppose to be anomalies: it gives the method's own threshold.
const CONTAMINATION: f32 = 0.2;
/// Keeps densities finite where a point has no neighbour at a distance.
const NEAREST: f32 = 1e-6;

/// Local outlier factor.
pub struct Lof(pub Preset);

impl Detection for Lof {
    fn name(&self) -> &'static str {
        "LOF"
    }

    fn fit(&self, lesson: &Lesson) -> Result<Box<dyn Scorer>, ModelError> {
        let points = Points::of(lesson, Features::of(self.0))?;
        Ok(Box::new(Model::new(points)))
    }
}

struct Model {
    space: Space,
    points: Vec<Vec<f32>>,
    weights: Vec<u32>,
    /// By point: distance to its k-th nearest other place.
    reaches: Vec<f32>,
    /// By point: local reachability density.
    densities: Vec<f32>,
    threshold: f32,
}

/// What lies around a point, itself left out: `(place, distance, how many points)`, no farther than `reach`.
struct Surroundings {
    reach: f32,
    neighbours: Vec<(usize, f32, u32)>,
}

impl Model {
    fn new(points: Points) -> Self {
        let Points {
            space,
            points,
            weights,
        } = points;
        let around: Vec<Surroundings> = (0..points.len())
            .map(|i| surroundings(&points[i], Some(i), &points, &weights))
            .collect();
        let mut model = Model {
            space,
            points,
            weights,
            reaches: around.iter().map(|around| around.reach).collect(),
            densities: Vec::new(),
            threshold: 0.0,
        };
        model.densities = around.iter().map(|around| model.density(around)).collect();
        let factors = around.iter().zip(&model.densities);
        let factors = factors.map(|(around, density)| model.factor(around, *density));
        let factors = factors.zip(&model.weights);
        let training: Vec<f32> = factors
            .flat_map(|(factor, &weight)| std::iter::repeat_n(factor, weight as usize))
            .collect();
        model.threshold = quantile(&training, 1.0 - CONTAMINATION);
        model
    }

    /// Local reachability density: the inverse mean reachability distance to the neighbours.
    fn density(&self, around: &Surroundings) -> f32 {
        let reachability = |&(i, distance, _): &(usize, f32, u32)| self.reaches[i].max(distance);
        1.0 / mean(around, reachability).max(NEAREST)
    }

    /// The neighbours' mean density over one's own.
    fn factor(&self, around: &Surroundings, density: f32) -> f32 {
        if around.neighbours.is_empty() {
            return 1.0;
        }
        mean(around, |&(i, ..)| self.densities[i]) / density
    }
}

impl Scorer for Model {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        let point = self.space.point(sequence)?;
        let around = surroundings(&point, None, &self.points, &self.weights);
        Ok(self.factor(&around, self.density(&around)))
    }

    fn threshold(&self) -> Option<f32> {
        Some(self.threshold)
    }
}

/// `own`: the place of `point` among `points` if it is one of them.
fn surroundings(
    point: &[f32],
    own: Option<usize>,
    points: &[Vec<f32>],
    weights: &[u32],
) -> Surroundings {
    let distances: Vec<f32> = points
        .iter()
        .map(|p| squared_distance(point, p).sqrt())
        .collect();
    let mut others: Vec<f32> = distances.iter().copied().filter(|&d| d > 0.0).collect();
    let last = NEIGHBOURS.min(others.len()).checked_sub(1);
    let reach = last.map_or(0.0, |last| {
        *others.select_nth_unstable_by(last, f32::total_cmp).1
    });
    let neighbours = (0..points.len())
        .filter(|&i| distances[i] <= reach)
        .map(|i| {
            // A point is not its own neighbour; its equals are.
            (i, distances[i], weights[i] - u32::from(own == Some(i)))
        });
    Surroundings {
        reach,
        neighbours: neighbours.filter(|&(.., weight)| weight > 0).collect(),
    }
}

/// The mean over all neighbouring points; 0 without any.
fn mean(around: &Surroundings, of: impl Fn(&(usize, f32, u32)) -> f32) -> f32 {
    let (mut sum, mut count) = (0f64, 0f64);
    for neighbour in &around.neighbours {
        let weight = f64::from(neighbour.2);
        sum += weight * f64::from(of(neighbour));
        count += weight;
    }
    (sum / count.max(1.0)) as f32
}
