//! Shifts: which regime each segment belongs to, and the regimes that have ended.

use std::sync::Arc;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, VecCollection};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::homes::States;
use crate::split::{Notice, Settled};
use crate::stash::Stash;
use crate::words::{Epoch, HomeId, Regime, Segment, Shift, ShiftKey, Time};

/// The streams that [`Shifts::shifts`] maintains.
pub struct ShiftStreams<'s> {
    /// Each segment with its home's regime: how many of the home's shifts lie at or before its start.
    pub regimes: VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64>,
    /// Regimes that have ended and are final, once each, with the shift that ended them. An empty one is left out:
    /// it has nothing to adapt from.
    pub ended: StreamVec<'s, Epoch, (ShiftKey, Arc<Regime>)>,
    /// Shifts declared too late: a later shift of that home was answered already.
    pub refused: StreamVec<'s, Epoch, Shift>,
}

/// Places segments in regimes.
pub trait Shifts<'s> {
    /// Labels each segment with its regime and hands over a regime's data when it is final.
    ///
    /// Segments, `settled` and `notices` are expected where the home lives ([`Split`](crate::split::Split) leaves
    /// them there; notices reach every worker). A shift that is declared after its time relabels the segments that it
    /// affects. State per home: its shifts and the segments of its regimes that have not ended, shared with the rest
    /// of the dataflow. Cost per segment: a search among the home's shifts and in its segments.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use differential_dataflow::{AsCollection, VecCollection};
    /// use hearth_operators::shift::Shifts;
    /// use hearth_operators::split::{Notice, Settled};
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
    ///     let settled = vec![Settled { home, until: Time(26 * Time::HOUR) }].to_stream(scope);
    ///     segments.shifts(settled, notices).ended.capture()
    /// });
    /// let (key, regime) = ended.extract().remove(0).1.remove(0);
    /// assert_eq!((key.regime, regime.source.len(), regime.target.len()), (0, 1, 1));
    /// ```
    fn shifts(
        self,
        settled: StreamVec<'s, Epoch, Settled>,
        notices: StreamVec<'s, Epoch, Notice>,
    ) -> ShiftStreams<'s>;
}

/// One home's state.
#[derive(Debug, Serialize, Deserialize)]
struct HomeShifts {
    /// In order of time; those of all homes among them.
    shifts: Vec<Arc<Shift>>,
    /// How many of them have ended a regime.
    ended: u32,
    /// How far the home is final.
    until: Time,
    /// Segments of the regimes that have not ended, with their regime, in order.
    segments: Vec<Placed>,
}

/// A segment in its regime. Its start stands beside it, so that most comparisons need not look further.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Placed {
    start: Time,
    segment: Arc<Segment>,
    regime: u32,
}

impl HomeShifts {
    fn new(shifts: &[Arc<Shift>]) -> Self {
        HomeShifts {
            shifts: shifts.to_vec(),
            ended: 0,
            until: Time(i64::MIN),
            segments: Vec::new(),
        }
    }

    fn regime(&self, start: Time) -> u32 {
        self.shifts.partition_point(|s| s.time <= start) as u32
    }

    /// Adds a shift and relabels. `false` if it comes too late.
    fn declare(&mut self, home: HomeId, shift: &Arc<Shift>, changes: &mut Changes) -> bool {
        if self.shifts.contains(shift) {
            return true;
        }
        let earlier = self.shifts.partition_point(|s| s.time < shift.time);
        if earlier < self.ended as usize {
            return false;
        }
        self.shifts.push(shift.clone());
        self.shifts.sort_by(in_time);
        let mut relabelled = std::mem::take(&mut self.segments);
        for placed in &mut relabelled {
            let now = self.regime(placed.start);
            if now != placed.regime {
                let key = |regime| ShiftKey { home, regime };
                changes.push(((key(placed.regime), placed.segment.clone()), -1));
                changes.push(((key(now), placed.segment.clone()), 1));
                placed.regime = now;
            }
        }
        self.segments = relabelled;
        true
    }

    fn update(&mut self, home: HomeId, segment: Arc<Segment>, diff: i64, changes: &mut Changes) {
        let start = segment.start();
        let regime = self.regime(start);
        let placed = Placed {
            start,
            segment: segment.clone(),
            regime,
        };
        if self.segments.last().is_none_or(|last| last.start < start) {
            if diff > 0 {
                if self.segments.is_empty() {
                    // Of many homes no second one comes for a long time.
                    self.segments.reserve_exact(1);
                }
                self.segments.push(placed);
            }
        } else {
            let order = |p: &Placed| p.start.cmp(&start).then_with(|| p.segment.cmp(&segment));
            match (self.segments.binary_search_by(order), diff > 0) {
                (Ok(place), true) => self.segments[place] = placed,
                (Err(place), true) => self.segments.insert(place, placed),
                (Ok(place), false) => {
                    self.segments.remove(place);
                }
                (Err(_), false) => {}
            }
        }
        changes.push(((ShiftKey { home, regime }, segment), diff));
    }

    /// The regimes whose shift is settled now.
    fn end(&mut self, home: HomeId) -> Vec<(ShiftKey, Arc<Regime>)> {
        let mut result = Vec::new();
        while let Some(shift) = self.shifts.get(self.ended as usize) {
            if shift.time > self.until {
                break;
            }
            let regime = self.ended;
            self.ended += 1;
            let of = |regime: u32| {
                let mine = self.segments.iter().filter(|p| p.regime == regime);
                mine.map(|p| p.segment.sequence()).collect::<Vec<_>>()
            };
            let (source, target) = (of(regime), of(regime + 1));
            if !source.is_empty() {
                let shift = Shift::clone(shift);
                let ended = Regime {
                    shift,
                    source,
                    target,
                };
                result.push((ShiftKey { home, regime }, Arc::new(ended)));
            }
            self.segments.retain(|p| p.regime > regime);
        }
        result
    }
}

/// By time, then by the rest.
fn in_time(a: &Arc<Shift>, b: &Arc<Shift>) -> std::cmp::Ordering {
    a.time.cmp(&b.time).then_with(|| a.cmp(b))
}

type Changes = Vec<((ShiftKey, Arc<Segment>), i64)>;

#[derive(Default)]
struct Arrived {
    segments: Vec<(Arc<Segment>, i64)>,
    settled: Vec<Settled>,
    notices: Vec<Notice>,
}

impl<'s> Shifts<'s> for VecCollection<'s, Epoch, Arc<Segment>, i64> {
    fn shifts(
        self,
        settled: StreamVec<'s, Epoch, Settled>,
        notices: StreamVec<'s, Epoch, Notice>,
    ) -> ShiftStreams<'s> {
        let mut builder = OperatorBuilder::new("Shifts".to_owned(), self.scope());
        let (index, peers) = (self.scope().index(), self.scope().peers());
        let mut segments = builder.new_input(self.inner, Pipeline);
        let mut settled = builder.new_input(settled, Pipeline);
        let mut notices = builder.new_input(notices, Pipeline);
        let (output, regimes) = builder.new_output::<Vec<_>>();
        let mut regimes_out = OutputBuilder::from(output);
        let (output, ended) = builder.new_output::<Vec<_>>();
        let mut ended_out = OutputBuilder::from(output);
        let (output, refused) = builder.new_output::<Vec<_>>();
        let mut refused_out = OutputBuilder::from(output);

        builder.build(move |_capabilities| {
            let mut stash = Stash::<Arrived>::new(3);
            let mut homes = States::<Option<HomeShifts>>::new(index, peers);
            // Shifts of all homes, for those that appear later.
            let mut all: Vec<Arc<Shift>> = Vec::new();
            move |frontiers| {
                segments.for_each_stamp(|capability, data| {
                    if let Some(arrived) = stash.at(&capability) {
                        let data = data.flat_map(std::mem::take);
                        arrived.segments.extend(data.map(|(s, _, diff)| (s, diff)));
                    }
                });
                settled.for_each_stamp(|capability, data| {
                    if let Some(arrived) = stash.at(&capability) {
                        arrived.settled.extend(data.flat_map(std::mem::take));
                    }
                });
                notices.for_each_stamp(|capability, data| {
                    if let Some(arrived) = stash.at(&capability) {
                        arrived.notices.extend(data.flat_map(std::mem::take));
                    }
                });
                while let Some((capabilities, arrived)) = stash.next(frontiers) {
                    let epoch = *capabilities[0].time();
                    let mut changes = Changes::new();
                    let mut late = Vec::new();
                    let mut declared = false;
                    for notice in arrived.notices {
                        let Notice::Shift(shift) = notice else {
                            continue;
                        };
                        declared = true;
                        let shift = Arc::new(shift);
                        match shift.home {
                            Some(home) if home.0 as usize % peers == index => {
                                let state = homes.of(home);
                                let state = state.get_or_insert_with(|| HomeShifts::new(&all));
                                if !state.declare(home, &shift, &mut changes) {
                                    late.push(Arc::unwrap_or_clone(shift));
                                }
                            }
                            Some(_) => {}
                            None => {
                                for (home, state) in homes.iter_mut() {
                                    let Some(state) = state else { continue };
                                    if !state.declare(home, &shift, &mut changes) {
                                        let home = Some(home);
                                        let shift = Shift::clone(&shift);
                                        late.push(Shift { home, ..shift });
                                    }
                                }
                                if !all.contains(&shift) {
                                    all.push(shift);
                                    all.sort_by(in_time);
                                }
                            }
                        }
                    }
                    for (segment, diff) in arrived.segments {
                        let home = segment.home;
                        let state = homes.of(home);
                        let state = state.get_or_insert_with(|| HomeShifts::new(&all));
                        state.update(home, segment, diff, &mut changes);
                    }
                    let mut ended = ended_out.activate();
                    let mut session = ended.session(&capabilities[1]);
                    for Settled { home, until } in arrived.settled {
                        let state = homes.of(home);
                        let state = state.get_or_insert_with(|| HomeShifts::new(&all));
                        state.until = state.until.max(until);
                        session.give_iterator(state.end(home).into_iter());
                    }
                    // Segments come consolidated; only with what is relabelled can they cancel.
                    if declared {
                        consolidate(&mut changes);
                    }
                    let changes = changes.into_iter();
                    regimes_out
                        .activate()
                        .session(&capabilities[0])
                        .give_iterator(changes.map(|(data, diff)| (data, epoch, diff)));
                    refused_out
                        .activate()
                        .session(&capabilities[2])
                        .give_iterator(late.into_iter());
                }
            }
        });
        ShiftStreams {
            regimes: regimes.as_collection(),
            ended,
            refused,
        }
    }
}
