//! What becomes of the events of a body: `POST /events?wait=5s` answers once it is known, or when that time is over.

use std::collections::BTreeMap;
use std::time::Duration;

use hearth_operators::split::Fate;
use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout_at};

use super::TOLD;
use crate::config::Span;
use crate::desk::Desk;
use crate::fates::{Fated, telling};
use crate::inbox::{Inbox, InboxError};
use crate::outputs::{IMPLAUSIBLE, LATE};
use crate::sources::files::Kind;

/// The longest that somebody may wait.
const LONGEST: Duration = Duration::from_secs(60);

/// Events of a body whose fates are waited for at most: each is kept in mind until then.
const AWAITED: u64 = 10_000;

/// How long is waited.
pub(super) fn wait(kind: Kind, wait: &str) -> Result<Duration, String> {
    if kind != Kind::Event {
        return Err("only what becomes of events can be waited for".to_owned());
    }
    let wait = wait.parse::<Span>()?.duration();
    match wait > LONGEST {
        true => Err(format!("a wait is at most {} seconds", LONGEST.as_secs())),
        false => Ok(wait),
    }
}

/// What became of the events that a body brought.
#[derive(Debug, Default, Serialize)]
pub(super) struct Told {
    applied: u64,
    duplicate: u64,
    late: u64,
    rejected: u64,
    /// Those of which nothing else is known.
    pending: u64,
    /// Late and rejected ones, the first so many that are told.
    refused: Vec<Refused>,
}

/// An event that was taken in and is not applied.
#[derive(Debug, Serialize)]
struct Refused {
    /// Its line in the body, from 1.
    line: u64,
    fate: &'static str,
    reason: String,
}

/// Who waits for what becomes of a body's events.
pub(super) struct Waits {
    wait: Duration,
    tell: UnboundedSender<Fated>,
    told: UnboundedReceiver<Fated>,
    /// Lines of the body by the place in the inbox where they begin.
    lines: BTreeMap<u64, Vec<u64>>,
    asked: u64,
}

impl Waits {
    pub fn new(wait: Duration) -> Self {
        let (tell, told) = unbounded_channel();
        Waits {
            wait,
            tell,
            told,
            lines: BTreeMap::new(),
            asked: 0,
        }
    }

    /// Puts events, which stand in these lines of the body, into the inbox.
    pub async fn put(
        &mut self,
        inbox: &Inbox,
        events: Vec<String>,
        mut numbers: Vec<u64>,
    ) -> Result<(), InboxError> {
        let asks = (AWAITED - self.asked).min(events.len() as u64);
        if asks == 0 {
            return inbox.put(events, None).await;
        }
        let tell = telling(self.tell.clone());
        let first = inbox.put_asking(events, (asks, tell)).await?;
        numbers.truncate(usize::try_from(asks).unwrap_or(usize::MAX));
        self.lines.insert(first, numbers);
        self.asked += asks;
        Ok(())
    }

    /// Waits until what became of the events is known, the time is over, or the run is to end.
    pub async fn end(mut self, desk: &Desk, accepted: u64) -> Told {
        let until = Instant::now() + self.wait;
        let mut told = Told::default();
        for _ in 0..self.asked {
            let fated = tokio::select! {
                fated = timeout_at(until, self.told.recv()) => fated,
                () = desk.ending() => break,
            };
            let Ok(Some(fated)) = fated else { break };
            let line = self.line(fated.line);
            told.take(fated, line);
        }
        told.refused.sort_by_key(|refused| refused.line);
        let known = told.applied + told.duplicate + told.late + told.rejected;
        told.pending = accepted.saturating_sub(known);
        told
    }

    /// The line of the body that stands there in the inbox.
    fn line(&self, number: u64) -> u64 {
        let begun = self.lines.range(..=number).next_back();
        let line = begun.and_then(|(first, lines)| lines.get((number - first) as usize));
        line.copied().unwrap_or_default()
    }
}

impl Told {
    fn take(&mut self, fated: Fated, line: u64) {
        let (count, why) = match fated.fate {
            Fate::Applied => (&mut self.applied, None),
            Fate::Duplicate => (&mut self.duplicate, None),
            Fate::Late => (&mut self.late, Some(("late", LATE))),
            Fate::Rejected => (&mut self.rejected, Some(("rejected", IMPLAUSIBLE))),
            // It counts as pending.
            Fate::Waiting => return,
        };
        *count += 1;
        if let Some((fate, why)) = why
            && self.refused.len() < TOLD
        {
            let reason = fated.reason.unwrap_or_else(|| why.to_owned());
            self.refused.push(Refused { line, fate, reason });
        }
    }
}
