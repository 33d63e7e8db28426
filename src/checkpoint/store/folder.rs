//! A folder of the file system.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::{Fill, Opened, Store};

/// What a file ends with until it is whole.
const PARTIAL: &str = ".partial";

/// A folder, made when the first thing is put there.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// That folder.
    pub fn new(path: PathBuf) -> Self {
        Folder(path)
    }
}

impl Store for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Opened> {
        Ok(Box::new(File::open(self.0.join(name))?))
    }

    fn put(&self, name: &str, fill: Fill<'_>) -> io::Result<()> {
        if !self.0.is_dir() {
            fs::create_dir_all(&self.0)?;
            // Its name, too, is to outlive a power failure.
            sync(self.0.parent().unwrap_or(Path::new(".")))?;
        }
        let partial = self.0.join(format!("{name}{PARTIAL}"));
        let mut out = BufWriter::with_capacity(1 << 18, File::create(&partial)?);
        fill(&mut out)?;
        out.into_inner()?.sync_all()?;
        fs::rename(&partial, self.0.join(name))?;
        sync(&self.0)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.0.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn leave(&self) -> io::Result<()> {
        use io::ErrorKind::{DirectoryNotEmpty, NotFound};
        match fs::remove_dir(&self.0) {
            Err(error) if !matches!(error.kind(), NotFound | DirectoryNotEmpty) => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

/// Has the names in a folder outlive a power failure.
fn sync(folder: &Path) -> io::Result<()> {
    let here = folder.as_os_str().is_empty();
    File::open(if here { Path::new(".") } else { folder })?.sync_all()
}
