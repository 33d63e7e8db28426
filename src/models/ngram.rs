//! What followed what, counted: an interpolated n-gram over actions and the time of day.
//!
//! Three chains of contexts answer, each going from the general to the particular: *order* (any action, after the last one,
//! after the last two), *rhythm* (any, after the last one, after it at that time of day) and *clock* (any, at that time
//! of day, on that weekday at that time). Within a chain a context is smoothed with the one before it (Witten and Bell,
//! *The zero-frequency problem*, IEEE Transactions on Information Theory 37(4), 1991): the more different actions followed
//! it, the less its counts are trusted. A home's counts may lie over its cohort's; then each context of the
//! cohort is followed by the home's own, so that the home decides where it has lived and the cohort elsewhere.
//!
//! The remaining parameters are chosen so that each learnt behaviour is likeliest under the counts without it
//! (leave-one-out): how the chains are mixed, for the first behaviours of sequences and for the others (by
//! expectation maximisation), and how strongly all contexts are smoothed. Exact, deterministic, and no data is held out.

use candle_core::{DType, Device, Tensor};
use hearth_operators::words::{ActionId, HOURS, Hours, Quadruple, Sequence, WEEKDAYS, Weekday};

use super::counts::{Context, Count, Counts, Seen};
use super::error::ModelError;
use super::parameters::Source;

/// How many chains are mixed.
const CHAINS: usize = 3;
/// Rounds of expectation maximisation; the weights move by less than a thousandth long before.
const ROUNDS: usize = 30;
/// By how much Witten and Bell's smoothing may be strengthened.
const STRENGTHS: [f32; 4] = [1.0, 2.0, 4.0, 8.0];
/// Layers of counts that stored weights may hold.
const LAYERS: usize = 2;

/// A time of day, perhaps on a known weekday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct When {
    pub hours: Hours,
    pub weekday: Option<Weekday>,
}

impl When {
    /// The time of a behaviour.
    pub fn of(q: &Quadruple) -> Self {
        When {
            hours: q.hours,
            weekday: Some(q.weekday),
        }
    }
}

/// What is known when an action is predicted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    /// The action before, and the one before that.
    last: [Option<ActionId>; 2],
    /// The time that speaks for the next behaviour: its own if told, else that of the one before.
    when: Option<When>,
}

impl Situation {
    /// After the behaviours `before`, at a time that is told, or about that of the last behaviour.
    pub fn new(before: &[Quadruple], told: Option<When>) -> Self {
        let mut backwards = before.iter().rev();
        let last = backwards.next();
        Situation {
            last: [last, backwards.next()].map(|q| q.map(|q| q.action)),
            when: told.or(last.map(When::of)),
        }
    }

    /// 0 where a sequence begins, else 1.
    fn class(&self) -> usize {
        usize::from(self.last[0].is_some())
    }

    /// The contexts by chain, the general before the particular.
    fn chains(&self) -> [Vec<Context>; CHAINS] {
        let [last, earlier] = self.last;
        let after = [Context::any(), Context::after(last)];
        let (mut order, mut rhythm) = (after.to_vec(), after.to_vec());
        let mut clock = vec![Context::any()];
        order.push(Context::after_both(last, earlier));
        if let Some(When { hours, weekday }) = self.when {
            rhythm.push(Context::after_at(last, hours));
            clock.push(Context::at(hours));
            clock.extend(weekday.map(|day| Context::on(day, hours)));
        }
        [order, rhythm, clock]
    }

    /// The contexts of all chains, each once.
    fn contexts(&self) -> Vec<Context> {
        let mut contexts = self.chains().concat();
        contexts.sort_unstable();
        contexts.dedup();
        contexts
    }
}

/// The contexts that an action is counted in.
impl Context {
    /// Anything.
    fn any() -> Self {
        Self::new(0, [0, 0])
    }

    /// After an action (none: a sequence begins).
    fn after(last: Option<ActionId>) -> Self {
        Self::new(1, [number(last), 0])
    }

    /// After two actions.
    fn after_both(last: Option<ActionId>, earlier: Option<ActionId>) -> Self {
        Self::new(2, [number(last), number(earlier)])
    }

    /// After an action, at a time of day.
    fn after_at(last: Option<ActionId>, hours: Hours) -> Self {
        Self::new(3, [number(last), i64::from(hours)])
    }

    /// At a time of day.
    fn at(hours: Hours) -> Self {
        Self::new(4, [i64::from(hours), 0])
    }

    /// On a weekday at a time of day.
    fn on(weekday: Weekday, hours: Hours) -> Self {
        Self::new(5, [i64::from(weekday), i64::from(hours)])
    }
}

/// An action or none as a number.
fn number(action: Option<ActionId>) -> i64 {
    action.map_or(0, |a| i64::from(a.0) + 1)
}

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ngram {
    actions: usize,
    /// Counts of the cohort, if any, and over them those that were learnt last.
    layers: Vec<Counts>,
    /// Weights of the chains by class of situation; each sums to 1.
    weights: [[f32; CHAINS]; 2],
    /// Witten and Bell's smoothing is strengthened by this factor.
    strength: f32,
}

impl Ngram {
    /// Counts the behaviours of some sequences over a catalog of so many actions. `told` says whether it will be told the
    /// times of the behaviours that it predicts.
    pub fn learn(actions: usize, sequences: &[&Sequence], told: bool) -> Self {
        Self::layered(actions, Vec::new(), sequences, told)
    }

    /// Counts a home's behaviours over what this model, its cohort's, has counted. Times will not be told.
    pub fn over(&self, sequences: &[&Sequence]) -> Self {
        let cohort = self.layers.first().cloned();
        Self::layered(self.actions, cohort.into_iter().collect(), sequences, false)
    }

    fn layered(
        actions: usize,
        mut layers: Vec<Counts>,
        sequences: &[&Sequence],
        told: bool,
    ) -> Self {
        let examples: Vec<(Situation, ActionId)> = sequences
            .iter()
            .flat_map(|s| {
                s.0.iter().enumerate().map(move |(i, q)| {
                    let when = told.then(|| When::of(q));
                    (Situation::new(&s.0[..i], when), q.action)
                })
            })
            .collect();
        let counted = examples
            .iter()
            .map(|(at, action)| (at.contexts(), action.0));
        layers.push(Counts::of(counted));
        let mut model = Ngram {
            actions,
            layers,
            weights: [[1.0 / CHAINS as f32; CHAINS]; 2],
            strength: 1.0,
        };
        let mut seen = [Vec::new(), Vec::new()];
        for (situation, action) in &examples {
            seen[situation.class()].push(model.without(situation, *action));
        }
        let mut best = f64::NEG_INFINITY;
        for strength in STRENGTHS {
            let (weights, likelihood) = tuned(&seen, strength, actions);
            if likelihood > best {
                best = likelihood;
                (model.weights, model.strength) = (weights, strength);
            }
        }
        model
    }

    /// The probabilities of all actions. They sum to 1.
    pub fn predict(&self, situation: &Situation) -> Vec<f64> {
        let mut mixture = vec![0.0; self.actions];
        let weights = self.weights[situation.class()];
        for (chain, weight) in situation.chains().iter().zip(weights) {
            let mut probabilities = vec![1.0 / self.actions as f64; self.actions];
            for followers in self.found(chain) {
                let (total, kinds) = self.trust(followers);
                for p in &mut probabilities {
                    *p *= kinds / (total + kinds);
                }
                for count in followers {
                    probabilities[usize::from(count.outcome)] +=
                        f64::from(count.times) / (total + kinds);
                }
            }
            for (sum, p) in mixture.iter_mut().zip(probabilities) {
                *sum += f64::from(weight) * p;
            }
        }
        mixture
    }

    /// The probability of one action, as [`Ngram::predict`] gives it.
    pub fn probability(&self, situation: &Situation, action: ActionId) -> f64 {
        let chains = situation.chains();
        let weighted = chains.iter().zip(self.weights[situation.class()]);
        let of = |chain: &[Context]| {
            let found = self.found(chain);
            let seen: Vec<Seen> = found.map(|all| Seen::of(all, action.0)).collect();
            smoothed(&seen, self.strength, self.actions)
        };
        weighted
            .map(|(chain, weight)| f64::from(weight) * of(chain))
            .sum()
    }

    /// The counts of a chain's contexts, those of each in all layers, where there are any.
    fn found(&self, chain: &[Context]) -> impl Iterator<Item = &[Count]> {
        let all = chain
            .iter()
            .flat_map(|&context| self.layers.iter().map(move |l| l.followers(context)));
        all.filter(|followers| !followers.is_empty())
    }

    /// How many behaviours were counted, and how many the layer below shall count for.
    fn trust(&self, followers: &[Count]) -> (f64, f64) {
        let total = followers.iter().map(|c| f64::from(c.times)).sum();
        (total, f64::from(self.strength) * followers.len() as f64)
    }

    /// By chain what was seen in a behaviour's contexts, had the last layer not counted it.
    fn without(&self, situation: &Situation, action: ActionId) -> [Vec<Seen>; CHAINS] {
        let own = self.layers.len() - 1;
        situation.chains().map(|chain| {
            let mut all = Vec::with_capacity(chain.len() * self.layers.len());
            for context in chain {
                for (layer, counts) in self.layers.iter().enumerate() {
                    let followers = counts.followers(context);
                    let mut seen = Seen::of(followers, action.0);
                    if layer == own {
                        seen.kinds -= f64::from(u8::from(seen.times == 1.0));
                        (seen.total, seen.times) = (seen.total - 1.0, seen.times - 1.0);
                    }
                    if seen.total > 0.0 {
                        all.push(seen);
                    }
                }
            }
            all
        })
    }

    /// As tensors, their names beginning with `name`.
    pub fn tensors(&self, name: &str) -> Result<Vec<(String, Tensor)>, ModelError> {
        let mut mix = self.weights.concat();
        mix.push(self.strength);
        let mut tensors = vec![(mix_of(name), Tensor::new(mix, &Device::Cpu)?)];
        for (layer, counts) in self.layers.iter().enumerate() {
            tensors.push((counts_of(name, layer), counts.tensor()?));
        }
        Ok(tensors)
    }

    /// From the tensors of stored weights whose names begin with `name`.
    pub fn stored(name: &str, actions: usize, source: &mut Source) -> Result<Self, ModelError> {
        let mix_name = mix_of(name);
        let wrong = || ModelError::Weights(format!("the tensor `{mix_name}` mixes no counts"));
        let mix = source.take_stored(&mix_name, DType::F32)?.flatten_all()?;
        let mix: Vec<f32> = mix.to_vec1()?;
        let [first, later, strength] = mix.chunks(CHAINS).collect::<Vec<_>>()[..] else {
            return Err(wrong());
        };
        let sound = |values: &[f32]| values.iter().all(|v| v.is_finite() && *v >= 0.0);
        let (Ok(first), Ok(later), &[strength]) = (first.try_into(), later.try_into(), strength)
        else {
            return Err(wrong());
        };
        if !sound(&mix) {
            return Err(wrong());
        }
        let mut layers = Vec::new();
        while layers.len() < LAYERS && source.holds(&counts_of(name, layers.len())) {
            layers.push(Counts::stored(
                &counts_of(name, layers.len()),
                actions,
                source,
            )?);
        }
        Ok(Ngram {
            actions,
            layers,
            weights: [first, later],
            strength,
        })
    }
}

/// The probability of an action from what was seen in a chain's contexts.
fn smoothed(chain: &[Seen], strength: f32, actions: usize) -> f64 {
    let uniform = 1.0 / actions as f64;
    let seen = chain.iter();
    seen.fold(uniform, |lower, seen| seen.smoothed(lower, strength))
}

/// The best weights of the chains by class, for a strength; and the log likelihood of what was seen.
fn tuned(
    seen: &[Vec<[Vec<Seen>; CHAINS]>; 2],
    strength: f32,
    actions: usize,
) -> ([[f32; CHAINS]; 2], f64) {
    let mut likelihood = 0.0;
    let weights = [0, 1].map(|class: usize| {
        let of = |chains: &[Vec<Seen>; CHAINS]| {
            [0, 1, 2].map(|chain: usize| smoothed(&chains[chain], strength, actions))
        };
        let likelihoods: Vec<[f64; CHAINS]> = seen[class].iter().map(of).collect();
        let weights = mixed(&likelihoods);
        likelihood += likelihoods
            .iter()
            .map(|of| dot(&weights, of).ln())
            .sum::<f64>();
        weights
    });
    (weights, likelihood)
}

/// Name of the tensor of weights and strength.
fn mix_of(name: &str) -> String {
    format!("{name}.mix")
}

/// Name of a layer's tensor.
fn counts_of(name: &str, layer: usize) -> String {
    format!("{name}.{layer}")
}

/// The weights under which a mixture makes its examples likeliest, from the probability that each part gives each example.
/// Every part is credited with one example, so that none is ruled out by a few.
pub(super) fn mixed<const PARTS: usize>(likelihoods: &[[f64; PARTS]]) -> [f32; PARTS] {
    let mut weights = [1.0 / PARTS as f32; PARTS];
    for _ in 0..ROUNDS {
        let mut shares = [1.0; PARTS];
        for of in likelihoods {
            let sum = dot(&weights, of);
            if sum > 0.0 {
                for ((share, weight), p) in shares.iter_mut().zip(weights).zip(of) {
                    *share += f64::from(weight) * p / sum;
                }
            }
        }
        let sum: f64 = shares.iter().sum();
        weights = shares.map(|share| (share / sum) as f32);
    }
    weights
}

/// What a mixture makes of its parts' probabilities.
fn dot(weights: &[f32], of: &[f64]) -> f64 {
    weights.iter().zip(of).map(|(w, p)| f64::from(*w) * p).sum()
}

// The context of a weekday and a time fits the bits of two actions.
const _: () = assert!(WEEKDAYS.len() < 1 << Context::BITS && HOURS.len() < 1 << Context::BITS);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ACTIONS: usize = 6;

    fn any_sequences(most: usize) -> impl Strategy<Value = Vec<Sequence>> {
        let behavior = (0..7u8, 0..8u8, 0..ACTIONS as u16);
        let behavior = behavior.prop_map(|(weekday, hours, action)| Quadruple {
            weekday,
            hours,
            action: ActionId(action),
        });
        let sequence = prop::collection::vec(behavior, 1..8).prop_map(Sequence);
        prop::collection::vec(sequence, 1..=most)
    }

    /// The probability of an action by the definition, from sequences instead of counts.
    fn by_hand(model: &Ngram, layers: &[&[Sequence]], at: &Situation, action: ActionId) -> f64 {
        let mut sum = 0.0;
        for (chain, weight) in at.chains().iter().zip(model.weights[at.class()]) {
            let mut p = 1.0 / ACTIONS as f64;
            for context in chain {
                for layer in layers {
                    let mut seen = Vec::new();
                    for s in *layer {
                        for (i, q) in s.0.iter().enumerate() {
                            let there = Situation::new(&s.0[..i], None).chains().concat();
                            if there.contains(context) {
                                seen.push(q.action);
                            }
                        }
                    }
                    let times = seen.iter().filter(|a| **a == action).count() as f64;
                    let total = seen.len() as f64;
                    seen.sort();
                    seen.dedup();
                    let kinds = f64::from(model.strength) * seen.len() as f64;
                    if total > 0.0 {
                        p = (times + kinds * p) / (total + kinds);
                    }
                }
            }
            sum += f64::from(weight) * p;
        }
        sum
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// The counts give what their definition says, with a cohort below and without; probabilities sum to 1; and a model that
        /// was stored is the same.
        #[test]
        fn counts_keep_to_their_definition(cohort in any_sequences(6), own in any_sequences(6), probe in any_sequences(1)) {
            let all = |s: &'_ [Sequence]| -> Vec<Sequence> { s.to_vec() };
            let (cohort, own) = (all(&cohort), all(&own));
            let base = Ngram::learn(ACTIONS, &cohort.iter().collect::<Vec<_>>(), false);
            let home = base.over(&own.iter().collect::<Vec<_>>());
            for (model, layers) in [(&base, vec![&cohort[..]]), (&home, vec![&cohort[..], &own[..]])] {
                for place in 0..probe[0].0.len() {
                    let at = Situation::new(&probe[0].0[..place], None);
                    let p = model.predict(&at);
                    prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-5);
                    for action in 0..ACTIONS as u16 {
                        let expected = by_hand(model, &layers, &at, ActionId(action));
                        prop_assert!((p[usize::from(action)] - expected).abs() < 1e-6);
                    }
                }
            }
        }

        /// Leaving one out of the counts is learning without it.
        #[test]
        fn one_is_left_out_exactly(sequences in any_sequences(5)) {
            // The last behaviour of a sequence is no one's context.
            let model = Ngram::learn(ACTIONS, &sequences.iter().collect::<Vec<_>>(), false);
            let mut rest = sequences.clone();
            let last = rest[0].0.pop();
            let q = last.filter(|_| !rest[0].0.is_empty());
            if let Some(q) = q {
                let at = Situation::new(&rest[0].0, None);
                let mut other = Ngram::learn(ACTIONS, &rest.iter().collect::<Vec<_>>(), false);
                other.strength = model.strength;
                let left_out = model.without(&at, q.action);
                for (chain, seen) in left_out.iter().enumerate() {
                    let p = smoothed(seen, model.strength, ACTIONS);
                    other.weights = [[0.0; CHAINS]; 2];
                    other.weights[1][chain] = 1.0;
                    let expected = other.predict(&at)[usize::from(q.action.0)];
                    prop_assert!((p - expected).abs() < 1e-9, "{p} {expected}");
                }
            }
        }
    }

    #[test]
    fn weights_go_to_who_is_right() {
        let weights = mixed(&vec![[0.9, 0.1, 0.0]; 200]);
        assert!(weights[0] > 0.95, "{weights:?}");
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(mixed::<2>(&[]), [0.5, 0.5]);
    }
}
