//! The warm-up: the first distinct sequences of a cohort, on which its homes' first models are trained.

use std::collections::BTreeMap;
use std::sync::Arc;

use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;

use crate::split::Notice;
use crate::state::{EpochBuffer, Held};
use crate::words::{Epoch, Segment, Sequence, Time};

/// When a warm-up has seen enough. A count alone would not do: many homes bring it together within hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enough {
    /// Behaviours in distinct sequences.
    pub behaviors: usize,
    /// Event time between the first and the last segment's start, in microseconds.
    pub span: i64,
}

/// What the warm-up holds so far, all on the first worker.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct WarmUpState {
    sequences: BTreeMap<Sequence, i64>,
    starts: BTreeMap<Time, i64>,
    done: bool,
}

impl WarmUpState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        let first = &mut to[0];
        first.sequences.extend(self.sequences);
        first.starts.extend(self.starts);
        first.done |= self.done;
    }

    fn update(&mut self, segment: &Segment, diff: i64) {
        *self.sequences.entry(segment.sequence()).or_default() += diff;
        *self.starts.entry(segment.start()).or_default() += diff;
    }

    fn settle(&mut self) {
        self.sequences.retain(|_, count| *count > 0);
        self.starts.retain(|_, count| *count > 0);
    }

    /// Takes in a complete epoch. The warm-up's sequences, once they suffice.
    fn close(&mut self, arrived: Arrived, enough: Enough) -> Option<Vec<Sequence>> {
        if self.done {
            return None;
        }
        for (segment, diff) in arrived.segments {
            self.update(&segment, diff);
        }
        self.settle();
        let ended = arrived.ended && !self.sequences.is_empty();
        self.done = ended || self.suffices(enough);
        self.done.then(|| {
            self.starts.clear();
            std::mem::take(&mut self.sequences).into_keys().collect()
        })
    }

    fn suffices(&self, enough: Enough) -> bool {
        let behaviors: usize = self.sequences.keys().map(|s| s.0.len()).sum();
        let ends = self
            .starts
            .first_key_value()
            .zip(self.starts.last_key_value());
        let span = ends.map_or(0, |((first, _), (last, _))| last.0 - first.0);
        behaviors >= enough.behaviors && span >= enough.span
    }
}

/// Waits for the warm-up.
pub trait WarmUp<'s> {
    /// Emits, once and on one worker, the cohort's distinct sequences in order, at the first epoch by whose end they
    /// are [`Enough`], or with which the log ends.
    ///
    /// State: those sequences with their counts, until then. Cost per segment: a search among them.
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
    ///     segments.warm_up(vec![Notice::LogEnd].to_stream(scope), enough, Held::default()).capture()
    /// });
    /// assert_eq!(sequences.extract()[0].1[0].len(), 2);
    /// ```
    fn warm_up(
        self,
        notices: StreamVec<'s, Epoch, Notice>,
        enough: Enough,
        state: Held<WarmUpState>,
    ) -> StreamVec<'s, Epoch, Arc<Vec<Sequence>>>;
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
        enough: Enough,
        state: Held<WarmUpState>,
    ) -> StreamVec<'s, Epoch, Arc<Vec<Sequence>>> {
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
                        if !state.done
                            && let Some(arrived) = buffer.at(&capability)
                        {
                            arrived.segments.extend(data.map(|(s, _, diff)| (s, diff)));
                        }
                    });
                    notices.for_each_stamp(|capability, data| {
                        let ended = data.flat_map(std::mem::take).any(|n| n == Notice::LogEnd);
                        if !state.done
                            && ended
                            && let Some(arrived) = buffer.at(&capability)
                        {
                            arrived.ended = true;
                        }
                    });
                    while let Some((capabilities, arrived)) =
                        buffer.next(&[frontier.clone(), notices_frontier.clone()])
                    {
                        if let Some(sequences) = state.close(arrived, enough) {
                            output.session(&capabilities[0]).give(Arc::new(sequences));
                        }
                    }
                }
            },
        )
    }
}
