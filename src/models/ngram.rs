//! What followed what, counted: an interpolated n-gram over actions and the time of day.
//!
//! Three chains of contexts answer, each going from the general to the particular: *order* (any action, after the last one,
//! after the last two), *rhythm* (any, after the last one, after it at that time of day) and *clock* (any, at that time
//! of day, on that weekday at that time). Within a chain a context is smoothed with the one before it (Witten and Bell,
//! *The zero-frequency problem*, IEEE Transactions on Information Theory 37(4), 1991): the more different actions followed
//! it, the less its counts are trusted. The chains are mixed by weights that maximise the likelihood of each learnt
//! behaviour under the counts without it (leave-one-out, by expectation maximisation), one set for the first behaviours
//! of sequences and one for the others. Exact, deterministic, and no data is held out.

use std::collections::BTreeMap;

use hearth_operators::words::{ActionId, Hours, Quadruple, Weekday};

use super::reading::Window;

/// How many chains are mixed.
pub(crate) const CHAINS: usize = 3;

/// Rounds of expectation maximisation; the weights move by less than a thousandth long before.
const ROUNDS: usize = 30;

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

    /// Whether a sequence begins.
    fn first(&self) -> bool {
        self.last[0].is_none()
    }
}

/// What a count is of. The order is that of stored counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Context {
    /// Anything.
    Any,
    /// After an action (none: a sequence begins).
    After(Option<ActionId>),
    /// After two actions, the last one first.
    AfterBoth(Option<ActionId>, Option<ActionId>),
    /// After an action, at a time of day.
    AfterAt(Option<ActionId>, Hours),
    /// At a time of day.
    At(Hours),
    /// On a weekday at a time of day.
    On(Weekday, Hours),
}

/// The contexts of a situation by chain, the general before the particular.
fn chains(of: &Situation) -> [Vec<Context>; CHAINS] {
    let [last, earlier] = of.last;
    let after = [Context::Any, Context::After(last)];
    let (mut order, mut rhythm, mut clock) = (after.to_vec(), after.to_vec(), vec![Context::Any]);
    order.push(Context::AfterBoth(last, earlier));
    if let Some(When { hours, weekday }) = of.when {
        rhythm.push(Context::AfterAt(last, hours));
        clock.push(Context::At(hours));
        clock.extend(weekday.map(|day| Context::On(day, hours)));
    }
    [order, rhythm, clock]
}

/// What came in a context: by action how often, and how often in all.
#[derive(Clone, Debug, Default)]
struct Followers {
    counts: BTreeMap<ActionId, u32>,
    total: u32,
}

/// The model.
#[derive(Clone, Debug)]
pub(crate) struct Ngram {
    actions: usize,
    contexts: BTreeMap<Context, Followers>,
    /// Weights of the chains, for the first behaviours of sequences and for the others; each sums to 1.
    weights: [[f64; CHAINS]; 2],
}

impl Ngram {
    /// Counts the behaviours of some windows over a catalog of so many actions. `told` says whether it will be told the
    /// times of the behaviours that it predicts.
    pub fn learn(actions: usize, windows: &[Window], told: bool) -> Self {
        let examples: Vec<(Situation, ActionId)> = windows
            .iter()
            .flat_map(|window| {
                window.iter().enumerate().map(move |(i, q)| {
                    let when = told.then(|| When::of(q));
                    (Situation::new(&window[..i], when), q.action)
                })
            })
            .collect();
        let mut model = Ngram {
            actions,
            contexts: BTreeMap::new(),
            weights: [[1.0 / CHAINS as f64; CHAINS]; 2],
        };
        for (situation, action) in &examples {
            // A context may stand in several chains and is counted once.
            let mut contexts = chains(situation).concat();
            contexts.sort();
            contexts.dedup();
            for context in contexts {
                let followers = model.contexts.entry(context).or_default();
                *followers.counts.entry(*action).or_default() += 1;
                followers.total += 1;
            }
        }
        for (weights, first) in model.weights.clone().iter().zip([true, false]) {
            let alike = examples.iter().filter(|(s, _)| s.first() == first);
            let likelihoods: Vec<[f64; CHAINS]> = alike
                .map(|(situation, action)| model.without(situation, *action))
                .collect();
            model.weights[usize::from(!first)] = mixed(&likelihoods, *weights);
        }
        model
    }

    /// The probabilities of all actions. They sum to 1.
    pub fn predict(&self, situation: &Situation) -> Vec<f64> {
        let mut mixture = vec![0.0; self.actions];
        let weights = self.weights[usize::from(!situation.first())];
        for (chain, weight) in chains(situation).iter().zip(weights) {
            let mut probabilities = vec![1.0 / self.actions as f64; self.actions];
            for followers in chain.iter().filter_map(|c| self.contexts.get(c)) {
                let (total, kinds) = (f64::from(followers.total), followers.counts.len() as f64);
                for p in &mut probabilities {
                    *p *= kinds / (total + kinds);
                }
                for (action, &count) in &followers.counts {
                    probabilities[usize::from(action.0)] += f64::from(count) / (total + kinds);
                }
            }
            for (sum, p) in mixture.iter_mut().zip(probabilities) {
                *sum += weight * p;
            }
        }
        mixture
    }

    /// By chain the probability of a learnt behaviour, had it not been learnt.
    fn without(&self, situation: &Situation, action: ActionId) -> [f64; CHAINS] {
        chains(situation).map(|chain| {
            let uniform = 1.0 / self.actions as f64;
            let found = chain.iter().filter_map(|c| self.contexts.get(c));
            found.fold(uniform, |lower, followers| {
                let count = followers.counts.get(&action).copied().unwrap_or(0);
                let once = usize::from(count == 1);
                let kinds = (followers.counts.len() - once) as f64;
                let total = f64::from(followers.total.saturating_sub(1));
                if total == 0.0 {
                    return lower;
                }
                (f64::from(count.saturating_sub(1)) + kinds * lower) / (total + kinds)
            })
        })
    }
}

/// The weights under which a mixture makes its examples most likely, from the probability that each part gives each example.
/// Every part starts with the weight of one example, so that none is ruled out by a few.
pub(crate) fn mixed<const PARTS: usize>(
    likelihoods: &[[f64; PARTS]],
    start: [f64; PARTS],
) -> [f64; PARTS] {
    let mut weights = start;
    for _ in 0..ROUNDS {
        let mut shares = [1.0; PARTS];
        for of in likelihoods {
            let parts: [f64; PARTS] = std::array::from_fn(|part| weights[part] * of[part]);
            let sum: f64 = parts.iter().sum();
            if sum > 0.0 {
                for (share, part) in shares.iter_mut().zip(parts) {
                    *share += part / sum;
                }
            }
        }
        let sum: f64 = shares.iter().sum();
        weights = shares.map(|share| share / sum);
    }
    weights
}
