//! The folder itself: one run at a time, nothing of an earlier one is left, nothing outside is touched.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use super::models::Models;
use crate::disk::{Disk, File, Kind, Open};
use crate::outputs::{Stream, cassette_path, is_inbox, state_path, summary_path};

/// How what lies beside the outputs is named; it makes no folder somebody else's.
const BESIDE: &str = ".hearth.";

/// OpenRows by the run that writes into the folder. It stays: who removed it could remove it under the next run.
const LOCK: &str = ".hearth.lock";

/// Why a folder cannot take a run's outputs. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder holds files that are not Hearth's.
    #[error(
        "{0} is not empty and holds no earlier output of Hearth; name another folder with --out"
    )]
    Occupied(PathBuf),
    /// The folder or a file in it cannot be created.
    #[error("cannot create {path}: {source}; name a writable folder with --out")]
    Create {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that a run is to go on with cannot be.
    #[error("cannot go on with {path}: {source}; --fresh begins anew")]
    Reopen {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another run writes into it.
    #[error("another run writes into {0}; wait for its end, or name another folder with --out")]
    InUse(PathBuf),
    /// A file that this run reads lies in it.
    #[error("{input} lies in the output folder {folder}; name another folder with --out")]
    HoldsInput {
        /// The file, as it was given.
        input: PathBuf,
        /// The folder, as it was given.
        folder: PathBuf,
    },
    /// Something that is no file bears the name of one that would be written.
    #[error("{0} is in the way of an output file; remove it, or name another folder with --out")]
    InTheWay(PathBuf),
}

/// An output folder that this run alone writes into, until it is dropped.
#[derive(Debug)]
pub struct Folder {
    disk: Disk,
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Creates the folder where needed and claims it for a run that reads `inputs`. What is in it stays as it is, until
    /// [`Files::create`](super::Files::create).
    ///
    /// # Errors
    /// It cannot be created, holds other files but none of Hearth's, another run writes into it, or an input lies in it.
    pub fn claim<'a>(
        disk: &Disk,
        path: &Path,
        inputs: impl IntoIterator<Item = &'a Path>,
    ) -> Result<Folder, FolderError> {
        disk.create_folder(path).map_err(creating(path))?;
        let inside = Contents::of(disk, path)?;
        if inside.foreign && !inside.ours {
            return Err(FolderError::Occupied(path.to_owned()));
        }
        let real = disk.canonicalize(path).map_err(creating(path))?;
        for input in inputs {
            // What is no file, such as `-`, lies nowhere.
            if input.canonicalize().is_ok_and(|it| it.starts_with(&real)) {
                return Err(FolderError::HoldsInput {
                    input: input.to_owned(),
                    folder: path.to_owned(),
                });
            }
        }
        for file in outputs(path) {
            if disk.kind(&file) == Some(Kind::Folder) {
                return Err(FolderError::InTheWay(file));
            }
        }
        Ok(Folder {
            disk: disk.clone(),
            path: path.to_owned(),
            _lock: lock(disk, path)?,
        })
    }

    /// What it lies on.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether outputs are in it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn has_outputs(&self) -> Result<bool, FolderError> {
        Ok(Contents::of(&self.disk, &self.path)?.ours)
    }

    /// Has the names in it outlive a power failure.
    pub(super) fn sync(&self) -> Result<(), FolderError> {
        let synced = self.disk.sync_folder(&self.path);
        synced.map_err(creating(&self.path))
    }

    /// Takes back what says that the outputs are complete.
    pub(super) fn reopen(&self) -> Result<(), FolderError> {
        let summary = summary_path(&self.path);
        self.disk.remove(&summary).map_err(creating(&summary))?;
        self.sync()
    }

    /// Removes an earlier output: the summary first, for a folder without one is known to be incomplete, and all of it before
    /// anything new is written. Links are removed, not followed.
    pub(super) fn clear(&self) -> Result<(), FolderError> {
        self.reopen()?;
        let inside = self.disk.list(&self.path).map_err(creating(&self.path))?;
        for file in outputs(&self.path).chain(sealed(&inside)) {
            self.disk.remove(&file).map_err(creating(&file))?;
        }
        let models = Models::of(&self.disk, &self.path);
        models.clear().map_err(creating(&self.path))?;
        self.sync()
    }
}

/// The files of streams that others follow, among those of a folder.
fn sealed(inside: &[PathBuf]) -> Vec<PathBuf> {
    let sealed = Stream::ALL.map(|stream| stream.sealed_among(inside.to_vec()));
    let sealed = sealed.into_iter().flatten();
    sealed.map(|sealed| sealed.path).collect()
}

/// The files that a run writes; its models have a folder of their own.
fn outputs(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let streams = Stream::ALL.map(|stream| [stream.path(dir), stream.packed_path(dir)]);
    std::iter::once(summary_path(dir)).chain(streams.into_iter().flatten())
}

/// What a folder holds.
struct Contents {
    /// An output of Hearth.
    ours: bool,
    /// Something that a run of Hearth does not leave there before its first output.
    foreign: bool,
}

impl Contents {
    fn of(disk: &Disk, dir: &Path) -> Result<Self, FolderError> {
        let there = |file: PathBuf| disk.kind(&file).is_some();
        let inside = disk.list(dir).map_err(creating(dir))?;
        Ok(Contents {
            ours: Models::of(disk, dir).exist()
                || outputs(dir).any(there)
                || !sealed(&inside).is_empty(),
            foreign: inside.iter().any(|path| {
                !is_beside(path)
                    && *path != cassette_path(dir)
                    && *path != state_path(dir)
                    && !is_inbox(path)
            }),
        })
    }
}

fn is_beside(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(BESIDE.as_bytes())
}

/// Locks the folder for this process; the system releases it with the process, however that ends.
fn lock(disk: &Disk, dir: &Path) -> Result<File, FolderError> {
    let path = dir.join(LOCK);
    if disk.kind(&path).is_some_and(|kind| kind != Kind::File) {
        return Err(FolderError::InTheWay(path));
    }
    let file = disk.open(&path, Open::Append).map_err(creating(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(FolderError::Create { path, source }),
    }
}

fn creating(path: &Path) -> impl Fn(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Create {
        path: path.clone(),
        source,
    }
}
