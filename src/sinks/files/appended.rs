//! A file that is only appended to: plain, or packed by zstd once it is large.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use hearth_operators::words::Epoch;
use zstd::stream::write::Encoder;

use super::{SinkError, remove};
use crate::config::Packing;
use crate::outputs::Stream;

/// Bytes of lines from which on a file is packed, where that is left to its size: what is below, a person may want to look
/// into, and a folder of ten small homes is not worth it.
const LARGE: u64 = 32 << 20;

/// How hard zstd tries: the next levels gain nothing on such lines, and level 5 a tenth for three times the time.
const LEVEL: i32 = 1;

/// Bytes that wait in memory.
const BUFFER: usize = 1 << 18;

/// A stream's file.
pub struct Appended {
    /// Where it is; of a packed one, with another ending.
    path: PathBuf,
    packed_path: PathBuf,
    body: Body,
    packing: Packing,
    /// Bytes of lines given to it.
    bytes: u64,
    /// The last epoch that is closed.
    closed: Option<Epoch>,
    /// Of each epoch with rows, in order: how many bytes of lines there were after them. 16 bytes an epoch.
    ends: Vec<(Epoch, u64)>,
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
        dir: &Path,
        stream: Stream,
        packing: Packing,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let (path, packed_path) = (stream.path(dir), stream.packed_path(dir));
        let opened = match packing {
            Packing::Zstd => (&packed_path, encoder(&packed_path).map(Body::Packed)),
            Packing::Auto | Packing::None => (&path, plain(&path).map(Body::Plain)),
        };
        match opened {
            (_, Ok(body)) => Ok(Appended {
                body,
                path,
                packed_path,
                packing,
                bytes: 0,
                closed: None,
                ends: Vec::new(),
            }),
            (at, Err(source)) => Err((at.clone(), source)),
        }
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

    /// The lines of an epoch were appended.
    pub fn end(&mut self, epoch: Epoch) {
        match self.ends.last_mut() {
            Some((last, end)) if *last == epoch => *end = self.bytes,
            _ => self.ends.push((epoch, self.bytes)),
        }
    }

    /// No more lines of the epoch come.
    pub fn close(&mut self, epoch: Epoch) {
        self.closed = self.closed.max(Some(epoch));
    }

    /// How many bytes of lines there were after an epoch that is closed.
    pub fn position(&self, epoch: Epoch) -> Option<u64> {
        self.closed.filter(|&closed| epoch <= closed)?;
        let before = self
            .ends
            .partition_point(|&(with_rows, _)| with_rows <= epoch);
        Some(before.checked_sub(1).map_or(0, |last| self.ends[last].1))
    }

    /// Lets others see what was appended.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        self.body.flush().map_err(|source| self.failed(source))
    }

    /// Nothing more comes.
    pub fn finish(&mut self) -> Result<(), SinkError> {
        if let Body::Packed(encoder) = &mut self.body {
            let finished = encoder.do_finish();
            finished.map_err(|source| self.failed(source))?;
        }
        self.flush()
    }

    /// What went wrong with it.
    pub fn failed(&self, source: io::Error) -> SinkError {
        let path = match self.body {
            Body::Plain(_) => self.path.clone(),
            Body::Packed(_) => self.packed_path.clone(),
        };
        SinkError::Write { path, source }
    }

    /// Goes on in a packed file, which holds what the plain one held.
    fn pack(&mut self) -> io::Result<()> {
        let Body::Plain(plain) = &mut self.body else {
            return Ok(());
        };
        plain.flush()?;
        let mut plain = plain.get_ref();
        plain.rewind()?;
        let mut packed = encoder(&self.packed_path)?;
        io::copy(&mut plain, &mut packed)?;
        self.body = Body::Packed(packed);
        remove(&self.path)
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
fn plain(path: &Path) -> io::Result<BufWriter<File>> {
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)?;
    Ok(BufWriter::with_capacity(BUFFER, file))
}

fn encoder(path: &Path) -> io::Result<Encoder<'static, BufWriter<File>>> {
    Encoder::new(plain(path)?, LEVEL)
}
