//! The files of an output folder, read back line by line: no file is held in memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::{Stream, summary_path};

/// A folder that is no output of a replay.
#[derive(Debug, thiserror::Error)]
#[error("{folder} {problem}")]
pub struct NoOutput {
    folder: String,
    problem: &'static str,
}

/// Refuses a folder that is no output of a replay, before anything is read.
pub(crate) fn check(dir: &Path) -> Result<(), NoOutput> {
    let problem = if !dir.is_dir() {
        "is no folder"
    } else if Stream::ALL
        .iter()
        .all(|stream| stream.is_new() || stream.found(dir).is_file())
    {
        return Ok(());
    } else if summary_path(dir).is_file() {
        "is an output of hearth replay of which files were removed"
    } else {
        "is no output folder of hearth replay"
    };
    let folder = dir.display().to_string();
    Err(NoOutput { folder, problem })
}

/// Calls `take` with each line of the stream's files.
///
/// # Errors
/// A file cannot be read, or `take` refuses a line: said with file and line.
pub(crate) fn each(
    dir: &Path,
    stream: Stream,
    mut take: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (sealed, (path, last)) = opened(dir, stream)?;
    sealed
        .iter()
        .try_for_each(|file| each_line(file, &mut take))?;
    lines_of(&path, last, take)
}

/// A file, and what reads it.
type Opened = (PathBuf, Box<dyn BufRead>);

/// The sealed files of a stream, whose names stay, and the one behind them, opened while they are these.
fn opened(dir: &Path, stream: Stream) -> anyhow::Result<(Vec<PathBuf>, Opened)> {
    let files = || {
        let sealed = stream.sealed_in(dir);
        sealed.with_context(|| format!("cannot read {}", dir.display()))
    };
    loop {
        let (sealed, path) = (files()?, stream.found(dir));
        let last = open(&path).with_context(|| format!("cannot read {}", path.display()));
        if files()? == sealed {
            let sealed = sealed.into_iter().map(|sealed| sealed.path).collect();
            return Ok((sealed, (path, last?)));
        }
    }
}

/// Calls `take` with each line of the stream's files that is about `home`.
///
/// # Errors
/// As [`each`]; or a line names no home.
pub(crate) fn each_of(
    dir: &Path,
    stream: Stream,
    home: &str,
    mut take: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    each(dir, stream, |text| match is_of(text, home)? {
        true => take(text),
        false => Ok(()),
    })
}

/// Calls `take` with each line of a JSON Lines file, plain or `.zst`.
///
/// # Errors
/// As [`each`].
pub(crate) fn each_line(
    path: &Path,
    take: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let reader = open(path).with_context(|| format!("cannot read {}", path.display()))?;
    lines_of(path, reader, take)
}

/// Calls `take` with each line of a file that was opened.
fn lines_of(
    path: &Path,
    mut reader: Box<dyn BufRead>,
    mut take: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut line = String::new();
    for number in 1_u64.. {
        line.clear();
        let read = reader.read_line(&mut line);
        if read.with_context(|| format!("{}:{number}: cannot be read", path.display()))? == 0 {
            break;
        }
        let text = line.trim_end();
        if text.is_empty() {
            continue;
        }
        take(text).with_context(|| format!("{}:{number}", path.display()))?;
    }
    Ok(())
}

/// The lines of a JSON Lines file, plain or `.zst`.
///
/// # Errors
/// What the system says.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let file = BufReader::with_capacity(1 << 18, File::open(path)?);
    if path.extension().is_none_or(|it| it != "zst") {
        return Ok(Box::new(file));
    }
    let unpacked = zstd::stream::read::Decoder::with_buffer(file)?;
    Ok(Box::new(BufReader::with_capacity(1 << 18, unpacked)))
}

/// A line of an output file.
///
/// # Errors
/// It is not the line that its stream has.
pub(crate) fn line<'a, T: Deserialize<'a>>(text: &'a str) -> anyhow::Result<T> {
    serde_json::from_str(text).context("not a line as hearth replay writes it")
}

/// The lines of a stream's files, one behind the other.
///
/// # Errors
/// One of them cannot be opened.
pub(crate) fn open_all(dir: &Path, stream: Stream) -> anyhow::Result<Box<dyn BufRead>> {
    let (sealed, (_, last)) = opened(dir, stream)?;
    sealed.into_iter().rev().try_fold(last, |behind, path| {
        let file = open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let all: Box<dyn BufRead> = Box::new(file.chain(behind));
        Ok(all)
    })
}

/// Whether the line is about `home`.
///
/// # Errors
/// It names no home.
fn is_of(text: &str, home: &str) -> anyhow::Result<bool> {
    #[derive(Deserialize)]
    struct Of<'a> {
        #[serde(borrow)]
        home: std::borrow::Cow<'a, str>,
    }
    Ok(line::<Of<'_>>(text)?.home == home)
}

/// Adds `diff` to a count; a count of 0 leaves the collection.
pub(crate) fn add<K: Ord>(collection: &mut std::collections::BTreeMap<K, i64>, key: K, diff: i64) {
    use std::collections::btree_map::Entry;
    match collection.entry(key) {
        Entry::Vacant(place) if diff != 0 => {
            place.insert(diff);
        }
        Entry::Vacant(_) => {}
        Entry::Occupied(mut count) => {
            *count.get_mut() += diff;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Refuses a collection in which something was taken back that was never there.
///
/// # Errors
/// The first such entry.
pub(crate) fn check_counts<K: std::fmt::Debug>(
    dir: &Path,
    stream: Stream,
    collection: &std::collections::BTreeMap<K, i64>,
) -> anyhow::Result<()> {
    match collection.iter().find(|(_, count)| **count < 0) {
        None => Ok(()),
        Some((key, count)) => bail!(
            "{}: the diffs of {key:?} sum to {count}, below zero: the file is incomplete or was changed",
            stream.found(dir).display()
        ),
    }
}
