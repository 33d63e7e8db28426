//! The behaviour graph (GSS): how often each action follows another inside a segment, and the hints drawn from it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, VecCollection};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

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
    /// State per home: a sorted table of `(from, to)` with a count for each of its regimes. Cost per event:
    /// a search in that table; changes leave consolidated, once an epoch.
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
struct HomeGraph(BTreeMap<u32, BTreeMap<(ActionId, ActionId), i64>>);

impl HomeGraph {
    fn update(
        &mut self,
        regime: u32,
        segment: &Segment,
        diff: i64,
        changes: &mut Vec<(Transition, i64)>,
    ) {
        let home = segment.home;
        let counts = self.0.entry(regime).or_default();
        for pair in segment.moments.windows(2) {
            let (from, to) = (pair[0].action, pair[1].action);
            let count = counts.entry((from, to)).or_default();
            *count += diff;
            if *count == 0 {
                counts.remove(&(from, to));
            }
            changes.push((Transition { home, from, to }, diff));
        }
    }

    fn hints(&mut self, regime: u32, k: usize) -> Hints {
        let counts = self.0.remove(&regime).unwrap_or_default();
        let mut hints: Vec<(ActionId, Vec<(ActionId, u32)>)> = Vec::new();
        for ((from, to), count) in counts {
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

#[derive(Default)]
struct Arrived {
    segments: Vec<((ShiftKey, Arc<Segment>), Epoch, i64)>,
    asked: Vec<ShiftKey>,
}

impl<'s> Transitions<'s> for VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64> {
    fn transitions(self, asked: StreamVec<'s, Epoch, ShiftKey>, k: usize) -> TransitionStreams<'s> {
        let mut builder = OperatorBuilder::new("Transitions".to_owned(), self.scope());
        let mut segments = builder.new_input(self.inner, Pipeline);
        let mut asked = builder.new_input(asked, Pipeline);
        let (output, transitions) = builder.new_output::<Vec<_>>();
        let mut transitions_out = OutputBuilder::from(output);
        let (output, hints) = builder.new_output::<Vec<_>>();
        let mut hints_out = OutputBuilder::from(output);

        builder.build(move |_capabilities| {
            let mut stash = Stash::<Arrived>::new(2);
            let mut homes: HashMap<HomeId, HomeGraph> = HashMap::new();
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
                while let Some((capabilities, arrived)) = stash.next(frontiers) {
                    let epoch = *capabilities[0].time();
                    let mut changes = Vec::new();
                    for ((key, segment), _, diff) in arrived.segments {
                        let graph = homes.entry(key.home).or_default();
                        graph.update(key.regime, &segment, diff, &mut changes);
                    }
                    consolidate(&mut changes);
                    let changes = changes.into_iter();
                    transitions_out
                        .activate()
                        .session(&capabilities[0])
                        .give_iterator(changes.map(|(edge, diff)| (edge, epoch, diff)));
                    let answers = arrived.asked.into_iter().map(|key| {
                        let graph = homes.entry(key.home).or_default();
                        (key, Arc::new(graph.hints(key.regime, k)))
                    });
                    hints_out
                        .activate()
                        .session(&capabilities[1])
                        .give_iterator(answers);
                }
            }
        });
        TransitionStreams {
            transitions: transitions.as_collection(),
            hints,
        }
    }
}
