//! Where a log was read up to, and whether a log is still that one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Position;
use crate::growing::Growing;

/// Bytes at either end of what a file holds by which it is told from another.
const LOOKED_AT: u64 = 64 * 1024;

/// A file as it was at a moment: what it begins with, and what it ended with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    name: String,
    bytes: u64,
    first: u32,
    last: u32,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    Same,
    /// Something was appended.
    Longer,
    Shorter,
    /// It begins otherwise.
    Begins,
    /// It no longer holds what stood at its end.
    Ends,
}

impl Seen {
    /// A file as it is.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self::up_to(path, ends(&mut file, (0, bytes))?, bytes))
    }

    /// The first so many bytes of a log that grows.
    fn growing(path: &Path, growing: &Growing, bytes: u64) -> io::Result<Self> {
        let ends = ends(&mut growing.bytes(0), (growing.begins().bytes, bytes))?;
        Ok(Self::up_to(path, ends, bytes))
    }

    fn up_to(path: &Path, (first, last): Ends, bytes: u64) -> Self {
        Seen {
            name: path.display().to_string(),
            bytes,
            first: first.unwrap_or_default(),
            last: last.unwrap_or_default(),
        }
    }

    fn since(&self, path: &Path, growing: Option<&Growing>) -> io::Result<Since> {
        let (bytes, (first, last)) = match growing {
            Some(growing) => {
                let (bytes, begins) = (growing.length(), growing.begins().bytes);
                let looked_at = (begins, self.bytes.min(bytes));
                (bytes, ends(&mut growing.bytes(0), looked_at)?)
            }
            None => {
                let mut file = File::open(path)?;
                let bytes = file.metadata()?.len();
                (bytes, ends(&mut file, (0, self.bytes.min(bytes)))?)
            }
        };
        if bytes < self.bytes {
            return Ok(Since::Shorter);
        }
        let is = |sum: Option<u32>, was: u32| sum.is_none_or(|sum| sum == was);
        Ok(match (is(first, self.first), is(last, self.last)) {
            (false, _) => Since::Begins,
            (true, false) => Since::Ends,
            (true, true) if bytes > self.bytes => Since::Longer,
            (true, true) => Since::Same,
        })
    }
}

/// Sums of what a file begins with and of what its first so many bytes end with; nothing of what is no longer there.
type Ends = (Option<u32>, Option<u32>);

/// Of a log that is there from one place on, up to another.
fn ends(log: &mut (impl Read + Seek), (begins, bytes): (u64, u64)) -> io::Result<Ends> {
    let looked_at = bytes.min(LOOKED_AT);
    let mut sum = |from: u64| -> io::Result<Option<u32>> {
        if from < begins {
            return Ok(None);
        }
        log.seek(SeekFrom::Start(from))?;
        let mut read = Vec::new();
        log.by_ref().take(looked_at).read_to_end(&mut read)?;
        Ok(Some(crc32fast::hash(&read)))
    };
    Ok((sum(0)?, sum(bytes - looked_at)?))
}

/// A log that was read up to a position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stood {
    /// Its files.
    pub files: Vec<Seen>,
    /// Up to where.
    pub position: Position,
}

impl Stood {
    /// A log as it is, of which nothing was read.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn at_its_beginning(files: &[PathBuf]) -> io::Result<Self> {
        let files = files.iter().map(|file| Seen::of(file));
        Ok(Stood {
            files: files.collect::<Result<_, _>>()?,
            position: Position::default(),
        })
    }

    /// A log that grows, as it is up to a position; without one as far as it may be read, and nothing was read of it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn in_growing(
        file: &Path,
        growing: &Growing,
        position: Option<Position>,
    ) -> io::Result<Self> {
        let bytes = position.map_or_else(|| growing.length(), |position| position.offset);
        Ok(Stood {
            files: vec![Seen::growing(file, growing, bytes)?],
            position: position.unwrap_or_default(),
        })
    }

    /// Whether a log is this one, with something appended or not: it has grown, or not; or in what it differs. What it held before
    /// and no longer does is not looked at.
    ///
    /// # Errors
    /// In what it differs.
    pub fn has_grown(&self, files: &[PathBuf], growing: Option<&Growing>) -> Result<bool, String> {
        let mut grown = files.len() > self.files.len();
        for (number, seen) in self.files.iter().enumerate() {
            let was = format!("the log {} (it is not what it was: ", seen.name);
            let Some(file) = files.get(number) else {
                return Err(format!("{was}it is missing)"));
            };
            if file.display().to_string() != seen.name {
                return Err(format!("{was}{} stands in its place)", file.display()));
            }
            let since = seen
                .since(file, growing)
                .map_err(|error| format!("{was}{error})"))?;
            let bytes = seen.bytes;
            let read = number < self.position.file as usize;
            match since {
                Since::Same => {}
                Since::Longer if read => {
                    return Err(format!(
                        "{was}it has grown, and the file behind it was begun)"
                    ));
                }
                Since::Longer => grown = true,
                Since::Shorter => {
                    return Err(format!("{was}it had {bytes} bytes and has fewer)"));
                }
                Since::Begins => return Err(format!("{was}it begins with something else)")),
                Since::Ends => {
                    return Err(format!("{was}what stood before byte {bytes} has changed)"));
                }
            }
        }
        Ok(grown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_has_grown_is_told_from_another() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let long = "0123456789\n".repeat(20_000);
        let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
        write("a", &long);
        write("b", "first\nsecond\n");
        let files = [at("a"), at("b")];
        let mut stood = Stood::at_its_beginning(&files).unwrap();
        let differs = |stood: &Stood| stood.has_grown(&files, None).unwrap_err();
        assert_eq!(stood.has_grown(&files, None), Ok(false));
        assert!(
            stood
                .has_grown(&files[..1], None)
                .unwrap_err()
                .contains("missing")
        );
        assert_eq!(
            stood.has_grown(&[at("a"), at("b"), at("c")], None),
            Ok(true)
        );
        let swapped = stood.has_grown(&[at("b"), at("a")], None).unwrap_err();
        assert!(swapped.contains("in its place"), "{swapped}");
        write("b", "first\nsecond\nthird\n");
        assert_eq!(stood.has_grown(&files, None), Ok(true));
        write("b", "first\n");
        assert!(differs(&stood).contains("had 13 bytes"));
        write("b", "other\nsecond\n");
        assert!(differs(&stood).contains("begins"));
        write("b", "first\nsecond\n");
        write("a", &format!("{}{}", &long[..long.len() - 1], "x and more"));
        assert!(differs(&stood).contains("before byte 220000"));
        write("a", &format!("{long}more\n"));
        assert_eq!(stood.has_grown(&files, None), Ok(true));
        stood.position.file = 1;
        assert!(differs(&stood).contains("was begun"));
    }
}
