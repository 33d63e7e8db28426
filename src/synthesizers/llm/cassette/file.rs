//! A recording as a file.

use std::fmt;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::{Call, Completion};
use crate::disk::{Disk, Open};

/// Of the file and of what a key is computed from.
const VERSION: u32 = 1;
const SUFFIX: &str = ".json.gz";
/// No recording is longer, decompressed.
const LONGEST: u64 = 64 << 20;

/// Why a cassette cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CassetteError {
    /// There is nothing to replay.
    #[error("there is no cassette `{}` to replay: record one first", .0.display())]
    Missing(PathBuf),
    /// Nothing may be recorded.
    #[error("the cassette `{}` is for replay only", .0.display())]
    ReadOnly(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot use `{}` of the cassette: {error}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file is no recording, or another one's.
    #[error(
        "the recording `{}` is damaged ({why}): restore it, or remove it to have its call asked, and paid for, again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl CassetteError {
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        CassetteError::Io {
            path: path.to_owned(),
            error,
        }
    }
}

/// A digest (SHA-256) of everything that shapes an answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of a call. It does not depend on the order in which fields are declared or a schema's are written.
    pub fn of(call: &Call) -> Self {
        // A call holds no map with keys other than strings, so it always serialises.
        let call = serde_json::to_value(call).unwrap_or_default();
        let mut digest = Sha256::new();
        digest.update(format!("hearth call {VERSION}\n"));
        feed(&mut digest, &call);
        Key(digest.finalize().into())
    }

    /// The keys of all recordings in a folder, in order.
    pub(super) fn all(disk: &Disk, folder: &Path) -> Vec<Self> {
        let entries = disk.list(folder).into_iter().flatten();
        let mut keys: Vec<Key> = entries
            .filter_map(|entry| Key::from_file(entry.file_name()?.to_str()?))
            .collect();
        keys.sort_unstable();
        keys
    }

    /// The name of the recording's file.
    pub fn file(self) -> String {
        format!("{self}{SUFFIX}")
    }

    fn from_file(name: &str) -> Option<Self> {
        let hex = name.strip_suffix(SUFFIX)?.as_bytes();
        if hex.len() != 64 {
            return None;
        }
        let mut key = [0; 32];
        for (byte, digits) in key.iter_mut().zip(hex.chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        // Only the very name that we would give it.
        Some(Key(key)).filter(|key| key.file() == name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// JSON without blanks, the fields of each object in order of their names.
fn feed(digest: &mut Sha256, value: &Value) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            digest.update(b"{");
            for (name, value) in fields {
                digest.update(Value::from(name.as_str()).to_string());
                digest.update(b":");
                feed(digest, value);
                digest.update(b",");
            }
            digest.update(b"}");
        }
        Value::Array(items) => {
            digest.update(b"[");
            for item in items {
                feed(digest, item);
                digest.update(b",");
            }
            digest.update(b"]");
        }
        plain => digest.update(plain.to_string()),
    }
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Recording {
    version: u32,
    key: String,
    /// When the answer came, RFC 3339 in UTC with a fixed number of decimals, so that times compare as texts.
    pub recorded_at: String,
    /// Who was asked; for people.
    url: String,
    /// The requests that used it, in the order in which they first did.
    pub labels: Vec<String>,
    pub call: Call,
    pub completion: Completion,
}

impl Recording {
    pub fn new(label: &str, url: &str, call: &Call, completion: &Completion) -> Self {
        Recording {
            version: VERSION,
            key: Key::of(call).to_string(),
            recorded_at: format!("{:.6}", jiff::Timestamp::now()),
            url: without_credentials(url),
            labels: vec![label.to_owned()],
            call: call.clone(),
            completion: completion.clone(),
        }
    }

    /// Adds a request that used it; `false` if it did before.
    pub fn add(&mut self, label: &str) -> bool {
        let new = self.labels.iter().all(|known| known != label);
        if new {
            self.labels.push(label.to_owned());
        }
        new
    }

    /// Reads a recording, and holds it to its name.
    pub fn read(disk: &Disk, folder: &Path, key: Key) -> Result<Option<Self>, CassetteError> {
        let path = folder.join(key.file());
        let file = match disk.open(&path, Open::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CassetteError::io(&path, error)),
        };
        let damaged = |why: String| CassetteError::Damaged {
            path: path.clone(),
            why,
        };
        let mut text = Vec::new();
        GzDecoder::new(file)
            .take(LONGEST + 1)
            .read_to_end(&mut text)
            .map_err(|error| damaged(error.to_string()))?;
        if text.len() as u64 > LONGEST {
            return Err(damaged("it is too long".to_owned()));
        }
        let recording: Recording =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if recording.version != VERSION {
            let why = format!(
                "it has version {}, this Hearth knows version {VERSION}",
                recording.version
            );
            return Err(damaged(why));
        }
        if Key::of(&recording.call) != key || recording.key != key.to_string() {
            return Err(damaged("its call is not that of its name".to_owned()));
        }
        Ok(Some(recording))
    }

    /// Writes the file whole or not at all, and on the disk.
    pub fn write(&self, disk: &Disk, folder: &Path, key: Key) -> Result<(), CassetteError> {
        let path = folder.join(key.file());
        self.put(disk, folder, &path)
            .map_err(|error| CassetteError::io(&path, error))
    }

    fn put(&self, disk: &Disk, folder: &Path, path: &Path) -> io::Result<()> {
        // Whoever writes it has the call's turn, and the ledger's lock; what a killed run left is written over.
        let new = path.with_extension("new");
        let file = disk.open(&new, Open::Anew)?;
        let mut text = BufWriter::new(GzEncoder::new(file, Compression::default()));
        serde_json::to_writer_pretty(&mut text, self)?;
        text.write_all(b"\n")?;
        let gzip = text.into_inner().map_err(io::IntoInnerError::into_error)?;
        gzip.finish()?.sync()?;
        disk.rename(&new, path)?;
        disk.sync_folder(folder)
    }
}

/// A URL without user, password, query and fragment: people put keys there.
fn without_credentials(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_kept_without_what_is_secret_in_it() {
        for (url, kept) in [
            ("http://localhost:8080/v1", "http://localhost:8080/v1"),
            (
                "https://me:s3cret@host/v1?key=s3cret#s3cret",
                "https://host/v1",
            ),
            ("https://a@s3cret@host", "https://host"),
            ("file.gguf", "file.gguf"),
        ] {
            assert_eq!(without_credentials(url), kept);
        }
    }
}
