//! Table 2: one column a shift, a percentile set by hand as the threshold, as many attacks as normal sequences.

use anyhow::Result;
use hearth_operators::words::Sequence;

use super::Trial;
use crate::evaluate::statistics::Judged;
use crate::experiment::cells::{Measured, timed};
use crate::experiment::data::Kind;
use crate::experiment::methods::{Detection, Lesson};
use crate::experiment::metrics::{Figures, detection};
use crate::models::quantile;

/// Trains a method on the one column that the attack is in, and calls what scores at or above the percentile of the
/// validation part. For NT the whole set is both learnt and validated on, as the authors do.
pub(super) fn measure(trial: &Trial, method: &dyn Detection) -> Result<Measured> {
    let percentile = trial.percentile()?;
    timed(|| {
        let (train, held) = if trial.pair.shift == Kind::NT && trial.synthetic {
            (&trial.set, &trial.set)
        } else {
            (&trial.parts.0, &trial.parts.1)
        };
        let fit = |train: &[Sequence]| {
            method.fit(&Lesson {
                catalog: &trial.material.catalog,
                train,
                held,
                columns: trial.pair.shift.column(),
                seed: trial.seed,
            })
        };
        let mut scorer = fit(train)?;
        if scorer.threshold().is_some() {
            // A rule needs no validation, so it learns the whole set.
            scorer = fit(&trial.set)?;
        }
        let score = |sequence: &Sequence| scorer.score(sequence);
        let validation: Vec<f32> = held.iter().map(score).collect::<Result<_, _>>()?;
        let threshold = f64::from(quantile(&validation, percentile / 100.0));
        let mut items: Vec<Judged> = Vec::new();
        for normal in &trial.material.normal {
            items.push((f64::from(score(normal)?), false));
        }
        for attack in &trial.material.attacks {
            items.push((f64::from(score(&attack.sequence)?), true));
        }
        let called = |score: f64| match scorer.threshold() {
            Some(own) => score > f64::from(own),
            None => score >= threshold,
        };
        let mut figures = Figures::new();
        detection(&mut figures, "", &items, called);
        Ok(figures)
    })
}
