//! The JSON API. Its lines are those of the output files, key by key; each endpoint is declared once, with what its OpenAPI says
//! of it.

mod answers;
#[cfg(test)]
pub(super) use openapi::differs;
mod openapi;
mod stream;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use serde::Deserialize;
use tokio::time::timeout;

use super::model::{self, Unknown};
use super::question::Question;
use super::recent::{Glance, Home};
use super::{Server, intake, refusal};
use crate::config;
use crate::sources::files::Kind;

/// How many of anything an answer holds, unless it is asked otherwise, and at most.
const USUAL: usize = 100;
const MOST: usize = 1_000;

/// How long is waited until there are as many workers as was wished.
const RESCALE: Duration = Duration::from_secs(8);

/// What can be asked for.
pub(super) struct Endpoint {
    /// Where.
    pub path: &'static str,
    /// Who answers.
    pub route: MethodRouter<Arc<Server>>,
    /// What it is.
    summary: &'static str,
    /// Names of what may stand behind the `?`.
    query: &'static [&'static str],
    /// The schema of what is sent, where something is.
    sent: Option<&'static str>,
    /// The schema of the answer.
    answer: &'static str,
}

/// What may stand behind the `?`.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    limit: Option<usize>,
    after: Option<String>,
    q: Option<String>,
}

impl Asked {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(USUAL).min(MOST)
    }
}

/// All of them.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = |path, route, summary, query, answer| Endpoint {
        path,
        route,
        summary,
        query,
        sent: None,
        answer,
    };
    let post = |path, kind, summary, sent| Endpoint {
        path,
        route: intake::route(kind),
        summary,
        query: match kind {
            Kind::Event => &["wait"],
            _ => &[],
        },
        sent: Some(sent),
        answer: "Taken",
    };
    vec![
        post(
            "/events",
            Kind::Event,
            "Takes in events, JSON Lines",
            "Event",
        ),
        post(
            "/contexts",
            Kind::Context,
            "Takes in declared shifts, and when homes are away or have guests, JSON Lines",
            "Context",
        ),
        post(
            "/feedback",
            Kind::Feedback,
            "Takes in what people say of alarms, JSON Lines",
            "Feedback",
        ),
        post(
            "/erasures",
            Kind::Erasure,
            "Takes in what is to be forgotten, JSON Lines",
            "Erasure",
        ),
        Endpoint {
            path: "/workers",
            route: axum::routing::post(workers),
            summary: "Has the run go on with so many workers, without an end of what comes in",
            query: &[],
            sent: Some("Workers"),
            answer: "Rescaled",
        },
        read("/api/summary", get(summary), "How it goes", &[], "Summary"),
        read(
            "/api/homes",
            get(homes),
            "Homes by name: those behind `after`, whose names hold `q`",
            &["limit", "after", "q"],
            "Homes",
        ),
        read(
            "/api/homes/{home}",
            get(home),
            "What was seen last of a home",
            &[],
            "Home",
        ),
        read(
            "/api/homes/{home}/segments",
            get(segments),
            "Its last segments, the newest first",
            &["limit"],
            "Segments",
        ),
        read(
            "/api/homes/{home}/graph",
            get(graph),
            "What followed what how often, most often first",
            &["limit"],
            "Graph",
        ),
        read(
            "/api/homes/{home}/alarms",
            get(home_alarms),
            "Its last alarms that stand, the newest first, and what was said of them",
            &["limit"],
            "HomeAlarms",
        ),
        read(
            "/api/homes/{home}/predictions",
            get(predictions),
            "What was expected in the places of its last behaviours, and how strange these were, the newest first",
            &["limit"],
            "Predictions",
        ),
        read(
            "/api/homes/{home}/model",
            get(model),
            "What its model knows, as of now: what it does, when, what comes next, and how its alarms stand",
            &[],
            "Model",
        ),
        read(
            "/api/homes/{home}/versions",
            get(versions),
            "What shifts and drifts did to its models",
            &[],
            "Versions",
        ),
        read(
            "/api/alarms",
            get(alarms),
            "The last alarms of all homes that stand, the newest first",
            &["limit"],
            "Alarms",
        ),
        read(
            "/api/alarms/stream",
            get(stream::alarms),
            "Alarms as they are raised and withdrawn, as server-sent events; goes on behind Last-Event-ID, or `after`",
            &["after"],
            "AlarmEvent",
        ),
        read(
            "/api/requests",
            get(requests),
            "The last synthesis requests, the newest first",
            &["limit"],
            "Requests",
        ),
        read(
            "/api/openapi.json",
            get(openapi::document),
            "This description",
            &[],
            "OpenApi",
        ),
    ]
}

/// An answer that is JSON already.
fn json(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// What can be wished for.
#[derive(Debug, Deserialize)]
struct Workers {
    workers: u64,
}

/// How many workers a body wishes for.
fn wished(body: &[u8]) -> Result<NonZeroUsize, String> {
    let wished = serde_json::from_slice::<Workers>(body);
    let wished = wished.map_err(|error| format!("a body is {{\"workers\": 2}}: {error}"))?;
    config::workers(&wished.workers.to_string())
}

async fn workers(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    let wished = match wished(&body) {
        Ok(wished) => wished,
        Err(why) => return refusal(StatusCode::BAD_REQUEST, &why),
    };
    if server.desk.crew.is_fixed() {
        let why = "the run is shared by several processes, whose number of workers is that of all: end all and start them with another \
                   --workers and one --state";
        return refusal(StatusCode::CONFLICT, why);
    }
    let told = server.desk.crew.wish(wished);
    match timeout(RESCALE, told).await {
        Ok(Ok(stood)) => json(answers::rescaled(wished, stood)),
        _ => refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "it has not come to it yet; /api/summary says how many there are",
        ),
    }
}

async fn summary(State(server): State<Arc<Server>>) -> Response {
    json(answers::summary(
        &server.recent.counts(),
        server.desk.gauges.is_caught_up(),
        server.desk.crew.workers(),
    ))
}

async fn homes(State(server): State<Arc<Server>>, Question(asked): Question<Asked>) -> Response {
    let limit = asked.limit().max(1);
    let holding = asked.q.as_deref().unwrap_or_default();
    let homes = server.recent.homes(asked.after.as_deref(), holding, limit);
    json(answers::homes(&homes, limit))
}

/// Answers about a home, or says that it is not known.
fn of(server: &Server, name: &str, answer: impl FnOnce(&Glance, &Home) -> String) -> Response {
    match server.recent.home(name) {
        Some((glance, home)) => json(answer(&glance, &home)),
        None => refusal(
            StatusCode::NOT_FOUND,
            match server.desk.share.is_whole() {
                true => {
                    "nothing is known of a home of this name: /api/homes lists those that are known"
                }
                false => {
                    "nothing is known here of a home of this name: /api/homes lists those that are, and another process that shares the \
                     run may know it"
                }
            },
        ),
    }
}

async fn home(State(server): State<Arc<Server>>, Path(name): Path<String>) -> Response {
    of(&server, &name, |glance, home| {
        answers::home(&name, glance, home)
    })
}

async fn segments(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    Question(asked): Question<Asked>,
) -> Response {
    of(&server, &name, |_, home| {
        answers::segments(&name, home, asked.limit())
    })
}

async fn graph(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    Question(asked): Question<Asked>,
) -> Response {
    of(&server, &name, |_, home| {
        answers::graph(&name, home, asked.limit())
    })
}

async fn home_alarms(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    Question(asked): Question<Asked>,
) -> Response {
    of(&server, &name, |_, home| {
        answers::home_alarms(&name, home, asked.limit())
    })
}

async fn predictions(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    Question(asked): Question<Asked>,
) -> Response {
    of(&server, &name, |_, home| {
        answers::predictions(&name, home, asked.limit())
    })
}

async fn versions(State(server): State<Arc<Server>>, Path(name): Path<String>) -> Response {
    of(&server, &name, |_, home| answers::versions(&name, home))
}

async fn model(State(server): State<Arc<Server>>, Path(name): Path<String>) -> Response {
    match model::of(&server.desk, &name).await {
        Ok(view) => axum::Json(view).into_response(),
        Err(Unknown::Home) => refusal(
            StatusCode::NOT_FOUND,
            "nothing is learnt of a home of this name: /api/homes lists those that are known",
        ),
        Err(Unknown::Busy) => {
            let error = "too many ask, or the run is not through with what came before; ask again";
            let mut refused = refusal(StatusCode::SERVICE_UNAVAILABLE, error);
            let later = HeaderValue::from_static("5");
            refused.headers_mut().insert(RETRY_AFTER, later);
            refused
        }
    }
}

async fn alarms(State(server): State<Arc<Server>>, Question(asked): Question<Asked>) -> Response {
    json(answers::alarms(&server.recent.alarms(asked.limit())))
}

async fn requests(State(server): State<Arc<Server>>, Question(asked): Question<Asked>) -> Response {
    json(answers::requests(&server.recent.requests(asked.limit())))
}
