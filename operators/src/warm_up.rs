//! The warm-up: the first distinct sequences of a cohort, on which its homes' first models are trained.

use std::collections::BTreeMap;
use std::sync::Arc;

use differential_dataflow::VecCollection;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;

use crate::split::Notice;
use crate::stash::Stash;
use crate::words::{Epoch, Segment, Sequence};

/// Waits for the warm-up.
pub trait WarmUp<'s> {
    /// Emits, once and on one worker, the cohort's distinct sequences in order, at the first epoch by whose end there
    /// are `size` of them, or with which the log ends.
    ///
    /// State: those sequences with their counts, until then. Cost per segment: a search among them.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use differential_dataflow::AsCollection;
    /// use hearth_operators::split::Notice;
    /// use hearth_operators::warm_up::WarmUp;
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
    ///     segments.warm_up(vec![Notice::LogEnd].to_stream(scope), 500).capture()
    /// });
    /// assert_eq!(sequences.extract()[0].1[0].len(), 2);
    /// ```
    fn warm_up(
        self,
        notices: StreamVec<'s, Epoch, Notice>,
        size: usize,
    ) -> StreamVec<'s, Epoch, Arc<Vec<Sequence>>>;
}

#[derive(Default)]
struct Arrived {
    sequences: Vec<(Sequence, i64)>,
    ended: bool,
}

impl<'s> WarmUp<'s> for VecCollection<'s, Epoch, Arc<Segment>, i64> {
    fn warm_up(
        self,
        notices: StreamVec<'s, Epoch, Notice>,
        size: usize,
    ) -> StreamVec<'s, Epoch, Arc<Vec<Sequence>>> {
        let one_worker = Exchange::new(|_: &(Arc<Segment>, Epoch, i64)| 0);
        self.inner.binary_frontier(
            notices,
            one_worker,
            Pipeline,
            "WarmUp",
            move |_capability, _info| {
                let mut stash = Stash::<Arrived>::new(1);
                let mut counts: BTreeMap<Sequence, i64> = BTreeMap::new();
                let mut done = false;
                move |(segments, frontier), (notices, told), output| {
                    segments.for_each_stamp(|capability, data| {
                        let data = data.flat_map(std::mem::take);
                        if !done && let Some(arrived) = stash.at(&capability) {
                            arrived
                                .sequences
                                .extend(data.map(|(s, _, diff)| (s.sequence(), diff)));
                        }
                    });
                    notices.for_each_stamp(|capability, data| {
                        let ended = data.flat_map(std::mem::take).any(|n| n == Notice::LogEnd);
                        if !done
                            && ended
                            && let Some(arrived) = stash.at(&capability)
                        {
                            arrived.ended = true;
                        }
                    });
                    while let Some((capabilities, arrived)) =
                        stash.next(&[frontier.clone(), told.clone()])
                    {
                        if done {
                            continue;
                        }
                        for (sequence, diff) in arrived.sequences {
                            *counts.entry(sequence).or_default() += diff;
                        }
                        counts.retain(|_, count| *count > 0);
                        done = counts.len() >= size || (arrived.ended && !counts.is_empty());
                        if done {
                            let sequences = std::mem::take(&mut counts).into_keys().collect();
                            output.session(&capabilities[0]).give(Arc::new(sequences));
                        }
                    }
                }
            },
        )
    }
}
