//! A home's models as a view: each segment is judged by what was known before it, then learnt; what goes is taken back.

mod home;
mod pools;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{Capability, InputCapability};
use timely::progress::Antichain;

use crate::detect::{Looked, Maintained};
use crate::habits::{Pooled, Vocabulary};
use crate::pooling::CohortChanges;
use crate::shift::Standing;
use crate::state::{
    Buffered, EpochBuffer, Held, Shelf, Stateful, Visit, each_epoch, first_open, give,
};
use crate::words::{
    Adjustment, Catalogs, CohortId, Epoch, Filtered, HomeId, Score, Scores, ShiftKey,
};
pub(crate) use home::{Due, HomeModels, Turn};
use home::{Lesson, Said};
use pools::Pools;
pub use reading::ReadingState;

/// How models are maintained.
#[derive(Clone)]
pub struct Maintenance {
    /// How homes speak, and of which cohort they are.
    pub catalogs: Arc<Catalogs>,
    /// How far behind its newest behaviour a home may still change, in µs of event time.
    pub lateness: i64,
    /// Segments after which what was imagined for a new regime is kept or dropped.
    pub trial: u32,
    /// When what happens is scored.
    pub scores: Scores,
    /// Bytes that homes take at most on all workers together while they are not packed.
    pub memory: usize,
}

/// The streams that [`Models::models`] maintains.
pub struct ModelStreams<'s> {
    /// A score per behaviour of each segment that came; a revised segment is scored again.
    pub scores: StreamVec<'s, Epoch, Score>,
    /// What answers did to models.
    pub adjustments: StreamVec<'s, Epoch, Adjustment>,
}

/// What homes are to be taught, and by whom it is awaited.
pub struct Lessons<'s> {
    /// Regimes that have ended: their homes are to know what was imagined for the next, unless they ask for nothing.
    pub awaited: StreamVec<'s, Epoch, ShiftKey>,
    /// Those that ask for nothing.
    pub unasked: StreamVec<'s, Epoch, ShiftKey>,
    /// Answers to the requests of the others.
    pub filtered: StreamVec<'s, Epoch, Filtered>,
}

/// Maintains models.
pub trait Models<'s> {
    /// Maintains each home's models ([`habits`](crate::habits)) of its segments, labelled with their regimes, and predicts each
    /// segment that comes before it is learnt; scores have what its detector said of it ([`Detect`](crate::detect::Detect)) as
    /// well.
    ///
    /// A segment of epoch `e` is judged by what follows from its home's segments before it, from the cohort's `pooled`
    /// counts (broadcast) of epochs before `e`, and from the answers to the requests of its own home's regimes that ended in
    /// epochs before `e` (aligned): a home waits for its own `lessons` alone, also while nobody can ask for any yet, and the
    /// result does not depend on how long they take.
    ///
    /// What was imagined for a regime is on trial in its first [`Maintenance::trial`] segments: where they would have been
    /// likelier without it, it is dropped.
    ///
    /// With [`Scores::Eager`] no home waits: an answer counts from when it comes (so results depend on when that is), unless the
    /// regime that it is for has ended by then. What is new of segments that are open (`looked`) is predicted in the epoch in
    /// which it comes, by the home's closed segments, in the regime of the newest of these, and by what its behaviours before it
    /// taught; and what comes next after it. Nothing of it is learnt before the segment is closed, when it is scored as if nobody
    /// had looked. Costs what is new costs, and steps over what was read; where something comes within that, it is read anew.
    /// State per home: how far it is read, and what that taught.
    ///
    /// A home of which something was erased comes in `standing`, and its habits are learnt anew from that, as
    /// [`Detect`](crate::detect::Detect) says.
    ///
    /// State per home: its habits, five bytes a behaviour, packed some two; what waits. Per worker: the pooled counts of all
    /// cohorts, and how they changed since the earliest epoch in which a home waits. Cost per behaviour: that of its habits.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use hearth_operators::detect::{Detected, Maintained};
    /// use hearth_operators::models::*;
    /// use hearth_operators::shift::Placed;
    /// use hearth_operators::state::Held;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{Input, capture::{Capture, Extract}, vec::Map};
    ///
    /// let actions = ["on", "off"].map(Action::new).to_vec();
    /// let catalog = Arc::new(Catalog::new(vec![Device::new("Lamp", actions)]).unwrap());
    /// let maintenance = Maintenance { catalogs: Catalogs::shared(catalog), lateness: Time::DAY, trial: 7, scores: Scores::Aligned, memory: 1 << 20 };
    /// let scores = timely::execute_directly(move |worker| {
    ///     let (mut segments, scores) = worker.dataflow(|scope| {
    ///         let (input, segments) = scope.new_input::<Vec<_>>();
    ///         let (_, standing) = scope.new_input::<Vec<_>>();
    ///         let (_, looked) = scope.new_input::<Vec<_>>();
    ///         let (_, pooled) = scope.new_input::<Vec<_>>();
    ///         let (_, awaited) = scope.new_input::<Vec<_>>();
    ///         let (_, unasked) = scope.new_input::<Vec<_>>();
    ///         let (_, filtered) = scope.new_input::<Vec<_>>();
    ///         let lessons = Lessons { awaited, unasked, filtered };
    ///         let models = segments.models((standing, looked), pooled, lessons, maintenance, Default::default());
    ///         (input, models.scores.map(|score| score.predictions[0].0).capture())
    ///     });
    ///     for day in 0..9 {
    ///         let moment = |(at, action)| Moment { time: Time(day * Time::DAY + at), action: ActionId(action), offset: 0 };
    ///         let moments = [(0, 0), (9, 1)].map(moment).to_vec();
    ///         let key = ShiftKey { home: HomeId(0), regime: 0 };
    ///         let detected = Some(Arc::new(Detected { scores: vec![1.0, 1.0], threshold: None }));
    ///         let segment = Arc::new(Segment { home: HomeId(0), moments });
    ///         let placed = Placed { key, began: None, segment, diff: 1 };
    ///         segments.send(Maintained { placed, detected });
    ///         segments.advance_to(day as u64 + 1);
    ///     }
    ///     scores
    /// });
    /// let last = scores.extract().pop().unwrap();
    /// // That the lamp is switched off after it was switched on is expected by now.
    /// assert_eq!(last, (8, vec![ActionId(0), ActionId(1)]));
    /// ```
    fn models(
        self,
        standing_looked: (
            StreamVec<'s, Epoch, Arc<Standing>>,
            StreamVec<'s, Epoch, Looked>,
        ),
        pooled: StreamVec<'s, Epoch, (CohortId, Arc<CohortChanges>)>,
        lessons: Lessons<'s>,
        maintenance: Maintenance,
        state: (Held<ModelsState>, Held<ReadingState>),
    ) -> ModelStreams<'s>;
}

/// What maintaining models holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ModelsState {
    homes: Shelf<HomeModels>,
    pools: Pools,
    /// Updates of epochs that are still open.
    open: Buffered<Arrived>,
}

/// What arrives in an epoch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Arrived {
    updates: Vec<Maintained>,
    standing: Vec<Arc<Standing>>,
    /// Kept with how far segments are read.
    #[serde(skip)]
    looked: Vec<Looked>,
}

impl Arrived {
    fn merge(&mut self, other: Self) {
        self.updates.extend(other.updates);
        self.standing.extend(other.standing);
        self.looked.extend(other.looked);
    }
}

impl Stateful for ModelsState {
    fn visit(&mut self, operator: &'static str, visitor: &mut impl Visit) {
        visitor.in_pieces(operator, self, |state| state.homes.by_home());
    }
}

impl ModelsState {
    /// The models of homes, and the counts of cohorts, once all of it is known.
    pub(crate) fn into_parts(
        mut self,
    ) -> (
        BTreeMap<HomeId, Box<HomeModels>>,
        BTreeMap<CohortId, Pooled>,
    ) {
        self.pools.settle(Epoch::MAX);
        (self.homes.into_all().collect(), self.pools.into_counts())
    }

    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        let workers = to.len();
        for worker in to.iter_mut() {
            worker.pools.merge(self.pools.clone());
        }
        for (epoch, arrived) in self.open {
            for update in arrived.updates {
                let worker = &mut to[update.placed.key.home.worker(workers)];
                let open = worker.open.entry(epoch).or_default();
                open.updates.push(update);
            }
            for standing in arrived.standing {
                let worker = &mut to[standing.home.worker(workers)];
                let open = worker.open.entry(epoch).or_default();
                open.standing.push(standing);
            }
        }
        self.homes
            .deal(to.iter_mut().map(|worker| &mut worker.homes));
    }

    fn of(&mut self, home: HomeId) -> &mut HomeModels {
        self.homes.of(home)
    }

    /// Predicts what is new of open segments, once all else of the epoch is done; of homes that are `anew` by counts that have
    /// nothing of what was erased.
    fn look(
        &mut self,
        readings: &mut ReadingState,
        epoch: Epoch,
        all: &[Looked],
        anew: &BTreeSet<HomeId>,
        maintenance: &Maintenance,
    ) -> Vec<Score> {
        let ModelsState { homes, pools, .. } = self;
        let blank = HomeModels::default();
        let catalogs = &maintenance.catalogs;
        let mut scores = Vec::new();
        for looked in all {
            let home = looked.open.home;
            let words = Vocabulary::new(catalogs, home);
            let counted = epoch + Epoch::from(anew.contains(&home));
            let pooled = pools.before(counted, catalogs.cohort_of(home));
            let models = homes.seen(home).unwrap_or(&blank);
            scores.extend(readings.look(home, models, &words, pooled, looked));
        }
        scores
    }
}

/// What waited in epochs that were open when the states were taken out.
fn restored(state: &mut ModelsState, readings: &mut ReadingState) -> Buffered<Arrived> {
    let mut open = std::mem::take(&mut state.open);
    for (epoch, looked) in std::mem::take(&mut readings.open) {
        open.entry(epoch).or_default().looked = looked;
    }
    open
}

/// Under what the results of a turn leave.
#[derive(Clone)]
struct Leave {
    /// None for what an ended regime teaches.
    scores: Option<Capability<Epoch>>,
    adjustments: Capability<Epoch>,
}

impl Leave {
    /// That of an epoch's segments.
    fn of(mut capabilities: Vec<Capability<Epoch>>) -> Option<Self> {
        let adjustments = capabilities.pop()?;
        let scores = capabilities.pop();
        Some(Leave {
            scores,
            adjustments,
        })
    }

    /// That of what an ended regime teaches: no score comes of it, so none is held back by what its home does not wait for.
    fn of_lesson(capability: &InputCapability<Epoch>) -> Option<Self> {
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

    fn epoch(&self) -> Epoch {
        *self.adjustments.time()
    }
}

/// Who has something to do, in the order in which it can be done.
#[derive(Default)]
struct Queue {
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
    fn restored(state: &ModelsState, scores: Scores, initial: &[Capability<Epoch>]) -> Self {
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

    /// Takes in a complete epoch's updates.
    fn add(&mut self, state: &mut ModelsState, arrived: Arrived, leave: &Leave) {
        let epoch = leave.epoch();
        let turn = Turn {
            epoch,
            regime: None,
        };
        let mut by_home: BTreeMap<HomeId, Vec<Maintained>> = BTreeMap::new();
        for update in arrived.updates {
            let own = by_home.entry(update.placed.key.home).or_default();
            own.push(update);
        }
        for standing in arrived.standing {
            let home = standing.home;
            let own = by_home.remove(&home).unwrap_or_default();
            self.put(state, home, turn, Due::Anew(own, standing), leave.clone());
        }
        for (home, own) in by_home {
            self.put(state, home, turn, Due::Batch(own), leave.clone());
        }
    }

    /// Takes in what a regime that ended teaches: an answer, or nothing.
    fn answer(&mut self, state: &mut ModelsState, key: ShiftKey, due: Due, leave: Leave) {
        let turn = Turn {
            epoch: leave.epoch(),
            regime: Some(key.regime),
        };
        self.put(state, key.home, turn, due, leave);
    }

    /// What is to be done next, if anything. Homes wait for answers while others go on, and answers may come one by one: who is
    /// behind is gone back to when there are enough of them to be worth it, or no more to wait for.
    fn first(&mut self, pools: &Pools, complete: Epoch) -> Option<(Turn, HomeId)> {
        let here = Turn {
            epoch: self.at,
            regime: None,
        };
        let ahead = self.next.range((here, HomeId(0))..).next();
        let ahead = ahead.filter(|(turn, _)| turn.epoch < complete);
        let first = match ahead {
            Some(first) => *first,
            None => {
                let first = *self.next.first()?;
                let worth = self.behind.saturating_mul(Self::WORTH);
                if first.0.epoch >= complete
                    || !self.blocked.is_empty() && worth < pools.distance(first.0.epoch)
                {
                    return None;
                }
                self.behind = 0;
                first
            }
        };
        self.at = first.0.epoch;
        Some(first)
    }

    /// Does what can be done next, if anything: whatever is due before `complete`, the first epoch of which not all
    /// is known.
    fn go_on(
        &mut self,
        state: &mut ModelsState,
        maintenance: &Maintenance,
        complete: Epoch,
    ) -> Option<(Leave, Said)> {
        while let Some((turn, home)) = self.first(&state.pools, complete) {
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
            return Some((leave, said));
        }
        None
    }

    /// Takes in a complete epoch; what is new of open segments in it is predicted once all that was due until then is done.
    fn take_in(
        &mut self,
        (state, readings): (&mut ModelsState, &mut ReadingState),
        mut arrived: Arrived,
        leave: Leave,
        maintenance: &Maintenance,
        tell: &mut impl FnMut((Leave, Said)),
    ) {
        let epoch = leave.epoch();
        let looked = std::mem::take(&mut arrived.looked);
        let homes = arrived.standing.iter().map(|standing| standing.home);
        let anew: BTreeSet<HomeId> = homes.collect();
        self.add(state, arrived, &leave);
        if looked.is_empty() {
            return;
        }
        while let Some(said) = self.go_on(state, maintenance, epoch + 1) {
            tell(said);
        }
        let scores = state.look(readings, epoch, &looked, &anew, maintenance);
        let said = Said {
            scores,
            ..Said::default()
        };
        tell((leave, said));
    }

    /// The earliest epoch of which anybody may still ask for the pooled counts: where somebody waits, or the first that is not
    /// complete (answers come earlier than the segments of their epoch).
    fn earliest(&self, complete: Epoch) -> Epoch {
        let first =
            [&self.next, &self.blocked].map(|turns| turns.first().map(|(turn, _)| turn.epoch));
        first.into_iter().flatten().fold(complete, Epoch::min)
    }
}

impl<'s> Models<'s> for StreamVec<'s, Epoch, Maintained> {
    fn models(
        self,
        (standing, looked): (
            StreamVec<'s, Epoch, Arc<Standing>>,
            StreamVec<'s, Epoch, Looked>,
        ),
        pooled: StreamVec<'s, Epoch, (CohortId, Arc<CohortChanges>)>,
        lessons: Lessons<'s>,
        maintenance: Maintenance,
        (held, readings): (Held<ModelsState>, Held<ReadingState>),
    ) -> ModelStreams<'s> {
        let scope = self.scope();
        let (index, peers) = (scope.index(), scope.peers());
        let mut builder = OperatorBuilder::new("Models".to_owned(), scope);
        held.wake(scope, builder.operator_info().address);
        let mut updates = builder.new_input(self, Pipeline);
        let mut standing = builder.new_input(standing, Pipeline);
        let mut looked = builder.new_input(looked, Pipeline);
        let mut pooled = builder.new_input(pooled, Pipeline);
        let mut awaited = builder.new_input(lessons.awaited, Pipeline);
        let mut unasked = builder.new_input(lessons.unasked, Pipeline);
        let by_home = Exchange::new(|filtered: &Filtered| u64::from(filtered.key.home.0));
        let mut filtered = builder.new_input(lessons.filtered, by_home);
        // Each output is held back by what it may come of alone: of segments both do, of answers the second.
        let of = |inputs: &'static [usize]| {
            let unchanged = Antichain::from_elem(Default::default());
            inputs.iter().map(move |i| (*i, unchanged.clone()))
        };
        let (output, scores) = builder.new_output_connection::<Vec<_>, _>(of(&[0, 1, 2]));
        let mut scores_out = OutputBuilder::from(output);
        let (output, adjustments) =
            builder.new_output_connection::<Vec<_>, _>(of(&[0, 1, 2, 5, 6]));
        let mut adjustments_out = OutputBuilder::from(output);

        builder.build(move |initial| {
            let memory = maintenance.memory / peers;
            held.borrow_mut().homes.settle((index, peers), memory);
            readings.borrow_mut().homes.settle(index, peers);
            let open = restored(&mut held.borrow_mut(), &mut readings.borrow_mut());
            let mut buffer = EpochBuffer::<Arrived>::restored(open, &initial);
            let mut queue = Queue::restored(&held.borrow_mut(), maintenance.scores, &initial);
            drop(initial);
            let eager = maintenance.scores == Scores::Eager;
            // All but what ended regimes teach: that is waited for home by home.
            let at_once = 5;
            move |frontiers| {
                let state = &mut *held.borrow_mut();
                let readings = &mut *readings.borrow_mut();
                let mut tell = |(leave, said): (Leave, Said)| {
                    if let Some(scores) = &leave.scores {
                        give(&mut scores_out, scores, said.scores);
                    }
                    give(&mut adjustments_out, &leave.adjustments, said.adjustments);
                };
                each_epoch(&mut pooled, |epoch, came| {
                    came.for_each(|(cohort, c)| state.pools.change(epoch, cohort, c));
                });
                each_epoch(&mut awaited, |epoch, came| {
                    came.filter(|_| !eager)
                        .for_each(|key| state.of(key.home).awaits(epoch, key.regime));
                });
                unasked.for_each_stamp(|capability, data| {
                    if let Some(leave) = Leave::of_lesson(&capability) {
                        for key in data.flat_map(std::mem::take).filter(|_| !eager) {
                            queue.answer(state, key, Due::Nothing, leave.clone());
                        }
                    }
                });
                filtered.for_each_stamp(|capability, data| {
                    if let Some(leave) = Leave::of_lesson(&capability) {
                        for answer in data.flat_map(std::mem::take) {
                            let (key, lesson) = (answer.key, Lesson::from(answer));
                            queue.answer(state, key, Due::Lesson(lesson), leave.clone());
                        }
                    }
                });
                buffer.gather(&mut updates, |arrived, came| arrived.updates.extend(came));
                buffer.gather(&mut standing, |arrived, came| arrived.standing.extend(came));
                buffer.gather(&mut looked, |arrived, came| arrived.looked.extend(came));
                // Of earlier epochs all segments and pooled counts are known, and which regimes ended.
                let known = frontiers[..at_once].iter().map(first_open).min();
                let complete = known.unwrap_or(Epoch::MAX);
                if held.is_running() {
                    let frontiers = &frontiers[..at_once];
                    while let Some((at, arrived)) = buffer.next(frontiers) {
                        if let Some(leave) = Leave::of(at) {
                            queue.take_in(
                                (state, readings),
                                arrived,
                                leave,
                                &maintenance,
                                &mut tell,
                            );
                        }
                    }
                    while let Some(said) = queue.go_on(state, &maintenance, complete) {
                        tell(said);
                    }
                    state.pools.settle(queue.earliest(complete));
                    state.homes.rest();
                }
                if held.is_released() {
                    queue = Queue::default();
                    buffer.release(&mut state.open, Arrived::merge);
                    readings.keep(
                        state
                            .open
                            .iter_mut()
                            .map(|(epoch, a)| (*epoch, &mut a.looked)),
                    );
                }
            }
        });
        ModelStreams {
            scores,
            adjustments,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use timely::dataflow::operators::{Input, Inspect, Probe};
    use timely::dataflow::{InputHandleVec, ProbeHandle};
    use timely::worker::Worker;

    use super::*;
    use crate::detect::Detected;
    use crate::habits::Context;
    use crate::shift::Placed;
    use crate::words::{Action, ActionId, Catalog, Device, Moment, Segment, Time};

    fn lamp() -> Arc<Catalogs> {
        let actions = ["on", "off"].map(Action::new).to_vec();
        let catalog = Catalog::new(vec![Device::new("Lamp", actions)]).unwrap();
        Catalogs::shared(Arc::new(catalog))
    }

    /// The inputs of models, and how far what they say is known.
    struct Fixture {
        segments: InputHandleVec<Epoch, Maintained>,
        awaited: InputHandleVec<Epoch, ShiftKey>,
        unasked: InputHandleVec<Epoch, ShiftKey>,
        filtered: InputHandleVec<Epoch, Filtered>,
        scores: ProbeHandle<Epoch>,
        adjustments: ProbeHandle<Epoch>,
        /// Of which homes there are scores.
        scored: Rc<RefCell<BTreeSet<HomeId>>>,
    }

    impl Fixture {
        fn new(worker: &mut Worker, scores: Scores) -> Self {
            let maintenance = Maintenance {
                catalogs: lamp(),
                lateness: Time::DAY,
                trial: 7,
                scores,
                memory: 1 << 20,
            };
            worker.dataflow(|scope| {
                let (segments_in, segments) = scope.new_input::<Vec<_>>();
                let (_, standing) = scope.new_input::<Vec<_>>();
                let (_, looked) = scope.new_input::<Vec<_>>();
                let (_, pooled) = scope.new_input::<Vec<_>>();
                let (awaited_in, awaited) = scope.new_input::<Vec<_>>();
                let (unasked_in, unasked) = scope.new_input::<Vec<_>>();
                let (filtered_in, filtered) = scope.new_input::<Vec<_>>();
                let lessons = Lessons {
                    awaited,
                    unasked,
                    filtered,
                };
                let quiet = (standing, looked);
                let models =
                    segments.models(quiet, pooled, lessons, maintenance, Default::default());
                let scored = Rc::new(RefCell::new(BTreeSet::new()));
                let seen = scored.clone();
                let scores = models.scores.inspect(move |score| {
                    seen.borrow_mut().insert(score.home);
                });
                Fixture {
                    segments: segments_in,
                    awaited: awaited_in,
                    unasked: unasked_in,
                    filtered: filtered_in,
                    scores: scores.probe().0,
                    adjustments: models.adjustments.probe().0,
                    scored,
                }
            })
        }

        /// A segment of a home.
        fn send(&mut self, home: HomeId) {
            let moment = Moment {
                time: Time(0),
                action: ActionId(0),
                offset: 0,
            };
            let segment = Segment {
                home,
                moments: vec![moment],
            };
            let placed = Placed {
                key: ShiftKey { home, regime: 0 },
                began: None,
                segment: Arc::new(segment),
                diff: 1,
            };
            let detected = Some(Arc::new(Detected {
                scores: vec![1.0],
                threshold: None,
            }));
            self.segments.send(Maintained { placed, detected });
        }

        /// Of which homes there are scores, after a while: inputs that stay open keep a worker busy for ever.
        fn scored(&mut self, worker: &mut Worker) -> Vec<u32> {
            self.segments.flush();
            self.filtered.flush();
            for _ in 0..100 {
                worker.step();
            }
            self.scored.borrow().iter().map(|home| home.0).collect()
        }
    }

    /// How far scores and adjustments are known where no regime has ended and no answer came, but some may come.
    fn known(scores: Scores) -> [bool; 2] {
        timely::execute_directly(move |worker| {
            let mut fixture = Fixture::new(worker, scores);
            fixture.segments.advance_to(1);
            fixture.awaited.advance_to(1);
            fixture.scored(worker);
            [fixture.scores, fixture.adjustments].map(|probe| !probe.less_equal(&0))
        })
    }

    #[test]
    fn a_home_waits_for_what_its_own_regimes_teach() {
        timely::execute_directly(move |worker| {
            let mut fixture = Fixture::new(worker, Scores::Aligned);
            let home = HomeId(0);
            let key = ShiftKey { home, regime: 0 };
            fixture.awaited.send(key);
            for home in 0..2 {
                fixture.segments.advance_to(1);
                fixture.send(HomeId(home));
            }
            fixture.segments.advance_to(2);
            fixture.awaited.advance_to(2);
            assert_eq!(fixture.scored(worker), [1], "no regime of it ended");
            fixture.unasked.send(key);
            fixture.unasked.flush();
            assert_eq!(fixture.scored(worker), [0, 1], "it asks for nothing");
        });
    }

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
        assert!(many > Queue::WORTH, "{many}");
        assert_eq!(queue.first(&pools, 10), Some(at(9, 2)));
        queue.next.remove(&at(9, 2));
        assert_eq!(queue.first(&pools, 10), None, "one is not worth it");
        assert_eq!(queue.earliest(10), 1);
        queue.behind = many.div_ceil(Queue::WORTH);
        assert_eq!(queue.first(&pools, 10), Some(at(2, 1)), "many are");
        (queue.at, queue.behind) = (9, 0);
        queue.blocked.clear();
        let first = queue.first(&pools, 10);
        assert_eq!(first, Some(at(2, 1)), "nobody is waited for");
    }

    #[test]
    fn scores_are_complete_though_answers_may_come() {
        assert_eq!(known(Scores::Eager), [true, false]);
        assert_eq!(known(Scores::Aligned), [true, false]);
    }
}
