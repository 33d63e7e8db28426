//! The warm-up: the first distinct sequences of each cohort, on which its homes' first models are trained.

use std::collections::BTreeMap;
use std::sync::Arc;

use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;

use crate::split::Notice;
use crate::state::{EpochBuffer, Held, Stateful};
use crate::words::{Catalogs, CohortId, Epoch, Segment, Sequence, Time};

/// When a warm-up has seen enough. A count alone would not do: many homes bring it together within hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enough {
    /// Behaviours in distinct sequences.
    pub behaviors: usize,
    /// Event time between the first and the last segment's start, in microseconds.
    pub span: i64,
}

/// What a cohort's first models are trained on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WarmedUp {
    /// The cohort.
    pub cohort: CohortId,
    /// Its distinct sequences in order, in the cohort's words.
    pub sequences: Vec<Sequence>,
}

/// What the warm-ups hold so far, by cohort, all on the first worker.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WarmUpState(BTreeMap<CohortId, Cohort>);

/// What the warm-up of a cohort holds so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cohort {
    sequences: BTreeMap<Sequence, i64>,
    starts: BTreeMap<Time, i64>,
    done: bool,
}

impl Stateful for WarmUpState {}

impl WarmUpState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        to[0].0.extend(self.0);
    }

    fn is_done(&self, catalogs: &Catalogs) -> bool {
        let mut cohorts = catalogs.cohorts();
        cohorts.all(|cohort| self.0.get(&cohort).is_some_and(|c| c.done))
    }

    /// Takes in a complete epoch. The warm-ups that suffice with it.
    fn close(&mut self, arrived: Arrived, catalogs: &Catalogs, enough: Enough) -> Vec<WarmedUp> {
        for (segment, diff) in arrived.segments {
            let home = segment.home;
            let cohort = self.0.entry(catalogs.cohort_of(home)).or_default();
            if !cohort.done {
                let sequence = catalogs.sequence_to_cohort(home, segment.sequence());
                cohort.update(&segment, sequence, diff);
            }
        }
        let cold = self.0.iter_mut().filter(|(_, cohort)| !cohort.done);
        let warm = cold.filter_map(|(cohort, held)| {
            let sequences = held.close(arrived.ended, enough)?;
            let cohort = *cohort;
            Some(WarmedUp { cohort, sequences })
        });
        warm.collect()
    }
}

impl Cohort {
    fn update(&mut self, segment: &Segment, sequence: Sequence, diff: i64) {
        *self.sequences.entry(sequence).or_default() += diff;
        *self.starts.entry(segment.start()).or_default() += diff;
    }

    /// The sequences, once they suffice or the log has ended.
    fn close(&mut self, ended: bool, enough: Enough) -> Option<Vec<Sequence>> {
        self.sequences.retain(|_, count| *count > 0);
        self.starts.retain(|_, count| *count > 0);
        let ended = ended && !self.sequences.is_empty();
        self.done = ended || self.suffices(enough);
        self.done.then(|| {
            self.starts.clear();
            std::mem::take(&mut self.sequences).into_keys().collect()
        })
    }

    fn suffices(&self, enough: Enough) -> bool {
        let behaviors: usize = self.sequences.keys().map(|s| s.0.len()).sum();
        let first = self.starts.first_key_value();
        let ends = first.zip(self.starts.last_key_value());
        let span = ends.map_or(0, |((first, _), (last, _))| last.0 - first.0);
        behaviors >= enough.behaviors && span >= enough.span
    }
}

/// Waits for the warm-up.
pub trait WarmUp<'s> {
    /// Emits, once a cohort and on one worker, the cohort's distinct sequences in order, at the first epoch by whose end they
    /// are [`Enough`], or with which the log ends.
    ///
    /// State per cohort: those sequences with their counts, until then. Cost per segment: a search among them.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use differential_dataflow::AsCollection;
    /// use hearth_operators::split::Notice;
    /// use hearth_operators::state::Held;
    /// use hearth_operators::warm_up::{Enough, WarmUp};
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}};
    ///
    /// let sequences = timely::example(|scope| {
    ///     let segment = |week: i64, action| {
    ///         let moment = Moment { time: Time(7 * week * Time::DAY), action: ActionId(action), offset: 0 };
    ///         Arc::new(Segment { home: HomeId(0), moments: vec![moment] })
    ///     };
    ///     // Two weeks apart the same sequence counts once.
    ///     let segments = [(0, 0), (1, 0), (2, 1)].map(|(week, action)| (segment(week, action), 0, 1i64));
    ///     let segments = segments.to_vec().to_stream(scope).as_collection();
    ///     let enough = Enough { behaviors: 2000, span: 7 * Time::DAY };
    ///     let devices = vec![Device::new("Fan", vec![Action::new("on"), Action::new("off")])];
    ///     let catalogs = Catalogs::shared(Arc::new(Catalog::new(devices).unwrap()));
    ///     let notices = vec![Notice::LogEnd].to_stream(scope);
    ///     segments.warm_up(notices, catalogs, enough, Held::default()).capture()
    /// });
    /// assert_eq!(sequences.extract()[0].1[0].sequences.len(), 2);
    /// ```
    fn warm_up(
        self,
        notices: StreamVec<'s, Epoch, Notice>,
        catalogs: Arc<Catalogs>,
        enough: Enough,
        state: Held<WarmUpState>,
    ) -> StreamVec<'s, Epoch, Arc<WarmedUp>>;
}

#[derive(Default)]
struct Arrived {
    segments: Vec<(Arc<Segment>, i64)>,
    ended: bool,
}

impl<'s> WarmUp<'s> for VecCollection<'s, Epoch, Arc<Segment>, i64> {
    fn warm_up(
        self,
        notices: StreamVec<'s, Epoch, Notice>,
        catalogs: Arc<Catalogs>,
        enough: Enough,
        state: Held<WarmUpState>,
    ) -> StreamVec<'s, Epoch, Arc<WarmedUp>> {
        let one_worker = Exchange::new(|_: &(Arc<Segment>, Epoch, i64)| 0);
        self.inner.binary_frontier(
            notices,
            one_worker,
            Pipeline,
            "WarmUp",
            move |_capability, _info| {
                let mut buffer = EpochBuffer::<Arrived>::new(1);
                move |(segments, frontier), (notices, notices_frontier), output| {
                    let mut state = state.borrow_mut();
                    segments.for_each_stamp(|capability, data| {
                        let data = data.flat_map(std::mem::take);
                        if !state.is_done(&catalogs)
                            && let Some(arrived) = buffer.at(&capability)
                        {
                            arrived.segments.extend(data.map(|(s, _, diff)| (s, diff)));
                        }
                    });
                    notices.for_each_stamp(|capability, data| {
                        let ended = data.flat_map(std::mem::take).any(|n| n == Notice::LogEnd);
                        if !state.is_done(&catalogs)
                            && ended
                            && let Some(arrived) = buffer.at(&capability)
                        {
                            arrived.ended = true;
                        }
                    });
                    while let Some((capabilities, arrived)) =
                        buffer.next(&[frontier.clone(), notices_frontier.clone()])
                    {
                        let warm = state.close(arrived, &catalogs, enough);
                        let mut session = output.session(&capabilities[0]);
                        session.give_iterator(warm.into_iter().map(Arc::new));
                    }
                }
            },
        )
    }
}
