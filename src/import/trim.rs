//! Devices that say too many different things to be doing anything: measured values, titles, dates. They are left out by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::is_number;

/// More different numbers than this are a series of measurements.
const MOST_NUMBERS: usize = 16;

/// More different texts than this are no actions.
const MOST_TEXTS: usize = 200;

/// Names that are told.
const NAMED: usize = 8;

/// What devices say, as far as that has to be known.
#[derive(Default)]
pub(super) struct Trim {
    homes: BTreeMap<String, BTreeMap<String, Said>>,
}

#[derive(Default)]
struct Said {
    /// At most one more than may be.
    numbers: BTreeSet<String>,
    texts: BTreeSet<String>,
}

impl Trim {
    /// A device says something.
    pub fn meet(&mut self, home: &str, device: &str, action: &str) {
        if !self.homes.contains_key(home) {
            self.homes.insert(home.to_owned(), BTreeMap::new());
        }
        let Some(devices) = self.homes.get_mut(home) else {
            return;
        };
        if !devices.contains_key(device) {
            devices.insert(device.to_owned(), Said::default());
        }
        if let Some(said) = devices.get_mut(device) {
            let (of, most) = match is_number(action) {
                true => (&mut said.numbers, MOST_NUMBERS),
                false => (&mut said.texts, MOST_TEXTS),
            };
            if of.len() <= most && !of.contains(action) {
                of.insert(action.to_owned());
            }
        }
    }

    /// Why a device's action is left out; `None`: it is not.
    pub fn refuses(&self, home: &str, device: &str, action: &str) -> Option<&'static str> {
        let said = self.homes.get(home)?.get(device)?;
        match is_number(action) {
            true => said.measures().then_some("measured values"),
            false => said
                .tells()
                .then_some("texts of devices that never say the same"),
        }
    }

    /// The devices of which something is left out.
    pub fn told(&self) -> Vec<String> {
        let all = || self.homes.values().flatten();
        let mut told = Vec::new();
        for (what, is) in [
            (
                "measured values were left out of",
                Said::measures as fn(&Said) -> bool,
            ),
            ("texts that never repeat were left out of", Said::tells),
        ] {
            let names: BTreeSet<&str> =
                all().filter(|(_, said)| is(said)).map(|d| &**d.0).collect();
            if !names.is_empty() {
                told.push(format!("{what} {}", listed(names.into_iter())));
            }
        }
        told
    }
}

impl Said {
    fn measures(&self) -> bool {
        self.numbers.len() > MOST_NUMBERS
    }

    fn tells(&self) -> bool {
        self.texts.len() > MOST_TEXTS
    }
}

/// Some names, and how many more there are.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let first = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
