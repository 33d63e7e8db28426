//! Table 3: the last action of a sequence. For the published system, when weekday, hour and device of that very behaviour
//! are given, among itself and a hundred others; for most baselines, when nothing is given, among all.

use anyhow::Result;
use rand::Rng;

use super::trial::Trial;
use crate::experiment::cells::{Measured, timed};
use crate::experiment::data::Numbering;
use crate::experiment::methods::{Given, Prediction, Ranker, TrainingData};
use crate::experiment::metrics::{Figures, Lists};
use crate::import::authors::Numbers;
use crate::models::{Columns, generator};

/// How many others an action is ranked among.
const OTHERS: usize = 100;

/// Trains a method and ranks each test sequence's last action as the authors do: the published system and SASRec among
/// numbers ([`device_given`]), the other baselines among all actions ([`next_action`]).
pub(super) fn measure(trial: &Trial, method: &dyn Prediction) -> Result<Measured> {
    timed(|| {
        let train = if trial.synthetic {
            &trial.set
        } else {
            &trial.parts.0
        };
        let ranker = method.fit(&TrainingData {
            catalog: &trial.material.catalog,
            train,
            held: &trial.parts.1,
            life: None,
            columns: Columns::All,
            seed: trial.seed,
        })?;
        match &trial.material.numbering {
            Some(numbering) => device_given(trial, ranker.as_ref(), numbering),
            None => next_action(trial, ranker.as_ref()),
        }
    })
}

/// Weekday, hours and device of the last behaviour are given. Its action is ranked among numbers that are drawn with
/// replacement from all of the data's (weekdays, hours and devices share their numbers with actions), but not those that the
/// sequence holds before; the truth may be among them, and wins ties. The first sequence is not tested. `:full` ranks among
/// all actions of the catalog with the same given, ties at their expectation.
fn device_given(trial: &Trial, ranker: &dyn Ranker, numbering: &Numbering) -> Result<Figures> {
    let all = numbering.normal.iter().flatten().flatten();
    let largest = all.copied().max().unwrap_or(0).max(1);
    let (mut sampled, mut full) = (Lists::default(), Lists::default());
    let tests = trial.material.normal.iter().zip(&numbering.normal);
    for (at, (sequence, numbers)) in tests.enumerate().skip(1) {
        let Some((last, before)) = sequence.0.split_last() else {
            continue;
        };
        let given = Given {
            weekday: Some(last.weekday),
            hours: Some(last.hours),
            device: Some(trial.material.catalog.device_of(last.action)),
        };
        let scores = ranker.rank(before, &given)?;
        let own = full.add_action(&scores, last.action);
        let mut rng = generator(trial.seed, at as u64);
        let drawn = negatives(numbers, largest, &mut rng);
        let above = drawn
            .filter(|number| score(&scores, numbering, *number) > own)
            .count();
        sampled.add(above as u64, 0);
    }
    let mut figures = Figures::new();
    sampled.report(&mut figures, "");
    full.report(&mut figures, "full");
    Ok(figures)
}

/// Nothing of the last behaviour is given, and its action is ranked among all of the catalog.
fn next_action(trial: &Trial, ranker: &dyn Ranker) -> Result<Figures> {
    let mut lists = Lists::default();
    for sequence in &trial.material.normal {
        if let Some((last, before)) = sequence.0.split_last() {
            let scores = ranker.rank(before, &Given::default())?;
            lists.add_action(&scores, last.action);
        }
    }
    let mut figures = Figures::new();
    lists.report(&mut figures, "");
    Ok(figures)
}

/// The score of a number read as an action; one that names none has the lowest.
fn score(scores: &[f32], numbering: &Numbering, number: i64) -> f32 {
    let action = numbering.actions.get(&number);
    let score = action.and_then(|action| scores.get(usize::from(action.0)));
    score.copied().unwrap_or(f32::NEG_INFINITY)
}

/// The numbers that the last action is ranked among.
fn negatives(numbers: &[Numbers], largest: i64, rng: &mut impl Rng) -> impl Iterator<Item = i64> {
    let flat: Vec<i64> = numbers.iter().flatten().copied().collect();
    // The last two numbers, device and action, are what validation and test predict.
    let before = &flat[..flat.len().saturating_sub(2)];
    // A short sequence cannot hold all numbers, so this ends; the limit is for data that is not the authors'.
    let drawn = (0..OTHERS * 100)
        .map(|_| rng.random_range(1..=largest))
        .filter(|number| !before.contains(number));
    drawn.take(OTHERS).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_drawn_as_the_authors_draw_them() {
        let numbers = [[1, 2, 3, 4], [1, 5, 6, 7]];
        let drawn: Vec<i64> = negatives(&numbers, 9, &mut generator(1, 0)).collect();
        assert_eq!(drawn.len(), OTHERS);
        // Neither 0 nor what stands before; the device and the truth itself may come.
        let mut met: Vec<i64> = drawn;
        met.sort_unstable();
        met.dedup();
        assert_eq!(met, [6, 7, 8, 9]);
    }
}
