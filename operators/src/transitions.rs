//! The behaviour graph (GSS): how often each action follows another inside a segment, and the hints drawn from it.

use std::sync::Arc;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, VecCollection};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::ahead;
use crate::edges::{Edge, Edges};
use crate::homes::States;
use crate::stash::Stash;
use crate::words::{ActionId, Epoch, Hints, HomeId, Segment, ShiftKey};

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

/// The streams that [`Transitions::transitions`] maintains.
pub struct TransitionStreams<'s> {
    /// The edges of each home's graph over all its regimes; an edge's multiplicity is its weight.
    pub transitions: VecCollection<'s, Epoch, Transition, i64>,
    /// The hints of each regime asked about, as of the epoch of the question.
    pub hints: StreamVec<'s, Epoch, (ShiftKey, Arc<Hints>)>,
}

/// Counts transitions.
pub trait Transitions<'s> {
    /// Maintains the graph of each home, and answers `asked` with the `k` most frequent successors of each action
    /// in that regime, ties broken by action id. A regime that was asked about is over, and its counts are dropped.
    ///
    /// Segments are expected where their home lives, as [`Shifts`](crate::shift::Shifts) leaves them. State per home: a
    /// table of `(from, to)` with a count for each of its regimes, about 14 bytes an edge. Cost per event: a look into that
    /// table; changes leave consolidated, once an epoch.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use differential_dataflow::{AsCollection, VecCollection};
    /// use hearth_operators::transitions::Transitions;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}};
    ///
    /// let key = ShiftKey { home: HomeId(0), regime: 0 };
    /// let hints = timely::example(move |scope| {
    ///     let moments = [0, 1, 0, 1, 2].into_iter().enumerate().map(|(i, action)| Moment {
    ///         time: Time(i as i64), action: ActionId(action), offset: 0 }).collect();
    ///     let segment = Arc::new(Segment { home: HomeId(0), moments });
    ///     let regimes = vec![((key, segment), 0, 1i64)].to_stream(scope).as_collection();
    ///     regimes.transitions(vec![key].to_stream(scope), 5).hints.capture()
    /// });
    /// let (_, hints) = hints.extract().remove(0).1.remove(0);
    /// assert_eq!(hints.0[0], (ActionId(0), vec![(ActionId(1), 2)]));
    /// ```
    fn transitions(self, asked: StreamVec<'s, Epoch, ShiftKey>, k: usize) -> TransitionStreams<'s>;
}

/// One home's state: the counts of each regime that was not asked about yet.
#[derive(Debug, Default, Serialize, Deserialize)]
struct HomeGraph {
    /// The regime that was last looked at, which most homes have alone, with its counts.
    regime: u32,
    edges: Edges,
    others: Vec<(u32, Edges)>,
}

impl HomeGraph {
    /// The counts of a regime.
    fn edges(&mut self, regime: u32) -> &mut Edges {
        if regime != self.regime {
            let edges = self.take(regime);
            let before = std::mem::replace(&mut self.edges, edges);
            self.others.push((self.regime, before));
            self.regime = regime;
        }
        &mut self.edges
    }

    /// Takes the counts of a regime out.
    fn take(&mut self, regime: u32) -> Edges {
        if regime == self.regime {
            return std::mem::take(&mut self.edges);
        }
        let place = self.others.iter().position(|(r, _)| *r == regime);
        place.map_or_else(Edges::default, |place| self.others.swap_remove(place).1)
    }

    /// Reads where the counts of a segment's edges will change.
    fn touch(&self, segment: &Segment) -> i64 {
        edges(segment).fold(0, |sum, edge| sum ^ self.edges.touch(edge))
    }

    /// Counts the edges of a segment.
    fn update(&mut self, regime: u32, segment: &Segment, diff: i64) {
        let counts = self.edges(regime);
        for edge in edges(segment) {
            counts.add(edge, diff);
        }
    }

    fn hints(&mut self, regime: u32, k: usize) -> Hints {
        let mut hints: Vec<(ActionId, Vec<(ActionId, u32)>)> = Vec::new();
        for (edge, count) in self.take(regime).sorted() {
            let (from, to) = edge.actions();
            let successor = (to, u32::try_from(count).unwrap_or(0));
            match hints.last_mut() {
                Some((action, successors)) if *action == from => successors.push(successor),
                _ => hints.push((from, vec![successor])),
            }
        }
        for (_, successors) in &mut hints {
            // Stable, and the table is in order of action: ties stay in that order.
            successors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            successors.truncate(k);
        }
        Hints(hints)
    }
}

/// The edges of a segment, in its order.
fn edges(segment: &Segment) -> impl Iterator<Item = Edge> {
    let pairs = segment.moments.windows(2);
    pairs.map(|pair| Edge::new(pair[0].action, pair[1].action))
}

#[derive(Default)]
struct Arrived {
    segments: Vec<((ShiftKey, Arc<Segment>), Epoch, i64)>,
    asked: Vec<ShiftKey>,
}

impl<'s> Transitions<'s> for VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64> {
    fn transitions(self, asked: StreamVec<'s, Epoch, ShiftKey>, k: usize) -> TransitionStreams<'s> {
        let mut builder = OperatorBuilder::new("Transitions".to_owned(), self.scope());
        let (index, peers) = (self.scope().index(), self.scope().peers());
        let mut segments = builder.new_input(self.inner, Pipeline);
        let mut asked = builder.new_input(asked, Pipeline);
        let (output, transitions) = builder.new_output::<Vec<_>>();
        let mut transitions_out = OutputBuilder::from(output);
        let (output, hints) = builder.new_output::<Vec<_>>();
        let mut hints_out = OutputBuilder::from(output);

        builder.build(move |_capabilities| {
            let mut stash = Stash::<Arrived>::new(2);
            let mut homes = States::<HomeGraph>::new(index, peers);
            let mut changes = Vec::new();
            move |frontiers| {
                segments.for_each_stamp(|capability, data| {
                    if let Some(arrived) = stash.at(&capability) {
                        arrived.segments.extend(data.flat_map(std::mem::take));
                    }
                });
                asked.for_each_stamp(|capability, data| {
                    if let Some(arrived) = stash.at(&capability) {
                        arrived.asked.extend(data.flat_map(std::mem::take));
                    }
                });
                while let Some((capabilities, mut arrived)) = stash.next(frontiers) {
                    let epoch = *capabilities[0].time();
                    let segments = &mut arrived.segments;
                    if !segments.is_sorted_by_key(|((key, _), _, _)| key.home) {
                        segments.sort_by_key(|((key, _), _, _)| key.home);
                    }
                    let mut transitions = transitions_out.activate();
                    let mut session = transitions.session(&capabilities[0]);
                    // A home at a time: what changes twice is found by sorting few, not many.
                    for all in segments.chunk_by(|((a, _), _, _), ((b, _), _, _)| a.home == b.home)
                    {
                        let home = all[0].0.0.home;
                        for ((_, segment), _, diff) in all {
                            changes.extend(edges(segment).map(|edge| (edge, *diff)));
                        }
                        consolidate(&mut changes);
                        session.give_iterator(changes.drain(..).map(|(edge, diff)| {
                            let (from, to) = edge.actions();
                            (Transition { home, from, to }, epoch, diff)
                        }));
                    }
                    for block in segments.chunks(ahead::BLOCK) {
                        ahead::touch(block, |((key, segment), _, _)| {
                            let graph = homes.get(key.home);
                            graph.map_or(0, |graph| graph.touch(segment))
                        });
                        for ((key, segment), _, diff) in block {
                            homes.of(key.home).update(key.regime, segment, *diff);
                        }
                    }
                    arrived.segments.clear();
                    let answers = arrived.asked.drain(..).map(|key| {
                        let graph = homes.of(key.home);
                        (key, Arc::new(graph.hints(key.regime, k)))
                    });
                    hints_out
                        .activate()
                        .session(&capabilities[1])
                        .give_iterator(answers);
                    stash.reuse(arrived);
                }
            }
        });
        TransitionStreams {
            transitions: transitions.as_collection(),
            hints,
        }
    }
}
