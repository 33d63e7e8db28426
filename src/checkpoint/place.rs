//! Where the checkpoints of a run lie: in its output folder, in another one, or in a bucket.

use std::io;
use std::path::{Path, PathBuf};

use super::CheckpointError;
use super::store::{Folder, Objects, SCHEME, Store};
use crate::disk::{Disk, Kind};
use crate::outputs::state_path;

/// A file in an output folder that says where else its run keeps them.
const NOTE: &str = ".hearth.state";

/// Where checkpoints lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this folder.
    Folder(PathBuf),
    /// In the bucket of an object store, as it was named.
    Bucket(String),
}

impl Place {
    /// A folder or `s3://bucket/prefix`, as a person named it.
    pub fn named(name: &str) -> Self {
        match name.starts_with(SCHEME) {
            true => Place::Bucket(name.to_owned()),
            // Whoever reads it later may stand elsewhere.
            false => Place::Folder(std::path::absolute(name).unwrap_or_else(|_| name.into())),
        }
    }

    /// Where a run into the folder `out` keeps them that was told this.
    pub fn of_run(out: &Path, told: Option<&str>) -> Self {
        told.map_or_else(|| Place::Folder(state_path(out)), Place::named)
    }

    /// Where the last run into the folder `out` has kept them.
    ///
    /// # Errors
    /// What was noted cannot be read.
    pub fn left_in(disk: &Disk, out: &Path) -> Result<Self, CheckpointError> {
        let note = out.join(NOTE);
        match disk.kind(&note) {
            None => Ok(Place::of_run(out, None)),
            Some(_) => {
                let read = disk.read(&note).map_err(of_note(&note))?;
                let name = String::from_utf8(read).map_err(io::Error::other);
                Ok(Place::named(name.map_err(of_note(&note))?.trim()))
            }
        }
    }

    /// What a person means who names an output folder, or where checkpoints lie themselves; with the output folder, if it is one.
    ///
    /// # Errors
    /// What was noted in an output folder cannot be read.
    pub fn meant(name: &str) -> Result<(Self, Option<PathBuf>), CheckpointError> {
        let (disk, out) = (Disk::real(), PathBuf::from(name));
        let is_output = disk.kind(&out.join(NOTE)).is_some() || state_path(&out).is_dir();
        match is_output && !name.starts_with(SCHEME) {
            true => Ok((Place::left_in(&disk, &out)?, Some(out))),
            false => Ok((Place::named(name), None)),
        }
    }

    /// Has the output folder say where they lie, so that whoever is to find them does.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note(&self, disk: &Disk, out: &Path) -> Result<(), CheckpointError> {
        let note = out.join(NOTE);
        let noted = match disk.kind(&note) {
            Some(Kind::File) => disk.read(&note).ok(),
            _ => None,
        };
        if *self == Place::of_run(out, None) {
            return match noted {
                Some(_) => disk.remove(&note).map_err(of_note(&note)),
                None => Ok(()),
            };
        }
        let text = format!("{self}\n").into_bytes();
        match noted.as_ref() == Some(&text) {
            true => Ok(()),
            false => disk.replace(&note, &text).map_err(of_note(&note)),
        }
    }

    /// Opens it.
    pub(super) fn open(&self, disk: &Disk) -> Result<Box<dyn Store>, CheckpointError> {
        match self {
            Place::Folder(path) => Ok(Box::new(Folder::new(disk, path.clone()))),
            Place::Bucket(url) => match Objects::new(url) {
                Ok(bucket) => Ok(Box::new(bucket)),
                // Not by its name, which may be none, and hold a key.
                Err(source) => Err(CheckpointError::File {
                    path: "place that --state names".to_owned(),
                    source,
                }),
            },
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Folder(path) => write!(f, "{}", path.display()),
            Place::Bucket(url) => f.write_str(url),
        }
    }
}

fn of_note(note: &Path) -> impl Fn(io::Error) -> CheckpointError {
    let path = note.display().to_string();
    move |source| CheckpointError::File {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_knows_where_its_run_keeps_checkpoints() {
        let (disk, dir) = (Disk::real(), tempfile::tempdir().unwrap());
        let out = dir.path();
        let inside = Place::Folder(out.join("state"));
        assert_eq!(Place::left_in(&disk, out).unwrap(), inside);
        for name in ["s3://homes/some/run", "/elsewhere/of mine"] {
            let place = Place::of_run(out, Some(name));
            place.note(&disk, out).unwrap();
            assert_eq!(Place::left_in(&disk, out).unwrap(), place);
            let meant = Place::meant(out.to_str().unwrap()).unwrap();
            assert_eq!(meant, (place, Some(out.to_owned())));
        }
        Place::of_run(out, None).note(&disk, out).unwrap();
        assert_eq!(Place::left_in(&disk, out).unwrap(), inside);
        assert_eq!(std::fs::read_dir(out).unwrap().count(), 0);
    }
}
