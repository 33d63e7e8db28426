//! Another process than the first: it mirrors what it reads of the inbox, and hands on what comes in here.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::frames::{BODY, Extent, Heard, Said, receive, send};
use crate::cluster::Peers;
use crate::disk::{Disk, File, Open};
use crate::ends::{End, Ends};
use crate::fates::Tell;
use crate::growing::{Growing, Piece, Reach};
use crate::inbox::{Inbox, InboxError, Mark, Marks, Put, note};
use crate::stop::Stop;

/// How often it is looked whether the run is over.
const LOOK: Duration = Duration::from_millis(100);

/// Bytes of a file of the mirror, about: what was read goes file by file.
const PIECE: u64 = if cfg!(test) { 256 } else { 64 << 20 };

/// How the files of a mirror begin. They are beside the outputs, and mean nothing to any other process.
const NAME: &str = ".hearth.mirror-";

/// Why there is no mirror.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The run ends before.
    #[error("the run ends before the first process has said what is in its inbox")]
    Over,
    /// The disk does not take it.
    #[error("what is read of the inbox cannot be written beside the outputs: {0}")]
    Unwritten(#[from] io::Error),
}

/// What another process has of the inbox; clones share it.
#[derive(Clone)]
pub struct Mirror(Arc<State>);

struct State {
    disk: Disk,
    folder: PathBuf,
    /// What may be read: up to the ends of epochs that are read.
    growing: Growing,
    ends: Ends,
    lines_end: Arc<AtomicU64>,
    socket: TcpStream,
    peers: Arc<Peers>,
    stop: Stop,
    to: Sender<Heard>,
    known: Mutex<Known>,
    news: Condvar,
    /// Where the last file begins, and it; none before it is said from where on the inbox is read.
    last: Mutex<Option<(Reach, u64, File)>>,
    over: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the first process has said.
#[derive(Default)]
struct Known {
    inbox: Extent,
    marks: Vec<Mark>,
    has_marked: bool,
    /// Nothing more is said.
    is_gone: bool,
    /// What was put and is not answered, by number.
    puts: BTreeMap<u64, Waits>,
    /// Who waits for what becomes of lines, by the number of what was put, and of how many.
    asks: BTreeMap<u64, (u64, Tell)>,
}

/// What was put and is not answered.
struct Waits {
    mark: Option<Mark>,
    reply: Box<dyn FnOnce(Result<u64, InboxError>) + Send>,
}

impl Mirror {
    /// Hears over this link what the first process says of its inbox, and has the way into that. Nothing of it is read before it is said
    /// [from where on](Mirror::begin).
    ///
    /// # Errors
    /// The run ends before; files of an earlier mirror cannot be removed; the system gives no more threads.
    pub fn open(
        disk: &Disk,
        folder: &Path,
        socket: TcpStream,
        (peers, stop): (&Arc<Peers>, &Stop),
    ) -> Result<(Inbox, Mirror), MirrorError> {
        // First words have an end, what flows has none.
        socket.set_read_timeout(None)?;
        socket.set_write_timeout(None)?;
        clear(disk, folder)?;
        let (to, says) = unbounded();
        let growing = Growing::of(disk, Vec::new(), 0);
        forward(&growing, &to);
        let mirror = Mirror(Arc::new(State {
            disk: disk.clone(),
            folder: folder.to_owned(),
            growing: growing.clone(),
            ends: Ends::default(),
            lines_end: Arc::default(),
            socket,
            peers: peers.clone(),
            stop: stop.clone(),
            to,
            known: Mutex::default(),
            news: Condvar::new(),
            last: Mutex::default(),
            over: AtomicBool::new(false),
            threads: Mutex::default(),
        }));
        let of = mirror.clone();
        let (give, marked) = crossbeam_channel::bounded::<Marks>(1);
        mirror.thread("mirror", move || of.hear(&marked))?;
        let (marks, begins) = mirror.marks()?;
        let (inbox, puts) = Inbox::elsewhere(marks, growing, mirror.0.lines_end.clone());
        // It waits for them.
        let _ = give.send(inbox.marks().clone());
        mirror.0.growing.begin(mirror.piece(begins));
        let of = mirror.clone();
        mirror.thread("puts", move || of.say(&puts, &says))?;
        Ok((inbox, mirror))
    }

    /// By what name outputs and checkpoints tell of the inbox.
    pub fn name(&self) -> PathBuf {
        PathBuf::from(&self.known().inbox.name)
    }

    /// Where epochs end.
    pub fn ends(&self) -> &Ends {
        &self.0.ends
    }

    /// The inbox is read from there on, or from where what is there of it begins. Comes back once all before `until` is here.
    ///
    /// # Errors
    /// A file cannot be written; the run ends before.
    pub fn begin(&self, from: Option<Reach>, until: u64) -> Result<(), MirrorError> {
        let from = from.unwrap_or_else(|| self.known().inbox.begins);
        let piece = self.piece(from);
        let file = self.0.disk.open(&piece.path, Open::Append)?;
        *self.last() = Some((from, from.bytes, file));
        self.0.growing.begin(piece);
        self.0.ends.are_here(from.bytes);
        let _ = self.0.to.send(Heard::From(from.bytes));
        while !self.0.ends.has(until.max(from.bytes), LOOK) {
            if self.0.stop.is_stopped() {
                return Err(MirrorError::Over);
            }
        }
        self.0.growing.grow(until.max(from.bytes));
        Ok(())
    }

    /// The run is over: nothing more is mirrored or handed on.
    pub fn close(&self) {
        self.0.over.store(true, Ordering::SeqCst);
        // It may be closed by now.
        let _ = self.0.socket.shutdown(Shutdown::Both);
        let mut threads = std::mem::take(&mut *self.threads());
        // One that panicked has nothing more to say.
        threads.drain(..).for_each(|thread| drop(thread.join()));
        if let Err(error) = clear(&self.0.disk, &self.0.folder) {
            tracing::debug!("what was read of the inbox stays: {error}");
        }
    }

    fn is_over(&self) -> bool {
        self.0.over.load(Ordering::SeqCst)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> MutexGuard<'_, Option<(Reach, u64, File)>> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        let threads = self.0.threads.lock();
        threads.unwrap_or_else(PoisonError::into_inner)
    }

    fn thread(&self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = std::thread::Builder::new().name(name.to_owned());
        self.threads().push(thread.spawn(work)?);
        Ok(())
    }

    /// Waits for the marks, and for where the inbox begins.
    fn marks(&self) -> Result<(Vec<Mark>, Reach), MirrorError> {
        let mut known = self.known();
        while !known.has_marked {
            if self.0.stop.is_stopped() {
                return Err(MirrorError::Over);
            }
            let waited = self.0.news.wait_timeout(known, LOOK);
            known = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let lines_end = known.inbox.lines_end;
        self.0.lines_end.store(lines_end, Ordering::Relaxed);
        Ok((std::mem::take(&mut known.marks), known.inbox.begins))
    }

    fn piece(&self, before: Reach) -> Piece {
        Piece {
            path: self.0.folder.join(format!("{NAME}{:020}", before.bytes)),
            before,
            head: 0,
        }
    }

    /// Hands on what is put here, and what else there is to say.
    fn say(&self, puts: &Receiver<Put>, says: &Receiver<Heard>) {
        let mut number = 0;
        while !self.is_over() {
            let said = crossbeam_channel::select! {
                recv(puts) -> put => match put {
                    Ok(put) => {
                        number += 1;
                        self.put(number, put)
                    }
                    // Nobody puts anything any more; the last words are said.
                    Err(_) => break,
                },
                recv(says) -> heard => heard.map_or(Ok(()), |heard| send(&self.0.socket, &heard, &[])),
                default(LOOK) => Ok(()),
            };
            if let Err(error) = said {
                return self.broke(&error.to_string());
            }
        }
    }

    fn put(&self, number: u64, put: Put) -> io::Result<()> {
        let Put {
            lines,
            mark,
            asks,
            reply,
        } = put;
        if lines.len() > BODY as usize {
            reply(Err(InboxError::NoLine));
            return Ok(());
        }
        let waits = Waits {
            mark: mark.clone(),
            reply,
        };
        let lines_asked = asks.as_ref().map_or(0, |(lines, _)| *lines);
        let mut known = self.known();
        if known.is_gone {
            drop(known);
            (waits.reply)(Err(InboxError::Closed));
            return Ok(());
        }
        known.puts.insert(number, waits);
        known.asks.extend(asks.map(|asks| (number, asks)));
        drop(known);
        send(
            &self.0.socket,
            &Heard::Put(number, mark, lines_asked),
            &lines,
        )
    }

    /// Takes what the first process says, until its last word.
    fn hear(&self, marked: &Receiver<Marks>) {
        let mut from = BufReader::with_capacity(1 << 16, &self.0.socket);
        let (mut body, mut marks) = (Vec::new(), None);
        let why = loop {
            let said = match receive(&mut from, &mut body) {
                Ok(Some(said)) => said,
                Ok(None) => break "it closed its link to the inbox".to_owned(),
                Err(error) => break error.to_string(),
            };
            match said {
                Said::Put(number, first) => {
                    let marks = marks.get_or_insert_with(|| marked.recv().unwrap_or_default());
                    self.is_put(number, first, marks);
                }
                said => {
                    if let Err(error) = self.take(said, &body) {
                        self.0.stop.fail(MirrorError::from(error).to_string());
                        break "the mirror cannot be written".to_owned();
                    }
                }
            }
        };
        // Who waits for an answer has it.
        let mut known = self.known();
        known.is_gone = true;
        let puts = std::mem::take(&mut known.puts);
        known.asks.clear();
        drop(known);
        for waits in puts.into_values() {
            (waits.reply)(Err(InboxError::Closed));
        }
        self.broke(&why);
    }

    fn is_put(&self, number: u64, first: Result<u64, InboxError>, marks: &Marks) {
        let mut known = self.known();
        if first.is_err() {
            known.asks.remove(&number);
        }
        let waits = known.puts.remove(&number);
        drop(known);
        let Some(Waits { mark, reply }) = waits else {
            return;
        };
        if let Some(mark) = mark.filter(|_| first.is_ok()) {
            note(marks, mark);
        }
        reply(first);
    }

    fn take(&self, said: Said, body: &[u8]) -> io::Result<()> {
        match said {
            Said::Inbox(inbox) => self.known().inbox = inbox,
            Said::Mark(mark) => self.known().marks.push(mark),
            Said::Marked => {
                self.known().has_marked = true;
                self.0.news.notify_all();
            }
            Said::Bytes(lines_end) => {
                self.write(body)?;
                self.0.lines_end.store(lines_end, Ordering::Relaxed);
            }
            Said::End(at, asked) => self.0.ends.say(End { at, asked }),
            Said::Fate(number, fated) => {
                let mut known = self.known();
                if let Some((left, tell)) = known.asks.get_mut(&number) {
                    *left = left.saturating_sub(1);
                    if !tell(fated) || *left == 0 {
                        known.asks.remove(&number);
                    }
                }
            }
            Said::Model(number, view) => self.0.growing.queries().tell(number, view),
            Said::Put(..) => {}
        }
        Ok(())
    }

    /// Writes what comes next of the inbox.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut last = self.last();
        let Some((here, begins, file)) = &mut *last else {
            return Err(io::Error::other("nothing of it was asked for"));
        };
        if here.bytes - *begins >= PIECE {
            let piece = self.piece(*here);
            *file = self.0.disk.open(&piece.path, Open::Append)?;
            *begins = here.bytes;
            self.0.growing.goes_on_in(piece);
        }
        file.write_all(bytes)?;
        here.bytes += bytes.len() as u64;
        here.lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.0.ends.are_here(here.bytes);
        Ok(())
    }

    fn broke(&self, why: &str) {
        if !self.is_over() {
            self.0.peers.broke(0, why);
        }
    }
}

/// Removes the files of a mirror.
fn clear(disk: &Disk, folder: &Path) -> io::Result<()> {
    for file in disk.list(folder)? {
        let name = file.file_name().unwrap_or_default();
        if name.as_encoded_bytes().starts_with(NAME.as_bytes()) {
            disk.remove(&file)?;
        }
    }
    Ok(())
}

/// What the dataflow says here is told the first process, and what is asked here is asked there.
fn forward(growing: &Growing, to: &Sender<Heard>) {
    let say = |to: &Sender<Heard>, heard| drop(to.send(heard));
    let fates = to.clone();
    growing
        .fates()
        .are_elsewhere(move |fated| say(&fates, Heard::Fate(fated)));
    let (asks, tells) = (to.clone(), to.clone());
    growing.queries().are_elsewhere(
        move |number, home| say(&asks, Heard::Ask(number, home.to_owned())),
        move |number, view| say(&tells, Heard::Model(number, view)),
    );
}
