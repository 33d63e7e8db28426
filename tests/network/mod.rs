//! A network between processes of this machine that can be cut, held up and slowed down. It has threads of its own, so that tests of
//! any kind can use it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// How often it looks what has become of it.
const LOOK: Duration = Duration::from_millis(10);

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The way to a server. It ends when this is dropped.
pub struct Network {
    /// Where the server is reached by it.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// How often it was cut.
    cuts: u32,
    held: bool,
    delay: Duration,
    ended: bool,
}

impl Network {
    /// To a port of this machine, whether somebody listens there by now or not.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let network = Network {
            port: listener.local_addr().unwrap().port(),
            state: Arc::default(),
        };
        let state = network.state.clone();
        std::thread::spawn(move || {
            while !now(&state).ended {
                match listener.accept() {
                    Ok((near, _)) => join(near, server, &state),
                    Err(_) => std::thread::sleep(LOOK),
                }
            }
        });
        network
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Cuts all connections, in the middle of whatever they carry. New ones can be made.
    pub fn cut(&self) {
        self.state().cuts += 1;
    }

    /// Lets nothing pass until it is healed; no connection breaks off.
    pub fn hold(&self) {
        self.state().held = true;
    }

    /// Lets everything pass again.
    pub fn heal(&self) {
        self.state().held = false;
    }

    /// Has whatever passes take so long.
    pub fn delay(&self, delay: Duration) {
        self.state().delay = delay;
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.state().ended = true;
    }
}

fn now(state: &Mutex<State>) -> State {
    *state.lock().unwrap()
}

/// Makes a connection one with another to the server. Where nobody listens there it is closed.
fn join(near: TcpStream, server: u16, state: &Arc<Mutex<State>>) {
    let cuts = now(state).cuts;
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else {
        return;
    };
    for socket in [&near, &far] {
        socket.set_nonblocking(false).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(LOOK)).unwrap();
    }
    let back = (far.try_clone().unwrap(), near.try_clone().unwrap());
    for (from, to) in [(near, far), back] {
        let state = state.clone();
        std::thread::spawn(move || carry(from, to, &state, cuts));
    }
}

/// Carries what comes from one end to the other.
fn carry(mut from: TcpStream, mut to: TcpStream, state: &Mutex<State>, cuts: u32) {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let now = now(state);
        if now.cuts != cuts || now.ended {
            break;
        }
        if now.held {
            std::thread::sleep(LOOK);
            continue;
        }
        match from.read(&mut bytes) {
            Ok(0) => {
                // The other direction may go on.
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(read) => {
                std::thread::sleep(now.delay);
                if to.write_all(&bytes[..read]).is_err() {
                    break;
                }
            }
            Err(error) if waits(error.kind()) => {}
            Err(_) => break,
        }
    }
    for socket in [from, to] {
        // The other end may have gone before.
        let _ = socket.shutdown(Shutdown::Both);
    }
}

fn waits(error: ErrorKind) -> bool {
    matches!(error, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
