//! The inbox of a live run: whatever comes in is a line of a log on the disk before anybody is told that it came.
//!
//! The dataflow reads that log as it reads any other. So a live run is killed and goes on as a replay does, whichever
//! the source is, and its outputs are those of a replay of its inbox.

#[cfg(test)]
mod fuzz;

use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::disk::{Disk, File, Open};
use crate::fates::Fated;
use crate::growing::Growing;
use crate::outputs::inbox_path;

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

/// How it begins.
const MARK: &[u8] = br#"{"mark":"#;

/// Why something was not taken in.
#[derive(Clone, Debug, thiserror::Error)]
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
struct Put {
    lines: Vec<u8>,
    mark: Option<Mark>,
    /// How many of them somebody waits for, from the first on.
    asks: Option<(u64, UnboundedSender<Fated>)>,
    /// Is told the number of the first line.
    reply: oneshot::Sender<Result<u64, InboxError>>,
}

/// The way into the inbox; clones share it.
#[derive(Clone, Debug)]
pub struct Inbox {
    sender: Sender<Put>,
    marks: Arc<Mutex<BTreeMap<String, String>>>,
    path: Arc<Path>,
    durable: Growing,
    lines_end: Arc<AtomicU64>,
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
    /// It cannot be read or written.
    pub fn open(disk: &Disk, folder: &Path) -> io::Result<(Inbox, InboxWriter)> {
        let path = inbox_path(folder);
        let (mut file, found) = open(disk, &path)?;
        let durable = Growing::default();
        durable.grow(found.whole.length);
        let lines_end = Arc::new(AtomicU64::new(found.whole.lines_end));
        let (sender, receiver) = crossbeam_channel::bounded(WAITING);
        let marks = Arc::new(Mutex::new(found.marks));
        let inbox = Inbox {
            sender,
            marks: marks.clone(),
            path: Arc::from(path.as_path()),
            durable: durable.clone(),
            lines_end: lines_end.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("inbox".into())
            .spawn(move || {
                let shared = (&*marks, &durable, &*lines_end);
                write(&mut file, &path, &receiver, found.whole.lines, shared);
            })?;
        Ok((inbox, InboxWriter(thread)))
    }

    /// The log that it is.
    pub fn path(&self) -> &Path {
        &self.path
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
        asks: (u64, UnboundedSender<Fated>),
    ) -> Result<u64, InboxError> {
        self.put_all(lines, None, Some(asks)).await
    }

    async fn put_all<L: AsRef<[u8]>>(
        &self,
        lines: impl IntoIterator<Item = L>,
        mark: Option<Mark>,
        asks: Option<(u64, UnboundedSender<Fated>)>,
    ) -> Result<u64, InboxError> {
        let mut bytes = Vec::new();
        for line in lines {
            let line = line.as_ref();
            if line.len() > LONGEST_LINE || line.contains(&b'\n') || line.starts_with(MARK) {
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
            reply,
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

    /// How far a source had been read when it last put something, in its own words.
    pub fn mark(&self, source: &str) -> Option<String> {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.get(source).cloned()
    }
}

/// Calls `take` with each mark that a source ever put, in order: for sources whose marks say what has changed.
///
/// # Errors
/// The inbox cannot be read.
pub fn each_mark(path: &Path, source: &str, mut take: impl FnMut(&str)) -> io::Result<()> {
    let reader = io::BufReader::new(std::fs::File::open(path)?);
    let of_source = |mark: Mark| {
        if mark.source == source {
            take(&mark.at);
        }
    };
    scan(reader, of_source).map(drop)
}

/// What was found in an inbox.
struct Was {
    marks: BTreeMap<String, String>,
    whole: Whole,
}

/// How far an inbox is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Whole {
    /// In bytes.
    length: u64,
    /// In lines, marks among them.
    lines: u64,
    /// Where the last line ends that is no mark.
    lines_end: u64,
}

/// Opens it at its end, and reads the last marks. What was put with a mark and is not there whole goes.
fn open(disk: &Disk, path: &Path) -> io::Result<(File, Was)> {
    let mut marks = BTreeMap::new();
    let mut file = disk.open(path, Open::Append)?;
    let put = |mark: Mark| drop(marks.insert(mark.source, mark.at));
    let whole = scan(io::BufReader::new(&mut file), put)?;
    if file.length()? > whole.length {
        file.set_length(whole.length)?;
    }
    file.seek(SeekFrom::End(0))?;
    file.sync()?;
    disk.sync_folder(path.parent().unwrap_or(Path::new("")))?;
    Ok((file, Was { marks, whole }))
}

/// Calls `put` with each mark whose lines are all there. How far the inbox is whole.
fn scan(mut reader: impl io::BufRead, mut put: impl FnMut(Mark)) -> io::Result<Whole> {
    let (mut line, mut whole) = (Vec::new(), Whole::default());
    // A mark whose lines are not all read: what is whole before it, and where its lines begin and end.
    let mut open: Option<(Mark, Whole, Range<u64>)> = None;
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        let before = whole;
        whole.length += read as u64;
        whole.lines += 1;
        let mark = line
            .starts_with(MARK)
            .then(|| serde_json::from_slice(&line));
        if let Some(Ok(MarkLine { mark, bytes })) = mark {
            // The lines that another one stands among are not whole, so that mark does not count; should this one's be missing too,
            // both go.
            let before = open.take().map_or(before, |(_, before, _)| before);
            let lines = whole.length..whole.length.saturating_add(bytes);
            open = Some((mark, before, lines));
        } else if open.is_none() {
            whole.lines_end = whole.length;
        }
        if let Some((mark, _, lines)) = open.take_if(|(_, _, lines)| whole.length >= lines.end) {
            put(mark);
            if !lines.is_empty() {
                whole.lines_end = whole.length;
            }
        }
    }
    Ok(open.map_or(whole, |(_, before, _)| before))
}

/// Writes what is put, as much at a time as waits, behind so many lines.
fn write(
    file: &mut File,
    path: &Path,
    receiver: &Receiver<Put>,
    mut number: u64,
    (marks, durable, lines_end): (&Mutex<BTreeMap<String, String>>, &Growing, &AtomicU64),
) {
    let mut bytes = Vec::new();
    let mut failed: Option<InboxError> = None;
    while let Ok(first) = receiver.recv() {
        bytes.clear();
        let (mut puts, mut lines) = (Vec::new(), None);
        let waiting = std::iter::once(first).chain(receiver.try_iter());
        for mut put in waiting {
            if let Some(mark) = put.mark.clone() {
                let behind = put.lines.len() as u64;
                let line = MarkLine {
                    mark,
                    bytes: behind,
                };
                if let Ok(line) = serde_json::to_vec(&line) {
                    bytes.extend_from_slice(&line);
                    bytes.push(b'\n');
                    number += 1;
                }
            }
            let first = number + 1;
            number += put.lines.iter().filter(|byte| **byte == b'\n').count() as u64;
            if !put.lines.is_empty() {
                bytes.append(&mut put.lines);
                lines = Some(bytes.len() as u64);
            }
            puts.push((put, first));
            if bytes.len() >= TOGETHER {
                break;
            }
        }
        // What was written in part stays torn: nothing may follow it, so the first failure is the last word.
        let written = match &failed {
            Some(error) => Err(error.clone()),
            None => file
                .write_all(&bytes)
                .and_then(|()| file.sync())
                .map_err(|error| InboxError::Unwritten {
                    path: path.to_owned(),
                    reason: error.to_string(),
                }),
        };
        if written.is_ok() {
            // Before anybody can read them.
            for (put, first) in &mut puts {
                if let Some((lines, tell)) = put.asks.take() {
                    durable.fates().ask(*first..=*first + lines - 1, tell);
                }
            }
            let before = durable.length();
            if let Some(lines) = lines {
                lines_end.store(before + lines, Ordering::Relaxed);
            }
            durable.grow(before + bytes.len() as u64);
        }
        failed = written.clone().err();
        for (put, first) in puts {
            if written.is_ok()
                && let Some(mark) = put.mark
            {
                let mut marks = marks.lock().unwrap_or_else(PoisonError::into_inner);
                marks.insert(mark.source, mark.at);
            }
            // Whoever put it may be gone.
            let _ = put.reply.send(written.clone().map(|()| first));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(at: &str) -> Option<Mark> {
        Some(Mark {
            source: "queue".into(),
            at: at.into(),
        })
    }

    #[tokio::test]
    async fn what_was_put_is_there_with_its_mark_and_a_torn_line_goes() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::real();
        let (inbox, writer) = Inbox::open(&disk, folder.path()).unwrap();
        assert_eq!(inbox.mark("queue"), None);
        inbox.put(["a", "b"], mark("2")).await.unwrap();
        inbox.put(["c"], None).await.unwrap();
        assert_eq!(inbox.mark("queue").as_deref(), Some("2"));
        inbox.put([""; 0], mark("2")).await.unwrap();
        let ends = || inbox.lines_end().load(Ordering::Relaxed);
        assert!(ends() > 6 && ends() < inbox.durable().length());
        let ended = ends();
        for line in ["d\ne", r#"{"mark":{"source":"queue","at":"9"}}"#] {
            let refused = inbox.put([line], None).await;
            assert!(matches!(refused, Err(InboxError::NoLine)));
        }
        drop(inbox);
        writer.join();
        let path = inbox_path(folder.path());
        let mark_line = r#"{"mark":{"source":"queue","at":"2"}"#;
        let expected = format!("{mark_line},\"bytes\":4}}\na\nb\nc\n{mark_line}}}\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        std::fs::write(&path, format!("{expected}torn")).unwrap();
        let (inbox, writer) = Inbox::open(&disk, folder.path()).unwrap();
        assert_eq!(inbox.lines_end().load(Ordering::Relaxed), ended);
        assert_eq!(inbox.mark("queue").as_deref(), Some("2"));
        inbox.put(["d"], mark("3")).await.unwrap();
        drop(inbox);
        writer.join();
        let read = std::fs::read_to_string(&path).unwrap();
        let behind = "{\"mark\":{\"source\":\"queue\",\"at\":\"3\"},\"bytes\":2}\nd\n";
        assert_eq!(read, format!("{expected}{behind}"));
    }

    #[tokio::test]
    async fn whoever_asks_is_told_where_its_lines_stand() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::real();
        let (inbox, writer) = Inbox::open(&disk, folder.path()).unwrap();
        let (tell, _told) = tokio::sync::mpsc::unbounded_channel();
        inbox.put(["a", "b"], mark("2")).await.unwrap();
        let asks = |lines| (lines, tell.clone());
        // A mark and its two lines stand before it.
        assert_eq!(inbox.put_asking(["c", "d"], asks(1)).await.unwrap(), 4);
        drop(inbox);
        writer.join();
        let (inbox, writer) = Inbox::open(&disk, folder.path()).unwrap();
        assert_eq!(inbox.put_asking(["e"], asks(1)).await.unwrap(), 6);
        let asked = inbox.durable().fates().among(1..=9);
        let asked: Vec<_> = asked.iter().map(|a| (a.first.line, a.last.line)).collect();
        assert_eq!(asked, [(6, 6)], "of this process alone");
        drop(inbox);
        writer.join();
    }

    /// The inbox as it is when so many of these bytes outlived a failure: its last mark, and its lines without marks.
    fn outlived(text: &str, bytes: usize) -> (Option<String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = inbox_path(folder.path());
        std::fs::write(&path, &text[..bytes]).unwrap();
        let (inbox, writer) = Inbox::open(&Disk::real(), folder.path()).unwrap();
        let at = inbox.mark("queue");
        drop(inbox);
        writer.join();
        let left = std::fs::read_to_string(&path).unwrap();
        let lines = left.lines().filter(|line| !line.starts_with("{\"mark\""));
        (at, lines.map(str::to_owned).collect())
    }

    #[tokio::test]
    async fn lines_and_their_mark_outlive_a_failure_together_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (inbox, writer) = Inbox::open(&Disk::real(), folder.path()).unwrap();
        inbox.put(["a", "b"], mark("2")).await.unwrap();
        inbox.put(["c", "d"], mark("4")).await.unwrap();
        inbox.put(Vec::<String>::new(), mark("5")).await.unwrap();
        drop(inbox);
        writer.join();
        let text = std::fs::read_to_string(inbox_path(folder.path())).unwrap();
        for bytes in 0..=text.len() {
            let (at, lines) = outlived(&text, bytes);
            let expected: &[&str] = match at.as_deref() {
                None => &[],
                Some("2") => &["a", "b"],
                _ => &["a", "b", "c", "d"],
            };
            assert_eq!(lines, expected, "{at:?} at byte {bytes}");
        }
        // No disk holds as many.
        let endless =
            "{\"mark\":{\"source\":\"queue\",\"at\":\"2\"},\"bytes\":18446744073709551615}\na\n";
        assert_eq!(outlived(endless, endless.len()), (None, Vec::new()));
        // As versions before wrote it: the mark behind its lines.
        let old = "a\nb\n{\"mark\":{\"source\":\"queue\",\"at\":\"2\"}}\nc\n";
        let (at, lines) = outlived(old, old.len());
        assert_eq!((at.as_deref(), lines.len()), (Some("2"), 3));
    }
}
