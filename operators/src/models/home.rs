//! What one home has: its habits, and what waits to be judged or learnt.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::detect::Maintained;
use crate::habits::{Context, Habits, Pooled, Vocabulary};
use crate::words::{
    Adjustment, Epoch, Filtered, Outcome, Score, Sequence, Shift, ShiftKey, Task, Time,
};

/// Sequences that were imagined for the regime after a shift, and passed the filter.
#[derive(Debug, Serialize, Deserialize)]
pub struct Lesson {
    key: ShiftKey,
    shift: Shift,
    retained: Vec<Sequence>,
    candidates: usize,
}

impl From<Filtered> for Lesson {
    fn from(filtered: Filtered) -> Self {
        let retained = filtered.verdicts.iter().filter(|verdict| verdict.retain);
        Lesson {
            key: filtered.key,
            shift: filtered.regime.shift.clone(),
            retained: retained.map(|v| v.candidate.sequence.clone()).collect(),
            candidates: filtered.verdicts.len(),
        }
    }
}

/// What a home has to do next, in this order: an epoch's segments, then what the requests of that epoch were answered.
#[derive(Debug, Serialize, Deserialize)]
pub enum Due {
    /// Segments come and go.
    Batch(Vec<Maintained>),
    /// An answer comes into force.
    Lesson(Lesson),
}

/// When something is due: segments before lessons, those in order of their regimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Turn {
    /// The epoch.
    pub epoch: Epoch,
    /// `None` for segments.
    pub regime: Option<u32>,
}

/// One home's state: plain data.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct HomeModels {
    habits: Habits,
    /// The newest regime of any segment, and the first start of one in it.
    regime: Option<(u32, Time)>,
    /// The end of the newest segment.
    newest: Option<Time>,
    /// Requests without an answer in force.
    open: BTreeSet<Turn>,
    due: BTreeMap<Turn, Due>,
    /// 0, then one more than the regime whose end the last lesson answered.
    version: u32,
}

/// What a home's models say.
#[derive(Default)]
pub struct Said {
    /// Of each behaviour that came.
    pub scores: Vec<Score>,
    /// Of what was learnt from an answer.
    pub adjustments: Vec<Adjustment>,
}

impl HomeModels {
    /// A request went out.
    pub fn asked(&mut self, epoch: Epoch, regime: u32) {
        self.open.insert(Turn {
            epoch,
            regime: Some(regime),
        });
    }

    /// Puts something into its turn.
    pub fn put(&mut self, turn: Turn, due: Due) {
        self.due.insert(turn, due);
    }

    /// The turn of what is to be done next.
    pub fn next(&self) -> Option<Turn> {
        self.due.first_key_value().map(|(turn, _)| *turn)
    }

    /// All turns that wait.
    pub fn turns(&self) -> impl Iterator<Item = Turn> {
        self.due.keys().copied()
    }

    /// Whether an answer to an earlier request is still to come.
    pub fn waits_for_answer(&self, turn: Turn) -> bool {
        self.open.first().is_some_and(|open| *open < turn)
    }

    /// Does what is due first. `lateness`: how far behind its newest behaviour a home may still change.
    pub fn go_on(&mut self, words: &Vocabulary<'_>, pooled: &Pooled, lateness: i64) -> Said {
        let mut said = Said::default();
        match self.due.pop_first() {
            Some((_, Due::Batch(updates))) => {
                self.batch(words, pooled, lateness, updates, &mut said);
            }
            Some((turn, Due::Lesson(lesson))) => {
                self.open.remove(&turn);
                self.lesson(&lesson, &mut said);
            }
            None => {}
        }
        said
    }

    fn batch(
        &mut self,
        words: &Vocabulary<'_>,
        pooled: &Pooled,
        lateness: i64,
        mut updates: Vec<Maintained>,
        said: &mut Said,
    ) {
        if let Some(newest) = self.newest {
            self.habits.settle(Time(newest.0.saturating_sub(lateness)));
        }
        updates.sort_by(|a, b| a.segment.cmp(&b.segment));
        // What goes in one regime and comes in another is the same segment still: a shift was declared after it.
        let (moved, changed): (Vec<_>, Vec<_>) = updates
            .chunk_by(|a, b| a.segment == b.segment)
            .partition(|same| same.len() > 1);
        for update in moved.into_iter().flatten().filter(|update| update.diff > 0) {
            self.began(update.key, update.segment.start());
        }
        let changed = || changed.iter().copied().flatten();
        for update in changed().filter(|update| update.diff < 0) {
            self.habits.retract(words, &update.segment);
        }
        for update in changed().filter(|update| update.diff > 0) {
            let (segment, detected) = (&update.segment, update.detected.as_deref());
            self.began(update.key, segment.start());
            let judged = self.habits.judge(words, pooled, segment);
            let threshold = detected.and_then(|detected| detected.threshold);
            let steps = segment.moments.iter().zip(&judged.steps).enumerate();
            said.scores.extend(steps.map(|(i, (moment, step))| Score {
                home: segment.home,
                moment: *moment,
                score: detected.map_or(f32::NAN, |detected| detected.scores[i]),
                threshold: threshold.unwrap_or(f32::INFINITY),
                predictions: step.predictions.clone(),
                detector: self.version,
                predictor: self.version,
            }));
            self.habits.learn(words, segment, &judged);
            self.newest = self.newest.max(Some(segment.end()));
        }
    }

    /// A segment lies in a regime: the newest one begins where its first segment does.
    fn began(&mut self, key: ShiftKey, start: Time) {
        let newer = self.regime.is_none_or(|(regime, began)| {
            key.regime > regime || (key.regime == regime && start < began)
        });
        if newer {
            if key.regime > 0 {
                self.habits.shift(start, Context::default());
            }
            self.regime = Some((key.regime, start));
        }
    }

    fn lesson(&mut self, lesson: &Lesson, said: &mut Said) {
        self.habits.imagine(&lesson.retained);
        self.version = lesson.key.regime + 1;
        let line = |task| Adjustment {
            key: lesson.key,
            shift: lesson.shift.clone(),
            task,
            version: self.version,
            outcome: Outcome::Promoted,
            before: 0.0,
            after: 0.0,
            evidence: format!(
                "{} of {} synthetic sequences are evidence of the new context until what really happens outweighs them",
                lesson.retained.len(),
                lesson.candidates
            ),
        };
        said.adjustments
            .extend([Task::Detector, Task::Predictor].map(line));
    }
}
