//! Whether a home's new model replaces the cohort's, and what says so.

use hearth_operators::words::{Adjustment, Outcome, Shift, ShiftKey, Task, Version};

use super::held_out::{MIN_SEQUENCES, TrainingSplit};

/// A home's shift, for its lines of `adaptations`.
pub(super) struct Comparison<'a> {
    /// Which shift of which home.
    pub key: ShiftKey,
    /// What changed.
    pub shift: &'a Shift,
    /// How many sequences of the new context there are.
    pub sequences: usize,
}

impl Comparison<'_> {
    /// The cohort's version, because there is too little to train on.
    pub fn unchanged(&self, task: Task, cohort: &Version) -> (Version, Adjustment) {
        let evidence = format!(
            "{} sequences of the new context, at least {MIN_SEQUENCES} are needed: nothing was trained",
            self.sequences
        );
        // Nothing was compared: no number is what `null` stands for in the outputs.
        let none = (f32::NAN, f32::NAN);
        let line = self.line(task, cohort.number, Outcome::Kept, none, evidence);
        (cohort.clone(), line)
    }

    /// The better of the cohort's version and the new one, by their mean losses of held-out behaviours.
    pub fn better(
        &self,
        task: Task,
        cohort: &Version,
        new: Version,
        (before, after): (f32, f32),
        split: &TrainingSplit,
    ) -> (Version, Adjustment) {
        let data = format!(
            "mean loss a behaviour of {} held-out sequences of the new context (of {}, synthetic and real), trained on at least {}",
            split.held.len(),
            self.sequences,
            split.train.len(),
        );
        // Written so that a loss that is no number is not better.
        if after < before {
            let line = self.line(task, new.number, Outcome::Promoted, (before, after), data);
            (new, line)
        } else {
            let evidence = format!("{data}; the adapted model was not better ({after:.3})");
            let line = self.line(
                task,
                cohort.number,
                Outcome::Kept,
                (before, before),
                evidence,
            );
            (cohort.clone(), line)
        }
    }

    fn line(
        &self,
        task: Task,
        version: u32,
        outcome: Outcome,
        (before, after): (f32, f32),
        evidence: String,
    ) -> Adjustment {
        Adjustment {
            key: self.key,
            shift: self.shift.clone(),
            task,
            version,
            outcome,
            before,
            after,
            evidence,
        }
    }
}
