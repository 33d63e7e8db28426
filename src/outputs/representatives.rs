//! Representatives: the segments that compression keeps.

use std::borrow::Cow;
use std::sync::Arc;

use hearth_operators::words::{Epoch, Segment, ShiftKey};
use serde::{Deserialize, Serialize};

use super::parts::{BehaviorLine, Stamp, behaviors, ends, weekday};
use super::{Change, Names, Record, Stream, Tally};

/// `representatives.jsonl`, a collection: the segments that compression kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RepresentativeLine<'a> {
    /// See [the module](super).
    pub epoch: u64,
    /// See [the module](super).
    pub diff: i64,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// How many of the home's shifts lie at or before the segment's start.
    pub regime: u32,
    /// Weekday of the first behaviour, such as `Monday`.
    #[serde(borrow)]
    pub weekday: Cow<'a, str>,
    /// Time of the first behaviour.
    pub start: Stamp,
    /// The behaviours in order of time.
    #[serde(borrow)]
    pub behaviors: Vec<BehaviorLine<'a>>,
}

/// A segment with the home's regime that it is kept for.
impl Record for Change<(ShiftKey, Arc<Segment>)> {
    const STREAM: Stream = Stream::Representatives;

    fn line(&self, _: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let ((key, segment), epoch, diff) = self;
        let Some((start, _)) = ends(segment) else {
            return Ok(());
        };
        let value = RepresentativeLine {
            epoch: *epoch,
            diff: *diff,
            home: Cow::Borrowed(&names.home(segment.home)),
            regime: key.regime,
            weekday: weekday(segment.weekday()),
            start,
            behaviors: behaviors(segment, names),
        };
        serde_json::to_writer(line, &value)
    }

    fn count(&self, tally: &mut Tally) {
        let (_, _, diff) = self;
        tally.counts.representatives += diff;
    }
}
