//! What a method made of a part of a log, before it is a line.

use super::draws::Draws;
use super::lines::{Line, Metrics, Slice, Task, rounded};

/// Figures with those of all draws.
#[derive(Debug)]
pub(super) struct Found {
    pub task: Task,
    pub method: String,
    pub slice: Slice,
    pub homes: u64,
    pub behaviors: u64,
    metrics: Metrics,
    draws: Vec<Metrics>,
}

impl Found {
    /// Computes figures with every home once, and for each draw of homes.
    pub fn new(
        (task, method, slice): (Task, &str, Slice),
        (homes, behaviors): (u64, u64),
        draws: &Draws,
        all_homes: usize,
        figures: impl Fn(&[f64]) -> Metrics,
    ) -> Self {
        let (metrics, draws) = draws.figures(all_homes, figures);
        Found {
            task,
            method: method.to_owned(),
            slice,
            homes,
            behaviors,
            metrics,
            draws,
        }
    }

    /// The line of a source and a seed.
    pub fn line(&self, source: &str, seed: u64) -> Line {
        let of_draws = |name: &String| {
            let values = self
                .draws
                .iter()
                .map(|draw| draw.get(name).copied().map(rounded));
            (name.clone(), values.collect())
        };
        Line {
            source: source.to_owned(),
            seed,
            task: self.task,
            method: self.method.clone(),
            slice: self.slice.clone(),
            homes: self.homes,
            behaviors: self.behaviors,
            draws: match self.draws.is_empty() {
                true => Default::default(),
                false => self.metrics.keys().map(of_draws).collect(),
            },
            metrics: self
                .metrics
                .iter()
                .map(|(n, v)| (n.clone(), rounded(*v)))
                .collect(),
        }
    }
}
