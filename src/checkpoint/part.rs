//! A file of a cut: a value, and enough around it that a damaged one is known.
//!
//! ```text
//! HEARTHCK, form (u32) │ bincode of the value │ its length (u64), CRC-32 (u32)
//! ```

use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::disk::{Disk, Open};

const MAGIC: &[u8; 8] = b"HEARTHCK";

/// The form of files that this version writes. An older one must be readable for ever.
const FORM: u32 = 1;

const HEAD: usize = MAGIC.len() + 4;
const TAIL: usize = 8 + 4;

/// Writes a value into a new file; it is [sync]'s to have it outlive a power failure.
///
/// # Errors
/// It cannot be written.
pub fn write(disk: &Disk, path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 18, disk.open(path, Open::Anew)?);
    file.write_all(MAGIC)?;
    file.write_all(&FORM.to_le_bytes())?;
    let mut sum = Summed {
        file: &mut file,
        length: 0,
        sum: crc32fast::Hasher::new(),
    };
    bincode::serialize_into(&mut sum, value).map_err(io::Error::other)?;
    let Summed { length, sum, .. } = sum;
    file.write_all(&length.to_le_bytes())?;
    file.write_all(&sum.finalize().to_le_bytes())?;
    file.into_inner()?;
    Ok(())
}

/// Has a file outlive a power failure, but for its name.
///
/// # Errors
/// What the system says.
pub fn sync(disk: &Disk, path: &Path) -> io::Result<()> {
    disk.open(path, Open::Read)?.sync()
}

/// Reads a value that [`write`] wrote.
///
/// # Errors
/// It cannot be read, is damaged, or was written by a version that this one does not know.
pub fn read<T: DeserializeOwned>(disk: &Disk, path: &Path) -> io::Result<T> {
    let bytes = disk.read(path)?;
    let damaged = || io::Error::other("it is damaged");
    if bytes.len() < HEAD + TAIL || !bytes.starts_with(MAGIC) {
        return Err(damaged());
    }
    let (head, rest) = bytes.split_at(HEAD);
    let (body, tail) = rest.split_at(rest.len() - TAIL);
    let form = u32::from_le_bytes(head[MAGIC.len()..].try_into().map_err(|_| damaged())?);
    if form != FORM {
        return Err(io::Error::other(format!(
            "it is of form {form}, and this version of Hearth reads form {FORM}"
        )));
    }
    let length = u64::from_le_bytes(tail[..8].try_into().map_err(|_| damaged())?);
    let sum = u32::from_le_bytes(tail[8..].try_into().map_err(|_| damaged())?);
    if length != body.len() as u64 || sum != crc32fast::hash(body) {
        return Err(damaged());
    }
    bincode::deserialize(body).map_err(|_| damaged())
}

/// Counts and sums what passes.
struct Summed<W> {
    file: W,
    length: u64,
    sum: crc32fast::Hasher,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.length += written as u64;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever happens to a byte, or to the end, is known.
    #[test]
    fn damage_is_known() {
        let (disk, dir) = (Disk::real(), tempfile::tempdir().unwrap());
        let path = dir.path().join("part");
        let value: Vec<(u32, String)> = (0..9).map(|n| (n, n.to_string())).collect();
        write(&disk, &path, &value).unwrap();
        assert_eq!(read::<Vec<(u32, String)>>(&disk, &path).unwrap(), value);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(
                read::<Vec<(u32, String)>>(&disk, &path).is_err(),
                "byte {at}"
            );
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(
                read::<Vec<(u32, String)>>(&disk, &path).is_err(),
                "cut at {at}"
            );
        }
    }
}
