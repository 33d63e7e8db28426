//! The form of Hearth's own files: parts one after the other, each packed and with a checksum, and behind them an index, so that
//! one part is read without the others.
//!
//! ```text
//! magic version | part … part | index | where the index lies, its length, its checksum, magic
//! ```
//!
//! The index's checksum covers those of all parts, so it and the length stand for the whole file: its [`Seal`].

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::disk;

/// What kind of file it is.
#[derive(Debug)]
pub struct Form {
    magic: [u8; 8],
    name: &'static str,
}

/// Models of homes.
pub static MODELS: Form = Form {
    magic: *b"HEARTHKM",
    name: "file of models",
};

/// A part of a checkpoint: what operators hold.
pub static STATE: Form = Form {
    magic: *b"HEARTHST",
    name: "part of a checkpoint",
};

/// What a checkpoint is of, and which parts it rests on.
pub static CUT: Form = Form {
    magic: *b"HEARTHCK",
    name: "checkpoint",
};

/// Catalogs as they became, stage by stage.
pub static CATALOGS: Form = Form {
    magic: *b"HEARTHKC",
    name: "file of catalogs",
};

/// Of the form and of what lies in it: it is raised when either changes, and what an older one wrote is read for ever.
pub const VERSION: u32 = 1;

/// Bytes of what stands before the parts, and behind the index.
const HEAD: u64 = 12;
const TAIL: u64 = 28;
/// What a part takes at most when it is unpacked: far more than the largest.
const MOST: u64 = 1 << 31;
/// The quickest: files are written while events wait for their turn on the same cores.
const LEVEL: i32 = 1;

/// Where a part lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    at: u64,
    /// Bytes in the file.
    pub bytes: u64,
    /// Bytes when unpacked; as many as in the file where packing saves nothing.
    pub unpacked: u64,
    check: u32,
}

/// What tells a file from any other of its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Its length.
    pub bytes: u64,
    /// Of its index, in which the checksums of all parts stand.
    check: u32,
}

/// Why a file, or a part of it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It is something else.
    #[error("is no {0}")]
    Other(&'static str),
    /// Another Hearth wrote it.
    #[error("has version {0}, and this Hearth reads version {VERSION}")]
    Version(u32),
    /// It was changed, or is not whole.
    #[error("is damaged ({0})")]
    Damaged(&'static str),
}

/// Writes a file.
pub struct Writer<W> {
    out: W,
    form: &'static Form,
    at: u64,
    compressor: zstd::bulk::Compressor<'static>,
}

impl<W: Write> Writer<W> {
    /// A file that begins here.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(mut out: W, form: &'static Form) -> io::Result<Self> {
        out.write_all(&form.magic)?;
        out.write_all(&VERSION.to_le_bytes())?;
        let compressor = zstd::bulk::Compressor::new(LEVEL)?;
        Ok(Writer {
            out,
            form,
            at: HEAD,
            compressor,
        })
    }

    /// Appends a value as a part.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, value: &impl Serialize) -> io::Result<Part> {
        let raw = bincode::serialize(value).map_err(io::Error::other)?;
        self.add_bytes(&raw)
    }

    /// Appends a part.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add_bytes(&mut self, raw: &[u8]) -> io::Result<Part> {
        if raw.len() as u64 > MOST {
            return Err(io::Error::other("a part of it is larger than 2 GiB"));
        }
        let packed = self.compressor.compress(raw)?;
        let smaller = packed.len() < raw.len();
        self.append(if smaller { &packed } else { raw }, raw.len() as u64)
    }

    /// Appends a part as it lies in another file.
    ///
    /// # Errors
    /// It cannot be read there, is damaged, or cannot be written here.
    pub fn copy<R: Source>(&mut self, from: &Reader<R>, part: Part) -> Result<Part, Unusable> {
        let packed = from.packed(part)?;
        Ok(self.append(&packed, part.unpacked)?)
    }

    fn append(&mut self, packed: &[u8], unpacked: u64) -> io::Result<Part> {
        self.out.write_all(packed)?;
        let part = Part {
            at: self.at,
            bytes: packed.len() as u64,
            unpacked,
            check: crc32fast::hash(packed),
        };
        self.at += part.bytes;
        Ok(part)
    }

    /// Appends the index: the file is whole.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self, index: &impl Serialize) -> io::Result<(W, Seal)> {
        let raw = bincode::serialize(index).map_err(io::Error::other)?;
        self.finish_with(&raw)
    }

    /// Appends the bytes of an index.
    pub(crate) fn finish_with(mut self, index: &[u8]) -> io::Result<(W, Seal)> {
        let Part {
            at,
            bytes,
            unpacked,
            check,
        } = self.add_bytes(index)?;
        for number in [at, bytes] {
            self.out.write_all(&number.to_le_bytes())?;
        }
        self.out.write_all(&(unpacked as u32).to_le_bytes())?;
        self.out.write_all(&check.to_le_bytes())?;
        self.out.write_all(&self.form.magic[..4])?;
        let bytes = at + bytes + TAIL;
        Ok((self.out, Seal { bytes, check }))
    }
}

/// Where a file is read from.
pub trait Source {
    /// Its length.
    ///
    /// # Errors
    /// It cannot be told.
    fn length(&self) -> io::Result<u64>;

    /// Reads as many bytes as there is room for.
    ///
    /// # Errors
    /// They cannot be read, or there are fewer.
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()>;
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }

    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        (**self).read(at, into)
    }
}

impl Source for disk::File {
    fn length(&self) -> io::Result<u64> {
        disk::File::length(self)
    }

    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let mut file = self;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(into)
    }
}

impl Source for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(into, at)
    }
}

/// Reads a file.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    length: u64,
    index: Part,
}

impl<R: Source> Reader<R> {
    /// Opens a file, and reads its index.
    ///
    /// # Errors
    /// It cannot be read, is no such file, of another version, or damaged.
    pub fn open<I: DeserializeOwned>(source: R, form: &Form) -> Result<(Self, I), Unusable> {
        let length = source.length()?;
        let mut head = [0; HEAD as usize];
        if length < HEAD + TAIL {
            return Err(Unusable::Other(form.name));
        }
        source.read(0, &mut head)?;
        if head[..8] != form.magic {
            return Err(Unusable::Other(form.name));
        }
        let version = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        if version != VERSION {
            return Err(Unusable::Version(version));
        }
        let mut tail = [0; TAIL as usize];
        source.read(length - TAIL, &mut tail)?;
        if tail[24..] != form.magic[..4] {
            return Err(Unusable::Damaged("its end is missing"));
        }
        let number = |at: usize| -> u64 {
            let bytes = tail[at..at + 8].iter().rev();
            bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        let sizes = number(16);
        let index = Part {
            at: number(0),
            bytes: number(8),
            unpacked: sizes & u64::from(u32::MAX),
            check: (sizes >> 32) as u32,
        };
        let reader = Reader {
            source,
            length,
            index,
        };
        let index = reader.part(index)?;
        Ok((reader, index))
    }

    /// What tells it from others.
    pub fn seal(&self) -> Seal {
        Seal {
            bytes: self.length,
            check: self.index.check,
        }
    }

    /// Reads a value.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn part<T: DeserializeOwned>(&self, part: Part) -> Result<T, Unusable> {
        let raw = self.bytes(part)?;
        bincode::deserialize(&raw).map_err(|_| Unusable::Damaged("a part makes no sense"))
    }

    /// Reads a part.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn bytes(&self, part: Part) -> Result<Vec<u8>, Unusable> {
        unpacked(self.packed(part)?, part)
    }

    /// Whether these parts, in their order, and the index are all there is, so that every byte has its checksum.
    pub fn is_covered(&self, parts: impl IntoIterator<Item = Part>) -> bool {
        let mut end = HEAD;
        for part in parts.into_iter().chain([self.index]) {
            if part.at != end {
                return false;
            }
            end += part.bytes;
        }
        end + TAIL == self.length
    }

    /// Reads a part as it lies there: to be [`unpacked`].
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn packed(&self, part: Part) -> Result<Vec<u8>, Unusable> {
        let end = part.at.checked_add(part.bytes);
        let inside = end.is_some_and(|end| end <= self.length);
        if !inside || part.unpacked > MOST {
            return Err(Unusable::Damaged("a part lies beyond its end"));
        }
        let mut packed = vec![0; part.bytes as usize];
        self.source.read(part.at, &mut packed)?;
        if crc32fast::hash(&packed) != part.check {
            return Err(Unusable::Damaged("a checksum does not agree"));
        }
        Ok(packed)
    }
}

/// A part that was read [packed](Reader::packed).
///
/// # Errors
/// It makes no sense.
pub fn unpacked(packed: Vec<u8>, part: Part) -> Result<Vec<u8>, Unusable> {
    if part.bytes == part.unpacked {
        return Ok(packed);
    }
    let raw = zstd::bulk::decompress(&packed, part.unpacked as usize);
    let whole = raw.ok().filter(|raw| raw.len() as u64 == part.unpacked);
    whole.ok_or(Unusable::Damaged("a part makes no sense"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Source for &[u8] {
        fn length(&self) -> io::Result<u64> {
            Ok(self.len() as u64)
        }

        fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
            let from = self.get(at as usize..).unwrap_or_default();
            let there = from.get(..into.len());
            into.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
    }

    fn written(parts: &[Vec<u16>]) -> (Vec<u8>, Seal) {
        let mut writer = Writer::new(Vec::new(), &MODELS).unwrap();
        let index: Vec<Part> = parts.iter().map(|p| writer.add(p).unwrap()).collect();
        writer.finish(&index).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<(Vec<Vec<u16>>, Seal), Unusable> {
        let (reader, index): (_, Vec<Part>) = Reader::open(bytes, &MODELS)?;
        assert!(reader.is_covered(index.iter().copied()));
        let parts: Result<_, _> = index.into_iter().map(|part| reader.part(part)).collect();
        Ok((parts?, reader.seal()))
    }

    proptest! {
        #[test]
        fn reads_what_it_wrote(parts: Vec<Vec<u16>>) {
            let (bytes, seal) = written(&parts);
            prop_assert_eq!(seal.bytes, bytes.len() as u64);
            prop_assert_eq!(read(&bytes).unwrap(), (parts, seal));
        }

        /// Whatever byte is changed and wherever the file is cut: it is refused, or what is read is right.
        #[test]
        fn what_is_damaged_is_refused(parts: Vec<Vec<u16>>, at: prop::sample::Index, to: u8, cut: bool) {
            let (mut bytes, seal) = written(&parts);
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = to }
            if let Ok(read) = read(&bytes) {
                prop_assert!(!cut);
                prop_assert_eq!(read, (parts, seal));
            }
        }
    }

    #[test]
    fn another_version_or_kind_is_told() {
        let (mut bytes, _) = written(&[]);
        let other = Reader::open::<Vec<Part>>(&bytes[..], &STATE).unwrap_err();
        assert!(
            other.to_string().contains("no part of a checkpoint"),
            "{other}"
        );
        bytes[8] = 9;
        let refused = read(&bytes).unwrap_err().to_string();
        assert!(refused.contains("version 9"), "{refused}");
    }
}
