//! The webhook, with a receiver that fails, hangs and is overwhelmed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::hearth::{Hearth, until};
use super::kafka::{alarm, append};
use crate::outputs::Stream;

/// Somebody who is told.
#[derive(Clone, Default)]
struct Ears(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    /// By home, the numbers of what was taken, in order.
    homes: BTreeMap<String, Vec<String>>,
    /// To tell something, by home.
    attempts: BTreeMap<String, u64>,
    wrong: u64,
}

impl Ears {
    async fn start() -> (Self, u16) {
        let ears = Ears::default();
        let router = Router::new()
            .route("/hook", post(hear))
            .with_state(ears.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (ears, port)
    }

    fn heard(&self, home: &str) -> Vec<String> {
        let heard = self.0.lock().unwrap();
        heard.homes.get(home).cloned().unwrap_or_default()
    }

    /// Attempts to tell something of a home.
    fn attempts(&self, home: &str) -> u64 {
        let heard = self.0.lock().unwrap();
        heard.attempts.get(home).copied().unwrap_or_default()
    }
}

/// As the documentation has receivers check it.
fn is_ours(headers: &HeaderMap, body: &str) -> bool {
    let said = headers["hearth-signature"].to_str().unwrap();
    let (time, sum) = said.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    let own: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    own == sum
}

/// Of `h-1` every third attempt is taken, of `h-2` none that is its first, which hangs; one of `h-3` is refused for ever.
async fn hear(State(ears): State<Ears>, headers: HeaderMap, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (home, number) = (text(&message["home"]), text(&message["line"]["id"]));
    let attempts = {
        let mut heard = ears.0.lock().unwrap();
        heard.wrong += u64::from(!is_ours(&headers, &body));
        let attempts = heard.attempts.entry(home.clone()).or_default();
        *attempts += 1;
        *attempts
    };
    let answer = match (home.as_str(), number.as_str()) {
        ("h-1", _) if !attempts.is_multiple_of(3) => {
            let code =
                [StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY][attempts as usize % 2];
            return (code, [("retry-after", "0")]).into_response();
        }
        ("h-2", "1") => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            StatusCode::OK
        }
        ("h-3", "2") => StatusCode::NOT_FOUND,
        ("h-3", "5") => return (StatusCode::FOUND, [("location", "/hook")]).into_response(),
        _ => StatusCode::NO_CONTENT,
    };
    if answer.is_success() {
        let mut heard = ears.0.lock().unwrap();
        heard.homes.entry(home).or_default().push(number);
    }
    answer.into_response()
}

fn numbers(from: usize, to: usize, home: usize) -> Vec<String> {
    let all = (from..to).filter(|n| n % 3 == home);
    all.map(|n| n.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_and_hangs_is_told_all_in_order_by_home() {
    let (ears, port) = Ears::start().await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "s3cret\n").unwrap();
    let options = [
        &format!("--webhook=http://127.0.0.1:{port}/hook"),
        &format!("--webhook-secret-file={}", secret.display()),
        "--mqtt-out=false",
    ];
    let positions = append(folder.path(), Stream::Alarms, &[alarm(0)]);
    let hearth = Hearth::start(folder.path(), &options);
    // What there is when somebody begins to listen is no news.
    hearth.desk.feed.begin(&positions);
    let lines: Vec<String> = (1..61).map(alarm).collect();
    until("it is there", || {
        hearth.desk.inbox.mark("webhook/alarms").is_some()
    })
    .await;
    let positions = append(folder.path(), Stream::Alarms, &lines);
    hearth.desk.feed.cut(&positions);
    let first = numbers(1, 61, 0);
    until("the failing home is told", || ears.heard("h-1") == first).await;
    let third: Vec<String> = numbers(1, 61, 2)
        .into_iter()
        .filter(|n| n != "2" && n != "5")
        .collect();
    until("the third home is told", || ears.heard("h-3") == third).await;
    assert_eq!(ears.heard("h-2"), Vec::<String>::new());
    until("what cannot be told is counted", || {
        hearth.measure("hearth_webhook_messages_total") == 40.0
    })
    .await;
    let text = hearth.desk.gauges.text().unwrap();
    assert!(
        text.contains("hearth_webhook_messages_total{fate=\"refused\"} 2"),
        "{text}"
    );
    hearth.kill().await;
    // Another process goes on with the home that hangs, and tells the others nothing again.
    let told = ears.attempts("h-2");
    let hearth = Hearth::start(folder.path(), &options);
    hearth.desk.feed.begin(&positions);
    until("it is tried again", || ears.attempts("h-2") > told).await;
    let lines: Vec<String> = (61..64).map(alarm).collect();
    let positions = append(folder.path(), Stream::Alarms, &lines);
    hearth.desk.feed.cut(&positions);
    until("new ones are told", || {
        ears.heard("h-3").last().unwrap() == "62"
    })
    .await;
    hearth.kill().await;
    assert_eq!(ears.heard("h-3").len(), third.len() + 1);
    assert_eq!(ears.0.lock().unwrap().wrong, 0);
}
