//! The closed vocabulary of a cohort: devices, their actions, and which action closes which.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

/// A device of the catalog, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceId(pub u16);

/// An action of the catalog, by position over all devices: actions of one device are neighbours.
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
    pub kind: Option<String>,
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
    pub meaning: Option<String>,
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
    /// `Device:action` to id, and by device name the ids of its actions by name.
    by_name: Names<Names<ActionId>>,
}

/// A table by name; asked at every event.
type Names<T> = HashMap<String, T, RandomState>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogFile {
    devices: Vec<Device>,
}

impl TryFrom<CatalogFile> for Catalog {
    type Error = CatalogError;
    fn try_from(file: CatalogFile) -> Result<Self, CatalogError> {
        Catalog::new(file.devices)
    }
}

impl From<Catalog> for CatalogFile {
    fn from(catalog: Catalog) -> Self {
        CatalogFile {
            devices: catalog.devices,
        }
    }
}

impl Catalog {
    /// Gives every device and action its id, in the order given.
    ///
    /// # Errors
    /// A name that stands twice, a `closes` that names nothing, or more than 65,535 actions.
    pub fn new(devices: Vec<Device>) -> Result<Self, CatalogError> {
        let (mut device_of, mut within, mut closes) = (Vec::new(), Vec::new(), Vec::new());
        let mut by_name = Names::default();
        for (d, device) in devices.iter().enumerate() {
            let device_id = DeviceId(u16::try_from(d).map_err(|_| CatalogError::TooMany)?);
            let mut actions = Names::default();
            for (a, action) in device.actions.iter().enumerate() {
                // One less than there are ids, so that their number is one, too.
                let id = u16::try_from(device_of.len())
                    .ok()
                    .filter(|id| *id < u16::MAX);
                let id = id.ok_or(CatalogError::TooMany)?;
                device_of.push(device_id);
                within.push(a);
                if actions.insert(action.name.clone(), ActionId(id)).is_some() {
                    let twice = format!("{}:{}", device.name, action.name);
                    return Err(CatalogError::Twice(twice));
                }
            }
            for action in &device.actions {
                let mut closed = Vec::new();
                for name in &action.closes {
                    closed.push(
                        *actions
                            .get(name)
                            .ok_or_else(|| CatalogError::ClosesUnknown {
                                action: format!("{}:{}", device.name, action.name),
                                closes: name.clone(),
                            })?,
                    );
                }
                closes.push(closed);
            }
            if by_name.insert(device.name.clone(), actions).is_some() {
                return Err(CatalogError::Twice(device.name.clone()));
            }
        }
        Ok(Catalog {
            devices,
            device_of,
            within,
            closes,
            by_name,
        })
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
        let actions = self.by_name.get(device)?;
        actions.get(action).copied().or_else(|| {
            let rest = action.strip_prefix(device)?.strip_prefix(':')?;
            actions.get(rest.trim_start()).copied()
        })
    }

    /// Whether the catalog has a device of that name.
    pub fn has_device(&self, device: &str) -> bool {
        self.by_name.contains_key(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
