//! Walks over a home's behaviour graph: what it usually does next, as often as it does.

use std::collections::BTreeMap;

use hearth_operators::words::{ActionId, Hints};
use rand::Rng;

/// The graph as a request's hints have it.
pub struct Graph<'a>(BTreeMap<ActionId, &'a [(ActionId, u32)]>);

impl<'a> Graph<'a> {
    /// The graph of some hints.
    pub fn new(hints: &'a Hints) -> Self {
        let successors = hints.0.iter();
        Graph(successors.map(|(a, next)| (*a, next.as_slice())).collect())
    }

    /// From `start`, at most `steps` steps, each to a successor, drawn in proportion to its count; ends where nothing followed.
    pub fn walk(&self, start: ActionId, steps: usize, rng: &mut impl Rng) -> Vec<ActionId> {
        let mut walk = vec![start];
        while walk.len() <= steps
            && let Some(next) = self
                .0
                .get(&walk[walk.len() - 1])
                .and_then(|next| weighted(next, rng))
        {
            walk.push(next);
        }
        walk
    }
}

/// One of the actions, drawn in proportion to its weight; `None` if all weigh nothing.
pub fn weighted(choices: &[(ActionId, u32)], rng: &mut impl Rng) -> Option<ActionId> {
    let total: u64 = choices.iter().map(|&(_, weight)| u64::from(weight)).sum();
    if total == 0 {
        return None;
    }
    let mut left = rng.random_range(0..total);
    for &(action, weight) in choices {
        match left.checked_sub(u64::from(weight)) {
            None => return Some(action),
            Some(rest) => left = rest,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_walk_follows_counts() {
        let [a, b, c] = [0, 1, 2].map(ActionId);
        let hints = Hints(vec![(a, vec![(b, 3), (c, 1)]), (b, vec![(a, 0)])]);
        let graph = Graph::new(&hints);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let walks: Vec<_> = (0..4000).map(|_| graph.walk(a, 5, &mut rng)).collect();
        assert!(walks.iter().all(|w| w.len() == 2 && w[0] == a));
        let to_b = walks.iter().filter(|w| w[1] == b).count();
        assert!(
            (2880..=3120).contains(&to_b),
            "{to_b} of 4000, expected 3000"
        );
        assert_eq!(graph.walk(c, 5, &mut rng), [c]);
        assert_eq!(graph.walk(a, 0, &mut rng), [a]);
    }
}
