//! An online linear mixture of contexts, each of the home and of all homes.
//!
//! Any; hours; weekend with hours; the last one to four actions; hours with the last action; the last action with the set of
//! the last six: each for the home and pooled, and the even distribution. A distribution is `n(x)/(n+k) + k/(n+k)/V`. Weights lie
//! in a table by how much the home has seen of three of the contexts, shared by all homes; when a segment is learnt, each of
//! its behaviours moves them by `.2 w (p(x)/q(x) − 1)`, with the probabilities that were given before.

use super::super::log::{Action, Behavior, Home, Segment};
use super::counts::{Counts, Pooled, Seen};
use super::places::{Context, Place};
use super::{Opening, Predictor};

/// By how much a surprise moves weights.
const RATE: f64 = 0.2;
/// No weight falls below this, so that none is out for good.
const LEAST: f64 = 1e-5;
/// Contexts.
const CONTEXTS: usize = 9;
/// Those that say how much the home has seen: after the last action, after the last two, hours with the last action.
const FAMILIAR: [usize; 3] = [3, 4, 7];
/// Distributions: of the home and of all homes, and the even one.
const EXPERTS: usize = 2 * CONTEXTS + 1;
/// How much was seen: nothing, once, up to seven times, more.
const LEVELS: usize = 4;
const CLASSES: usize = LEVELS.pow(FAMILIAR.len() as u32);

type Weights = [f64; EXPERTS];

/// The mixture.
pub(super) struct Mixture {
    actions: usize,
    home: Counts,
    cohort: Pooled,
    /// By class; each sums to 1.
    weights: Vec<Weights>,
}

impl Mixture {
    pub fn new(actions: usize) -> Self {
        Mixture {
            actions,
            home: Counts::default(),
            cohort: Pooled::default(),
            weights: vec![[1.0 / EXPERTS as f64; EXPERTS]; CLASSES],
        }
    }

    /// What home and cohort have seen in each context.
    fn seen(&self, home: Home, contexts: &[Context; CONTEXTS]) -> [Option<&Seen>; 2 * CONTEXTS] {
        std::array::from_fn(|expert| {
            let context = &contexts[expert / 2];
            match expert % 2 {
                0 => self.home.seen(home, context),
                _ => self.cohort.seen(context),
            }
        })
    }

    /// How each weighs one outcome.
    fn of_one(&self, seen: &[Option<&Seen>; 2 * CONTEXTS], outcome: Action) -> Weights {
        let even = 1.0 / self.actions as f64;
        std::array::from_fn(|expert| match seen.get(expert) {
            Some(Some(seen)) => seen.smoothed(outcome, even),
            _ => even,
        })
    }
}

fn contexts(place: &Place<'_>) -> [Context; CONTEXTS] {
    let hours = place.hours();
    [
        Context::Any,
        Context::Hours(hours),
        Context::WeekendHours(place.weekend(), hours),
        place.padded(1),
        place.padded(2),
        place.padded(3),
        place.padded(4),
        Context::HoursLast(hours, place.before.last().map(|b| b.action)),
        place.set(),
    ]
}

/// The class of weights.
fn class(seen: &[Option<&Seen>; 2 * CONTEXTS]) -> usize {
    FAMILIAR.iter().fold(0, |class, context| {
        let level = match seen[2 * context].map_or(0, Seen::total) {
            0 => 0,
            1 => 1,
            2..8 => 2,
            _ => 3,
        };
        class * LEVELS + level
    })
}

/// Moves weights towards those that gave an outcome more than the mixture did.
fn moved(weights: &Weights, given: &Weights) -> Weights {
    let mixed: f64 = weights.iter().zip(given).map(|(w, p)| w * p).sum();
    let step = |(w, p): (&f64, &f64)| (w * (1.0 + RATE * (p / mixed - 1.0))).max(LEAST);
    let mut moved = weights.iter().zip(given).map(step);
    let mut moved: Weights = std::array::from_fn(|_| moved.next().unwrap_or(LEAST));
    let sum: f64 = moved.iter().sum();
    moved.iter_mut().for_each(|w| *w /= sum);
    moved
}

impl Predictor for Mixture {
    fn name(&self) -> &'static str {
        "linear mixture, online"
    }

    fn begin(&mut self, segment: &Opening) {
        self.cohort.enter(segment.epoch);
    }

    fn predict(&mut self, place: &Place<'_>, scores: &mut [f64]) {
        let seen = self.seen(place.home, &contexts(place));
        let weights = &self.weights[class(&seen)];
        let mut even = weights[EXPERTS - 1];
        scores.fill(0.0);
        for (seen, weight) in seen.iter().zip(weights) {
            let Some(seen) = seen else {
                even += weight;
                continue;
            };
            let all = f64::from(seen.total()) + seen.kinds() as f64;
            even += weight * seen.kinds() as f64 / all;
            for &(outcome, count) in seen.outcomes() {
                scores[outcome as usize] += weight * f64::from(count) / all;
            }
        }
        let even = even / self.actions as f64;
        scores.iter_mut().for_each(|p| *p += even);
    }

    fn learn(&mut self, segment: &Segment, earlier: Option<&Behavior>) {
        let places: Vec<_> = Place::of(segment, earlier)
            .map(|(place, action)| (contexts(&place), action))
            .collect();
        for (contexts, action) in &places {
            let seen = self.seen(segment.home, contexts);
            let (class, given) = (class(&seen), self.of_one(&seen, *action));
            self.weights[class] = moved(&self.weights[class], &given);
        }
        for (contexts, action) in places {
            for context in contexts {
                self.cohort.learn(context.clone(), action);
                self.home.learn(segment.home, context, action);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_move_as_written() {
        let weights = [1.0 / EXPERTS as f64; EXPERTS];
        let mut given = [0.1; EXPERTS];
        given[0] = 0.3;
        let after = moved(&weights, &given);
        let mixed = (0.3 + 0.1 * (EXPERTS - 1) as f64) / EXPERTS as f64;
        let (up, down) = (
            1.0 + 0.2 * (0.3 / mixed - 1.0),
            1.0 + 0.2 * (0.1 / mixed - 1.0),
        );
        assert!((after[0] / after[1] - up / down).abs() < 1e-12);
        assert!((after.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
