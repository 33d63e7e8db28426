//! Calls to an OpenAI-compatible server over HTTP.
//!
//! A call is a request to `/chat/completions`, streamed, and sent again a bounded number of times where that may help.
//! Money is reserved before each attempt. What a server shows of itself, the [`Client`] remembers for all calls: that
//! it refuses them, which fields it does not take, how much it bears at once, and that nobody is there.

mod admission;
mod circuit;
mod dialect;
mod endpoint;
mod key;
mod limit;
mod pause;
mod rate;
mod reply;
#[cfg(test)]
mod tests;
mod trouble;

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use tokio::time::{Instant, sleep, timeout_at};

use admission::{Admission, Turn};
use circuit::Circuit;
use dialect::Dialect;
use rate::Rate;
use reply::{Answer, Limits};
use trouble::{Trouble, cause};

use super::{Call, CallError, Completion, Format, Purse};
use crate::config::UsageError;

pub use endpoint::Endpoint;
pub use key::Key;

/// The longest pause that a server may ask for and is waited for. Limits are mostly by the minute, so what asks for more
/// than two means hours or days.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Bytes of a request that one of its tokens has at least, by which its tokens are counted for the limit a minute.
/// English and JSON have three to four; to count too many only slows.
const BYTES_PER_TOKEN: usize = 3;

/// Where a server is, and how patiently and how fast it is asked.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// What it knows us by.
    pub key: Option<Key>,
    /// How often a call is sent at most.
    pub attempts: NonZeroU32,
    /// The pause before the second attempt; each further pause is twice as long.
    pub pause: Duration,
    /// How long a connection may take.
    pub connect: Duration,
    /// How long the first token may take, from sending. A server that does not stream sends it with the last.
    pub first_token: Duration,
    /// How long the answer may halt after it.
    pub idle: Duration,
    /// How long an attempt may take in all, from sending to the last byte.
    pub whole: Duration,
    /// Requests at once, at most; fewer while the server shows that it has too much to do.
    pub concurrency: NonZeroUsize,
    /// Requests that the server allows in a minute.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tokens, sent and allowed for the answer, that the server allows in a minute.
    pub tokens_per_minute: Option<NonZeroU32>,
}

impl Options {
    /// The defaults: five attempts, half a second before the second; 10 s to connect, two minutes to the first token,
    /// one of silence after it, ten in all; eight requests at once, and no limit a minute.
    pub fn new(endpoint: Endpoint) -> Self {
        Options {
            endpoint,
            key: None,
            attempts: NonZeroU32::MIN.saturating_add(4),
            pause: Duration::from_millis(500),
            connect: Duration::from_secs(10),
            first_token: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            whole: Duration::from_secs(600),
            concurrency: NonZeroUsize::MIN.saturating_add(7),
            requests_per_minute: None,
            tokens_per_minute: None,
        }
    }
}

/// The bytes that a client which knows nothing of its server yet sends for a call.
pub fn body(call: &Call) -> Vec<u8> {
    Dialect::default().asking(call).body(call)
}

/// A client of one server. All calls of a run share one.
pub struct Client {
    options: Options,
    http: reqwest::Client,
    learnt: Mutex<Learnt>,
    /// Why the server refuses every call.
    refused: OnceLock<String>,
    circuit: Circuit,
    admission: Admission,
    requests: Option<Rate>,
    tokens: Option<Rate>,
}

/// What the server has shown to take.
#[derive(Debug, Default)]
struct Learnt {
    dialect: Dialect,
    /// It has answered by schema, so if it turns a schema down that is about that one alone.
    knows_schema: bool,
}

impl Client {
    /// A client that has not connected yet.
    ///
    /// # Errors
    /// The key cannot be sent, or the machine's certificates cannot be read.
    pub fn new(options: Options) -> Result<Self, UsageError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = &options.key {
            let unfit = || UsageError("the key cannot stand in a header".to_owned());
            let value = key.header().map_err(|_| unfit())?;
            if options.endpoint.is_azure() {
                headers.insert("api-key", key.plain().map_err(|_| unfit())?);
            }
            headers.insert(AUTHORIZATION, value);
        }
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("hearth/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(options.connect)
            // The key and the data go to the given address alone.
            .redirect(Policy::none())
            // Attempts are counted and paid for here.
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(options.concurrency.get());
        if options.endpoint.is_loopback() {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| {
            UsageError(format!("no connections can be made: {}", cause(&error)))
        })?;
        Ok(Client {
            http,
            learnt: Mutex::default(),
            refused: OnceLock::new(),
            circuit: Circuit::default(),
            admission: Admission::new(options.concurrency),
            requests: options.requests_per_minute.map(Rate::new),
            tokens: options.tokens_per_minute.map(Rate::new),
            options,
        })
    }

    /// Where the server listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.options.endpoint
    }

    /// Asks the server, and again where that may help.
    ///
    /// An answer that the model did not end by itself (see [`Completion::finish`]) is returned too: it was paid for, and
    /// asking again would give the same.
    ///
    /// # Errors
    /// The server refuses this call or all calls, did not answer often enough, or the purse is empty.
    pub async fn complete(&self, call: &Call, purse: &dyn Purse) -> Result<Completion, CallError> {
        let turn = self.admission.turn();
        let mut dialect = self.dialect(call);
        let mut failures = 0;
        let mut senseless: Option<String> = None;
        loop {
            let trouble = match self.attempt(turn, call, dialect, purse).await? {
                Ok(answer) => {
                    if dialect.schema {
                        self.learnt().knows_schema = true;
                    }
                    return Ok(Completion {
                        text: answer.text,
                        finish: answer.finish,
                        usage: answer.usage,
                        model: answer.model,
                        format: dialect.format(),
                    });
                }
                Err(trouble) => trouble,
            };
            if let Some(other) = self.learn(call, dialect, &trouble) {
                dialect = other;
                continue;
            }
            failures += 1;
            if let Trouble::Senseless(what) = &trouble
                && senseless.replace(what.clone()).as_ref() == Some(what)
            {
                let what =
                    format!("the same twice, and paid for, so it is not asked again: {what}");
                return Err(CallError::Failed(self.sentence(&what)));
            }
            sleep(self.pause(&trouble, failures)?).await;
        }
    }

    /// One request and its answer, from waiting for a place to settling what it cost. The outer error ends the call.
    async fn attempt(
        &self,
        turn: Turn,
        call: &Call,
        dialect: Dialect,
        purse: &dyn Purse,
    ) -> Result<Result<Answer, Trouble>, CallError> {
        let blocked = |why: String| CallError::Failed(self.sentence(&why));
        self.check_refused()?;
        if let Some(why) = self.circuit.blocked() {
            return Err(blocked(why));
        }
        let place = self.admission.enter(turn).await;
        // Much may have been learnt while this call waited.
        self.check_refused()?;
        self.circuit.admit().map_err(blocked)?;

        let body = dialect.body(call);
        if let Some(requests) = &self.requests {
            requests.take(1).await;
        }
        if let Some(tokens) = &self.tokens {
            let sent = u32::try_from(body.len() / BYTES_PER_TOKEN).unwrap_or(u32::MAX);
            tokens.take(sent.saturating_add(call.max_tokens)).await;
        }
        let reservation = purse.reserve().await?;
        let outcome = self.exchange(body, call.max_tokens).await;
        match &outcome {
            Ok(answer) => {
                reservation.settle(answer.usage);
                place.good();
                self.circuit.alive();
            }
            Err(trouble) => {
                if trouble.is_free() {
                    reservation.release();
                }
                if let Some(asked) = trouble.wait() {
                    place.turned_away();
                    // Before the place is given back: the next call would be told the same.
                    self.admission.close_for(asked.min(LONGEST_WAIT));
                } else if trouble.is_crowding() {
                    place.crowded();
                }
                if !trouble.is_absence() {
                    self.circuit.alive();
                }
            }
        }
        Ok(outcome)
    }

    /// Sends the bytes and reads the answer.
    async fn exchange(&self, body: Vec<u8>, max_tokens: u32) -> Result<Answer, Trouble> {
        let begin = Instant::now();
        let limits = Limits {
            first: begin + self.options.first_token,
            idle: self.options.idle,
            whole: begin + self.options.whole,
            tokens: max_tokens,
        };
        let request = self.http.post(self.options.endpoint.url().clone());
        let sent = request.body(body).send();
        let response = match timeout_at(limits.first.min(limits.whole), sent).await {
            Err(_) => return Err(Trouble::Late("no answer came in time".to_owned())),
            Ok(Err(error)) if error.is_connect() => {
                return Err(Trouble::Unreachable(format!(
                    "no connection: {}",
                    cause(&error)
                )));
            }
            Ok(Err(error)) => {
                return Err(Trouble::Broken(format!(
                    "the connection broke before an answer: {}",
                    cause(&error)
                )));
            }
            Ok(Ok(response)) => response,
        };
        if response.status().is_success() {
            return reply::read(response, &limits).await;
        }
        // The status has said enough, should its body not come.
        Err(Trouble::of(response, limits.idle).await)
    }

    /// How long to wait before the call is sent again.
    ///
    /// # Errors
    /// It is not to be sent again.
    fn pause(&self, trouble: &Trouble, failures: u32) -> Result<Duration, CallError> {
        let what = trouble.what();
        if let Trouble::Refused(_) = trouble {
            let why = self
                .refused
                .get_or_init(|| self.sentence(&format!("the server refuses every call: {what}")));
            return Err(CallError::Refused(why.clone()));
        }
        let asked = trouble.wait();
        if let Some(asked) = asked.filter(|asked| *asked > LONGEST_WAIT) {
            let what = format!(
                "{what}; the server asks for a pause of {} s, longer than Hearth waits",
                asked.as_secs()
            );
            self.circuit.pause(&what, asked);
            return Err(CallError::Failed(self.sentence(&what)));
        }
        if !trouble.may_pass() {
            return Err(CallError::Failed(self.sentence(what)));
        }
        if failures >= self.options.attempts.get() {
            if trouble.is_absence() {
                self.circuit.lost(what);
            }
            let times = if failures == 1 { "attempt" } else { "attempts" };
            return Err(CallError::Failed(
                self.sentence(&format!("no answer after {failures} {times}: {what}")),
            ));
        }
        let pause = pause::backoff(self.options.pause, failures);
        if asked.is_none() {
            return Ok(pause);
        }
        // Admission is closed for as long as was asked, and this call waits there, to go before those who came later. Some
        // servers ask for a little too little, again and again: the pause grows all the same.
        self.admission.close_for(pause);
        Ok(Duration::ZERO)
    }

    fn check_refused(&self) -> Result<(), CallError> {
        match self.refused.get() {
            Some(why) => Err(CallError::Refused(why.clone())),
            None => Ok(()),
        }
    }

    /// What is said of the server, with its address and without the key.
    fn sentence(&self, what: &str) -> String {
        let what = format!("{}: {what}", self.options.endpoint);
        match &self.options.key {
            Some(key) => key.scrub(&what),
            None => what,
        }
    }

    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How to ask, by the call's wish and what the server has shown.
    fn dialect(&self, call: &Call) -> Dialect {
        self.learnt().dialect.asking(call)
    }

    /// How to ask for the same at once in other fields, after the server turned these down. It is remembered for all
    /// calls.
    fn learn(&self, call: &Call, dialect: Dialect, trouble: &Trouble) -> Option<Dialect> {
        let Trouble::Rejected {
            status, complaint, ..
        } = trouble
        else {
            return None;
        };
        if !matches!(status.as_u16(), 400 | 422) {
            return None;
        }
        let other = dialect.after(complaint, call)?;
        if other.schema != dialect.schema && call.form.format == Format::Schema {
            return None;
        }
        let mut learnt = self.learnt();
        learnt.dialect.completion_tokens |= other.completion_tokens;
        learnt.dialect.stream_options &= other.stream_options;
        learnt.dialect.temperature &= other.temperature;
        learnt.dialect.seed &= other.seed;
        if !limit::is_of_window(complaint) {
            let most = &mut learnt.dialect.most_tokens;
            *most = other.most_tokens.min(*most);
        }
        if other.schema != dialect.schema && !learnt.knows_schema {
            learnt.dialect.schema = false;
        }
        Some(other)
    }
}
