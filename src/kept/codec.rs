//! The file itself: parts one after the other, each packed and with a checksum, and behind them an index, so that one part is
//! read without the others.
//!
//! ```text
//! magic version | part … part | index | where the index lies, its length, its checksum, magic
//! ```

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const MAGIC: [u8; 8] = *b"HEARTHKM";
/// Of the form and of what lies in it: it is raised when either changes.
const VERSION: u32 = 2;
/// Bytes of what stands before the parts, and behind the index.
const HEAD: u64 = 12;
const TAIL: u64 = 28;
/// What a part takes at most when it is unpacked: far more than the largest.
const MOST: u64 = 1 << 31;
const LEVEL: i32 = 3;

/// Where a part lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    at: u64,
    /// Bytes in the file.
    pub bytes: u64,
    /// Bytes when unpacked.
    pub unpacked: u64,
    check: u32,
}

/// Why a file, or a part of it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It is something else.
    #[error("is no file of models")]
    Other,
    /// Another Hearth wrote it.
    #[error("has version {0}, and this Hearth reads version {VERSION}; replay the log again")]
    Version(u32),
    /// It was changed, or is not whole.
    #[error("is damaged ({0}); replay the log again")]
    Damaged(&'static str),
}

/// Writes a file.
pub struct Writer {
    out: BufWriter<File>,
    at: u64,
    compressor: zstd::bulk::Compressor<'static>,
}

impl Writer {
    /// A new file; whatever stood there is gone.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 18, File::create(path)?);
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        let compressor = zstd::bulk::Compressor::new(LEVEL)?;
        Ok(Writer {
            out,
            at: HEAD,
            compressor,
        })
    }

    /// Appends a part.
    pub fn add(&mut self, value: &impl Serialize) -> io::Result<Part> {
        let raw = bincode::serialize(value).map_err(io::Error::other)?;
        let packed = self.compressor.compress(&raw)?;
        self.out.write_all(&packed)?;
        let part = Part {
            at: self.at,
            bytes: packed.len() as u64,
            unpacked: raw.len() as u64,
            check: crc32fast::hash(&packed),
        };
        self.at += part.bytes;
        Ok(part)
    }

    /// Appends a part as it lies in another file.
    pub fn copy(&mut self, from: &Reader, part: Part) -> Result<Part, Unusable> {
        let packed = from.packed(part)?;
        self.out.write_all(&packed)?;
        let copied = Part {
            at: self.at,
            ..part
        };
        self.at += part.bytes;
        Ok(copied)
    }

    /// Appends the index: the file is whole, and on the disk.
    pub fn finish(mut self, index: &impl Serialize) -> io::Result<()> {
        let Part {
            at,
            bytes,
            unpacked,
            check,
        } = self.add(index)?;
        for number in [at, bytes] {
            self.out.write_all(&number.to_le_bytes())?;
        }
        self.out.write_all(&(unpacked as u32).to_le_bytes())?;
        self.out.write_all(&check.to_le_bytes())?;
        self.out.write_all(&MAGIC[..4])?;
        self.out.into_inner()?.sync_all()
    }
}

/// Reads a file.
#[derive(Debug)]
pub struct Reader(File);

impl Reader {
    /// Opens a file, and reads its index.
    pub fn open<I: DeserializeOwned>(path: &Path) -> Result<(Self, I), Unusable> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut head = [0; HEAD as usize];
        if length < HEAD + TAIL {
            return Err(Unusable::Other);
        }
        file.read_exact(&mut head)?;
        if head[..8] != MAGIC {
            return Err(Unusable::Other);
        }
        let version = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        if version != VERSION {
            return Err(Unusable::Version(version));
        }
        let mut tail = [0; TAIL as usize];
        file.seek(SeekFrom::End(-(TAIL as i64)))?;
        file.read_exact(&mut tail)?;
        if tail[24..] != MAGIC[..4] {
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
        let reader = Reader(file);
        let index = reader.part(index)?;
        Ok((reader, index))
    }

    /// Reads a part.
    pub fn part<T: DeserializeOwned>(&self, part: Part) -> Result<T, Unusable> {
        let packed = self.packed(part)?;
        let senseless = Unusable::Damaged("a part makes no sense");
        let Ok(raw) = zstd::bulk::decompress(&packed, part.unpacked as usize) else {
            return Err(senseless);
        };
        bincode::deserialize(&raw).map_err(|_| senseless)
    }

    fn packed(&self, part: Part) -> Result<Vec<u8>, Unusable> {
        let mut file = &self.0;
        let length = file.metadata()?.len();
        let inside = part
            .at
            .checked_add(part.bytes)
            .is_some_and(|end| end <= length);
        if !inside || part.unpacked > MOST {
            return Err(Unusable::Damaged("a part lies beyond its end"));
        }
        let mut packed = vec![0; part.bytes as usize];
        file.seek(SeekFrom::Start(part.at))?;
        file.read_exact(&mut packed)?;
        if crc32fast::hash(&packed) != part.check {
            return Err(Unusable::Damaged("a checksum does not agree"));
        }
        Ok(packed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(parts: &[Vec<u16>]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut writer = Writer::create(&path).unwrap();
        let index: Vec<Part> = parts.iter().map(|p| writer.add(p).unwrap()).collect();
        writer.finish(&index).unwrap();
        (dir, path)
    }

    fn read(path: &Path) -> Result<Vec<Vec<u16>>, Unusable> {
        let (reader, index): (_, Vec<Part>) = Reader::open(path)?;
        index.into_iter().map(|part| reader.part(part)).collect()
    }

    proptest! {
        #[test]
        fn reads_what_it_wrote(parts: Vec<Vec<u16>>) {
            let (_dir, path) = written(&parts);
            prop_assert_eq!(read(&path).unwrap(), parts);
        }

        /// Whatever byte is changed and wherever the file is cut: it is refused, or what is read is right.
        #[test]
        fn what_is_damaged_is_refused(parts: Vec<Vec<u16>>, at: prop::sample::Index, to: u8, cut: bool) {
            let (_dir, path) = written(&parts);
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = to }
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(read) = read(&path) {
                prop_assert!(!cut);
                prop_assert_eq!(read, parts);
            }
        }
    }

    #[test]
    fn another_version_is_told() {
        let (_dir, path) = written(&[]);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[8] = 9;
        std::fs::write(&path, &bytes).unwrap();
        let refused = read(&path).unwrap_err().to_string();
        assert!(refused.contains("version 9"), "{refused}");
    }
}
