//! Isolation forest: what few random cuts set apart is anomalous.
//!
//! Liu, Ting, Zhou: *Isolation Forest*, ICDM 2008: 100 trees of 256 points each, no deeper than `log2 256`; the score
//! is `2^(−E[h] / c)` (their equation 2), above ½ what is isolated sooner than chance. Ours: each cut is made in a column
//! that differs within the node, for most columns of a home are the same almost everywhere.

use hearth_operators::words::Sequence;
use rand::Rng;
use rand::seq::{IndexedRandom, index};
use rand_chacha::ChaCha8Rng;

use super::features::{Features, Points, Space};
use super::{Detection, Scorer, TrainingData};
use crate::models::{ModelError, Preset, generator};

const TREES: u64 = 100;
const SAMPLE: usize = 256;

/// Isolation forest.
pub struct IsolationForest(pub Preset);

impl Detection for IsolationForest {
    fn name(&self) -> &'static str {
        "IF"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        let Points {
            space,
            points,
            weights,
        } = Points::of(data, Features::of(self.0))?;
        let points: Vec<&[f32]> = points
            .iter()
            .zip(weights)
            .flat_map(|(point, weight)| std::iter::repeat_n(point.as_slice(), weight as usize))
            .collect();
        let size = SAMPLE.min(points.len());
        let depth = (size as f32).log2().ceil() as u32;
        let trees = (0..TREES).map(|tree| {
            // Stream 0 has drawn the points.
            let mut rng = generator(data.seed, 1 + tree);
            let sample = index::sample(&mut rng, points.len(), size);
            Tree::grow(sample.iter().map(|i| points[i]).collect(), depth, &mut rng)
        });
        Ok(Box::new(Model {
            trees: trees.collect(),
            space,
            size,
        }))
    }
}

struct Model {
    space: Space,
    trees: Vec<Tree>,
    /// Points that a tree was grown from.
    size: usize,
}

impl Scorer for Model {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        let point = self.space.point(sequence)?;
        let paths: f32 = self.trees.iter().map(|tree| tree.path(&point)).sum();
        // A single point cannot be set apart from anything.
        let usual = expected_path(self.size).max(f32::MIN_POSITIVE);
        Ok((-paths / self.trees.len() as f32 / usual).exp2())
    }

    fn threshold(&self) -> Option<f32> {
        Some(0.5)
    }
}

enum Tree {
    Leaf {
        /// Points that were not told apart.
        size: usize,
    },
    Cut {
        column: usize,
        /// What is not above goes to the first side.
        at: f32,
        sides: Box<[Tree; 2]>,
    },
}

impl Tree {
    fn grow(points: Vec<&[f32]>, depth: u32, rng: &mut ChaCha8Rng) -> Self {
        let size = points.len();
        let ranges = ranges(&points);
        let chosen = ranges.choose(rng).filter(|_| depth > 0);
        let Some(&(column, low, high)) = chosen else {
            return Tree::Leaf { size };
        };
        let at = rng.random_range(low..high);
        let (below, above) = points.into_iter().partition(|p| p[column] <= at);
        let sides = [below, above].map(|side| Tree::grow(side, depth - 1, rng));
        Tree::Cut {
            column,
            at,
            sides: Box::new(sides),
        }
    }

    /// How many cuts lead to the point's leaf, and how many more there would be within it.
    fn path(&self, point: &[f32]) -> f32 {
        match self {
            Tree::Leaf { size } => expected_path(*size),
            Tree::Cut { column, at, sides } => {
                1.0 + sides[usize::from(point[*column] > *at)].path(point)
            }
        }
    }
}

/// The columns in which the points differ, with least and greatest value.
fn ranges(points: &[&[f32]]) -> Vec<(usize, f32, f32)> {
    let Some((first, rest)) = points.split_first() else {
        return Vec::new();
    };
    let (mut low, mut high) = (first.to_vec(), first.to_vec());
    for point in rest {
        for ((low, high), &x) in low.iter_mut().zip(&mut high).zip(*point) {
            *low = low.min(x);
            *high = high.max(x);
        }
    }
    let ranges = low.into_iter().zip(high).enumerate();
    ranges
        .filter(|(_, (low, high))| low < high)
        .map(|(column, (low, high))| (column, low, high))
        .collect()
}

/// The mean path in a random tree of `size` points (their equation 1).
fn expected_path(size: usize) -> f32 {
    const EULER: f32 = 0.577_215_7;
    let n = size as f32;
    match size {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => 2.0 * ((n - 1.0).ln() + EULER) - 2.0 * (n - 1.0) / n,
    }
}
