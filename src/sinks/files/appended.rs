//! A stream on the disk: a file that is only appended to, plain, or packed by zstd once it is large; and where it is rolled, those before
//! it, which are sealed.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zstd::stream::write::Encoder;

use super::{Durable, Folder, Form, SinkError};
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

/// A stream that is written.
pub struct Appended {
    disk: Disk,
    dir: PathBuf,
    stream: Stream,
    /// Where its file is; of a packed one, with another ending.
    path: PathBuf,
    packed_path: PathBuf,
    body: Body,
    form: Form,
    /// Bytes of lines given to it.
    bytes: u64,
    /// Those of them that are in sealed files.
    sealed: u64,
    /// In which period its file was begun, or opened again.
    begun: u64,
}

/// Where a stream stands in its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    packed: bool,
    /// Bytes of the file.
    file: u64,
    /// Bytes of lines, those in sealed files among them.
    lines: u64,
}

impl Place {
    /// In a file that is not packed, and the first.
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
        form: Form,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let (disk, dir) = (folder.disk(), folder.path());
        let (path, packed_path) = (stream.path(dir), stream.packed_path(dir));
        match empty(disk, (&path, &packed_path), form.packing) {
            Ok(body) => Ok(Appended {
                disk: disk.clone(),
                dir: dir.to_owned(),
                stream,
                body,
                path,
                packed_path,
                form,
                bytes: 0,
                sealed: 0,
                begun: form.period(),
            }),
            Err(source) => match form.packing {
                Packing::Zstd => Err((packed_path, source)),
                Packing::Auto | Packing::None => Err((path, source)),
            },
        }
    }

    /// A stream again, to go on where a cut left it: what stands behind goes.
    ///
    /// # Errors
    /// It is missing or shorter than it was, or cannot be opened: which, and why.
    pub fn back_to(
        folder: &Folder,
        stream: Stream,
        form: Form,
        place: Place,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let (disk, dir) = (folder.disk(), folder.path());
        let (path, packed_path) = (stream.path(dir), stream.packed_path(dir));
        let body = unseal(disk, (dir, stream), place.lines).and_then(|sealed| {
            // The one in which the place was may have been sealed there since.
            let at = if place.lines == sealed { 0 } else { place.file };
            let body = if place.packed {
                Body::Packed(open_at(disk, &packed_path, at).and_then(encoder)?)
            } else {
                // It may have been packed since; then the packed one begins with what it held.
                unpack(disk, &path, &packed_path, at)?;
                Body::Plain(open_at(disk, &path, at)?)
            };
            Ok((body, sealed))
        });
        match body {
            Ok((body, sealed)) => Ok(Appended {
                disk: disk.clone(),
                dir: dir.to_owned(),
                stream,
                body,
                path,
                packed_path,
                form,
                bytes: place.lines,
                sealed,
                begun: form.period(),
            }),
            Err(source) => {
                let at = if place.packed { packed_path } else { path };
                Err((at, source))
            }
        }
    }

    /// Lets others see what was appended, and says where that ends, and what has it outlive a power failure. A file that is long enough is
    /// sealed here, where a restart can go back to its end.
    pub fn cut(&mut self) -> Result<(Place, Durable), SinkError> {
        let mut files = vec![self.end().map_err(|source| self.failed(source))?];
        let bytes = self.bytes - self.sealed;
        if self
            .form
            .roll
            .is_some_and(|roll| roll.is_due(bytes, self.begun))
        {
            let sealed = self.seal().and_then(|()| self.end());
            files.push(sealed.map_err(|source| self.failed(source))?);
        }
        let length = files.last().map_or(Ok(0), File::length);
        let place = Place {
            packed: self.is_packed(),
            file: length.map_err(|source| self.failed(source))?,
            lines: self.bytes,
        };
        let path = self.at().clone();
        let sync = move || {
            let synced = files.iter().try_for_each(File::sync);
            synced.map_err(|source| SinkError::Write { path, source })
        };
        Ok((place, Box::new(sync)))
    }

    /// Gives the file its other name, and goes on in a new one.
    fn seal(&mut self) -> io::Result<()> {
        let lines = self.sealed..self.bytes;
        let sealed = self.stream.sealed_path(&self.dir, &lines, self.is_packed());
        self.disk.rename(self.at(), &sealed)?;
        // Else a power failure could leave the new one in place of the old one, which had no other name.
        self.disk.sync_folder(&self.dir)?;
        let paths = (&*self.path, &*self.packed_path);
        self.body = empty(&self.disk, paths, self.form.packing)?;
        (self.sealed, self.begun) = (self.bytes, self.form.period());
        self.disk.sync_folder(&self.dir)
    }

    fn is_packed(&self) -> bool {
        matches!(self.body, Body::Packed(_))
    }

    /// Where the file is.
    fn at(&self) -> &PathBuf {
        match self.body {
            Body::Plain(_) => &self.path,
            Body::Packed(_) => &self.packed_path,
        }
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
        if self.form.packing == Packing::Auto && self.bytes - self.sealed > LARGE {
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
        let path = self.at().clone();
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
        self.disk.sync_folder(&self.dir)?;
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

/// A new file.
fn empty(disk: &Disk, (path, packed): (&Path, &Path), packing: Packing) -> io::Result<Body> {
    Ok(match packing {
        Packing::Zstd => Body::Packed(encoder(create(disk, packed)?)?),
        Packing::Auto | Packing::None => Body::Plain(create(disk, path)?),
    })
}

/// Has the file in which a place lies be the one again that is appended to; those behind it go. How many bytes of lines are in sealed ones
/// then.
fn unseal(disk: &Disk, (dir, stream): (&Path, Stream), lines: u64) -> io::Result<u64> {
    let mut sealed = stream.sealed_among(disk.list(dir)?);
    while let Some(last) = sealed.pop_if(|last| last.lines.end > lines) {
        let (path, packed) = (stream.path(dir), stream.packed_path(dir));
        disk.remove(&path)?;
        disk.remove(&packed)?;
        // Else a power failure could leave one of them beside it, and that would be taken for it.
        disk.sync_folder(dir)?;
        disk.rename(&last.path, if last.packed { &packed } else { &path })?;
        disk.sync_folder(dir)?;
    }
    Ok(sealed.last().map_or(0, |last| last.lines.end))
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
