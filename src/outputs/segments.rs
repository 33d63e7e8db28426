//! Segments: how behaviour is cut.

use std::borrow::Cow;
use std::sync::Arc;

use hearth_operators::words::{Epoch, Segment};
use serde::{Deserialize, Serialize};

use super::parts::{BehaviorLine, Stamp, behaviors, ends};
use super::{Change, Names, Record, Stream, Tally};

/// `segments.jsonl`, a collection: the behaviour sequences that the split cut.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SegmentLine<'a> {
    /// See [the module](super).
    pub epoch: u64,
    /// See [the module](super).
    pub diff: i64,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// Time of the first behaviour.
    pub start: Stamp,
    /// Time of the last behaviour.
    pub end: Stamp,
    /// The behaviours in order of time.
    #[serde(borrow)]
    pub behaviors: Vec<BehaviorLine<'a>>,
}

impl Record for Change<Arc<Segment>> {
    const STREAM: Stream = Stream::Segments;

    fn line(&self, _: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let (segment, epoch, diff) = self;
        let Some((start, end)) = ends(segment) else {
            return Ok(());
        };
        let value = SegmentLine {
            epoch: *epoch,
            diff: *diff,
            home: Cow::Borrowed(&names.home(segment.home)),
            start,
            end,
            behaviors: behaviors(segment, names),
        };
        serde_json::to_writer(line, &value)
    }

    fn count(&self, tally: &mut Tally) {
        let (segment, _, diff) = self;
        tally.home(segment.home);
        tally.counts.segments += diff;
    }
}
