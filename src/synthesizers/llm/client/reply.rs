//! Reading an answer as it comes: server-sent events, or the whole at once from a server that does not stream.

use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;
use sse_stream::SseByteStream;
use tokio::time::{Instant, timeout_at};

use super::trouble::{Trouble, cause, message, short};
use crate::synthesizers::llm::{Finish, Usage};

/// Bytes that an answer may have beside those of its tokens: headers of events, keep-alives while the server thinks.
const BYTES_AT_LEAST: u64 = 64 * 1024;

/// Bytes on the wire that a token may cost. One event a token is some 300 bytes; servers that send a token's
/// alternatives or the model's thoughts with it send a few times as much.
const BYTES_PER_TOKEN: u64 = 2 * 1024;

/// No answer is longer than this, whatever was allowed.
const BYTES_AT_MOST: u64 = 64 * 1024 * 1024;

/// How long the count of tokens and the end mark are waited for once the answer itself is whole.
const AFTERTHOUGHT: Duration = Duration::from_secs(5);

/// An answer that is whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub text: String,
    pub finish: Finish,
    pub usage: Option<Usage>,
    /// Empty where the server does not name it.
    pub model: String,
}

/// Until when, and how much, an answer may come.
pub(super) struct Limits {
    /// The first token is to be there.
    pub first: Instant,
    /// The longest silence between two events after it.
    pub idle: Duration,
    /// All of it is to be there.
    pub whole: Instant,
    /// Tokens that were asked for at most.
    pub tokens: u32,
}

impl Limits {
    fn bytes(&self) -> u64 {
        let tokens = u64::from(self.tokens);
        (BYTES_AT_LEAST + BYTES_PER_TOKEN * tokens).min(BYTES_AT_MOST)
    }

    /// Until when the next event is waited for.
    fn next(&self, draft: &Draft) -> Instant {
        let pause = Instant::now() + self.idle;
        let until = if draft.finish.is_some() {
            pause.min(Instant::now() + AFTERTHOUGHT)
        } else if draft.text.is_empty() {
            // Before the first token only the longer of the two counts: models that think send empty events.
            pause.max(self.first)
        } else {
            pause
        };
        until.min(self.whole)
    }
}

/// Reads the answer.
///
/// # Errors
/// It is late, broken, or longer than it may be.
pub(super) async fn read(response: Response, limits: &Limits) -> Result<Answer, Trouble> {
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim().to_owned();
    let mut left = limits.bytes();
    let bytes = response.bytes_stream().map(move |chunk| {
        let chunk = chunk.map_err(|error| Cut::Broken(cause(&error)))?;
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        left = left.checked_sub(length).ok_or(Cut::Endless)?;
        Ok(chunk)
    });
    if kind.eq_ignore_ascii_case("application/json") {
        at_once(bytes, limits).await
    } else {
        streamed(bytes, limits, &kind).await
    }
}

/// Why bytes cease to come.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("it does not end")]
    Endless,
}

impl From<&Cut> for Trouble {
    fn from(cut: &Cut) -> Self {
        match cut {
            Cut::Broken(_) => Trouble::Broken(format!("the answer was cut: {cut}")),
            Cut::Endless => Trouble::Endless(
                "the answer is far longer than the tokens that were asked for".to_owned(),
            ),
        }
    }
}

async fn streamed(
    bytes: impl Stream<Item = Result<bytes::Bytes, Cut>>,
    limits: &Limits,
    kind: &str,
) -> Result<Answer, Trouble> {
    // Some servers leave out the empty line after the last event.
    let end = stream::once(async { Ok(bytes::Bytes::from_static(b"\n\n")) });
    let mut events = pin!(SseByteStream::new(bytes.chain(end)));
    let mut draft = Draft::default();
    loop {
        let trouble = match timeout_at(limits.next(&draft), events.next()).await {
            Ok(Some(Ok(event))) => match event.data.as_deref() {
                None | Some("") => continue,
                Some("[DONE]") => {
                    draft.ended = true;
                    break;
                }
                Some(data) => match draft.take(data.as_bytes()) {
                    Ok(()) => continue,
                    Err(trouble) => trouble,
                },
            },
            Ok(None) => break,
            Ok(Some(Err(sse_stream::Error::Body(error)))) => match error.downcast_ref::<Cut>() {
                Some(cut) => cut.into(),
                None => Trouble::Broken(short(&error.to_string())),
            },
            Ok(Some(Err(error))) => Trouble::Senseless(format!("the answer is garbled: {error}")),
            Err(_) => late(&draft, limits),
        };
        // What comes after the end of the answer cannot spoil it.
        if draft.finish.is_some() {
            break;
        }
        return Err(trouble);
    }
    draft.finished(kind)
}

fn late(draft: &Draft, limits: &Limits) -> Trouble {
    Trouble::Late(if Instant::now() >= limits.whole {
        "the answer was not whole in time".to_owned()
    } else if draft.text.is_empty() {
        "the first token did not come in time".to_owned()
    } else {
        "the answer came to a halt".to_owned()
    })
}

async fn at_once(
    bytes: impl Stream<Item = Result<bytes::Bytes, Cut>>,
    limits: &Limits,
) -> Result<Answer, Trouble> {
    let mut bytes = pin!(bytes);
    let mut body = Vec::new();
    let mut draft = Draft::default();
    let mut until = limits.next(&draft);
    loop {
        match timeout_at(until, bytes.next()).await {
            Ok(Some(Ok(chunk))) => body.extend_from_slice(&chunk),
            Ok(Some(Err(cut))) => return Err((&cut).into()),
            Ok(None) => break,
            Err(_) => return Err(late(&draft, limits)),
        }
        until = (Instant::now() + limits.idle).min(limits.whole);
    }
    draft.take(&body)?;
    draft.ended = true;
    draft.finished("application/json")
}

/// What has come so far.
#[derive(Debug, Default)]
struct Draft {
    text: String,
    /// What the model thought aloud.
    thoughts: String,
    /// The server said that this is all.
    ended: bool,
    /// The model said why it will not answer.
    refused: bool,
    finish: Option<Finish>,
    usage: Option<Usage>,
    model: String,
}

/// An event of a stream, or a whole answer: they differ in one name.
#[derive(Deserialize)]
struct Chunk {
    model: Option<String>,
    choices: Option<Vec<Choice>>,
    usage: Option<TokenCounts>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<Content>,
    refusal: Option<String>,
    /// What a model thinks, apart from its answer: by the name of DeepSeek, vLLM and llama.cpp, or of Ollama and OpenRouter.
    #[serde(alias = "reasoning")]
    reasoning_content: Option<Value>,
}

/// A text, or a list of parts, of which those count that are texts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
}

impl Content {
    fn add_to(&self, text: &mut String) {
        match self {
            Content::Text(more) => text.push_str(more),
            Content::Parts(parts) => {
                parts
                    .iter()
                    .flat_map(|part| &part.text)
                    .for_each(|more| text.push_str(more));
            }
        }
    }
}

#[derive(Deserialize)]
struct TokenCounts {
    prompt_tokens: u64,
    completion_tokens: u64,
}

impl Draft {
    fn take(&mut self, json: &[u8]) -> Result<(), Trouble> {
        let chunk: Chunk = serde_json::from_slice(json).map_err(|error| {
            let place = self.place();
            Trouble::Senseless(format!("the answer is garbled{place}: {error}"))
        })?;
        if let Some(error) = &chunk.error {
            let words = message(error).or(error.as_str());
            let words = words.map_or_else(|| error.to_string(), str::to_owned);
            return Err(Trouble::Senseless(format!(
                "the server gave up on its answer: {}",
                short(&words)
            )));
        }
        if let Some(model) = chunk.model {
            self.model = model;
        }
        if let Some(counts) = chunk.usage {
            self.usage = Some(Usage {
                input: counts.prompt_tokens,
                output: counts.completion_tokens,
            });
        }
        // One answer is asked for.
        let Some(choice) = chunk.choices.unwrap_or_default().into_iter().next() else {
            return Ok(());
        };
        if let Some(delta) = choice.delta {
            if let Some(content) = &delta.content {
                content.add_to(&mut self.text);
            }
            if let Some(Value::String(thought)) = &delta.reasoning_content {
                self.thoughts.push_str(thought);
            }
            self.refused |= delta.refusal.is_some_and(|words| !words.is_empty());
        }
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.finish = Some(match reason.as_str() {
                "stop" if self.refused => Finish::Other("refusal".to_owned()),
                "stop" => Finish::Stop,
                "length" => Finish::Length,
                "content_filter" => Finish::ContentFilter,
                _ => Finish::Other(reason),
            });
        }
        Ok(())
    }

    /// Where in the answer something went wrong: what goes wrong elsewhere the next time is another fault.
    fn place(&self) -> String {
        match self.text.chars().count() {
            0 => String::new(),
            count => format!(" after {count} characters"),
        }
    }

    fn finished(mut self, kind: &str) -> Result<Answer, Trouble> {
        // Some servers take all that a model says for thought, where its template does not say where thinking ends.
        if self.text.is_empty() && !self.refused {
            self.text = std::mem::take(&mut self.thoughts);
        }
        let whole = self.ended && !self.text.is_empty();
        let place = self.place();
        match self.finish.or(whole.then_some(Finish::Stop)) {
            Some(finish) => Ok(Answer {
                text: self.text,
                finish,
                usage: self.usage,
                model: self.model,
            }),
            None if matches!(kind, "text/event-stream" | "application/json") => {
                let what = format!("the answer ended{place} before it was whole");
                Err(Trouble::Senseless(what))
            }
            None => Err(Trouble::Senseless(format!(
                "the answer is no chat completion (its content type is {})",
                if kind.is_empty() { "not told" } else { kind }
            ))),
        }
    }
}
