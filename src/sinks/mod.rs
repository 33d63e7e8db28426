//! Where streams go: rows leave the dataflow by [`Out`], reach one thread, the [`Writer`], over a bounded channel, and are
//! handed to a [`Sink`] in order of epochs.
//!
//! A worker hands over plain data and goes on; looking up names, formatting and writing happen on the writer's thread.
//! Each stream is written as its own frontier closes: the rows of an epoch when no more of it can come. So what is
//! written is a prefix of the stream, whatever the workers' timing; within an epoch the rows are in no particular order.
//! If a sink fails, the writer keeps taking rows (so that no worker hangs) and [`Writer::finish`] says what happened.

pub mod feed;
pub mod files;
pub mod kafka;
pub mod mqtt;
mod open_rows;
mod out;
mod outbox;
pub mod parquet;
pub mod webhook;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use hearth_operators::words::Epoch;

use crate::outputs::{Model, Names, Rows, Stream};

pub use files::Place;
pub use open_rows::Open;
pub use out::Out;
pub use writer::{RowSender, Shown, Writer, Written};

/// Why outputs are incomplete.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A file could not be written to the end.
    #[error("writing {path} failed: {source}; the outputs in this folder are incomplete")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Rows that wait for their epoch could not be kept in a temporary file.
    #[error(
        "rows of epochs that are not complete cannot be kept in a temporary file: {0}; the outputs are incomplete; \
         TMPDIR names the folder of such files"
    )]
    Spill(io::Error),
    /// A row came after its epoch was closed.
    #[error(
        "a row of {stream} came after its epoch {epoch} was closed; the outputs are incomplete; this is a bug in Hearth"
    )]
    AfterClose {
        /// Of which stream.
        stream: &'static str,
        /// Of which epoch.
        epoch: Epoch,
    },
    /// The writer's thread panicked.
    #[error("the writer stopped unexpectedly; the outputs are incomplete")]
    Stopped,
    /// The system gives no thread to the writer.
    #[error("the writer cannot start: {0}")]
    Start(io::Error),
}

/// Where each stream stands in its sink.
pub type Positions = BTreeMap<Stream, Place>;

/// Sees to it that what was given until then outlives a power failure; whoever gave it need not wait for that.
pub type Durable = Box<dyn FnOnce() -> Result<(), SinkError> + Send>;

/// Takes streams to where they are wanted.
pub trait Sink: Send {
    /// Takes rows of an epoch that is complete. Epochs of a stream come in order.
    ///
    /// # Errors
    /// The rows cannot be written.
    fn write(&mut self, epoch: Epoch, rows: &dyn Rows, names: &Names) -> Result<(), SinkError>;

    /// Takes a model.
    ///
    /// # Errors
    /// It cannot be written.
    fn save(&mut self, model: &Model, names: &Names) -> Result<(), SinkError>;

    /// Lets others see what was given. It then outlives this process, though not a power failure.
    ///
    /// # Errors
    /// It cannot be written.
    fn flush(&mut self) -> Result<(), SinkError>;

    /// Lets others see what was given, and says where each stream stands: what a restart goes back to, once it was seen to that
    /// it outlives a power failure, too.
    ///
    /// # Errors
    /// It cannot be written.
    fn cut(&mut self) -> Result<(Positions, Durable), SinkError>;

    /// Nothing more comes.
    ///
    /// # Errors
    /// It cannot be written.
    fn finish(&mut self) -> Result<(), SinkError>;
}

impl Sink for Box<dyn Sink> {
    fn write(&mut self, epoch: Epoch, rows: &dyn Rows, names: &Names) -> Result<(), SinkError> {
        (**self).write(epoch, rows, names)
    }

    fn save(&mut self, model: &Model, names: &Names) -> Result<(), SinkError> {
        (**self).save(model, names)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        (**self).flush()
    }

    fn cut(&mut self) -> Result<(Positions, Durable), SinkError> {
        (**self).cut()
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        (**self).finish()
    }
}

#[cfg(test)]
mod tests;
