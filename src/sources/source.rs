//! What every source offers.

use std::time::Instant;

use hearth_operators::split::Notice;
use hearth_operators::words::{Behavior, Saying, Shift};

use serde::{Deserialize, Serialize};

use super::SourceError;

/// Where behaviours and contexts come from, line by line, in the order of ingestion.
///
/// ```
/// use std::time::Instant;
/// use hearth::sources::{Batch, Flow, Source, SourceError};
///
/// /// Lines that are no events.
/// struct Nonsense(u64);
///
/// impl Source for Nonsense {
///     fn read(&mut self, limit: usize, _: Instant, batch: &mut Batch) -> Result<Flow, SourceError> {
///         for _ in 0..limit.min(2) {
///             self.0 += 1;
///             batch.rejected.push(hearth::sources::Rejected {
///                 line: "?".into(),
///                 source: format!("nonsense:{}", self.0),
///                 reason: "nonsense".into(),
///             });
///         }
///         batch.position.line = self.0;
///         Ok(if self.0 < 5 { Flow::Open } else { Flow::Ended })
///     }
/// }
///
/// let (mut source, mut batch) = (Nonsense(0), Batch::default());
/// while source.read(10, Instant::now(), &mut batch).unwrap() == Flow::Open {}
/// assert_eq!((batch.lines(), batch.position.line), (6, 6));
/// ```
pub trait Source: Send {
    /// Appends to `batch` what comes next, at most `limit` lines, and moves its position behind them. Returns as soon as there
    /// are so many, at the end, or at `deadline` with what is there by then, which may be nothing. A source that
    /// does not have to wait may look at the clock now and then.
    ///
    /// # Errors
    /// The input breaks off. What was read before stands in `batch`; a further call goes on behind the damage, or says that
    /// this is the end.
    fn read(
        &mut self,
        limit: usize,
        deadline: Instant,
        batch: &mut Batch,
    ) -> Result<Flow, SourceError>;

    /// Whether lines may be long in coming: what is read of such a source is worth handing on before a batch is full.
    fn trickles(&self) -> bool {
        false
    }

    /// Whether it says itself where epochs end, by [`Batch::closes`].
    fn says_ends(&self) -> bool {
        false
    }

    /// Bytes of the whole input, as [`Position::bytes`] counts; `None` where nobody knows.
    fn bytes_total(&self) -> Option<u64> {
        None
    }
}

/// Whether a source has more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It may.
    Open,
    /// It has not.
    Ended,
}

/// What was read, up to a position.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Events, in order of ingestion.
    pub behaviors: Vec<Behavior>,
    /// Lines that are none.
    pub rejected: Vec<Rejected>,
    /// Lines that other processes of a cluster answer for.
    pub elsewhere: usize,
    /// Declared shifts.
    pub shifts: Vec<Shift>,
    /// Lines of contexts that declare none.
    pub rejected_contexts: Vec<Rejected>,
    /// What people say: feedback and erasures.
    pub told: Told,
    /// Where the source stands behind the last line.
    pub position: Position,
    /// Of a source that says where epochs end: one ends behind it, also where it has no lines.
    pub closes: bool,
}

/// What people say of what is known. An erasure concerns what was read before it, so a source that read one ends its batch there.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Feedback and erasures; and queries, of which no line tells.
    pub notices: Vec<Notice>,
    /// Lines that were meant so and cannot be used.
    pub refused: Vec<(Saying, Rejected)>,
    /// How many lines of the log these are; what comes from a file of its own is none.
    pub lines: usize,
}

impl Told {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.notices.is_empty() && self.refused.is_empty()
    }

    /// Whether something is to be erased.
    pub fn erases(&self) -> bool {
        let mut notices = self.notices.iter();
        notices.any(|notice| matches!(notice, Notice::Erase(_)))
    }

    /// Whether somebody asks for a home's model.
    pub fn asks(&self) -> bool {
        let mut notices = self.notices.iter();
        notices.any(|notice| matches!(notice, Notice::Query(_)))
    }

    /// Whether somebody asks what becomes of lines.
    pub fn asks_for_fates(&self) -> bool {
        let mut notices = self.notices.iter();
        notices.any(|notice| matches!(notice, Notice::Ask(_)))
    }

    /// Takes a line of the log.
    pub(super) fn hear(&mut self, notice: Notice) {
        self.notices.push(notice);
        self.lines += 1;
    }

    /// Refuses a line of the log.
    pub(super) fn refuse(&mut self, of: Saying, line: Rejected) {
        self.refused.push((of, line));
        self.lines += 1;
    }

    /// Takes all of another.
    pub fn append(&mut self, other: &mut Told) {
        self.notices.append(&mut other.notices);
        self.refused.append(&mut other.refused);
        self.lines += std::mem::take(&mut other.lines);
    }

    /// Takes out the erasures.
    #[must_use]
    pub fn split_erasures(&mut self) -> Told {
        let notices = self.notices.drain(..);
        let (erasures, rest) = notices.partition(|notice| matches!(notice, Notice::Erase(_)));
        self.notices = rest;
        let erasures: Vec<_> = erasures;
        let lines = erasures.len().min(self.lines);
        self.lines -= lines;
        Told {
            notices: erasures,
            refused: Vec::new(),
            lines,
        }
    }
}

impl Batch {
    /// Lines of events: each is a behaviour or rejected.
    pub fn lines(&self) -> usize {
        self.behaviors.len() + self.rejected.len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.lines() + self.elsewhere == 0
            && self.shifts.is_empty()
            && self.rejected_contexts.is_empty()
            && self.told.is_empty()
    }
}

/// How far a source is read. Lines count as they do in [`Line`](hearth_operators::words::Line), so the position is also
/// one inside a compressed file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Position {
    /// The file being read, from 0.
    pub file: u32,
    /// The last of its lines that was read whole (of a CSV record over several lines, its first), from 1; 0 before any.
    pub line: u64,
    /// Bytes taken in so far, over all files, before decompression. Buffers read ahead, so they are for showing progress alone.
    pub bytes: u64,
    /// In a file of text: bytes of it before the next line, after decompression.
    pub offset: u64,
    /// In a file of text: the last of its lines before that, counted or not.
    pub number: u64,
    /// In a file of text: whether it ended within its last line, which may not be all of it.
    pub unended: bool,
    /// Whether what follows can only be read rightly behind what stands before it.
    pub remembers: bool,
}

/// A position as checkpoints hold it. What is true of it are bits of one byte, which in form 1 was `unended` alone.
#[derive(Serialize, Deserialize)]
struct Stored {
    file: u32,
    line: u64,
    bytes: u64,
    offset: u64,
    number: u64,
    flags: u8,
}

impl Stored {
    const UNENDED: u8 = 1;
    const REMEMBERS: u8 = 2;
}

impl From<Position> for Stored {
    fn from(position: Position) -> Self {
        let flag = |holds: bool, bit: u8| if holds { bit } else { 0 };
        Stored {
            file: position.file,
            line: position.line,
            bytes: position.bytes,
            offset: position.offset,
            number: position.number,
            flags: flag(position.unended, Self::UNENDED)
                | flag(position.remembers, Self::REMEMBERS),
        }
    }
}

impl From<Stored> for Position {
    fn from(stored: Stored) -> Self {
        Position {
            file: stored.file,
            line: stored.line,
            bytes: stored.bytes,
            offset: stored.offset,
            number: stored.number,
            unended: stored.flags & Stored::UNENDED != 0,
            remembers: stored.flags & Stored::REMEMBERS != 0,
        }
    }
}

/// A line that gave no behaviour, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The input line, at most its first 4 KiB; what is no UTF-8 in it is replaced.
    pub line: String,
    /// Where it stands: `file:line`.
    pub source: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Rejected {
    /// The number of its line, which its source ends with.
    pub fn number(&self) -> Option<u64> {
        let (_, number) = self.source.rsplit_once(':')?;
        number.parse().ok()
    }

    /// Of a line as long as it may be.
    pub(super) fn cut(line: &[u8], source: String, reason: String) -> Self {
        const SHOWN: usize = 4 * 1024;
        let bytes = &line[..line.len().min(SHOWN)];
        let mut line = String::from_utf8_lossy(bytes).into_owned();
        // Replacing a bad byte takes three, so the text may have grown.
        if line.len() > SHOWN {
            line.truncate(line.floor_char_boundary(SHOWN));
        }
        Rejected {
            line,
            source,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_stored_as_in_form_1() {
        for (unended, remembers) in [(false, false), (true, false), (false, true), (true, true)] {
            let position = Position {
                file: 1,
                line: 2,
                bytes: 3,
                offset: 4,
                number: 5,
                unended,
                remembers,
            };
            let stored = bincode::serialize(&position).unwrap();
            let read: Position = bincode::deserialize(&stored).unwrap();
            assert_eq!(read, position);
            let form_1 = bincode::serialize(&(1u32, 2u64, 3u64, 4u64, 5u64, unended)).unwrap();
            assert_eq!(stored.len(), form_1.len());
            let known = Position {
                remembers: false,
                ..position
            };
            assert_eq!(bincode::deserialize::<Position>(&form_1).unwrap(), known);
        }
    }
}
