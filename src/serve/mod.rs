//! What a live run shows and takes in over HTTP: a page, an API, its measures; events, contexts, feedback and erasures.
//!
//! A body becomes lines of the inbox before it is answered. What is shown is read from the outputs as they are written
//! (`recent`); the dataflow is waited for by requests alone that ask what became of their events, and say how long, and by those that ask
//! what a home's model knows (`model`), for some seconds. Whoever connects is a stranger: `access` says who may, `guard` asks it before
//! every answer, `limits` bounds what anybody can take.

mod access;
mod api;
mod args;
mod connection;
mod guard;
mod intake;
mod limits;
mod measures;
mod model;
mod page;
mod peers;
mod probes;
mod question;
mod recent;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::desk::Desk;
pub use access::Access;
pub use args::{Listen, ServeArgs};
use limits::Limits;
use measures::Measures;
use peers::Peers;
use recent::Recent;

/// How long accepting rests after the system refused a connection, for want of file descriptors for example.
const REST: Duration = Duration::from_millis(100);

/// What all requests share.
struct Server {
    desk: Desk,
    recent: Recent,
    access: Access,
    limits: Limits,
    peers: Peers,
    measures: Measures,
    rate: DefaultDirectRateLimiter,
    intakes: Semaphore,
    streams: Arc<Semaphore>,
}

/// Serves until the run is to end; then answers what was asked before, for some seconds at most. The output folder is read when
/// it begins: files are then as the run goes on with them.
///
/// # Errors
/// The address is gone.
pub fn serve(
    listener: TcpListener,
    desk: Desk,
    access: Access,
) -> impl Future<Output = io::Result<()>> {
    serve_within(listener, desk, access, Limits::default())
}

async fn serve_within(
    listener: TcpListener,
    desk: Desk,
    access: Access,
    limits: Limits,
) -> io::Result<()> {
    let rate = NonZeroU32::new(limits.requests).unwrap_or(NonZeroU32::MIN);
    let server = Arc::new(Server {
        recent: Recent::default(),
        peers: Peers::default(),
        measures: Measures::of(&desk.gauges),
        rate: RateLimiter::direct(
            Quota::per_second(rate)
                .allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1))),
        ),
        intakes: Semaphore::new(limits.intakes),
        streams: Arc::new(Semaphore::new(limits.streams)),
        desk,
        access,
        limits,
    });
    let follows = tokio::spawn(server.recent.clone().follow(server.desk.clone()));
    accept(&listener, &server).await?;
    // It ends with the run, as the server does.
    let _ = follows.await;
    Ok(())
}

/// Answers connections until the run is to end.
async fn accept(listener: &TcpListener, server: &Arc<Server>) -> io::Result<()> {
    let router = router(server);
    let (end, ending) = watch::channel(false);
    let places = Arc::new(Semaphore::new(server.limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place.map_err(io::Error::other)?,
            () = server.desk.ending() => break,
        };
        let (stream, address) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(_) => {
                    tokio::time::sleep(REST).await;
                    continue;
                }
            },
            () = server.desk.ending() => break,
        };
        while connections.try_join_next().is_some() {}
        let limits = server.limits;
        let Some(counted) = server.peers.connect(address.ip(), limits.connections_each) else {
            continue;
        };
        // An answer in two small parts would else wait for the other side's acknowledgement.
        let _ = stream.set_nodelay(true);
        let (router, ending, open) = (
            router.clone(),
            ending.clone(),
            server.measures.connections.clone(),
        );
        connections.spawn(async move {
            open.inc();
            let from = guard::Caller(address.ip());
            connection::answer(stream, from, router, limits, ending).await;
            open.dec();
            drop((counted, place));
        });
    }
    end.send_replace(true);
    while connections.join_next().await.is_some() {}
    Ok(())
}

fn router(server: &Arc<Server>) -> Router {
    let mut router = Router::new()
        .route("/livez", get(probes::lives))
        .route("/readyz", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .merge(page::routes());
    for endpoint in api::endpoints() {
        router = router.route(endpoint.path, endpoint.route);
    }
    router
        .fallback(page::missing)
        .layer(axum::extract::DefaultBodyLimit::max(server.limits.form))
        .layer(axum::middleware::from_fn_with_state(
            server.clone(),
            guard::guard,
        ))
        .with_state(server.clone())
}

/// An answer that says what is wrong, for programs.
fn refusal(status: StatusCode, error: &str) -> Response {
    (status, axum::Json(serde_json::json!({ "error": error }))).into_response()
}
