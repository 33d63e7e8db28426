//! The habits of one home.

use serde::{Deserialize, Serialize};

use super::mixing::{Contribution, EXPERTS, mix};
use super::pooled::Situation;
use super::{Pooled, Vocabulary};
use crate::words::{ActionId, Moment, Segment, Sequence, Time};

/// How many predictions a step has.
const BEST: usize = 5;
/// Behaviours that are kept of segments that are final.
const KEPT: usize = 1 << 14;

/// What a home's habits say of one behaviour, seen what came before it: nothing of the behaviour itself is given, not even
/// its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// -ln q of what happened.
    pub surprisal: f32,
    /// The most probable actions, best first, ties by action id.
    pub predictions: Vec<(ActionId, f32)>,
}

/// What a home's habits say of a segment, and what they learn from having said it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// By behaviour.
    pub steps: Vec<Step>,
    /// What the segment will add to the weights of the home's experts.
    pub contribution: Contribution,
}

/// A segment that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    moments: Vec<Moment>,
    /// Zero once the segment is final.
    contribution: Contribution,
}

impl Known {
    fn start(&self) -> Time {
        self.moments[0].time
    }

    fn end(&self) -> Time {
        self.moments[self.moments.len() - 1].time
    }
}

/// A home's model: its history, what was imagined for it, and what its experts have earned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Habits {
    /// In order of start and moments.
    segments: Vec<Known>,
    /// Of segments that are final.
    settled: usize,
    /// When the current regime began.
    regime: Option<Time>,
    imagined: Vec<Sequence>,
    /// The sum of all contributions, also of segments that were dropped since.
    learnt: Contribution,
}

impl Habits {
    /// Judges a segment by what is known; learns nothing.
    pub fn judge(&self, words: &Vocabulary<'_>, pooled: &Pooled, segment: &Segment) -> Judged {
        let mut contribution = Contribution::default();
        let weights = self.learnt.weights();
        let actions = segment.moments.iter().map(|moment| moment.action);
        let mut last = None;
        let steps = actions.map(|action| {
            let said = self.say(words, pooled, last);
            let mixed = mix(&weights, &said);
            let happened = usize::from(action.0);
            let advantage = said.map(|said| {
                let expected: f32 = mixed.iter().zip(&said).map(|(q, said)| q * said).sum();
                said[happened] - expected
            });
            contribution.step(&advantage);
            last = Some(action);
            Step {
                surprisal: -mixed[happened].ln(),
                predictions: best(&mixed),
            }
        });
        let steps = steps.collect();
        Judged {
            steps,
            contribution,
        }
    }

    /// Learns a segment that was judged. It goes to its place by event time.
    pub fn learn(&mut self, _words: &Vocabulary<'_>, segment: &Segment, judged: &Judged) {
        let key = (segment.start(), &segment.moments);
        let place = self
            .segments
            .partition_point(|known| (known.start(), &known.moments) < key);
        let known = Known {
            moments: segment.moments.clone(),
            contribution: judged.contribution,
        };
        self.learnt.add(&known.contribution, 1);
        self.segments.insert(place, known);
    }

    /// Takes back what learning the segment did. Whether it was there (and not final).
    pub fn retract(&mut self, _words: &Vocabulary<'_>, segment: &Segment) -> bool {
        let open = self.settled..;
        let same = |known: &Known| known.moments == segment.moments;
        let Some(place) = self.segments[open].iter().rposition(same) else {
            return false;
        };
        let known = self.segments.remove(self.settled + place);
        self.learnt.add(&known.contribution, -1);
        true
    }

    /// The segments that end before are final: what they add to the weights is only in the sum, and the oldest of them go
    /// where there are too many.
    pub fn settle(&mut self, before: Time) {
        while let Some(known) = self.segments.get_mut(self.settled) {
            if known.end() >= before {
                break;
            }
            known.contribution = Contribution::default();
            self.settled += 1;
        }
        let (mut kept, mut dropped) = (0, self.settled);
        while dropped > 0 {
            kept += self.segments[dropped - 1].moments.len();
            if kept > KEPT {
                break;
            }
            dropped -= 1;
        }
        self.segments.drain(..dropped);
        self.settled -= dropped;
    }

    /// A regime begins. What was imagined for the one before goes.
    pub fn shift(&mut self, at: Time) {
        self.regime = self.regime.max(Some(at));
        self.imagined.clear();
    }

    /// What the current regime is imagined to be like, instead of what was imagined before.
    pub fn imagine(&mut self, sequences: &[Sequence]) {
        self.imagined = sequences.to_vec();
    }

    /// What each expert says, as logarithms by action: the home after that action, what was imagined, the cohort.
    fn say(
        &self,
        words: &Vocabulary<'_>,
        pooled: &Pooled,
        last: Option<ActionId>,
    ) -> [Vec<f32>; EXPERTS] {
        let mut counts = [(); EXPERTS].map(|()| vec![0.0; words.actions()]);
        let [home, imagined, cohort] = &mut counts;
        for known in &self.segments {
            count_after(last, known.moments.iter().map(|m| m.action), home);
        }
        for sequence in &self.imagined {
            count_after(last, sequence.0.iter().map(|q| q.action), imagined);
        }
        let situation = Situation::after(last.map(|action| words.to_cohort(action)));
        for (action, count) in pooled.of(situation) {
            if let Some(own) = words.from_cohort(action) {
                cohort[usize::from(own.0)] += count as f32;
            }
        }
        counts.map(smoothed)
    }
}

/// Counts what came after `last` (none: what came first).
fn count_after(
    last: Option<ActionId>,
    actions: impl Iterator<Item = ActionId>,
    counts: &mut [f32],
) {
    let mut before = None;
    for action in actions {
        if before == last {
            counts[usize::from(action.0)] += 1.0;
        }
        before = Some(action);
    }
}

/// Logarithms of (n(x) + k/V) / (N + k) with k the number of different x.
fn smoothed(mut counts: Vec<f32>) -> Vec<f32> {
    let total: f32 = counts.iter().sum();
    let different = counts.iter().filter(|n| **n > 0.0).count().max(1) as f32;
    let actions = counts.len() as f32;
    for n in &mut counts {
        *n = ((*n + different / actions) / (total + different)).ln();
    }
    counts
}

/// The most probable actions.
fn best(mixed: &[f32]) -> Vec<(ActionId, f32)> {
    let mut all: Vec<_> = (0..).map(ActionId).zip(mixed.iter().copied()).collect();
    all.sort_by(|(a, p), (b, q)| q.total_cmp(p).then(a.cmp(b)));
    all.truncate(BEST);
    all
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
        changes.add(&words, &segment(0, &[0, 1]), 1);
        pooled.apply(&changes, 1);
        let helped = habits.judge(&words, &pooled, &segment(9, &[0, 1]));
        let alone = habits.judge(&words, &Pooled::default(), &segment(9, &[0, 1]));
        assert!(helped.steps[1].surprisal < alone.steps[1].surprisal);
        changes.add(&words, &segment(0, &[0, 1]), -1);
        changes.consolidate();
        assert!(changes.is_empty());
    }
}
