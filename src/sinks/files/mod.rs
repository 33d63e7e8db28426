//! An output folder: a file a stream, and the models.

mod appended;
mod between;
mod folder;
mod models;

use hearth_operators::words::Epoch;

use super::{Durable, Positions, Sink, SinkError};
use crate::config::{Packing, Roll};
use crate::outputs::{Model, Names, Rows, Stream};

use appended::Appended;
pub use appended::Place;
pub(crate) use between::between;
pub use folder::{Folder, FolderError};
pub use models::Models;

/// How the files of a folder are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Whether they are packed.
    pub packing: Packing,
    /// When a file is sealed at a cut, and another one begun; none: never.
    pub roll: Option<Roll>,
}

impl Form {
    /// The period in which a file is that is begun now.
    fn period(&self) -> u64 {
        self.roll.as_ref().map_or(0, Roll::period)
    }
}

/// One file a stream.
impl From<Packing> for Form {
    fn from(packing: Packing) -> Self {
        let roll = None;
        Form { packing, roll }
    }
}

/// Writes streams into a folder.
pub struct Files {
    /// By [`Stream`].
    files: Vec<Appended>,
    models: Models,
    /// The line being formatted.
    line: Vec<u8>,
}

impl Files {
    /// Starts new outputs in the folder; those of an earlier run there are removed before the first is made, so that no
    /// folder holds a mixture.
    ///
    /// # Errors
    /// A file cannot be removed or created.
    pub fn create(folder: &Folder, form: impl Into<Form>) -> Result<Files, FolderError> {
        folder.clear()?;
        let form = form.into();
        let create = |stream| {
            let created = Appended::create(folder, stream, form);
            created.map_err(|(path, source)| FolderError::Create { path, source })
        };
        let files: Vec<Appended> = Stream::ALL
            .into_iter()
            .map(create)
            .collect::<Result<_, _>>()?;
        // A cut says how far they go, and so that they are there.
        folder.sync()?;
        Ok(Files {
            files,
            models: Models::of(folder.disk(), folder.path()),
            line: Vec::new(),
        })
    }
}

impl Files {
    /// Goes on with the outputs of an earlier run, from where a cut left them.
    ///
    /// # Errors
    /// A file is missing, shorter than it was, or cannot be opened.
    pub fn back_to(
        folder: &Folder,
        form: impl Into<Form>,
        positions: &Positions,
    ) -> Result<Files, FolderError> {
        folder.reopen()?;
        let form = form.into();
        let files = Stream::ALL.map(|stream| {
            let place = positions.get(&stream).copied().unwrap_or_default();
            Appended::back_to(folder, stream, form, place)
                .map_err(|(path, source)| FolderError::Reopen { path, source })
        });
        Ok(Files {
            files: files.into_iter().collect::<Result<_, _>>()?,
            models: Models::of(folder.disk(), folder.path()),
            line: Vec::new(),
        })
    }
}

impl Files {
    /// Appends a line, its end included, as it is.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(&mut self, stream: Stream, line: &[u8]) -> Result<(), SinkError> {
        self.files[stream as usize].append(line)
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
        Ok(())
    }

    /// Its file is named by its version: written again after a restart it is the same, so it need not wait for its epoch.
    fn save(&mut self, model: &Model, names: &Names) -> Result<(), SinkError> {
        self.models.write(model, names)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.files.iter_mut().try_for_each(Appended::flush)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        // Before the summary says that they are complete.
        self.files.iter_mut().try_for_each(Appended::finish)
    }

    fn cut(&mut self) -> Result<(Positions, Durable), SinkError> {
        let (mut positions, mut files) = (Positions::new(), Vec::new());
        for (stream, file) in Stream::ALL.into_iter().zip(&mut self.files) {
            let (place, durable) = file.cut()?;
            positions.insert(stream, place);
            files.push(durable);
        }
        let durable = || files.into_iter().try_for_each(|durable| durable());
        Ok((positions, Box::new(durable)))
    }
}

#[cfg(test)]
mod tests;
