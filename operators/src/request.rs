//! Synthesis requests: a regime that has ended, its hints and its representatives, brought together.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::state::{Buffered, EpochBuffer, Held, Stateful, give};
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
    /// A regime's data, hints and representatives come in the epoch in which it ends, on the worker of its home: they are brought
    /// together when that is complete, and nothing of it is kept. Cost per ended regime: a sort of its representatives.
    ///
    /// A regime that nothing represents asks for nothing: that is said as well, for its home waits to know.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use hearth_operators::request::Requests;
    /// use hearth_operators::state::Held;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}};
    ///
    /// let requests = timely::example(|scope| {
    ///     let key = ShiftKey { home: HomeId(0), regime: 0 };
    ///     let segment = |day: i64| {
    ///         let moment = Moment { time: Time(day * Time::DAY), action: ActionId(0), offset: 0 };
    ///         Arc::new(Segment { home: HomeId(0), moments: vec![moment] })
    ///     };
    ///     let sources = vec![(key, (0..3).map(segment).collect::<Vec<_>>())].to_stream(scope);
    ///     let shift = Shift { home: None, time: Time(9 * Time::DAY), offset: 0,
    ///         kind: ShiftKind::Season, from: "winter".into(), to: "spring".into() };
    ///     let regime = Regime { shift, source: vec![segment(0).sequence()], target: vec![] };
    ///     let ended = vec![(key, Arc::new(regime))].to_stream(scope);
    ///     let hints = vec![(key, Arc::new(Hints::default()))].to_stream(scope);
    ///     sources.requests(ended, hints, Held::default()).requests.capture()
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
        state: Held<RequestState>,
    ) -> RequestStreams<'s>;
}

/// What becomes of regimes that ended.
pub struct RequestStreams<'s> {
    /// Requests for synthesis.
    pub requests: StreamVec<'s, Epoch, Arc<Request>>,
    /// Regimes that ask for nothing.
    pub unasked: StreamVec<'s, Epoch, ShiftKey>,
}

/// What is known of a regime that ended in an epoch that is still open.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Ended {
    regime: Option<Arc<Regime>>,
    hints: Option<Arc<Hints>>,
    representatives: Vec<Arc<Segment>>,
}

type Arrived = BTreeMap<ShiftKey, Ended>;

/// What the requests wait for, of epochs that are still open.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RequestState {
    open: Buffered<Arrived>,
}

impl Stateful for RequestState {}

impl RequestState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        let workers = to.len();
        for (epoch, arrived) in self.open {
            for (key, ended) in arrived {
                let worker = &mut to[key.home.0 as usize % workers];
                merge(worker.open.entry(epoch).or_default(), [(key, ended)].into());
            }
        }
    }
}

fn merge(arrived: &mut Arrived, more: Arrived) {
    for (key, ended) in more {
        let place = arrived.entry(key).or_default();
        place.regime = place.regime.take().or(ended.regime);
        place.hints = place.hints.take().or(ended.hints);
        place.representatives.extend(ended.representatives);
    }
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

/// The requests of a regime, once all of it is there; none where nothing represents it.
fn requests(shift: ShiftKey, ended: &Ended) -> Vec<Arc<Request>> {
    let (Some(regime), Some(hints)) = (&ended.regime, &ended.hints) else {
        return Vec::new();
    };
    let parts = parts(ended.representatives.iter()).into_iter();
    let request = |(weekday, part, parts, requests, representatives): Part| {
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
            hints: hints.clone(),
            regime: regime.clone(),
        })
    };
    parts.map(request).collect()
}

impl<'s> Requests<'s> for StreamVec<'s, Epoch, (ShiftKey, Vec<Arc<Segment>>)> {
    fn requests(
        self,
        ended: StreamVec<'s, Epoch, (ShiftKey, Arc<Regime>)>,
        hints: StreamVec<'s, Epoch, (ShiftKey, Arc<Hints>)>,
        state: Held<RequestState>,
    ) -> RequestStreams<'s> {
        let mut builder = OperatorBuilder::new("Requests".to_owned(), self.scope());
        state.wake(self.scope(), builder.operator_info().address);
        let mut sources = builder.new_input(self, Pipeline);
        let mut regimes = builder.new_input(ended, Pipeline);
        let mut hints = builder.new_input(hints, Pipeline);
        let (output, asked) = builder.new_output::<Vec<_>>();
        let mut asked_out = OutputBuilder::from(output);
        let (output, unasked) = builder.new_output::<Vec<_>>();
        let mut unasked_out = OutputBuilder::from(output);

        builder.build(move |initial| {
            let open = std::mem::take(&mut state.borrow_mut().open);
            let mut buffer = EpochBuffer::<Arrived>::restored(open, &initial);
            move |frontiers| {
                sources.for_each_stamp(|capability, data| {
                    if let Some(arrived) = buffer.at(&capability) {
                        for (key, kept) in data.flat_map(std::mem::take) {
                            arrived.entry(key).or_default().representatives = kept;
                        }
                    }
                });
                regimes.for_each_stamp(|capability, data| {
                    if let Some(arrived) = buffer.at(&capability) {
                        for (key, regime) in data.flat_map(std::mem::take) {
                            arrived.entry(key).or_default().regime = Some(regime);
                        }
                    }
                });
                hints.for_each_stamp(|capability, data| {
                    if let Some(arrived) = buffer.at(&capability) {
                        for (key, hints) in data.flat_map(std::mem::take) {
                            arrived.entry(key).or_default().hints = Some(hints);
                        }
                    }
                });
                while state.is_running()
                    && let Some((capabilities, arrived)) = buffer.next(frontiers)
                {
                    for (key, ended) in arrived {
                        let asked = requests(key, &ended);
                        if asked.is_empty() {
                            give(&mut unasked_out, &capabilities[1], [key]);
                        }
                        give(&mut asked_out, &capabilities[0], asked);
                    }
                }
                if state.is_released() {
                    buffer.release(&mut state.borrow_mut().open, merge);
                }
            }
        });
        RequestStreams {
            requests: asked,
            unasked,
        }
    }
}
