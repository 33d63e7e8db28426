//! How anomalous each behaviour is, and what a person should look at.

mod alert;
mod home;
mod quiet;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{ConnectLoop, Feedback as _};

use crate::alarms::{Alarm, Budget, Reason, TailChanges, Tails};
use crate::habits::Vocabulary;
use crate::pooling::CohortChanges;
use crate::shift::{Placed, Standing};
use crate::split::Notice;
use crate::state::{EpochBuffer, Form, Held, Shelf, Stateful, Visit, each_epoch, first_open, give};
use crate::surprise::Counts;
use crate::words::{Catalogs, CohortId, Epoch, Feedback, Heard, HomeId, Mode, Open, Segment};
pub use alert::AlertState;
pub(crate) use home::{Around, HomeDetector, Said};
pub(crate) use quiet::Quiet;
pub use quiet::QuietState;

/// How detectors are maintained.
#[derive(Clone)]
pub struct Vigilance {
    /// How homes speak, and of which cohort they are.
    pub catalogs: Arc<Catalogs>,
    /// How far behind its newest behaviour a home may still change, in µs of event time.
    pub lateness: i64,
    /// How many alarms a person wants to see.
    pub budget: Budget,
    /// Bytes that homes take at most on all workers together while they are not packed.
    pub memory: usize,
}

/// What a home's detector says of a segment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Detected {
    /// By behaviour.
    pub scores: Vec<f32>,
    /// A score above this is an anomaly; none while the home is being learnt.
    pub threshold: Option<f32>,
}

/// A segment that comes or goes, in its regime, and what the detector says of one that comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Maintained {
    /// The segment.
    pub placed: Placed,
    /// None for what goes, or only changes its regime.
    pub detected: Option<Arc<Detected>>,
}

/// What is new of a home's open segment, and what the detector says of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Looked {
    /// The segment as it stands.
    pub open: Open,
    /// Of its behaviours from [`Open::new`] on.
    pub detected: Detected,
}

impl Maintained {
    fn undetected(placed: Placed) -> Self {
        Maintained {
            placed,
            detected: None,
        }
    }
}

/// An alarm with its reasons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Raised {
    /// What it is about.
    pub segment: Arc<Segment>,
    /// Which behaviours, how strange, how severe.
    pub alarm: Alarm,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// The streams that [`Detect::detect`] maintains.
pub struct DetectStreams<'s> {
    /// Each update, judged.
    pub judged: StreamVec<'s, Epoch, Maintained>,
    /// What is new of open segments, judged.
    pub looked: StreamVec<'s, Epoch, Looked>,
    /// Alarms; that of a segment that is revised is withdrawn.
    pub alarms: StreamVec<'s, Epoch, (Arc<Raised>, Epoch, i64)>,
    /// What became of feedback.
    pub heard: StreamVec<'s, Epoch, Heard>,
}

/// Maintains detectors and alarms.
pub trait Detect<'s> {
    /// Judges each segment that comes by what its home (and, in earlier epochs, its cohort) was in the habit of doing before it,
    /// raises an alarm where that is rarer than the budget allows, and learns it; what goes is taken back.
    ///
    /// The cohort's counts come in as `pooled` (broadcast). How far its homes' scores go beyond what is usual ([`Tails`]) is
    /// known from this operator's own output one epoch later, which comes back to all workers: it waits for nothing outside, so
    /// nothing holds that back. State per home: its detector's counts, what its threshold follows from, and its alarms. Cost per
    /// behaviour: a few microseconds.
    ///
    /// A home of which something was erased comes in `standing`: its detector is then what the segments that stand teach, one
    /// after the other in order of time, over the cohort's counts as of the end of that epoch. Nothing is said again of those
    /// that stood before; those that the erasure made are judged in their place; alarms of segments that went are withdrawn. A
    /// home of which nothing stands is as one that was never met.
    ///
    /// What a person says of an alarm (`notices`, broadcast) takes effect at the end of its epoch. A segment that starts while
    /// its home is quiet raises no alarm; it is learnt as any other. What was raised before that was told stands.
    ///
    /// Segments that are `open` are looked at and not learnt: a behaviour is judged in the epoch in which it comes, by what is
    /// known then (what will come after it is not), and once more with the one that comes next. Those above the threshold are an
    /// alarm at once, of the name that it will have when the segment is closed. It stands until what it shows does not hold,
    /// twice as much is to be seen, or its severity changes; when the segment is closed, its judgement takes the alarm's place.
    /// What is learnt of a segment, and so every later judgement and the budget, rests on that one alone, as if nobody had looked
    /// before. That such an alarm was fine counts from when the segment is closed with an alarm. State per home: the alarm, where
    /// there is one. Cost: that of judging what is new and one behaviour more.
    fn detect(
        self,
        standing_open: (
            StreamVec<'s, Epoch, Arc<Standing>>,
            StreamVec<'s, Epoch, Open>,
        ),
        notices: StreamVec<'s, Epoch, Notice>,
        pooled: StreamVec<'s, Epoch, (CohortId, Arc<CohortChanges>)>,
        watch: Vigilance,
        state: (Held<DetectState>, Held<AlertState>, Held<QuietState>),
    ) -> DetectStreams<'s>;
}

/// What homes of a cohort know together, and what is to be added from an epoch on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Shared {
    counts: BTreeMap<CohortId, Counts>,
    tails: BTreeMap<CohortId, Tails>,
    /// By the first epoch in which it is known.
    counted: BTreeMap<Epoch, Vec<(CohortId, Arc<CohortChanges>)>>,
    /// Likewise.
    reached: BTreeMap<Epoch, Vec<(CohortId, Arc<TailChanges>)>>,
}

impl Shared {
    /// Makes everything known that is known in an epoch.
    fn advance(&mut self, epoch: Epoch) {
        self.count(epoch);
        while let Some(entry) = self.reached.first_entry()
            && *entry.key() <= epoch
        {
            for (cohort, changes) in entry.remove() {
                self.tails.entry(cohort).or_default().apply(&changes);
            }
        }
    }

    /// What is known besides a home.
    fn around(
        &self,
        home: HomeId,
        watch: &Vigilance,
        quiet: &QuietState,
        act: impl FnOnce(&Around<'_>),
    ) {
        let never = Quiet::default();
        let cohort = watch.catalogs.cohort_of(home);
        let (no_counts, no_tails) = (Counts::default(), Tails::default());
        act(&Around {
            words: &Vocabulary::new(&watch.catalogs, home),
            counts: self.counts.get(&cohort).unwrap_or(&no_counts),
            tails: self.tails.get(&cohort).unwrap_or(&no_tails),
            budget: watch.budget,
            quiet: quiet.homes.get(home).unwrap_or(&never),
            lateness: watch.lateness,
        });
    }

    /// Makes the counts known that are known in an epoch.
    fn count(&mut self, epoch: Epoch) {
        while let Some(entry) = self.counted.first_entry()
            && *entry.key() <= epoch
        {
            for (cohort, changes) in entry.remove() {
                self.counts
                    .entry(cohort)
                    .or_default()
                    .apply(&changes.detector);
            }
        }
    }
}

/// What detecting holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DetectState {
    homes: Shelf<HomeDetector>,
    shared: Shared,
}

impl Stateful for DetectState {
    fn visit(&mut self, operator: &'static str, visitor: &mut impl Visit) {
        visitor.in_pieces(operator, self, |state| state.homes.by_home());
    }
}

impl DetectState {
    /// The detectors of homes; what cohorts know together, once all of it is known.
    pub(crate) fn into_parts(
        mut self,
    ) -> (
        Vec<(HomeId, Form<HomeDetector>)>,
        BTreeMap<CohortId, Counts>,
        BTreeMap<CohortId, Tails>,
    ) {
        self.shared.advance(Epoch::MAX);
        let homes = self.homes.into_all().collect();
        (homes, self.shared.counts, self.shared.tails)
    }

    /// A home's detector, if it has one, and how far its cohort's scores go.
    pub(crate) fn seen(
        &mut self,
        home: HomeId,
        cohort: CohortId,
    ) -> Option<(&HomeDetector, Tails)> {
        let tails = self.shared.tails.get(&cohort).cloned();
        Some((self.homes.seen(home)?, tails.unwrap_or_default()))
    }

    /// Nobody looks at any home for now.
    pub(crate) fn rest(&mut self) {
        self.homes.rest();
    }

    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        for worker in to.iter_mut() {
            // All workers know the same.
            worker.shared = self.shared.clone();
        }
        self.homes
            .deal(to.iter_mut().map(|worker| &mut worker.homes));
    }

    /// Takes in what arrived in an epoch.
    fn update(
        &mut self,
        (alerts, quiet): (&mut AlertState, &mut QuietState),
        epoch: Epoch,
        arrived: Arrived,
        watch: &Vigilance,
    ) -> All {
        self.shared.advance(epoch);
        let mut all = All::default();
        for mode in &arrived.modes {
            quiet.homes.of(mode.home).change(mode);
        }
        let open = arrived.open.into_iter().map(|open| (open.home, open));
        let mut open: BTreeMap<HomeId, Open> = open.collect();
        let mut by_home: BTreeMap<HomeId, Vec<Maintained>> = BTreeMap::new();
        for update in arrived.updates {
            by_home
                .entry(update.placed.key.home)
                .or_default()
                .push(update);
        }
        let standing = arrived.standing.into_iter();
        let standing: Vec<_> = standing
            .map(|s| {
                let own = by_home.remove(&s.home).unwrap_or_default();
                (own, open.remove(&s.home), s)
            })
            .collect();
        for (home, own) in by_home {
            let open = open.remove(&home);
            self.of_home(home, (watch, quiet), &mut all, |detector, around, said| {
                detector.update(around, own, said);
                alerts.close(home, detector);
                if let Some(open) = open {
                    alerts.look(detector, around, open, said);
                }
            });
        }
        self.look(open, (alerts, quiet), watch, &mut all.said);
        if !standing.is_empty() {
            // What is learnt anew is learnt over counts that have nothing of what was erased.
            self.shared.count(epoch + 1);
        }
        for (own, open, standing) in standing {
            let home = standing.home;
            self.of_home(home, (watch, quiet), &mut all, |detector, around, said| {
                detector.anew(around, &standing, own, said);
                alerts.close(home, detector);
                if let Some(open) = open {
                    alerts.look(detector, around, open, said);
                }
            });
            if self.homes.of(home).is_blank() {
                self.homes.forget(home);
                *quiet.homes.of(home) = Quiet::default();
            }
        }
        let heard = arrived.feedback.into_iter();
        let heard = heard.map(|feedback| self.hear(alerts, feedback));
        all.heard = heard.collect();
        self.homes.rest();
        all
    }

    /// Looks at open segments of homes of which nothing else changed: nothing is learnt of them.
    fn look(
        &mut self,
        open: BTreeMap<HomeId, Open>,
        (alerts, quiet): (&mut AlertState, &QuietState),
        watch: &Vigilance,
        said: &mut Said,
    ) {
        let blank = HomeDetector::default();
        for (home, open) in open {
            let (detector, shared) = (self.homes.seen(home), &self.shared);
            let detector = detector.unwrap_or(&blank);
            shared.around(home, watch, quiet, |around| {
                alerts.look(detector, around, open, said);
            });
            self.homes.pause();
        }
    }

    fn hear(&mut self, alerts: &mut AlertState, feedback: Feedback) -> Heard {
        let Feedback { home, start, .. } = feedback;
        let known =
            self.homes.knows(home) && self.homes.of(home).fine(start) || alerts.fine(home, start);
        Heard { feedback, known }
    }

    fn of_home(
        &mut self,
        home: HomeId,
        (watch, quiet): (&Vigilance, &QuietState),
        all: &mut All,
        act: impl FnOnce(&mut HomeDetector, &Around<'_>, &mut Said),
    ) {
        let cohort = watch.catalogs.cohort_of(home);
        let detector = self.homes.of(home);
        let said = &mut all.said;
        self.shared
            .around(home, watch, quiet, |around| act(detector, around, said));
        let changes = std::mem::take(&mut all.said.tails);
        if !changes.is_empty() {
            all.tails.entry(cohort).or_default().merge(&changes);
        }
        self.homes.pause();
    }
}

/// What arrives in an epoch.
#[derive(Default)]
struct Arrived {
    updates: Vec<Maintained>,
    standing: Vec<Arc<Standing>>,
    open: Vec<Open>,
    feedback: Vec<Feedback>,
    modes: Vec<Mode>,
}

/// What comes of it.
#[derive(Default)]
struct All {
    said: Said,
    tails: BTreeMap<CohortId, TailChanges>,
    heard: Vec<Heard>,
}

impl<'s> Detect<'s> for StreamVec<'s, Epoch, Placed> {
    fn detect(
        self,
        (standing, open): (
            StreamVec<'s, Epoch, Arc<Standing>>,
            StreamVec<'s, Epoch, Open>,
        ),
        notices: StreamVec<'s, Epoch, Notice>,
        pooled: StreamVec<'s, Epoch, (CohortId, Arc<CohortChanges>)>,
        watch: Vigilance,
        (held, alerts, quiet): (Held<DetectState>, Held<AlertState>, Held<QuietState>),
    ) -> DetectStreams<'s> {
        let scope = self.scope();
        let (index, peers) = (scope.index(), scope.peers());
        let (later, tails) = scope.feedback::<Vec<(CohortId, Arc<TailChanges>)>>(1);
        let mut builder = OperatorBuilder::new("Detect".to_owned(), scope);
        let mut updates = builder.new_input(self, Pipeline);
        let mut standing = builder.new_input(standing, Pipeline);
        let mut open = builder.new_input(open, Pipeline);
        let mut notices = builder.new_input(notices, Pipeline);
        let mut pooled = builder.new_input(pooled, Pipeline);
        let mut tails = builder.new_input(tails, Pipeline);
        let (output, judged) = builder.new_output::<Vec<_>>();
        let mut judged_out = OutputBuilder::from(output);
        let (output, alarms) = builder.new_output::<Vec<_>>();
        let mut alarms_out = OutputBuilder::from(output);
        let (output, reached) = builder.new_output::<Vec<_>>();
        let mut reached_out = OutputBuilder::from(output);
        let (output, heard) = builder.new_output::<Vec<_>>();
        let mut heard_out = OutputBuilder::from(output);
        let (output, looked) = builder.new_output::<Vec<_>>();
        let mut looked_out = OutputBuilder::from(output);

        builder.build(move |_capabilities| {
            let memory = watch.memory / peers;
            held.borrow_mut().homes.settle((index, peers), memory);
            alerts.borrow_mut().homes.settle(index, peers);
            quiet.borrow_mut().homes.settle(index, peers);
            let mut buffer = EpochBuffer::<Arrived>::new(5);
            move |frontiers| {
                let state = &mut *held.borrow_mut();
                let alerts = &mut *alerts.borrow_mut();
                let quiet = &mut *quiet.borrow_mut();
                each_epoch(&mut pooled, |epoch, came| {
                    // What an epoch changes is known in the next one.
                    let counted = state.shared.counted.entry(epoch + 1).or_default();
                    counted.extend(came);
                });
                each_epoch(&mut tails, |epoch, came| {
                    state.shared.reached.entry(epoch).or_default().extend(came);
                });
                buffer.gather(&mut updates, |arrived, came| {
                    arrived.updates.extend(came.map(Maintained::undetected));
                });
                buffer.gather(&mut standing, |arrived, came| arrived.standing.extend(came));
                buffer.gather(&mut open, |arrived, came| arrived.open.extend(came));
                notices.for_each_stamp(|capability, data| {
                    let notices: Vec<_> = data.flat_map(std::mem::take).collect();
                    let feedback = notices.iter().filter_map(|n| n.feedback_at(index, peers));
                    let modes = notices.iter().filter_map(|n| n.mode_at(index, peers));
                    let (feedback, modes): (Vec<_>, Vec<_>) = (feedback.collect(), modes.collect());
                    if !(feedback.is_empty() && modes.is_empty())
                        && let Some(arrived) = buffer.at(&capability)
                    {
                        arrived.feedback.extend(feedback);
                        arrived.modes.extend(modes);
                    }
                });
                while let Some((at, arrived)) = buffer.next(frontiers) {
                    let epoch = *at[0].time();
                    let All { said, tails, heard } =
                        state.update((alerts, quiet), epoch, arrived, &watch);
                    give(&mut judged_out, &at[0], said.judged);
                    give(&mut looked_out, &at[4], said.looked);
                    let alarms = said.alarms.into_iter();
                    let alarms = alarms.map(|(raised, diff)| (raised, epoch, diff));
                    give(&mut alarms_out, &at[1], alarms);
                    let tails = tails.into_iter();
                    let tails = tails.map(|(cohort, changes)| (cohort, Arc::new(changes)));
                    give(&mut reached_out, &at[2], tails);
                    give(&mut heard_out, &at[3], heard);
                }
                // Also where no home lives: nothing is to pile up.
                let known = frontiers.iter().map(first_open).min();
                state.shared.advance(known.unwrap_or(Epoch::MAX));
            }
        });
        reached.broadcast().connect_loop(later);
        DetectStreams {
            judged,
            looked,
            alarms,
            heard,
        }
    }
}
