//! What can go wrong with one attempt, and what an error status means.

use std::error::Error;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::pause::retry_after;

/// Bytes of an error's body that are read: what the server has to say stands in the first few.
const ERROR_BYTES: usize = 16 * 1024;

/// Characters of a server's words that a sentence quotes.
const QUOTED: usize = 200;

/// Why an attempt has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There is no connection, so nothing was sent.
    Unreachable(String),
    /// It was sent, and nothing came, or nothing more, in time.
    Late(String),
    /// The answer broke off.
    Broken(String),
    /// The answer came, and makes no sense.
    Senseless(String),
    /// The answer does not end where it was told to.
    Endless(String),
    /// An error status that may pass.
    Busy {
        status: StatusCode,
        what: String,
        wait: Option<Duration>,
    },
    /// An error status that this request would get again.
    Rejected {
        status: StatusCode,
        what: String,
        /// The server's words, unabridged.
        complaint: String,
    },
    /// An error status that every request would get.
    Refused(String),
}

impl Trouble {
    /// The sentence.
    pub fn what(&self) -> &str {
        match self {
            Trouble::Unreachable(what)
            | Trouble::Late(what)
            | Trouble::Broken(what)
            | Trouble::Senseless(what)
            | Trouble::Endless(what)
            | Trouble::Busy { what, .. }
            | Trouble::Rejected { what, .. }
            | Trouble::Refused(what) => what,
        }
    }

    /// How long the server asks to be left alone.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Trouble::Busy { wait, .. } => *wait,
            _ => None,
        }
    }

    /// Whether the server has surely charged nothing: it never saw the request, or answered with an error status.
    pub fn is_free(&self) -> bool {
        match self {
            Trouble::Late(_) | Trouble::Broken(_) | Trouble::Senseless(_) | Trouble::Endless(_) => {
                false
            }
            Trouble::Unreachable(_)
            | Trouble::Busy { .. }
            | Trouble::Rejected { .. }
            | Trouble::Refused(_) => true,
        }
    }

    /// Whether the same request may be answered at another time.
    pub fn may_pass(&self) -> bool {
        match self {
            Trouble::Unreachable(_)
            | Trouble::Late(_)
            | Trouble::Broken(_)
            | Trouble::Senseless(_)
            | Trouble::Busy { .. } => true,
            Trouble::Endless(_) | Trouble::Rejected { .. } | Trouble::Refused(_) => false,
        }
    }

    /// Whether it looks as if nobody were there: no connection, silence, or a gateway that says so of what is behind it.
    pub fn is_absence(&self) -> bool {
        match self {
            Trouble::Unreachable(_) | Trouble::Late(_) => true,
            Trouble::Busy { status, .. } => matches!(status.as_u16(), 502..=504),
            _ => false,
        }
    }

    /// Whether fewer requests at once may help.
    pub fn is_crowding(&self) -> bool {
        match self {
            Trouble::Late(_) => true,
            // 529 is what some servers say for "overloaded".
            Trouble::Busy { status, .. } => matches!(status.as_u16(), 429 | 503 | 529),
            _ => false,
        }
    }

    /// What an answer with an error status means. Its body is waited for no longer than `patience`.
    pub async fn of(mut response: Response, patience: Duration) -> Self {
        let status = response.status();
        let headers = response.headers().clone();
        let complaint = beginning(&mut response, Instant::now() + patience).await;
        Self::of_status(status, &headers, complaint)
    }

    fn of_status(status: StatusCode, headers: &HeaderMap, complaint: String) -> Self {
        let mut what = format!("HTTP {}", status.as_u16());
        if let Some(reason) = status.canonical_reason() {
            what = format!("{what} {reason}");
        }
        let words = words(&complaint);
        if !words.is_empty() {
            what = format!("{what}: {words}");
        }
        match status.as_u16() {
            300..=399 => {
                let to = headers.get("location").and_then(|to| to.to_str().ok());
                Trouble::Refused(format!(
                    "{what}: it sends to {}, and the key and the data go to the given address alone; give the other one if \
                     it is meant",
                    short(to.unwrap_or("another address"))
                ))
            }
            401 => Trouble::Refused(format!(
                "{what}; give a key of this server in HEARTH_LLM_KEY or in a file named by --llm-key-file, or name its \
                 environment variable with --llm-key-env (OPENAI_API_KEY goes unasked to OpenAI alone)"
            )),
            402 => Trouble::Refused(format!("{what}; the account needs credit")),
            403 => Trouble::Refused(format!("{what}; the key may not do this")),
            404 => Trouble::Refused(format!(
                "{what}; is the address right, and does the server have this model?"
            )),
            429 if complaint.contains("insufficient_quota") => {
                Trouble::Refused(format!("{what}; the account needs credit"))
            }
            408 | 409 | 425 | 429 | 500..=599 => Trouble::Busy {
                status,
                what,
                wait: retry_after(headers),
            },
            _ => Trouble::Rejected {
                status,
                what,
                complaint,
            },
        }
    }
}

/// The beginning of a body, as far as it comes.
async fn beginning(response: &mut Response, until: Instant) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ERROR_BYTES
        && let Ok(Ok(Some(chunk))) = timeout_at(until, response.chunk()).await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(ERROR_BYTES);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a server means to say: the message in its JSON, else the whole, in one short line.
fn words(body: &str) -> String {
    let said = serde_json::from_str::<Value>(body).ok();
    let message = said.as_ref().and_then(message);
    short(message.unwrap_or(body))
}

/// The message in an error's JSON, in the shapes that servers use.
pub(super) fn message(error: &Value) -> Option<&str> {
    ["/error/message", "/message", "/error", "/detail"]
        .iter()
        .find_map(|path| error.pointer(path)?.as_str())
}

/// One line of at most [`QUOTED`] characters.
pub(super) fn short(text: &str) -> String {
    let line = text.split(|c: char| c.is_whitespace() || c.is_control());
    let line = line
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{} …", line[..end].trim_end()),
        None => line,
    }
}

/// The innermost reason of an error: what wraps it says less, and may name the address with its query.
pub(super) fn cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
