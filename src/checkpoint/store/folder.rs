//! A folder of the file system.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Fill, Opened, Store};
use crate::disk::{Disk, Open};

/// What a file ends with until it is whole.
const PARTIAL: &str = ".partial";

/// A folder, made when the first thing is put there.
#[derive(Debug)]
pub struct Folder {
    disk: Disk,
    path: PathBuf,
    /// Whether its name is known to outlive a power failure.
    made: AtomicBool,
}

impl Folder {
    /// That folder.
    pub fn new(disk: &Disk, path: PathBuf) -> Self {
        Folder {
            disk: disk.clone(),
            path,
            made: AtomicBool::new(false),
        }
    }

    /// Makes it. One that is there may be of a run that was killed before its name was certain.
    fn make(&self) -> io::Result<()> {
        if !self.made.load(Ordering::Relaxed) {
            self.disk.create_folder(&self.path)?;
            let parent = self.path.parent().unwrap_or(Path::new("/"));
            self.disk.sync_folder(parent)?;
            self.made.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Store for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let paths = match self.disk.list(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            paths => paths?,
        };
        let name = |path: PathBuf| Some(path.file_name()?.to_str()?.to_owned());
        let mut names: Vec<String> = paths.into_iter().filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Opened> {
        Ok(Box::new(self.disk.open(&self.path.join(name), Open::Read)?))
    }

    fn put(&self, name: &str, fill: Fill<'_>) -> io::Result<()> {
        self.make()?;
        let partial = self.path.join(format!("{name}{PARTIAL}"));
        let mut out = BufWriter::with_capacity(1 << 18, self.disk.open(&partial, Open::Anew)?);
        fill(&mut out)?;
        out.into_inner()?.sync()?;
        self.disk.rename(&partial, &self.path.join(name))?;
        self.disk.sync_folder(&self.path)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(&self.path.join(name))?;
        self.disk.sync_folder(&self.path)
    }

    fn leave(&self) -> io::Result<()> {
        match self.disk.list(&self.path) {
            Ok(left) if left.is_empty() => {
                self.made.store(false, Ordering::Relaxed);
                self.disk.remove_folder(&self.path)
            }
            _ => Ok(()),
        }
    }

    fn path(&self, name: &str) -> String {
        let path = match name {
            "" => self.path.clone(),
            name => self.path.join(name),
        };
        path.display().to_string()
    }

    fn is_remote(&self) -> bool {
        false
    }
}
