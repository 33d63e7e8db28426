//! Counts of a home's transitions: a small table of its own, asked at every event.

use serde::{Deserialize, Serialize};

use crate::words::ActionId;

/// How often each action follows another.
///
/// Open addressing in one array of eight-byte places: one look into memory finds most edges, where a general map
/// takes two or three. At most three quarters of the places are taken.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Edges {
    /// None, or a power of two of them. A place that was taken once keeps its edge, with a count of zero where it is gone.
    places: Vec<Place>,
    taken: u32,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Place {
    edge: Edge,
    count: i32,
}

/// Two actions in one number, ordered as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Edge(u32);

impl Edge {
    /// No edge: the last action id is that of the 65,536th action, and a catalog has one less.
    const NONE: Edge = Edge(u32::MAX);

    pub fn new(from: ActionId, to: ActionId) -> Self {
        Edge(u32::from(from.0) << 16 | u32::from(to.0))
    }

    pub fn actions(self) -> (ActionId, ActionId) {
        (ActionId((self.0 >> 16) as u16), ActionId(self.0 as u16))
    }
}

/// Places of the first table.
const FEW: usize = 8;

impl Edges {
    /// Changes the count of an edge.
    pub fn add(&mut self, edge: Edge, diff: i64) {
        if self.taken as usize * 4 >= self.places.len() * 3 {
            self.grow();
        }
        let place = self.find(edge);
        let place = &mut self.places[place];
        if place.edge == Edge::NONE {
            place.edge = edge;
            self.taken += 1;
        }
        let diff = i32::try_from(diff).unwrap_or(if diff < 0 { i32::MIN } else { i32::MAX });
        place.count = place.count.saturating_add(diff);
    }

    /// The counts that are not zero, in order of the edges.
    pub fn sorted(&self) -> Vec<(Edge, i32)> {
        let counted = self.places.iter().filter(|place| place.count != 0);
        let mut counts: Vec<_> = counted.map(|place| (place.edge, place.count)).collect();
        counts.sort_unstable();
        counts
    }

    /// Reads where the search for an edge begins.
    pub fn touch(&self, edge: Edge) -> i64 {
        let begin = self.places.get(self.begin(edge));
        begin.map_or(0, |place| i64::from(place.count))
    }

    /// Where the search for an edge begins.
    fn begin(&self, edge: Edge) -> usize {
        // Fibonacci hashing: the upper bits of the product are the well mixed ones.
        let hash = u64::from(edge.0.wrapping_mul(0x9e37_79b9));
        (hash * self.places.len() as u64 >> 32) as usize
    }

    /// Where the edge is, or would be. There is a free place, so the search ends.
    fn find(&self, edge: Edge) -> usize {
        let last = self.places.len() - 1;
        let mut place = self.begin(edge);
        while ![edge, Edge::NONE].contains(&self.places[place].edge) {
            place = (place + 1) & last;
        }
        place
    }

    /// Makes room, and drops edges that are gone.
    fn grow(&mut self) {
        let old = std::mem::take(&mut self.places);
        let live: Vec<Place> = old.into_iter().filter(|place| place.count != 0).collect();
        let room = (live.len() * 2).next_power_of_two().max(FEW);
        let free = Place {
            edge: Edge::NONE,
            count: 0,
        };
        self.places = vec![free; room];
        self.taken = live.len() as u32;
        for place in live {
            let free = self.find(place.edge);
            self.places[free] = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// As a map that forgets zeros.
        #[test]
        fn counts_as_a_map_does(changes in prop::collection::vec((0u16..20, 0u16..20, -2i64..3), 0..600)) {
            let (mut edges, mut map) = (Edges::default(), BTreeMap::new());
            for (from, to, diff) in changes {
                let edge = Edge::new(ActionId(from), ActionId(to));
                prop_assert_eq!(edge.actions(), (ActionId(from), ActionId(to)));
                edges.add(edge, diff);
                *map.entry(edge).or_insert(0) += diff as i32;
            }
            map.retain(|_, count| *count != 0);
            prop_assert_eq!(edges.sorted(), map.into_iter().collect::<Vec<_>>());
        }
    }
}
