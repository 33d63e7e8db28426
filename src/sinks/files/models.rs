//! The models of a run as safetensors files: `models/cohort/…` (of cohorts with a name `models/cohorts/COHORT/…`) and
//! `models/homes/HOME/…`.

use std::io;
use std::path::{Path, PathBuf};

use super::SinkError;
use crate::disk::{Disk, Kind};
use crate::outputs::{Model, ModelOf, Names};

/// Bytes of a home's name that its folder shows; longer names are told apart by a hash behind.
const SHOWN: usize = 100;

/// The folder of an output that holds models.
#[derive(Clone, Debug)]
pub struct Models {
    disk: Disk,
    folder: PathBuf,
}

impl Models {
    /// In an output folder.
    pub fn of(disk: &Disk, dir: &Path) -> Self {
        Models {
            disk: disk.clone(),
            folder: dir.join("models"),
        }
    }

    /// Whether there are any.
    pub fn exist(&self) -> bool {
        self.disk.kind(&self.folder).is_some()
    }

    /// Removes those of an earlier output; of a link, the link alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self) -> io::Result<()> {
        match self.disk.kind(&self.folder) {
            Some(Kind::Folder) => self.disk.remove_folder(&self.folder),
            _ => self.disk.remove(&self.folder),
        }
    }

    /// The folder of a home.
    pub fn of_home(&self, name: &str) -> PathBuf {
        self.folder.join("homes").join(folder(name))
    }

    /// Removes those of a home. Whether there were any.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_home(&self, name: &str) -> io::Result<bool> {
        let folder = self.of_home(name);
        let there = self.disk.kind(&folder) == Some(Kind::Folder);
        if there {
            self.disk.remove_folder(&folder)?;
        }
        Ok(there)
    }

    /// The folder of a cohort, or that of homes that name none.
    pub fn of_cohort(&self, name: Option<&str>) -> PathBuf {
        match name {
            Some(name) => self.folder.join("cohorts").join(folder(name)),
            None => self.folder.join("cohort"),
        }
    }

    /// Writes `MODEL-VERSION.safetensors` into its owner's folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, model: &Model, names: &Names) -> Result<(), SinkError> {
        let folder = match model.of {
            ModelOf::Home(home) => self.of_home(&names.home(home)),
            ModelOf::Cohort(cohort) => self.of_cohort(names.cohort(cohort)),
        };
        let file = format!("{}-{}.safetensors", model.model, model.version);
        let path = folder.join(file);
        let disk = &self.disk;
        disk.create_folder(&folder)
            .and_then(|()| disk.replace(&path, &model.weights.0))
            .map_err(|source| SinkError::Write { path, source })
    }
}

/// A folder's name for any home's: letters, digits, `-`, `_` and inner dots stay, other bytes are written `%41`.
fn folder(home: &str) -> String {
    let mut name = String::with_capacity(home.len());
    for (i, byte) in home.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(byte.into()),
            b'.' if i > 0 => name.push('.'),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    if name.len() > SHOWN {
        // FNV-1a of the whole name.
        let hash = home.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        name.truncate(SHOWN);
        name.push_str(&format!("-{hash:016x}"));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_folder() {
        assert_eq!(folder("h-17"), "h-17");
        assert_eq!(folder("../etc"), "%2e.%2fetc");
        assert_eq!(folder("Haus Süd"), "Haus%20S%c3%bcd");
        let (a, b) = ("x".repeat(200) + "a", "x".repeat(200) + "b");
        assert_ne!(folder(&a), folder(&b));
        assert!(folder(&a).len() < 255);
    }
}
