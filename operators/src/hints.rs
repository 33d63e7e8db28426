//! Hints (GSS): of a regime that has ended, the actions that most often follow each action.

use std::sync::Arc;

use timely::dataflow::StreamVec;
use timely::dataflow::operators::vec::Map;

use crate::words::{ActionId, Epoch, Hints, Regime, Sequence, ShiftKey};

/// Draws hints.
pub trait Hinting<'s> {
    /// The `k` most frequent successors of each action inside the segments of each regime that has ended, ties broken by
    /// action id.
    ///
    /// They are drawn when a regime ends, from its data: a top-k that follows every event would cost what nobody reads. No
    /// state. Cost per regime: a sort of its behaviours.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use hearth_operators::hints::Hinting;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}};
    ///
    /// let hints = timely::example(move |scope| {
    ///     let key = ShiftKey { home: HomeId(0), regime: 0 };
    ///     let shift = Shift { home: None, time: Time(0), offset: 0,
    ///         kind: ShiftKind::Season, from: "winter".into(), to: "spring".into() };
    ///     let quadruples = [0, 1, 0, 1, 2].map(|action| Quadruple { weekday: 0, hours: 0, action: ActionId(action) });
    ///     let regime = Regime { shift, source: vec![Sequence(quadruples.to_vec())], target: vec![] };
    ///     vec![(key, Arc::new(regime))].to_stream(scope).hints(5).capture()
    /// });
    /// let (_, hints) = hints.extract().remove(0).1.remove(0);
    /// assert_eq!(hints.0[0], (ActionId(0), vec![(ActionId(1), 2)]));
    /// assert_eq!(hints.0[1], (ActionId(1), vec![(ActionId(0), 1), (ActionId(2), 1)]));
    /// ```
    fn hints(self, k: usize) -> StreamVec<'s, Epoch, (ShiftKey, Arc<Hints>)>;
}

impl<'s> Hinting<'s> for StreamVec<'s, Epoch, (ShiftKey, Arc<Regime>)> {
    fn hints(self, k: usize) -> StreamVec<'s, Epoch, (ShiftKey, Arc<Hints>)> {
        self.map(move |(key, regime)| (key, Arc::new(successors(&regime.source, k))))
    }
}

/// The `k` most frequent successors of each action that has any.
fn successors(sequences: &[Sequence], k: usize) -> Hints {
    let pairs = sequences.iter().flat_map(|s| s.0.windows(2));
    let mut edges: Vec<_> = pairs.map(|pair| (pair[0].action, pair[1].action)).collect();
    edges.sort_unstable();
    let mut hints: Vec<(ActionId, Vec<(ActionId, u32)>)> = Vec::new();
    for same in edges.chunk_by(|a, b| a == b) {
        let (from, to) = same[0];
        let successor = (to, same.len() as u32);
        match hints.last_mut() {
            Some((action, successors)) if *action == from => successors.push(successor),
            _ => hints.push((from, vec![successor])),
        }
    }
    for (_, successors) in &mut hints {
        // Stable, and the edges are in order of action: ties stay in that order.
        successors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        successors.truncate(k);
    }
    Hints(hints)
}
