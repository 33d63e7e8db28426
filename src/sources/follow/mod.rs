//! Files that grow as a source of a live run: appended to, rotated (renamed or truncated), or coming into a folder.
//!
//! Delivery is exactly once, by the file's identity and the offset, which lie in the inbox beside the lines. A file that is
//! truncated loses what was written to it and not read yet: rename where a line must not be lost.

mod tail;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::is_packed;
use crate::config::{Keys, UsageError};
use crate::desk::Desk;
use crate::inbox::{InboxError, Mark};
use tail::{At, Identity, Tail};

/// How often a file is looked at that had nothing new.
const LOOK: Duration = Duration::from_millis(20);

/// How often it is looked whether files have come into a folder.
const LIST: Duration = Duration::from_millis(500);

/// How often the same trouble is told.
const AGAIN: Duration = Duration::from_secs(60);

/// Refuses what cannot be followed.
///
/// # Errors
/// It is standard input, or packed.
pub fn check(path: &Path) -> Result<(), UsageError> {
    if path.as_os_str() == "-" {
        return Err(UsageError(
            "`-` cannot be followed: a live run reads files that grow; write what comes into a file and name that, post it to /events, or \
             read it with hearth replay -"
                .to_owned(),
        ));
    }
    match is_packed_log(path) {
        true => Err(UsageError(format!(
            "{} is packed and cannot be followed: a live run reads text that grows; unpack it and name that, or read it with hearth replay",
            path.display()
        ))),
        false => Ok(()),
    }
}

/// Puts what is appended to a file, or to the files of a folder, into the inbox, until the run is to end. Their columns are called like
/// `keys`.
///
/// # Errors
/// The inbox takes nothing any more.
pub async fn follow(path: PathBuf, keys: Keys, desk: Desk) -> anyhow::Result<()> {
    let mut files = Followed::new(path, keys, &desk);
    while !desk.is_ending() {
        let put = files.put(&desk).await;
        match put {
            Ok(true) => continue,
            Ok(false) => {}
            Err(InboxError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// A file, or the files of a folder.
struct Followed {
    path: PathBuf,
    keys: Keys,
    /// By what its mark is called.
    tails: BTreeMap<String, Tail>,
    /// When files of a folder were listed.
    listed: Option<tokio::time::Instant>,
    /// Whether it was told that packed files of a folder are passed over.
    told_packed: bool,
    /// When trouble was told.
    told: Option<tokio::time::Instant>,
}

impl Followed {
    fn new(path: PathBuf, keys: Keys, desk: &Desk) -> Self {
        let mut tails = BTreeMap::new();
        if !path.exists() {
            tracing::info!("{} is not there yet; it is waited for", path.display());
        }
        if !path.is_dir() {
            let source = format!("follow {}", path.display());
            let tail = Tail::new(&path, &keys, at(&source, desk));
            tails.insert(source, tail);
        }
        Followed {
            path,
            keys,
            tails,
            listed: None,
            told_packed: false,
            told: None,
        }
    }

    /// Puts what is new. Whether there was anything.
    async fn put(&mut self, desk: &Desk) -> Result<bool, InboxError> {
        let due = self.listed.is_none_or(|listed| listed.elapsed() >= LIST);
        if due && self.path.is_dir() {
            self.listed = Some(tokio::time::Instant::now());
            if let Err(error) = self.list(desk) {
                self.tell(&error);
            }
        }
        let (mut any, mut trouble) = (false, None);
        for (source, tail) in &mut self.tails {
            let before = tail.at().clone();
            let lines = tail.read().unwrap_or_else(|error| {
                trouble = Some(error);
                Vec::new()
            });
            if *tail.at() == before && lines.is_empty() {
                continue;
            }
            any |= !lines.is_empty();
            let at = serde_json::to_string(tail.at()).unwrap_or_default();
            let source = source.clone();
            desk.inbox.put(lines, Some(Mark { source, at })).await?;
        }
        if let Some(error) = trouble {
            self.tell(&error);
        }
        Ok(any)
    }

    /// Looks which files a folder holds. One that was renamed is the same.
    fn list(&mut self, desk: &Desk) -> io::Result<()> {
        let mut there = BTreeSet::new();
        let mut files = fs::read_dir(&self.path)?.collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(fs::DirEntry::file_name);
        for file in files {
            let (path, data) = (file.path(), file.metadata()?);
            if !data.is_file() {
                continue;
            }
            let identity = Identity::of(&data);
            let id = serde_json::to_string(&identity).unwrap_or_default();
            let source = format!("follow {} {id}", self.path.display());
            let known = self.tails.contains_key(&source);
            if !known && is_packed_log(&path) {
                self.tell_packed(&path);
                continue;
            }
            if !is_log(&path) {
                continue;
            }
            if !known {
                let tail = Tail::of(identity, &path, &self.keys, at(&source, desk));
                self.tails.insert(source.clone(), tail);
            }
            there.insert(source);
        }
        // What is gone was read before.
        self.tails.retain(|source, _| there.contains(source));
        Ok(())
    }

    /// Tells, of the first one, that packed files are passed over.
    fn tell_packed(&mut self, path: &Path) {
        if !std::mem::replace(&mut self.told_packed, true) {
            tracing::warn!(
                "{} is packed: packed files of a folder are passed over, for a live run reads text that grows",
                path.display()
            );
        }
    }

    /// Tells trouble, now and then.
    fn tell(&mut self, error: &io::Error) {
        if self.told.is_none_or(|told| told.elapsed() >= AGAIN) {
            self.told = Some(tokio::time::Instant::now());
            tracing::warn!(
                "cannot follow {}: {error}; it is tried again",
                self.path.display()
            );
        }
    }
}

/// How far a file was read, by its mark.
fn at(source: &str, desk: &Desk) -> Option<At> {
    let at = desk.inbox.mark(source)?;
    serde_json::from_str(&at).ok()
}

/// Whether a file is a log that is packed: by its name, or by how it begins.
fn is_packed_log(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    let named = ["gz", "zst", "hlog", "parquet"]
        .iter()
        .any(|known| ending == *known);
    // What is no file, a pipe for one, would be read by it.
    named || (is_log(path) && path.is_file() && is_packed(path).unwrap_or(false))
}

/// Whether a file of a folder is a log of text by its name.
fn is_log(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    ["jsonl", "ndjson", "json", "csv", "tsv"]
        .iter()
        .any(|known| ending == *known)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::disk::Disk;
    use crate::inbox::{Inbox, Keeps};
    use crate::stop::Stop;

    #[test]
    fn packed_files_of_a_folder_are_passed_over() {
        let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (name, bytes) in [
            ("a.jsonl", &b"{}\n"[..]),
            ("b.jsonl.gz", b""),
            ("c.jsonl", &[0x28, 0xb5, 0x2f, 0xfd]),
            ("notes.txt", b""),
        ] {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let (inbox, writer) = Inbox::open(&Disk::real(), out.path(), Keeps::default()).unwrap();
        let desk = Desk::new(inbox, out.path(), NonZeroUsize::MIN, Stop::default());
        let mut files = Followed::new(folder.path().to_owned(), Keys::default(), &desk);
        files.list(&desk).unwrap();
        assert_eq!(files.tails.len(), 1);
        assert!(files.told_packed);
        drop(desk);
        writer.join();
    }

    #[test]
    fn what_cannot_be_followed_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let refusal = |path: &Path| check(path).unwrap_err().to_string();
        assert!(refusal(Path::new("-")).contains("hearth replay -"));
        for path in [
            at("a.jsonl.gz", b""),
            at("b.jsonl", &[0x1f, 0x8b, 8, 0]),
            at("c.hlog", b""),
            folder.path().join("not there yet.csv.zst"),
        ] {
            assert!(refusal(&path).contains("unpack it"), "{}", path.display());
        }
        for path in [
            at("d.jsonl", b"{}\n"),
            at("e.csv", b""),
            folder.path().to_owned(),
            folder.path().join("not there yet.jsonl"),
        ] {
            assert_eq!(check(&path), Ok(()), "{}", path.display());
        }
    }
}
