//! The behaviour graph (GSS): how often each action follows another inside a segment.

use std::sync::Arc;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, VecCollection};
use serde::{Deserialize, Serialize};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::state::EpochBuffer;
use crate::words::{ActionId, Epoch, HomeId, Segment};

/// An edge of a home's graph: `from → to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Transition {
    /// The home.
    pub home: HomeId,
    /// The action before.
    pub from: ActionId,
    /// The action that follows it.
    pub to: ActionId,
}

/// Counts transitions.
pub trait Transitions<'s> {
    /// Maintains the graph of each home over all its regimes: an edge's multiplicity is its weight.
    ///
    /// Changes leave consolidated, once an epoch. No state: what an edge's weight changes by follows from the segments that
    /// come and go. Who wants the weights of a regime that has ended finds them in its data
    /// ([`hints`](crate::hints::Hinting::hints)). Cost per event: its share of a sort of the changes of one home. Segments of a
    /// home are expected on one worker, as [`Split`](crate::split::Split) leaves them.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use differential_dataflow::AsCollection;
    /// use hearth_operators::transitions::Transitions;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}};
    ///
    /// let transitions = timely::example(move |scope| {
    ///     let moments = [0, 1, 0, 1, 2].into_iter().enumerate().map(|(i, action)| Moment {
    ///         time: Time(i as i64), action: ActionId(action), offset: 0 }).collect();
    ///     let segment = Arc::new(Segment { home: HomeId(0), moments });
    ///     let segments = vec![(segment, 0, 1i64)].to_stream(scope).as_collection();
    ///     segments.transitions().inner.capture()
    /// });
    /// let counts = transitions.extract().remove(0).1;
    /// let counts: Vec<_> = counts.into_iter().map(|(edge, _, diff)| (edge.from.0, edge.to.0, diff)).collect();
    /// assert_eq!(counts, [(0, 1, 2), (1, 0, 1), (1, 2, 1)]);
    /// ```
    fn transitions(self) -> VecCollection<'s, Epoch, Transition, i64>;
}

/// Two actions in one number, ordered as they are: what changes is sorted by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Edge(u32);

impl Edge {
    fn of(home: HomeId, Edge(edge): Edge) -> Transition {
        Transition {
            home,
            from: ActionId((edge >> 16) as u16),
            to: ActionId(edge as u16),
        }
    }
}

/// The edges of a segment, in its order.
fn edges(segment: &Segment) -> impl Iterator<Item = Edge> {
    let pairs = segment.moments.windows(2);
    pairs.map(|pair| Edge(u32::from(pair[0].action.0) << 16 | u32::from(pair[1].action.0)))
}

impl<'s> Transitions<'s> for VecCollection<'s, Epoch, Arc<Segment>, i64> {
    fn transitions(self) -> VecCollection<'s, Epoch, Transition, i64> {
        let mut builder = OperatorBuilder::new("Transitions".to_owned(), self.scope());
        let mut segments = builder.new_input(self.inner, Pipeline);
        let (output, transitions) = builder.new_output::<Vec<_>>();
        let mut output = OutputBuilder::from(output);

        builder.build(move |_capabilities| {
            let mut buffer = EpochBuffer::<Vec<(Arc<Segment>, Epoch, i64)>>::new(1);
            let mut changes = Vec::new();
            move |frontiers| {
                segments.for_each_stamp(|capability, data| {
                    if let Some(arrived) = buffer.at(&capability) {
                        arrived.extend(data.flat_map(std::mem::take));
                    }
                });
                while let Some((capabilities, mut segments)) = buffer.next(frontiers) {
                    let epoch = *capabilities[0].time();
                    if !segments.is_sorted_by_key(|(segment, _, _)| segment.home) {
                        segments.sort_by_key(|(segment, _, _)| segment.home);
                    }
                    let mut output = output.activate();
                    let mut session = output.session(&capabilities[0]);
                    // A home at a time: what changes twice is found by sorting few, not many.
                    for all in segments.chunk_by(|(a, _, _), (b, _, _)| a.home == b.home) {
                        let home = all[0].0.home;
                        for (segment, _, diff) in all {
                            changes.extend(edges(segment).map(|edge| (edge, *diff)));
                        }
                        consolidate(&mut changes);
                        let changes = changes.drain(..);
                        session.give_iterator(
                            changes.map(|(edge, diff)| (Edge::of(home, edge), epoch, diff)),
                        );
                    }
                    segments.clear();
                    buffer.reuse(segments);
                }
            }
        });
        transitions.as_collection()
    }
}
