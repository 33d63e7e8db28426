//! What a log names, read in a pass of its own: the catalog of a whole log, or one of each home.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hearth_operators::words::{Catalog, CatalogError, Device, HomeId};

use super::measured::{MOST_NUMBERS, is_number};
use super::vocabulary::{Vocabulary, device};
use crate::config::Keys;
use crate::home_names::HomeNames;
use crate::sources::{Event, Events, SourceError};
use crate::zones::Zones;

/// The most actions of a home.
const MOST: usize = 65_535;

/// Why there is no catalog of a log.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] SourceError),
    /// The log names more than a catalog can hold.
    #[error("no catalog can be inferred from the log: {0}; give one with --catalog")]
    Catalog(#[from] CatalogError),
    /// A home has more than a catalog can hold.
    #[error(
        "home `{home}` has more than {MOST} different actions, most of them of device `{device}` ({actions}); measured values are no \
         actions: leave the device out of the log or write ranges of its values, or give a catalog of what counts with --catalog"
    )]
    Home {
        /// The home.
        home: String,
        /// Its device of the most actions.
        device: String,
        /// How many that has.
        actions: usize,
    },
}

/// Reads a whole log for its vocabulary: devices and actions sorted by name, [`closings`](super::closings) by the usual word
/// pairs. A log on standard input must be spooled first ([`crate::sources::spool`]), for its events are read in a second pass.
///
/// # Errors
/// The log cannot be read, or names more than a catalog can hold.
pub fn infer(files: &[PathBuf], zones: &Zones, keys: &Keys) -> Result<Catalog, InferenceError> {
    let mut vocabulary = Vocabulary::default();
    each_event(files, (zones, keys), |event, device, action| {
        let _ = event;
        vocabulary.add(device, action);
        Ok(())
    })?;
    Ok(vocabulary.catalog()?)
}

/// The devices of homes, each different set once.
#[derive(Debug, Default)]
pub struct Inferred {
    /// Sets of devices as a catalog lists them: sorted by name.
    pub devices: Vec<Vec<Device>>,
    /// Each home with the position of its devices, in the order in which the log names the homes.
    pub homes: Vec<(HomeId, usize)>,
    /// Devices whose numbers are left out.
    pub measured: Vec<Measured>,
}

/// A device whose actions are many different numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Its home.
    pub home: HomeId,
    /// Its name.
    pub device: String,
}

/// Reads a whole log for the vocabulary of each home. What is measured is no part of it.
///
/// # Errors
/// The log cannot be read, or a home has more actions than a catalog can hold.
pub fn infer_homes(
    files: &[PathBuf],
    homes: &HomeNames,
    (zones, keys): (&Zones, &Keys),
) -> Result<Inferred, InferenceError> {
    let mut names = Names::default();
    let mut met = Met::default();
    each_event(files, (zones, keys), |event, device, action| {
        let home = homes.intern(&event.home);
        let device = names.intern(device);
        let number = is_number(action);
        if met.add(home, device, number, || names.intern(action)) {
            return Ok(());
        }
        let (device, actions) = met.largest(home);
        Err(InferenceError::Home {
            home: homes.name(home).to_string(),
            device: names.names[device as usize].to_string(),
            actions,
        })
    })?;
    Ok(met.inferred(&names))
}

/// Reads each event of a log that names a device and an action.
fn each_event(
    files: &[PathBuf],
    (zones, keys): (&Zones, &Keys),
    mut take: impl FnMut(&Event<'_>, &str, &str) -> Result<(), InferenceError>,
) -> Result<(), InferenceError> {
    let mut events = Events::open(files, keys)?;
    let mut more = true;
    let mut taken = Ok(());
    while more && taken.is_ok() {
        more = match events.next(zones, |event| {
            // What is wrong with a line is said when its events are read.
            if let Ok(event) = event
                && let Ok((device, action)) = event.names()
            {
                taken = take(&event, device, action);
            }
        }) {
            Ok(more) => more,
            // A file that breaks off counts as far as it is readable, here as there.
            Err(SourceError::Broken { .. } | SourceError::Damaged { .. }) => true,
            Err(error) => return Err(error.into()),
        };
    }
    taken
}

/// Names, each kept once.
#[derive(Default)]
struct Names {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, u32, RandomState>,
}

impl Names {
    fn intern(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let name: Arc<str> = name.into();
        let id = self.names.len() as u32;
        self.names.push(name.clone());
        self.ids.insert(name, id);
        id
    }
}

/// The actions of devices of homes that were met.
#[derive(Default)]
struct Met {
    all: HashSet<(HomeId, u32, u32), RandomState>,
    /// Actions that are numbers, by home and device, until these are too many.
    numbers: BTreeMap<(HomeId, u32), Vec<u32>>,
    /// By home, in the order of their first events: how many actions.
    counts: HashMap<HomeId, usize, RandomState>,
    order: Vec<HomeId>,
}

impl Met {
    /// Whether there is room for it.
    fn add(
        &mut self,
        home: HomeId,
        device: u32,
        number: bool,
        action: impl FnOnce() -> u32,
    ) -> bool {
        let count = self.counts.entry(home).or_insert_with(|| {
            self.order.push(home);
            0
        });
        if number {
            let numbers = self.numbers.entry((home, device)).or_default();
            if numbers.len() <= MOST_NUMBERS {
                let action = action();
                if !numbers.contains(&action) {
                    numbers.push(action);
                }
            }
            return true;
        }
        if self.all.insert((home, device, action())) {
            *count += 1;
        }
        *count <= MOST
    }

    /// The device of a home that has the most actions, and how many.
    fn largest(&self, home: HomeId) -> (u32, usize) {
        let mut counts = BTreeMap::<u32, usize>::new();
        for (_, device, _) in self.all.iter().filter(|(of, _, _)| *of == home) {
            *counts.entry(*device).or_default() += 1;
        }
        let largest = counts.into_iter().max_by_key(|(_, count)| *count);
        largest.unwrap_or_default()
    }

    fn inferred(self, names: &Names) -> Inferred {
        let mut own: HashMap<HomeId, Vec<(u32, u32)>> = HashMap::new();
        for (home, device, action) in self.all {
            own.entry(home).or_default().push((device, action));
        }
        let mut inferred = Inferred::default();
        for ((home, device), numbers) in self.numbers {
            if numbers.len() > MOST_NUMBERS {
                let device = names.names[device as usize].to_string();
                inferred.measured.push(Measured { home, device });
                continue;
            }
            let actions = numbers.into_iter().map(|action| (device, action));
            own.entry(home).or_default().extend(actions);
        }
        let mut known: HashMap<Vec<(u32, u32)>, usize> = HashMap::new();
        for home in self.order {
            let mut actions = own.remove(&home).unwrap_or_default();
            let name = |id: u32| &names.names[id as usize];
            actions.sort_unstable_by_key(|(device, action)| (name(*device), name(*action)));
            let next = inferred.devices.len();
            let place = *known.entry(actions).or_insert_with_key(|actions| {
                let devices = actions.chunk_by(|a, b| a.0 == b.0).map(|actions| {
                    let own = actions.iter().map(|(_, action)| name(*action).to_string());
                    device(name(actions[0].0).to_string(), own.collect())
                });
                inferred.devices.push(devices.collect());
                next
            });
            inferred.homes.push((home, place));
        }
        inferred
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_log_is_read_for_its_vocabulary() {
        let folder = tempfile::tempdir().unwrap();
        let jsonl = folder.path().join("a.jsonl");
        let csv = folder.path().join("b.csv");
        let empty = folder.path().join("c.jsonl");
        fs::write(
            &jsonl,
            "{\"home\":\"h\",\"time\":\"2022-08-04T18:30:00Z\",\"action\":\"Light:switch on\"}\nrubbish\n",
        )
        .unwrap();
        fs::write(
            &csv,
            "time,home,action,device\n2022-08-04T18:30:00Z,h,Light:switch off,Light\n",
        )
        .unwrap();
        fs::write(&empty, "").unwrap();
        let keys = Keys::default();
        let catalog = infer(&[jsonl, csv, empty.clone()], &Zones::new(None), &keys).unwrap();
        let on = catalog.lookup("Light", "switch on").unwrap();
        let off = catalog.lookup("Light", "switch off").unwrap();
        assert_eq!(catalog.closes(off), [on]);
        assert_eq!(catalog.actions(), 2);
        assert_eq!(
            infer(&[empty], &Zones::new(None), &keys).unwrap().actions(),
            0
        );
    }
}
