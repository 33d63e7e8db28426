//! An output folder: a file a stream, and the models.

mod folder;
mod models;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use hearth_operators::words::Epoch;

use super::{Sink, SinkError};
use crate::outputs::{Model, Names, Rows, Stream};

pub use folder::{Folder, FolderError};
pub use models::Models;

/// Writes streams into a folder.
pub struct Files {
    /// By [`Stream`].
    files: Vec<Appended>,
    models: Models,
    /// The line being formatted.
    line: Vec<u8>,
}

/// A file that is only appended to.
struct Appended {
    path: PathBuf,
    file: BufWriter<File>,
    /// Bytes given to it.
    bytes: u64,
    /// The last epoch that is closed.
    closed: Option<Epoch>,
    /// Of each epoch with rows, in order: where the file ended after them. 16 bytes an epoch.
    ends: Vec<(Epoch, u64)>,
}

impl Files {
    /// Starts new outputs in the folder; those of an earlier run there are removed before the first is made, so that no
    /// folder holds a mixture.
    ///
    /// # Errors
    /// A file cannot be removed or created.
    pub fn create(folder: &Folder) -> Result<Files, FolderError> {
        folder.clear()?;
        let mut files = Vec::with_capacity(Stream::ALL.len());
        for stream in Stream::ALL {
            let path = stream.path(folder.path());
            match File::create_new(&path) {
                Ok(file) => files.push(Appended::new(path, file)),
                Err(source) => return Err(FolderError::Create { path, source }),
            }
        }
        Ok(Files {
            files,
            models: Models::of(folder.path()),
            line: Vec::new(),
        })
    }
}

impl Appended {
    fn new(path: PathBuf, file: File) -> Self {
        Appended {
            path,
            file: BufWriter::with_capacity(1 << 18, file),
            bytes: 0,
            closed: None,
            ends: Vec::new(),
        }
    }

    fn append(&mut self, line: &[u8]) -> Result<(), SinkError> {
        self.bytes += line.len() as u64;
        self.file
            .write_all(line)
            .map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> SinkError {
        let path = self.path.clone();
        SinkError::Write { path, source }
    }
}

impl Sink for Files {
    fn write(&mut self, epoch: Epoch, rows: &dyn Rows, names: &Names) -> Result<(), SinkError> {
        let file = &mut self.files[rows.stream() as usize];
        for index in 0..rows.len() {
            self.line.clear();
            rows.line(index, epoch, names, &mut self.line)
                .map_err(|error| file.failed(error.into()))?;
            self.line.push(b'\n');
            file.append(&self.line)?;
        }
        match file.ends.last_mut() {
            Some((last, end)) if *last == epoch => *end = file.bytes,
            _ => file.ends.push((epoch, file.bytes)),
        }
        Ok(())
    }

    fn close(&mut self, stream: Stream, epoch: Epoch) {
        let file = &mut self.files[stream as usize];
        file.closed = file.closed.max(Some(epoch));
    }

    /// Its file is named by its version: written again after a restart it is the same, so it need not wait for its epoch.
    fn save(&mut self, model: &Model, names: &Names) -> Result<(), SinkError> {
        self.models.write(model, names)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        for file in &mut self.files {
            let flushed = file.file.flush();
            flushed.map_err(|source| file.failed(source))?;
        }
        Ok(())
    }

    fn position(&self, stream: Stream, epoch: Epoch) -> Option<u64> {
        let file = &self.files[stream as usize];
        file.closed.filter(|&closed| epoch <= closed)?;
        let before = file
            .ends
            .partition_point(|&(with_rows, _)| with_rows <= epoch);
        Some(before.checked_sub(1).map_or(0, |last| file.ends[last].1))
    }
}

/// Writes a file anew. Whatever stood under its name, a link for one, is removed, not written to.
///
/// # Errors
/// It cannot be removed or written.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    remove(path)?;
    File::create_new(path)?.write_all(bytes)
}

/// Removes a file or a link, if there is one.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
