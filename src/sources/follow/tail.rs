//! The end of a file that somebody appends to, rotates or truncates.

use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::config::Keys;
use crate::inbox::LONGEST_LINE;
use crate::sources::files::Incoming;

/// Bytes that are read at a time.
const CHUNK: u64 = 1 << 20;

/// Bytes at its beginning by which a file is told from another in its place.
const FIRST: u64 = 256;

/// So long a file that was rotated away may still be written to.
const GRACE: Duration = Duration::from_secs(1);

/// How far a file is read: what a restart goes on from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// Which file it is, whatever its name.
    pub file: Identity,
    /// Bytes.
    pub offset: u64,
    /// A sum of what it begins with, as far as that was read.
    sum: u32,
}

/// A file of the system: its device and number there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    pub fn of(data: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Identity(data.dev(), data.ino())
    }

    #[cfg(not(unix))]
    pub fn of(_data: &Metadata) -> Self {
        Identity::default()
    }
}

/// A file, read up to a place.
pub struct Tail {
    path: PathBuf,
    at: At,
    keys: Keys,
    open: Option<(File, Incoming)>,
    /// Since when another file bears its name.
    replaced: Option<Instant>,
    /// Whether it is of this one file, whatever bears the name.
    stays: bool,
}

/// What was read.
pub type Lines = Vec<Vec<u8>>;

impl Tail {
    /// The file of this name, or the one that was read when it bore the name, from where it was read. Its columns are called like these.
    pub fn new(path: &Path, keys: &Keys, at: Option<At>) -> Self {
        Tail {
            path: path.to_owned(),
            at: at.unwrap_or_default(),
            keys: keys.clone(),
            open: None,
            replaced: None,
            stays: false,
        }
    }

    /// This file, which had the name when it was seen, from where it was read.
    pub fn of(file: Identity, path: &Path, keys: &Keys, at: Option<At>) -> Self {
        let start = At {
            file,
            ..At::default()
        };
        Tail {
            stays: true,
            ..Tail::new(path, keys, Some(at.unwrap_or(start)))
        }
    }

    /// How far it is read.
    pub fn at(&self) -> &At {
        &self.at
    }

    /// Whole lines that were appended since, as lines of an inbox; none, where there are none for now.
    ///
    /// # Errors
    /// The file cannot be read; a later call tries again.
    pub fn read(&mut self) -> io::Result<Lines> {
        if self.open.is_none() && !self.find()? {
            return Ok(Lines::new());
        }
        if !self.begins_so()? {
            // It was truncated and written anew since.
            self.anew(self.at.file);
            return Ok(Lines::new());
        }
        let lines = self.append()?;
        if !lines.is_empty() {
            self.replaced = None;
            return Ok(lines);
        }
        match fs::metadata(&self.path) {
            Ok(now) if Identity::of(&now) == self.at.file => {
                self.replaced = None;
                if now.len() < self.at.offset {
                    // It was truncated, its content copied elsewhere before.
                    self.anew(self.at.file);
                }
                Ok(lines)
            }
            Ok(_) if self.stays => Ok(lines),
            // Renamed, or removed; who writes to it may not know yet.
            Ok(_) => self.leave(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(lines),
            Err(error) => Err(error),
        }
    }

    /// Leaves a file that was rotated away, with the last line even if that is not ended.
    fn leave(&mut self) -> io::Result<Lines> {
        if self.replaced.get_or_insert_with(Instant::now).elapsed() < GRACE {
            return Ok(Lines::new());
        }
        let rest = self.bytes()?;
        let lines = self.lines(rest);
        (self.open, self.replaced) = (None, None);
        self.at = At::default();
        Ok(lines)
    }

    /// Opens the file: the one that was read before, if it is there under any name beside, else the one of the name.
    fn find(&mut self) -> io::Result<bool> {
        let known = self.at.file != Identity::default();
        let named = match fs::metadata(&self.path) {
            Ok(data) => Some(Identity::of(&data)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if known
            && named != Some(self.at.file)
            && let Some(path) = self.rotated()
            && self.begin(&path)?
            && self.begins_so()?
        {
            return Ok(true);
        }
        let named = named.filter(|file| !self.stays || *file == self.at.file);
        let Some(file) = named else {
            return Ok(false);
        };
        if !self.begin(&self.path.clone())? {
            return Ok(false);
        }
        let same = file == self.at.file && self.length()? >= self.at.offset;
        if !(same && self.begins_so()?) {
            self.anew(file);
        }
        Ok(true)
    }

    /// Where the file lies that was read before, under another name in the same folder.
    fn rotated(&self) -> Option<PathBuf> {
        let folder = self.path.parent()?;
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let entries = fs::read_dir(folder).ok()?.flatten();
        let mut files = entries.filter(|entry| {
            entry
                .metadata()
                .is_ok_and(|data| Identity::of(&data) == self.at.file)
        });
        files.next().map(|entry| entry.path())
    }

    /// Opens a file; not one whose first line, which may be its header, is not written yet.
    fn begin(&mut self, path: &Path) -> io::Result<bool> {
        let mut file = File::open(path)?;
        let mut line = Vec::new();
        let mut first = BufReader::new(file.by_ref().take(LONGEST_LINE as u64));
        let read = first.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') && read < LONGEST_LINE {
            return Ok(false);
        }
        // What it is called is what it was when it was given.
        let incoming = Incoming::of(&self.path, &line, &self.keys);
        let incoming =
            incoming.map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))?;
        self.open = Some((file, incoming));
        Ok(true)
    }

    /// Reads it from its beginning.
    fn anew(&mut self, file: Identity) {
        self.at = At {
            file,
            ..At::default()
        };
        // Its header may be another.
        self.open = None;
    }

    fn length(&self) -> io::Result<u64> {
        self.open
            .as_ref()
            .map_or(Ok(0), |(file, _)| Ok(file.metadata()?.len()))
    }

    /// Whether it begins with what was read.
    fn begins_so(&mut self) -> io::Result<bool> {
        Ok(self.sum(self.at.offset)? == self.at.sum)
    }

    /// A sum of what it begins with, of so many bytes read.
    fn sum(&mut self, read: u64) -> io::Result<u32> {
        let Some((file, _)) = &mut self.open else {
            return Ok(0);
        };
        let mut first = Vec::new();
        file.rewind()?;
        file.take(read.min(FIRST)).read_to_end(&mut first)?;
        Ok(crc32fast::hash(&first))
    }

    /// What stands behind the place, as much as is read at a time.
    fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some((file, _)) = &mut self.open {
            file.seek(SeekFrom::Start(self.at.offset))?;
            file.take(CHUNK).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// Reads whole records behind the place.
    fn append(&mut self) -> io::Result<Lines> {
        let mut bytes = self.bytes()?;
        match bytes.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => bytes.truncate(last + 1),
            // What is as long without an end is no line, and is refused in pieces.
            None if bytes.len() as u64 == CHUNK => {}
            None => return Ok(Lines::new()),
        }
        let Some((_, incoming)) = &self.open else {
            return Ok(Lines::new());
        };
        let header = match self.at.offset == 0 && incoming.has_header() {
            true => bytes
                .iter()
                .position(|&byte| byte == b'\n')
                .map_or(0, |end| end + 1),
            false => 0,
        };
        let mut records = bytes.split_off(header);
        records.truncate(incoming.whole(&records));
        let offset = self.at.offset + (header + records.len()) as u64;
        let lines = self.lines(records);
        self.at.sum = self.sum(offset)?;
        self.at.offset = offset;
        Ok(lines)
    }

    /// Records of the file as lines of an inbox.
    fn lines(&self, records: Vec<u8>) -> Lines {
        let open = self.open.as_ref();
        open.map_or(Lines::new(), |(_, incoming)| incoming.lines(records))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn append(path: &Path, text: &str) {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn read(tail: &mut Tail) -> Vec<String> {
        let mut all = Vec::new();
        // An empty answer may be a change of files.
        for _ in 0..3 {
            let lines = tail.read().unwrap();
            all.extend(
                lines
                    .into_iter()
                    .map(|line| String::from_utf8(line).unwrap()),
            );
        }
        all
    }

    /// Appended, killed, rotated, truncated: each line once.
    #[test]
    fn each_line_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut tail = Tail::new(&path, &Keys::default(), None);
        assert!(read(&mut tail).is_empty(), "it is not there yet");
        append(&path, "{1}\n\n{\"mark\":{}}\n{2}\r\n{3");
        assert_eq!(read(&mut tail), ["{1}", "{2}"]);
        append(&path, "}\n");
        assert_eq!(read(&mut tail), ["{3}"]);
        // Begun again, and rotated in between.
        let at = serde_json::to_string(tail.at()).unwrap();
        append(&path, "{4}\n");
        fs::rename(&path, folder.path().join("events.jsonl.1")).unwrap();
        append(&path, "{5}\n");
        let mut tail = Tail::new(
            &path,
            &Keys::default(),
            Some(serde_json::from_str(&at).unwrap()),
        );
        assert_eq!(read(&mut tail), ["{4}"]);
        std::thread::sleep(GRACE);
        assert_eq!(read(&mut tail), ["{5}"]);
        // Truncated, and longer than before by the next look.
        fs::write(&path, "{6}\n{7}\n").unwrap();
        assert_eq!(read(&mut tail), ["{6}", "{7}"]);
    }

    #[test]
    fn csv_becomes_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.csv");
        append(
            &path,
            "time,home,action,note\n2022-08-04T18:30:00Z,h,\"Light:on, dim\",x\nbroken\n",
        );
        let mut tail = Tail::new(&path, &Keys::default(), None);
        let expected = r#"{"home":"h","time":"2022-08-04T18:30:00Z","action":"Light:on, dim"}"#;
        assert_eq!(read(&mut tail), [expected, "broken"]);
        let at = tail.at().clone();
        append(&path, "2022-08-04T18:31:00Z,h,Light:off,\n");
        let mut tail = Tail::new(&path, &Keys::default(), Some(at));
        assert_eq!(read(&mut tail).len(), 1);
    }
}
