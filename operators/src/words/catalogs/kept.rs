//! The form in which catalogs are kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CohortId, Standing, Words};
use crate::words::{ActionId, Catalog, Catalogs};

/// As they are written.
#[derive(Serialize, Deserialize)]
pub(super) struct Form {
    /// The different ones, each with how its actions are called in its cohort; none: as there.
    standings: Vec<(Arc<Catalog>, CohortId, Option<Vec<ActionId>>)>,
    homes: Vec<u32>,
    others: u32,
    cohorts: Vec<Arc<Catalog>>,
}

impl From<Catalogs> for Form {
    fn from(catalogs: Catalogs) -> Self {
        let standings = catalogs.standings.into_iter().map(|standing| {
            let words = standing.words.map(|words| words.to.into_vec());
            (standing.catalog, standing.cohort, words)
        });
        Form {
            standings: standings.collect(),
            homes: catalogs.homes,
            others: catalogs.others,
            cohorts: catalogs.cohorts,
        }
    }
}

/// Why what was kept is no catalogs.
#[derive(Debug)]
pub(super) struct Misfit;

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("these catalogs do not fit together")
    }
}

impl TryFrom<Form> for Catalogs {
    type Error = Misfit;

    fn try_from(form: Form) -> Result<Self, Misfit> {
        let mut cohorts = form.cohorts;
        let places = form.homes.iter().chain([&form.others]);
        let there = |place: &u32| (*place as usize) < form.standings.len();
        if !places.into_iter().all(there) {
            return Err(Misfit);
        }
        let mut standings = Vec::new();
        for (catalog, cohort, to) in form.standings {
            let shared = cohorts.get_mut(cohort.0 as usize).ok_or(Misfit)?;
            let words = match to {
                None if catalog.is(shared) => {
                    *shared = catalog.clone();
                    None
                }
                Some(to) if stands(&catalog, &to, shared) => Some(Words::new(to)),
                _ => return Err(Misfit),
            };
            standings.push(Standing {
                catalog,
                cohort,
                words,
            });
        }
        Ok(Catalogs {
            standings,
            homes: form.homes,
            others: form.others,
            cohorts,
        })
    }
}

/// Whether each action of a home is called as another one of its cohort.
pub(super) fn stands(catalog: &Catalog, to: &[ActionId], cohort: &Catalog) -> bool {
    let distinct: BTreeSet<&ActionId> = to.iter().collect();
    to.len() == catalog.actions()
        && distinct.len() == to.len()
        && to.iter().all(|action| cohort.contains(*action))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{catalogs, own};
    use super::*;
    use crate::words::{Action, Device};

    fn same(one: &Catalogs, other: &Catalogs) -> bool {
        let [one, other] = [one, other].map(|catalogs| Form::from(catalogs.clone()));
        let alike = |(one, other): (&Arc<Catalog>, &Arc<Catalog>)| one.is(other);
        let mut standings = one.standings.iter().zip(&other.standings);
        (one.homes, one.others) == (other.homes, other.others)
            && one.standings.len() == other.standings.len()
            && one.cohorts.len() == other.cohorts.len()
            && one.cohorts.iter().zip(&other.cohorts).all(alike)
            && standings.all(|(one, other)| {
                alike((&one.0, &other.0)) && (one.1, &one.2) == (other.1, &other.2)
            })
    }

    proptest! {
        /// What is read is what was written, and becomes what that would.
        #[test]
        fn catalogs_are_read_as_they_were(
            first in prop::collection::vec((0u32..2, catalogs()), 1..5),
            later in prop::collection::vec((0u32..2, catalogs()), 1..7),
        ) {
            let was = Catalogs::new(own(&first), None).unwrap();
            let met = Catalogs::new(own(&later), None).unwrap();
            let now = was.grown(&met, first.len()).unwrap();
            for catalogs in [was, now] {
                let read = Catalogs::try_from(Form::from(catalogs.clone())).unwrap();
                prop_assert!(same(&read, &catalogs));
                let [one, other] = [&read, &catalogs].map(|it| it.grown(&met, first.len()).unwrap());
                prop_assert!(same(&one, &other));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_none() {
        let catalog = |actions: &[&str]| {
            let actions = actions.iter().map(|action| Action::new(*action));
            let devices = vec![Device::new("Lamp", actions.collect())];
            Arc::new(Catalog::new(devices).unwrap())
        };
        let (lamp, other) = (catalog(&["on", "off"]), catalog(&["on"]));
        let fits = |words: Option<&[u16]>, homes: &[u32], cohort, shared: &Arc<Catalog>| {
            let words = words.map(|words| words.iter().copied().map(ActionId).collect());
            let form = Form {
                standings: vec![(lamp.clone(), CohortId(cohort), words)],
                homes: homes.to_vec(),
                others: 0,
                cohorts: vec![shared.clone()],
            };
            Catalogs::try_from(form).is_ok()
        };
        assert!(fits(None, &[0], 0, &lamp) && fits(Some(&[1, 0]), &[], 0, &lamp));
        assert!(!fits(None, &[1], 0, &lamp) && !fits(None, &[0], 1, &lamp));
        assert!(!fits(None, &[0], 0, &other) && !fits(Some(&[1, 0]), &[0], 0, &other));
        for words in [&[0][..], &[0, 0], &[0, 2], &[0, 1, 1]] {
            assert!(!fits(Some(words), &[0], 0, &lamp), "{words:?}");
        }
    }
}
