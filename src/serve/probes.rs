//! Whether the run lives, whether it is ready, and its measures.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::{Server, refusal};

/// `GET /livez`: the process answers.
pub(super) async fn lives() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: what was in the inbox when the run began is accounted for, whoever brings events is at work, and it is not ending.
pub(super) async fn ready(State(server): State<Arc<Server>>) -> Response {
    if server.desk.is_ending() {
        return (StatusCode::SERVICE_UNAVAILABLE, "ending\n").into_response();
    }
    let gauges = &server.desk.gauges;
    let lacks = match gauges.is_caught_up() {
        true => gauges.awaited(),
        false => vec!["catching up".to_owned()],
    };
    match lacks.is_empty() {
        true => "ready\n".into_response(),
        false => {
            let lacks = format!("{}\n", lacks.join("\n"));
            (StatusCode::SERVICE_UNAVAILABLE, lacks).into_response()
        }
    }
}

/// `GET /metrics`, as Prometheus reads them.
pub(super) async fn metrics(State(server): State<Arc<Server>>) -> Response {
    let counts = server.recent.counts();
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    server.measures.shown_homes.set(number(counts.homes as u64));
    server.measures.shown_bytes.set(number(counts.bytes as u64));
    server.measures.shown_missed.set(number(counts.missed));
    match server.desk.gauges.text() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "a measure cannot be written",
        ),
    }
}
