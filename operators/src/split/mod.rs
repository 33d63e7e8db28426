//! Time and Semantic-aware Split (TSS, Algorithm 1): behaviours into segments, maintained under late data.

mod asked;
mod home;
mod open;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, VecCollection};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::state::{
    ByHome, EpochBuffer, Held, HomeState, Homes, Past, Spot, Stateful, Visit, give, prefetch,
};
use crate::words::{
    Behavior, Catalogs, Epoch, Erased, Erasure, Feedback, HomeId, Line, Mode, Open, Query, Scores,
    Segment, Shift, Time,
};
use asked::Asking;
use home::HomeSplit;
use open::Opening;

pub use asked::{Asked, Fate};

/// Which closing actions stay with the segment that they close, however late they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Checker {
    /// A closing action belongs to the current segment if that holds its still-open counterpart.
    #[default]
    Paired,
    /// Any closing action belongs to the current segment (what the authors' code does).
    Closing,
    /// None does: time alone decides.
    Off,
}

/// The limits of the split. Durations are microseconds of event time.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Δt_max: a larger gap to the previous behaviour starts a new segment.
    pub max_gap: i64,
    /// T_max: a behaviour later than this after the segment's start starts a new one.
    pub max_span: i64,
    /// How far behind a home's newest event another one may come and still count.
    pub lateness: i64,
    /// An event that waits is confirmed by a second one that follows it within this distance.
    pub max_jump: i64,
    /// An event further ahead of its home's newest than this waits: were its clock wrong, whatever comes after it would be late.
    pub max_lead: i64,
    /// How far behind its horizon a home's segments are kept; `None`: for ever.
    pub keep: Option<i64>,
    /// How far behind a declared shift a home's newest event must be for what is known by then to be what the shift is asked about;
    /// `None`: as far as makes that final.
    pub ask_after: Option<i64>,
    /// The semantic checker.
    pub checker: Checker,
    /// Which action closes which, in each home's own words.
    pub catalogs: Arc<Catalogs>,
}

impl Rules {
    /// The paper's limits (9 h, 24 h), a lateness of 24 h and jumps of 30 days.
    pub fn new(catalogs: Arc<Catalogs>) -> Self {
        let (max_gap, lateness, max_jump) = (9 * Time::HOUR, Time::DAY, 30 * Time::DAY);
        Rules {
            max_gap,
            max_span: Time::DAY,
            lateness,
            max_jump,
            max_lead: Self::lead(max_gap, lateness, max_jump),
            keep: None,
            ask_after: None,
            checker: Checker::Paired,
            catalogs,
        }
    }

    /// How far ahead an event may be believed at once: as far as nothing becomes late by it, or as a pause lasts that is none.
    pub fn lead(max_gap: i64, lateness: i64, max_jump: i64) -> i64 {
        lateness.max(max_gap).min(max_jump)
    }

    /// From when on a home's segments are kept where its horizon is there. It moves in steps, for what is known of a home is
    /// learnt anew from what stands at each; each home takes them at another time.
    pub fn kept_from(&self, home: HomeId, horizon: Time) -> Option<Time> {
        let keep = self.keep?;
        let step = (keep / STEPS).max(1);
        let phase = i64::from(home.0.wrapping_mul(SPREAD)) % step;
        let from = horizon.0.checked_sub(keep)?.checked_sub(phase)?;
        Some(Time(from.div_euclid(step) * step + phase))
    }
}

/// Steps in which as much is forgotten as is kept.
const STEPS: i64 = 8;

/// Spreads neighbouring ids (2^32 over the golden ratio).
const SPREAD: u32 = 0x9e37_79b9;

/// What concerns more than one behaviour: sent to every worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// A declared shift of context.
    Shift(Shift),
    /// What was ingested in earlier epochs is to be as if it had never come.
    Erase(Erasure),
    /// An alarm was fine.
    Fine(Feedback),
    /// A home is quiet from a time on, or is not.
    Mode(Mode),
    /// No behaviour comes after this epoch: what is open is complete.
    LogEnd,
    /// Somebody waits for what becomes of events of this epoch. It and those below stand last, for cuts of before know those above by
    /// their places.
    Ask(Asked),
    /// Somebody asks for a home's model.
    Query(Query),
}

impl Notice {
    /// The feedback that it is, where its home lives on this worker.
    pub(crate) fn feedback_at(&self, index: usize, peers: usize) -> Option<Feedback> {
        match self {
            Notice::Fine(feedback) if feedback.home.worker(peers) == index => Some(*feedback),
            _ => None,
        }
    }

    /// The change of mode that it is, where its home lives on this worker.
    pub(crate) fn mode_at(&self, index: usize, peers: usize) -> Option<Mode> {
        match self {
            Notice::Mode(mode) if mode.home.worker(peers) == index => Some(*mode),
            _ => None,
        }
    }

    /// The query that it is, where its home lives on this worker.
    pub(crate) fn query_at(&self, index: usize, peers: usize) -> Option<Query> {
        match self {
            Notice::Query(query) if query.home.worker(peers) == index => Some(*query),
            _ => None,
        }
    }
}

/// How far a home is, where that passes one of its shifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Settled {
    /// The home.
    pub home: HomeId,
    /// All segments that start before it are final: no event can change them any more. The end of time once the log has ended.
    pub until: Time,
    /// Shifts up to it are asked about by what is known, final or not; never before `until`.
    pub asking: Time,
}

/// What became of events that are no part of any segment, and how many are. Every event is in exactly one of these; what is erased
/// leaves `applied`. Beside that, what becomes of each event that somebody [asked](Notice::Ask) for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Account {
    /// So many events of a home were applied, so many were duplicates.
    Counted {
        /// Events that are part of a segment now.
        applied: u64,
        /// Events that were there already.
        duplicate: u64,
    },
    /// The event lies before its home's horizon.
    Late(Behavior),
    /// The event jumps ahead and nothing confirmed it.
    Rejected(Behavior),
    /// An erasure took effect.
    Erased(Erased),
    /// What became of an event that somebody asked for: counted above, too.
    Told(Line, Fate),
}

/// The streams that [`Split::split`] maintains.
pub struct SplitStreams<'s> {
    /// The segments of all homes but each home's last, which can still grow, until the log ends.
    pub segments: VecCollection<'s, Epoch, Arc<Segment>, i64>,
    /// How far each home with a shift is final; sent whenever that passes one of its shifts.
    pub settled: StreamVec<'s, Epoch, Settled>,
    /// The accounting of events.
    pub accounts: StreamVec<'s, Epoch, Account>,
    /// Homes whose segments an erasure changed, once an epoch each.
    pub revised: StreamVec<'s, Epoch, HomeId>,
    /// Where what happens is scored at once: each home's last segment, in epochs in which it changed or an erasure changed others.
    pub open: StreamVec<'s, Epoch, Open>,
}

/// Splits behaviours into segments.
pub trait Split<'s> {
    /// Maintains each home's segments: after an epoch they are those of the plain algorithm
    /// ([`reference::split`](crate::reference::split)) on all events of this and earlier epochs in event-time order.
    ///
    /// Each worker must be given the behaviours of the homes that live there ([`HomeId::worker`]), in order of ingestion, which
    /// decides which of two duplicates counts. `notices` must reach every worker (broadcast). State per home: the behaviours from
    /// the segment that holds the last one before the horizon on, 16 bytes each, and the ids among them. Cost per event:
    /// amortised constant where events come in order; a late one re-splits its home's segments from the one it touches until old
    /// and new boundaries meet. The homes' ids are dense: a home's state is found by position.
    ///
    /// An erasure takes what was ingested in earlier epochs, also of segments that are final: these are fetched from `past`, which
    /// [`Shifts`](crate::shift::Shifts) behind this operator writes down, and split anew from the one before the first that is touched.
    /// Until `past` is as of the epoch before, the erasure's epoch stays open. What was late, or a duplicate, stays so.
    ///
    /// Where segments are not kept for ever ([`Rules::keep`]), an epoch that brings behaviours of a home first takes those of its segments
    /// that start before what is kept ([`Rules::kept_from`], by its horizon as of the end of the epoch before) and that are left behind: as
    /// an erasure of all before the first one that stays would (what reaches to that one's very start stays with it).
    ///
    /// With [`Scores::Eager`] each home's last segment is shown in each epoch that changes it, at the cost of a copy.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use hearth_operators::split::{Notice, Rules, Split};
    /// use hearth_operators::state::Held;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{Input, capture::{Capture, Extract}};
    ///
    /// let off = Action { closes: vec!["switch on".into()], ..Action::new("switch off") };
    /// let light = Device::new("Light", vec![Action::new("switch on"), off]);
    /// let rules = Rules::new(Catalogs::shared(Arc::new(Catalog::new(vec![light]).unwrap())));
    /// let segments = timely::execute_directly(move |worker| {
    ///     let (mut behaviors, mut notices, segments) = worker.dataflow(|scope| {
    ///         let (behaviors, stream) = scope.new_input::<Vec<_>>();
    ///         let (notices, told) = scope.new_input::<Vec<_>>();
    ///         (behaviors, notices, stream.split(told, rules, Scores::Aligned, Held::default(), Held::default()).segments.inner.capture())
    ///     });
    ///     for (hour, action) in [(0, 0), (20, 1), (30, 0)] {
    ///         let time = Time(hour * Time::HOUR);
    ///         let moment = Moment { time, action: ActionId(action), offset: 0 };
    ///         behaviors.send(Behavior { home: HomeId(0), moment, id: None, line: Line::default() });
    ///     }
    ///     notices.send(Notice::LogEnd);
    ///     segments
    /// });
    /// // The light's switching off belongs to its switching on, 20 hours before.
    /// let lengths: Vec<_> = segments.extract().into_iter().flat_map(|(_, s)| s)
    ///     .map(|(segment, _, diff)| (segment.moments.len(), diff)).collect();
    /// assert_eq!(lengths, [(2, 1), (1, 1)]);
    /// ```
    fn split(
        self,
        notices: StreamVec<'s, Epoch, Notice>,
        rules: Rules,
        scores: Scores,
        state: Held<SplitState>,
        past: Held<Past>,
    ) -> SplitStreams<'s>;
}

/// What the split holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SplitState {
    homes: Homes<HomeSplit>,
    marks: Marks,
}

impl Stateful for SplitState {
    fn visit(&mut self, operator: &'static str, visitor: &mut impl Visit) {
        visitor.in_pieces(operator, self, |state| &mut state.homes);
    }
}

impl SplitState {
    /// Moves the homes to the workers on which they live now; every worker knows all shifts.
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        for worker in to.iter_mut() {
            worker.marks.merge(&self.marks);
        }
        self.homes
            .deal(to.iter_mut().map(|worker| &mut worker.homes));
    }
}

impl HomeState for HomeSplit {
    fn is_blank(&self) -> bool {
        !self.met()
    }

    fn cloned(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// The shifts that a worker waits for, by home and for all homes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Marks {
    all: BTreeSet<Time>,
    own: BTreeMap<HomeId, BTreeSet<Time>>,
}

impl Marks {
    fn merge(&mut self, other: &Marks) {
        self.all.extend(&other.all);
        for (home, times) in &other.own {
            self.own.entry(*home).or_default().extend(times);
        }
    }

    /// Whether a shift of the home lies in `(after, until]`.
    fn any(&self, home: HomeId, after: Time, until: Time) -> bool {
        let hit = |times: &BTreeSet<Time>| {
            after < until
                && times
                    .range((
                        std::ops::Bound::Excluded(after),
                        std::ops::Bound::Included(until),
                    ))
                    .next()
                    .is_some()
        };
        hit(&self.all) || self.own.get(&home).is_some_and(hit)
    }
}

#[derive(Default)]
struct Arrived {
    /// As messages brought them, in order of ingestion.
    behaviors: Vec<Vec<Behavior>>,
    notices: Vec<Notice>,
}

/// What an epoch changes, and, where anybody asks, what becomes of open segments.
type Leaving<'a> = (&'a mut home::Updates, &'a mut Option<Opening>);

impl<'s> Split<'s> for StreamVec<'s, Epoch, Behavior> {
    fn split(
        self,
        notices: StreamVec<'s, Epoch, Notice>,
        rules: Rules,
        scores: Scores,
        state: Held<SplitState>,
        past: Held<Past>,
    ) -> SplitStreams<'s> {
        let scope = self.scope();
        let mut builder = OperatorBuilder::new("Split".to_owned(), scope);
        let (index, peers) = (scope.index(), scope.peers());
        let again = scope.activator_for(builder.operator_info().address);
        let mut behaviors = builder.new_input(self, Pipeline);
        let mut notices = builder.new_input(notices, Pipeline);
        let (output, segments) = builder.new_output::<Vec<_>>();
        let mut segments_out = OutputBuilder::from(output);
        let (output, settled) = builder.new_output::<Vec<_>>();
        let mut settled_out = OutputBuilder::from(output);
        let (output, accounts) = builder.new_output::<Vec<_>>();
        let mut accounts_out = OutputBuilder::from(output);
        let (output, revised) = builder.new_output::<Vec<_>>();
        let mut revised_out = OutputBuilder::from(output);
        let (output, open) = builder.new_output::<Vec<_>>();
        let mut open_out = OutputBuilder::from(output);

        builder.build(move |_capabilities| {
            state.borrow_mut().homes.settle(index, peers);
            let mut buffer = EpochBuffer::<Arrived>::new(5);
            let mut by_home = ByHome::new(index, peers);
            let mut updates = home::Updates::default();
            let mut opening = (scores == Scores::Eager).then(Opening::default);
            move |frontiers| {
                behaviors.for_each_stamp(|capability, data| {
                    if let Some(arrived) = buffer.at(&capability) {
                        arrived.behaviors.extend(data.map(std::mem::take));
                    }
                });
                buffer.gather(&mut notices, |arrived, came| arrived.notices.extend(came));
                let mut state = state.borrow_mut();
                while let Some((epoch, arrived)) = buffer.peek(frontiers) {
                    let erasures = arrived.erasures(index, peers);
                    let looks_back = rules.keep.is_some() || !erasures.is_empty();
                    if looks_back && past.borrow_mut().known < epoch {
                        again.activate();
                        break;
                    }
                    let Some((capabilities, mut arrived)) = buffer.next(frontiers) else {
                        break;
                    };
                    by_home.plan(&arrived.behaviors, |b| b.home);
                    let stay = state.forget(&by_home, &past.borrow_mut(), &rules, &mut updates);
                    let all = (&mut updates, &mut opening);
                    state.erase(&erasures, (&past.borrow_mut(), &stay), &rules, all);
                    let all = (&mut updates, &mut opening);
                    state.take_in(&arrived, &by_home, (index, peers), &rules, all);
                    if !updates.revised.is_empty() {
                        // What came in this epoch may have undone what went.
                        consolidate(&mut updates.segments);
                    }
                    give(
                        &mut revised_out,
                        &capabilities[3],
                        updates.revised.drain(..),
                    );
                    give(
                        &mut settled_out,
                        &capabilities[1],
                        updates.settled.drain(..),
                    );
                    if let Some(opening) = &mut opening {
                        give(&mut open_out, &capabilities[4], opening.open.drain(..));
                    }
                    // What the messages lay in goes back before there is room for what leaves.
                    arrived.behaviors.clear();
                    arrived.notices.clear();
                    buffer.reuse(arrived);

                    let changes = updates.segments.drain(..);
                    let changes = changes.map(|(s, diff)| (s, epoch, diff));
                    give(&mut segments_out, &capabilities[0], changes);
                    give(&mut accounts_out, &capabilities[2], updates.accounts());
                }
            }
        });
        SplitStreams {
            segments: segments.as_collection(),
            settled,
            accounts,
            revised,
            open,
        }
    }
}

impl Arrived {
    /// The erasures that concern homes of this worker, home by home.
    fn erasures(&self, index: usize, peers: usize) -> Vec<Erasure> {
        let erasures = self.notices.iter().filter_map(|notice| match notice {
            Notice::Erase(erasure) if erasure.home.worker(peers) == index => Some(*erasure),
            _ => None,
        });
        let mut erasures: Vec<_> = erasures.collect();
        erasures.sort_by_key(|erasure| erasure.home);
        erasures
    }
}

impl SplitState {
    /// Takes in what arrived in an epoch.
    fn take_in(
        &mut self,
        arrived: &Arrived,
        by_home: &ByHome,
        (index, peers): (usize, usize),
        rules: &Rules,
        (updates, opening): Leaving<'_>,
    ) {
        let ended = arrived.notices.contains(&Notice::LogEnd);
        let unsettled = self.declare(&arrived.notices, (index, peers), rules);
        let all = (&mut *updates, &mut *opening);
        self.apply(arrived, by_home, ended, rules, all);
        if ended {
            self.end(rules, (updates, opening));
        } else {
            self.settle_again(&unsettled, rules, updates);
            self.note_erased((updates, opening));
        }
    }

    /// Takes in declared shifts. The homes of which one was settled already: they are settled again.
    fn declare(
        &mut self,
        notices: &[Notice],
        (index, peers): (usize, usize),
        rules: &Rules,
    ) -> Vec<HomeId> {
        let SplitState { homes, marks } = self;
        let mut unsettled = Vec::new();
        for notice in notices {
            let Notice::Shift(shift) = notice else {
                continue;
            };
            let mut unsettle = |id: HomeId, state: &mut HomeSplit| {
                let asking = state.asking(rules);
                if state.met() && shift.time <= state.settled.max(asking) {
                    let before = Time(shift.time.0.saturating_sub(1));
                    state.settled = state.settled.min(before);
                    unsettled.push(id);
                }
            };
            match shift.home {
                Some(id) => {
                    marks.own.entry(id).or_default().insert(shift.time);
                    if id.worker(peers) == index {
                        unsettle(id, homes.of(id));
                    }
                }
                None => {
                    marks.all.insert(shift.time);
                    for (id, state) in homes.iter_mut() {
                        unsettle(id, state);
                    }
                }
            }
        }
        unsettled
    }

    /// Takes out what homes do not keep; `past` is as of the epoch before. From when on those keep what they have of which something went.
    fn forget(
        &self,
        by_home: &ByHome,
        past: &Past,
        rules: &Rules,
        updates: &mut home::Updates,
    ) -> BTreeMap<HomeId, Time> {
        let mut stay = BTreeMap::new();
        if rules.keep.is_none() {
            return stay;
        }
        for &(home, _) in by_home.homes() {
            let Some(state) = self.homes.get(home).filter(|state| state.met()) else {
                continue;
            };
            if let Some(from) = state.outlived(home, past.of(home), rules, updates) {
                stay.insert(home, from);
            }
        }
        stay
    }

    /// Takes out what is erased; `past` is as of the epoch before, but for what goes before `stay`.
    fn erase(
        &mut self,
        erasures: &[Erasure],
        (past, stay): (&Past, &BTreeMap<HomeId, Time>),
        rules: &Rules,
        (updates, opening): Leaving<'_>,
    ) {
        for own in erasures.chunk_by(|a, b| a.home == b.home) {
            let home = own[0].home;
            // A home that was never met stays so.
            let known = self.homes.get(home).filter(|state| state.met());
            let met = known.is_some();
            if let (Some(opening), Some(state)) = (&mut *opening, known) {
                opening.erase(home, state);
            }
            let since = stay.get(&home).copied().unwrap_or(Time(i64::MIN));
            if met {
                let state = self.homes.of(home);
                let changed = state.erase(own, (past.of(home), since), rules, updates);
                if changed && !stay.contains_key(&home) {
                    updates.revised.push(home);
                }
            }
            if !met {
                updates.nothing_erased(own);
            }
        }
    }

    /// Takes in an epoch's behaviours home by home: each state is fetched once, and operators behind this one find all of a home
    /// together. Where the log `ended`, how far homes are final is told by [`SplitState::end`].
    fn apply(
        &mut self,
        arrived: &Arrived,
        by_home: &ByHome,
        ended: bool,
        rules: &Rules,
        (updates, opening): Leaving<'_>,
    ) {
        let behaviors = &arrived.behaviors[..];
        let mut asking = Asking::of(&arrived.notices);
        // Once the log has ended nothing is open: that is told by [`SplitState::end`], too.
        let mut opening = opening.as_mut().filter(|_| !ended);
        let SplitState { homes, marks } = self;
        for block in by_home.homes().chunks(prefetch::BLOCK) {
            let state = |(id, _): &(HomeId, Spot)| homes.get(*id);
            prefetch::touch(block, |home| state(home).map_or(0, HomeSplit::touch));
            prefetch::touch(block, |home| state(home).map_or(0, HomeSplit::touch_last));
            prefetch::touch(block, |(_, first)| {
                first.of(behaviors).map_or(0, |b| b.moment.time.0)
            });
            for &(id, first) in block {
                let state = homes.of(id);
                let asked = state.asking(rules);
                let mut stood = opening.as_mut().map(|opening| opening.stood(id, state));
                for behavior in by_home.events(first, behaviors) {
                    let fate = state.take(behavior, rules, updates);
                    asking.note(behavior.line, fate);
                }
                if let Some(stood) = &mut stood {
                    stood.appended(state);
                }
                let accounted = updates.accounts.len();
                state.finish(id, rules, updates);
                asking.tell(state, accounted, &mut updates.accounts);
                if let (Some(stood), Some(opening)) = (stood, &mut opening) {
                    let anew = updates.revised.contains(&id);
                    opening.note(id, &stood, state, anew);
                }
                if !ended {
                    settle((id, state), asked, marks, rules, updates);
                }
            }
        }
    }

    /// The log has ended: so has every home's last segment.
    fn end(&mut self, rules: &Rules, (updates, opening): Leaving<'_>) {
        for (id, state) in self.homes.iter_mut() {
            if let Some(opening) = opening {
                opening.end(id, state);
            }
            state.end(id, rules, updates);
            let asked = state.asking(rules);
            settle((id, state), asked, &self.marks, rules, updates);
        }
    }

    /// How the open segments stand of homes of which something was erased and nothing came.
    fn note_erased(&self, (updates, opening): Leaving<'_>) {
        let Some(opening) = opening else { return };
        for (id, stood) in opening.erased() {
            if let Some(state) = self.homes.get(id) {
                opening.note(id, &stood, state, updates.revised.contains(&id));
            }
        }
    }

    fn settle_again(&mut self, homes: &[HomeId], rules: &Rules, updates: &mut home::Updates) {
        for home in homes {
            let state = (*home, self.homes.of(*home));
            settle(state, Time(i64::MIN), &self.marks, rules, updates);
        }
    }
}

/// Tells how far a home is, where that passes one of its shifts; it was `asked` about those up to some time.
fn settle(
    (home, state): (HomeId, &mut HomeSplit),
    asked: Time,
    marks: &Marks,
    rules: &Rules,
    updates: &mut home::Updates,
) {
    let (until, asking) = (state.final_until(), state.asking(rules));
    if marks.any(home, state.settled, until) || marks.any(home, asked, asking) {
        updates.settled.push(Settled {
            home,
            until,
            asking,
        });
    }
    state.settled = state.settled.max(until);
}
