//! What became of what people say: feedback to alarms, and erasures.

use std::borrow::Cow;

use hearth_operators::split::Account;
use hearth_operators::words::{Epoch, Erased, Heard, Time};
use serde::{Deserialize, Serialize};

use super::parts::Stamp;
use super::{Names, Record, Stream, Tally};

/// `feedback.jsonl`: what was said of alarms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeedbackLine<'a> {
    /// See [the module](super).
    pub epoch: u64,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// Which alarm of the home.
    pub alarm: Stamp,
    /// Whether it counts.
    pub applied: bool,
    /// Why not.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Cow<'a, str>>,
    /// `file:line`.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
}

/// `erasures.jsonl`: what was to be forgotten, and how much that was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErasureLine<'a> {
    /// See [the module](super).
    pub epoch: u64,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// From when on; none: from the beginning.
    pub from: Option<Stamp>,
    /// Until when; none: to the end.
    pub to: Option<Stamp>,
    /// Of which device; none: of all.
    #[serde(borrow)]
    pub device: Option<Cow<'a, str>>,
    /// Events that are gone; 0: nothing of the kind was there.
    pub events: u64,
    /// `file:line`.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
}

fn utc(time: Time) -> Stamp {
    Stamp { time, offset: 0 }
}

impl Record for Heard {
    const STREAM: Stream = Stream::Feedback;

    fn line(&self, epoch: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let feedback = &self.feedback;
        let reason = "no alarm of this home that stands starts then, or it is long ago";
        let value = FeedbackLine {
            epoch,
            home: Cow::Borrowed(&names.home(feedback.home)),
            alarm: utc(feedback.start),
            applied: self.known,
            reason: (!self.known).then_some(reason.into()),
            source: names.source(feedback.line).into(),
        };
        serde_json::to_writer(line, &value)
    }

    fn count(&self, tally: &mut Tally) {
        let feedback = &mut tally.counts.feedback;
        match self.known {
            true => feedback.applied += 1,
            false => feedback.unknown += 1,
        }
    }
}

/// The erasure, if the account is of one.
pub fn erased(account: &Account) -> Option<Erased> {
    match account {
        Account::Erased(erased) => Some(*erased),
        Account::Counted { .. } | Account::Late(_) | Account::Rejected(_) | Account::Told(..) => {
            None
        }
    }
}

/// What asks for an erasure of which no line is.
const KEEP: &str = "--keep";

impl Record for Erased {
    const STREAM: Stream = Stream::Erasures;

    fn line(&self, epoch: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let erasure = &self.erasure;
        let value = ErasureLine {
            epoch,
            home: Cow::Borrowed(&names.home(erasure.home)),
            from: erasure.from.map(utc),
            to: erasure.to.map(utc),
            device: erasure
                .device
                .map(|device| names.device_named(erasure.home, device).into()),
            events: self.applied + self.waiting,
            source: match erasure.line.line {
                0 => KEEP.into(),
                _ => names.source(erasure.line).into(),
            },
        };
        serde_json::to_writer(line, &value)
    }

    fn count(&self, tally: &mut Tally) {
        let events = self.applied + self.waiting;
        let counts = &mut tally.counts;
        match events {
            0 => counts.erasures.nothing += 1,
            _ => counts.erasures.applied += 1,
        }
        counts.erased += events;
        counts.taken += self.applied;
    }
}
