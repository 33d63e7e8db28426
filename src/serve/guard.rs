//! What stands before every answer: who asks, for whom, how often; and what every answer bears.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, LOCATION, REFERRER_POLICY, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::{Shown, is_foreign};
use super::measures::ByStatus;
use super::{Server, refusal};

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller(pub IpAddr);

/// Paths that whoever reaches the server may have: whether it lives, and where the token is shown.
const OPEN: [&str; 3] = ["/livez", "/readyz", "/login"];

/// Answers a request, or refuses it.
pub(super) async fn guard(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let limit = server.limits.answer;
    let bounded = is_bounded(&request);
    let response = match admitted(&server, &request) {
        Err(refused) => *refused,
        Ok(()) if !bounded => next.run(request).await,
        Ok(()) => match tokio::time::timeout(limit, next.run(request)).await {
            Ok(response) => response,
            Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, "the answer took too long"),
        },
    };
    let status = response.status().as_u16();
    server
        .measures
        .answers
        .get_or_create(&ByStatus { status })
        .inc();
    dressed(response)
}

/// Whether an answer is to be there soon: bodies of lines have limits of their own.
fn is_bounded(request: &Request) -> bool {
    !super::intake::PATHS.contains(&request.uri().path())
}

fn admitted(server: &Server, request: &Request) -> Result<(), Box<Response>> {
    let refuse = |status, reason: &str| Err(Box::new(refusal(status, reason)));
    let path = request.uri().path();
    if server.rate.check().is_err() {
        let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, "too many requests");
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return Err(Box::new(response));
    }
    if !server.access.is_host(request.headers()) {
        return refuse(
            StatusCode::MISDIRECTED_REQUEST,
            "without a token only requests to localhost are answered: use --token-file to serve under another name",
        );
    }
    if is_foreign(request.method(), request.headers()) {
        return refuse(
            StatusCode::FORBIDDEN,
            "a page from elsewhere may change nothing here",
        );
    }
    if OPEN.contains(&path) {
        return Ok(());
    }
    let from = request.extensions().get::<Caller>().copied();
    let shown = server.shown(from, |access| access.shown(request.headers()));
    match shown {
        Ok(Shown::Right) => Ok(()),
        Ok(Shown::Nothing) if is_page(request) => {
            let mut response = StatusCode::SEE_OTHER.into_response();
            response
                .headers_mut()
                .insert(LOCATION, HeaderValue::from_static("/login"));
            Err(Box::new(response))
        }
        Ok(Shown::Nothing | Shown::Wrong) => {
            let mut response = refusal(
                StatusCode::UNAUTHORIZED,
                "show the token: Authorization: Bearer TOKEN",
            );
            let headers = response.headers_mut();
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            Err(Box::new(response))
        }
        Err(response) => Err(response),
    }
}

impl Server {
    /// What somebody shows, unless he has guessed too often.
    pub(super) fn shown(
        &self,
        from: Option<Caller>,
        look: impl FnOnce(&super::Access) -> Shown,
    ) -> Result<Shown, Box<Response>> {
        if !self.access.is_guarded() {
            return Ok(Shown::Right);
        }
        let Caller(address) = from.unwrap_or(Caller(std::net::Ipv4Addr::UNSPECIFIED.into()));
        if self.peers.is_guessing(address) {
            let mut response = refusal(
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong tokens came from this address: wait a minute",
            );
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from_static("60"));
            return Err(Box::new(response));
        }
        let shown = look(&self.access);
        if shown == Shown::Wrong {
            self.peers.guessed(address);
            self.measures.guesses.inc();
        }
        Ok(shown)
    }
}

/// Whether a person looks: a browser is then led to where the token is shown.
fn is_page(request: &Request) -> bool {
    let accept = request
        .headers()
        .get("accept")
        .and_then(|it| it.to_str().ok());
    request.method() == Method::GET && accept.is_some_and(|it| it.contains("text/html"))
}

/// What every answer bears: nobody guesses its type, keeps it, frames it, or reads it from another page.
fn dressed(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 5] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    headers
        .entry("content-security-policy")
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    response
}
