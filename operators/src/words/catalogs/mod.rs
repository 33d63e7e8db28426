//! Which catalog a home has, and how its actions stand in the catalog of its cohort.
//!
//! What homes share (encoder, first models) is in the cohort's words, everything else of a home in its own. The cohort's catalog
//! is a [`Catalog`] too: its devices are kinds with an ordinal (`Light`, `Light 2`, the first and second device of that kind of
//! a home), their actions meanings. So it is as large as a large home, however many homes there are.

mod grown;
mod kept;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::words::{Action, ActionId, Catalog, CatalogError, Device, HomeId, Quadruple, Sequence};

/// What devices whose kind nobody can tell count as.
const DEVICE: &str = "Device";
/// What actions whose meaning nobody can tell count as.
const ACTION: &str = "action";

/// A cohort, by position: homes that share an encoder and first models. Homes of different cohorts share nothing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct CohortId(pub u32);

/// A home with a catalog or cohort of its own.
#[derive(Clone, Debug)]
pub struct Own {
    /// The home.
    pub home: HomeId,
    /// Its cohort.
    pub cohort: CohortId,
    /// Its catalog.
    pub catalog: Arc<Catalog>,
}

/// Why there is no catalog of a cohort: its homes' devices have more different kinds or actions than one can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CohortError {
    /// The cohort.
    pub cohort: CohortId,
}

impl std::fmt::Display for CohortError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the homes of a cohort together have more than 65,535 different actions, after kinds of devices and meanings of actions; \
             give fewer kinds and meanings in their catalogs, or put the homes into several cohorts"
        )
    }
}

impl std::error::Error for CohortError {}

/// The catalogs of all homes.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use hearth_operators::words::*;
///
/// let catalog = |name: &str| {
///     let on = Action { meaning: Some("on".into()), ..Action::new("1") };
///     let lamp = Device { kind: Some("Light".into()), ..Device::new(name, vec![on]) };
///     Arc::new(Catalog::new(vec![lamp]).unwrap())
/// };
/// let own = |home, name| Own { home: HomeId(home), cohort: CohortId(0), catalog: catalog(name) };
/// let catalogs = Catalogs::new(vec![own(0, "0x17"), own(1, "desk lamp")], None).unwrap();
/// let on = catalogs.of(HomeId(1)).lookup("desk lamp", "1").unwrap();
/// let cohort = catalogs.cohort(CohortId(0));
/// assert_eq!(cohort.full_name(catalogs.to_cohort(HomeId(1), on)), "Light:on");
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "kept::Form", into = "kept::Form")]
pub struct Catalogs {
    /// The different ones.
    standings: Vec<Standing>,
    /// By home: which one.
    homes: Vec<u32>,
    /// That of every other home.
    others: u32,
    /// By cohort.
    cohorts: Vec<Arc<Catalog>>,
}

/// A catalog, and how it stands in that of a cohort.
#[derive(Clone, Debug)]
struct Standing {
    catalog: Arc<Catalog>,
    cohort: CohortId,
    /// None where the cohort's catalog is this one.
    words: Option<Words>,
}

/// A one-to-one map from the actions of a home into those of its cohort.
#[derive(Clone, Debug)]
struct Words {
    /// By action of the home.
    to: Box<[ActionId]>,
    /// The actions of the home, in the order of those of the cohort.
    back: Box<[ActionId]>,
}

impl Catalogs {
    /// One catalog for all homes: it is the cohort's too.
    pub fn shared(catalog: Arc<Catalog>) -> Arc<Self> {
        Arc::new(Catalogs::of_all(catalog))
    }

    fn of_all(catalog: Arc<Catalog>) -> Self {
        Catalogs {
            cohorts: vec![catalog.clone()],
            standings: vec![Standing {
                catalog,
                cohort: CohortId::default(),
                words: None,
            }],
            homes: Vec::new(),
            others: 0,
        }
    }

    /// Homes with catalogs of their own, and what others have (nothing where there is no `default`), in the first cohort.
    /// Equal catalogs of a cohort are kept once; where all are equal, they are the cohort's.
    ///
    /// # Errors
    /// What a cohort's homes have is more than a catalog can hold.
    pub fn new(own: Vec<Own>, default: Option<Arc<Catalog>>) -> Result<Self, CohortError> {
        let mut table = Table::default();
        let mut homes = Vec::new();
        let others = match default {
            Some(catalog) => table.add(CohortId::default(), catalog),
            None => table.add(CohortId::default(), Arc::default()),
        };
        for Own {
            home,
            cohort,
            catalog,
        } in own
        {
            let place = home.0 as usize;
            if homes.len() <= place {
                homes.resize(place + 1, others);
            }
            homes[place] = table.add(cohort, catalog);
        }
        let (mut standings, mut cohorts) = (table.standings, Vec::new());
        let last = standings.iter().map(|s| s.cohort.0).max().unwrap_or(0);
        for cohort in (0..=last).map(CohortId) {
            cohorts.push(stand(&mut standings, cohort)?);
        }
        Ok(Catalogs {
            standings,
            homes,
            others,
            cohorts,
        })
    }

    /// Those of one home alone, as they were of another among many: its cohort's, and, where it does not speak as its cohort does, its
    /// own with how its actions are called there. None where these do not fit.
    pub fn of_one(
        cohort: Arc<Catalog>,
        own: Option<(Arc<Catalog>, Vec<ActionId>)>,
    ) -> Option<Arc<Self>> {
        let Some((catalog, to)) = own else {
            return Some(Catalogs::shared(cohort));
        };
        kept::stands(&catalog, &to, &cohort).then(|| {
            Arc::new(Catalogs {
                cohorts: vec![cohort],
                standings: vec![Standing {
                    catalog,
                    cohort: CohortId::default(),
                    words: Some(Words::new(to)),
                }],
                homes: Vec::new(),
                others: 0,
            })
        })
    }

    /// How a home's actions are called in its cohort; none where it speaks as that does.
    pub fn own_words(&self, home: HomeId) -> Option<&[ActionId]> {
        let words = self.standing(home).words.as_ref();
        words.map(|words| &words.to[..])
    }

    /// The catalog of a home.
    #[inline]
    pub fn of(&self, home: HomeId) -> &Arc<Catalog> {
        &self.standing(home).catalog
    }

    /// The catalog of a home that nobody named.
    pub fn others(&self) -> &Arc<Catalog> {
        &self.standings[self.other_place()].catalog
    }

    /// Which of the different catalogs a home has, by position.
    #[inline]
    pub fn place_of(&self, home: HomeId) -> usize {
        let place = self.homes.get(home.0 as usize);
        place.map_or(self.other_place(), |place| *place as usize)
    }

    /// Which one a home has that nobody named.
    #[inline]
    fn other_place(&self) -> usize {
        self.others as usize
    }

    /// The one catalog of all homes, where there is but one.
    pub fn only(&self) -> Option<&Arc<Catalog>> {
        match &self.standings[..] {
            [only] => Some(&only.catalog),
            _ => None,
        }
    }

    /// The homes with catalogs of their own, and those between them.
    pub fn homes(&self) -> impl Iterator<Item = HomeId> + use<> {
        (0..self.homes.len() as u32).map(HomeId)
    }

    /// The cohort of a home.
    pub fn cohort_of(&self, home: HomeId) -> CohortId {
        self.standing(home).cohort
    }

    /// The catalog of a cohort.
    ///
    /// # Panics
    /// If there is no such cohort.
    pub fn cohort(&self, cohort: CohortId) -> &Arc<Catalog> {
        &self.cohorts[cohort.0 as usize]
    }

    /// All cohorts.
    pub fn cohorts(&self) -> impl Iterator<Item = CohortId> + use<> {
        (0..self.cohorts.len() as u32).map(CohortId)
    }

    /// Whether a home's words are its cohort's, so that nothing needs to be translated.
    pub fn speaks_as_cohort(&self, home: HomeId) -> bool {
        self.standing(home).words.is_none()
    }

    /// An action of a home in its cohort's words.
    ///
    /// # Panics
    /// If the action is not of the home's catalog.
    pub fn to_cohort(&self, home: HomeId, action: ActionId) -> ActionId {
        match &self.standing(home).words {
            None => action,
            Some(words) => words.to[usize::from(action.0)],
        }
    }

    /// A sequence of a home in its cohort's words.
    ///
    /// # Panics
    /// If it holds an action that is not of the home's catalog.
    pub fn sequence_to_cohort(&self, home: HomeId, mut sequence: Sequence) -> Sequence {
        if let Some(words) = &self.standing(home).words {
            for Quadruple { action, .. } in &mut sequence.0 {
                *action = words.to[usize::from(action.0)];
            }
        }
        sequence
    }

    /// An action of the cohort as the home has it; `None` where it has none such.
    pub fn from_cohort(&self, home: HomeId, action: ActionId) -> Option<ActionId> {
        let Standing { catalog, words, .. } = self.standing(home);
        let Some(words) = words else {
            return catalog.contains(action).then_some(action);
        };
        let to = |own: &ActionId| words.to[usize::from(own.0)];
        let found = words.back.binary_search_by_key(&action, to);
        found.ok().map(|place| words.back[place])
    }

    #[inline]
    fn standing(&self, home: HomeId) -> &Standing {
        &self.standings[self.place_of(home)]
    }
}

/// The different catalogs so far.
#[derive(Default)]
struct Table {
    standings: Vec<Standing>,
    /// By hash of cohort and devices.
    known: HashMap<u64, Vec<u32>>,
    hasher: RandomState,
    /// Those that were met before, by where they lie.
    same: HashMap<(CohortId, *const Catalog), u32>,
}

impl Table {
    fn add(&mut self, cohort: CohortId, catalog: Arc<Catalog>) -> u32 {
        let address = (cohort, Arc::as_ptr(&catalog));
        if let Some(known) = self.same.get(&address) {
            return *known;
        }
        let hash = self.hasher.hash_one((cohort, catalog.devices()));
        let mut known = self.known.get(&hash).into_iter().flatten();
        let equal = known.find(|place| {
            let standing = &self.standings[**place as usize];
            standing.cohort == cohort && standing.catalog.devices() == catalog.devices()
        });
        if let Some(place) = equal {
            return *place;
        }
        let place = self.push(cohort, catalog);
        self.same.insert(address, place);
        self.known.entry(hash).or_default().push(place);
        place
    }

    fn push(&mut self, cohort: CohortId, catalog: Arc<Catalog>) -> u32 {
        self.standings.push(Standing {
            catalog,
            cohort,
            words: None,
        });
        self.standings.len() as u32 - 1
    }
}

/// Makes a cohort's catalog, and places its homes' catalogs in it.
fn stand(standings: &mut [Standing], cohort: CohortId) -> Result<Arc<Catalog>, CohortError> {
    let mine = standings.iter_mut().filter(|s| s.cohort == cohort);
    // One without actions fits into any other.
    let (mut mine, empty): (Vec<_>, Vec<_>) = mine.partition(|s| s.catalog.actions() > 0);
    for standing in empty {
        standing.words = Some(Words::new(Vec::new()));
    }
    if let [only] = &mine[..] {
        return Ok(only.catalog.clone());
    }
    let catalogs: Vec<Arc<Catalog>> = mine.iter().map(|s| s.catalog.clone()).collect();
    let union = Union::of(&catalogs);
    let catalog = union.catalog().map_err(|_| CohortError { cohort })?;
    let ids = union.ids();
    for (standing, own) in mine.iter_mut().zip(&catalogs) {
        let to = places(own).into_iter().map(|place| ids[&place]);
        standing.words = Some(Words::new(to.collect()));
    }
    Ok(Arc::new(catalog))
}

impl Words {
    fn new(to: Vec<ActionId>) -> Self {
        let mut back: Vec<ActionId> = (0..=u16::MAX).map(ActionId).take(to.len()).collect();
        back.sort_by_key(|own| to[usize::from(own.0)]);
        Words {
            to: to.into(),
            back: back.into(),
        }
    }
}

/// A device or an action in a cohort's words: a word, and how many of that word came before it in its home (or device).
type Numbered<'a> = (&'a str, u32);
/// An action in a cohort's words: its device and itself.
type Place<'a> = (Numbered<'a>, Numbered<'a>);

/// What the homes of a cohort have together: each action with those that it closes somewhere.
struct Union<'a>(BTreeMap<Place<'a>, BTreeSet<Numbered<'a>>>);

impl<'a> Union<'a> {
    fn of(catalogs: &'a [Arc<Catalog>]) -> Self {
        let mut union = BTreeMap::<Place, BTreeSet<Numbered>>::new();
        for catalog in catalogs {
            let places = places(catalog);
            for (action, place) in catalog.action_ids().zip(&places) {
                let closed = catalog.closes(action).iter();
                let closed = closed.map(|closed| places[usize::from(closed.0)].1);
                union.entry(*place).or_default().extend(closed);
            }
        }
        Union(union)
    }

    fn catalog(&self) -> Result<Catalog, CatalogError> {
        let mut devices: Vec<Device> = Vec::new();
        let mut last = None;
        for ((device, action), closes) in &self.0 {
            if last.replace(device) != Some(device) {
                devices.push(Device::new(name(*device), Vec::new()));
            }
            let action = Action {
                closes: closes.iter().map(|closed| name(*closed)).collect(),
                ..Action::new(name(*action))
            };
            devices
                .last_mut()
                .expect("one was pushed")
                .actions
                .push(action);
        }
        Catalog::new(devices)
    }

    /// The id of each action in that catalog.
    fn ids(&self) -> HashMap<Place<'a>, ActionId> {
        let places = self.0.keys().copied();
        places.zip((0..=u16::MAX).map(ActionId)).collect()
    }
}

/// The name in the cohort's catalog. A word that ends in a digit always gets a number, so that no two have one name.
fn name((word, before): Numbered) -> String {
    match before {
        0 if !word.ends_with(|c: char| c.is_ascii_digit()) => word.to_owned(),
        before => format!("{word} {}", before + 1),
    }
}

/// By action of a home: where it stands in the cohort's catalog.
///
/// Of the devices of a kind those with more actions come first, so that like meets like and the homes together have few.
fn places<'a>(catalog: &'a Catalog) -> Vec<Place<'a>> {
    let devices = catalog.devices();
    let mut order: Vec<usize> = (0..devices.len()).collect();
    order.sort_by_key(|&d| std::cmp::Reverse(devices[d].actions.len()));
    let kinds = order.iter().map(|&d| devices[d].kind.as_deref());
    let mut kind = vec![(DEVICE, 0); devices.len()];
    for (d, numbered) in order.iter().zip(numbered(kinds, DEVICE)) {
        kind[*d] = numbered;
    }
    let meanings = |device: &'a Device| device.actions.iter().map(|a| a.meaning.as_deref());
    let actions = devices
        .iter()
        .map(|device| numbered(meanings(device), ACTION));
    let actions: Vec<Vec<Numbered>> = actions.collect();
    let places = catalog.ids().map(|(device, within)| {
        let device = usize::from(device.0);
        (kind[device], actions[device][within])
    });
    places.collect()
}

/// Each word (`other` for what has none) with how often it came before.
fn numbered<'a>(
    words: impl Iterator<Item = Option<&'a str>>,
    other: &'static str,
) -> Vec<Numbered<'a>> {
    let mut met: HashMap<&str, u32> = HashMap::new();
    let mut number = |word: Option<&'a str>| {
        let word = word.unwrap_or(other);
        let before = met.entry(word).or_default();
        *before += 1;
        (word, *before - 1)
    };
    words.map(&mut number).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A catalog whose devices and actions are of a few kinds and meanings, or of none.
    pub fn catalogs() -> impl Strategy<Value = Arc<Catalog>> {
        let word = prop::option::of(prop::sample::select(vec!["on", "off", "on 2", "action"]));
        let actions = prop::collection::vec((word, any::<bool>()), 1..5);
        let kind = prop::option::of(prop::sample::select(vec!["Light", "Light 2", "Device"]));
        prop::collection::vec((kind, actions), 0..5).prop_map(|devices| {
            let devices = (0..).zip(devices).map(|(d, (kind, actions))| {
                let actions = (0..).zip(actions).map(|(a, (meaning, closes))| Action {
                    meaning: meaning.map(Into::into),
                    closes: (closes && a > 0).then(|| "a0".into()).into_iter().collect(),
                    ..Action::new(format!("a{a}"))
                });
                Device {
                    kind: kind.map(Into::into),
                    ..Device::new(format!("d{d}"), actions.collect())
                }
            });
            Arc::new(Catalog::new(devices.collect()).unwrap())
        })
    }

    pub fn own(catalogs: &[(u32, Arc<Catalog>)]) -> Vec<Own> {
        let homes = (0..).map(HomeId).zip(catalogs);
        let own = homes.map(|(home, (cohort, catalog))| Own {
            home,
            cohort: CohortId(*cohort),
            catalog: catalog.clone(),
        });
        own.collect()
    }

    /// A home's actions stand in its cohort one to one, with their devices and what they close.
    pub fn one_to_one(catalogs: &Catalogs, home: HomeId) -> Result<(), TestCaseError> {
        let own = catalogs.of(home);
        let shared = catalogs.cohort(catalogs.cohort_of(home));
        let to = |action| catalogs.to_cohort(home, action);
        let back: BTreeMap<ActionId, ActionId> = own
            .action_ids()
            .map(|action| (to(action), action))
            .collect();
        prop_assert_eq!(back.len(), own.actions());
        for action in shared.action_ids() {
            prop_assert_eq!(
                catalogs.from_cohort(home, action),
                back.get(&action).copied()
            );
        }
        for (a, b) in own.action_ids().zip(own.action_ids().skip(1)) {
            prop_assert_eq!(
                own.device_of(a) == own.device_of(b),
                shared.device_of(to(a)) == shared.device_of(to(b))
            );
        }
        for action in own.action_ids() {
            for closed in own.closes(action) {
                prop_assert!(shared.closes(to(action)).contains(&to(*closed)));
            }
        }
        Ok(())
    }

    proptest! {
        /// What differs in a home differs in its cohort, comes back as it was, stays with its device and closes the same.
        #[test]
        fn a_home_stands_in_its_cohort_one_to_one(
            given in prop::collection::vec((0u32..2, catalogs()), 1..6)
        ) {
            let catalogs = Catalogs::new(own(&given), None).unwrap();
            for (home, (cohort, own)) in (0..).map(HomeId).zip(&given) {
                let shared = catalogs.cohort(CohortId(*cohort));
                prop_assert_eq!(catalogs.of(home).devices(), own.devices());
                prop_assert_eq!(catalogs.cohort_of(home), CohortId(*cohort));
                one_to_one(&catalogs, home)?;
                let to = |action| catalogs.to_cohort(home, action);
                let words = catalogs.own_words(home).map(|to| (own.clone(), to.to_vec()));
                let alone = Catalogs::of_one(shared.clone(), words).unwrap();
                for action in own.action_ids() {
                    prop_assert_eq!(alone.to_cohort(HomeId(7), action), to(action));
                }
                for action in shared.action_ids() {
                    let expected = catalogs.from_cohort(home, action);
                    prop_assert_eq!(alone.from_cohort(HomeId(7), action), expected);
                }
                let nowhere = vec![ActionId(u16::MAX); own.actions().max(1)];
                prop_assert!(Catalogs::of_one(shared.clone(), Some((own.clone(), nowhere))).is_none());
                // Like is like: a cohort's words are those of its homes.
                if !catalogs.speaks_as_cohort(home) {
                    for action in own.action_ids() {
                        let device = &own.devices()[usize::from(own.device_of(action).0)];
                        let kind = device.kind.as_deref().unwrap_or(DEVICE);
                        prop_assert!(shared.device_name(to(action)).starts_with(kind));
                    }
                }
            }
        }

        /// However many homes there are, together they have little more than the largest.
        #[test]
        fn a_cohort_is_bounded_by_its_largest_home(given in prop::collection::vec(catalogs(), 2..20)) {
            let unknown = |catalog: &Arc<Catalog>| {
                let devices = catalog.devices().iter().map(|device| {
                    let actions = device.actions.iter().map(|a| Action::new(&a.name));
                    Device::new(&device.name, actions.collect())
                });
                (0, Arc::new(Catalog::new(devices.collect()).unwrap()))
            };
            let given: Vec<_> = given.iter().map(unknown).collect();
            let catalogs = Catalogs::new(own(&given), None).unwrap();
            let cohort = catalogs.cohort(CohortId(0));
            let largest = given.iter().map(|(_, c)| c.actions()).max().unwrap_or_default();
            // The n-th largest device of a home has at most an n-th of its actions.
            let devices = cohort.devices().len();
            let bound: usize = (1..=devices).map(|n| largest / n).sum();
            prop_assert!(cohort.actions() <= bound, "{} of {largest}", cohort.actions());
        }
    }

    #[test]
    fn equal_catalogs_are_one_and_the_cohorts_own() {
        let catalog = || {
            let devices = vec![Device::new("Fan", vec![Action::new("on")])];
            (0, Arc::new(Catalog::new(devices).unwrap()))
        };
        let catalogs = Catalogs::new(own(&[catalog(), catalog()]), None).unwrap();
        let [one, other] = [0, 1].map(HomeId);
        assert!(Arc::ptr_eq(catalogs.of(one), catalogs.of(other)));
        assert_eq!(catalogs.place_of(one), catalogs.place_of(other));
        assert!(Arc::ptr_eq(catalogs.of(one), catalogs.cohort(CohortId(0))));
        assert!(catalogs.speaks_as_cohort(one));
        // A home that nobody named has nothing.
        assert_eq!(catalogs.of(HomeId(2)).actions(), 0);
        assert_eq!(catalogs.from_cohort(HomeId(2), ActionId(0)), None);
    }

    #[test]
    fn what_cannot_be_held_is_an_error() {
        // Each home knows other kinds.
        let catalog = |home: usize| {
            let devices = (0..1000).map(|d| Device {
                kind: Some(format!("kind {home} {d}").into()),
                ..Device::new(format!("{d}"), vec![Action::new("on")])
            });
            (0, Arc::new(Catalog::new(devices.collect()).unwrap()))
        };
        let given: Vec<_> = (0..66).map(catalog).collect();
        let error = Catalogs::new(own(&given), None).unwrap_err();
        assert_eq!(error.cohort, CohortId(0));
        assert!(Catalogs::new(own(&given[..65]), None).is_ok());
    }
}
