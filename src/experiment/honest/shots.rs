//! A few real sequences of the new context, learnt before the rest is tested on.

use std::collections::HashSet;

use hearth_operators::words::{Quadruple, Sequence};
use rand::seq::index;

use crate::models::generator;

/// Fewer test sequences than this say too little.
const ENOUGH: usize = 20;

/// What is learnt and what is left to test on.
#[derive(Debug)]
pub(super) struct Shots {
    /// Real sequences to learn.
    pub known: Vec<Sequence>,
    /// Positions of the sequences that are tested on.
    pub tested: Vec<usize>,
}

impl Shots {
    /// Draws `k` sequences to learn. The data was cut with windows that slide by one behaviour, so a behaviour stands in
    /// several sequences; whatever shares two consecutive behaviours with a drawn sequence, or is contained in one, is not
    /// tested on.
    ///
    /// # Errors
    /// Too little would be left to test on.
    pub fn draw(normal: &[Sequence], k: usize, seed: u64) -> anyhow::Result<Self> {
        if k == 0 {
            return Ok(Shots {
                known: Vec::new(),
                tested: (0..normal.len()).collect(),
            });
        }
        anyhow::ensure!(
            normal.len() >= k + ENOUGH,
            "with {k} of {} real sequences learnt, too few are left to test on",
            normal.len()
        );
        let drawn = index::sample(&mut generator(seed, 0), normal.len(), k).into_vec();
        let known: Vec<Sequence> = drawn.iter().map(|&at| normal[at].clone()).collect();
        let behaviors: HashSet<Quadruple> =
            known.iter().flat_map(|s| s.0.iter().copied()).collect();
        let runs: HashSet<[Quadruple; 2]> = known.iter().flat_map(runs).collect();
        let apart = |sequence: &Sequence| match sequence.0.as_slice() {
            [single] => !behaviors.contains(single),
            _ => !self::runs(sequence).any(|run| runs.contains(&run)),
        };
        let tested: Vec<usize> = (0..normal.len()).filter(|&at| apart(&normal[at])).collect();
        anyhow::ensure!(
            tested.len() >= ENOUGH,
            "only {} of {} real sequences share nothing with the {k} learnt ones: too few to test on",
            tested.len(),
            normal.len()
        );
        Ok(Shots { known, tested })
    }
}

fn runs(sequence: &Sequence) -> impl Iterator<Item = [Quadruple; 2]> {
    sequence.0.windows(2).map(|pair| [pair[0], pair[1]])
}

#[cfg(test)]
mod tests {
    use hearth_operators::words::ActionId;
    use proptest::prelude::*;

    use super::*;

    fn days(data: &[(u8, u8)]) -> Sequence {
        let quadruple = |&(weekday, action): &(u8, u8)| Quadruple {
            weekday,
            hours: 0,
            action: ActionId(action.into()),
        };
        Sequence(data.iter().map(quadruple).collect())
    }

    #[test]
    fn without_shots_all_is_tested() {
        let normal = vec![days(&[(0, 0)]); 3];
        let shots = Shots::draw(&normal, 0, 1).unwrap();
        assert!(shots.known.is_empty());
        assert_eq!(shots.tested, [0, 1, 2]);
        assert!(Shots::draw(&normal, 1, 1).is_err());
    }

    proptest! {
        #[test]
        fn what_is_tested_shares_no_window_with_what_is_learnt(
            data in prop::collection::vec(prop::collection::vec((0u8..7, 0u8..30), 1..5), 60..90),
            k in 1usize..4,
            seed in any::<u64>(),
        ) {
            let normal: Vec<Sequence> = data.iter().map(|s| days(s)).collect();
            let Ok(shots) = Shots::draw(&normal, k, seed) else { return Ok(()) };
            prop_assert_eq!(shots.known.len(), k);
            for &at in &shots.tested {
                for known in &shots.known {
                    let tested = &normal[at].0;
                    let within = |part: &[Quadruple]| known.0.windows(part.len()).any(|w| w == part);
                    if tested.len() == 1 {
                        prop_assert!(!within(tested));
                    } else {
                        prop_assert!(!tested.windows(2).any(within));
                    }
                }
            }
        }
    }
}
