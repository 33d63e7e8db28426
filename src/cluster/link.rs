//! The links that timely is given: sockets that know when a process is lost, so that timely never has to.
//!
//! Timely's network threads panic where a socket breaks off, and take the workers with them. These links give it no error:
//! they say to [`Peers`] that the process is lost, by which the run fails in an orderly way, and then give nothing more.

use std::any::Any;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use timely::communication::allocator::ProcessBuilder;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::zero_copy::stream::Stream;
use timely::communication::{AllocatorBuilder, Hooks};

use super::frames::Frames;
use super::peers::Peers;
use super::share::Share;

/// How often the end of the links is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// The links of a process to all others.
pub struct Links {
    sockets: Vec<Option<Link>>,
    peers: Arc<Peers>,
    share: Share,
}

impl Links {
    pub(super) fn new(sockets: Vec<Option<TcpStream>>, peers: Arc<Peers>, share: Share) -> Self {
        let workers = share.first_worker()..share.first_worker() + share.workers();
        let link = |(peer, socket): (usize, Option<TcpStream>)| {
            socket.map(|socket| Link {
                socket,
                peer,
                peers: peers.clone(),
                frames: Frames::to(workers.clone()),
            })
        };
        Links {
            sockets: sockets.into_iter().enumerate().map(link).collect(),
            peers,
            share,
        }
    }

    /// Which homes the process has.
    pub fn share(&self) -> Share {
        self.share
    }

    /// How timely reaches the workers of all processes.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn build(self) -> io::Result<(Vec<AllocatorBuilder>, Wires)> {
        let hooks = Hooks::default();
        let workers = self.share.workers();
        let inner = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), None);
        for link in self.sockets.iter().flatten() {
            // First words have an end, what flows has none.
            link.socket.set_read_timeout(None)?;
            link.socket.set_write_timeout(None)?;
        }
        let process = self.share.process();
        let (builders, threads) =
            initialize_networking_from_sockets(inner, self.sockets, process, workers, hooks)?;
        let wires = Wires {
            threads: Box::new(threads),
            peers: self.peers,
        };
        Ok((
            builders.into_iter().map(AllocatorBuilder::Tcp).collect(),
            wires,
        ))
    }
}

/// The threads that send and receive.
pub struct Wires {
    threads: Box<dyn Any + Send>,
    peers: Arc<Peers>,
}

impl Wires {
    /// This process's workers have ended: waits until the others have all that these sent, and have ended too. Where one was
    /// lost, or the run is stopped, nobody is waited for.
    pub fn close(self, stopped: impl Fn() -> bool) {
        let Wires { threads, peers } = self;
        if stopped() {
            std::mem::forget(threads);
            return;
        }
        peers.ended();
        let done = Arc::new(AtomicBool::new(false));
        let told = done.clone();
        let joined = std::thread::Builder::new()
            .name("links".into())
            .spawn(move || {
                drop(threads);
                told.store(true, Ordering::SeqCst);
            });
        while joined.is_ok() && !done.load(Ordering::SeqCst) && !stopped() {
            std::thread::sleep(LOOK);
        }
    }
}

/// A socket to another process.
struct Link {
    socket: TcpStream,
    peer: usize,
    peers: Arc<Peers>,
    /// What was read.
    frames: Frames,
}

impl Link {
    /// The other process is lost, and with it the run: nothing more passes.
    fn lost(&self, why: &str) -> ! {
        self.peers.lost(self.peer, why);
        loop {
            std::thread::park();
        }
    }
}

impl Read for Link {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.read(room) {
                Ok(0) if self.frames.have_ended() && self.peers.has_ended(self.peer) => {
                    return Ok(0);
                }
                Ok(0) => self.lost("it closed its links before its part was done"),
                Ok(read) => match self.frames.take(&room[..read]) {
                    Ok(()) => return Ok(read),
                    Err(why) => self.lost(&format!("it sends what is no frame: {why}")),
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.lost(&format!("its link broke off: {error}")),
            }
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.socket.write(bytes) {
                Ok(written) => return Ok(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.lost(&format!("its link broke off: {error}")),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Link {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Link {
            socket: self.socket.try_clone()?,
            peer: self.peer,
            peers: self.peers.clone(),
            frames: self.frames.clone(),
        })
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        // Nobody is there any more who could mind.
        let _ = self.socket.shutdown(how);
        Ok(())
    }
}
