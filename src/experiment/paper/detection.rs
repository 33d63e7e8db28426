//! Table 2: one column a shift, a percentile set by hand as the threshold, as many attacks as normal sequences.

use anyhow::Result;
use hearth_operators::words::Sequence;

use super::trial::Trial;
use crate::evaluate::statistics::Judged;
use crate::experiment::cells::{Measured, timed};
use crate::experiment::data::Kind;
use crate::experiment::methods::{Calibrated, Detection, TrainingData};
use crate::experiment::metrics::{Figures, detection};
use crate::models::quantile;

/// Trains a method on the one column that the attack is in, and calls what scores at or above the percentile of the
/// validation part (of all sequences, each by a model that has not learnt it, if the method counts). For NT the whole set is both
/// learnt and validated on, as the authors do, so there the scores are of what is known.
pub(super) fn measure(trial: &Trial, method: &dyn Detection) -> Result<Measured> {
    let percentile = trial.percentile()?;
    timed(|| {
        let data = |train, held| TrainingData {
            catalog: &trial.material.catalog,
            train,
            held,
            life: None,
            columns: trial.pair.shift.column(),
            seed: trial.seed,
        };
        let whole = data(&trial.set, &trial.set);
        let Calibrated { scorer, unlearnt } = if trial.pair.shift == Kind::NT && trial.synthetic {
            let scorer = method.fit(&whole)?;
            let known = trial.set.iter().map(|s| scorer.score(s));
            let unlearnt = known.collect::<Result<_, _>>()?;
            Calibrated { scorer, unlearnt }
        } else {
            let mut calibrated = method.calibrated(&data(&trial.parts.0, &trial.parts.1))?;
            if calibrated.scorer.threshold().is_some() {
                // A rule needs no validation, so it learns the whole set.
                calibrated.scorer = method.fit(&whole)?;
            }
            calibrated
        };
        let score = |sequence: &Sequence| scorer.score(sequence);
        let threshold = f64::from(quantile(&unlearnt, percentile / 100.0));
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
