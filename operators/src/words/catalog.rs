//! The closed vocabulary of a cohort: devices, their actions, and which action closes which.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

/// A device of the catalog, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceId(pub u16);

/// An action of the catalog. In one that did not [grow](Catalog::grown): by position over all devices, so that those of one device
/// are neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ActionId(pub u16);

/// A device as the catalog file writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its name, unique in the catalog.
    pub name: String,
    /// What kind of device it is (`Light`), where that is known: what homes that name their devices differently share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Arc<str>>,
    /// Its actions.
    pub actions: Vec<Action>,
}

impl Device {
    /// A device of a kind that nobody told.
    pub fn new(name: impl Into<String>, actions: Vec<Action>) -> Self {
        Device {
            name: name.into(),
            kind: None,
            actions,
        }
    }
}

/// An action as the catalog file writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Its name, unique within its device.
    pub name: String,
    /// What it means (`on`), where that is known: what devices of the same kind that name it differently share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<Arc<str>>,
    /// Names of the actions of the same device that this one closes (off ↔ on, close ↔ open …).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closes: Vec<String>,
}

impl Action {
    /// An action that closes nothing, of a meaning that nobody told.
    pub fn new(name: impl Into<String>) -> Self {
        Action {
            name: name.into(),
            meaning: None,
            closes: Vec::new(),
        }
    }
}

/// Why a catalog cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogError {
    /// Two devices, or two actions of one device, bear the same name.
    Twice(String),
    /// An action closes one that its device does not have.
    ClosesUnknown {
        /// `Device:action` of the closing action.
        action: String,
        /// What it claims to close.
        closes: String,
    },
    /// More devices or actions than ids (65,535).
    TooMany,
    /// The ids of its actions do not name each once.
    Ids,
}

impl std::fmt::Display for CatalogError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Twice(name) => write!(f, "`{name}` stands in the catalog twice"),
            Self::ClosesUnknown { action, closes } => {
                write!(
                    f,
                    "`{action}` closes `{closes}`, which its device does not have"
                )
            }
            Self::TooMany => write!(
                f,
                "a catalog holds at most 65,535 devices and as many actions"
            ),
            Self::Ids => write!(f, "`ids` does not name each action of the catalog once"),
        }
    }
}

impl std::error::Error for CatalogError {}

/// Devices and actions with their ids. Serialises as the catalog file: `{"devices": [...]}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "CatalogFile", into = "CatalogFile")]
pub struct Catalog {
    devices: Vec<Device>,
    /// By action: its device.
    device_of: Vec<DeviceId>,
    /// By action: its position within its device.
    within: Vec<usize>,
    /// By action: the actions that it closes.
    closes: Vec<Vec<ActionId>>,
    /// Devices by name.
    device_index: Index,
    /// Actions by device's name and their own; asked at every event.
    action_index: Index,
}

/// Where names are found: ids in a table that is at most half full, at the place that a name's hash says or behind. It holds no
/// name itself: there may be as many catalogs as homes.
#[derive(Clone, Debug)]
struct Index {
    hasher: RandomState,
    slots: Box<[u16]>,
}

impl Index {
    const FREE: u16 = u16::MAX;

    fn with_room(names: usize) -> Self {
        Index {
            hasher: RandomState::default(),
            slots: vec![Self::FREE; (2 * names).next_power_of_two()].into(),
        }
    }

    /// The id whose name this `is`, or the place where it would be.
    fn find(&self, name: impl Hash, is: impl Fn(u16) -> bool) -> Result<u16, usize> {
        let mask = self.slots.len() - 1;
        let mut at = self.hasher.hash_one(name) as usize & mask;
        loop {
            match self.slots[at] {
                Self::FREE => return Err(at),
                id if is(id) => return Ok(id),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Adds an id; false if its name is there already.
    fn add(&mut self, id: u16, name: impl Hash, is: impl Fn(u16) -> bool) -> bool {
        let found = self.find(name, is);
        if let Err(free) = found {
            self.slots[free] = id;
        }
        found.is_err()
    }
}

impl Default for Index {
    fn default() -> Self {
        Index::with_room(0)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogFile {
    devices: Vec<Device>,
    /// Of a catalog that grew: by action, its device and its position within that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ids: Option<Vec<(DeviceId, usize)>>,
}

impl TryFrom<CatalogFile> for Catalog {
    type Error = CatalogError;
    fn try_from(file: CatalogFile) -> Result<Self, CatalogError> {
        match file.ids {
            None => Catalog::new(file.devices),
            Some(ids) => Catalog::ordered(file.devices, ids),
        }
    }
}

impl From<Catalog> for CatalogFile {
    fn from(catalog: Catalog) -> Self {
        let ids: Vec<_> = catalog.ids().collect();
        CatalogFile {
            ids: (ids != listed(&catalog.devices)).then_some(ids),
            devices: catalog.devices,
        }
    }
}

/// Each action's device and its position within that, in the order of the devices.
fn listed(devices: &[Device]) -> Vec<(DeviceId, usize)> {
    let devices = (0..=u16::MAX).map(DeviceId).zip(devices);
    let all = devices.flat_map(|(d, device)| (0..device.actions.len()).map(move |a| (d, a)));
    all.collect()
}

impl Catalog {
    /// Gives every device and action its id, in the order given.
    ///
    /// # Errors
    /// A name that stands twice, a `closes` that names nothing, or more than 65,535 devices or actions.
    pub fn new(devices: Vec<Device>) -> Result<Self, CatalogError> {
        let actions: usize = devices.iter().map(|device| device.actions.len()).sum();
        // One less than there are ids, so that their number is one, too.
        if devices.len().max(actions) > usize::from(u16::MAX) {
            return Err(CatalogError::TooMany);
        }
        let ids = listed(&devices);
        Catalog::ordered(devices, ids)
    }

    /// Whether another one has the same devices and actions, by the same ids.
    pub(crate) fn is(&self, other: &Catalog) -> bool {
        self.devices == other.devices && self.ids().eq(other.ids())
    }

    /// What this catalog becomes where `devices` were met as well: what it has keeps its ids, what is new comes behind in the
    /// order given. A known action closes what it closed, and what it closes there.
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    ///
    /// # Examples
    /// ```
    /// use hearth_operators::words::{Action, Catalog, Device};
    ///
    /// let lamp = |actions: &[&str]| {
    ///     Device::new("Lamp", actions.iter().map(|action| Action::new(*action)).collect())
    /// };
    /// let catalog = Catalog::new(vec![lamp(&["on"]), Device::new("Fan", vec![Action::new("on")])]).unwrap();
    /// let grown = catalog.grown(&[lamp(&["off", "on"])]).unwrap();
    /// let names: Vec<_> = grown.action_ids().map(|action| grown.full_name(action)).collect();
    /// assert_eq!(names, ["Lamp:on", "Fan:on", "Lamp:off"]);
    /// ```
    pub fn grown(&self, devices: &[Device]) -> Result<Self, CatalogError> {
        let mut all = self.devices.clone();
        let mut ids: Vec<_> = self.ids().collect();
        for device in devices {
            let known = self.device(&device.name);
            let place = known.map_or(all.len(), |id| usize::from(id.0));
            let id = DeviceId(u16::try_from(place).map_err(|_| CatalogError::TooMany)?);
            if known.is_none() {
                all.push(Device {
                    actions: Vec::new(),
                    ..device.clone()
                });
            }
            let own = &mut all[place].actions;
            for action in &device.actions {
                let Some(known) = own.iter_mut().find(|known| known.name == action.name) else {
                    ids.push((id, own.len()));
                    own.push(action.clone());
                    continue;
                };
                let new = action.closes.iter();
                let new = new.filter(|closed| !known.closes.contains(closed)).cloned();
                let new: Vec<_> = new.collect();
                known.closes.extend(new);
            }
        }
        if all.len().max(ids.len()) > usize::from(u16::MAX) {
            return Err(CatalogError::TooMany);
        }
        Catalog::ordered(all, ids)
    }

    /// Other devices in the place of these, one for one with all their actions, under the same ids.
    ///
    /// # Errors
    /// As of [`new`](Self::new), or they do not stand one for one.
    pub fn renamed(&self, devices: Vec<Device>) -> Result<Self, CatalogError> {
        Catalog::ordered(devices, self.ids().collect())
    }

    /// Devices whose actions have ids in the order of `ids`, which must name each once.
    fn ordered(devices: Vec<Device>, ids: Vec<(DeviceId, usize)>) -> Result<Self, CatalogError> {
        let mut catalog = Catalog {
            device_of: Vec::with_capacity(ids.len()),
            within: Vec::with_capacity(ids.len()),
            closes: Vec::with_capacity(ids.len()),
            device_index: Index::with_room(devices.len()),
            action_index: Index::with_room(ids.len()),
            devices,
        };
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        if sorted != listed(&catalog.devices) {
            return Err(CatalogError::Ids);
        }
        for (id, device) in (0..).zip(&catalog.devices) {
            let same = |other: u16| catalog.devices[usize::from(other)].name == device.name;
            if !catalog.device_index.add(id, &*device.name, same) {
                return Err(CatalogError::Twice(device.name.clone()));
            }
        }
        for (device, within) in ids {
            catalog.add_action(device, within)?;
        }
        for action in catalog.action_ids() {
            let closes = catalog.closed_by(action)?;
            catalog.closes.push(closes);
        }
        Ok(catalog)
    }

    /// Gives the next id to an action.
    fn add_action(&mut self, device: DeviceId, within: usize) -> Result<(), CatalogError> {
        let (own, devices) = (&self.devices[usize::from(device.0)], &self.devices);
        let name = &own.actions[within].name;
        let (device_of, position) = (&self.device_of, &self.within);
        let same = |other: u16| {
            let other = usize::from(other);
            device_of[other] == device
                && devices[usize::from(device.0)].actions[position[other]].name == *name
        };
        let id = device_of.len() as u16;
        if !self.action_index.add(id, (&*own.name, &**name), same) {
            return Err(CatalogError::Twice(format!("{}:{name}", own.name)));
        }
        self.device_of.push(device);
        self.within.push(within);
        Ok(())
    }

    /// What an action says that it closes.
    fn closed_by(&self, action: ActionId) -> Result<Vec<ActionId>, CatalogError> {
        let device = &self.devices[usize::from(self.device_of(action).0)];
        let closes = &device.actions[self.within[usize::from(action.0)]].closes;
        let closed = closes.iter().map(|closed| {
            let found = self.find(&device.name, closed);
            found.ok_or_else(|| CatalogError::ClosesUnknown {
                action: self.full_name(action),
                closes: closed.clone(),
            })
        });
        closed.collect()
    }

    /// By action: its device, and its position within that.
    pub(super) fn ids(&self) -> impl Iterator<Item = (DeviceId, usize)> {
        let devices = self.device_of.iter().copied();
        devices.zip(self.within.iter().copied())
    }

    /// The devices, by [`DeviceId`].
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// How many actions there are, over all devices.
    pub fn actions(&self) -> usize {
        self.device_of.len()
    }

    /// All action ids, in order.
    pub fn action_ids(&self) -> impl Iterator<Item = ActionId> + use<> {
        (0..self.device_of.len() as u16).map(ActionId)
    }

    /// Whether the id belongs to this catalog.
    pub fn contains(&self, action: ActionId) -> bool {
        usize::from(action.0) < self.device_of.len()
    }

    /// The device that an action belongs to.
    pub fn device_of(&self, action: ActionId) -> DeviceId {
        self.device_of[usize::from(action.0)]
    }

    /// The actions that `action` closes (empty for an action that closes nothing).
    #[inline]
    pub fn closes(&self, action: ActionId) -> &[ActionId] {
        &self.closes[usize::from(action.0)]
    }

    /// The name of an action's device.
    pub fn device_name(&self, action: ActionId) -> &str {
        &self.devices[usize::from(self.device_of(action).0)].name
    }

    /// The name of an action within its device.
    pub fn action_name(&self, action: ActionId) -> &str {
        let device = &self.devices[usize::from(self.device_of(action).0)];
        &device.actions[self.within[usize::from(action.0)]].name
    }

    /// `Device:action`, as all outputs write it.
    pub fn full_name(&self, action: ActionId) -> String {
        format!("{}:{}", self.device_name(action), self.action_name(action))
    }

    /// The action `action` of `device`. `action` may also be written `Device:action`.
    pub fn lookup(&self, device: &str, action: &str) -> Option<ActionId> {
        self.find(device, action).or_else(|| {
            let rest = action.strip_prefix(device)?.strip_prefix(':')?;
            self.find(device, rest.trim_start())
        })
    }

    pub(super) fn find(&self, device: &str, action: &str) -> Option<ActionId> {
        let same = |id: u16| {
            self.action_name(ActionId(id)) == action && self.device_name(ActionId(id)) == device
        };
        let found = self.action_index.find((device, action), same);
        found.ok().map(ActionId)
    }

    /// Whether the catalog has a device of that name.
    pub fn has_device(&self, device: &str) -> bool {
        self.device(device).is_some()
    }

    /// The device of that name.
    pub fn device(&self, name: &str) -> Option<DeviceId> {
        let same = |id: u16| self.devices[usize::from(id)].name == name;
        self.device_index.find(name, same).ok().map(DeviceId)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Names are found as one finds them by reading the list.
        #[test]
        fn names_are_found_where_they_stand(
            names in prop::collection::btree_map("[a-c]{1,2}", prop::collection::btree_set("[a-c]{1,2}", 0..6), 0..6),
            asked in prop::collection::vec(("[a-c]{1,2}", "([a-c]:)?[a-c]{1,2}"), 20),
        ) {
            let devices = names.iter().map(|(name, actions)| {
                Device::new(name, actions.iter().map(Action::new).collect())
            });
            let catalog = Catalog::new(devices.collect()).unwrap();
            let listed = names.iter().flat_map(|(d, actions)| actions.iter().map(move |a| (d, a)));
            let ids: BTreeMap<_, _> = listed.zip((0..).map(ActionId)).collect();
            for (device, action) in &asked {
                let bare = action.strip_prefix(device.as_str()).and_then(|rest| rest.strip_prefix(':'));
                let bare = bare.map(str::to_owned);
                let known = ids.get(&(device, action));
                let known = known.or_else(|| ids.get(&(device, bare.as_ref()?)));
                prop_assert_eq!(catalog.lookup(device, action), known.copied());
                prop_assert_eq!(catalog.has_device(device), names.contains_key(device));
            }
            let all: BTreeSet<ActionId> = ids.values().copied().collect();
            prop_assert!(catalog.action_ids().eq(all));
        }
    }

    #[test]
    fn a_name_stands_once() {
        let twice = [Device::new("a", vec![]), Device::new("a", vec![])];
        let twice = Catalog::new(twice.into()).unwrap_err();
        assert_eq!(twice, CatalogError::Twice("a".into()));
        let twice = vec![Action::new("on"), Action::new("on")];
        let twice = Catalog::new(vec![Device::new("a", twice)]).unwrap_err();
        assert_eq!(twice, CatalogError::Twice("a:on".into()));
        let closing = Action {
            closes: vec!["on".into()],
            ..Action::new("off")
        };
        let unknown = Catalog::new(vec![
            Device::new("a", vec![Action::new("on")]),
            Device::new("b", vec![closing]),
        ]);
        assert!(matches!(unknown, Err(CatalogError::ClosesUnknown { .. })));
    }

    #[test]
    fn a_grown_one_is_written_with_its_ids() {
        let lamp = |actions: &[&str]| {
            Device::new("Lamp", actions.iter().map(|a| Action::new(*a)).collect())
        };
        let was = Catalog::new(vec![
            lamp(&["on"]),
            Device::new("Fan", vec![Action::new("on")]),
        ]);
        let now = was.unwrap().grown(&[lamp(&["on", "off"])]).unwrap();
        let names = |catalog: &Catalog| -> Vec<String> {
            let ids = catalog.action_ids();
            ids.map(|action| catalog.full_name(action)).collect()
        };
        assert_eq!(names(&now), ["Lamp:on", "Fan:on", "Lamp:off"]);
        let mut file = CatalogFile::from(now.clone());
        let read = Catalog::try_from(CatalogFile::from(now.clone())).unwrap();
        assert_eq!(names(&read), names(&now));
        file.ids.as_mut().unwrap()[0] = (DeviceId(1), 0);
        assert_eq!(Catalog::try_from(file).unwrap_err(), CatalogError::Ids);
    }

    #[test]
    fn as_many_actions_as_a_number_counts() {
        let catalog = |actions: u32| {
            let actions = (0..actions).map(|a| Action::new(a.to_string()));
            Catalog::new(vec![Device::new("Meter", actions.collect())])
        };
        let most = catalog(65_535).unwrap();
        assert_eq!(most.action_ids().count(), 65_535);
        assert_eq!(catalog(65_536).unwrap_err(), CatalogError::TooMany);
    }
}
