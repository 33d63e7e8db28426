//! What one home has: its habits, and what waits to be judged or learnt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Maintenance;
use crate::detect::{Detected, Maintained};
use crate::habits::{Context, Habits, Judged, Pooled, ReadOn, Vocabulary};
use crate::shift::{Placed, Standing};
use crate::state::Shelved;
use crate::words::{
    Adjustment, Epoch, Filtered, Outcome, Score, Scores, Segment, Sequence, Shift, ShiftKey, Task,
    Time,
};

/// Sequences that were imagined for the regime after a shift, and passed the filter.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

impl Lesson {
    /// What becomes of it where the regime that it is for has ended: nothing.
    fn too_late(self) -> Adjustment {
        Adjustment {
            version: self.key.regime + 1,
            key: self.key,
            shift: self.shift,
            task: Task::Predictor,
            outcome: Outcome::Kept,
            before: f32::NAN,
            after: f32::NAN,
            evidence: "the new context had ended when the answer came".to_owned(),
        }
    }
}

/// What a home has to do next, in this order: an epoch's segments, then what the regimes that ended in it teach.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Due {
    /// Segments come and go.
    Batch(Vec<Maintained>),
    /// Likewise, and all is learnt anew from those that stand: something was erased.
    Anew(Vec<Maintained>, Arc<Standing>),
    /// An answer comes into force.
    Lesson(Box<Lesson>),
    /// None will come.
    Nothing,
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
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HomeModels {
    habits: Habits,
    /// The newest regime of any segment or answer.
    regime: u32,
    /// The shift that began it.
    began: Option<Arc<Shift>>,
    /// The end of the newest segment.
    newest: Option<Time>,
    /// Regimes that ended, as long as it is not known what they teach.
    open: BTreeSet<Turn>,
    due: BTreeMap<Turn, Due>,
    /// 0, then one more than the regime whose end the last lesson answered.
    version: u32,
    trial: Option<Trial>,
}

/// What was imagined, on trial.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Trial {
    key: ShiftKey,
    shift: Shift,
    segments: u32,
    behaviors: u64,
    /// The sum of the surprisals of all behaviours.
    with: f64,
    without: f64,
}

/// What a home's models say.
#[derive(Default)]
pub struct Said {
    /// Of each behaviour that came.
    pub scores: Vec<Score>,
    /// Of what was learnt from an answer.
    pub adjustments: Vec<Adjustment>,
}

impl Shelved for HomeModels {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.habits.bytes()
    }

    fn is_idle(&self) -> bool {
        self.due.is_empty()
    }
}

impl HomeModels {
    /// What it does next.
    pub fn habits(&self) -> &Habits {
        &self.habits
    }

    /// The newest regime of any segment or answer.
    pub fn regime(&self) -> u32 {
        self.regime
    }

    /// The shift that began it.
    pub fn began_by(&self) -> Option<&Arc<Shift>> {
        self.began.as_ref()
    }

    /// The end of the newest segment.
    pub fn newest(&self) -> Option<Time> {
        self.newest
    }

    /// One more than the regime whose end the last lesson answered; 0: there was none.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// A regime ended: it may ask for something.
    pub fn awaits(&mut self, epoch: Epoch, regime: u32) {
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

    /// Whether it is still to come what a regime teaches that ended earlier.
    pub fn waits_for_answer(&self, turn: Turn) -> bool {
        self.open.first().is_some_and(|open| *open < turn)
    }

    /// Does what is due first; `pooled`: the cohort's counts of all epochs before one.
    pub fn go_on<'p>(
        &mut self,
        words: &Vocabulary<'_>,
        pooled: impl FnOnce(Epoch) -> &'p Pooled,
        maintenance: &Maintenance,
    ) -> Said {
        let mut said = Said::default();
        match self.due.pop_first() {
            Some((turn, Due::Batch(updates))) => {
                let pooled = pooled(turn.epoch);
                self.batch(words, pooled, maintenance, updates, &mut said);
            }
            Some((turn, Due::Anew(updates, standing))) => {
                // Nothing of what was erased is in the counts of this epoch.
                let pooled = pooled(turn.epoch + 1);
                self.anew(words, pooled, maintenance, (&updates, &standing), &mut said);
            }
            Some((turn, Due::Lesson(lesson))) => {
                self.open.remove(&turn);
                let answers = lesson.key.regime + 1;
                let eager = maintenance.scores == Scores::Eager;
                // Nobody waited for it, and by now the home lives in another regime.
                if eager && (answers < self.version || answers < self.regime) {
                    said.adjustments.push(lesson.too_late());
                } else {
                    self.lesson(*lesson, &mut said);
                }
            }
            Some((turn, Due::Nothing)) => {
                self.open.remove(&turn);
            }
            None => {}
        }
        said
    }

    fn batch(
        &mut self,
        words: &Vocabulary<'_>,
        pooled: &Pooled,
        maintenance: &Maintenance,
        mut updates: Vec<Maintained>,
        said: &mut Said,
    ) {
        if let Some(newest) = self.newest {
            self.habits
                .settle(Time(newest.0.saturating_sub(maintenance.lateness)));
        }
        updates.sort_by(|a, b| a.placed.segment.cmp(&b.placed.segment));
        // What goes in one regime and comes in another is the same segment still: a shift was declared after it.
        let (moved, changed): (Vec<_>, Vec<_>) = updates
            .chunk_by(|a, b| a.placed.segment == b.placed.segment)
            .partition(|same| same.len() > 1);
        for update in moved
            .into_iter()
            .flatten()
            .filter(|update| update.placed.diff > 0)
        {
            self.began(&update.placed);
        }
        let changed = || changed.iter().copied().flatten();
        for update in changed().filter(|update| update.placed.diff < 0) {
            self.habits.retract(words, &update.placed.segment);
        }
        for update in changed().filter(|update| update.placed.diff > 0) {
            let (segment, detected) = (&update.placed.segment, update.detected.as_deref());
            self.began(&update.placed);
            let judged = self.habits.judge(words, pooled, segment);
            said.scores.extend(self.scores(segment, detected, &judged));
            self.try_on(words, pooled, &update.placed, &judged);
            self.habits.learn(words, segment, &judged);
            self.newest = self.newest.max(Some(segment.end()));
        }
        self.decide(maintenance.trial, said);
    }

    fn scores(
        &self,
        segment: &Segment,
        detected: Option<&Detected>,
        judged: &Judged,
    ) -> Vec<Score> {
        let threshold = detected.and_then(|detected| detected.threshold);
        let steps = segment.moments.iter().zip(&judged.steps).enumerate();
        let scores = steps.map(|(i, (moment, step))| Score {
            home: segment.home,
            moment: *moment,
            score: detected.map_or(f32::NAN, |detected| detected.scores[i]),
            threshold: threshold.unwrap_or(f32::INFINITY),
            predictions: step.predictions.clone(),
            detector: 0,
            predictor: self.version,
            open: false,
            next: Vec::new(),
        });
        scores.collect()
    }

    /// Learns all anew from the segments that stand. Those that came in this epoch are judged in their place. What was imagined for the
    /// regime stays with it; where nothing stands, nothing does.
    fn anew(
        &mut self,
        words: &Vocabulary<'_>,
        pooled: &Pooled,
        maintenance: &Maintenance,
        (updates, standing): (&[Maintained], &Standing),
        said: &mut Said,
    ) {
        let came = updates.iter().filter_map(|update| {
            let detected = update.detected.as_deref()?;
            Some((&update.placed.segment, detected))
        });
        let came: BTreeMap<_, _> = came.collect();
        let old = std::mem::take(self);
        self.open = old.open;
        self.due = old.due;
        if standing.segments.is_empty() {
            return;
        }
        self.version = old.version;
        for placed in &standing.segments {
            let segment = &placed.segment;
            if let Some(newest) = self.newest {
                self.habits
                    .settle(Time(newest.0.saturating_sub(maintenance.lateness)));
            }
            self.began(placed);
            let judged = self.habits.judge(words, pooled, segment);
            if let Some(detected) = came.get(segment) {
                said.scores
                    .extend(self.scores(segment, Some(detected), &judged));
            }
            self.habits.learn(words, segment, &judged);
            self.newest = self.newest.max(Some(segment.end()));
        }
        // Nothing may stand of the regime that the answer in force is for.
        if let Some(shift) = old.began.filter(|_| old.regime == old.version) {
            self.begin(old.regime, &shift);
        }
        if self.habits.imagine_as(&old.habits) {
            self.trial = old.trial;
        }
    }

    /// A segment lies in a regime: a new one begins with the first.
    fn began(&mut self, placed: &Placed) {
        if let Some(shift) = &placed.began {
            self.begin(placed.key.regime, shift);
        }
    }

    /// Begins a regime, unless it has begun.
    fn begin(&mut self, regime: u32, shift: &Arc<Shift>) {
        if regime > self.regime {
            self.regime = regime;
            self.began = Some(shift.clone());
            self.habits.shift(shift.time, Context::of(shift));
        }
    }

    /// How a segment of the regime on trial would have been judged without what was imagined.
    fn try_on(
        &mut self,
        words: &Vocabulary<'_>,
        pooled: &Pooled,
        placed: &Placed,
        judged: &Judged,
    ) {
        let Some(trial) = &mut self.trial else { return };
        if placed.key.regime <= trial.key.regime {
            return;
        }
        let sum = |judged: &Judged| -> f64 {
            let each = judged.steps.iter().map(|step| f64::from(step.surprisal));
            each.sum()
        };
        let without = self.habits.judge_unimagined(words, pooled, &placed.segment);
        trial.segments += 1;
        trial.behaviors += judged.steps.len() as u64;
        trial.with += sum(judged);
        trial.without += sum(&without);
    }

    /// Ends a trial that has seen enough: what made things less likely is dropped.
    fn decide(&mut self, enough: u32, said: &mut Said) {
        let Some(trial) = self.trial.take_if(|trial| trial.segments >= enough) else {
            return;
        };
        let mean = |sum: f64| (sum / trial.behaviors as f64) as f32;
        let (before, after) = (mean(trial.without), mean(trial.with));
        let outcome = if after <= before {
            Outcome::Kept
        } else {
            self.habits.imagine(&[]);
            Outcome::RolledBack
        };
        let evidence = format!(
            "mean surprisal without and with the synthetic sequences of {} behaviors in {} segments that followed",
            trial.behaviors, trial.segments
        );
        said.adjustments.push(Adjustment {
            key: trial.key,
            shift: trial.shift,
            task: Task::Predictor,
            version: trial.key.regime + 1,
            outcome,
            before,
            after,
            evidence,
        });
    }

    fn lesson(&mut self, lesson: Lesson, said: &mut Said) {
        let Lesson {
            key,
            shift,
            retained,
            candidates,
        } = lesson;
        self.version = key.regime + 1;
        // It may come before the regime's first segment is complete, which must not take it for another one's then.
        self.begin(self.version, &Arc::new(shift.clone()));
        self.habits.imagine(&retained);
        let outcome = if retained.is_empty() {
            Outcome::Kept
        } else {
            Outcome::Promoted
        };
        said.adjustments.push(Adjustment {
            key,
            shift: shift.clone(),
            task: Task::Predictor,
            version: self.version,
            outcome,
            before: f32::NAN,
            after: f32::NAN,
            evidence: format!(
                "{} of {candidates} synthetic sequences count for the new context, beside what happens there",
                retained.len()
            ),
        });
        self.trial = (!retained.is_empty()).then_some(Trial {
            key,
            shift,
            segments: 0,
            behaviors: 0,
            with: 0.0,
            without: 0.0,
        });
    }
}

/// The scores of an open segment's behaviours from `new` on; `said` is of these, or of more before them.
pub fn open_scores(
    segment: &Segment,
    new: usize,
    detected: &Detected,
    said: &ReadOn,
    version: u32,
) -> Vec<Score> {
    let moments = &segment.moments[new..];
    let steps = &said.steps[said.steps.len() - moments.len()..];
    let last = moments.len().saturating_sub(1);
    let scores = moments.iter().zip(steps).enumerate();
    let scores = scores.map(|(i, (moment, step))| Score {
        home: segment.home,
        moment: *moment,
        score: detected.scores[i],
        threshold: detected.threshold.unwrap_or(f32::INFINITY),
        predictions: step.predictions.clone(),
        detector: 0,
        predictor: version,
        open: true,
        next: if i == last {
            said.next.clone()
        } else {
            Vec::new()
        },
    });
    scores.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::tests::lamp;
    use crate::words::{ActionId, HomeId, Moment, ShiftKind};

    const HOME: HomeId = HomeId(0);

    fn shift() -> Shift {
        Shift {
            home: None,
            time: Time(2 * Time::DAY),
            offset: 0,
            kind: ShiftKind::Season,
            from: "winter".into(),
            to: "spring".into(),
        }
    }

    /// The lamp is switched on, then off, at noon of a day.
    fn noon(day: i64) -> Segment {
        let moment = |action: u16| Moment {
            time: Time(day * Time::DAY + Time::HOUR * 12 + i64::from(action)),
            action: ActionId(action),
            offset: 0,
        };
        Segment {
            home: HOME,
            moments: vec![moment(0), moment(1)],
        }
    }

    fn came(day: i64) -> Due {
        let regime = u32::from(day >= 2);
        let placed = Placed {
            key: ShiftKey { home: HOME, regime },
            began: (regime > 0).then(|| Arc::new(shift())),
            segment: Arc::new(noon(day)),
            diff: 1,
        };
        Due::Batch(vec![Maintained {
            placed,
            detected: None,
        }])
    }

    /// What was on trial, of a home that heard an answer before so many epochs, each of which brings a day.
    fn tried(heard: Epoch) -> Adjustment {
        let catalogs = lamp();
        let words = Vocabulary::new(&catalogs, HOME);
        let maintenance = Maintenance {
            catalogs: catalogs.clone(),
            lateness: Time::DAY,
            trial: 3,
            scores: Scores::Aligned,
            memory: 0,
            portion: 1,
        };
        let pooled = Pooled::default();
        let mut home = HomeModels::default();
        let key = ShiftKey {
            home: HOME,
            regime: 0,
        };
        let lesson = Lesson {
            key,
            shift: shift(),
            retained: vec![noon(0).sequence(); 3],
            candidates: 3,
        };
        let turn = |epoch, regime| Turn { epoch, regime };
        for epoch in 0..8 {
            home.put(turn(epoch, None), came(epoch as i64));
        }
        home.put(turn(heard, Some(0)), Due::Lesson(Box::new(lesson)));
        let mut adjustments = Vec::new();
        while home.next().is_some() {
            let said = home.go_on(&words, |_| &pooled, &maintenance);
            adjustments.extend(said.adjustments);
        }
        assert_eq!(adjustments.len(), 2, "what came, and what became of it");
        adjustments.remove(1)
    }

    #[test]
    fn what_is_imagined_counts_also_before_the_regime_has_a_segment() {
        // Of day 1 the answer is in time for the first segment of the regime, of day 3 it is in time for its third.
        for heard in [1, 3] {
            let Adjustment { before, after, .. } = tried(heard);
            assert_ne!(before, after, "heard behind day {heard}");
        }
    }
}
