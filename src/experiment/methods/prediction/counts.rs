//! The trivial answers: what happened most often, overall, after the action before, or (with the device given) on that device.

use hearth_operators::words::{ActionId, Quadruple};

use super::answer::{Next, Vetted};
use crate::experiment::methods::{Given, Prediction, Ranker, TrainingData};
use crate::models::ModelError;

/// Most frequent: the same answer always, each action with its share of the behaviours. Ignores what is given.
pub struct MostFrequent;

/// Count table: each action's share of the behaviours of the device that is given, `P(action | device)`; without one,
/// of all behaviours. No more than this is needed for most of the figures that the paper's protocol gives.
pub struct CountTable;

/// Bigram: each action's share of what followed the action before, smoothed with its share of all behaviours (Witten
/// and Bell); the first action of a sequence follows its start.
pub struct Bigram;

/// Shares of actions. Each action counts once more than it was seen, so that none is impossible.
struct Shares(Vec<f32>);

impl Shares {
    fn new(actions: usize, data: &TrainingData) -> Self {
        let mut counts = vec![1.0; actions];
        for q in data.train.iter().flat_map(|s| &s.0) {
            counts[usize::from(q.action.0)] += 1.0;
        }
        let sum: f32 = counts.iter().sum();
        Shares(counts.into_iter().map(|count| count / sum).collect())
    }
}

impl Next for Shares {
    fn next(&self, _: &[Quadruple], _: &Given) -> Result<Vec<f32>, ModelError> {
        Ok(self.0.clone())
    }
}

/// Ignores even the device.
struct Constant(Vec<f32>);

impl Ranker for Constant {
    fn rank(&self, _: &[Quadruple], _: &Given) -> Result<Vec<f32>, ModelError> {
        Ok(self.0.clone())
    }
}

impl Prediction for MostFrequent {
    fn name(&self) -> &'static str {
        "most frequent"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Ranker>, ModelError> {
        let actions = Vetted::new(data)?.actions();
        Ok(Box::new(Constant(Shares::new(actions, data).0)))
    }
}

impl Prediction for CountTable {
    fn name(&self) -> &'static str {
        "count table"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Ranker>, ModelError> {
        let catalog = Vetted::new(data)?;
        let shares = Shares::new(catalog.actions(), data);
        Ok(catalog.asking(shares))
    }
}

impl Prediction for Bigram {
    fn name(&self) -> &'static str {
        "bigram"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Ranker>, ModelError> {
        let catalog = Vetted::new(data)?;
        let shares = Shares::new(catalog.actions(), data).0;
        // By the action before, the start last.
        let mut following = vec![vec![0u32; catalog.actions()]; catalog.actions() + 1];
        for sequence in data.train {
            let mut before = catalog.actions();
            for q in &sequence.0 {
                let action = usize::from(q.action.0);
                following[before][action] += 1;
                before = action;
            }
        }
        Ok(catalog.asking(Successors { shares, following }))
    }
}

struct Successors {
    shares: Vec<f32>,
    following: Vec<Vec<u32>>,
}

impl Next for Successors {
    fn next(&self, before: &[Quadruple], _: &Given) -> Result<Vec<f32>, ModelError> {
        let last = before.last().map(|q| q.action);
        let start = self.shares.len();
        let counts = &self.following[last.map_or(start, |ActionId(a)| usize::from(a))];
        let total: u32 = counts.iter().sum();
        if total == 0 {
            return Ok(self.shares.clone());
        }
        let kinds = counts.iter().filter(|&&count| count > 0).count() as f32;
        let smoothed = counts
            .iter()
            .zip(&self.shares)
            .map(|(&count, share)| (count as f32 + kinds * share) / (total as f32 + kinds));
        Ok(smoothed.collect())
    }
}
