//! Files of what must outlive a kill: checkpoints, outputs, the ledger and the cassette.
//!
//! All that these do to files and folders they do through a [`Disk`], so that a test can put another one in its place.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Where files are; clones are of the same.
#[derive(Clone, Debug, Default)]
pub struct Disk(());

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// To be read.
    Read,
    /// To be read and written, from its start; it is there.
    Update,
    /// To be read and written; it is not there.
    New,
    /// To be written; what was in it goes.
    Anew,
    /// To be read, and written at its end; it need not be there.
    Append,
}

/// What bears a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A link, or what else there is.
    Other,
}

impl Disk {
    /// The system's.
    pub fn real() -> Self {
        Disk(())
    }

    /// Opens a file.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&self, path: &Path, to: Open) -> io::Result<File> {
        let mut options = OpenOptions::new();
        match to {
            Open::Read => options.read(true),
            Open::Update => options.read(true).write(true),
            Open::New => options.read(true).write(true).create_new(true),
            Open::Anew => options.write(true).create(true).truncate(true),
            Open::Append => options.read(true).append(true).create(true),
        };
        options.open(path).map(File)
    }

    /// All of a file.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    /// What bears a name, if anything does; links are not followed.
    pub fn kind(&self, path: &Path) -> Option<Kind> {
        let found = path.symlink_metadata().ok()?.file_type();
        Some(match (found.is_file(), found.is_dir()) {
            (true, _) => Kind::File,
            (_, true) => Kind::Folder,
            _ => Kind::Other,
        })
    }

    /// What lies in a folder, in no particular order.
    ///
    /// # Errors
    /// What the system says.
    pub fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)?;
        entries.map(|entry| Ok(entry?.path())).collect()
    }

    /// A path without links in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }

    /// Gives a file or a folder another name, in place of the file that had it.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Removes a file or a link, if there is one.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        gone(fs::remove_file(path))
    }

    /// Removes a folder with all in it, if there is one.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_folder(&self, path: &Path) -> io::Result<()> {
        gone(fs::remove_dir_all(path))
    }

    /// Makes a folder, and those that it lies in, where they are not there.
    ///
    /// # Errors
    /// What the system says.
    pub fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    /// Has the names in a folder outlive a power failure.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync_folder(&self, path: &Path) -> io::Result<()> {
        // A relative name alone lies in the working folder.
        let here = path == Path::new("");
        let path = if here { Path::new(".") } else { path };
        fs::File::open(path)?.sync_all()
    }
}

/// What is not there need not go.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file that is open.
#[derive(Debug)]
pub struct File(fs::File);

impl File {
    /// The same file once more, at the same place in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(File)
    }

    /// Has this process alone use it, until all clones are dropped.
    ///
    /// # Errors
    /// Another one uses it, or what the system says.
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        self.0.try_lock()
    }

    /// Its bytes, and how many they are, outlive a power failure from now on; its name does once its folder is synced.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    /// How many bytes it has.
    ///
    /// # Errors
    /// What the system says.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// Has it end behind so many bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }
}

impl From<fs::File> for File {
    fn from(file: fs::File) -> Self {
        File(file)
    }
}

impl Read for &File {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(bytes)
    }
}

impl Write for &File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&self.0).flush()
    }
}

impl Seek for &File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        (&self.0).seek(to)
    }
}

impl Read for File {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        (&mut &*self).read(bytes)
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&mut &*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&mut &*self).flush()
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        (&mut &*self).seek(to)
    }
}
