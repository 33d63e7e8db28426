//! What was seen in each context, counted, of homes and of all of them together.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::super::log::{Action, Home};
use super::places::Context;

/// What was seen in a context.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Outcomes with their counts, none 0, in order of outcomes.
    of: Vec<(Action, u32)>,
    total: u32,
}

impl Seen {
    /// Adds an outcome, or takes one back.
    fn add(&mut self, outcome: Action, back: bool) {
        match self.of.binary_search_by_key(&outcome, |(o, _)| *o) {
            Ok(at) if back => {
                self.total -= 1;
                self.of[at].1 -= 1;
                if self.of[at].1 == 0 {
                    self.of.remove(at);
                }
            }
            Ok(at) => {
                self.total += 1;
                self.of[at].1 += 1;
            }
            // What was never there is not taken back.
            Err(_) if back => {}
            Err(at) => {
                self.total += 1;
                self.of.insert(at, (outcome, 1));
            }
        }
    }

    /// Outcomes with their counts.
    pub fn outcomes(&self) -> &[(Action, u32)] {
        &self.of
    }

    /// How much was seen.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// How many different outcomes were seen.
    pub fn kinds(&self) -> usize {
        self.of.len()
    }

    /// How often an outcome was seen.
    pub fn count(&self, outcome: Action) -> u32 {
        let found = self.of.binary_search_by_key(&outcome, |(o, _)| *o);
        found.map_or(0, |at| self.of[at].1)
    }

    /// Witten and Bell's probability over a lower one: `(n(x) + k p) / (n + k)`, `k` the number of different outcomes.
    pub fn smoothed(&self, outcome: Action, lower: f64) -> f64 {
        let kinds = self.kinds() as f64;
        (f64::from(self.count(outcome)) + kinds * lower) / (f64::from(self.total) + kinds)
    }

    /// The same for all outcomes at once.
    pub fn smooth(&self, lower: &mut [f64]) {
        let kinds = self.kinds() as f64;
        let all = f64::from(self.total) + kinds;
        lower.iter_mut().for_each(|p| *p *= kinds / all);
        for &(outcome, count) in &self.of {
            lower[outcome as usize] += f64::from(count) / all;
        }
    }
}

/// Counts by home and context.
#[derive(Default)]
pub(super) struct Counts(HashMap<Home, HashMap<Context, Seen, RandomState>, RandomState>);

impl Counts {
    pub fn learn(&mut self, home: Home, context: Context, outcome: Action) {
        let seen = self.0.entry(home).or_default().entry(context).or_default();
        seen.add(outcome, false);
    }

    pub fn take_back(&mut self, home: Home, context: &Context, outcome: Action) {
        if let Some(seen) = self.0.get_mut(&home).and_then(|home| home.get_mut(context)) {
            seen.add(outcome, true);
        }
    }

    /// What was seen there, if anything.
    pub fn seen(&self, home: Home, context: &Context) -> Option<&Seen> {
        let seen = self.0.get(&home)?.get(context)?;
        (seen.total > 0).then_some(seen)
    }

    /// A probability, smoothed along contexts from the general to the particular.
    pub fn probability(&self, home: Home, chain: &[Context], outcome: Action, lower: f64) -> f64 {
        let seen = chain.iter().filter_map(|context| self.seen(home, context));
        seen.fold(lower, |lower, seen| seen.smoothed(outcome, lower))
    }

    /// The same for all outcomes at once.
    pub fn smooth(&self, home: Home, chain: &[Context], lower: &mut [f64]) {
        for seen in chain.iter().filter_map(|context| self.seen(home, context)) {
            seen.smooth(lower);
        }
    }
}

/// Counts of all homes together. What homes do in an epoch is known to others in the next.
#[derive(Default)]
pub(super) struct Pooled {
    counts: Counts,
    epoch: u64,
    /// Of this epoch.
    coming: Vec<(Context, Action)>,
}

impl Pooled {
    /// The home that all homes are.
    const ALL: Home = 0;

    /// Goes on to an epoch.
    pub fn enter(&mut self, epoch: u64) {
        if epoch != self.epoch {
            self.epoch = epoch;
            for (context, outcome) in self.coming.drain(..) {
                self.counts.learn(Self::ALL, context, outcome);
            }
        }
    }

    pub fn learn(&mut self, context: Context, outcome: Action) {
        self.coming.push((context, outcome));
    }

    pub fn seen(&self, context: &Context) -> Option<&Seen> {
        self.counts.seen(Self::ALL, context)
    }

    pub fn probability(&self, chain: &[Context], outcome: Action, lower: f64) -> f64 {
        self.counts.probability(Self::ALL, chain, outcome, lower)
    }

    pub fn smooth(&self, chain: &[Context], lower: &mut [f64]) {
        self.counts.smooth(Self::ALL, chain, lower);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn smoothing_by_hand() {
        let mut counts = Counts::default();
        for outcome in [0, 0, 0, 0, 1, 0] {
            counts.learn(7, Context::Any, outcome);
        }
        // n = 6, k = 2, over a quarter each.
        let mut all = [0.25; 4];
        counts.smooth(7, &[Context::Any], &mut all);
        assert_eq!(all, [5.5 / 8.0, 1.5 / 8.0, 0.5 / 8.0, 0.5 / 8.0]);
        // Another home has seen nothing.
        assert_eq!(counts.probability(8, &[Context::Any], 0, 0.25), 0.25);
    }

    #[test]
    fn the_pool_knows_an_epoch_when_it_is_over() {
        let mut pool = Pooled::default();
        pool.enter(3);
        pool.learn(Context::Any, 1);
        assert!(pool.seen(&Context::Any).is_none());
        pool.enter(3);
        assert!(pool.seen(&Context::Any).is_none());
        pool.enter(4);
        assert_eq!(pool.seen(&Context::Any).map(Seen::total), Some(1));
    }

    proptest! {
        /// What is learnt and taken back leaves what was never learnt; probabilities sum to 1.
        #[test]
        fn what_is_taken_back_was_never_there(
            kept in prop::collection::vec((0u8..3, 0u32..5), 0..30),
            gone in prop::collection::vec((0u8..3, 0u32..5), 0..30),
        ) {
            let (mut both, mut alone) = (Counts::default(), Counts::default());
            for &(hours, x) in &gone { both.learn(0, Context::Hours(hours), x); }
            for &(hours, x) in &kept {
                both.learn(0, Context::Hours(hours), x);
                alone.learn(0, Context::Hours(hours), x);
            }
            for &(hours, x) in &gone { both.take_back(0, &Context::Hours(hours), x); }
            for hours in 0..3 {
                let chain = [Context::Hours(hours)];
                let (mut a, mut b) = ([0.2; 5], [0.2; 5]);
                both.smooth(0, &chain, &mut a);
                alone.smooth(0, &chain, &mut b);
                prop_assert_eq!(a, b);
                prop_assert!((a.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                for x in 0..5 {
                    let one = alone.probability(0, &chain, x, 0.2);
                    prop_assert!((one - a[x as usize]).abs() < 1e-12);
                }
            }
        }
    }
}
