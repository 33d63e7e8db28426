//! Input that is not applied: events that come too late, and what cannot be used at all.

use std::borrow::Cow;

use hearth_operators::split::Account;
use hearth_operators::words::{Behavior, Epoch, Saying, Shift};
use serde::{Deserialize, Serialize};

use super::parts::{Stamp, stamp};
use super::{Names, Record, Stream, Tally};

/// Why an event is late.
pub const LATE: &str = "it lies before its home's horizon (newest event minus lateness)";

/// Why an event that jumps ahead is rejected.
pub const IMPLAUSIBLE: &str =
    "it jumps ahead of its home's newest event and no second event confirms it";

/// `late.jsonl` and `rejected.jsonl`: input that was not applied.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefusedLine<'a> {
    /// The input line; for one that was already decoded, its event as JSON.
    #[serde(borrow)]
    pub line: Cow<'a, str>,
    /// `file:line`.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    /// Why.
    #[serde(borrow)]
    pub reason: Cow<'a, str>,
}

/// An event from before its home's horizon.
#[derive(Clone, Debug)]
pub struct Late(pub Behavior);

impl Late {
    /// The event, if it is one.
    pub fn of(account: Account) -> Option<Late> {
        match account {
            Account::Late(behavior) => Some(Late(behavior)),
            Account::Counted { .. }
            | Account::Rejected(_)
            | Account::Erased(_)
            | Account::Told(..) => None,
        }
    }
}

impl Record for Late {
    const STREAM: Stream = Stream::Late;

    fn line(&self, _: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
        event(&self.0, LATE, names, line)
    }

    fn count(&self, tally: &mut Tally) {
        tally.late(self.0.home);
    }
}

/// What cannot be used.
#[derive(Clone, Debug)]
pub enum Rejection {
    /// A line of the input that is no event.
    Line {
        /// The line, as far as it can be shown.
        line: String,
        /// `file:line`.
        source: String,
        /// Why.
        reason: String,
    },
    /// An event that cannot be true: a clock far ahead.
    Implausible(Behavior),
    /// A line of the contexts that declares no shift. No event.
    Context {
        /// The line, as far as it can be shown.
        line: String,
        /// `file:line`.
        source: String,
        /// Why.
        reason: String,
    },
    /// A line of what people say that cannot be used. No event.
    Told {
        /// What it was meant to say.
        of: Saying,
        /// The line, as far as it can be shown.
        line: String,
        /// `file:line`.
        source: String,
        /// Why.
        reason: String,
    },
    /// A declared shift that came too late: a later one of that home was answered already. No event.
    Shift(Shift),
}

impl Rejection {
    /// The event, if it cannot be true.
    pub fn of(account: Account) -> Option<Rejection> {
        match account {
            Account::Rejected(behavior) => Some(Rejection::Implausible(behavior)),
            Account::Counted { .. } | Account::Late(_) | Account::Erased(_) | Account::Told(..) => {
                None
            }
        }
    }
}

impl Record for Rejection {
    const STREAM: Stream = Stream::Rejected;

    fn line(&self, _: Epoch, names: &Names, out: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            Rejection::Implausible(behavior) => event(behavior, IMPLAUSIBLE, names, out),
            Rejection::Shift(shift) => declared(shift, names, out),
            Rejection::Line {
                line,
                source,
                reason,
            }
            | Rejection::Context {
                line,
                source,
                reason,
            }
            | Rejection::Told {
                line,
                source,
                reason,
                ..
            } => serde_json::to_writer(
                out,
                &RefusedLine {
                    line: line.into(),
                    source: source.into(),
                    reason: reason.into(),
                },
            ),
        }
    }

    fn count(&self, tally: &mut Tally) {
        match self {
            Rejection::Line { .. } | Rejection::Implausible(_) => tally.counts.rejected += 1,
            Rejection::Told { of, .. } => match of {
                Saying::Feedback => tally.counts.feedback.rejected += 1,
                Saying::Erasure => tally.counts.erasures.rejected += 1,
                Saying::Context => tally.counts.rejected_contexts += 1,
            },
            Rejection::Context { .. } | Rejection::Shift(_) => tally.counts.rejected_contexts += 1,
        }
    }
}

/// An event that was decoded but not applied, as the input formats write it.
fn event(
    behavior: &Behavior,
    reason: &str,
    names: &Names,
    line: &mut Vec<u8>,
) -> serde_json::Result<()> {
    #[derive(Serialize)]
    struct Event<'a> {
        home: &'a str,
        time: Stamp,
        device: &'a str,
        action: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
    }
    let (home, action) = (behavior.home, behavior.moment.action);
    let event = serde_json::to_string(&Event {
        home: &names.home(home),
        time: stamp(&behavior.moment),
        device: names.device(home, action),
        action: names.action_alone(home, action),
        id: behavior.id.as_deref(),
    })?;
    let value = RefusedLine {
        line: event.into(),
        source: names.source(behavior.line).into(),
        reason: reason.into(),
    };
    serde_json::to_writer(line, &value)
}

/// A shift that was declared too late, as the contexts' format writes it.
fn declared(shift: &Shift, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
    let home = shift.home.map(|home| names.home(home));
    let declared = serde_json::json!({
        "home": home.as_deref().unwrap_or("*"),
        "time": crate::time::format(shift.time, shift.offset),
        "kind": shift.kind,
        "from": shift.from,
        "to": shift.to,
    });
    let value = RefusedLine {
        line: declared.to_string().into(),
        source: "contexts".into(),
        reason: "a later shift of this home was answered already, or this one was found before it was declared"
            .into(),
    };
    serde_json::to_writer(line, &value)
}
