//! The trivial answers that a method has to beat.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::log::{Action, Behavior, Home, Segment};
use super::counts::{Counts, Seen};
use super::places::{Context, Place};
use super::{Detector, Predictor};
use crate::models::generator;

/// How often each action was in the home, once more than it was.
fn shares(counts: &Counts, home: Home, scores: &mut [f64]) {
    let seen = counts.seen(home, &Context::Any);
    let all = f64::from(seen.map_or(0, Seen::total)) + scores.len() as f64;
    scores.fill(1.0 / all);
    for &(action, count) in seen.map_or(&[][..], Seen::outcomes) {
        scores[action as usize] = (f64::from(count) + 1.0) / all;
    }
}

fn learn(counts: &mut Counts, segment: &Segment) {
    for behavior in &segment.behaviors {
        counts.learn(segment.home, Context::Any, behavior.action);
    }
}

/// The home's most frequent actions so far.
#[derive(Default)]
pub(super) struct MostFrequent(Counts);

impl Predictor for MostFrequent {
    fn name(&self) -> &'static str {
        "most frequent"
    }

    fn predict(&mut self, place: &Place<'_>, scores: &mut [f64]) {
        shares(&self.0, place.home, scores);
    }

    fn learn(&mut self, segment: &Segment, _: Option<&Behavior>) {
        learn(&mut self.0, segment);
    }
}

/// What followed the last action when it came last; then the most frequent.
#[derive(Default)]
pub(super) struct LastFollower {
    counts: Counts,
    followed: HashMap<(Home, Action), Action, RandomState>,
}

impl Predictor for LastFollower {
    fn name(&self) -> &'static str {
        "what followed last"
    }

    fn is_distribution(&self) -> bool {
        false
    }

    fn predict(&mut self, place: &Place<'_>, scores: &mut [f64]) {
        shares(&self.counts, place.home, scores);
        let previous = place.previous().map(|b| (place.home, b.action));
        if let Some(&action) = previous.and_then(|previous| self.followed.get(&previous)) {
            scores[action as usize] = 1.0;
        }
    }

    fn learn(&mut self, segment: &Segment, earlier: Option<&Behavior>) {
        learn(&mut self.counts, segment);
        for (place, action) in Place::of(segment, earlier) {
            if let Some(previous) = place.previous() {
                self.followed
                    .insert((segment.home, previous.action), action);
            }
        }
    }
}

/// The rarer in the home so far, the stranger.
pub(super) struct Rarity {
    counts: Counts,
    /// Reused from segment to segment.
    shares: Vec<f64>,
}

impl Rarity {
    pub fn new(actions: usize) -> Self {
        Rarity {
            counts: Counts::default(),
            shares: vec![0.0; actions],
        }
    }
}

impl Detector for Rarity {
    fn name(&self) -> &'static str {
        "rarity of the action"
    }

    fn judge(&mut self, segment: &Segment) -> Vec<f64> {
        shares(&self.counts, segment.home, &mut self.shares);
        let score = |b: &Behavior| -self.shares[b.action as usize].ln();
        segment.behaviors.iter().map(score).collect()
    }

    fn learn(&mut self, segment: &Segment) {
        learn(&mut self.counts, segment);
    }
}

/// Chance.
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(generator(seed, 0))
    }
}

impl Detector for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn judge(&mut self, segment: &Segment) -> Vec<f64> {
        segment.behaviors.iter().map(|_| self.0.random()).collect()
    }

    fn learn(&mut self, _: &Segment) {}
}
