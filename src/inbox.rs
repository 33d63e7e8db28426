//! The inbox of a live run: whatever comes in is a line of a log on the disk before anybody is told that it came.
//!
//! The dataflow reads that log as it reads any other. So a live run is killed and goes on as a replay does, whichever
//! the source is, and its outputs are those of a replay of its inbox.

#[cfg(test)]
mod crashes;
#[cfg(test)]
mod fuzz;
mod pieces;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::disk::Disk;
use crate::fates::Tell;
use crate::growing::Growing;
use crate::outputs::inbox_path;
pub use pieces::{Fold, Keeps, comes_before, parts};
use pieces::{Last, Whole};

/// The longest line of a log, in bytes.
pub const LONGEST_LINE: usize = 64 * 1024;

/// Puts that may wait before whoever puts waits.
const WAITING: usize = 1024;

/// Lines that are made durable together at most, in bytes.
const TOGETHER: usize = 4 << 20;

/// How far a source has been read, in its own words; kept with the lines that it gave until then, so that both are there or neither.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Which source.
    pub source: String,
    /// How far.
    pub at: String,
}

/// How marks of partitions are called: `kafka-in/events/3`. Whichever process reads one goes on where another has left it.
pub const PARTITIONS: &str = "kafka-in/";

impl Mark {
    /// The same of a source or sink at another process than the one that has the inbox.
    #[must_use]
    pub fn at_process(self, process: usize) -> Self {
        if self.is_of_partition() {
            return self;
        }
        let source = format!("{process}/{}", self.source);
        Mark { source, ..self }
    }

    /// Whether it says how far a partition is read.
    pub fn is_of_partition(&self) -> bool {
        let topic = self.source.strip_prefix(PARTITIONS);
        topic.is_some_and(|topic| topic.contains('/'))
    }

    /// At which process its source or sink is, if that is another one, and what it is called there.
    pub fn place(&self) -> (Option<usize>, &str) {
        match self.source.split_once('/') {
            Some((process, source)) if process.parse::<usize>().is_ok() => {
                (process.parse().ok(), source)
            }
            _ => (None, &self.source),
        }
    }
}

/// The line of a mark. A reader of logs passes over it.
#[derive(Serialize, Deserialize)]
struct MarkLine {
    mark: Mark,
    /// Bytes of the lines behind it that were put with it: while one is missing, none of them counts, nor does the mark.
    #[serde(default, skip_serializing_if = "is_zero")]
    bytes: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

fn mark_line(mark: Mark, bytes: u64) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&MarkLine { mark, bytes })?;
    line.push(b'\n');
    Ok(line)
}

/// How it begins.
const MARK: &[u8] = br#"{"mark":"#;

/// Why something was not taken in.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
pub enum InboxError {
    /// It is no line.
    #[error(
        "a line of the inbox is at most {LONGEST_LINE} bytes, holds no line end, and is no mark"
    )]
    NoLine,
    /// The disk does not take it.
    #[error("the inbox {path} cannot be written: {reason}")]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The run has ended.
    #[error("the inbox is closed, for the run is ending")]
    Closed,
}

/// Lines that came together.
pub struct Put {
    /// Each with its line end.
    pub lines: Vec<u8>,
    /// How far their source is read with them.
    pub mark: Option<Mark>,
    /// How many of them somebody waits for, from the first on, and how that is told.
    pub asks: Option<(u64, Tell)>,
    /// Is told the number of the first line, once they are there.
    pub reply: Box<dyn FnOnce(Result<u64, InboxError>) + Send>,
}

/// The newest mark of each source.
pub type Marks = Arc<Mutex<BTreeMap<String, String>>>;

/// The way into the inbox; clones share it.
#[derive(Clone, Debug)]
pub struct Inbox {
    sender: Sender<Put>,
    marks: Marks,
    durable: Growing,
    lines_end: Arc<AtomicU64>,
    /// Of an inbox that another process has: the marks of this one's sources and sinks when it began.
    told: Option<Arc<Vec<Mark>>>,
}

/// Whether these bytes are what [`Inbox::put`] makes of lines.
pub fn are_lines(bytes: &[u8]) -> bool {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines.all(|line| line.ends_with(b"\n") && is_line(&line[..line.len() - 1]))
}

/// Whether it is a line that may come from outside.
fn is_line(line: &[u8]) -> bool {
    line.len() <= LONGEST_LINE && !line.contains(&b'\n') && !line.starts_with(MARK)
}

/// Takes a mark in.
pub fn note(marks: &Marks, mark: Mark) {
    let mut marks = marks.lock().unwrap_or_else(PoisonError::into_inner);
    marks.insert(mark.source, mark.at);
}

/// The thread that writes the inbox. It ends once no [`Inbox`] is left.
pub struct InboxWriter(JoinHandle<()>);

impl InboxWriter {
    /// Waits until all is written.
    pub fn join(self) {
        // Its panic is told by whoever puts: the inbox is closed then.
        let _ = self.0.join();
    }
}

impl Inbox {
    /// Opens the inbox of a run's folder, behind what came before. A line that was torn by a power failure was promised to
    /// nobody, and goes.
    ///
    /// # Errors
    /// It cannot be read or written, or something is missing in it.
    pub fn open(disk: &Disk, folder: &Path, keeps: Keeps) -> io::Result<(Inbox, InboxWriter)> {
        let (last, found) = pieces::open(disk, folder, keeps)?;
        let durable = Growing::of(disk, found.pieces, found.whole.length);
        let lines_end = Arc::new(AtomicU64::new(found.whole.lines_end));
        let (sender, receiver) = crossbeam_channel::bounded(WAITING);
        let marks = Arc::new(Mutex::new(found.marks));
        let writing = Writing {
            last,
            path: inbox_path(folder),
            lines: found.whole.lines,
            marks: marks.clone(),
            durable: durable.clone(),
            lines_end: lines_end.clone(),
            failed: None,
        };
        let inbox = Inbox {
            sender,
            marks,
            durable,
            lines_end,
            told: None,
        };
        let thread = std::thread::Builder::new()
            .name("inbox".into())
            .spawn(move || writing.work(&receiver))?;
        Ok((inbox, InboxWriter(thread)))
    }

    /// The way into an inbox that another process has, where these are the marks of this one's sources and sinks; what is put comes
    /// out of the receiver, and what may be read of it lies in `durable`, up to where it is known that a line ends.
    pub fn elsewhere(
        told: Vec<Mark>,
        durable: Growing,
        lines_end: Arc<AtomicU64>,
    ) -> (Inbox, Receiver<Put>) {
        let (sender, receiver) = crossbeam_channel::bounded(WAITING);
        let marks = Marks::default();
        for mark in told.iter().cloned() {
            note(&marks, mark);
        }
        let inbox = Inbox {
            sender,
            marks,
            durable,
            lines_end,
            told: Some(Arc::new(told)),
        };
        (inbox, receiver)
    }

    /// Calls `take` with marks of a source that say what all of its marks do, in order: for sources whose marks say what has
    /// changed.
    ///
    /// # Errors
    /// The inbox cannot be read.
    pub fn each_mark(&self, source: &str, mut take: impl FnMut(&str)) -> io::Result<()> {
        self.each(|mark| {
            if mark.source == source {
                take(&mark.at);
            }
        })
    }

    /// The same with marks of all sources.
    ///
    /// # Errors
    /// The inbox cannot be read.
    pub fn each(&self, mut take: impl FnMut(Mark)) -> io::Result<()> {
        if let Some(told) = &self.told {
            told.iter().cloned().for_each(take);
            return Ok(());
        }
        let before = self.durable.last_begins();
        let reader = BufReader::new(self.durable.bytes(before.bytes));
        pieces::scan(reader, Whole::up_to(before), &mut take).map(drop)
    }

    /// The newest marks.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// How far the log is durable; nothing behind that was promised to anybody.
    pub fn durable(&self) -> &Growing {
        &self.durable
    }

    /// Where the last line ends that is no mark: a reader that has come so far has read all there is.
    pub fn lines_end(&self) -> &Arc<AtomicU64> {
        &self.lines_end
    }

    /// Appends lines in their order (each an event, a context, feedback or an erasure, as in a log), and how far their source is
    /// read with them. Comes back when they outlive a power failure.
    ///
    /// # Errors
    /// They are not taken in, or it is not known: whoever has them keeps them, and may put them again.
    pub async fn put<L: AsRef<[u8]>>(
        &self,
        lines: impl IntoIterator<Item = L>,
        mark: Option<Mark>,
    ) -> Result<(), InboxError> {
        self.put_all(lines, mark, None).await.map(drop)
    }

    /// The same, without a mark, where somebody waits for what becomes of the first so many lines. The number of the first one.
    ///
    /// # Errors
    /// As those of [`Inbox::put`].
    pub async fn put_asking<L: AsRef<[u8]>>(
        &self,
        lines: impl IntoIterator<Item = L>,
        asks: (u64, Tell),
    ) -> Result<u64, InboxError> {
        self.put_all(lines, None, Some(asks)).await
    }

    async fn put_all<L: AsRef<[u8]>>(
        &self,
        lines: impl IntoIterator<Item = L>,
        mark: Option<Mark>,
        asks: Option<(u64, Tell)>,
    ) -> Result<u64, InboxError> {
        let mut bytes = Vec::new();
        for line in lines {
            let line = line.as_ref();
            if !is_line(line) {
                return Err(InboxError::NoLine);
            }
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        let (reply, written) = oneshot::channel();
        let put = Put {
            lines: bytes,
            mark,
            asks,
            // Whoever put it may be gone.
            reply: Box::new(move |first| drop(reply.send(first))),
        };
        let full = match self.sender.try_send(put) {
            Ok(()) => None,
            Err(crossbeam_channel::TrySendError::Full(put)) => Some(put),
            Err(crossbeam_channel::TrySendError::Disconnected(_)) => {
                return Err(InboxError::Closed);
            }
        };
        if let Some(put) = full {
            let sender = self.sender.clone();
            let sent = tokio::task::spawn_blocking(move || sender.send(put).is_ok());
            if !sent.await.unwrap_or(false) {
                return Err(InboxError::Closed);
            }
        }
        written.await.unwrap_or(Err(InboxError::Closed))
    }

    /// Puts what was checked by another process, which has the way in by this one. Waits while too much else does. Whether anybody
    /// takes it.
    pub fn hand(&self, put: Put) -> bool {
        self.sender.send(put).is_ok()
    }

    /// How far a source had been read when it last put something, in its own words.
    pub fn mark(&self, source: &str) -> Option<String> {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.get(source).cloned()
    }
}

/// What the inbox's thread works with.
struct Writing {
    last: Last,
    path: PathBuf,
    /// Lines so far.
    lines: u64,
    marks: Marks,
    durable: Growing,
    lines_end: Arc<AtomicU64>,
    /// What was written in part stays torn: nothing may follow it, so the first failure is the last word.
    failed: Option<InboxError>,
}

/// What is written at once.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Each with the number of its first line.
    puts: Vec<(Put, u64)>,
    /// Where in it the last line ends that is no mark.
    lines_end: Option<u64>,
}

impl Writing {
    /// Writes what is put, as much at a time as waits.
    fn work(mut self, receiver: &Receiver<Put>) {
        while let Ok(first) = receiver.recv() {
            if self.failed.is_none() {
                let followed = self.follow();
                self.failed = followed.err().map(|error| self.unwritten(&error));
            }
            let batch = self.gather(std::iter::once(first).chain(receiver.try_iter()));
            if self.failed.is_none() {
                let file = &mut self.last.file;
                let written = file.write_all(&batch.bytes).and_then(|()| file.sync());
                self.failed = written.err().map(|error| self.unwritten(&error));
            }
            self.tell(batch);
        }
    }

    /// Has another piece follow where that is due.
    fn follow(&mut self) -> io::Result<()> {
        let at = Whole {
            length: self.durable.length(),
            lines: self.lines,
            lines_end: self.lines_end.load(Ordering::Relaxed),
        };
        if let Some(longer) = self.last.follow(&self.durable, at)? {
            self.lines = longer.lines;
            self.durable.grow(longer.length);
        }
        Ok(())
    }

    fn gather(&mut self, puts: impl Iterator<Item = Put>) -> Batch {
        let mut batch = Batch::default();
        for mut put in puts {
            if let Some(mark) = put.mark.clone()
                && let Ok(line) = mark_line(mark, put.lines.len() as u64)
            {
                batch.bytes.extend_from_slice(&line);
                self.lines += 1;
            }
            let first = self.lines + 1;
            self.lines += put.lines.iter().filter(|byte| **byte == b'\n').count() as u64;
            if !put.lines.is_empty() {
                batch.bytes.append(&mut put.lines);
                batch.lines_end = Some(batch.bytes.len() as u64);
            }
            batch.puts.push((put, first));
            if batch.bytes.len() >= TOGETHER {
                break;
            }
        }
        batch
    }

    /// Says that a batch is written, or that it could not be.
    fn tell(&mut self, mut batch: Batch) {
        if self.failed.is_none() {
            // Before anybody can read them.
            for (put, first) in &mut batch.puts {
                if let Some((lines, tell)) = put.asks.take() {
                    self.durable.fates().ask(*first..=*first + lines - 1, tell);
                }
            }
            let before = self.durable.length();
            if let Some(end) = batch.lines_end {
                self.lines_end.store(before + end, Ordering::Relaxed);
            }
            self.durable.grow(before + batch.bytes.len() as u64);
        }
        for (put, first) in batch.puts {
            if let (None, Some(mark)) = (&self.failed, put.mark) {
                note(&self.marks, mark);
            }
            (put.reply)(self.failed.clone().map_or(Ok(first), Err));
        }
    }

    fn unwritten(&self, error: &io::Error) -> InboxError {
        InboxError::Unwritten {
            path: self.path.clone(),
            reason: error.to_string(),
        }
    }
}
