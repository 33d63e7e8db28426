//! What is in the output folder when the server begins.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Recent;
use crate::outputs::{Stream, read};
use crate::sinks::feed::Told;

/// What is read of the end of a stream, in bytes. Of transitions, which are counts, all is read; of a packed file nothing else is.
const TAIL: u64 = 8 << 20;

/// In the order in which they are read: a request before what was answered, what was taken in before what was erased of it.
const STREAMS: [Stream; 10] = [
    Stream::Segments,
    Stream::Transitions,
    Stream::Scores,
    Stream::Requests,
    Stream::Verdicts,
    Stream::Adaptations,
    Stream::Drifts,
    Stream::Alarms,
    Stream::Feedback,
    Stream::Erasures,
];

/// What a line that is told is to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It was read.
    Known,
    /// Not known yet.
    New,
    /// Of an epoch that was complete: the run goes on from before it.
    Before,
}

/// How far each stream is known, and which lines of its last epoch were read in its file.
#[derive(Debug, Default)]
pub(super) struct Loaded(HashMap<Stream, (u64, HashSet<Arc<str>>)>);

impl Loaded {
    /// Places a line that is told. A file is a prefix of its stream, epoch by epoch.
    pub fn place(&mut self, told: &Told) -> Placed {
        let (epoch, lines) = self.0.entry(told.stream).or_default();
        if told.epoch < *epoch {
            return Placed::Before;
        }
        if told.epoch > *epoch {
            *epoch = told.epoch;
            lines.clear();
        }
        match lines.remove(&told.line) {
            true => Placed::Known,
            false => Placed::New,
        }
    }

    fn read(&mut self, told: &Told) {
        let (epoch, lines) = self.0.entry(told.stream).or_default();
        if told.epoch > *epoch {
            *epoch = told.epoch;
            lines.clear();
        }
        lines.insert(told.line.clone());
    }
}

/// Reads what is there. A folder without outputs has none; a line that cannot be read is missed.
pub(super) fn load(recent: &Recent, folder: &Path) -> Loaded {
    let (mut loaded, mut missed) = (Loaded::default(), 0);
    let mut lines: Vec<Told> = Vec::new();
    for stream in STREAMS {
        let mut take = |text: &str| {
            let Some(epoch) = epoch(text) else {
                return;
            };
            let line = Arc::from(text);
            let told = Told {
                stream,
                epoch,
                line,
            };
            loaded.read(&told);
            match stream {
                Stream::Transitions => recent.take(&told),
                _ => lines.push(told),
            }
        };
        let read = match stream {
            Stream::Transitions => all(folder, stream, &mut take),
            _ => tail(folder, stream, &mut take),
        };
        missed += u64::from(read.is_err());
    }
    // What was erased is what came before.
    lines.sort_by_key(|told| told.epoch);
    lines.iter().for_each(|told| recent.take(told));
    recent.lock().counts.missed += missed;
    loaded
}

fn all(folder: &Path, stream: Stream, take: &mut impl FnMut(&str)) -> anyhow::Result<()> {
    if !stream.found(folder).is_file() {
        return Ok(());
    }
    read::each(folder, stream, |text| {
        take(text);
        Ok(())
    })
}

fn tail(folder: &Path, stream: Stream, take: &mut impl FnMut(&str)) -> anyhow::Result<()> {
    let files = loop {
        let paths = stream.files(folder)?;
        let files = ends(&paths);
        // None of them may have been sealed meanwhile: then it has another name, and another one has its own.
        if stream.files(folder)? == paths {
            break files?;
        }
    };
    let mut files = files.into_iter().rev();
    files.try_for_each(|(file, part)| tail_of(file, part, take))
}

/// The last plain files, the newest first, as far as a stream's end is in them, and which part of each is.
fn ends(paths: &[PathBuf]) -> io::Result<Vec<(File, Range<u64>)>> {
    let (mut files, mut left) = (Vec::new(), TAIL);
    for path in paths.iter().rev() {
        let is_plain = path.extension().is_some_and(|ending| ending == "jsonl");
        if left == 0 || !is_plain || !path.is_file() {
            break;
        }
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let from = length.saturating_sub(left);
        left -= length - from;
        files.push((file, from..length));
    }
    Ok(files)
}

/// The whole lines of a part of a file.
fn tail_of(
    mut file: File,
    Range { start: from, end }: Range<u64>,
    take: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    file.seek(SeekFrom::Start(from))?;
    let mut reader = BufReader::new(file.take(end - from));
    let mut line = Vec::new();
    if from > 0 {
        reader.read_until(b'\n', &mut line)?;
    }
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 || line.last() != Some(&b'\n') {
            return Ok(());
        }
        let text = std::str::from_utf8(&line).map_err(io::Error::other)?;
        take(text.trim_end());
    }
}

/// The epoch that a line begins with.
fn epoch(text: &str) -> Option<u64> {
    let rest = text.strip_prefix("{\"epoch\":")?;
    rest.split_once(',')?.0.parse().ok()
}
