//! Alarms as they are raised and withdrawn, as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::super::measures::Measures;
use super::super::question::Question;
use super::super::recent::{Place, Rung};
use super::super::{Server, refusal};

/// How often a silent stream says that it lives; whoever is gone is noticed by it.
const ALIVE: Duration = Duration::from_secs(15);

/// After how long a client comes back.
const RETRY: Duration = Duration::from_secs(3);

/// A client that listens.
struct Listener {
    server: Arc<Server>,
    behind: Place,
    pending: VecDeque<Event>,
    _counted: Counted,
}

/// A listener that counts, for as long as it lives.
struct Counted(
    Measures,
    #[allow(dead_code, reason = "held")] OwnedSemaphorePermit,
);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.streams.dec();
    }
}

/// What may stand behind the `?`.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    /// The id of an event; empty: none was had.
    #[serde(default)]
    after: String,
}

/// `GET /api/alarms/stream`. Each event has an id, also `begin`, which comes first and tells nothing else; who comes back with the last one
/// (`Last-Event-ID`, or `after`) misses nothing that is still known, and after a restart of the run is told all of that event's epoch
/// again. `gap` says that something in between is not known any more.
pub(super) async fn alarms(
    State(server): State<Arc<Server>>,
    Question(asked): Question<Asked>,
    headers: HeaderMap,
) -> Response {
    let Ok(permit) = server.streams.clone().try_acquire_owned() else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "too many listen already");
    };
    server.measures.streams.inc();
    let counted = Counted(server.measures.clone(), permit);
    let header = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    // A browser that lost the connection asks with the path that it had, and the header.
    let last = header.unwrap_or(&asked.after).parse();
    let behind = last.unwrap_or_else(|_| server.recent.newest());
    let begin = Event::default().event("begin").data("alarms");
    let listener = Listener {
        pending: VecDeque::from([begin.id(behind.to_string()).retry(RETRY)]),
        behind,
        server,
        _counted: counted,
    };
    let events = stream::unfold(listener, |mut listener| async {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(ALIVE))
        .into_response()
}

impl Listener {
    /// The next event; none once the run is to end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            let (since, mut wakes) = self.server.recent.rung(&self.behind);
            self.behind = since.newest;
            if since.missing {
                self.pending
                    .push_back(Event::default().event("gap").data("see /api/alarms"));
            }
            self.pending.extend(since.rung.iter().map(event));
            if self.pending.is_empty() {
                tokio::select! {
                    woken = wakes.changed() => woken.ok()?,
                    () = self.server.desk.ending() => return None,
                }
            }
        }
    }
}

fn event(rung: &Rung) -> Event {
    let name = match rung.raised {
        true => "alarm",
        false => "withdrawn",
    };
    // A line of an output has no line end inside.
    Event::default()
        .id(rung.place.to_string())
        .event(name)
        .data(&*rung.line)
}
