//! The inbox of a live run: whatever comes in is a line of a log on the disk before anybody is told that it came.
//!
//! The dataflow reads that log as it reads any other. So a live run is killed and goes on as a replay does, whichever
//! the source is, and its outputs are those of a replay of its inbox.

use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::disk::{Disk, File, Open};
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
    reply: oneshot::Sender<Result<(), InboxError>>,
}

/// The way into the inbox; clones share it.
#[derive(Clone, Debug)]
pub struct Inbox {
    sender: Sender<Put>,
    marks: Arc<Mutex<BTreeMap<String, String>>>,
    path: Arc<Path>,
    durable: Growing,
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
        let (mut file, marks, length) = open(disk, &path)?;
        let durable = Growing::default();
        durable.grow(length);
        let (sender, receiver) = crossbeam_channel::bounded(WAITING);
        let marks = Arc::new(Mutex::new(marks));
        let inbox = Inbox {
            sender,
            marks: marks.clone(),
            path: Arc::from(path.as_path()),
            durable: durable.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("inbox".into())
            .spawn(move || write(&mut file, &path, &receiver, (&marks, &durable)))?;
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
    let mut reader = io::BufReader::new(std::fs::File::open(path)?);
    let mut line = Vec::new();
    while io::BufRead::read_until(&mut reader, b'\n', &mut line)? > 0 {
        if line.starts_with(MARK)
            && let Ok(MarkLine { mark }) = serde_json::from_slice(&line)
            && mark.source == source
        {
            take(&mark.at);
        }
        line.clear();
    }
    Ok(())
}

/// Opens it at its end, and reads the last marks; with its length.
fn open(disk: &Disk, path: &Path) -> io::Result<(File, BTreeMap<String, String>, u64)> {
    let mut marks = BTreeMap::new();
    let mut file = disk.open(path, Open::Append)?;
    let mut reader = io::BufReader::new(&mut file);
    let (mut line, mut whole) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = io::BufRead::read_until(&mut reader, b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        whole += read as u64;
        if line.starts_with(MARK)
            && let Ok(MarkLine { mark }) = serde_json::from_slice(&line)
        {
            marks.insert(mark.source, mark.at);
        }
    }
    drop(reader);
    if !line.is_empty() {
        file.set_length(whole)?;
    }
    file.seek(SeekFrom::End(0))?;
    file.sync()?;
    disk.sync_folder(path.parent().unwrap_or(Path::new("")))?;
    Ok((file, marks, whole))
}

/// Writes what is put, as much at a time as waits.
fn write(
    file: &mut File,
    path: &Path,
    receiver: &Receiver<Put>,
    (marks, durable): (&Mutex<BTreeMap<String, String>>, &Growing),
) {
    let mut bytes = Vec::new();
    let mut failed: Option<InboxError> = None;
    while let Ok(first) = receiver.recv() {
        bytes.clear();
        let mut puts = Vec::new();
        let waiting = std::iter::once(first).chain(receiver.try_iter());
        for mut put in waiting {
            bytes.append(&mut put.lines);
            if let Some(mark) = &put.mark
                && let Ok(line) = serde_json::to_vec(&MarkLine { mark: mark.clone() })
            {
                bytes.extend_from_slice(&line);
                bytes.push(b'\n');
            }
            puts.push(put);
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
            durable.grow(durable.length() + bytes.len() as u64);
        }
        failed = written.clone().err();
        for put in puts {
            if written.is_ok()
                && let Some(mark) = put.mark
            {
                let mut marks = marks.lock().unwrap_or_else(PoisonError::into_inner);
                marks.insert(mark.source, mark.at);
            }
            // Whoever put it may be gone.
            let _ = put.reply.send(written.clone());
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
        for line in ["d\ne", r#"{"mark":{"source":"queue","at":"9"}}"#] {
            let refused = inbox.put([line], None).await;
            assert!(matches!(refused, Err(InboxError::NoLine)));
        }
        drop(inbox);
        writer.join();
        let path = inbox_path(folder.path());
        let expected = "a\nb\n{\"mark\":{\"source\":\"queue\",\"at\":\"2\"}}\nc\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        std::fs::write(&path, format!("{expected}torn")).unwrap();
        let (inbox, writer) = Inbox::open(&disk, folder.path()).unwrap();
        assert_eq!(inbox.mark("queue").as_deref(), Some("2"));
        inbox.put(["d"], mark("3")).await.unwrap();
        drop(inbox);
        writer.join();
        let read = std::fs::read_to_string(&path).unwrap();
        assert!(read.starts_with(&format!("{expected}d\n")), "{read}");
    }
}
