//! LOF: how thin the surroundings of a point are beside those of its neighbours.
//!
//! Breunig, Kriegel, Ng, Sander: *LOF: Identifying Density-Based Local Outliers*, SIGMOD 2000; k 20 as in the paper's
//! evaluation. Ours: it is inductive (a new point is held against the training points alone), and the k nearest points must
//! reach at least one other place, close to the remedy that the LOF paper names for duplicates; without it a routine that is
//! repeated more than k times is infinitely dense, and everything near it infinitely anomalous.

use hearth_operators::words::Sequence;

use super::features::{Features, Points, Space, squared_distance};
use super::{Detection, Scorer, TrainingData};
use crate::models::{ModelError, Preset, quantile};

/// Neighbours of a point; more where several are equally far.
const NEIGHBOURS: u32 = 20;
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

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        let points = Points::of(data, Features::of(self.0))?;
        Ok(Box::new(Model::new(points)))
    }
}

struct Model {
    space: Space,
    points: Vec<Vec<f32>>,
    weights: Vec<u32>,
    /// By point: distance to the farthest of its neighbours.
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

    /// The factor of a point that was not learnt.
    fn of(&self, point: &[f32]) -> f32 {
        let around = surroundings(point, None, &self.points, &self.weights);
        self.factor(&around, self.density(&around))
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
        Ok(self.of(&self.space.point(sequence)?))
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
    let mut neighbours: Vec<(usize, f32, u32)> = (0..points.len())
        .map(|i| {
            // A point is not its own neighbour; its equals are.
            let weight = weights[i] - u32::from(own == Some(i));
            (i, squared_distance(point, &points[i]).sqrt(), weight)
        })
        .collect();
    neighbours.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    let mut near = 0;
    let enough = |&&(_, distance, weight): &&(usize, f32, u32)| {
        near += weight;
        near >= NEIGHBOURS && distance > 0.0
    };
    let farthest = neighbours.iter().find(enough).or(neighbours.last());
    let reach = farthest.map_or(0.0, |farthest| farthest.1);
    neighbours.retain(|&(_, distance, weight)| distance <= reach && weight > 0);
    Surroundings { reach, neighbours }
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

#[cfg(test)]
mod tests {
    use super::super::tests::cloud;
    use super::*;

    /// Without duplicates it is what `sklearn.neighbors.LocalOutlierFactor(n_neighbors=20, novelty=True,
    /// contamination=0.2)` of scikit-learn 1.9.1 says.
    #[test]
    fn factors_are_those_of_scikit_learn() {
        let model = Model::new(cloud(|_| 1));
        let expected = [
            ([0.0, 0.0, 0.0], 0.956_861_7),
            ([3.0, 2.0, 1.0], 1.116_893_4),
            ([5.0, -5.0, 5.0], 2.712_795_6),
            ([0.5, 1.0, -0.5], 0.998_528_2),
        ];
        for (point, expected) in expected {
            let factor = model.of(&point);
            assert!((factor - expected).abs() < 1e-4, "{point:?}: {factor}");
        }
        assert!((model.threshold - 1.021_143_9).abs() < 1e-4);
    }

    /// Places with a hundred points each stay usual, and what lies near them does not get an endless score.
    #[test]
    fn densities_stay_finite_among_duplicates() {
        let points = cloud(|i| if i % 3 == 0 { 100 } else { 1 });
        let place = points.points[3].clone();
        let model = Model::new(points);
        let (there, near) = (model.of(&place), model.of(&[0.1, 0.1, 0.1]));
        let far = model.of(&[5.0, -5.0, 5.0]);
        assert!(there < 1.5, "{there}");
        assert!(near < 5.0 && far > 10.0, "{near} {far}");
    }
}
