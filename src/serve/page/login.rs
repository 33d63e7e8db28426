//! Where a browser shows the token.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::Server;
use super::super::access::Shown;
use super::super::guard::Caller;
use super::frame::stranger;

/// The form that came back.
#[derive(Debug, Deserialize)]
pub(super) struct Login {
    #[serde(default)]
    token: String,
}

/// `GET /login`
pub(super) async fn ask(State(server): State<Arc<Server>>) -> Response {
    match server.access.is_guarded() {
        true => stranger(StatusCode::OK, "Who are you?", &form(None)),
        false => Redirect::to("/").into_response(),
    }
}

/// `POST /login`
pub(super) async fn take(
    State(server): State<Arc<Server>>,
    from: Option<Extension<Caller>>,
    Form(login): Form<Login>,
) -> Response {
    let shown = server.shown(from.map(|it| it.0), |access| {
        match access.is_token(login.token.trim()) {
            true => Shown::Right,
            false => Shown::Wrong,
        }
    });
    match shown {
        Ok(Shown::Right) => {
            let mut response = Redirect::to("/").into_response();
            if let Ok(cookie) = HeaderValue::from_str(&server.access.cookie()) {
                response.headers_mut().insert(SET_COOKIE, cookie);
            }
            response
        }
        Ok(_) => {
            let wrong = "This is not the token. It is in the file that --token-file names.";
            stranger(StatusCode::UNAUTHORIZED, "Who are you?", &form(Some(wrong)))
        }
        Err(_) => {
            let wait = "Too many wrong tokens came from your address. Wait a minute.";
            stranger(
                StatusCode::TOO_MANY_REQUESTS,
                "Who are you?",
                &form(Some(wait)),
            )
        }
    }
}

fn form(trouble: Option<&str>) -> Markup {
    html! {
        h1 { "Who are you?" }
        p.lead { "This page is for the people of these homes." }
        @if let Some(trouble) = trouble { p.note role="alert" { (trouble) } }
        form action="/login" method="post" {
            p { label for="token" { "Token" } input #token type="password" name="token" required autocomplete="current-password" autofocus; }
            button { "Enter" }
        }
    }
}
