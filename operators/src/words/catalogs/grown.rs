//! What catalogs become when more was met: what was known keeps its ids, in its home and in its cohort.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{ACTION, CohortError, CohortId, DEVICE, Standing, Words, name, places};
use crate::words::{Action, ActionId, Catalog, CatalogError, Catalogs, Device, DeviceId, HomeId};

impl Catalogs {
    /// What these catalogs become when `met` is what was found since, of the same homes and others behind the first `known`.
    ///
    /// An action that a home had keeps its id and its place in the cohort; what is new comes behind, of devices of a kind with the
    /// next ordinal that the home has not. So what was counted under the old ids stays true under the new ones.
    ///
    /// # Errors
    /// What a home or a cohort has is more than a catalog can hold.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use hearth_operators::words::*;
    ///
    /// let catalog = |actions: &[&str]| {
    ///     let lamp = Device::new("Lamp", actions.iter().map(|action| Action::new(*action)).collect());
    ///     Arc::new(Catalog::new(vec![lamp]).unwrap())
    /// };
    /// let was = Catalogs::shared(catalog(&["on"]));
    /// let now = was.grown(&Catalogs::shared(catalog(&["off", "on"])), 1).unwrap();
    /// assert_eq!(now.of(HomeId(0)).lookup("Lamp", "on"), Some(ActionId(0)));
    /// assert_eq!(now.of(HomeId(0)).lookup("Lamp", "off"), Some(ActionId(1)));
    /// ```
    pub fn grown(&self, met: &Catalogs, known: usize) -> Result<Catalogs, CohortError> {
        if let (Some(was), Some(met)) = (self.only(), met.only()) {
            let grown = was.grown(met.devices());
            let cohort = CohortId::default();
            let catalog = Arc::new(grown.map_err(|_| CohortError { cohort })?);
            return Ok(Catalogs::of_all(catalog));
        }
        let mut growth = Growth {
            was: self,
            met,
            standings: Vec::new(),
            known: HashMap::new(),
        };
        let homes = self.homes.len().max(met.homes.len()).max(known);
        let homes = (0..homes as u32).map(HomeId);
        let homes: Result<Vec<u32>, _> = homes
            .map(|home| {
                let was = (home.0 as usize) < known;
                growth.place(was.then(|| self.place_of(home)), met.place_of(home))
            })
            .collect();
        let (homes, others) = (homes?, growth.place(None, met.other_place())?);
        let mut standings = growth.standings;
        let last = standings.iter().map(|s| s.standing.cohort.0).max();
        let last = last.unwrap_or(0).max(self.cohorts.len() as u32 - 1);
        let cohorts = (0..=last).map(|cohort| stand(&mut standings, self, CohortId(cohort)));
        let cohorts = cohorts.collect::<Result<_, _>>()?;
        let standings = standings.into_iter().map(|grown| grown.standing).collect();
        Ok(Catalogs {
            standings,
            homes,
            others,
            cohorts,
        })
    }
}

/// Catalogs that grow, each pair of what was and what was met once.
struct Growth<'a> {
    was: &'a Catalogs,
    met: &'a Catalogs,
    standings: Vec<Grown>,
    known: HashMap<(Option<usize>, usize), u32>,
}

/// A catalog that grew.
struct Grown {
    standing: Standing,
    /// How its first actions stood in the cohort's catalog; `None`: as they were.
    stood: Option<Vec<ActionId>>,
}

impl Growth<'_> {
    fn place(&mut self, was: Option<usize>, met: usize) -> Result<u32, CohortError> {
        if let Some(known) = self.known.get(&(was, met)) {
            return Ok(*known);
        }
        let new = &self.met.standings[met];
        let old = was.map(|was| &self.was.standings[was]);
        // A home stays in its cohort.
        let cohort = old.map_or(new.cohort, |old| old.cohort);
        let catalog = match old {
            Some(old) => {
                let grown = old.catalog.grown(new.catalog.devices());
                Arc::new(grown.map_err(|_| CohortError { cohort })?)
            }
            None => new.catalog.clone(),
        };
        let stood = match old {
            None => Some(Vec::new()),
            Some(Standing {
                words: Some(words), ..
            }) => Some(words.to.to_vec()),
            Some(_) => None,
        };
        self.standings.push(Grown {
            standing: Standing {
                catalog,
                cohort,
                words: None,
            },
            stood,
        });
        let place = self.standings.len() as u32 - 1;
        self.known.insert((was, met), place);
        Ok(place)
    }
}

/// Makes a cohort's catalog of what it was, and places its homes' catalogs in it.
fn stand(
    standings: &mut [Grown],
    was: &Catalogs,
    cohort: CohortId,
) -> Result<Arc<Catalog>, CohortError> {
    let old = was.cohorts.get(cohort.0 as usize);
    let mut mine: Vec<&mut Grown> = standings
        .iter_mut()
        .filter(|grown| grown.standing.cohort == cohort)
        .collect();
    let some = mine
        .iter()
        .filter(|grown| grown.standing.catalog.actions() > 0);
    // One that spoke as its cohort, and is still alone, is the cohort's.
    if some.count() == 1
        && let Some(only) = mine.iter().find(|grown| {
            let catalog = &grown.standing.catalog;
            let first =
                grown.stood.as_deref() == Some(&[]) && old.is_none_or(|old| old.actions() == 0);
            catalog.actions() > 0 && (grown.stood.is_none() || first)
        })
    {
        let catalog = only.standing.catalog.clone();
        for grown in mine {
            if grown.standing.catalog.actions() == 0 {
                grown.standing.words = Some(Words::new(Vec::new()));
            }
        }
        return Ok(catalog);
    }
    let old = old.cloned().unwrap_or_default();
    let mut shared = Shared::default();
    let placed: Vec<Vec<(String, String)>> =
        mine.iter().map(|grown| shared.place(&old, grown)).collect();
    let catalog = old.grown(&shared.devices());
    let catalog = catalog.map_err(|_: CatalogError| CohortError { cohort })?;
    for (grown, placed) in mine.iter_mut().zip(placed) {
        let to = placed.iter().map(|(device, action)| {
            let found = catalog.find(device, action);
            found.expect("every action was placed")
        });
        grown.standing.words = Some(Words::new(to.collect()));
    }
    Ok(Arc::new(catalog))
}

/// What the homes of a cohort have together, by names in the cohort's words: each action with those that it closes.
#[derive(Default)]
struct Shared(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Shared {
    /// Gives each action of a home its name in the cohort: device and action.
    fn place(&mut self, old: &Catalog, grown: &Grown) -> Vec<(String, String)> {
        let catalog = &grown.standing.catalog;
        let names = match &grown.stood {
            Some(stood) if stood.is_empty() => fresh(catalog),
            stood => behind(catalog, old, stood.as_deref()),
        };
        for (action, (device, own)) in catalog.action_ids().zip(&names) {
            let closed = catalog.closes(action).iter();
            let closed = closed.map(|closed| names[usize::from(closed.0)].1.clone());
            let actions = self.0.entry(device.clone()).or_default();
            actions.entry(own.clone()).or_default().extend(closed);
        }
        names
    }

    fn devices(&self) -> Vec<Device> {
        let devices = self.0.iter().map(|(device, actions)| {
            let actions = actions.iter().map(|(action, closes)| Action {
                closes: closes.iter().cloned().collect(),
                ..Action::new(action)
            });
            Device::new(device, actions.collect())
        });
        devices.collect()
    }
}

/// The names of a home's actions that was not in the cohort before.
fn fresh(catalog: &Catalog) -> Vec<(String, String)> {
    let places = places(catalog).into_iter();
    let names = places.map(|(device, action)| (name(device), name(action)));
    names.collect()
}

/// The names of a home's actions of which the first stood there already; `None`: as they were.
fn behind(catalog: &Catalog, old: &Catalog, stood: Option<&[ActionId]>) -> Vec<(String, String)> {
    let known: Vec<ActionId> = match stood {
        Some(stood) => stood.to_vec(),
        None => old.action_ids().take(catalog.actions()).collect(),
    };
    let mut names = Vec::new();
    let mut devices: BTreeMap<DeviceId, String> = BTreeMap::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut actions: BTreeSet<(String, String)> = BTreeSet::new();
    for (own, known) in catalog.action_ids().zip(&known) {
        let (device, action) = (old.device_name(*known), old.action_name(*known));
        devices.insert(catalog.device_of(own), device.to_owned());
        taken.insert(device.to_owned());
        actions.insert((device.to_owned(), action.to_owned()));
        names.push((device.to_owned(), action.to_owned()));
    }
    for own in catalog.action_ids().skip(known.len()) {
        let id = catalog.device_of(own);
        let device = &catalog.devices()[usize::from(id.0)];
        let kind = device.kind.as_deref().unwrap_or(DEVICE);
        let there = devices.entry(id).or_insert_with(|| {
            let free = first(kind, |name| !taken.contains(name));
            taken.insert(free.clone());
            free
        });
        let meaning = device
            .actions
            .iter()
            .find(|a| a.name == catalog.action_name(own));
        let meaning = meaning.and_then(|a| a.meaning.as_deref()).unwrap_or(ACTION);
        let there = there.clone();
        let free = first(meaning, |name| {
            !actions.contains(&(there.clone(), name.to_owned()))
        });
        actions.insert((there.clone(), free.clone()));
        names.push((there, free));
    }
    names
}

/// The first name of a word, by ordinal, that is free.
fn first(word: &str, free: impl Fn(&str) -> bool) -> String {
    let mut names = (0..).map(|before| name((word, before)));
    names.find(|name| free(name)).expect("ordinals have no end")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{catalogs, one_to_one, own};
    use super::*;

    proptest! {
        /// What was known stays what it was, in its home and its cohort; all of it stands there one to one.
        #[test]
        fn what_was_known_keeps_its_place(
            first in prop::collection::vec((0u32..2, catalogs()), 1..5),
            later in prop::collection::vec((0u32..2, catalogs()), 1..7),
        ) {
            let was = Catalogs::new(own(&first), None).unwrap();
            let met = Catalogs::new(own(&later), None).unwrap();
            let now = was.grown(&met, first.len()).unwrap();
            for (cohort, old) in was.cohorts.iter().enumerate() {
                let new = now.cohort(CohortId(cohort as u32));
                for action in old.action_ids() {
                    prop_assert_eq!(old.full_name(action), new.full_name(action));
                }
            }
            for home in (0..first.len().max(later.len()) as u32).map(HomeId) {
                if (home.0 as usize) < first.len() {
                    let (old, new) = (was.of(home), now.of(home));
                    for action in old.action_ids() {
                        prop_assert_eq!(old.full_name(action), new.full_name(action));
                        prop_assert_eq!(was.to_cohort(home, action), now.to_cohort(home, action));
                        for closed in old.closes(action) {
                            prop_assert!(new.closes(action).contains(closed));
                        }
                    }
                    prop_assert_eq!(was.cohort_of(home), now.cohort_of(home));
                }
                for device in met.of(home).devices() {
                    for action in &device.actions {
                        prop_assert!(now.of(home).lookup(&device.name, &action.name).is_some());
                    }
                }
                one_to_one(&now, home)?;
            }
        }
    }

    #[test]
    fn one_catalog_for_all_stays_one() {
        let catalog = |actions: &[&str]| {
            let actions = actions.iter().map(|action| Action::new(*action));
            let devices = vec![Device::new("Lamp", actions.collect())];
            Catalogs::shared(Arc::new(Catalog::new(devices).unwrap()))
        };
        let now = catalog(&["on"]).grown(&catalog(&["off", "on"]), 1).unwrap();
        assert!(now.speaks_as_cohort(HomeId(0)) && now.speaks_as_cohort(HomeId(9)));
        assert_eq!(now.cohort(CohortId(0)).actions(), 2);
    }
}
