//! Transitions: the behaviour graph.

use std::borrow::Cow;

use hearth_operators::transitions::Transition;
use hearth_operators::words::Epoch;
use serde::{Deserialize, Serialize};

use super::{Change, Names, Record, Stream, Tally};

/// `transitions.jsonl`, a collection: `to` followed `from` in a segment, `diff` times more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TransitionLine<'a> {
    /// See [the module](super).
    pub epoch: u64,
    /// Change of the count.
    pub diff: i64,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// The earlier action, `Device:action`.
    #[serde(borrow)]
    pub from: Cow<'a, str>,
    /// The later action, `Device:action`.
    #[serde(borrow)]
    pub to: Cow<'a, str>,
}

impl Record for Change<Transition> {
    const STREAM: Stream = Stream::Transitions;

    fn line(&self, _: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let (Transition { home, from, to }, epoch, diff) = *self;
        let value = TransitionLine {
            epoch,
            diff,
            home: Cow::Borrowed(&names.home(home)),
            from: names.action(home, from),
            to: names.action(home, to),
        };
        serde_json::to_writer(line, &value)
    }

    fn count(&self, tally: &mut Tally) {
        let (_, _, diff) = self;
        tally.counts.transitions += diff;
    }
}
