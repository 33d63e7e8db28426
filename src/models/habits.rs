//! Hearth's detector: how far a behaviour is from what a home is in the habit of doing, counted.
//!
//! A behaviour's loss has four parts, each a surprise in nats under smoothed counts:
//!
//! - what it does, after what came *before* it and about its time of day,
//! - what it does, before what comes *after* it: the same n-gram over sequences read backwards,
//! - *when* it happens: its hours, given the action and the hours before,
//! - *how often*: that its action comes so many times within a window.
//!
//! The first two say the same of different sides and count half each. On held-out source sequences of the paper's homes against
//! swapped actions, wrong hours, wrong order, missing ends and bursts this finds far more than the autoencoder does, and the
//! autoencoder adds nothing to it (docs/experiments.md has the figures). It costs milliseconds, and forgets at once what a home no
//! longer does: it is counted anew from the sequences of the new context.

use std::collections::HashMap;

use hearth_operators::words::{Catalog, HOURS, Hours, Quadruple, Sequence, Weights};

use super::counts::{Context, Counts};
use super::encoding::{Columns, Vocabulary};
use super::error::ModelError;
use super::ngram::{Ngram, Situation, When};
use super::parameters::{Parameters, Source};
use super::preset::WINDOW;

/// What the names of the tensors begin with.
const BEFORE: &str = "before";
const AFTER: &str = "after";
const HOURS_COUNTS: &str = "hours";
const REPEATS: &str = "repeats";

/// The habits of a home.
pub(crate) struct Habits {
    vocabulary: Vocabulary,
    /// Actions after what came before them.
    before: Ngram,
    /// Actions before what comes after them.
    after: Ngram,
    hours: Counts,
    repeats: Counts,
}

impl Habits {
    /// Counts some sequences.
    ///
    /// # Errors
    /// There is no behaviour to count, or one is not of the catalog.
    pub fn learn(catalog: &Catalog, sequences: &[&Sequence]) -> Result<Self, ModelError> {
        let vocabulary = Vocabulary::new(catalog, Columns::All);
        sequences.iter().try_for_each(|s| vocabulary.check(s))?;
        let known = sequences.iter().filter(|s| !s.0.is_empty());
        let mut read: Vec<&[Quadruple]> = known.map(|s| s.0.as_slice()).collect();
        if read.is_empty() {
            return Err(ModelError::NoData);
        }
        // Sums of fractions depend on their order; so that habits do not depend on the sequences'.
        read.sort_unstable();
        let forward: Vec<Sequence> = read.iter().map(|s| Sequence(s.to_vec())).collect();
        let backward: Vec<Sequence> = read.iter().map(|s| Sequence(backward(s))).collect();
        let ngram = |sequences: &[Sequence]| {
            let sequences: Vec<&Sequence> = sequences.iter().collect();
            Ngram::learn(vocabulary.actions(), &sequences, true)
        };
        let places = || read.iter().flat_map(|s| (0..s.len()).map(move |i| (s, i)));
        let hours = places().map(|(s, i)| (hours_of(s, i).to_vec(), s[i].hours.into()));
        let repeats = places().map(|(s, i)| (repeats_of(s, i).to_vec(), repeats(s, i)));
        Ok(Habits {
            before: ngram(&forward),
            after: ngram(&backward),
            hours: Counts::of(hours),
            repeats: Counts::of(repeats),
            vocabulary,
        })
    }

    /// What [`Habits::weights`] wrote.
    ///
    /// # Errors
    /// The weights are of something else.
    pub fn stored(catalog: &Catalog, weights: &Weights) -> Result<Self, ModelError> {
        let vocabulary = Vocabulary::new(catalog, Columns::All);
        let actions = vocabulary.actions();
        let mut source = Source::stored(label(actions), weights, false)?;
        let habits = Habits {
            before: Ngram::stored(BEFORE, actions, &mut source)?,
            after: Ngram::stored(AFTER, actions, &mut source)?,
            hours: Counts::stored(HOURS_COUNTS, HOURS.len(), &mut source)?,
            repeats: Counts::stored(REPEATS, WINDOW + 1, &mut source)?,
            vocabulary,
        };
        source.finish()?;
        Ok(habits)
    }

    /// Everything that is stored; equal habits give equal bytes.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn weights(&self) -> Result<Weights, ModelError> {
        let mut tensors: HashMap<_, _> = self.before.tensors(BEFORE)?.into_iter().collect();
        tensors.extend(self.after.tensors(AFTER)?);
        tensors.insert(HOURS_COUNTS.to_owned(), self.hours.tensor()?);
        tensors.insert(REPEATS.to_owned(), self.repeats.tensor()?);
        Parameters::none(label(self.vocabulary.actions())).weights_beside(tensors)
    }

    /// The loss of each behaviour of a sequence, in nats.
    ///
    /// # Errors
    /// The sequence is empty or not of the catalog.
    pub fn losses(&self, s: &Sequence) -> Result<Vec<f32>, ModelError> {
        if s.0.is_empty() {
            return Err(ModelError::Empty);
        }
        self.vocabulary.check(s)?;
        let s = &s.0[..];
        let backward = backward(s);
        let loss = |i: usize| {
            let action = s[i].action;
            let at = |before: &[Quadruple]| Situation::new(before, Some(When::of(&s[i])));
            let before = self.before.probability(&at(&s[..i]), action);
            let after = &backward[..s.len() - 1 - i];
            let after = self.after.probability(&at(after), action);
            let hours = self
                .hours
                .probability(&hours_of(s, i), s[i].hours.into(), HOURS.len());
            let chain = repeats_of(s, i);
            let times = (repeats(s, i)..=WINDOW as u16)
                .map(|times| self.repeats.probability(&chain, times, WINDOW));
            let times: f64 = times.sum::<f64>().min(1.0);
            -(f64::midpoint(before.ln(), after.ln()) + hours.ln() + times.ln()) as f32
        };
        Ok((0..s.len()).map(loss).collect())
    }
}

fn label(actions: usize) -> String {
    format!("habits 1, {actions} actions")
}

fn backward(s: &[Quadruple]) -> Vec<Quadruple> {
    s.iter().rev().copied().collect()
}

/// The contexts of a behaviour's hours: any, after the hours before, and there for its action.
fn hours_of(s: &[Quadruple], i: usize) -> [Context; 3] {
    let before: Option<Hours> = i.checked_sub(1).map(|i| s[i].hours);
    let before = before.map_or(0, |hours| i64::from(hours) + 1);
    let action = i64::from(s[i].action.0);
    [
        Context::new(0, [0, 0]),
        Context::new(1, [before, 0]),
        Context::new(2, [before, action]),
    ]
}

/// The contexts of how often an action came so far: any action, and this one.
fn repeats_of(s: &[Quadruple], i: usize) -> [Context; 2] {
    let action = i64::from(s[i].action.0);
    [Context::new(0, [0, 0]), Context::new(1, [action, 0])]
}

/// How often each behaviour's action came in its window so far, itself included.
fn repeats(s: &[Quadruple], i: usize) -> u16 {
    let window = &s[(i + 1).saturating_sub(WINDOW)..=i];
    window.iter().filter(|q| q.action == s[i].action).count() as u16
}

#[cfg(test)]
mod tests {
    use hearth_operators::words::ActionId;
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::catalog_of;

    fn catalog() -> Catalog {
        let actions: &[&str] = &["on", "off"];
        catalog_of(&["Fan", "Lamp", "Door"].map(|name| (name, actions)))
    }

    fn any_sequences(most: usize) -> impl Strategy<Value = Vec<Sequence>> {
        let behavior = (0u8..7, 0u8..8, 0u16..6).prop_map(|(weekday, hours, action)| Quadruple {
            weekday,
            hours,
            action: ActionId(action),
        });
        let sequence = prop::collection::vec(behavior, 1..14).prop_map(Sequence);
        prop::collection::vec(sequence, 1..=most)
    }

    /// The smoothed probability of an outcome by its definition: from all pairs of what was seen where, the most particular last.
    fn smoothed(seen: &[(Vec<i64>, u16)], at: &[i64], outcome: u16, outcomes: usize) -> f64 {
        (0..=at.len()).fold(1.0 / outcomes as f64, |lower, depth| {
            let there = seen
                .iter()
                .filter(|(place, _)| place[..depth] == at[..depth]);
            let there: Vec<u16> = there.map(|(_, outcome)| *outcome).collect();
            let times = there.iter().filter(|o| **o == outcome).count() as f64;
            let mut kinds = there.clone();
            kinds.sort_unstable();
            kinds.dedup();
            let kinds = kinds.len() as f64;
            if there.is_empty() {
                return lower;
            }
            (times + kinds * lower) / (there.len() as f64 + kinds)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Hours and repetitions are as surprising as their definition says; the n-grams have tests of their own. And what is
        /// stored is the same again.
        #[test]
        fn losses_keep_to_their_definition(learnt in any_sequences(6), probe in any_sequences(1)) {
            let catalog = catalog();
            let habits = Habits::learn(&catalog, &learnt.iter().collect::<Vec<_>>()).unwrap();
            let probe = &probe[0];
            let losses = habits.losses(probe).unwrap();
            let (mut hours, mut times) = (Vec::new(), Vec::new());
            let before = |s: &[Quadruple], i: usize| if i == 0 { -1 } else { i64::from(s[i - 1].hours) };
            let so_far = |s: &[Quadruple], i: usize| {
                let same = (0..=i).rev().take(WINDOW).filter(|&j| s[j].action == s[i].action);
                same.count() as u16
            };
            for s in &learnt {
                for (i, q) in s.0.iter().enumerate() {
                    hours.push((vec![before(&s.0, i), i64::from(q.action.0)], u16::from(q.hours)));
                    times.push((vec![i64::from(q.action.0)], so_far(&s.0, i)));
                }
            }
            for (i, q) in probe.0.iter().enumerate() {
                let action = i64::from(q.action.0);
                let hour = smoothed(&hours, &[before(&probe.0, i), action], q.hours.into(), HOURS.len());
                let often = (so_far(&probe.0, i)..=WINDOW as u16)
                    .map(|n| smoothed(&times, &[action], n, WINDOW));
                let often: f64 = often.sum();
                let at = |seen: &[Quadruple]| Situation::new(seen, Some(When::of(q)));
                let forward = habits.before.predict(&at(&probe.0[..i]))[usize::from(q.action.0)];
                let back = habits.after.predict(&at(&backward(&probe.0[i + 1..])))[usize::from(q.action.0)];
                let expected = -(forward.ln() + back.ln()) / 2.0 - hour.ln() - often.ln();
                prop_assert!((f64::from(losses[i]) - expected).abs() < 1e-4, "{} {expected}", losses[i]);
            }
            let again = Habits::stored(&catalog, &habits.weights().unwrap()).unwrap();
            prop_assert_eq!(again.losses(probe).unwrap(), losses);
            prop_assert_eq!(again.weights().unwrap(), habits.weights().unwrap());
        }
    }
}
