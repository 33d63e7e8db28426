//! How processes meet: each calls those before it and is called by those behind it, once for each kind of link.

use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::hello::{Answer, Hello, Kind, hear, say};
use super::hosts::Hosts;
use crate::stop::Stop;

/// How long the others may be in coming: machines are not started at the same moment.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often it is said who is missing.
const SAID: Duration = Duration::from_secs(10);

/// How long a call, and each first word, may take.
const CALL: Duration = Duration::from_secs(5);

/// Between two tries.
const AGAIN: Duration = Duration::from_millis(50);

/// Why processes do not meet.
#[derive(Debug, thiserror::Error)]
pub enum MeetError {
    /// Nobody can call this process.
    #[error(
        "cannot listen at {address}: {source}; line {line} of --hosts must be a free address of this machine"
    )]
    Listen {
        /// Where.
        address: String,
        /// Which process it would be, from 1.
        line: usize,
        /// Why.
        source: io::Error,
    },
    /// One is of another run.
    #[error(
        "{who} does not belong to this run: {why}; start all processes with the same command, but for --process and --out"
    )]
    Another {
        /// Which.
        who: String,
        /// Why.
        why: String,
    },
    /// Some did not come.
    #[error(
        "{0} did not come within {1} s; start all processes, and see that each reaches the addresses of --hosts"
    )]
    Missing(String, u64),
    /// The run was stopped.
    #[error("interrupted before all processes were there")]
    Stopped,
    /// The system gives no thread.
    #[error("the links to the other processes cannot be watched: {0}")]
    Start(#[from] io::Error),
}

/// The links to the others, by process; none to oneself.
pub(super) struct Met {
    pub data: Vec<Option<TcpStream>>,
    pub words: Vec<Option<TcpStream>>,
    /// Of a live run: between the first process and each other.
    pub inbox: Vec<Option<TcpStream>>,
}

/// Meets all.
pub(super) fn meet(hosts: &Hosts, hello: &Hello, stop: &Stop) -> Result<Met, MeetError> {
    let address = hosts.address(hello.process);
    let listening = |source| MeetError::Listen {
        address: address.to_owned(),
        line: hello.process + 1,
        source,
    };
    let listener = TcpListener::bind(address).map_err(listening)?;
    listener.set_nonblocking(true).map_err(listening)?;
    let meeting = Meeting {
        hosts,
        hello,
        stop,
        began: Instant::now(),
        met: Mutex::new(Met {
            data: (0..hosts.len()).map(|_| None).collect(),
            words: (0..hosts.len()).map(|_| None).collect(),
            inbox: (0..hosts.len()).map(|_| None).collect(),
        }),
        failed: Mutex::new(None),
    };
    std::thread::scope(|scope| {
        let called = std::thread::Builder::new().name("meet".into());
        called.spawn_scoped(scope, || meeting.be_called(&listener))?;
        meeting.call();
        Ok::<(), io::Error>(())
    })?;
    let failed = meeting.failed.into_inner();
    match failed.unwrap_or_else(PoisonError::into_inner) {
        Some(failed) => Err(failed),
        None => Ok(meeting
            .met
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)),
    }
}

struct Meeting<'a> {
    hosts: &'a Hosts,
    hello: &'a Hello,
    stop: &'a Stop,
    began: Instant,
    met: Mutex<Met>,
    failed: Mutex<Option<MeetError>>,
}

impl Meeting<'_> {
    /// Processes that are not there yet, with the link that is missing.
    fn missing(&self) -> Vec<(usize, Kind)> {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let others = (0..self.hosts.len()).filter(|process| *process != self.hello.process);
        let kinds = [Kind::Words, Kind::Data, Kind::Inbox];
        let all = others.flat_map(|process| kinds.map(|kind| (process, kind)));
        let all = all.filter(|(process, kind)| self.hello.has(*kind, *process));
        all.filter(|(process, kind)| met.of(*kind)[*process].is_none())
            .collect()
    }

    /// Whether there is anything to wait for. What ends the meeting is kept.
    fn goes_on(&self) -> bool {
        if self.has_failed() {
            return false;
        }
        // All were there at once: who has gone since is lost to a run that has begun.
        if self.missing().is_empty() {
            return true;
        }
        self.forget_gone();
        let missing = self.missing();
        if missing.is_empty() {
            return true;
        }
        if self.stop.is_stopped() || self.stop.is_interrupted() {
            self.fail(MeetError::Stopped);
        } else if self.began.elapsed() > PATIENCE {
            self.fail(MeetError::Missing(self.names(&missing), PATIENCE.as_secs()));
        }
        !self.has_failed()
    }

    /// A process that was there and ended may be started again.
    fn forget_gone(&self) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let Met { data, words, inbox } = &mut *met;
        for link in data.iter_mut().chain(words).chain(inbox) {
            if link.as_ref().is_some_and(is_gone) {
                *link = None;
            }
        }
    }

    fn names(&self, missing: &[(usize, Kind)]) -> String {
        let mut processes: Vec<usize> = missing.iter().map(|(process, _)| *process).collect();
        processes.dedup();
        let names = processes.iter().map(|process| self.hosts.name(*process));
        names.collect::<Vec<_>>().join(", ")
    }

    fn has_failed(&self) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some()
    }

    fn fail(&self, error: MeetError) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(error);
    }

    /// Whether a link became one of the cluster's; false where there is one already.
    fn keep(&self, process: usize, kind: Kind, socket: TcpStream) -> bool {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let links = match kind {
            Kind::Data => &mut met.data,
            Kind::Words => &mut met.words,
            Kind::Inbox => &mut met.inbox,
        };
        let free = links[process].is_none();
        if free {
            links[process] = Some(socket);
        }
        free
    }

    /// Calls the processes before this one until each has answered, and says who is missing.
    fn call(&self) {
        let mut said = Instant::now();
        while self.goes_on() {
            let missing = self.missing();
            if missing.is_empty() {
                return;
            }
            for &(process, kind) in missing.iter().filter(|(p, _)| *p < self.hello.process) {
                if let Ok(socket) = self.call_one(process, kind) {
                    self.keep(process, kind, socket);
                }
            }
            if said.elapsed() > SAID {
                said = Instant::now();
                tracing::info!("waiting for {}", self.names(&self.missing()));
            }
            std::thread::sleep(AGAIN);
        }
    }

    fn call_one(&self, process: usize, kind: Kind) -> io::Result<TcpStream> {
        let mut addresses = self.hosts.address(process).to_socket_addrs()?;
        let address = addresses.next().ok_or(io::ErrorKind::NotFound)?;
        let socket = TcpStream::connect_timeout(&address, CALL)?;
        prepare(&socket)?;
        say(&socket, &self.hello.on(kind))?;
        match hear(&socket)? {
            Some(Answer::Welcome) => Ok(socket),
            Some(Answer::Refused(why)) => {
                let who = self.hosts.name(process);
                self.fail(MeetError::Another { who, why });
                Err(io::ErrorKind::Other.into())
            }
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Answers the processes behind this one until each has called.
    fn be_called(&self, listener: &TcpListener) {
        let behind = |(process, _): &(usize, Kind)| *process > self.hello.process;
        while self.goes_on() && self.missing().iter().any(behind) {
            match listener.accept() {
                // One that says nothing, or nothing of ours, is none of them.
                Ok((socket, _)) => drop(self.answer(socket)),
                Err(_) => std::thread::sleep(AGAIN),
            }
        }
    }

    fn answer(&self, socket: TcpStream) -> io::Result<()> {
        socket.set_nonblocking(false)?;
        prepare(&socket)?;
        let Some(other) = hear::<Hello>(&socket)?.filter(Hello::is_ours) else {
            return Ok(());
        };
        if let Some(why) = self.hello.refuses(&other) {
            say(&socket, &Answer::Refused(why.clone()))?;
            let who = match other.process < self.hosts.len() {
                true => self.hosts.name(other.process),
                false => format!("process {}", other.process),
            };
            self.fail(MeetError::Another { who, why });
            return Ok(());
        }
        let copy = socket.try_clone()?;
        match self.keep(other.process, other.link, socket) {
            true => say(&copy, &Answer::Welcome),
            false => {
                let why = format!("process {} is there already", other.process);
                say(&copy, &Answer::Refused(why))
            }
        }
    }
}

impl Met {
    fn of(&self, kind: Kind) -> &[Option<TcpStream>] {
        match kind {
            Kind::Data => &self.data,
            Kind::Words => &self.words,
            Kind::Inbox => &self.inbox,
        }
    }
}

/// Whether the other end was closed.
fn is_gone(socket: &TcpStream) -> bool {
    let peeked = socket
        .set_nonblocking(true)
        .and_then(|()| socket.peek(&mut [0]));
    // Should it stay as it is, timely and whoever hears it set it anew.
    let _ = socket.set_nonblocking(false);
    match peeked {
        Ok(read) => read == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

/// Small messages go at once, and no first word is waited for long.
fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(CALL))?;
    socket.set_write_timeout(Some(CALL))
}
