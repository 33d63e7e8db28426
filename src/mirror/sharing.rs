//! The first process, which has the inbox: it lends what is in it to each other one, and puts into it what these bring.

use std::io::{self, BufReader, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::frames::{Extent, Heard, Said, receive, send};
use crate::cluster::Peers;
use crate::ends::End;
use crate::fates::Tell;
use crate::inbox::{Inbox, InboxError, Put, are_lines};

/// Bytes of the inbox that are sent at once.
const CHUNK: usize = 64 << 10;

/// How often it is looked whether the run is over.
const LOOK: Duration = Duration::from_millis(100);

/// How long the others may take to say their last words.
const GRACE: Duration = Duration::from_secs(3);

/// An inbox that is shared; clones share it.
#[derive(Clone)]
pub struct Sharing(Arc<State>);

struct State {
    /// What is said to each of the others. What lies in these is bounded: of epochs by how far these may be ahead of what is out, of
    /// answers by what the others asked.
    to: Vec<Sender<Said>>,
    sockets: Vec<TcpStream>,
    over: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A link to another process.
struct Link {
    process: usize,
    socket: TcpStream,
    /// One frame at a time.
    turn: Mutex<()>,
    /// Whether the inbox is sent.
    lends: AtomicBool,
    inbox: Inbox,
    peers: Arc<Peers>,
    shared: Sharing,
}

impl Sharing {
    /// Shares an inbox over these links, by process; outputs and checkpoints tell of it by that name.
    ///
    /// # Errors
    /// It cannot be read; the system gives no more threads.
    pub fn begin(
        inbox: &Inbox,
        name: &str,
        links: Vec<Option<TcpStream>>,
        peers: &Arc<Peers>,
    ) -> io::Result<Self> {
        let others = links.into_iter().enumerate();
        let others = others.filter_map(|(process, socket)| Some((process, socket?)));
        let (mut to, mut sockets, mut links) = (Vec::new(), Vec::new(), Vec::new());
        for (process, socket) in others {
            // First words have an end, what flows has none.
            socket.set_read_timeout(None)?;
            socket.set_write_timeout(None)?;
            let (sender, says) = unbounded();
            to.push(sender.clone());
            sockets.push(socket.try_clone()?);
            links.push((process, socket, sender, says));
        }
        let shared = Sharing(Arc::new(State {
            to,
            sockets,
            over: AtomicBool::new(false),
            threads: Mutex::default(),
        }));
        for (process, socket, sender, says) in links {
            first_words(inbox, name, process, &sender)?;
            let link = Arc::new(Link {
                process,
                socket,
                turn: Mutex::default(),
                lends: AtomicBool::new(false),
                inbox: inbox.clone(),
                peers: peers.clone(),
                shared: shared.clone(),
            });
            let of = link.clone();
            shared.thread(format!("says-{process}"), move || of.say(&says))?;
            shared.thread(format!("takes-{process}"), move || link.take(&sender))?;
        }
        Ok(shared)
    }

    /// An epoch ends there.
    pub fn end(&self, end: End) {
        for to in &self.0.to {
            // Whoever does not hear it is lost, which is noticed elsewhere.
            let _ = to.send(Said::End(end.at, end.asked));
        }
    }

    /// The run is over: no more is shared, once the others have said their last words, if that is waited for, or do so too slowly.
    pub fn close(&self, waits: bool) {
        let takes = |thread: &JoinHandle<()>| {
            let name = thread.thread().name().unwrap_or_default();
            name.starts_with("takes-") && !thread.is_finished()
        };
        let mut threads = std::mem::take(&mut *self.threads());
        let began = Instant::now();
        while waits && threads.iter().any(takes) && began.elapsed() < GRACE {
            std::thread::sleep(LOOK / 10);
        }
        self.0.over.store(true, Ordering::SeqCst);
        for socket in &self.0.sockets {
            // It may be closed by now.
            let _ = socket.shutdown(Shutdown::Both);
        }
        // One that panicked has nothing more to say.
        threads.drain(..).for_each(|thread| drop(thread.join()));
    }

    fn is_over(&self) -> bool {
        self.0.over.load(Ordering::SeqCst)
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        let threads = self.0.threads.lock();
        threads.unwrap_or_else(PoisonError::into_inner)
    }

    fn thread(&self, name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = std::thread::Builder::new().name(name).spawn(work)?;
        self.threads().push(thread);
        Ok(())
    }
}

/// Says to a process what it has to know before anything else.
fn first_words(inbox: &Inbox, name: &str, process: usize, to: &Sender<Said>) -> io::Result<()> {
    let say = |said| drop(to.send(said));
    say(Said::Inbox(Extent {
        name: name.to_owned(),
        begins: inbox.durable().begins(),
        lines_end: inbox.lines_end().load(Ordering::Relaxed),
    }));
    inbox.each(|mut mark| {
        let (place, source) = mark.place();
        if place == Some(process) {
            mark.source = source.to_owned();
        } else if !mark.is_of_partition() {
            return;
        }
        say(Said::Mark(mark));
    })?;
    say(Said::Marked);
    Ok(())
}

impl Link {
    /// Sends what is said.
    fn say(&self, says: &Receiver<Said>) {
        while !self.shared.is_over() {
            if let Ok(said) = says.recv_timeout(LOOK)
                && let Err(error) = self.send(&said, &[])
            {
                return self.broke(&error.to_string());
            }
        }
    }

    fn send(&self, said: &Said, body: &[u8]) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        send(&self.socket, said, body)
    }

    /// Sends the inbox from a place on, as it grows.
    fn lend(&self, from: u64) {
        let durable = self.inbox.durable();
        let (mut at, mut bytes) = (from, durable.bytes(from));
        let mut chunk = vec![0; CHUNK];
        while !self.shared.is_over() {
            if !durable.beyond(at, Instant::now() + LOOK) {
                continue;
            }
            let sent = bytes.read(&mut chunk).and_then(|read| {
                at += read as u64;
                let lines_end = self.inbox.lines_end().load(Ordering::Relaxed);
                self.send(&Said::Bytes(lines_end), &chunk[..read])
            });
            if let Err(error) = sent {
                return self.broke(&format!("it cannot be given the inbox: {error}"));
            }
        }
    }

    /// Takes what the other process says, until its last word.
    fn take(self: Arc<Self>, to: &Sender<Said>) {
        let mut from = BufReader::with_capacity(CHUNK, &self.socket);
        let mut body = Vec::new();
        loop {
            match receive(&mut from, &mut body) {
                Ok(Some(heard)) => {
                    if let Err(error) = self.hear(heard, std::mem::take(&mut body), to) {
                        return self.broke(&error.to_string());
                    }
                }
                Ok(None) => return self.broke("it closed its link to the inbox"),
                Err(error) => return self.broke(&error.to_string()),
            }
        }
    }

    fn hear(self: &Arc<Self>, heard: Heard, lines: Vec<u8>, to: &Sender<Said>) -> io::Result<()> {
        let to = to.clone();
        match heard {
            Heard::From(_) if self.lends.swap(true, Ordering::SeqCst) => {
                return Err(io::Error::other("it asks for the inbox twice"));
            }
            Heard::From(at) => {
                let of = self.clone();
                let name = format!("lends-{}", self.process);
                self.shared.thread(name, move || of.lend(at))?;
            }
            Heard::Put(number, ..) if !are_lines(&lines) => {
                drop(to.send(Said::Put(number, Err(InboxError::NoLine))));
            }
            Heard::Put(number, mark, asks) => {
                let asks = asks.min(lines.iter().filter(|byte| **byte == b'\n').count() as u64);
                let tell = to.clone();
                let tell: Tell =
                    Box::new(move |fated| tell.send(Said::Fate(number, fated)).is_ok());
                let refused = to.clone();
                let put = Put {
                    lines,
                    mark: mark.map(|mark| mark.at_process(self.process)),
                    asks: (asks > 0).then_some((asks, tell)),
                    reply: Box::new(move |first| drop(to.send(Said::Put(number, first)))),
                };
                if !self.inbox.hand(put) {
                    drop(refused.send(Said::Put(number, Err(InboxError::Closed))));
                }
            }
            Heard::Fate(fated) => self.inbox.durable().fates().tell(fated),
            Heard::Ask(number, home) => {
                let tell = move |view| drop(to.send(Said::Model(number, view)));
                // Whoever asked is told that nobody answers, where too many ask.
                self.inbox.durable().queries().ask_for(&home, tell);
            }
            Heard::Model(number, view) => self.inbox.durable().queries().tell(number, view),
        }
        Ok(())
    }

    fn broke(&self, why: &str) {
        if !self.shared.is_over() {
            self.peers.broke(self.process, why);
        }
    }
}
