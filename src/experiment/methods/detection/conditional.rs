//! What follows what, counted, with something left for what never did.

use std::collections::HashMap;

/// Probabilities of states given a context, smoothed after Witten and Bell (IEEE Transactions on Information Theory,
/// 1991): `P(b | a) = (n(a, b) + t(a) P(b)) / (n(a) + t(a))`, where `n` counts and `t(a)` is how many different states
/// followed `a`. `P(b)` falls back to one in so many states in the same way.
pub(super) struct Conditional {
    states: usize,
    contexts: HashMap<usize, Frequencies>,
    all: Frequencies,
}

/// How often each state occurred.
#[derive(Default)]
struct Frequencies {
    total: u32,
    of: HashMap<usize, u32>,
}

impl Frequencies {
    fn add(&mut self, state: usize) {
        self.total += 1;
        *self.of.entry(state).or_default() += 1;
    }

    /// Smoothed by `otherwise`, which the state has where nothing is known.
    fn probability(&self, state: usize, otherwise: f64) -> f64 {
        let kinds = self.of.len() as f64;
        let count = f64::from(self.of.get(&state).copied().unwrap_or_default());
        if self.total == 0 {
            return otherwise;
        }
        (count + kinds * otherwise) / (f64::from(self.total) + kinds)
    }
}

impl Conditional {
    /// Over so many states, none met yet.
    pub fn new(states: usize) -> Self {
        Conditional {
            states,
            contexts: HashMap::new(),
            all: Frequencies::default(),
        }
    }

    /// Counts a state after a context.
    pub fn learn(&mut self, context: usize, state: usize) {
        self.contexts.entry(context).or_default().add(state);
        self.all.add(state);
    }

    /// `P(state | context)`; above 0 for any state.
    pub fn probability(&self, context: usize, state: usize) -> f64 {
        let uniform = 1.0 / self.states.max(1) as f64;
        let usual = self.all.probability(state, uniform);
        let context = self.contexts.get(&context);
        context.map_or(usual, |counts| counts.probability(state, usual))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_by_hand_and_their_sum() {
        let mut counts = Conditional::new(4);
        for (context, state) in [(0, 1), (0, 1), (0, 2), (1, 0)] {
            counts.learn(context, state);
        }
        // Three states of four were met in four: P(1) = (2 + 3/4) / (4 + 3).
        let usual = 2.75 / 7.0;
        assert!((counts.probability(9, 1) - usual).abs() < 1e-12);
        // After 0 there were three, of two kinds.
        assert!((counts.probability(0, 1) - (2.0 + 2.0 * usual) / 5.0).abs() < 1e-12);
        for context in [0, 1, 9] {
            let sum: f64 = (0..4).map(|state| counts.probability(context, state)).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{sum}");
            assert!(counts.probability(context, 3) > 0.0);
        }
    }
}
