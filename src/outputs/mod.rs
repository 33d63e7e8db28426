//! What leaves the dataflow: which streams there are, what a line of each is, what it adds to the counts, and how
//! lines are read back. Below everything that writes or shows.
//!
//! A new stream is a name in the list below, a file here with its line and its [`Record`], its columns, and a line in the
//! dataflow's outputs.
//!
//! Every stream is written as JSON Lines, packed by zstd where it is large. What holds for all of them:
//! - `epoch` is the number of the ingested batch at which the line became true, from 0;
//! - `diff` counts: +1 adds the rest of the line to the collection, -1 takes it back, larger numbers do so several
//!   times at once. The sum of the `diff`s of equal lines is what the collection holds, and never negative;
//! - times are RFC 3339 with the offset of the input, actions `Device:action`;
//! - losses and probabilities are JSON numbers, or `null` where a model gave no finite number.

mod adaptations;
mod alarms;
mod columns;
mod counts;
mod drifts;
mod grouped;
mod ids;
mod llm;
mod models;
mod names;
mod parts;
pub mod read;
mod refused;
mod representatives;
mod requests;
mod scores;
mod segments;
mod told;
mod transitions;
mod undone;
mod verdicts;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hearth_operators::words::Epoch;

pub use adaptations::AdaptationLine;
pub use alarms::{AlarmLine, ReasonLine};
pub use columns::Content;
pub use counts::{Counts, Sayings, Tally};
pub use drifts::{DeviceLine, DriftLine, HoursLine, RatesLine};
pub use grouped::grouped;
pub use ids::{request_id, shift_id, shift_of};
pub use llm::{LlmCharges, LlmSummary, LlmTotals};
pub use models::{Model, ModelOf};
pub use names::Names;
pub use parts::{BehaviorLine, QuadrupleLine, ShiftLine, Stamp, Word4};
pub use refused::{IMPLAUSIBLE, LATE, Late, RefusedLine, Rejection};
pub use representatives::RepresentativeLine;
pub use requests::{HintsLine, PromptLine, RequestLine};
pub use scores::{PredictionLine, ScoreLine, VersionsLine};
pub use segments::SegmentLine;
pub use told::{ErasureLine, FeedbackLine, erased};
pub use transitions::TransitionLine;
pub use undone::Undone;
pub use verdicts::{Judged, Judgement, VerdictLine};

/// Names the streams.
macro_rules! streams {
    ($($(#[$doc:meta])* $stream:ident => $name:literal,)*) => {
        /// A stream of lines.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub enum Stream {
            $($(#[$doc])* #[serde(rename = $name)] $stream,)*
        }

        impl Stream {
            /// All of them, in the order of the dataflow.
            pub const ALL: [Stream; [$($name),*].len()] = [$(Stream::$stream),*];

            /// Its name, as in `segments.jsonl`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Stream::$stream => $name,)*
                }
            }
        }
    };
}

streams! {
    /// [`SegmentLine`].
    Segments => "segments",
    /// [`TransitionLine`].
    Transitions => "transitions",
    /// [`RepresentativeLine`].
    Representatives => "representatives",
    /// [`RequestLine`].
    Requests => "requests",
    /// [`VerdictLine`].
    Verdicts => "verdicts",
    /// [`AdaptationLine`].
    Adaptations => "adaptations",
    /// [`ScoreLine`].
    Scores => "scores",
    /// [`AlarmLine`].
    Alarms => "alarms",
    /// [`FeedbackLine`].
    Feedback => "feedback",
    /// [`ErasureLine`].
    Erasures => "erasures",
    /// [`DriftLine`].
    Drifts => "drifts",
    /// [`RefusedLine`].
    Late => "late",
    /// [`RefusedLine`].
    Rejected => "rejected",
}

impl Stream {
    /// Whether outputs of earlier versions do not have it.
    pub(crate) fn is_new(self) -> bool {
        matches!(self, Stream::Feedback | Stream::Erasures | Stream::Drifts)
    }

    /// Its file in an output folder.
    pub fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.name()).with_extension("jsonl")
    }

    /// Its file, where that is packed.
    pub fn packed_path(self, dir: &Path) -> PathBuf {
        dir.join(self.name()).with_extension("jsonl.zst")
    }

    /// Whichever of its files is there: the plain one, unless only the packed one is.
    pub fn found(self, dir: &Path) -> PathBuf {
        let (plain, packed) = (self.path(dir), self.packed_path(dir));
        match !plain.is_file() && packed.is_file() {
            true => packed,
            false => plain,
        }
    }

    /// All its files: those that are sealed, in order, and the one that is appended to.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn files(self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let sealed = self.sealed_in(dir)?.into_iter();
        let sealed = sealed.map(|sealed| sealed.path);
        Ok(sealed.chain([self.found(dir)]).collect())
    }

    /// Its sealed files in a folder, in order.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn sealed_in(self, dir: &Path) -> io::Result<Vec<Sealed>> {
        let entries = std::fs::read_dir(dir)?;
        let paths: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
        Ok(self.sealed_among(paths?))
    }

    /// Its sealed files among others, in order.
    pub fn sealed_among(self, paths: Vec<PathBuf>) -> Vec<Sealed> {
        let sealed = paths.into_iter().filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let plain = name.strip_suffix(".zst").unwrap_or(name);
            let lines = plain.strip_suffix(".jsonl")?.strip_prefix(self.name())?;
            let (start, end) = lines.strip_prefix('-')?.split_once('-')?;
            Some(Sealed {
                lines: start.parse().ok()?..end.parse().ok()?,
                packed: plain.len() < name.len(),
                path,
            })
        });
        let mut sealed: Vec<_> = sealed.collect();
        sealed.sort_by_key(|sealed| sealed.lines.start);
        sealed
    }

    /// What a file with these bytes of its lines is called when nothing more is appended to it. By name they are in order.
    pub fn sealed_path(self, dir: &Path, lines: &Range<u64>, packed: bool) -> PathBuf {
        let ending = if packed { "jsonl.zst" } else { "jsonl" };
        let (name, Range { start, end }) = (self.name(), lines);
        dir.join(format!("{name}-{start:015}-{end:015}.{ending}"))
    }
}

/// A file of a stream to which nothing more is appended, for others follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Where it is.
    pub path: PathBuf,
    /// Which bytes of the stream's lines it holds.
    pub lines: Range<u64>,
    /// Whether it is packed.
    pub packed: bool,
}

/// `summary.json` of an output folder: written last, so a folder without it is not complete.
pub fn summary_path(dir: &Path) -> PathBuf {
    dir.join("summary.json")
}

/// Where the answers of a language model are recorded, if not elsewhere.
pub fn cassette_path(dir: &Path) -> PathBuf {
    dir.join("cassette")
}

/// Where checkpoints are, if not elsewhere.
pub fn state_path(dir: &Path) -> PathBuf {
    dir.join("state")
}

/// The inbox of a live run.
pub fn inbox_path(dir: &Path) -> PathBuf {
    dir.join("inbox.jsonl")
}

/// A part of it that is not appended to any more, by how many bytes of the inbox came before it. By name they are in order, and
/// before the one that is.
pub fn sealed_inbox_path(dir: &Path, before: u64) -> PathBuf {
    dir.join(format!("inbox-{before:020}.jsonl"))
}

/// Whether a file is an inbox, or a part of one.
pub fn is_inbox(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let part = name.and_then(|name| name.strip_prefix("inbox")?.strip_suffix(".jsonl"));
    let number = |part: &str| part.strip_prefix('-').map(str::parse::<u64>);
    part.is_some_and(|part| part.is_empty() || matches!(number(part), Some(Ok(_))))
}

/// What a stream consists of.
pub trait Record: Send + 'static {
    /// The stream.
    const STREAM: Stream;

    /// Appends the record's line, without line end, to `line`.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    fn line(&self, epoch: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()>;

    /// Adds what it is to the counts.
    fn count(&self, tally: &mut Tally);
}

/// A change of a collection, as differential has it: what, when, and how many more.
pub type Change<D> = (D, Epoch, i64);

/// Records of one stream, whichever it is.
pub trait Rows: Send {
    /// The stream.
    fn stream(&self) -> Stream;

    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the line of the record at `index`, without line end, to `line`.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    ///
    /// # Panics
    /// If there is none at `index`.
    fn line(
        &self,
        index: usize,
        epoch: Epoch,
        names: &Names,
        line: &mut Vec<u8>,
    ) -> serde_json::Result<()>;

    /// Adds what they are to the counts.
    fn count(&self, tally: &mut Tally);
}

impl<R: Record> Rows for Vec<R> {
    fn stream(&self) -> Stream {
        R::STREAM
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn line(
        &self,
        index: usize,
        epoch: Epoch,
        names: &Names,
        line: &mut Vec<u8>,
    ) -> serde_json::Result<()> {
        self[index].line(epoch, names, line)
    }

    fn count(&self, tally: &mut Tally) {
        for record in self {
            record.count(tally);
        }
        tally.lines(R::STREAM, self.len() as u64);
    }
}

#[cfg(test)]
mod tests;
