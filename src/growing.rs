//! A log that grows while it is read: in which files it lies, how far it may be read, and the wait for more.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::disk::{Disk, File};
use crate::fates::Fates;
use crate::queries::Queries;

/// How far a log may be read that somebody appends to: up to there it is whole lines that outlive a power failure. Clones share it.
///
/// It lies in pieces, one file behind the other, of which the oldest may go. Places in it stay what they are: they count from where it
/// once began.
#[derive(Clone, Debug, Default)]
pub struct Growing(Arc<State>);

#[derive(Debug, Default)]
struct State {
    disk: Disk,
    extent: Mutex<Extent>,
    grown: Condvar,
    fates: Fates,
    queries: Queries,
}

#[derive(Debug, Default)]
struct Extent {
    length: u64,
    /// The oldest first; the last one is appended to.
    pieces: Vec<Piece>,
}

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The file.
    pub path: PathBuf,
    /// How much of the log comes before it.
    pub before: Reach,
    /// Bytes of the file before those of the log.
    pub head: u64,
}

/// So much of the log from where it once began, whether that is still there or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// In bytes.
    pub bytes: u64,
    /// In lines.
    pub lines: u64,
}

impl Growing {
    /// One that lies in these pieces, so long in all.
    pub fn of(disk: &Disk, pieces: Vec<Piece>, length: u64) -> Self {
        Growing(Arc::new(State {
            disk: disk.clone(),
            extent: Mutex::new(Extent { length, pieces }),
            ..State::default()
        }))
    }

    /// How far it may be read, in bytes.
    pub fn length(&self) -> u64 {
        self.lock().length
    }

    /// Where what is there of it begins.
    pub fn begins(&self) -> Reach {
        let first = self.lock().pieces.first().map(|piece| piece.before);
        first.unwrap_or_default()
    }

    /// Where its last piece begins.
    pub fn last_begins(&self) -> Reach {
        let last = self.lock().pieces.last().map(|piece| piece.before);
        last.unwrap_or_default()
    }

    /// Its bytes from a place on, as far as it may be read.
    pub fn bytes(&self, at: u64) -> Bytes {
        Bytes {
            of: self.clone(),
            at,
            open: None,
        }
    }

    /// Who waits for what becomes of its lines.
    pub fn fates(&self) -> &Fates {
        &self.0.fates
    }

    /// Who asks for what is known by what was read of it.
    pub fn queries(&self) -> &Queries {
        &self.0.queries
    }

    /// It may be read that far.
    pub fn grow(&self, to: u64) {
        self.lock().length = to;
        self.0.grown.notify_all();
    }

    /// Nobody opens a piece while `renamed` gives the last one the name `sealed`, and another one its own: that follows it.
    ///
    /// # Errors
    /// Those of `renamed`.
    pub fn follow(
        &self,
        sealed: PathBuf,
        next: Piece,
        renamed: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut extent = self.lock();
        renamed()?;
        if let Some(last) = extent.pieces.last_mut() {
            last.path = sealed;
        }
        extent.pieces.push(next);
        Ok(())
    }

    /// It lies in this piece alone, and nothing of it may be read yet: nobody has begun to.
    pub fn begin(&self, piece: Piece) {
        let mut extent = self.lock();
        extent.length = piece.before.bytes;
        extent.pieces = vec![piece];
    }

    /// Another piece follows the last one, of which nothing behind that may be read.
    pub fn goes_on_in(&self, piece: Piece) {
        self.lock().pieces.push(piece);
    }

    /// Up to where pieces could go, if so much is to stay; nothing, where none could.
    pub fn surplus(&self, stays: u64) -> Option<u64> {
        let extent = self.lock();
        let ends = extent.pieces.iter().skip(1).map(|next| next.before.bytes);
        ends.take_while(|end| extent.length - end >= stays).last()
    }

    /// Removes the pieces of which nothing lies behind a place. Whoever reads one reads on.
    ///
    /// # Errors
    /// A file cannot be removed. It is part of the log no longer, until that is opened again.
    pub fn forget(&self, before: u64) -> io::Result<()> {
        let gone: Vec<Piece> = {
            let mut extent = self.lock();
            let ends = extent.pieces.iter().skip(1).map(|next| next.before.bytes);
            let gone = ends.take_while(|end| *end <= before).count();
            extent.pieces.drain(..gone).collect()
        };
        for Piece { path, .. } in gone {
            let disk = &self.0.disk;
            disk.remove(&path)?;
            // One by one, the oldest first: whatever a power failure brings back, nothing is missing between two.
            disk.sync_folder(path.parent().unwrap_or(Path::new("")))?;
        }
        Ok(())
    }

    /// Waits until more may be read than that, or until the deadline. Whether more may be.
    pub fn beyond(&self, read: u64, deadline: Instant) -> bool {
        let wait = deadline.saturating_duration_since(Instant::now());
        let waits = |extent: &mut Extent| extent.length <= read;
        let waited = self.0.grown.wait_timeout_while(self.lock(), wait, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.length > read
    }

    fn lock(&self) -> MutexGuard<'_, Extent> {
        self.0.extent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of a log that grows, one piece behind the other.
#[derive(Debug)]
pub struct Bytes {
    of: Growing,
    at: u64,
    /// The piece that is read, by where it begins.
    open: Option<(u64, File)>,
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Pieces get no other names meanwhile.
        let extent = self.of.lock();
        if self.at >= extent.length || buffer.is_empty() {
            return Ok(0);
        }
        let mut end = extent.length;
        let found = extent.pieces.iter().rev().find(|piece| {
            let holds = piece.before.bytes <= self.at;
            end = if holds { end } else { piece.before.bytes };
            holds
        });
        let Some(piece) = found else {
            let why = format!("what it held before byte {end} is no longer there");
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        };
        let begins = piece.before.bytes;
        if self.open.as_ref().is_none_or(|(open, _)| *open != begins) {
            let mut file = self.of.0.disk.open(&piece.path, crate::disk::Open::Read)?;
            file.seek(SeekFrom::Start(piece.head + self.at - begins))?;
            self.open = Some((begins, file));
        }
        drop(extent);
        let Some((_, file)) = &mut self.open else {
            return Ok(0);
        };
        let read = file.take(end - self.at).read(buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        Ok(read)
    }
}

/// By places of the log.
impl Seek for Bytes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        (self.at, self.open) = (at, None);
        Ok(at)
    }
}
