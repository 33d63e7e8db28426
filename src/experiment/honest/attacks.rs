//! Attacks that are harder to find than the paper's: made of what is usual in the new context, out of place.
//!
//! What is usual is taken from the normal sequences that are tested on, so that an attack cannot be known by its words
//! alone. A sequence to which an attack cannot be done is left out of that attack's figures.

use std::collections::BTreeSet;

use hearth_operators::words::{ActionId, Catalog, HOURS, Hours, Quadruple, Sequence};
use rand::Rng;
use rand::seq::{IndexedMutRandom, IndexedRandom};

use crate::models::generator;

/// What is done to a normal sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    /// One action is replaced by another usual one, at the same time.
    Swapped,
    /// One behaviour is moved to an hour at which its action never happens.
    Hour,
    /// Two neighbouring actions change places, which then follow each other as they never do.
    Order,
    /// A closing action is missing: what was opened stays open.
    Unclosed,
    /// One behaviour happens five times.
    Burst,
}

/// How often a burst repeats what happened once.
const REPEATS: usize = 4;

impl Harm {
    pub const ALL: [Harm; 5] = [
        Harm::Swapped,
        Harm::Hour,
        Harm::Order,
        Harm::Unclosed,
        Harm::Burst,
    ];

    /// What stands behind the colon of its figures' names.
    pub fn name(self) -> &'static str {
        match self {
            Harm::Swapped => "swapped",
            Harm::Hour => "hour",
            Harm::Order => "order",
            Harm::Unclosed => "unclosed",
            Harm::Burst => "burst",
        }
    }
}

/// What is usual in a context.
pub(super) struct Usual<'a> {
    catalog: &'a Catalog,
    actions: Vec<ActionId>,
    times: BTreeSet<(ActionId, Hours)>,
    follows: BTreeSet<(ActionId, ActionId)>,
}

impl<'a> Usual<'a> {
    /// Counts the normal sequences of a context.
    pub fn of(catalog: &'a Catalog, normal: &[Sequence]) -> Self {
        let all = || normal.iter().flat_map(|s| &s.0);
        let actions: BTreeSet<ActionId> = all().map(|q| q.action).collect();
        let follows = normal.iter().flat_map(|s| s.0.windows(2));
        Usual {
            catalog,
            actions: actions.into_iter().collect(),
            times: all().map(|q| (q.action, q.hours)).collect(),
            follows: follows
                .map(|pair| (pair[0].action, pair[1].action))
                .collect(),
        }
    }

    /// The attacked copy of normal sequence number `at`; `None` where this attack cannot be done to it.
    pub fn attack(&self, harm: Harm, at: usize, normal: &Sequence, seed: u64) -> Option<Sequence> {
        let stream = (harm as u64) << 32 | at as u64;
        let mut rng = generator(seed, stream);
        let mut behaviors = normal.0.clone();
        match harm {
            Harm::Swapped => {
                let place = behaviors.choose_mut(&mut rng)?;
                let others: Vec<ActionId> = self
                    .actions
                    .iter()
                    .copied()
                    .filter(|action| *action != place.action)
                    .collect();
                place.action = *others.choose(&mut rng)?;
            }
            Harm::Hour => {
                let place = behaviors.choose_mut(&mut rng)?;
                let wrong: Vec<Hours> = (0..HOURS.len() as Hours)
                    .filter(|hours| !self.times.contains(&(place.action, *hours)))
                    .collect();
                place.hours = *wrong.choose(&mut rng)?;
            }
            Harm::Order => {
                let anomalous = |at: usize| {
                    let (a, b) = (behaviors[at].action, behaviors[at + 1].action);
                    a != b && !self.follows.contains(&(b, a))
                };
                let places: Vec<usize> = (0..behaviors.len().saturating_sub(1))
                    .filter(|&at| anomalous(at))
                    .collect();
                let at = *places.choose(&mut rng)?;
                let earlier = behaviors[at].action;
                behaviors[at].action = behaviors[at + 1].action;
                behaviors[at + 1].action = earlier;
            }
            Harm::Unclosed => {
                let closes_one_before = |at: &usize| {
                    let closes = self.catalog.closes(behaviors[*at].action);
                    behaviors[..*at].iter().any(|q| closes.contains(&q.action))
                };
                let places: Vec<usize> = (0..behaviors.len()).filter(closes_one_before).collect();
                behaviors.remove(*places.choose(&mut rng)?);
            }
            Harm::Burst => {
                let at = rng.random_range(0..behaviors.len().max(1));
                let repeated: Quadruple = *behaviors.get(at)?;
                behaviors.splice(at..at, [repeated; REPEATS]);
            }
        }
        Some(Sequence(behaviors))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::catalog_of;

    fn sequences() -> impl Strategy<Value = Vec<Sequence>> {
        let behavior = (0u8..7, 0u8..8, 0u16..6).prop_map(|(weekday, hours, action)| Quadruple {
            weekday,
            hours,
            action: ActionId(action),
        });
        let sequence = prop::collection::vec(behavior, 1..7).prop_map(Sequence);
        prop::collection::vec(sequence, 1..12)
    }

    proptest! {
        /// Each attack does what it says, to a sequence of usual words, and nothing else.
        #[test]
        fn attacks_do_what_they_say(normal in sequences(), seed in 0u64..50) {
            let actions: &[&str] = &["on", "off"];
            let catalog = catalog_of(&["Fan", "Light", "Lamp"].map(|name| (name, actions)));
            let usual = Usual::of(&catalog, &normal);
            for (at, plain) in normal.iter().enumerate() {
                for harm in Harm::ALL {
                    let Some(attacked) = usual.attack(harm, at, plain, seed) else { continue };
                    prop_assert_ne!(&attacked, plain);
                    let again = usual.attack(harm, at, plain, seed);
                    prop_assert_eq!(Some(&attacked), again.as_ref());
                    let known = attacked.0.iter().all(|q| usual.actions.contains(&q.action));
                    prop_assert!(known);
                    let differ = plain.0.iter().zip(&attacked.0).filter(|(a, b)| a != b);
                    let differ: Vec<_> = differ.collect();
                    match harm {
                        Harm::Swapped | Harm::Hour => {
                            prop_assert_eq!(differ.len(), 1);
                            let (a, b) = differ[0];
                            prop_assert_eq!(a.weekday, b.weekday);
                            if harm == Harm::Swapped {
                                prop_assert_eq!(a.hours, b.hours);
                            } else {
                                prop_assert_eq!(a.action, b.action);
                                prop_assert!(!usual.times.contains(&(b.action, b.hours)));
                            }
                        }
                        Harm::Order => {
                            let times = |s: &Sequence| s.0.iter().map(|q| (q.weekday, q.hours)).collect::<Vec<_>>();
                            prop_assert_eq!(times(plain), times(&attacked));
                            let anomalous = attacked.0.windows(2).any(|p| !usual.follows.contains(&(p[0].action, p[1].action)));
                            prop_assert!(anomalous);
                        }
                        Harm::Unclosed => prop_assert_eq!(attacked.0.len() + 1, plain.0.len()),
                        Harm::Burst => prop_assert_eq!(attacked.0.len(), plain.0.len() + REPEATS),
                    }
                }
            }
        }
    }
}
