//! A file that is only appended to: plain, or packed by zstd once it is large.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zstd::stream::write::Encoder;

use super::{Durable, Folder, SinkError};
use crate::config::Packing;
use crate::disk::{Disk, File, Open};
use crate::outputs::Stream;

/// Bytes of lines from which on a file is packed, where that is left to its size: what is below, a person may want to look
/// into, and what a thousand homes do in a month any program takes.
pub(super) const LARGE: u64 = if cfg!(test) { 1 << 20 } else { 512 << 20 };

/// How hard zstd tries: the next levels gain nothing on such lines, and level 5 a tenth for three times the time.
const LEVEL: i32 = 1;

/// Bytes that wait in memory.
const BUFFER: usize = 1 << 18;

/// A stream's file.
pub struct Appended {
    disk: Disk,
    /// Where it is; of a packed one, with another ending.
    path: PathBuf,
    packed_path: PathBuf,
    body: Body,
    packing: Packing,
    /// Bytes of lines given to it.
    bytes: u64,
}

/// Where a stream stands in its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    packed: bool,
    /// Bytes of the file.
    file: u64,
    /// Bytes of lines.
    lines: u64,
}

impl Place {
    /// In a file that is not packed.
    pub fn plain(bytes: u64) -> Self {
        Place {
            packed: false,
            file: bytes,
            lines: bytes,
        }
    }

    /// Bytes of lines before it.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Where it lies in a packed file, if it does.
    pub(super) fn in_packed(&self) -> Option<u64> {
        self.packed.then_some(self.file)
    }
}

enum Body {
    Plain(BufWriter<File>),
    Packed(Encoder<'static, BufWriter<File>>),
}

impl Appended {
    /// A new file in a folder that holds none of the stream.
    ///
    /// # Errors
    /// It cannot be created: which, and why.
    pub fn create(
        folder: &Folder,
        stream: Stream,
        packing: Packing,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let (disk, dir) = (folder.disk(), folder.path());
        let (path, packed_path) = (stream.path(dir), stream.packed_path(dir));
        let opened = match packing {
            Packing::Zstd => (
                &packed_path,
                create(disk, &packed_path)
                    .and_then(encoder)
                    .map(Body::Packed),
            ),
            Packing::Auto | Packing::None => (&path, create(disk, &path).map(Body::Plain)),
        };
        match opened {
            (_, Ok(body)) => Ok(Appended {
                disk: disk.clone(),
                body,
                path,
                packed_path,
                packing,
                bytes: 0,
            }),
            (at, Err(source)) => Err((at.clone(), source)),
        }
    }

    /// A file again, to go on where a cut left it: what stands behind goes.
    ///
    /// # Errors
    /// It is missing or shorter than it was, or cannot be opened: which, and why.
    pub fn back_to(
        folder: &Folder,
        stream: Stream,
        packing: Packing,
        place: Place,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let (disk, dir) = (folder.disk(), folder.path());
        let (path, packed_path) = (stream.path(dir), stream.packed_path(dir));
        let body = match place.packed {
            true => open_at(disk, &packed_path, place.file)
                .and_then(encoder)
                .map(Body::Packed),
            // It may have been packed since; then the packed one begins with what it held.
            false => unpack(disk, &path, &packed_path, place.file)
                .and_then(|()| open_at(disk, &path, place.file))
                .map(Body::Plain),
        };
        match body {
            Ok(body) => Ok(Appended {
                disk: disk.clone(),
                body,
                path,
                packed_path,
                packing,
                bytes: place.lines,
            }),
            Err(source) => {
                let at = if place.packed { packed_path } else { path };
                Err((at, source))
            }
        }
    }

    /// Lets others see what was appended, and says where that ends, and what has it outlive a power failure.
    pub fn cut(&mut self) -> Result<(Place, Durable), SinkError> {
        let file = self.end().map_err(|source| self.failed(source))?;
        let length = file.length().map_err(|source| self.failed(source))?;
        let packed = matches!(self.body, Body::Packed(_));
        let place = Place {
            packed,
            file: length,
            lines: self.bytes,
        };
        let path = if packed {
            &self.packed_path
        } else {
            &self.path
        };
        let path = path.clone();
        let sync = move || {
            let synced = file.sync();
            synced.map_err(|source| SinkError::Write { path, source })
        };
        Ok((place, Box::new(sync)))
    }

    /// Ends what was appended, so that the file can end there.
    fn end(&mut self) -> io::Result<File> {
        let file = match &mut self.body {
            Body::Plain(file) => {
                file.flush()?;
                file.get_ref().try_clone()?
            }
            Body::Packed(packed) => {
                // What follows is a frame of its own.
                packed.do_finish()?;
                packed.get_mut().flush()?;
                let file = packed.get_ref().get_ref().try_clone()?;
                *packed = encoder(BufWriter::with_capacity(BUFFER, file.try_clone()?))?;
                file
            }
        };
        Ok(file)
    }

    /// Appends a line of an epoch.
    pub fn append(&mut self, line: &[u8]) -> Result<(), SinkError> {
        self.bytes += line.len() as u64;
        let written = self.body.write_all(line);
        written.map_err(|source| self.failed(source))?;
        if self.packing == Packing::Auto && self.bytes > LARGE {
            self.pack().map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    /// Lets others see what was appended.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        self.body.flush().map_err(|source| self.failed(source))
    }

    /// Nothing more comes: what was appended outlives a power failure.
    pub fn finish(&mut self) -> Result<(), SinkError> {
        if let Body::Packed(encoder) = &mut self.body {
            let finished = encoder.do_finish();
            finished.map_err(|source| self.failed(source))?;
        }
        self.flush()?;
        let file = match &self.body {
            Body::Plain(file) => file.get_ref(),
            Body::Packed(packed) => packed.get_ref().get_ref(),
        };
        file.sync().map_err(|source| self.failed(source))
    }

    /// What went wrong with it.
    pub fn failed(&self, source: io::Error) -> SinkError {
        let path = match self.body {
            Body::Plain(_) => self.path.clone(),
            Body::Packed(_) => self.packed_path.clone(),
        };
        SinkError::Write { path, source }
    }

    /// Goes on in a packed file, which holds what the plain one held: durably, before that one goes.
    fn pack(&mut self) -> io::Result<()> {
        let Body::Plain(plain) = &mut self.body else {
            return Ok(());
        };
        plain.flush()?;
        let mut plain = plain.get_ref();
        plain.rewind()?;
        // One that is there was begun by a run that is no more.
        self.disk.remove(&self.packed_path)?;
        let mut packed = encoder(create(&self.disk, &self.packed_path)?)?;
        io::copy(&mut plain, &mut packed)?;
        self.body = Body::Packed(packed);
        self.end()?.sync()?;
        self.disk
            .sync_folder(self.path.parent().unwrap_or(Path::new("")))?;
        self.disk.remove(&self.path)
    }

    /// Puts another file in its place.
    #[cfg(test)]
    pub(super) fn replace(&mut self, file: File) {
        self.body = Body::Plain(BufWriter::new(file));
    }
}

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Body::Plain(file) => file.write(bytes),
            Body::Packed(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Body::Plain(file) => file.flush(),
            Body::Packed(file) => file.flush(),
        }
    }
}

/// It is read again where it grows large.
fn create(disk: &Disk, path: &Path) -> io::Result<BufWriter<File>> {
    let file = disk.open(path, Open::New)?;
    Ok(BufWriter::with_capacity(BUFFER, file))
}

/// A file that is there, to go on behind its first so many bytes.
fn open_at(disk: &Disk, path: &Path, bytes: u64) -> io::Result<BufWriter<File>> {
    let mut file = disk.open(path, Open::Update)?;
    let there = file.length()?;
    if there < bytes {
        let missing = format!("it has {there} bytes, and had {bytes}: something was taken from it");
        return Err(io::Error::other(missing));
    }
    file.set_length(bytes)?;
    file.seek(SeekFrom::End(0))?;
    Ok(BufWriter::with_capacity(BUFFER, file))
}

/// Has a file be plain again, if it is not there but its packed one is: as far as it once went.
fn unpack(disk: &Disk, path: &Path, packed: &Path, bytes: u64) -> io::Result<()> {
    if disk.kind(path).is_none() && disk.kind(packed).is_some() {
        let read = zstd::stream::read::Decoder::new(disk.open(packed, Open::Read)?)?;
        let mut plain = create(disk, path)?;
        io::copy(&mut read.take(bytes), &mut plain)?;
        plain.flush()?;
        plain.get_ref().sync()?;
        disk.sync_folder(path.parent().unwrap_or(Path::new("")))?;
    }
    disk.remove(packed)
}

fn encoder(file: BufWriter<File>) -> io::Result<Encoder<'static, BufWriter<File>>> {
    Encoder::new(file, LEVEL)
}
