//! A server as OpenAI's protocol has it, without a model: it answers with the sequences that it is given, and counts what
//! it charges. It can be told to behave badly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// How a call is met.
#[derive(Clone, Debug)]
pub enum Act {
    /// With an answer.
    Answer,
    /// With an answer of these words.
    Say(String),
    /// With an answer, but a call that carries a schema is refused.
    AnswerWithoutSchema,
    /// With an error status, a header line and a message.
    Refuse(u16, &'static str, &'static str),
    /// With an answer that breaks off in its middle, charged in full.
    Break,
    /// With words that are no HTTP.
    Garbage,
    /// Not at all: the connection is held open.
    Silence,
}

/// A call as it arrived.
#[derive(Clone, Debug)]
pub struct Call {
    /// Everything that was sent, head and body.
    pub bytes: Vec<u8>,
    /// The body.
    pub body: Value,
}

/// What the server has seen and charged.
#[derive(Default)]
struct Books {
    calls: Vec<Call>,
    connections: usize,
    /// Of them, those that nobody has closed yet.
    open: usize,
    charged: [u64; 2],
}

/// A running server. It stops when dropped.
pub struct Server {
    port: u16,
    books: Arc<Mutex<Books>>,
    over: Arc<AtomicBool>,
}

impl Server {
    /// Listens on a free port of this machine; `act` decides by the number of a call, from 0, how it is met.
    pub fn start(act: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        Self::start_at(0, act)
    }

    /// The same on this port.
    pub fn start_at(port: u16, act: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (books, over) = (Arc::new(Mutex::new(Books::default())), Arc::default());
        let server = Server {
            port,
            books: Arc::clone(&books),
            over: Arc::clone(&over),
        };
        let act = Arc::new(act);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                {
                    let mut books = books.lock().unwrap();
                    books.connections += 1;
                    books.open += 1;
                }
                let (books, over, act) = (books.clone(), over.clone(), act.clone());
                // A client that goes away in the middle is no failure of the server's.
                std::thread::spawn(move || {
                    let _ = serve(stream, &books, &over, &*act);
                    books.lock().unwrap().open -= 1;
                });
            }
        });
        server
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// The calls that arrived whole.
    pub fn calls(&self) -> Vec<Call> {
        self.books.lock().unwrap().calls.clone()
    }

    /// How often anybody connected.
    pub fn connections(&self) -> usize {
        self.books.lock().unwrap().connections
    }

    /// Waits until all is heard of clients that are gone: what they sent is in [`Server::calls`] then.
    pub fn hears_all(&self) {
        // They are accepted in their order, so behind this one all of before are.
        let mut last = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        last.shutdown(Shutdown::Write).unwrap();
        let _ = last.read(&mut [0]);
        while self.books.lock().unwrap().open > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Tokens charged, of prompts and answers.
    pub fn charged(&self) -> [u64; 2] {
        self.books.lock().unwrap().charged
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(
    mut stream: TcpStream,
    books: &Mutex<Books>,
    over: &AtomicBool,
    act: &dyn Fn(usize) -> Act,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut bytes = Vec::new();
        let mut length = 0;
        loop {
            let start = bytes.len();
            if reader.read_until(b'\n', &mut bytes)? == 0 {
                return Ok(());
            }
            let line = String::from_utf8_lossy(&bytes[start..])
                .trim()
                .to_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.is_empty() {
                break;
            }
        }
        let start = bytes.len();
        bytes.resize(start + length, 0);
        reader.read_exact(&mut bytes[start..])?;
        let body: Value = serde_json::from_slice(&bytes[start..]).unwrap_or_default();
        let number = {
            let mut books = books.lock().unwrap();
            books.calls.push(Call {
                bytes,
                body: body.clone(),
            });
            books.calls.len() - 1
        };
        let charge = |answer: &str| {
            // Fewer than bytes: that is what tokens are.
            let tokens = [(length / 3) as u64, (answer.len() / 3) as u64];
            let mut books = books.lock().unwrap();
            books.charged[0] += tokens[0];
            books.charged[1] += tokens[1];
            tokens
        };
        let act = match act(number) {
            Act::AnswerWithoutSchema if body.get("response_format").is_some() => {
                Act::Refuse(400, "", "response_format is not supported by this model")
            }
            Act::AnswerWithoutSchema => Act::Answer,
            act => act,
        };
        match act {
            Act::AnswerWithoutSchema => {}
            Act::Answer => {
                let answer = answer(&body);
                let usage = charge(&answer);
                tell(&mut stream, &answer, Some(usage))?;
            }
            Act::Say(answer) => {
                let usage = charge(&answer);
                tell(&mut stream, &answer, Some(usage))?;
            }
            Act::Break => {
                let answer = answer(&body);
                charge(&answer);
                let half: String = answer.chars().take(answer.len() / 2).collect();
                tell(&mut stream, &half, None)?;
                return Ok(());
            }
            Act::Refuse(status, header, message) => {
                let body = json!({"error": {"message": message}}).to_string();
                let header = if header.is_empty() {
                    String::new()
                } else {
                    format!("{header}\r\n")
                };
                write!(
                    stream,
                    "HTTP/1.1 {status} No\r\ncontent-type: application/json\r\n{header}content-length: {}\r\n\r\n{body}",
                    body.len()
                )?;
            }
            Act::Garbage => {
                stream.write_all(b"\x16\x03\x01 this is no HTTP at all\r\n\r\n")?;
                return Ok(());
            }
            Act::Silence => {
                while !over.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                return Ok(());
            }
        }
    }
}

/// Streams an answer; without `usage` it breaks off.
fn tell(stream: &mut TcpStream, answer: &str, usage: Option<[u64; 2]>) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )?;
    let mut event = |data: &str| {
        let event = format!("data: {data}\n\n");
        write!(stream, "{:x}\r\n{event}\r\n", event.len())
    };
    let chunk = |delta: Value, finish: Value| {
        json!({"model": "parrot-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
            .to_string()
    };
    let characters: Vec<char> = answer.chars().collect();
    for piece in characters.chunks(40) {
        let piece: String = piece.iter().collect();
        event(&chunk(json!({"content": piece}), Value::Null))?;
    }
    if let Some([prompt, completion]) = usage {
        event(&chunk(json!({}), "stop".into()))?;
        let usage = json!({"prompt_tokens": prompt, "completion_tokens": completion});
        event(&json!({"model": "parrot-1", "choices": [], "usage": usage}).to_string())?;
        event("[DONE]")?;
        stream.write_all(b"0\r\n\r\n")?;
    }
    stream.flush()
}

/// The sequences of the user message, said back in the form that is asked for.
fn answer(body: &Value) -> String {
    let user = body["messages"][1]["content"].as_str().unwrap_or_default();
    let given = user.lines().filter(|line| line.starts_with("[["));
    let sequences = given.filter_map(|line| serde_json::from_str::<Vec<[String; 4]>>(line).ok());
    if body["response_format"]["type"] == "json_schema" {
        let object = |[weekday, hours, device, action]: [String; 4]| json!({"weekday": weekday, "hours": hours, "device": device, "action": action});
        let sequences = sequences.map(|s| s.into_iter().map(object).collect::<Vec<_>>());
        json!({"sequences": sequences.collect::<Vec<_>>()}).to_string()
    } else {
        let flat: Vec<Vec<String>> = sequences
            .map(|s| s.into_iter().flatten().collect())
            .collect();
        format!("Here they are: <seq {} seq>", json!(flat))
    }
}
