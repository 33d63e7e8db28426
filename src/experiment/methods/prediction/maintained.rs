//! Hearth's maintained predictor as the dataflow runs it: a home's [habits](hearth_operators::habits), learnt segment by segment
//! before a shift and since, with what was imagined of the new context on trial.

use std::sync::Arc;

use hearth_operators::habits::{Context, Habits, Judged, Pooled, PooledChanges, Vocabulary};
use hearth_operators::words::{Catalogs, HomeId, Quadruple, Segment, Sequence, Time};

use super::answer::{Next, Vetted};
use crate::experiment::methods::life::{Calendar, within};
use crate::experiment::methods::{Given, Life, Prediction, Ranker, TrainingData};
use crate::models::ModelError;

/// How late events may come, and after how many segments what was imagined is kept or dropped: the defaults of a replay.
const LATENESS: i64 = Time::DAY;
const TRIAL: usize = 7;

/// Hearth's maintained predictor.
pub struct Maintained;

impl Prediction for Maintained {
    fn name(&self) -> &'static str {
        "Hearth"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Ranker>, ModelError> {
        let catalog = Vetted::new(data)?;
        let mut living = Living {
            catalogs: Catalogs::shared(Arc::new(data.catalog.clone())),
            habits: Habits::default(),
            pooled: Pooled::default(),
            now: Time::default(),
        };
        match data.life {
            Some(life) => living.through(life),
            None => {
                let present = data.train.to_vec();
                living.through(&Life {
                    present,
                    ..Life::default()
                });
            }
        }
        Ok(catalog.asking(living))
    }
}

/// A home that has lived through something, and lives on.
struct Living {
    catalogs: Arc<Catalogs>,
    habits: Habits,
    pooled: Pooled,
    /// The week after all that it learnt.
    now: Time,
}

impl Living {
    fn through(&mut self, life: &Life) {
        let mut calendar = Calendar::new();
        for segment in calendar.date(&life.past) {
            self.learn(&segment);
        }
        self.habits.shift(calendar.turn(), Context::default());
        self.habits.imagine(&life.imagined);
        let mut trial = (!life.imagined.is_empty()).then_some(0.0);
        for (n, segment) in calendar.date(&life.present).iter().enumerate() {
            if n == TRIAL && trial.take().is_some_and(|lost: f32| lost > 0.0) {
                self.habits.imagine(&[]);
            }
            let lost = trial.map(|_| self.lost(segment));
            trial = trial.zip(lost).map(|(sum, lost)| sum + lost);
            self.learn(segment);
        }
        self.now = calendar.turn();
    }

    /// By how much a segment is less likely with what was imagined.
    fn lost(&self, segment: &Segment) -> f32 {
        let words = Vocabulary::new(&self.catalogs, HomeId(0));
        let sum = |judged: Judged| judged.steps.iter().map(|step| step.surprisal).sum::<f32>();
        let with = self.habits.judge(&words, &self.pooled, segment);
        let without = self.habits.judge_unimagined(&words, &self.pooled, segment);
        sum(with) - sum(without)
    }

    fn learn(&mut self, segment: &Segment) {
        let words = Vocabulary::new(&self.catalogs, HomeId(0));
        self.habits.settle(Time(segment.start().0 - LATENESS));
        let judged = self.habits.judge(&words, &self.pooled, segment);
        self.habits.learn(&words, segment, &judged);
        let mut changes = PooledChanges::default();
        changes.add(&words, segment, judged.context, 1);
        self.pooled.apply(&changes);
    }
}

impl Next for Living {
    fn next(&self, before: &[Quadruple], _: &Given) -> Result<Vec<f32>, ModelError> {
        let words = Vocabulary::new(&self.catalogs, HomeId(0));
        let known = within(self.now, &Sequence(before.to_vec())).moments;
        let start = known.first().map_or(self.now, |moment| moment.time);
        Ok(self.habits.expected(&words, &self.pooled, start, &known))
    }
}
