//! The lines of a stream, of several folders in one: in order of epochs.

use std::io::BufRead;
use std::path::PathBuf;

use anyhow::Context;

use crate::outputs::{Stream, read};
use crate::sinks::Positions;
use crate::sinks::files::{Files, Place, between};

/// A file that is being read.
struct Lines {
    stream: Stream,
    path: PathBuf,
    reader: Box<dyn BufRead>,
    /// The line that comes next, with its end; nothing, at the end.
    line: Vec<u8>,
    number: u64,
    /// Its epoch.
    epoch: u64,
    /// Bytes that are still to come; `None`: until the file ends.
    left: Option<u64>,
}

impl Lines {
    /// All of a folder, or what stands before a place.
    fn open(stream: Stream, Piece { dir, until }: &Piece) -> anyhow::Result<Self> {
        let path = stream.found(dir);
        let place = until.as_ref().map(|places| places.get(&stream));
        let place = place.map(|place| place.copied().unwrap_or_default());
        let reader = match &place {
            None => read::open_all(dir, stream),
            Some(place) => between(dir, stream, &Place::default(), place)
                .map(|lines| lines as _)
                .with_context(|| format!("cannot read {}", path.display())),
        };
        let reader = reader?;
        let mut lines = Lines {
            stream,
            path,
            reader,
            line: Vec::new(),
            number: 0,
            epoch: 0,
            left: place.as_ref().map(Place::lines),
        };
        lines.next()?;
        Ok(lines)
    }

    fn next(&mut self) -> anyhow::Result<()> {
        self.line.clear();
        self.number += 1;
        let at = || format!("{}:{}", self.path.display(), self.number);
        let read = self.reader.read_until(b'\n', &mut self.line);
        read.with_context(|| format!("{}: cannot be read", at()))?;
        if self.line.is_empty() {
            let is_whole = self.left.is_none_or(|left| left == 0);
            anyhow::ensure!(
                is_whole,
                "{}: lines are missing: the file was changed",
                at()
            );
            return Ok(());
        }
        self.left = self
            .left
            .map(|left| left.saturating_sub(self.line.len() as u64));
        let epoch = match self.stream {
            // What was refused says where it stood, and no epoch.
            Stream::Late | Stream::Rejected => Some(0),
            _ => epoch(&self.line),
        };
        let epoch = epoch.filter(|_| self.line.ends_with(b"\n"));
        let epoch =
            epoch.with_context(|| format!("{}: not a line as hearth replay writes it", at()))?;
        anyhow::ensure!(
            epoch >= self.epoch,
            "{}: epoch {epoch} comes behind {}: the file was changed",
            at(),
            self.epoch
        );
        self.epoch = epoch;
        Ok(())
    }
}

/// The epoch of a line: the first key of each.
fn epoch(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"epoch\":")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

/// What of a folder belongs to the whole.
pub struct Piece {
    pub dir: PathBuf,
    /// Where each stream ends; `None`: with its file.
    pub until: Option<Positions>,
}

/// Appends the lines of a stream's files: epoch by epoch, within one folder by folder.
///
/// # Errors
/// A file cannot be read, or a line is none of an output; the lines cannot be written.
pub fn merge(pieces: &[Piece], stream: Stream, to: &mut Files) -> anyhow::Result<()> {
    let files = pieces.iter().map(|piece| Lines::open(stream, piece));
    let mut files: Vec<Lines> = files.collect::<Result<_, _>>()?;
    loop {
        let open = files.iter().filter(|file| !file.line.is_empty());
        let Some(epoch) = open.map(|file| file.epoch).min() else {
            return Ok(());
        };
        for file in &mut files {
            while !file.line.is_empty() && file.epoch == epoch {
                to.append(stream, &file.line)?;
                file.next()?;
            }
        }
    }
}
