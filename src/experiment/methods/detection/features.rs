//! Sequences as points, for methods that know distances alone.
//!
//! - [`Features::Presence`]: for each number of each column whether it occurs (1 or 0): weekdays, hour buckets, devices and
//!   actions side by side; then `ln` of the length. Order does not show. Chosen on one swapped action in the paper's source data,
//!   where counts, their logarithms and shares told LOF and one-class SVM less on the whole.
//! - [`Features::Ids`]: the authors' way. The numbers themselves of the first ten behaviours, as if an action 40 were twice an
//!   action 20; −1 where there is no behaviour (their baseline sequences always have ten).
//!
//! Training points that are equal are kept once, with their multiplicity: most of a home's sequences have a twin
//! (the paper's FR winter: 1728 sequences, 459 different ones).

use hearth_operators::words::Sequence;
use rand::seq::index;

use super::TrainingData;
use super::columns::ColumnReader;
use crate::models::{ModelError, Preset, WINDOW, generator};

/// Different points that are kept: what compares points with each other takes the square of their number. Of more, as many
/// are drawn.
const LIMIT: usize = 4096;

/// How a sequence becomes a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Features {
    Presence,
    Ids,
}

impl Features {
    /// The authors' with their sizes, else ours.
    pub fn of(preset: Preset) -> Self {
        match preset {
            Preset::Small => Features::Presence,
            Preset::Paper => Features::Ids,
        }
    }
}

/// Makes points of sequences.
pub(super) struct Space {
    reader: ColumnReader,
    features: Features,
}

impl Space {
    /// The point of a sequence.
    ///
    /// # Errors
    /// The sequence is empty or not of the catalog.
    pub fn point(&self, sequence: &Sequence) -> Result<Vec<f32>, ModelError> {
        self.reader.check(sequence)?;
        let sizes = self.reader.sizes();
        match self.features {
            Features::Presence => {
                let mut point = vec![0f32; sizes.iter().sum()];
                for q in &sequence.0 {
                    let mut start = 0;
                    for (number, size) in self.reader.numbers(q).zip(sizes) {
                        point[start + number] = 1.0;
                        start += size;
                    }
                }
                point.push((sequence.0.len() as f32).ln());
                Ok(point)
            }
            Features::Ids => {
                let read = sequence.0.iter().take(WINDOW);
                let mut ids: Vec<f32> = read
                    .flat_map(|q| self.reader.numbers(q))
                    .map(|number| number as f32)
                    .collect();
                ids.resize(WINDOW * sizes.len(), -1.0);
                Ok(ids)
            }
        }
    }
}

/// The training sequences as different points, in an order of their own.
pub(super) struct Points {
    pub space: Space,
    pub points: Vec<Vec<f32>>,
    /// By point: how many sequences have it.
    pub weights: Vec<u32>,
}

impl Points {
    /// Those of the training sequences.
    ///
    /// # Errors
    /// There is nothing to learn from, or a sequence is not of the catalog.
    pub fn of(data: &TrainingData, features: Features) -> Result<Self, ModelError> {
        let reader = ColumnReader::new(data.catalog, data.columns);
        let train = reader.train(data)?;
        let space = Space { reader, features };
        let mut all: Vec<Vec<f32>> = train
            .into_iter()
            .map(|s| space.point(s))
            .collect::<Result<_, _>>()?;
        all.sort_unstable_by(|a, b| {
            a.iter()
                .map(|x| x.to_bits())
                .cmp(b.iter().map(|x| x.to_bits()))
        });
        let (mut points, mut weights): (Vec<Vec<f32>>, Vec<u32>) = all
            .chunk_by(|a, b| a == b)
            .map(|equal| (equal[0].clone(), equal.len() as u32))
            .unzip();
        if points.len() > LIMIT {
            let mut kept =
                index::sample(&mut generator(data.seed, 0), points.len(), LIMIT).into_vec();
            kept.sort_unstable();
            weights = kept.iter().map(|&i| weights[i]).collect();
            points = kept
                .iter()
                .map(|&i| std::mem::take(&mut points[i]))
                .collect();
        }
        Ok(Points {
            space,
            points,
            weights,
        })
    }
}

/// Squared Euclidean distance of two points of one space.
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    // Eight sums side by side, which the processor adds at once.
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0f32; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}
