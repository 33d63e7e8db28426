//! Shifts: which regime each segment belongs to, and the regimes that have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, VecCollection};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::{Operator, OutputBuilder};

use crate::drift::{Alertness, Drift, DriftState};
use crate::habits::Context;
use crate::split::{Notice, Settled};
use crate::state::{
    EpochBuffer, Held, History, Homes, Past, Stateful, Visit, first_open, give, prefetch,
};
use crate::words::{
    Epoch, HomeId, Moment, Regime, Segment, Sequence, Shift, ShiftKey, ShiftKind, Time,
};

/// The streams that [`Shifts::shifts`] maintains.
pub struct ShiftStreams<'s> {
    /// Each segment with its home's regime (how many of the home's shifts lie at or before its start) and the shift that began it.
    pub placed: StreamVec<'s, Epoch, Placed>,
    /// Regimes that have ended, once each, with the shift that ended them: as they are known when that is asked about, which is once they
    /// are final, or earlier if so configured ([`Rules::ask_after`](crate::split::Rules)). An empty one is left out: it has nothing to
    /// adapt from.
    pub ended: StreamVec<'s, Epoch, (ShiftKey, Arc<Regime>)>,
    /// Shifts declared too late: a later shift of that home was answered already, or the same one was found.
    pub refused: StreamVec<'s, Epoch, Shift>,
    /// Shifts that nobody declared, where they are looked for.
    pub found: StreamVec<'s, Epoch, Drift>,
    /// What stands of the homes whose segments an erasure changed.
    pub standing: StreamVec<'s, Epoch, Arc<Standing>>,
}

/// All segments of a home after an epoch in which something of it was erased: what is known of it is learnt anew from these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Standing {
    /// The home.
    pub home: HomeId,
    /// In order of time.
    pub segments: Vec<Placed>,
}

/// A segment that comes or goes, in its regime.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Placed {
    /// The home and the regime.
    pub key: ShiftKey,
    /// The shift that began the regime; none: it is the home's first.
    pub began: Option<Arc<Shift>>,
    /// The segment.
    pub segment: Arc<Segment>,
    /// 1 or -1.
    pub diff: i64,
}

impl Placed {
    /// What the regime lives in.
    pub fn context(&self) -> Context {
        self.began.as_deref().map(Context::of).unwrap_or_default()
    }
}

/// Places segments in regimes.
pub trait Shifts<'s> {
    /// Labels each segment with its regime and hands over a regime's data when its shift is asked about.
    ///
    /// Segments, `settled` and `notices` are expected where the home lives ([`Split`](crate::split::Split) leaves
    /// them there; notices reach every worker). A shift that is declared after its time relabels the segments that it
    /// affects. State per home: its shifts, and in `past` all its segments, about five bytes a
    /// behaviour. Cost per segment: a search among the home's shifts; writing it down, and for one that comes late or is
    /// revised the way back to its place. For a home that comes in `revised` all its segments are read.
    ///
    /// With a `lookout`, shifts that nobody declared are looked for ([`drift`](crate::drift)). Where these end regimes
    /// ([`Alertness::adapts`]), one that is found does what a declared one does, from the day on that it names and in the epoch in which
    /// it is found; but one that lies as near to a declared shift as a home is learnt in silence is the same shift, and the first of the
    /// two counts. A regime then ends once all days before its shift are judged, so that which of two comes first does not
    /// depend on batches.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use differential_dataflow::{AsCollection, VecCollection};
    /// use hearth_operators::shift::Shifts;
    /// use hearth_operators::split::{Notice, Settled};
    /// use hearth_operators::state::Held;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}};
    ///
    /// let ended = timely::example(|scope| {
    ///     let home = HomeId(0);
    ///     let segment = |hour| {
    ///         let moment = Moment { time: Time(hour * Time::HOUR), action: ActionId(0), offset: 0 };
    ///         Arc::new(Segment { home, moments: vec![moment] })
    ///     };
    ///     let segments = vec![(segment(1), 0, 1i64), (segment(50), 0, 1)].to_stream(scope).as_collection();
    ///     let shift = Shift { home: None, time: Time(24 * Time::HOUR), offset: 0,
    ///         kind: ShiftKind::Season, from: "winter".into(), to: "spring".into() };
    ///     let notices = vec![Notice::Shift(shift)].to_stream(scope);
    ///     let at = Time(26 * Time::HOUR);
    ///     let settled = vec![Settled { home, until: at, asking: at }].to_stream(scope);
    ///     let revised = Vec::<HomeId>::new().to_stream(scope);
    ///     segments.shifts((settled, revised), notices, None, Held::default(), Held::default()).ended.capture()
    /// });
    /// let (key, regime) = ended.extract().remove(0).1.remove(0);
    /// assert_eq!((key.regime, regime.source.len(), regime.target.len()), (0, 1, 1));
    /// ```
    fn shifts(
        self,
        settled_revised: (StreamVec<'s, Epoch, Settled>, StreamVec<'s, Epoch, HomeId>),
        notices: StreamVec<'s, Epoch, Notice>,
        lookout: Option<Lookout>,
        state: Held<ShiftState>,
        past: Held<Past>,
    ) -> ShiftStreams<'s>;
}

/// What looks for shifts that nobody declared: how, and what it holds.
pub struct Lookout {
    /// How.
    pub alertness: Alertness,
    /// The days of homes.
    pub state: Held<DriftState>,
}

/// What the placing of segments in regimes holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ShiftState {
    homes: Homes<Option<HomeShifts>>,
    /// Shifts of all homes, for those that appear later; in order of time.
    all: Vec<Arc<Shift>>,
}

/// One home's state, beside its segments.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct HomeShifts {
    /// What homes without a shift do not have.
    declared: Option<Box<Declared>>,
}

/// A home's shifts.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Declared {
    /// In order of time; those of all homes among them.
    shifts: Vec<Arc<Shift>>,
    /// How many of them have ended a regime.
    ended: u32,
    /// How far the home is final.
    until: Time,
}

impl HomeShifts {
    fn new(shifts: &[Arc<Shift>]) -> Self {
        let declared = || Declared {
            shifts: shifts.to_vec(),
            ..Declared::new()
        };
        HomeShifts {
            declared: (!shifts.is_empty()).then(|| Box::new(declared())),
        }
    }

    fn declared(&mut self) -> &mut Declared {
        self.declared
            .get_or_insert_with(|| Box::new(Declared::new()))
    }

    fn shifts(&self) -> &[Arc<Shift>] {
        self.declared.as_ref().map_or(&[], |d| &d.shifts)
    }

    /// Whether a shift, found or declared, lies nearer to a time than `near`.
    fn is_near(&self, time: Time, near: i64, found: bool) -> bool {
        let mut shifts = self.shifts().iter();
        shifts.any(|shift| {
            let apart = shift.time.0.saturating_sub(time.0).saturating_abs();
            (shift.kind == ShiftKind::Drift) == found && apart < near
        })
    }

    fn regime(&self, start: Time) -> u32 {
        self.declared.as_ref().map_or(0, |d| d.regime(start))
    }

    /// The shift that began a regime.
    fn began(&self, regime: u32) -> Option<Arc<Shift>> {
        let shifts = &self.declared.as_ref()?.shifts;
        shifts.get((regime as usize).checked_sub(1)?).cloned()
    }

    /// Adds a shift and relabels. `false` if it comes too late.
    fn declare(
        &mut self,
        home: HomeId,
        shift: &Arc<Shift>,
        history: Option<&History>,
        changes: &mut Changes,
    ) -> bool {
        let declared = self.declared();
        if declared.shifts.contains(shift) {
            return true;
        }
        let earlier = declared.shifts.partition_point(|s| s.time < shift.time);
        if earlier < declared.ended as usize {
            return false;
        }
        declared.shifts.push(shift.clone());
        declared.shifts.sort_by(in_time);
        let segments = history.map(|history| history.between(shift.time, Time(i64::MAX)));
        for moments in segments.unwrap_or_default() {
            let segment = Arc::new(Segment { home, moments });
            // One more shift lies before it: this one, or one that was there already and is one further now.
            let regime = self.regime(segment.start());
            let key = |regime| ShiftKey { home, regime };
            let began = self.began(regime);
            let before = match &began {
                Some(latest) if latest == shift => self.began(regime - 1),
                other => other.clone(),
            };
            changes.push(((key(regime - 1), before, segment.clone()), -1));
            changes.push(((key(regime), began, segment), 1));
        }
        true
    }

    fn place(&self, segment: Arc<Segment>, diff: i64) -> (Label, i64) {
        let home = segment.home;
        let regime = self.regime(segment.start());
        let began = self.began(regime);
        ((ShiftKey { home, regime }, began, segment), diff)
    }

    /// The regimes that have ended by shifts up to `asking` or so far that all is final, and of which `is_judged` says that nothing more
    /// will be found in them.
    fn settle(
        &mut self,
        home: HomeId,
        asking: Time,
        is_judged: impl Fn(Time) -> bool,
        history: Option<&History>,
    ) -> Vec<(ShiftKey, Arc<Regime>)> {
        let mut result = Vec::new();
        let Some(declared) = &mut self.declared else {
            return result;
        };
        let any = |from, until| history.is_some_and(|history| history.any(from, until));
        while let Some((regime, begin, shift)) = declared.next_settled(asking, &is_judged, any) {
            let next = declared.shifts.get(regime as usize + 1);
            let next = next.map_or(Time(i64::MAX), |next| next.time);
            let within = |from, until| {
                let segments = history.map(|history| history.between(from, until));
                let quadruples = |s: Vec<Moment>| s.iter().map(Moment::quadruple).collect();
                segments
                    .into_iter()
                    .flatten()
                    .map(|s| Sequence(quadruples(s)))
                    .collect::<Vec<_>>()
            };
            let (source, target) = (within(begin, shift.time), within(shift.time, next));
            if !source.is_empty() {
                let ended = Regime {
                    shift: Arc::unwrap_or_clone(shift),
                    source,
                    target,
                };
                result.push((ShiftKey { home, regime }, Arc::new(ended)));
            }
        }
        result
    }
}

impl Declared {
    fn new() -> Self {
        Declared {
            shifts: Vec::new(),
            ended: 0,
            until: Time(i64::MIN),
        }
    }

    fn regime(&self, start: Time) -> u32 {
        self.shifts.partition_point(|s| s.time <= start) as u32
    }

    /// Whether a shift has not ended its regime yet.
    fn has_open(&self) -> bool {
        (self.ended as usize) < self.shifts.len()
    }

    /// Takes the first regime that has not ended and the shift of which is settled or, where there is `any` segment of the regime, up to
    /// `asking`: its number, when it began, the shift.
    fn next_settled(
        &mut self,
        asking: Time,
        is_judged: impl Fn(Time) -> bool,
        any: impl Fn(Time, Time) -> bool,
    ) -> Option<(u32, Time, Arc<Shift>)> {
        let regime = self.ended;
        let shift = self.shifts.get(regime as usize)?;
        let before = (regime as usize).checked_sub(1);
        let began = before.map_or(Time(i64::MIN), |before| self.shifts[before].time);
        // What is found is final then.
        let is_found = shift.kind == ShiftKind::Drift;
        let is_asked = shift.time <= self.until || shift.time <= asking && any(began, shift.time);
        if !(is_found || is_asked && is_judged(shift.time)) {
            return None;
        }
        self.ended += 1;
        Some((regime, began, shift.clone()))
    }
}

/// By time, then by the rest.
fn in_time(a: &Arc<Shift>, b: &Arc<Shift>) -> std::cmp::Ordering {
    a.time.cmp(&b.time).then_with(|| a.cmp(b))
}

/// A segment, its regime, and what began that.
type Label = (ShiftKey, Option<Arc<Shift>>, Arc<Segment>);

type Changes = Vec<(Label, i64)>;

fn placed(((key, began, segment), diff): (Label, i64)) -> Placed {
    Placed {
        key,
        began,
        segment,
        diff,
    }
}

/// What leaves at the end of an epoch.
#[derive(Default)]
struct Leaving {
    changes: Changes,
    /// Whether any of them are of segments that were there already.
    relabelled: bool,
    ended: Vec<(ShiftKey, Arc<Regime>)>,
    refused: Vec<Shift>,
    standing: Vec<Arc<Standing>>,
    found: Vec<Drift>,
}

#[derive(Default)]
struct Arrived {
    segments: Vec<(Arc<Segment>, i64)>,
    settled: Vec<Settled>,
    revised: Vec<HomeId>,
    notices: Vec<Notice>,
}

impl Stateful for ShiftState {
    fn visit(&mut self, operator: &'static str, visitor: &mut impl Visit) {
        visitor.in_pieces(operator, self, |state| &mut state.homes);
    }
}

impl ShiftState {
    /// Moves the homes to the workers on which they live now; every worker knows the shifts of all homes.
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        for worker in to.iter_mut() {
            for shift in &self.all {
                worker.remember(shift);
            }
        }
        self.homes
            .deal(to.iter_mut().map(|worker| &mut worker.homes));
    }

    fn remember(&mut self, shift: &Arc<Shift>) {
        if !self.all.contains(shift) {
            self.all.push(shift.clone());
            self.all.sort_by(in_time);
        }
    }

    fn of(&mut self, home: HomeId) -> &mut HomeShifts {
        let ShiftState { homes, all } = self;
        homes.of(home).get_or_insert_with(|| HomeShifts::new(all))
    }

    /// Takes in a declared shift. Those that come too late for their homes, or `near` to one that was found, are refused.
    fn declare(
        &mut self,
        shift: Shift,
        near: i64,
        past: &Past,
        is_here: impl Fn(HomeId) -> bool,
        leaving: &mut Leaving,
    ) {
        let shift = Arc::new(shift);
        let Leaving {
            changes, refused, ..
        } = leaving;
        let mut declare = |home, state: &mut HomeShifts| {
            let is_new = !state.is_near(shift.time, near, true);
            if !(is_new && state.declare(home, &shift, past.of(home), changes)) {
                let home = Some(home);
                let shift = Shift::clone(&shift);
                refused.push(Shift { home, ..shift });
            }
        };
        match shift.home {
            Some(home) if is_here(home) => declare(home, self.of(home)),
            Some(_) => {}
            None => {
                for (home, state) in self.homes.iter_mut() {
                    let Some(state) = state else { continue };
                    declare(home, state);
                }
                self.remember(&shift);
            }
        }
    }

    /// Looks for shifts that nobody declared in what came and went; those that are found end regimes, if so wished.
    fn look_out(
        &mut self,
        updates: Vec<(Arc<Segment>, i64)>,
        lookout: &Lookout,
        past: &Past,
        leaving: &mut Leaving,
    ) {
        let alertness = &lookout.alertness;
        let shifts = |home| {
            let state = self.homes.get(home).and_then(Option::as_ref);
            let shifts = state.map_or(&[][..], HomeShifts::shifts).iter();
            let declared = shifts.filter(|shift| shift.kind != ShiftKind::Drift);
            declared.map(|shift| shift.time)
        };
        let mut found = lookout
            .state
            .borrow_mut()
            .update(updates, shifts, alertness);
        for drift in found.iter_mut().filter(|_| alertness.adapts) {
            let (home, near) = (drift.home, alertness.strictness.near());
            let state = self.of(home);
            if state.is_near(drift.since, near, false) {
                continue;
            }
            let shift = Arc::new(drift.shift(alertness.catalogs.of(home)));
            drift.adapted = state.declare(home, &shift, past.of(home), &mut leaving.changes);
            leaving.relabelled |= drift.adapted;
        }
        leaving.found = found;
    }

    /// Ends the regimes whose shift is settled now, and whose days are judged as far as that is asked for.
    fn end(
        &mut self,
        settled: impl Iterator<Item = Settled>,
        maybe_judged: BTreeSet<HomeId>,
        lookout: Option<&Lookout>,
        past: &Past,
        ended: &mut Vec<(ShiftKey, Arc<Regime>)>,
    ) {
        // What is judged is final.
        let judged = maybe_judged.into_iter();
        let mut homes: BTreeMap<_, _> = judged.map(|home| (home, Time(i64::MIN))).collect();
        for told in settled {
            let declared = self.of(told.home).declared();
            declared.until = declared.until.max(told.until);
            homes.insert(told.home, told.asking);
        }
        let days = lookout.map(|lookout| lookout.state.borrow_mut());
        for (home, asking) in homes {
            // Most have nothing to settle, and are not to count as changed.
            let has_open =
                |state: &HomeShifts| state.declared.as_ref().is_some_and(|d| d.has_open());
            let state = self.homes.get(home).and_then(Option::as_ref);
            if !state.is_some_and(has_open) {
                continue;
            }
            let is_judged = |time| days.as_ref().is_none_or(|days| days.is_judged(home, time));
            let settled = self.of(home).settle(home, asking, is_judged, past.of(home));
            ended.extend(settled);
        }
    }

    /// Takes in a complete epoch.
    fn take_in(
        &mut self,
        arrived: &mut Arrived,
        lookout: Option<&Lookout>,
        past: &mut Past,
        is_here: impl Fn(HomeId) -> bool + Copy,
        leaving: &mut Leaving,
    ) {
        let adapting = lookout.filter(|lookout| lookout.alertness.adapts);
        let near = adapting.map_or(0, |lookout| lookout.alertness.strictness.near());
        let log_ended = arrived.notices.contains(&Notice::LogEnd);
        for notice in arrived.notices.drain(..) {
            if let Notice::Shift(shift) = notice {
                leaving.relabelled = true;
                self.declare(shift, near, past, is_here, leaving);
            }
        }
        let came = lookout.map(|_| arrived.segments.clone());
        self.update(&mut arrived.segments, past, &mut leaving.changes);
        let mut maybe_judged = BTreeSet::new();
        if let (Some(lookout), Some(came)) = (lookout, came) {
            if adapting.is_some() {
                maybe_judged.extend(came.iter().map(|(segment, _)| segment.home));
            }
            self.look_out(came, lookout, past, leaving);
        }
        if adapting.is_some() && log_ended {
            maybe_judged.extend(self.homes.iter().map(|(home, _)| home));
        }
        // Once the log has ended, nothing more is judged.
        let days = adapting.filter(|_| !log_ended);
        let settled = arrived.settled.drain(..);
        self.end(settled, maybe_judged, days, past, &mut leaving.ended);
        // Segments come consolidated; only with what is relabelled can they cancel.
        if std::mem::take(&mut leaving.relabelled) {
            consolidate(&mut leaving.changes);
        }
        let revised = arrived.revised.drain(..);
        leaving
            .standing
            .extend(revised.map(|home| Arc::new(self.standing(home, past))));
    }

    fn update(
        &mut self,
        segments: &mut Vec<(Arc<Segment>, i64)>,
        past: &mut Past,
        changes: &mut Changes,
    ) {
        let mut segments = segments.drain(..);
        while segments.len() > 0 {
            let block = segments.len().min(prefetch::BLOCK);
            prefetch::touch(&segments.as_slice()[..block], |(segment, _)| {
                past.of(segment.home).map_or(0, History::touch)
            });
            for (segment, diff) in segments.by_ref().take(block) {
                let history = past.homes.of(segment.home);
                if diff > 0 {
                    history.insert(&segment);
                } else {
                    history.remove(&segment);
                }
                changes.push(self.of(segment.home).place(segment, diff));
            }
        }
    }

    /// All segments of a home.
    fn standing(&mut self, home: HomeId, past: &Past) -> Standing {
        let all = past
            .of(home)
            .map(|history| history.between(Time(i64::MIN), Time(i64::MAX)));
        let state = self.of(home);
        let segments = all.unwrap_or_default().into_iter().map(|moments| {
            let segment = Arc::new(Segment { home, moments });
            placed(state.place(segment, 1))
        });
        Standing {
            home,
            segments: segments.collect(),
        }
    }
}

impl<'s> Shifts<'s> for VecCollection<'s, Epoch, Arc<Segment>, i64> {
    fn shifts(
        self,
        (settled, revised): (StreamVec<'s, Epoch, Settled>, StreamVec<'s, Epoch, HomeId>),
        notices: StreamVec<'s, Epoch, Notice>,
        lookout: Option<Lookout>,
        state: Held<ShiftState>,
        past: Held<Past>,
    ) -> ShiftStreams<'s> {
        let mut builder = OperatorBuilder::new("Shifts".to_owned(), self.scope());
        let (index, peers) = (self.scope().index(), self.scope().peers());
        let mut segments = builder.new_input(self.inner, Pipeline);
        let mut settled = builder.new_input(settled, Pipeline);
        let mut revised = builder.new_input(revised, Pipeline);
        let mut notices = builder.new_input(notices, Pipeline);
        let (output, placed_stream) = builder.new_output::<Vec<_>>();
        let mut placed_out = OutputBuilder::from(output);
        let (output, ended) = builder.new_output::<Vec<_>>();
        let mut ended_out = OutputBuilder::from(output);
        let (output, refused) = builder.new_output::<Vec<_>>();
        let mut refused_out = OutputBuilder::from(output);
        let (output, standing) = builder.new_output::<Vec<_>>();
        let mut standing_out = OutputBuilder::from(output);
        let (output, found) = builder.new_output::<Vec<_>>();
        let mut found_out = OutputBuilder::from(output);

        builder.build(move |_capabilities| {
            state.borrow_mut().homes.settle(index, peers);
            past.borrow_mut().homes.settle(index, peers);
            if let Some(lookout) = &lookout {
                lookout.state.borrow_mut().settle(index, peers);
            }
            // What was known before a suspension is not known of this dataflow's epochs.
            past.borrow_mut().known = 0;
            let is_here = move |home: HomeId| home.worker(peers) == index;
            let mut buffer = EpochBuffer::<Arrived>::new(5);
            let mut leaving = Leaving::default();
            move |frontiers| {
                buffer.gather(&mut segments, |arrived, came| {
                    arrived.segments.extend(came.map(|(s, _, diff)| (s, diff)));
                });
                buffer.gather(&mut settled, |arrived, came| arrived.settled.extend(came));
                buffer.gather(&mut revised, |arrived, came| arrived.revised.extend(came));
                buffer.gather(&mut notices, |arrived, came| arrived.notices.extend(came));
                let (mut state, mut past) = (state.borrow_mut(), past.borrow_mut());
                while let Some((at, mut arrived)) = buffer.next(frontiers) {
                    let lookout = lookout.as_ref();
                    state.take_in(&mut arrived, lookout, &mut past, is_here, &mut leaving);
                    let changes = leaving.changes.drain(..).map(placed);
                    give(&mut placed_out, &at[0], changes);
                    give(&mut ended_out, &at[1], leaving.ended.drain(..));
                    give(&mut refused_out, &at[2], leaving.refused.drain(..));
                    give(&mut standing_out, &at[3], leaving.standing.drain(..));
                    give(&mut found_out, &at[4], leaving.found.drain(..));
                    buffer.reuse(arrived);
                }
                let known = frontiers.iter().map(first_open).min();
                past.known = known.unwrap_or(Epoch::MAX);
            }
        });
        ShiftStreams {
            placed: placed_stream,
            ended,
            refused,
            standing,
            found,
        }
    }
}

/// The segments of regimes.
pub trait Regimes<'s> {
    /// Each segment with its home's regime, as a collection. No state; cost per segment: constant.
    fn regimes(self) -> VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64>;
}

impl<'s> Regimes<'s> for StreamVec<'s, Epoch, Placed> {
    fn regimes(self) -> VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64> {
        let regimes = self.unary(Pipeline, "Regimes", |_capability, _info| {
            |placed, output| {
                placed.for_each_stamp(|capability, data| {
                    let Some(capability) = capability.retain_least(output.output_index()) else {
                        return;
                    };
                    let epoch = *capability.time();
                    let placed = data.flat_map(std::mem::take);
                    output
                        .session(&capability)
                        .give_iterator(placed.map(|p| ((p.key, p.segment), epoch, p.diff)));
                });
            }
        });
        regimes.as_collection()
    }
}
