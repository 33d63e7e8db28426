//! What every page has around its content.

use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Style for light and dark, for phones and desks.
const STYLE: &str = include_str!("style.css");

/// The one script: alarms as they come. Without it a page is as old as it is.
const SCRIPT: &str = include_str!("alarms.js");

/// A page with its title.
pub(super) fn page(title: &str, content: &Markup) -> Response {
    answer(StatusCode::OK, title, content, true)
}

/// A page that says what is wrong, and what can be done.
pub(super) fn trouble(status: StatusCode, title: &str, remedy: &str) -> Response {
    let content = html! {
        h1 { (title) }
        p { (remedy) }
        p { a href="/" { "All homes" } }
    };
    answer(status, title, &content, true)
}

/// A page for who has not shown the token yet: it listens for nothing.
pub(super) fn stranger(status: StatusCode, title: &str, content: &Markup) -> Response {
    answer(status, title, content, false)
}

fn answer(status: StatusCode, title: &str, content: &Markup, inside: bool) -> Response {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Hearth" }
                link rel="icon" href="data:,";
                style nonce=(nonce) { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    a.brand href="/" { "Hearth" }
                    @if inside {
                        nav aria-label="Main" {
                            a href="/" { "Homes" }
                            a href="/alarms" { "Alarms" }
                        }
                    }
                }
                @if inside { div #news role="status" {} }
                main #content { (content) }
                footer { "Hearth " (env!("CARGO_PKG_VERSION")) @if inside { " · " a href="/api/openapi.json" { "API" } " · " a href="/metrics" { "Measures" } } }
                @if inside { script nonce=(nonce) { (PreEscaped(SCRIPT)) } }
            }
        }
    };
    let mut response = (status, Html(document.into_string())).into_response();
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}
