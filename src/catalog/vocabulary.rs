//! Devices and actions by name, made into catalogs.

use std::collections::{BTreeMap, BTreeSet};

use hearth_operators::words::{Action, Catalog, CatalogError, Device};

use super::closings::closings;

/// Devices and their actions as they are met, each once.
#[derive(Debug, Default)]
pub struct Vocabulary {
    devices: BTreeMap<String, BTreeSet<String>>,
    actions: usize,
}

impl Vocabulary {
    /// Adds an action of a device, if it is new.
    pub fn add(&mut self, device: &str, action: &str) {
        let actions = match self.devices.get_mut(device) {
            Some(actions) => actions,
            None => self.devices.entry(device.to_owned()).or_default(),
        };
        if !actions.contains(action) {
            actions.insert(action.to_owned());
            self.actions += 1;
        }
    }

    /// The catalog of what was added, sorted by name, with its [`closings`].
    ///
    /// # Errors
    /// Nothing was added, or more than a catalog can hold.
    pub fn catalog(self) -> Result<Catalog, CatalogError> {
        let devices = self.devices.into_iter().map(|(name, actions)| {
            let actions: Vec<String> = actions.into_iter().collect();
            device(name, actions)
        });
        Catalog::new(devices.collect())
    }
}

/// A device with these actions and their [`closings`], in this order but that an action comes after those that it closes.
pub fn device(name: String, actions: Vec<String>) -> Device {
    let closings = closings(&actions);
    let actions = actions
        .into_iter()
        .zip(closings)
        .map(|(name, closes)| Action {
            closes,
            ..Action::new(name)
        })
        .collect();
    Device::new(name, ordered(actions))
}

/// Actions in an order in which each comes after those that it closes. Behaviours of one time are in the order of their actions:
/// what went on and off within a second is off.
fn ordered(actions: Vec<Action>) -> Vec<Action> {
    let (opening, mut closing): (Vec<_>, Vec<_>) = actions
        .into_iter()
        .partition(|action| action.closes.is_empty());
    let mut ordered = opening;
    while !closing.is_empty() {
        let waits = |action: &Action| {
            closing
                .iter()
                .any(|other| action.closes.contains(&other.name))
        };
        // Of those that close each other the first comes first.
        let next = closing
            .iter()
            .position(|action| !waits(action))
            .unwrap_or(0);
        ordered.push(closing.remove(next));
    }
    ordered
}

/// For tests: devices with their actions.
#[cfg(test)]
pub(crate) fn catalog_of(devices: &[(&str, &[&str])]) -> Catalog {
    let device = |(name, actions): &(&str, &[&str])| {
        let actions = actions.iter().map(|&action| action.to_owned());
        device((*name).to_owned(), actions.collect())
    };
    Catalog::new(devices.iter().map(device).collect()).unwrap()
}
