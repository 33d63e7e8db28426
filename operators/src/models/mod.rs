//! A home's models as a view: each segment is judged by what was known before it, then learnt; what goes is taken back.

mod home;
mod pools;
mod queue;
mod reading;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::Antichain;
use timely::progress::frontier::MutableAntichain;

use crate::detect::{Looked, Maintained};
use crate::habits::{Pooled, Vocabulary};
use crate::pooling::CohortChanges;
use crate::shift::Standing;
use crate::state::{
    Buffered, EpochBuffer, Form, Held, Shelf, Stateful, Visit, each_epoch, first_open, give,
};
use crate::words::{
    Adjustment, Catalogs, CohortId, Epoch, Filtered, HomeId, Score, Scores, ShiftKey,
};
pub(crate) use home::{Due, HomeModels, Turn};
use home::{Lesson, Said};
use pools::Pools;
use queue::{Leave, Queue, Taking};
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
    /// Homes of an epoch that are taken in at once.
    pub portion: usize,
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
    /// let maintenance = Maintenance { catalogs: Catalogs::shared(catalog), lateness: Time::DAY, trial: 7, scores: Scores::Aligned, memory: 1 << 20, portion: 1 << 10 };
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

/// So many scores a home are told in one go, or one home's, and then leave: those of an epoch in which all homes end their days
/// would take more than all homes do.
const TOLD: usize = 8;

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
        BTreeMap<HomeId, Form<HomeModels>>,
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

    /// A home's models, if it has any.
    pub(crate) fn seen(&mut self, home: HomeId) -> Option<&HomeModels> {
        self.homes.seen(home)
    }

    /// Nobody looks at any home for now.
    pub(crate) fn rest(&mut self) {
        self.homes.rest();
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

/// What a worker's models work with, beside what they hold.
struct Work {
    maintenance: Maintenance,
    buffer: EpochBuffer<Arrived>,
    queue: Queue,
    taking: Option<Taking>,
}

impl Work {
    fn restored(
        (state, readings): (&mut ModelsState, &mut ReadingState),
        maintenance: Maintenance,
        initial: &[Capability<Epoch>],
    ) -> Self {
        let open = restored(state, readings);
        Work {
            buffer: EpochBuffer::restored(open, initial),
            queue: Queue::restored(state, maintenance.scores, initial),
            taking: None,
            maintenance,
        }
    }

    /// Does what is due before `complete`, the first epoch of which not all is known by the frontiers, until `tell` has enough. Whether
    /// that was all.
    fn go(
        &mut self,
        (state, readings): (&mut ModelsState, &mut ReadingState),
        frontiers: &[MutableAntichain<Epoch>],
        complete: Epoch,
        mut tell: impl FnMut((Leave, Said)) -> bool,
    ) -> bool {
        let enough = Cell::new(false);
        let mut tell = |said| {
            enough.set(tell(said));
            enough.get()
        };
        let mut next = || {
            let (at, arrived) = self.buffer.next(frontiers)?;
            Some(Taking::new(arrived, Leave::of(at)?))
        };
        let (queue, maintenance) = (&mut self.queue, &self.maintenance);
        let all = loop {
            let Some(mut now) = self.taking.take().or_else(&mut next) else {
                break queue.work(state, maintenance, complete, &mut tell);
            };
            let held = (&mut *state, &mut *readings);
            if !queue.take_in(held, &mut now, maintenance, &mut tell) {
                self.taking = Some(now);
            }
            if enough.get() {
                break false;
            }
        };
        let waiting = self.buffer.peek(frontiers).map(|(epoch, _)| epoch);
        let first = self.taking.as_ref().map(Taking::epoch).or(waiting);
        let earliest = self.queue.earliest(first.unwrap_or(complete));
        state.pools.settle(earliest);
        state.homes.rest();
        all
    }

    /// Gives up all capabilities, and keeps what waits.
    fn release(&mut self, state: &mut ModelsState, readings: &mut ReadingState) {
        self.queue = Queue::default();
        if let Some(taking) = self.taking.take() {
            let open = state.open.entry(taking.epoch()).or_default();
            open.merge(taking.left());
        }
        self.buffer.release(&mut state.open, Arrived::merge);
        let open = state.open.iter_mut();
        readings.keep(open.map(|(epoch, a)| (*epoch, &mut a.looked)));
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
        let again = scope.activator_for(builder.operator_info().address);
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
            let eager = maintenance.scores == Scores::Eager;
            let most = TOLD * maintenance.portion.max(1);
            let mut work = Work::restored(
                (&mut held.borrow_mut(), &mut readings.borrow_mut()),
                maintenance,
                &initial,
            );
            drop(initial);
            // All but what ended regimes teach: that is waited for home by home.
            let at_once = 5;
            move |frontiers| {
                let state = &mut *held.borrow_mut();
                let readings = &mut *readings.borrow_mut();
                let mut told = 0;
                let tell = |(leave, said): (Leave, Said)| {
                    told += said.scores.len();
                    if let Some(scores) = &leave.scores {
                        give(&mut scores_out, scores, said.scores);
                    }
                    give(&mut adjustments_out, &leave.adjustments, said.adjustments);
                    told >= most
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
                            work.queue.answer(state, key, Due::Nothing, leave.clone());
                        }
                    }
                });
                filtered.for_each_stamp(|capability, data| {
                    if let Some(leave) = Leave::of_lesson(&capability) {
                        for answer in data.flat_map(std::mem::take) {
                            let (key, lesson) = (answer.key, Box::new(Lesson::from(answer)));
                            work.queue
                                .answer(state, key, Due::Lesson(lesson), leave.clone());
                        }
                    }
                });
                work.buffer
                    .gather(&mut updates, |arrived, came| arrived.updates.extend(came));
                work.buffer
                    .gather(&mut standing, |arrived, came| arrived.standing.extend(came));
                work.buffer
                    .gather(&mut looked, |arrived, came| arrived.looked.extend(came));
                // Of earlier epochs all segments and pooled counts are known, and which regimes ended.
                let known = frontiers[..at_once].iter().map(first_open).min();
                let complete = known.unwrap_or(Epoch::MAX);
                if held.is_running() {
                    let states = (&mut *state, &mut *readings);
                    if !work.go(states, &frontiers[..at_once], complete, tell) {
                        // What was told leaves first, or it would pile up.
                        again.activate();
                    }
                }
                if held.is_released() {
                    work.release(state, readings);
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
pub(super) mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use timely::dataflow::operators::{Input, Inspect, Probe};
    use timely::dataflow::{InputHandleVec, ProbeHandle};
    use timely::worker::Worker;

    use super::*;
    use crate::detect::Detected;
    use crate::shift::Placed;
    use crate::state::Suspension;
    use crate::words::{Action, ActionId, Catalog, Device, Moment, Segment, Time};

    const PORTION: usize = 100;

    pub fn lamp() -> Arc<Catalogs> {
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
            Self::with(worker, scores, Held::default())
        }

        fn with(worker: &mut Worker, scores: Scores, state: Held<ModelsState>) -> Self {
            let maintenance = Maintenance {
                catalogs: lamp(),
                lateness: Time::DAY,
                trial: 7,
                scores,
                memory: 1 << 20,
                portion: PORTION,
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
                let state = (state, Held::default());
                let models = segments.models(quiet, pooled, lessons, maintenance, state);
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

        /// A segment of a home, of so many behaviours.
        fn send(&mut self, home: HomeId, behaviors: usize) {
            let moment = Moment {
                time: Time(0),
                action: ActionId(0),
                offset: 0,
            };
            let segment = Segment {
                home,
                moments: vec![moment; behaviors],
            };
            let placed = Placed {
                key: ShiftKey { home, regime: 0 },
                began: None,
                segment: Arc::new(segment),
                diff: 1,
            };
            let detected = Some(Arc::new(Detected {
                scores: vec![1.0; behaviors],
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
                fixture.send(HomeId(home), 1);
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
    fn an_epoch_of_many_homes_is_taken_in_some_at_a_time() {
        const HOMES: u32 = 3 * PORTION as u32;
        timely::execute_directly(move |worker| {
            let suspension = Suspension::default();
            let state = Held::new(ModelsState::default(), &suspension);
            let mut fixture = Fixture::with(worker, Scores::Aligned, state.clone());
            for home in 0..HOMES {
                fixture.send(HomeId(home), 32);
            }
            fixture.segments.advance_to(1);
            fixture.awaited.advance_to(1);
            while fixture.scored.borrow().is_empty() {
                worker.step();
            }
            let before = fixture.scored.borrow().clone();
            assert!(before.len() < HOMES as usize, "some at a time");
            assert!(fixture.scores.less_equal(&0), "more is to come");

            suspension.freeze();
            worker.step();
            let scored = fixture.scored.clone();
            drop(fixture);
            suspension.release();
            while worker.step() {}
            // What was on its way has arrived by now.
            let before = &before | &*scored.borrow();

            let state = Held::new(state.take(), &Suspension::default());
            let mut fixture = Fixture::with(worker, Scores::Aligned, state);
            fixture.segments.advance_to(1);
            fixture.awaited.advance_to(1);
            let after: BTreeSet<HomeId> = fixture.scored(worker).into_iter().map(HomeId).collect();
            assert!(before.is_disjoint(&after), "once");
            assert_eq!(before.len() + after.len(), HOMES as usize, "all");
            assert!(!fixture.scores.less_equal(&0), "that was the last of it");
        });
    }

    #[test]
    fn scores_are_complete_though_answers_may_come() {
        assert_eq!(known(Scores::Eager), [true, false]);
        assert_eq!(known(Scores::Aligned), [true, false]);
    }
}
