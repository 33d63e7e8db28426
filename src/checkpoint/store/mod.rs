//! Where checkpoints lie: a place that takes things by name, whole or not at all.

mod folder;
mod objects;

use std::fmt;
use std::io::{self, Write};

use crate::codec::Source;

pub use folder::Folder;
pub use objects::{Objects, SCHEME};

/// What a thing is written by.
pub type Fill<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// Something to be read, anywhere in it.
pub type Opened = Box<dyn Source + Send + Sync>;

/// A place for things with names, which are plain words. What was put outlives a power failure.
pub trait Store: fmt::Debug + Send + Sync {
    /// The names of all that is there, in order; nothing, where there is no such place.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a thing.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    fn open(&self, name: &str) -> io::Result<Opened>;

    /// Puts a thing there, in place of another of its name: when `fill` has written all of it, or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    fn put(&self, name: &str, fill: Fill<'_>) -> io::Result<()>;

    /// Removes a thing, if it is there; it is gone for good before anything else goes.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Removes the place itself, where it is one and nothing is left in it.
    ///
    /// # Errors
    /// What the system says.
    fn leave(&self) -> io::Result<()>;

    /// How a person is told of a thing.
    fn path(&self, name: &str) -> String;

    /// Whether it may be out of reach for a while, and then come back.
    fn is_remote(&self) -> bool;
}
