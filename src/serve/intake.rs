//! Lines that come in over HTTP: `POST /events` and the like. Each is looked at as it comes, and in the inbox before the answer
//! says so.

#[cfg(test)]
mod fuzz;
mod waits;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use super::measures::ByKind;
use super::question::Question;
use super::{Server, refusal};
use crate::inbox::LONGEST_LINE;
use crate::sources::files::{Kind, taken};
use waits::{Told, Waits};

/// Where lines of each kind come in.
pub(super) const PATHS: [&str; 4] = ["/events", "/contexts", "/feedback", "/erasures"];

/// Bytes of lines that are put into the inbox together.
const TOGETHER: usize = 256 << 10;

/// Bytes that are unpacked at a time: what they can become is held in memory.
const UNPACKED_AT_A_TIME: usize = 1 << 10;

/// Lines of which an answer says what is wrong with them; of others only how many there are.
const TOLD: usize = 100;

/// How an answer is asked for.
#[derive(Debug, Deserialize)]
struct Asked {
    /// How long what becomes of events is waited for.
    wait: Option<String>,
}

/// The route of a kind.
pub(super) fn route(kind: Kind) -> MethodRouter<Arc<Server>> {
    post(
        move |State(server): State<Arc<Server>>,
              Question(asked): Question<Asked>,
              headers: HeaderMap,
              body: Body| async move {
            let wait = asked.wait.as_deref().map(|wait| waits::wait(kind, wait));
            match wait.transpose() {
                Ok(wait) => answer((kind, wait), &server, &headers, body).await,
                Err(reason) => refusal(StatusCode::BAD_REQUEST, &reason),
            }
        },
    )
}

/// A line that was not taken in.
#[derive(Debug, Serialize)]
struct Refused {
    /// Its number in the body, from 1.
    line: u64,
    reason: String,
}

/// What came of a body.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    accepted: u64,
    rejected: &'a [Refused],
    /// How many were rejected, also where not all are told.
    rejected_lines: u64,
    /// What became of those that were accepted, where that was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    fates: Option<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Why a body is read no further.
#[derive(Debug)]
struct Ended(StatusCode, String);

async fn answer(
    (kind, wait): (Kind, Option<Duration>),
    server: &Server,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let permit = tokio::time::timeout(server.limits.piece, server.intakes.acquire()).await;
    let mut lines = Lines::new(kind);
    lines.waits = wait.map(Waits::new);
    let ended = match (permit, unpacking(headers)) {
        // Whoever waits for what becomes of events makes room for the bodies of others.
        (Ok(Ok(_permit)), Ok(gzip)) => read(server, body, gzip, &mut lines).await.err(),
        (_, Err(ended)) => Some(ended),
        _ => Some(Ended(
            StatusCode::SERVICE_UNAVAILABLE,
            "too much comes in at once".to_owned(),
        )),
    };
    let label = ByKind { kind: name(kind) };
    server
        .measures
        .accepted
        .get_or_create(&label)
        .inc_by(lines.accepted);
    server
        .measures
        .refused
        .get_or_create(&label)
        .inc_by(lines.refused_all);
    let fates = match lines.waits.take() {
        Some(waits) => Some(waits.end(&server.desk, lines.accepted).await),
        None => None,
    };
    let (status, error) = match ended {
        None => (StatusCode::OK, None),
        Some(Ended(status, error)) => (status, Some(error)),
    };
    let answer = Answer {
        accepted: lines.accepted,
        rejected: &lines.refused,
        rejected_lines: lines.refused_all,
        fates,
        error,
    };
    let mut response = (status, Json(answer)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    if status != StatusCode::OK {
        // What is left of the body is not waited for.
        response
            .headers_mut()
            .insert("connection", HeaderValue::from_static("close"));
    }
    response
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Event => "event",
        Kind::Context => "context",
        Kind::Feedback => "feedback",
        Kind::Erasure => "erasure",
    }
}

/// Whether the body is packed.
fn unpacking(headers: &HeaderMap) -> Result<bool, Ended> {
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(false),
        Some(b"gzip" | b"x-gzip") => Ok(true),
        Some(_) => Err(Ended(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a body is plain or gzip".to_owned(),
        )),
    }
}

async fn read(server: &Server, body: Body, gzip: bool, lines: &mut Lines) -> Result<(), Ended> {
    let began = Instant::now();
    let limits = &server.limits;
    let (mut body, mut came) = (body.into_data_stream(), 0_u64);
    let mut packed =
        gzip.then(|| MultiGzDecoder::new(std::mem::replace(lines, Lines::new(lines.kind))));
    let read = loop {
        let piece = match piece(server, &mut body, began, &mut came).await {
            Ok(Some(piece)) => piece,
            Ok(None) => break Ok(()),
            Err(ended) => break Err(ended),
        };
        let taken = match &mut packed {
            None => plain(server, lines, &piece).await,
            Some(packed) => unpack(server, packed, &piece).await,
        };
        if taken.is_err() {
            break taken;
        }
    };
    let mut whole = Ok(());
    if let Some(mut packed) = packed {
        whole = packed.try_finish().map_err(|error| broken(&error));
        *lines = std::mem::replace(packed.get_mut(), Lines::new(lines.kind));
    }
    if read.is_ok() && whole.is_ok() {
        lines.end();
    }
    let kept = keep(server, lines).await;
    lines
        .bytes_left(limits.unpacked)
        .and(read)
        .and(whole)
        .and(kept)
}

/// The next piece of a body, if it comes soon enough.
async fn piece(
    server: &Server,
    body: &mut axum::body::BodyDataStream,
    began: Instant,
    came: &mut u64,
) -> Result<Option<Bytes>, Ended> {
    let limits = &server.limits;
    let slow = || {
        Ended(
            StatusCode::REQUEST_TIMEOUT,
            "the body comes too slowly".to_owned(),
        )
    };
    let piece = tokio::select! {
        piece = tokio::time::timeout(limits.piece, body.next()) => piece.map_err(|_| slow())?,
        () = server.desk.ending() => return Err(closing()),
    };
    let Some(piece) = piece else {
        return Ok(None);
    };
    let piece = piece.map_err(|error| {
        Ended(
            StatusCode::BAD_REQUEST,
            format!("the body breaks off: {error}"),
        )
    })?;
    *came += piece.len() as u64;
    if *came > limits.body {
        return Err(Ended(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a body is at most {} bytes: send several", limits.body),
        ));
    }
    let late = began.elapsed().saturating_sub(limits.piece).as_secs();
    if *came < late.saturating_mul(limits.slowest) {
        return Err(slow());
    }
    Ok(Some(piece))
}

async fn plain(server: &Server, lines: &mut Lines, piece: &[u8]) -> Result<(), Ended> {
    for part in piece.chunks(TOGETHER) {
        lines.feed(part);
        if lines.bytes >= TOGETHER {
            keep(server, lines).await?;
        }
    }
    Ok(())
}

async fn unpack(
    server: &Server,
    packed: &mut MultiGzDecoder<Lines>,
    piece: &[u8],
) -> Result<(), Ended> {
    for part in piece.chunks(UNPACKED_AT_A_TIME) {
        packed.write_all(part).map_err(|error| broken(&error))?;
        let lines = packed.get_mut();
        lines.bytes_left(server.limits.unpacked)?;
        if lines.bytes >= TOGETHER {
            keep(server, lines).await?;
        }
        // A body of much in little is long work: others have their turn.
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn broken(error: &io::Error) -> Ended {
    Ended(
        StatusCode::BAD_REQUEST,
        format!("the body is no sound gzip: {error}"),
    )
}

fn closing() -> Ended {
    Ended(
        StatusCode::SERVICE_UNAVAILABLE,
        "the run is ending".to_owned(),
    )
}

/// Puts lines into the inbox.
async fn keep(server: &Server, lines: &mut Lines) -> Result<(), Ended> {
    if lines.good.is_empty() {
        return Ok(());
    }
    let good = std::mem::take(&mut lines.good);
    let numbers = std::mem::take(&mut lines.numbers);
    lines.bytes = 0;
    let count = good.len() as u64;
    let inbox = &server.desk.inbox;
    let put = match &mut lines.waits {
        Some(waits) => waits.put(inbox, good, numbers).await,
        None => inbox.put(good, None).await,
    };
    match put {
        Ok(()) => {
            lines.accepted += count;
            Ok(())
        }
        Err(error) => Err(Ended(StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
    }
}

/// Cuts what comes into lines, and looks at each.
struct Lines {
    kind: Kind,
    /// What came of a line that has not ended; of one that is too long, as much as shows that.
    open: Vec<u8>,
    number: u64,
    /// Lines that are to be put, and their numbers in the body.
    good: Vec<String>,
    numbers: Vec<u64>,
    waits: Option<Waits>,
    bytes: usize,
    came: u64,
    accepted: u64,
    refused: Vec<Refused>,
    refused_all: u64,
}

impl Lines {
    fn new(kind: Kind) -> Self {
        Lines {
            kind,
            open: Vec::new(),
            number: 0,
            good: Vec::new(),
            numbers: Vec::new(),
            waits: None,
            bytes: 0,
            came: 0,
            accepted: 0,
            refused: Vec::new(),
            refused_all: 0,
        }
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        self.came += bytes.len() as u64;
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.append(&bytes[..end]);
            self.line();
            bytes = &bytes[end + 1..];
        }
        self.append(bytes);
    }

    fn append(&mut self, bytes: &[u8]) {
        let room = (LONGEST_LINE + 1).saturating_sub(self.open.len());
        self.open.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The last line may have no end.
    fn end(&mut self) {
        if !self.open.is_empty() {
            self.line();
        }
    }

    fn line(&mut self) {
        self.number += 1;
        if !self.open.iter().all(u8::is_ascii_whitespace) {
            match taken(self.kind, &self.open) {
                Ok(line) => {
                    self.bytes += line.len();
                    self.good.push(line);
                    self.numbers.push(self.number);
                }
                Err(reason) => self.refuse(reason),
            }
        }
        self.open.clear();
    }

    fn refuse(&mut self, reason: String) {
        self.refused_all += 1;
        if self.refused.len() < TOLD {
            let line = self.number;
            self.refused.push(Refused { line, reason });
        }
    }

    fn bytes_left(&self, most: u64) -> Result<(), Ended> {
        match self.came > most {
            true => Err(Ended(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("a body is at most {most} bytes once it is unpacked: send several"),
            )),
            false => Ok(()),
        }
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.feed(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
