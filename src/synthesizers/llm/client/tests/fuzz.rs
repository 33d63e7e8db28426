//! Answers of servers, of bytes that nobody meant.

use std::time::Duration;

use axum::http;
use tokio::time::Instant;

use super::super::reply::{Limits, read};
use crate::fuzz::{fuzz, reasons};

/// Streams, and answers that come at once.
#[test]
fn server_answers() {
    let stream = br#"data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

: keep-alive

data: {"choices":[{"index":0,"delta":{"content":"[[\'Monday\'"},"finish_reason":null}]}

data: {"choices":[{"index":0,"delta":{"reasoning_content":"Hm.","content":[{"type":"text","text":"a"}]},"finish_reason":"stop"}]}

data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3}}

data: [DONE]

"#;
    let whole = br#"{"model":"m","choices":[{"message":{"content":"text","refusal":null},"finish_reason":"length"}],
"usage":{"prompt_tokens":12,"completion_tokens":3}}"#;
    let words = [
        "data: ",
        "data:[DONE]\n\n",
        "\n\n",
        "\"error\":{\"message\":\"busy\"}",
        "\"content\":",
        "\"finish_reason\":\"stop\"",
        "\"choices\":[]",
        "event: ",
    ];
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    fuzz(&[stream, whole], &words, |bytes| {
        let kind = match bytes.first() {
            Some(b'{') => "application/json",
            _ => "text/event-stream",
        };
        let response = http::Response::builder().header("content-type", kind);
        let response = response.body(bytes.to_vec()).unwrap();
        let answer = runtime.block_on(async {
            let until = Instant::now() + Duration::from_secs(60);
            let limits = Limits {
                first: until,
                idle: Duration::from_secs(60),
                whole: until,
                tokens: 100,
            };
            read(response.into(), &limits).await
        });
        match answer {
            Ok(answer) => {
                assert!(answer.text.len() <= 3 * bytes.len());
                format!("{:?} {}", answer.finish, answer.usage.is_some())
            }
            Err(trouble) => {
                assert!(!trouble.what().is_empty() && trouble.what().len() < 2_000);
                reasons([trouble.what()])
            }
        }
    });
}
