//! Who has something to do, in which order, and under what it leaves.

use std::collections::{BTreeMap, BTreeSet, btree_map};

use timely::dataflow::operators::{Capability, InputCapability};

use super::home::{Due, Said, Turn};
use super::pools::Pools;
use super::{Arrived, Maintenance, ModelsState, ReadingState};
use crate::detect::{Looked, Maintained};
use crate::habits::Vocabulary;
use crate::words::{Epoch, HomeId, Scores, ShiftKey};

/// Under what the results of a turn leave.
#[derive(Clone)]
pub struct Leave {
    /// None for what an ended regime teaches.
    pub scores: Option<Capability<Epoch>>,
    pub adjustments: Capability<Epoch>,
}

impl Leave {
    /// That of an epoch's segments.
    pub fn of(mut capabilities: Vec<Capability<Epoch>>) -> Option<Self> {
        let adjustments = capabilities.pop()?;
        let scores = capabilities.pop();
        Some(Leave {
            scores,
            adjustments,
        })
    }

    /// That of what an ended regime teaches: no score comes of it, so none is held back by what its home does not wait for.
    pub fn of_lesson(capability: &InputCapability<Epoch>) -> Option<Self> {
        let epoch = capability.least()?;
        Some(Leave {
            scores: None,
            adjustments: capability.delayed(epoch, 1),
        })
    }

    /// That of a turn which waited, in an operator that was built with these.
    fn restored(initial: &[Capability<Epoch>], turn: Turn) -> Option<Self> {
        let at = initial.iter().map(|c| c.delayed(&turn.epoch)).collect();
        let leave = Leave::of(at)?;
        Some(match turn.regime {
            None => leave,
            Some(_) => Leave {
                scores: None,
                ..leave
            },
        })
    }

    pub fn epoch(&self) -> Epoch {
        *self.adjustments.time()
    }
}

/// A complete epoch that is taken in, some homes at a time: all of them may have something to do in it.
pub struct Taking {
    leave: Leave,
    homes: btree_map::IntoIter<HomeId, Due>,
    looked: Vec<Looked>,
    /// Homes that are learnt anew.
    anew: BTreeSet<HomeId>,
}

impl Taking {
    pub fn new(arrived: Arrived, leave: Leave) -> Self {
        let mut by_home: BTreeMap<HomeId, Vec<Maintained>> = BTreeMap::new();
        for update in arrived.updates {
            let own = by_home.entry(update.placed.key.home).or_default();
            own.push(update);
        }
        let standing = arrived.standing.into_iter();
        let anew = standing.map(|standing| {
            let own = by_home.remove(&standing.home).unwrap_or_default();
            (standing.home, Due::Anew(own, standing))
        });
        let mut homes: BTreeMap<HomeId, Due> = anew.collect();
        let anew = homes.keys().copied().collect();
        homes.extend(
            by_home
                .into_iter()
                .map(|(home, own)| (home, Due::Batch(own))),
        );
        Taking {
            leave,
            homes: homes.into_iter(),
            looked: arrived.looked,
            anew,
        }
    }

    pub fn epoch(&self) -> Epoch {
        self.leave.epoch()
    }

    /// What is left of it, as it arrived.
    pub fn left(self) -> Arrived {
        let mut left = Arrived {
            looked: self.looked,
            ..Arrived::default()
        };
        for (_, due) in self.homes {
            match due {
                Due::Batch(updates) => left.updates.extend(updates),
                Due::Anew(updates, standing) => {
                    left.updates.extend(updates);
                    left.standing.push(standing);
                }
                Due::Lesson(_) | Due::Nothing => {}
            }
        }
        left
    }
}

/// Who has something to do, in the order in which it can be done.
#[derive(Default)]
pub struct Queue {
    /// Of everything that waits.
    leaves: BTreeMap<(HomeId, Turn), Leave>,
    /// Each home's next turn, unless it waits for an answer.
    next: BTreeSet<(Turn, HomeId)>,
    /// The first turns of homes that wait for an answer.
    blocked: BTreeSet<(Turn, HomeId)>,
    /// The epoch of what was done last.
    at: Epoch,
    /// About how many turns can be done that are earlier.
    behind: usize,
}

impl Queue {
    /// One turn of a home that is behind is worth moving the pooled counts by so many changes: that is a tenth of what it costs
    /// to judge and learn a segment.
    const WORTH: usize = 128;

    /// What waited when the state was taken out waits again.
    pub fn restored(state: &ModelsState, scores: Scores, initial: &[Capability<Epoch>]) -> Self {
        let mut queue = Queue {
            at: state.pools.reached(),
            ..Queue::default()
        };
        for (home, models) in state.homes.open() {
            if let Some(turn) = models.next() {
                if scores == Scores::Aligned && models.waits_for_answer(turn) {
                    queue.blocked.insert((turn, home));
                } else {
                    queue.next.insert((turn, home));
                    let earlier = models.turns().filter(|turn| turn.epoch < queue.at);
                    queue.behind += earlier.count();
                }
            }
            for turn in models.turns() {
                let leave = Leave::restored(initial, turn);
                queue
                    .leaves
                    .extend(leave.map(|leave| ((home, turn), leave)));
            }
        }
        queue
    }

    fn put(&mut self, state: &mut ModelsState, home: HomeId, turn: Turn, due: Due, leave: Leave) {
        let models = state.of(home);
        let before = models.next();
        models.put(turn, due);
        self.leaves.insert((home, turn), leave);
        self.behind += usize::from(turn.epoch < self.at);
        if before.is_none_or(|before| turn < before) {
            if let Some(before) = before {
                self.next.remove(&(before, home));
                if self.blocked.remove(&(before, home)) {
                    let first = (home, before);
                    let own = self
                        .leaves
                        .range(first..)
                        .take_while(|(at, _)| at.0 == home);
                    self.behind += own.count();
                }
            }
            self.next.insert((turn, home));
        }
    }

    /// Takes in what a regime that ended teaches: an answer, or nothing.
    pub fn answer(&mut self, state: &mut ModelsState, key: ShiftKey, due: Due, leave: Leave) {
        let turn = Turn {
            epoch: leave.epoch(),
            regime: Some(key.regime),
        };
        self.put(state, key.home, turn, due, leave);
    }

    /// What is to be done next of what is due before `until`, if anything, without going back.
    fn ahead(&self, until: Turn) -> Option<(Turn, HomeId)> {
        let here = Turn {
            epoch: self.at,
            regime: None,
        };
        let ahead = self.next.range((here, HomeId(0))..).next().copied();
        ahead.filter(|(turn, _)| *turn < until)
    }

    /// Who is behind: homes wait for answers while others go on, and answers may come one by one, so they are gone back to when there
    /// are enough of them to be worth it, or no more to wait for.
    fn behind(&mut self, pools: &Pools, until: Turn) -> Option<(Turn, HomeId)> {
        let first = *self.next.first()?;
        let worth = self.behind.saturating_mul(Self::WORTH);
        if first.0 >= until || !self.blocked.is_empty() && worth < pools.distance(first.0.epoch) {
            return None;
        }
        self.behind = 0;
        Some(first)
    }

    /// Does what can be done next, if anything, of what is due before `until`; where nothing is ahead, of what is behind if one is to
    /// go `back`.
    fn go_on(
        &mut self,
        state: &mut ModelsState,
        maintenance: &Maintenance,
        until: Turn,
        back: bool,
    ) -> Option<(Leave, Said)> {
        loop {
            let ahead = self.ahead(until);
            let (turn, home) = match ahead {
                None if back => self.behind(&state.pools, until)?,
                ahead => ahead?,
            };
            self.at = turn.epoch;
            self.next.remove(&(turn, home));
            let waits = maintenance.scores == Scores::Aligned;
            if waits && state.of(home).waits_for_answer(turn) {
                self.blocked.insert((turn, home));
                continue;
            }
            let Some(leave) = self.leaves.remove(&(home, turn)) else {
                continue;
            };
            let catalogs = &maintenance.catalogs;
            let words = Vocabulary::new(catalogs, home);
            let ModelsState { homes, pools, .. } = state;
            let models = homes.of(home);
            let cohort = catalogs.cohort_of(home);
            let said = models.go_on(&words, |epoch| pools.before(epoch, cohort), maintenance);
            self.next.extend(models.next().map(|turn| (turn, home)));
            homes.pause();
            return Some((leave, said));
        }
    }

    /// Does what is due before `complete`, the first epoch of which not all is known, until `tell` has enough. Whether that was all.
    pub fn work(
        &mut self,
        state: &mut ModelsState,
        maintenance: &Maintenance,
        complete: Epoch,
        tell: &mut impl FnMut((Leave, Said)) -> bool,
    ) -> bool {
        let until = Turn {
            epoch: complete,
            regime: None,
        };
        while let Some(said) = self.go_on(state, maintenance, until, true) {
            if tell(said) {
                return false;
            }
        }
        true
    }

    /// Takes in more homes of a complete epoch, and does what is due of it, until `tell` has enough. Whether that was the last of it.
    ///
    /// What is new of open segments in it is predicted once all that was due until then is done.
    pub fn take_in(
        &mut self,
        (state, readings): (&mut ModelsState, &mut ReadingState),
        taking: &mut Taking,
        maintenance: &Maintenance,
        tell: &mut impl FnMut((Leave, Said)) -> bool,
    ) -> bool {
        let epoch = taking.epoch();
        let turn = Turn {
            epoch,
            regime: None,
        };
        // What the regimes teach that ended in it comes behind the segments of all.
        let until = Turn {
            epoch,
            regime: Some(0),
        };
        let mut enough = false;
        while taking.homes.len() > 0 && (!enough || !taking.looked.is_empty()) {
            for (home, due) in taking.homes.by_ref().take(maintenance.portion.max(1)) {
                self.put(state, home, turn, due, taking.leave.clone());
            }
            while let Some(said) = self.go_on(state, maintenance, until, false) {
                enough |= tell(said);
            }
        }
        if taking.homes.len() > 0 || taking.looked.is_empty() {
            return taking.homes.len() == 0;
        }
        while !self.work(state, maintenance, epoch + 1, tell) {}
        let scores = state.look(readings, epoch, &taking.looked, &taking.anew, maintenance);
        let said = Said {
            scores,
            ..Said::default()
        };
        tell((taking.leave.clone(), said));
        true
    }

    /// The earliest epoch of which anybody may still ask for the pooled counts: where somebody waits, or the first that is not
    /// complete (answers come earlier than the segments of their epoch).
    pub fn earliest(&self, complete: Epoch) -> Epoch {
        let first =
            [&self.next, &self.blocked].map(|turns| turns.first().map(|(turn, _)| turn.epoch));
        first.into_iter().flatten().fold(complete, Epoch::min)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::habits::Context;
    use crate::models::tests::lamp;
    use crate::pooling::CohortChanges;
    use crate::words::{ActionId, Moment, Segment, Time};

    #[test]
    fn who_is_behind_is_gone_back_to_together() {
        let mut pools = Pools::default();
        let catalogs = lamp();
        let (home, cohort) = (HomeId(0), catalogs.cohort_of(HomeId(0)));
        let moments = (0..200).map(|i| Moment {
            time: Time(i * Time::HOUR),
            action: ActionId((i % 2) as u16),
            offset: 0,
        });
        let moments = moments.collect();
        let segment = Segment { home, moments };
        let mut changes = CohortChanges::default();
        let words = Vocabulary::new(&catalogs, home);
        changes
            .predictor
            .add(&words, &segment, Context::default(), 1);
        let many = changes.predictor.len();
        pools.change(5, cohort, Arc::new(changes));
        pools.before(9, cohort);
        let at = |epoch, home| {
            let regime = None;
            (Turn { epoch, regime }, HomeId(home))
        };
        let mut queue = Queue {
            next: [at(2, 1), at(9, 2)].into(),
            blocked: [at(1, 3)].into(),
            at: 9,
            behind: 1,
            ..Queue::default()
        };
        let until = at(10, 0).0;
        let first = |queue: &mut Queue| {
            let ahead = queue.ahead(until);
            ahead.or_else(|| queue.behind(&pools, until))
        };
        assert!(many > Queue::WORTH, "{many}");
        assert_eq!(first(&mut queue), Some(at(9, 2)));
        queue.next.remove(&at(9, 2));
        assert_eq!(first(&mut queue), None, "one is not worth it");
        assert_eq!(queue.earliest(10), 1);
        queue.behind = many.div_ceil(Queue::WORTH);
        assert_eq!(first(&mut queue), Some(at(2, 1)), "many are");
        (queue.at, queue.behind) = (9, 0);
        queue.blocked.clear();
        assert_eq!(first(&mut queue), Some(at(2, 1)), "nobody is waited for");
    }
}
