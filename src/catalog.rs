//! Catalogs at the edge: read from a file, written to one, or inferred from a log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hearth_operators::words::{Action, Catalog, CatalogError, Device};
use jiff::tz::TimeZone;

use crate::sources::{Events, SourceError};

/// Why there is no catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogFileError {
    /// The file cannot be read or written.
    #[error("cannot {what} the catalog `{file}`: {error}; check the path and its permissions")]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        file: String,
        /// What the system says.
        error: io::Error,
    },
    /// The file holds no catalog.
    #[error(
        "{file}:{line}: this is no catalog: {reason}; write {{\"devices\":[{{\"name\":\"Light\",\"actions\":[{{\"name\":\"on\"}},{{\"name\":\"off\",\"closes\":[\"on\"]}}]}}]}}"
    )]
    Malformed {
        /// The file.
        file: String,
        /// The line at which reading stopped.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The log from which the catalog is to be inferred cannot be read.
    #[error(transparent)]
    Log(#[from] SourceError),
    /// The log names more than a catalog can hold.
    #[error("no catalog can be inferred from the log: {0}; give one with --catalog")]
    Inferred(#[from] CatalogError),
}

/// Reads a catalog file.
///
/// # Errors
/// The file is unreadable or holds no catalog.
pub fn load(file: &Path) -> Result<Catalog, CatalogFileError> {
    let text = fs::read_to_string(file).map_err(|error| CatalogFileError::File {
        what: "read",
        file: file.display().to_string(),
        error,
    })?;
    serde_json::from_str(&text).map_err(|error| {
        let message = error.to_string();
        CatalogFileError::Malformed {
            file: file.display().to_string(),
            line: error.line().max(1),
            reason: message
                .split(" at line ")
                .next()
                .unwrap_or(&message)
                .to_owned(),
        }
    })
}

/// Writes a catalog file, one device a line.
///
/// # Errors
/// The file is not writable.
pub fn save(catalog: &Catalog, file: &Path) -> Result<(), CatalogFileError> {
    let failed = |error: io::Error| CatalogFileError::File {
        what: "write",
        file: file.display().to_string(),
        error,
    };
    let mut text = String::from("{\"devices\":[\n");
    for (i, device) in catalog.devices().iter().enumerate() {
        if i > 0 {
            text.push_str(",\n");
        }
        text.push_str(&serde_json::to_string(device).map_err(|error| failed(error.into()))?);
    }
    text.push_str("\n]}\n");
    fs::write(file, text).map_err(failed)
}

/// Reads a whole log for its vocabulary: devices and actions sorted by name, [`closings`] by the usual word pairs. A log
/// on standard input must be spooled first ([`crate::sources::spool`]), for its events are read in a second pass.
///
/// # Errors
/// The log cannot be read, or names more than a catalog can hold.
pub fn infer(files: &[PathBuf], timezone: &TimeZone) -> Result<Catalog, CatalogFileError> {
    let mut events = Events::open(files)?;
    let mut vocabulary = Vocabulary::default();
    let mut more = true;
    while more && vocabulary.actions <= usize::from(u16::MAX) {
        more = match events.next(timezone, |event| {
            // What is wrong with a line is said when its events are read.
            if let Ok(event) = event
                && let Ok((device, action)) = event.names()
            {
                vocabulary.add(device, action);
            }
        }) {
            Ok(more) => more,
            // A file that breaks off counts as far as it is readable, here as there.
            Err(SourceError::Broken { .. } | SourceError::Damaged { .. }) => true,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(vocabulary.catalog()?)
}

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

/// A device with these actions, in this order, and their [`closings`].
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
    Device::new(name, actions)
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

/// The usual word pairs: a word (or words) that ends a state, and those that begin it.
const PAIRS: &[(&str, &[&str])] = &[
    // Switches; alarms (`alarm both`); the modes that a thermostat leaves when it goes off.
    (
        "off",
        &[
            "on",
            "both",
            "siren",
            "strobe",
            "playing",
            "heat",
            "cool",
            "heat cool",
            "auto",
            "dry",
            "fan only",
        ],
    ),
    ("close", &["open"]),
    ("closed", &["open", "opened"]),
    ("closing", &["opening"]),
    ("shut", &["open"]),
    ("lock", &["unlock"]),
    ("locked", &["unlocked"]),
    ("locking", &["unlocking"]),
    ("stop", &["start", "run", "play"]),
    ("stopped", &["started", "running", "playing"]),
    ("end", &["start", "begin"]),
    ("pause", &["play", "run"]),
    ("paused", &["playing", "cleaning"]),
    ("idle", &["playing"]),
    ("docked", &["cleaning"]),
    ("deactivate", &["activate"]),
    ("inactive", &["active"]),
    ("disable", &["enable"]),
    ("disabled", &["enabled"]),
    ("disarm", &["arm"]),
    (
        "disarmed",
        &[
            "armed",
            "armed away",
            "armed home",
            "armed night",
            "triggered",
        ],
    ),
    ("unmute", &["mute"]),
    ("unmuted", &["muted"]),
    ("disconnect", &["connect"]),
    ("disconnected", &["connected"]),
    ("absent", &["present"]),
    ("leave", &["arrive"]),
    ("not home", &["home"]),
];

/// For each action of one device, the actions that it closes.
///
/// An action closes another if their names are the same but for one place, where the one has the closing and the other
/// an opening word of a pair: `off` closes `on`, `switch off` closes `switch on`, `windowShade close` closes `windowShade
/// open`, `powerCool deactivate` closes `powerCool activate`. Letter case does not matter, and words end at anything but
/// a letter or digit (`turn_off` closes `turn_on`).
///
/// | closes | what |
/// |---|---|
/// | off | on, both, siren, strobe (alarms), playing, heat, cool, auto, dry … (modes) |
/// | close, closed, closing, shut | open, opened, opening |
/// | lock, locked, locking | unlock, unlocked, unlocking |
/// | stop, stopped, end | start, run, play, begin and their past forms |
/// | pause, paused, idle, docked | play, run, playing, cleaning |
/// | deactivate, inactive, disable, disarm, disconnect | activate, active, enable, arm, connect |
/// | unmute | mute |
/// | absent, leave, not home | present, arrive, home |
///
/// ```
/// let actions = ["switch on", "switch off", "toggle"].map(String::from);
/// assert_eq!(hearth::catalog::closings(&actions), [vec![], vec!["switch on".to_string()], vec![]]);
/// ```
pub fn closings(actions: &[String]) -> Vec<Vec<String>> {
    let split: Vec<Vec<String>> = actions.iter().map(|action| words(action)).collect();
    let mut by_words: BTreeMap<&[String], Vec<usize>> = BTreeMap::new();
    for (i, words) in split.iter().enumerate() {
        by_words.entry(words).or_default().push(i);
    }
    split
        .iter()
        .map(|name| {
            let mut closed = BTreeSet::new();
            for (closing, openings) in PAIRS {
                let closing = words(closing);
                for at in 0..name.len() {
                    if !name[at..].starts_with(&closing) {
                        continue;
                    }
                    for opening in *openings {
                        let mut opened = name[..at].to_vec();
                        opened.extend(words(opening));
                        opened.extend_from_slice(&name[at + closing.len()..]);
                        closed.extend(by_words.get(&opened[..]).into_iter().flatten().copied());
                    }
                }
            }
            closed.into_iter().map(|i| actions[i].clone()).collect()
        })
        .collect()
}

/// The words of an action's name, in lower case.
fn words(name: &str) -> Vec<String> {
    name.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn closed_by(actions: &[&str], closing: &str) -> Vec<String> {
        let actions: Vec<String> = actions.iter().map(ToString::to_string).collect();
        let at = actions.iter().position(|a| a == closing).unwrap();
        closings(&actions)[at].clone()
    }

    #[test]
    fn pairs_are_found_whatever_stands_around_them() {
        for (closing, opening) in [
            ("off", "on"),
            ("Switch OFF", "switch on"),
            ("turn_off", "turn_on"),
            ("CLOSE", "OPEN"),
            ("windowShade close", "windowShade open"),
            ("set mode off now", "set mode on now"),
            ("lock lock", "lock unlock"),
            (
                "samsungce.powerCool deactivate",
                "samsungce.powerCool activate",
            ),
            (
                "washerOperatingState setMachineState stop",
                "washerOperatingState setMachineState run",
            ),
            ("not_home", "home"),
            ("alarm off", "alarm both"),
        ] {
            let actions = [opening, "unrelated on top", closing];
            assert_eq!(closed_by(&actions, closing), [opening], "{closing}");
            assert!(closed_by(&actions, opening).is_empty(), "{opening}");
        }
    }

    #[test]
    fn other_capabilities_are_left_alone() {
        let actions = [
            "powerCool activate",
            "powerFreeze deactivate",
            "office on",
            "setOff",
        ];
        for action in actions {
            assert!(closed_by(&actions, action).is_empty(), "{action}");
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.json");
        let mut vocabulary = Vocabulary::default();
        for (device, action) in [
            ("Lamp \"x\"", "on"),
            ("Lamp \"x\"", "off"),
            ("Door", "open"),
        ] {
            vocabulary.add(device, action);
        }
        let catalog = vocabulary.catalog().unwrap();
        save(&catalog, &file).unwrap();
        assert_eq!(load(&file).unwrap().devices(), catalog.devices());
    }

    #[test]
    fn a_broken_catalog_is_one_sentence_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.json");
        fs::write(&file, "{\"devices\":[\n{\"name\":\"Light\",\"acts\":[]}]}").unwrap();
        let message = load(&file).unwrap_err().to_string();
        assert!(
            message.contains("catalog.json:2: this is no catalog: unknown field `acts`"),
            "{message}"
        );
        let missing = load(&folder.path().join("none.json"))
            .unwrap_err()
            .to_string();
        assert!(missing.starts_with("cannot read the catalog"), "{missing}");
    }

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
        let catalog = infer(&[jsonl, csv, empty.clone()], &TimeZone::UTC).unwrap();
        let on = catalog.lookup("Light", "switch on").unwrap();
        let off = catalog.lookup("Light", "switch off").unwrap();
        assert_eq!(catalog.closes(off), [on]);
        assert_eq!(catalog.actions(), 2);
        assert_eq!(infer(&[empty], &TimeZone::UTC).unwrap().actions(), 0);
    }

    proptest! {
        /// Nothing closes itself, and what is closed exists.
        #[test]
        fn closings_name_other_actions(actions in prop::collection::btree_set("(off|on|close|open|not|home|[a-z]{1,3})( (off|on|lock|unlock))?", 0..12)) {
            let actions: Vec<String> = actions.into_iter().collect();
            for (action, closed) in actions.iter().zip(closings(&actions)) {
                prop_assert!(closed.iter().all(|c| c != action && actions.contains(c)));
            }
        }
    }
}
