//! The habits of one home.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::experts::{self, ALONE, Before, Devices, IMAGINED};
use super::mixing::{self, Class, Contribution, Mixed};
use super::places::Clock;
use super::said::Said;
use super::timeline::Timeline;
use super::{Context, Pooled, Vocabulary};
use crate::state::packing;
use crate::words::{ActionId, Moment, Segment, Sequence, Time};

/// Behaviours of final segments that are kept at most (and so at most some 50 KiB a home): twice as many predict no better.
pub(super) const KEPT: usize = 1 << 13;

/// What a home's habits say of one behaviour, seen what came before it: nothing of the behaviour itself is given, not even
/// its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// -ln q of what happened.
    pub surprisal: f32,
    /// The five most probable actions, best first, ties by action id.
    pub predictions: Vec<(ActionId, f32)>,
}

/// What a home's habits say of a segment, and what they learn from having said it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// By behaviour.
    pub steps: Vec<Step>,
    /// What the segment will add to the weights of the home's experts.
    pub contribution: Contribution,
    /// The context in which it was judged.
    pub context: Context,
}

/// What a home's habits say of a segment that is open, from some behaviour on.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadOn {
    /// By behaviour, from that one on.
    pub steps: Vec<Step>,
    /// The five most probable actions after all of them, as predictions are.
    pub next: Vec<(ActionId, f32)>,
    /// What all of its behaviours will add to the weights of the home's experts, as far as is known.
    pub contribution: Contribution,
}

/// What is kept of a segment that is not final.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    contribution: Contribution,
    context: Context,
}

/// A home's model: its history, what was imagined for it, and what its experts have earned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Habits {
    #[serde(with = "packing")]
    history: Timeline,
    /// How many behaviours were learnt, also those that were dropped since.
    behaviors: i64,
    /// How many segments are final; the others follow below.
    settled: usize,
    open: VecDeque<Open>,
    /// When the current regime began, and what it lives in.
    regime: Option<(Time, Context)>,
    #[serde(with = "packing")]
    imagined: Timeline,
    /// The sum of all contributions, also of segments that were dropped since.
    learnt: Contribution,
}

impl Habits {
    /// Judges a segment by what is known; learns nothing.
    pub fn judge(&self, words: &Vocabulary<'_>, pooled: &Pooled, segment: &Segment) -> Judged {
        self.judge_by(words, pooled, segment, true)
    }

    /// Judges a segment as if nothing had been imagined.
    pub fn judge_unimagined(
        &self,
        words: &Vocabulary<'_>,
        pooled: &Pooled,
        segment: &Segment,
    ) -> Judged {
        self.judge_by(words, pooled, segment, false)
    }

    /// The probability of each action of the home, by id, as the next of a segment that starts at `start` and of which these
    /// behaviours are known; learns nothing.
    pub fn expected(
        &self,
        words: &Vocabulary<'_>,
        pooled: &Pooled,
        start: Time,
        known: &[Moment],
    ) -> Vec<f32> {
        let at = self.history.first(self.history.before(start));
        let mut reading = Reading::new(self, words, pooled, (start, at), true);
        for n in 0..known.len() {
            reading.ask(&known[..n]);
            reading.happened(&known[n]);
        }
        reading.ask(known);
        let actions = (0..words.actions() as u16).map(ActionId);
        let each = actions.map(|action| reading.mixed.of(&reading.said, action));
        each.collect()
    }

    /// Reads on in a segment that is open, of which the first `read` behaviours taught this much; learns nothing. Those cost no more than to be
    /// stepped over.
    pub fn read_on(
        &self,
        words: &Vocabulary<'_>,
        pooled: &Pooled,
        segment: &Segment,
        read: usize,
        taught: Contribution,
    ) -> ReadOn {
        let place = (segment.start(), self.place_of(segment));
        let mut reading = Reading::new(self, words, pooled, place, true);
        let (known, new) = segment.moments.split_at(read);
        reading.contribution = taught;
        known.iter().for_each(|moment| reading.passed(moment));
        let steps = (read..).zip(new);
        let steps = steps.map(|(n, moment)| reading.step(&segment.moments[..n], moment));
        let steps = steps.collect();
        reading.ask(&segment.moments);
        ReadOn {
            steps,
            next: reading.mixed.best(&reading.said),
            contribution: reading.contribution,
        }
    }

    fn judge_by(
        &self,
        words: &Vocabulary<'_>,
        pooled: &Pooled,
        segment: &Segment,
        imagined: bool,
    ) -> Judged {
        let place = (segment.start(), self.place_of(segment));
        let mut reading = Reading::new(self, words, pooled, place, imagined);
        let moments = &segment.moments;
        let mut steps = Vec::with_capacity(moments.len());
        for (n, moment) in moments.iter().enumerate() {
            steps.push(reading.step(&moments[..n], moment));
        }
        Judged {
            steps,
            contribution: reading.contribution,
            context: reading.context,
        }
    }

    /// Learns a segment that was judged. It goes to its place by event time (but never before one that is final).
    pub fn learn(&mut self, _words: &Vocabulary<'_>, segment: &Segment, judged: &Judged) {
        if segment.moments.is_empty() {
            return;
        }
        let (Ok(at) | Err(at)) = self.history.find(segment);
        let at = at.max(self.settled);
        self.history.insert(at, segment);
        self.behaviors += segment.moments.len() as i64;
        let open = Open {
            contribution: judged.contribution,
            context: judged.context,
        };
        self.open.insert(at - self.settled, open);
        self.learnt.add(&judged.contribution);
    }

    /// Takes back what learning the segment did. Whether it was there, and not final.
    pub fn retract(&mut self, _words: &Vocabulary<'_>, segment: &Segment) -> bool {
        let Some((at, open)) = self.find_open(segment) else {
            return false;
        };
        self.learnt.subtract(&open.contribution);
        self.open.remove(at - self.settled);
        self.history.remove(at);
        self.behaviors -= segment.moments.len() as i64;
        true
    }

    /// The context in which a segment was learnt, or, where it was not, would be.
    pub fn context_of(&self, segment: &Segment) -> Context {
        let known = self.find_open(segment).map(|(_, open)| open.context);
        known.unwrap_or_else(|| {
            let begun = self.regime.filter(|(begun, _)| *begun <= segment.start());
            begun.map(|(_, context)| context).unwrap_or_default()
        })
    }

    /// The segments whose next one starts before are final (into the last one, an action that closes may still come): what they
    /// add to the weights is only in the sum, and the oldest of them go where they hold too many behaviours.
    pub fn settle(&mut self, before: Time) {
        while self
            .history
            .start(self.settled + 1)
            .is_some_and(|next| next < before)
        {
            self.open.pop_front();
            self.settled += 1;
        }
        let end = self.history.first(self.settled);
        let fits = |segment: &usize| end - self.history.first(*segment) <= KEPT;
        let dropped = (0..self.settled).find(fits).unwrap_or(self.settled);
        if dropped > 0 {
            self.history.drop_front(dropped);
            self.settled -= dropped;
        }
    }

    /// A regime begins, in a context. What was imagined for the one before goes.
    pub fn shift(&mut self, at: Time, context: Context) {
        if self.regime.is_none_or(|(begun, _)| begun <= at) {
            self.regime = Some((at, context));
            self.imagined = Timeline::default();
        }
    }

    /// What the current regime is imagined to be like, instead of what was imagined before.
    pub fn imagine(&mut self, sequences: &[Sequence]) {
        let mut room = IMAGINED;
        let fitting = sequences.iter().take_while(|sequence| {
            let fits = sequence.0.len() <= room;
            room = room.saturating_sub(sequence.0.len());
            fits
        });
        self.imagined = Timeline::imagined(fitting);
    }

    /// Takes over what other habits of this home imagine, if they are of the same regime. Whether they are.
    pub fn imagine_as(&mut self, other: &Habits) -> bool {
        let same = self.regime == other.regime;
        if same {
            self.imagined = other.imagined.clone();
        }
        same
    }

    /// Bytes that they take beside themselves.
    pub(crate) fn bytes(&self) -> usize {
        let open = size_of::<Open>() * self.open.capacity();
        self.history.bytes() + self.imagined.bytes() + open
    }

    /// How many behaviours are kept.
    pub fn behaviors(&self) -> usize {
        self.history.places().len()
    }

    /// How many behaviours were learnt, also those that were dropped since.
    pub fn learnt_behaviors(&self) -> i64 {
        self.behaviors
    }

    /// What is kept of what the home did, in its order: action, hour of the day, and whether a segment begins there.
    pub fn kept(&self) -> impl Iterator<Item = (ActionId, u16, bool)> {
        let places = self.history.places();
        let all = (0..places.len()).map(|place| places.get(place));
        all.map(|place| (place.action, place.clock.hour(), place.depth == 0))
    }

    /// The sum of all contributions.
    #[cfg(test)]
    pub(super) fn learnt(&self) -> &Contribution {
        &self.learnt
    }

    /// The place where a segment begins, or would.
    fn place_of(&self, segment: &Segment) -> usize {
        let (Ok(at) | Err(at)) = self.history.find(segment);
        self.history.first(at)
    }

    fn find_open(&self, segment: &Segment) -> Option<(usize, Open)> {
        let at = self.history.find(segment).ok()?;
        let open = self.open.get(at.checked_sub(self.settled)?)?;
        Some((at, *open))
    }
}

/// A segment that is read behaviour by behaviour: what is expected, then what happens.
struct Reading<'a> {
    habits: &'a Habits,
    words: &'a Vocabulary<'a>,
    pooled: &'a Pooled,
    /// Whether what was imagined speaks.
    imagined: bool,
    context: Context,
    age: usize,
    first_of_regime: usize,
    clock: Option<Clock>,
    others: f32,
    devices: Devices<'a>,
    said: Said,
    mixed: Mixed,
    /// The same as if nothing had been imagined; whether that differs.
    unimagined: (Mixed, bool),
    contribution: Contribution,
}

impl<'a> Reading<'a> {
    /// Of a segment that starts at a time and place.
    fn new(
        habits: &'a Habits,
        words: &'a Vocabulary<'a>,
        pooled: &'a Pooled,
        (start, at): (Time, usize),
        imagined: bool,
    ) -> Self {
        let regime = habits.regime.filter(|(begun, _)| *begun <= start);
        let places = habits.history.places();
        Reading {
            habits,
            words,
            pooled,
            imagined: imagined && regime.is_some(),
            context: regime.map(|(_, context)| context).unwrap_or_default(),
            age: mixing::age(regime.map(|(begun, _)| begun), start),
            // Of a regime that has not begun there is no place.
            first_of_regime: regime.map_or(usize::MAX, |(begun, _)| {
                habits.history.first(habits.history.before(begun))
            }),
            clock: at.checked_sub(1).map(|last| places.get(last).clock),
            others: pooled.of_others(habits.behaviors),
            devices: Devices::new(pooled, *words, places, at),
            said: Said::new(words.actions()),
            mixed: Mixed::default(),
            unimagined: Default::default(),
            contribution: Contribution::default(),
        }
    }

    /// Asks everybody what comes after these behaviours of the segment.
    fn ask(&mut self, moments: &[Moment]) {
        let before = Before {
            moments,
            clock: self.clock,
        };
        let said = &mut self.said;
        said.clear();
        experts::ask_home(&self.habits.history, &before, self.first_of_regime, said);
        if 1.0 - self.others > ALONE {
            experts::ask_lone(&self.habits.history, &before, said);
        }
        experts::ask_cohort(self.pooled, self.words, &before, self.context, said);
        if self.imagined {
            experts::ask_imagined(&self.habits.imagined, &before, said);
        }
        said.conclude(|action| self.devices.say(action));
        let class = Class {
            first: moments.is_empty(),
            age: self.age,
            others: self.others,
        };
        // What a long segment teaches counts within it, too.
        let mut learnt = self.habits.learnt;
        learnt.add(&self.contribution);
        let weights = mixing::weights(said.totals(), class, &learnt);
        self.mixed.mix(said, &weights);
        let without = mixing::unimagined(&weights);
        self.unimagined.1 = without.is_some();
        if let Some(without) = without {
            self.unimagined.0.mix(said, &without);
        }
    }

    /// What they say of a behaviour, which then happens, seen those of the segment before it.
    fn step(&mut self, before: &[Moment], moment: &Moment) -> Step {
        self.ask(before);
        let step = Step {
            surprisal: -self.mixed.of(&self.said, moment.action).ln(),
            predictions: self.mixed.best(&self.said),
        };
        self.happened(moment);
        step
    }

    /// What they were asked about happens.
    fn happened(&mut self, moment: &Moment) {
        let (mixed, differs) = &self.unimagined;
        let (without, learnt) = (differs.then_some(mixed), &mut self.contribution);
        self.mixed.learn(without, &self.said, moment.action, learnt);
        self.passed(moment);
    }

    /// A behaviour has happened, about which nobody is asked.
    fn passed(&mut self, moment: &Moment) {
        self.devices.happened(moment.action);
        self.clock = Some(Clock::of(moment));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::habits::PooledChanges;
    use crate::words::{Action, Catalog, Catalogs, Device, HomeId};

    fn segment(start: i64, actions: &[u16]) -> Segment {
        let moment = |(n, action): (i64, &u16)| Moment {
            time: Time(start * Time::HOUR + n * Time::SECOND),
            action: ActionId(*action),
            offset: 60,
        };
        Segment {
            home: HomeId(0),
            moments: (0..).zip(actions).map(moment).collect(),
        }
    }

    #[test]
    fn learns_what_comes_after_what_and_takes_it_back() {
        let actions = ["on", "off", "dim"].map(Action::new);
        let catalog = Catalog::new(vec![Device::new("Lamp", actions.into())]).unwrap();
        let catalogs = Catalogs::shared(Arc::new(catalog));
        let words = Vocabulary::new(&catalogs, HomeId(0));
        let (mut habits, mut pooled) = (Habits::default(), Pooled::default());
        let first = habits.judge(&words, &pooled, &segment(0, &[2, 0]));
        assert_eq!(first.steps[1].predictions[0].0, ActionId(0), "ties by id");
        for start in 0..3 {
            let before = habits.clone();
            let segment = segment(start, &[2, 1, 2, 0]);
            let judged = habits.judge(&words, &pooled, &segment);
            habits.learn(&words, &segment, &judged);
            let learnt = habits.clone();
            assert!(habits.retract(&words, &segment));
            assert!(!habits.retract(&words, &segment));
            assert_eq!(habits, before);
            habits = learnt;
        }
        let judged = habits.judge(&words, &pooled, &segment(9, &[2, 1]));
        assert_eq!(judged.steps[0].predictions[0].0, ActionId(2));
        assert!(judged.steps[0].surprisal < first.steps[0].surprisal);

        let mut changes = PooledChanges::default();
        for _ in 0..5 {
            changes.add(&words, &segment(0, &[0, 1]), Context::default(), 1);
        }
        pooled.apply(&changes);
        let helped = habits.judge(&words, &pooled, &segment(9, &[0, 1]));
        let alone = habits.judge(&words, &Pooled::default(), &segment(9, &[0, 1]));
        assert!(helped.steps[1].surprisal < alone.steps[1].surprisal);
        for _ in 0..5 {
            changes.add(&words, &segment(0, &[0, 1]), Context::default(), -1);
        }
        changes.consolidate();
        assert!(changes.is_empty());
    }
}
