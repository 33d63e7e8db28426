//! Prediction by partial matching, order three, escape by method C, with exclusion (A. Moffat, *Implementing the PPM data
//! compression scheme*, 1990).
//!
//! The longest context that was seen gives each action that followed it `n(x) / (n + k)` and leaves `k / (n + k)` to the next
//! shorter one, where what the longer ones have named no longer counts; the actions that none has named share what is left.

use super::super::log::{Behavior, Segment};
use super::Predictor;
use super::counts::Counts;
use super::places::{Context, Place};

/// Actions of the longest context.
const ORDER: usize = 3;

/// A home's own.
#[derive(Default)]
pub(super) struct Ppm {
    counts: Counts,
    /// Actions that longer contexts have named.
    named: Vec<bool>,
}

/// The longest first.
fn contexts(place: &Place<'_>) -> impl Iterator<Item = Context> {
    let longer = (1..=ORDER).rev().filter_map(|order| place.last(order));
    longer.chain([Context::Any])
}

impl Predictor for Ppm {
    fn name(&self) -> &'static str {
        "PPM"
    }

    fn predict(&mut self, place: &Place<'_>, scores: &mut [f64]) {
        scores.fill(0.0);
        self.named.clear();
        self.named.resize(scores.len(), false);
        let mut left = 1.0;
        for context in contexts(place) {
            let Some(seen) = self.counts.seen(place.home, &context) else {
                continue;
            };
            let new = seen
                .outcomes()
                .iter()
                .filter(|(x, _)| !self.named[*x as usize]);
            let new: Vec<_> = new.copied().collect();
            let all: u32 = new.iter().map(|(_, count)| count).sum();
            let all = f64::from(all) + new.len() as f64;
            for &(outcome, count) in &new {
                scores[outcome as usize] = left * f64::from(count) / all;
                self.named[outcome as usize] = true;
            }
            if !new.is_empty() {
                left *= new.len() as f64 / all;
            }
        }
        let unnamed = self.named.iter().filter(|named| !**named).count();
        if unnamed == 0 {
            // Nobody is left to escape to.
            scores.iter_mut().for_each(|p| *p /= 1.0 - left);
            return;
        }
        for (p, named) in scores.iter_mut().zip(&self.named) {
            if !named {
                *p = left / unnamed as f64;
            }
        }
    }

    fn learn(&mut self, segment: &Segment, earlier: Option<&Behavior>) {
        for (place, action) in Place::of(segment, earlier) {
            for context in contexts(&place) {
                self.counts.learn(segment.home, context, action);
            }
        }
    }
}
