//! Synthesis requests: a regime that has ended, its hints and its representatives, brought together.

use std::collections::BTreeMap;
use std::sync::Arc;

use differential_dataflow::{AsCollection, VecCollection};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::Map;

use crate::words::{
    Epoch, Hints, Regime, Request, RequestKey, Segment, Sequence, ShiftKey, Weekday,
};

/// A request holds at most so many representatives, as in the paper.
pub const MAX_REPRESENTATIVES: usize = 30;

/// Asks for synthesis.
pub trait Requests<'s> {
    /// Emits one request per regime that ended and weekday of its representatives, several where a weekday has more than
    /// [`MAX_REPRESENTATIVES`] of them.
    ///
    /// Differential joins and a reduce by `(home, regime)`: an ended regime changes no more, so each request is
    /// emitted once. State: the representatives and the ended regimes. Cost: per representative an insertion, per
    /// ended regime a join.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use differential_dataflow::AsCollection;
    /// use hearth_operators::request::Requests;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}};
    ///
    /// let requests = timely::example(|scope| {
    ///     let key = ShiftKey { home: HomeId(0), regime: 0 };
    ///     let segment = |day: i64| {
    ///         let moment = Moment { time: Time(day * Time::DAY), action: ActionId(0), offset: 0 };
    ///         Arc::new(Segment { home: HomeId(0), moments: vec![moment] })
    ///     };
    ///     let kept: Vec<_> = (0..3).map(|day| ((key, segment(day)), 0, 1i64)).collect();
    ///     let shift = Shift { home: None, time: Time(9 * Time::DAY), offset: 0,
    ///         kind: ShiftKind::Season, from: "winter".into(), to: "spring".into() };
    ///     let regime = Regime { shift, source: vec![segment(0).sequence()], target: vec![] };
    ///     let ended = vec![(key, Arc::new(regime))].to_stream(scope);
    ///     let hints = vec![(key, Arc::new(Hints::default()))].to_stream(scope);
    ///     kept.to_stream(scope).as_collection().requests(ended, hints).capture()
    /// });
    /// let requests = requests.extract().remove(0).1;
    /// // Thursday, Friday, Saturday.
    /// let weekdays: Vec<_> = requests.iter().map(|r| (r.key.weekday, r.requests)).collect();
    /// assert_eq!(weekdays, [(3, 3), (4, 3), (5, 3)]);
    /// ```
    fn requests(
        self,
        ended: StreamVec<'s, Epoch, (ShiftKey, Arc<Regime>)>,
        hints: StreamVec<'s, Epoch, (ShiftKey, Arc<Hints>)>,
    ) -> StreamVec<'s, Epoch, Arc<Request>>;
}

/// What a request has of its own: weekday, part, parts of the weekday, requests of the shift, representatives.
type Part = (Weekday, u16, u16, u16, Vec<Sequence>);

/// Parts the representatives of a regime, in event-time order, by weekday.
fn parts<'a>(representatives: impl Iterator<Item = &'a Arc<Segment>>) -> Vec<Part> {
    let mut weekdays: BTreeMap<Weekday, Vec<Sequence>> = BTreeMap::new();
    for segment in representatives {
        let bucket = weekdays.entry(segment.weekday()).or_default();
        bucket.push(segment.sequence());
    }
    let count = |bucket: &Vec<Sequence>| bucket.len().div_ceil(MAX_REPRESENTATIVES);
    let requests = weekdays.values().map(count).sum::<usize>() as u16;
    let mut result = Vec::new();
    for (weekday, bucket) in weekdays {
        let parts = count(&bucket) as u16;
        for (part, chunk) in bucket.chunks(MAX_REPRESENTATIVES).enumerate() {
            result.push((weekday, part as u16, parts, requests, chunk.to_vec()));
        }
    }
    result
}

impl<'s> Requests<'s> for VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64> {
    fn requests(
        self,
        ended: StreamVec<'s, Epoch, (ShiftKey, Arc<Regime>)>,
        hints: StreamVec<'s, Epoch, (ShiftKey, Arc<Hints>)>,
    ) -> StreamVec<'s, Epoch, Arc<Request>> {
        let ended = ended.updates();
        let asked = ended.clone().map(|(key, _)| key);
        self.semijoin(asked)
            .reduce(|_key, representatives, out| {
                let kept = representatives.iter().map(|(segment, _)| *segment);
                out.extend(parts(kept).into_iter().map(|part| (part, 1)));
            })
            .join(ended.join(hints.updates()))
            .records()
            .map(|(shift, (part, (regime, hints)))| {
                let (weekday, part, parts, requests, representatives) = part;
                let key = RequestKey {
                    shift,
                    weekday,
                    part,
                };
                Arc::new(Request {
                    key,
                    parts,
                    requests,
                    representatives,
                    hints,
                    regime,
                })
            })
    }
}

/// A stream of things that come once and stay, as a collection.
trait Updates<'s, D> {
    fn updates(self) -> VecCollection<'s, Epoch, D, i64>;
}

impl<'s, D: Clone + 'static> Updates<'s, D> for StreamVec<'s, Epoch, D> {
    fn updates(self) -> VecCollection<'s, Epoch, D, i64> {
        self.unary(Pipeline, "Updates", |_capability, _info| {
            move |input, output| {
                input.for_each_stamp(|capability, data| {
                    let Some(&epoch) = capability.least() else {
                        return;
                    };
                    let data = data.flat_map(std::mem::take);
                    let updates = data.map(|record| (record, epoch, 1));
                    output.session(&capability).give_iterator(updates);
                });
            }
        })
        .as_collection()
    }
}

/// A collection of things that come once and stay, as a stream.
trait Records<'s, D> {
    fn records(self) -> StreamVec<'s, Epoch, D>;
}

impl<'s, D: Clone + 'static> Records<'s, D> for VecCollection<'s, Epoch, D, i64> {
    fn records(self) -> StreamVec<'s, Epoch, D> {
        self.inner.unary(Pipeline, "Records", |_capability, _info| {
            move |input, output| {
                let port = output.output_index();
                input.for_each_stamp(|capability, data| {
                    // A message of a join may carry updates of later epochs than its own.
                    for (record, epoch, _diff) in data.flat_map(std::mem::take) {
                        let capability = capability.delayed(&epoch, port);
                        output.session(&capability).give(record);
                    }
                });
            }
        })
    }
}
