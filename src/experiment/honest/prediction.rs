//! Behaviour prediction: the next action among all of the catalog, nothing of it given.

use anyhow::Result;
use hearth_operators::words::Sequence;

use super::trial::Trial;
use crate::experiment::cells::{Measured, timed};
use crate::experiment::methods::{Given, Prediction, Ranker};
use crate::experiment::metrics::{Figures, Lists};

/// Trains a method and asks it for the last action of each test sequence, from the behaviours before it. Sequences of one
/// behaviour, of which nothing is known but that one begins, are counted apart (`:first`).
pub(super) fn measure(trial: &Trial, method: &dyn Prediction) -> Result<Measured> {
    timed(|| {
        let ranker = method.fit(&trial.training_data())?;
        let (mut next, mut first) = (Lists::default(), Lists::default());
        for &at in &trial.tested {
            let sequence = &trial.material.normal[at];
            let lists = if sequence.0.len() > 1 {
                &mut next
            } else {
                &mut first
            };
            add(lists, ranker.as_ref(), sequence)?;
        }
        let mut figures = Figures::new();
        next.report(&mut figures, "");
        first.report(&mut figures, "first");
        Ok(figures)
    })
}

fn add(lists: &mut Lists, ranker: &dyn Ranker, sequence: &Sequence) -> Result<()> {
    let Some((last, before)) = sequence.0.split_last() else {
        return Ok(());
    };
    let scores = ranker.rank(before, &Given::default())?;
    lists.add_action(&scores, last.action);
    Ok(())
}
