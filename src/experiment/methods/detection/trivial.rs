//! The trivial answers that a method has to beat. They read hours and actions, whatever columns the training data shows to
//! models.

use std::collections::HashSet;

use hearth_operators::words::{HOURS, Quadruple, Sequence};

use super::calibration::counted;
use super::columns::ColumnReader;
use super::conditional::Conditional;
use super::{Calibrated, Detection, Scorer, TrainingData};
use crate::models::{Columns, ModelError};

/// Calls every sequence an anomaly.
pub struct FlagAll;

impl Detection for FlagAll {
    fn name(&self) -> &'static str {
        "flag all"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        let reader = ColumnReader::new(data.catalog, Columns::All);
        Ok(Box::new(All(reader)))
    }
}

struct All(ColumnReader);

impl Scorer for All {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        self.0.check(sequence)?;
        Ok(1.0)
    }

    fn threshold(&self) -> Option<f32> {
        Some(0.5)
    }
}

/// Calls a sequence an anomaly (score 1, else 0) if it holds something that training did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// An action.
    UnseenAction,
    /// A three-hour bucket.
    UnseenHours,
    /// An action in a three-hour bucket.
    UnseenActionAtHours,
}

impl Rule {
    /// What of a behaviour must have been seen.
    fn part(self, q: &Quadruple) -> (u8, u16) {
        match self {
            Rule::UnseenAction => (0, q.action.0),
            Rule::UnseenHours => (q.hours, 0),
            Rule::UnseenActionAtHours => (q.hours, q.action.0),
        }
    }
}

impl Detection for Rule {
    fn name(&self) -> &'static str {
        match self {
            Rule::UnseenAction => "unseen action",
            Rule::UnseenHours => "unseen hours",
            Rule::UnseenActionAtHours => "unseen action at hours",
        }
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        let reader = ColumnReader::new(data.catalog, Columns::All);
        let train = reader.train(data)?.into_iter().flat_map(|s| &s.0);
        Ok(Box::new(Seen {
            rule: *self,
            seen: train.map(|q| self.part(q)).collect(),
            reader,
        }))
    }
}

struct Seen {
    reader: ColumnReader,
    rule: Rule,
    seen: HashSet<(u8, u16)>,
}

impl Scorer for Seen {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        self.reader.check(sequence)?;
        let unseen = |q| !self.seen.contains(&self.rule.part(q));
        Ok(f32::from(u8::from(sequence.0.iter().any(unseen))))
    }

    fn threshold(&self) -> Option<f32> {
        Some(0.5)
    }
}

/// How surprising a sequence is under counts: the mean over its behaviours of
/// `−ln ½ (P(action | action before) + P(action | hours)) − ln P(hours | hours before)`, each smoothed after Witten and Bell;
/// before the first behaviour stands the start.
pub struct Surprisal;

impl Detection for Surprisal {
    fn name(&self) -> &'static str {
        "surprisal"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        let reader = ColumnReader::new(data.catalog, Columns::All);
        let train = reader.train(data)?;
        let actions = data.catalog.actions();
        let mut counted = Counted {
            reader,
            actions,
            after: Conditional::new(actions),
            at: Conditional::new(actions),
            hours: Conditional::new(HOURS.len()),
        };
        for sequence in train {
            for step in counted.steps(sequence) {
                counted.after.learn(step.action_before, step.action);
                counted.at.learn(step.hours, step.action);
                counted.hours.learn(step.hours_before, step.hours);
            }
        }
        Ok(Box::new(counted))
    }

    fn calibrated(&self, data: &TrainingData) -> Result<Calibrated, ModelError> {
        counted(self, data)
    }
}

struct Counted {
    reader: ColumnReader,
    actions: usize,
    after: Conditional,
    at: Conditional,
    hours: Conditional,
}

/// A behaviour and the one before; for the first an action and hours that there are not.
struct Step {
    action_before: usize,
    hours_before: usize,
    action: usize,
    hours: usize,
}

impl Counted {
    fn steps<'a>(&self, sequence: &'a Sequence) -> impl Iterator<Item = Step> + use<'a> {
        let mut before = (self.actions, HOURS.len());
        sequence.0.iter().map(move |q| {
            let (action, hours) = (usize::from(q.action.0), usize::from(q.hours));
            let (action_before, hours_before) = std::mem::replace(&mut before, (action, hours));
            Step {
                action_before,
                hours_before,
                action,
                hours,
            }
        })
    }

    fn surprise(&self, step: &Step) -> f64 {
        let after = self.after.probability(step.action_before, step.action);
        let at = self.at.probability(step.hours, step.action);
        let hours = self.hours.probability(step.hours_before, step.hours);
        -f64::midpoint(after, at).ln() - hours.ln()
    }
}

impl Scorer for Counted {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        self.reader.check(sequence)?;
        let sum: f64 = self.steps(sequence).map(|step| self.surprise(&step)).sum();
        Ok((sum / sequence.0.len() as f64) as f32)
    }
}
