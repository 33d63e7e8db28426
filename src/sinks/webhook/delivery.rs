//! A message on its way: tried until the receiver has it, refuses it, or has had a day's time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use jiff::fmt::rfc2822;
use jiff::{Timestamp, Zoned};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use tokio::sync::{Semaphore, mpsc};

use super::signature::signature;
use crate::config::{UsageError, WebhookOptions, refuse_alone};
use crate::remote::secret;
use crate::sinks::outbox::Letter;

/// How long a receiver may take over a message.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 15 });

/// Messages that are under way at once.
const UNDER_WAY: usize = 16;

/// The first wait before a message is tried again; each is twice the one before.
const FIRST: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1_000 });

/// The longest wait, also where a receiver asks for more.
const LONGEST: Duration = Duration::from_secs(900);

/// For how long a message is tried.
const FOR: Duration = Duration::from_secs(24 * 3600);

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The receiver has it.
    Told,
    /// It refuses it.
    Refused,
    /// It did not take it in a day.
    GivenUp,
}

/// What one attempt came to.
#[derive(Debug, PartialEq)]
enum Answer {
    Taken,
    /// Not now; perhaps not before so long.
    Later(String, Option<Duration>),
    Never(String),
}

/// The way to a receiver; clones share it.
#[derive(Clone)]
pub(super) struct Receiver {
    client: Client,
    url: String,
    secret: Arc<str>,
    turns: Arc<Semaphore>,
    /// What fails, to be said.
    failures: mpsc::UnboundedSender<String>,
}

impl Receiver {
    /// As the options say.
    ///
    /// # Errors
    /// They cannot be carried out.
    pub fn new(
        options: &WebhookOptions,
        failures: mpsc::UnboundedSender<String>,
    ) -> Result<Option<Self>, UsageError> {
        let Some(url) = &options.webhook else {
            let alone = [(
                "--webhook-secret-file",
                options.webhook_secret_file.is_some(),
            )];
            return refuse_alone(&alone, "--webhook").map(|()| None);
        };
        let Some(file) = &options.webhook_secret_file else {
            return Err(UsageError(format!(
                "--webhook needs --webhook-secret-file: a file with a secret of your own, by which {url} knows that a \
                 message is Hearth's"
            )));
        };
        if url.is_exposed() && !options.webhook_plain {
            return Err(UsageError(format!(
                "--webhook {url} would send what people do at home unencrypted to another machine: write https://, or \
                 give --webhook-plain true"
            )));
        }
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("hearth/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| UsageError(format!("--webhook {url}: {error}")))?;
        Ok(Some(Receiver {
            client,
            url: url.whole().to_owned(),
            secret: secret(file, "secret")?.into(),
            turns: Arc::new(Semaphore::new(UNDER_WAY)),
            failures,
        }))
    }

    /// Brings a message.
    pub async fn deliver(self, letter: Letter) -> Fate {
        let began = Instant::now();
        let mut waits = ExponentialBuilder::new()
            .with_min_delay(FIRST)
            .with_max_delay(LONGEST)
            .without_max_times()
            .with_jitter()
            .build();
        let mut first = true;
        loop {
            let (reason, wait) = match self.post(&letter).await {
                Answer::Taken => return Fate::Told,
                Answer::Never(reason) => {
                    self.fails(&letter, &format!("it is refused: {reason}"));
                    return Fate::Refused;
                }
                Answer::Later(reason, wait) => (reason, wait),
            };
            if began.elapsed() >= FOR {
                self.fails(&letter, &format!("it is given up: {reason}"));
                return Fate::GivenUp;
            }
            if std::mem::take(&mut first) {
                self.fails(&letter, &format!("it is tried again: {reason}"));
            }
            let own = waits.next().unwrap_or(LONGEST);
            tokio::time::sleep(wait.map_or(own, |asked| asked.max(own).min(LONGEST))).await;
        }
    }

    fn fails(&self, letter: &Letter, reason: &str) {
        // Whoever says it is gone: the run is over.
        let _ = self.failures.send(format!("{}: {reason}", letter.id));
    }

    async fn post(&self, letter: &Letter) -> Answer {
        // It is open as long as the receiver is used.
        let Ok(_turn) = self.turns.acquire().await else {
            return Answer::Later("nobody brings it".to_owned(), None);
        };
        let body = body(letter);
        let now = Timestamp::now();
        let request = self
            .client
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header("hearth-id", &letter.id)
            .header(
                "hearth-signature",
                signature(self.secret.as_bytes(), now.as_second(), &body),
            )
            .body(Bytes::from(body));
        match request.send().await {
            Ok(answer) => read(answer.status(), answer.headers(), now),
            // An address may hold a token.
            Err(error) => {
                let error = anyhow::Error::from(error.without_url());
                Answer::Later(format!("{error:#}"), None)
            }
        }
    }
}

/// What is posted.
fn body(letter: &Letter) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        r#"{{"id":{},"stream":{},"home":{},"line":{}}}"#,
        text(&letter.id),
        text(letter.stream.name()),
        text(&letter.home),
        letter.line
    )
}

/// What an answer means.
fn read(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Answer {
    let passes = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
    );
    if status.is_success() {
        Answer::Taken
    } else if status.is_redirection() {
        Answer::Never(format!("{status}: what is sent elsewhere is not followed"))
    } else if status.is_client_error() && !passes {
        Answer::Never(status.to_string())
    } else {
        let asked = headers
            .get(RETRY_AFTER)
            .and_then(|asked| asked.to_str().ok());
        Answer::Later(status.to_string(), asked.and_then(|asked| wait(asked, now)))
    }
}

/// How long a receiver asks to wait: seconds, or until when.
fn wait(asked: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = asked.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until: Zoned = rfc2822::parse(asked.trim()).ok()?;
    Some(Duration::try_from(until.timestamp().duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outputs::Stream;

    #[test]
    fn answers_are_understood() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let asked = |status: u16, after: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(after) = after {
                headers.insert(RETRY_AFTER, after.parse().unwrap());
            }
            read(StatusCode::from_u16(status).unwrap(), &headers, now)
        };
        assert_eq!(asked(204, None), Answer::Taken);
        for status in [301, 307, 400, 401, 404, 410, 413] {
            assert!(
                matches!(asked(status, Some("1")), Answer::Never(_)),
                "{status}"
            );
        }
        for (status, after, wait) in [
            (408, None, None),
            (429, Some("7"), Some(7)),
            (503, Some("Thu, 01 Jan 2026 00:01:00 GMT"), Some(60)),
            (503, Some("Wed, 31 Dec 2025 00:00:00 GMT"), Some(0)),
            (500, Some("soon"), None),
        ] {
            let Answer::Later(_, asked) = asked(status, after) else {
                panic!("{status}");
            };
            assert_eq!(asked, wait.map(Duration::from_secs), "{status}");
        }
    }

    #[test]
    fn a_body_is_json_around_the_line() {
        let letter = Letter {
            stream: Stream::Alarms,
            id: "alarms-0-17".into(),
            home: "h \"1\"".into(),
            line: r#"{"home":"h \"1\"","diff":1}"#.into(),
            at: 17,
        };
        let body: serde_json::Value = serde_json::from_str(&body(&letter)).unwrap();
        assert_eq!(body["home"], "h \"1\"");
        assert_eq!(body["line"]["diff"], 1);
        assert_eq!(
            (&body["id"], &body["stream"]),
            (&"alarms-0-17".into(), &"alarms".into())
        );
    }
}
