//! Files of what must outlive a kill: checkpoints, outputs, the ledger and the cassette.
//!
//! All that these do to files and folders they do through a [`Disk`], so that a test can put another one in its place.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

#[cfg(test)]
pub mod simulated;

/// Where files are; clones are of the same.
#[derive(Clone, Debug, Default)]
pub struct Disk(Place);

#[derive(Clone, Debug, Default)]
enum Place {
    #[default]
    Real,
    #[cfg(test)]
    Simulated(simulated::Simulated),
}

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
        Disk(Place::Real)
    }

    /// Opens a file.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&self, path: &Path, to: Open) -> io::Result<File> {
        match &self.0 {
            Place::Real => options(to).open(path).map(File::from),
            #[cfg(test)]
            Place::Simulated(disk) => disk
                .open(path, to)
                .map(|file| File(Handle::Simulated(file))),
        }
    }

    /// All of a file.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match &self.0 {
            Place::Real => fs::read(path),
            #[cfg(test)]
            Place::Simulated(disk) => disk.read(path),
        }
    }

    /// What bears a name, if anything does; links are not followed.
    pub fn kind(&self, path: &Path) -> Option<Kind> {
        match &self.0 {
            Place::Real => kind(path),
            #[cfg(test)]
            Place::Simulated(disk) => disk.kind(path),
        }
    }

    /// What lies in a folder, in no particular order.
    ///
    /// # Errors
    /// What the system says.
    pub fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        match &self.0 {
            Place::Real => fs::read_dir(folder)?
                .map(|entry| Ok(entry?.path()))
                .collect(),
            #[cfg(test)]
            Place::Simulated(disk) => disk.list(folder),
        }
    }

    /// A path without links in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        match &self.0 {
            Place::Real => path.canonicalize(),
            #[cfg(test)]
            Place::Simulated(disk) => disk.list(path).map(|_| path.to_owned()),
        }
    }

    /// Gives a file or a folder another name, in place of the file that had it.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match &self.0 {
            Place::Real => fs::rename(from, to),
            #[cfg(test)]
            Place::Simulated(disk) => disk.rename(from, to),
        }
    }

    /// Removes a file or a link, if there is one.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            Place::Real => gone(fs::remove_file(path)),
            #[cfg(test)]
            Place::Simulated(disk) => disk.remove(path),
        }
    }

    /// Removes a folder with all in it, if there is one.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_folder(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            Place::Real => gone(fs::remove_dir_all(path)),
            #[cfg(test)]
            Place::Simulated(disk) => disk.remove_folder(path),
        }
    }

    /// Makes a folder, and those that it lies in, where they are not there; their names outlive a power failure.
    ///
    /// # Errors
    /// What the system says.
    pub fn create_folder(&self, path: &Path) -> io::Result<()> {
        let above = path.ancestors().filter(|it| !it.as_os_str().is_empty());
        let missing: Vec<&Path> = above.take_while(|it| self.kind(it).is_none()).collect();
        match &self.0 {
            Place::Real => fs::create_dir_all(path)?,
            #[cfg(test)]
            Place::Simulated(disk) => disk.create_folder(path)?,
        }
        let mut holding = missing.iter().rev().filter_map(|made| made.parent());
        holding.try_for_each(|folder| self.sync_folder(folder))
    }

    /// Writes a file anew, whole or not at all: it outlives a power failure, and nobody sees a part of it. Whatever stood under
    /// its name, a link for one, is removed, not written to.
    ///
    /// # Errors
    /// What the system says.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = Path::new(&new);
        self.remove(new)?;
        let mut file = self.open(new, Open::New)?;
        file.write_all(bytes)?;
        file.sync()?;
        self.rename(new, path)?;
        self.sync_folder(path.parent().unwrap_or(Path::new("")))
    }

    /// Has the names in a folder outlive a power failure.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync_folder(&self, path: &Path) -> io::Result<()> {
        // A relative name alone lies in the working folder.
        let here = path == Path::new("");
        let path = if here { Path::new(".") } else { path };
        match &self.0 {
            Place::Real => fs::File::open(path)?.sync_all(),
            #[cfg(test)]
            Place::Simulated(disk) => disk.sync_folder(path),
        }
    }
}

fn options(to: Open) -> OpenOptions {
    let mut options = OpenOptions::new();
    match to {
        Open::Read => options.read(true),
        Open::Update => options.read(true).write(true),
        Open::New => options.read(true).write(true).create_new(true),
        Open::Anew => options.write(true).create(true).truncate(true),
        Open::Append => options.read(true).append(true).create(true),
    };
    options
}

fn kind(path: &Path) -> Option<Kind> {
    let found = path.symlink_metadata().ok()?.file_type();
    Some(match (found.is_file(), found.is_dir()) {
        (true, _) => Kind::File,
        (_, true) => Kind::Folder,
        _ => Kind::Other,
    })
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
pub struct File(Handle);

#[derive(Debug)]
enum Handle {
    Real(fs::File),
    #[cfg(test)]
    Simulated(simulated::File),
}

impl File {
    /// The same file once more, at the same place in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_clone(&self) -> io::Result<Self> {
        match &self.0 {
            Handle::Real(file) => file.try_clone().map(File::from),
            #[cfg(test)]
            Handle::Simulated(file) => Ok(File(Handle::Simulated(file.clone()))),
        }
    }

    /// Has this process alone use it, until all clones are dropped.
    ///
    /// # Errors
    /// Another one uses it, or what the system says.
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        match &self.0 {
            Handle::Real(file) => file.try_lock(),
            #[cfg(test)]
            Handle::Simulated(file) => file.try_lock(),
        }
    }

    /// Its bytes, and how many they are, outlive a power failure from now on; its name does once its folder is synced.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        match &self.0 {
            Handle::Real(file) => file.sync_data(),
            #[cfg(test)]
            Handle::Simulated(file) => file.sync(),
        }
    }

    /// How many bytes it has.
    ///
    /// # Errors
    /// What the system says.
    pub fn length(&self) -> io::Result<u64> {
        match &self.0 {
            Handle::Real(file) => Ok(file.metadata()?.len()),
            #[cfg(test)]
            Handle::Simulated(file) => Ok(file.length()),
        }
    }

    /// Has it end behind so many bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_length(&self, bytes: u64) -> io::Result<()> {
        match &self.0 {
            Handle::Real(file) => file.set_len(bytes),
            #[cfg(test)]
            Handle::Simulated(file) => file.set_length(bytes),
        }
    }
}

impl From<fs::File> for File {
    fn from(file: fs::File) -> Self {
        File(Handle::Real(file))
    }
}

impl Read for &File {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Handle::Real(file) => (&mut &*file).read(bytes),
            #[cfg(test)]
            Handle::Simulated(file) => Ok(file.read(bytes)),
        }
    }
}

impl Write for &File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Handle::Real(file) => (&mut &*file).write(bytes),
            #[cfg(test)]
            Handle::Simulated(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &self.0 {
            Handle::Real(file) => (&mut &*file).flush(),
            #[cfg(test)]
            Handle::Simulated(_) => Ok(()),
        }
    }
}

impl Seek for &File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &self.0 {
            Handle::Real(file) => (&mut &*file).seek(to),
            #[cfg(test)]
            Handle::Simulated(file) => file.seek(to),
        }
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
