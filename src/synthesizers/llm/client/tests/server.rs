//! A server that does what it is told, connection by connection, down to the byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What happens on a connection, in order; then it is closed.
#[derive(Clone, Debug)]
pub enum Step {
    /// The whole request is read.
    Read,
    /// Bytes are sent, at once.
    Say(Vec<u8>),
    /// Nothing happens for a while.
    Wait(Duration),
    /// Nothing happens any more, until the client hangs up.
    Hang,
    /// The bytes are sent again and again, with a pause between, until the client hangs up.
    Drip(Vec<u8>, Duration),
}

/// What happens on a connection.
pub type Script = Vec<Step>;

/// Connections get the scripts in turn; the last script is for all further ones.
pub struct Server {
    pub address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
    requests: Mutex<Vec<String>>,
    arrivals: Mutex<Vec<Instant>>,
}

impl Server {
    pub fn new(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let theirs = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let number = theirs.connections.fetch_add(1, Ordering::SeqCst);
                theirs.arrivals.lock().unwrap().push(Instant::now());
                let script = scripts[number.min(scripts.len() - 1)].clone();
                let seen = Arc::clone(&theirs);
                thread::spawn(move || {
                    let now = seen.now.fetch_add(1, Ordering::SeqCst) + 1;
                    seen.most.fetch_max(now, Ordering::SeqCst);
                    // A client that hangs up ends the script.
                    let _ = play(stream.unwrap(), &script, &seen);
                });
            }
        });
        Server { address, seen }
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// The most connections at once that were not yet at the last step of their script.
    pub fn most_at_once(&self) -> usize {
        self.seen.most.load(Ordering::SeqCst)
    }

    /// When each connection came.
    pub fn arrivals(&self) -> Vec<Instant> {
        self.seen.arrivals.lock().unwrap().clone()
    }

    /// The requests that were read, heads and bodies.
    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The bodies of the requests.
    pub fn bodies(&self) -> Vec<Value> {
        let requests = self.requests();
        let bodies = requests
            .iter()
            .map(|request| request.split_once("\r\n\r\n").unwrap().1);
        bodies
            .map(|body| serde_json::from_str(body).unwrap())
            .collect()
    }
}

fn play(mut stream: TcpStream, script: &[Step], seen: &Seen) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    for (index, step) in script.iter().enumerate() {
        if index + 1 == script.len() {
            // Before the client can know that this connection ends.
            seen.now.fetch_sub(1, Ordering::SeqCst);
        }
        match step {
            Step::Read => {
                let request = read_request(&mut stream)?;
                seen.requests.lock().unwrap().push(request);
            }
            Step::Say(bytes) => stream.write_all(bytes)?,
            Step::Wait(pause) => thread::sleep(*pause),
            Step::Hang => while stream.read(&mut [0; 1024])? > 0 {},
            Step::Drip(bytes, pause) => loop {
                stream.write_all(bytes)?;
                thread::sleep(*pause);
            },
        }
    }
    Ok(())
}

fn read_request(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse::<usize>())
            });
            if body.len() >= length.unwrap().unwrap() {
                return Ok(text);
            }
        }
        let mut some = [0; 4096];
        match stream.read(&mut some)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&some[..read]),
        }
    }
}

/// The head of an answer that is streamed until the connection is closed.
pub const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// A whole answer that is no stream.
pub fn http(status: u16, headers: &[&str], body: &str) -> Vec<u8> {
    let length = body.len();
    let mut text =
        format!("HTTP/1.1 {status} Status\r\ncontent-length: {length}\r\nconnection: close\r\n");
    for header in headers {
        text.push_str(&format!("{header}\r\n"));
    }
    format!("{text}\r\n{body}").into_bytes()
}

/// An event of a stream.
pub fn event(data: &(impl ToString + ?Sized)) -> String {
    format!("data: {}\n\n", data.to_string())
}

/// An event with a piece of the answer.
pub fn piece(text: &str) -> String {
    event(
        &json!({"model": "m-1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}),
    )
}

/// The event that ends an answer.
pub fn finish(reason: &str) -> String {
    event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

/// The count of tokens.
pub fn usage(input: u64, output: u64) -> String {
    event(&json!({
        "choices": [],
        "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output},
    }))
}

/// A whole stream as it should be, with the answer `on off`.
pub fn fine() -> String {
    [
        STREAM,
        &piece("on"),
        &piece(" off"),
        &finish("stop"),
        &usage(11, 2),
        &event("[DONE]"),
    ]
    .concat()
}

/// Reads the request, then says this.
pub fn say(text: impl AsRef<[u8]>) -> Script {
    vec![Step::Read, Step::Say(text.as_ref().to_vec())]
}
