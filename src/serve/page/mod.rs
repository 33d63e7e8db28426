//! The page: made here, whole, without a script but one that tells of alarms as they come, and without anything from elsewhere.
//! Every name goes through maud, which escapes it, or through `words::link`.

mod alarm;
mod day;
mod frame;
mod graph;
mod home;
mod homes;
mod learnt;
mod login;
mod said;
mod shifts;
mod timeline;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::model::{self, Unknown};
use super::{Server, refusal};
use crate::time;

/// What stands behind the `?` of a page.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
    after: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    home: String,
    day: Option<String>,
    #[serde(default)]
    alarm: String,
    said: Option<String>,
}

/// Its routes.
pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/", get(all))
        .route("/home", get(one))
        .route("/learnt", get(learnt))
        .route("/alarm", get(alarm))
        .route("/alarms", get(alarms))
        .route("/login", get(login::ask).post(login::take))
        .route("/said/fine", post(said::take_fine))
        .route("/said/erase", post(said::take_erasure))
        .route("/said/shift", post(said::take_shift))
        .route("/said/mode", post(said::take_mode))
}

async fn all(State(server): State<Arc<Server>>, Query(asked): Query<Asked>) -> Response {
    frame::page(
        "Homes",
        &homes::homes(&server, asked.after.as_deref(), asked.q.trim()),
    )
}

async fn alarms(State(server): State<Arc<Server>>) -> Response {
    frame::page(
        "Alarms",
        &homes::alarms(&server.recent.alarms(homes::ALL_ALARMS)),
    )
}

async fn one(State(server): State<Arc<Server>>, Query(asked): Query<Asked>) -> Response {
    let Some(known) = server.recent.home(&asked.name) else {
        return unknown(&asked);
    };
    let day = asked.day.as_deref().and_then(|day| day.parse().ok());
    let content = html! {
        (done(&asked))
        (home::home(&asked.name, &known, day, server.access.form()))
    };
    frame::page(&asked.name, &content)
}

async fn learnt(State(server): State<Arc<Server>>, Query(asked): Query<Asked>) -> Response {
    match model::of(&server.desk, &asked.name).await {
        Ok(view) => {
            let known = server.recent.home(&asked.name);
            // Of a home whose zone was not given: as its last event had it.
            let newest = known.and_then(|(glance, _)| glance.newest);
            let offset = newest.map_or(0, |newest| newest.offset);
            frame::page(&asked.name, &learnt::learnt(&view, offset))
        }
        Err(Unknown::Home) if server.recent.home(&asked.name).is_some() => frame::trouble(
            StatusCode::OK,
            "Nothing is learnt of this home yet",
            "A home is learnt segment by segment: its first one is still open, or was erased.",
        ),
        Err(Unknown::Home) => unknown(&asked),
        Err(Unknown::Busy) => frame::trouble(
            StatusCode::SERVICE_UNAVAILABLE,
            "It cannot be told now",
            "Hearth is not through with what came before, or too many ask at once. Try again in a moment.",
        ),
    }
}

async fn alarm(State(server): State<Arc<Server>>, Query(asked): Query<Asked>) -> Response {
    let Some((_, known)) = server.recent.home(&asked.home) else {
        return unknown(&asked);
    };
    let at = time::parse(&asked.alarm, &jiff::tz::TimeZone::UTC);
    let at = at.map(|(time, offset)| crate::outputs::Stamp { time, offset });
    let content = at
        .ok()
        .and_then(|at| alarm::alarm(&known, at, server.access.form()));
    match content {
        Some(content) => frame::page(
            &format!("Alarm in {}", asked.home),
            &html! { (done(&asked)) (content) },
        ),
        None => frame::trouble(
            StatusCode::NOT_FOUND,
            "This alarm does not stand",
            "It was withdrawn because its segment changed, it was erased, or it is long ago.",
        ),
    }
}

/// Says that what was said has come.
fn done(asked: &Asked) -> Markup {
    let said = asked.said.as_deref();
    let told = said::DONE.iter().find(|(name, _)| Some(*name) == said);
    html! { @if let Some((_, told)) = told { p.note role="status" { (told) } } }
}

fn unknown(asked: &Asked) -> Response {
    match asked.said.as_deref() {
        Some("erased") => frame::trouble(
            StatusCode::OK,
            "It is forgotten",
            "Nothing is known of this home any more.",
        ),
        _ => frame::trouble(
            StatusCode::NOT_FOUND,
            "This home is not known",
            "Nothing of a home of this name has come yet, or it was erased.",
        ),
    }
}

/// What nothing else answers.
pub(super) async fn missing(method: Method, uri: Uri) -> Response {
    match method == Method::GET && !uri.path().starts_with("/api/") {
        true => frame::trouble(
            StatusCode::NOT_FOUND,
            "There is nothing here",
            "The address may be mistyped.",
        ),
        false => refusal(
            StatusCode::NOT_FOUND,
            "there is nothing here: /api/openapi.json says what there is",
        ),
    }
}
