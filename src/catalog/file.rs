//! Catalog files: read and written.

use std::fs;
use std::io;
use std::path::Path;

use hearth_operators::words::{Action, Catalog, Device};

use crate::nfc;

/// Why there is no catalog in a file.
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
    let malformed = |reason: String, line: usize| CatalogFileError::Malformed {
        file: file.display().to_string(),
        line,
        reason,
    };
    let catalog: Catalog = serde_json::from_str(&text).map_err(|error| {
        let message = error.to_string();
        let reason = message.split(" at line ").next().unwrap_or(&message);
        malformed(reason.to_owned(), error.line().max(1))
    })?;
    let devices = catalog.devices().iter().cloned().map(composed);
    Catalog::new(devices.collect()).map_err(|error| malformed(error.to_string(), 1))
}

/// A device with its names in the composed Unicode form. Its actions stay in the order in which they were written: that is the order
/// of behaviours of one time.
fn composed(device: Device) -> Device {
    let name = |name: &str| nfc::composed(name.into()).into_owned();
    let actions = device.actions.into_iter().map(|action| Action {
        name: name(&action.name),
        closes: action.closes.iter().map(|closed| name(closed)).collect(),
        ..action
    });
    Device {
        name: name(&device.name),
        actions: actions.collect(),
        ..device
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Vocabulary;

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
}
