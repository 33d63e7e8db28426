//! Sources: event logs (JSON Lines and CSV; plain, gzip or zstd; packed; Parquet; files or standard input) and contexts.
//!
//! Whatever a log holds, reading it goes on: each counted line becomes one [`Behavior`] or one [`Rejected`]. Limits:
//! a line of at most 64 KiB, names and ids of at most 256 bytes, times from 1900 to 2200.

mod contexts;
mod event;
mod lines;
mod log;
mod packed;
mod parquet;
mod records;
#[cfg(test)]
mod tests;
mod writer;

use std::io::{self, Read, Write};
use std::path::Path;

pub use contexts::read_contexts;
pub(crate) use contexts::words as context_words;
pub use event::LONGEST_NAME;
pub(crate) use event::{Event, instant};
pub(crate) use log::Events;
pub(crate) use log::copy;
pub use log::{EventLog, Options, format_name};
pub use packed::{PackWriter, Packing};
pub use writer::LogFormat;
pub(crate) use writer::LogWriter;

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
    fn new(line: &lines::Text, file: &str, reason: String) -> Self {
        Self::cut(&line.bytes, format!("{file}:{}", line.number), reason)
    }

    /// Of a line as long as it may be.
    fn cut(line: &[u8], source: String, reason: String) -> Self {
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

/// Why an input as a whole cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file is missing or not readable.
    #[error("cannot read `{file}`: {error}; check the path and its permissions")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        error: io::Error,
    },
    /// The file's name does not tell its format.
    #[error(
        "cannot tell the format of `{file}`; name it .jsonl, .ndjson, .json or .csv, each also with .gz or .zst behind, .hlog or .parquet"
    )]
    UnknownFormat {
        /// The file.
        file: String,
    },
    /// A CSV file's first line is no header of an event log.
    #[error(
        "{file}:{line}: this CSV header does not describe events: {reason}; it must name home,time,device,action (id optional)"
    )]
    Header {
        /// The file.
        file: String,
        /// Line of the header.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Reading broke off: a damaged archive or a failing disk. What stood before was read.
    #[error("{file}:{line}: the input breaks off here: {error}; what stands before it was read")]
    Broken {
        /// The file.
        file: String,
        /// The line that could not be read whole.
        line: u64,
        /// What the system or the decompressor says.
        error: io::Error,
    },
    /// A block of a packed log is not as it was written. Reading goes on behind it.
    #[error(
        "{file}: block {block} is damaged: {what}; {} the blocks behind it are read; pack the log again, or restore the file",
        lost_lines(*.lost)
    )]
    Damaged {
        /// The file.
        file: String,
        /// Which block, from 1.
        block: u64,
        /// How that shows.
        what: &'static str,
        /// How many lines it held, where its header tells.
        lost: Option<usize>,
    },
    /// What should be a packed log is none, or one of another version.
    #[error("`{file}` is no packed log that this version can read; pack it again from its source")]
    Version {
        /// The file.
        file: String,
    },
    /// A Parquet file is damaged, or does not hold events.
    #[error(
        "cannot read `{file}` as Parquet: {reason}; it must have the columns home, time, action (device, id, offset optional), \
         texts, the time a text or a timestamp"
    )]
    Parquet {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What was read cannot be written on.
    #[error("writing the log failed: {0}")]
    Unwritten(io::Error),
    /// Standard input was named more than once.
    #[error("standard input (`-`) is named twice; it can be read once")]
    StdinTwice,
}

fn lost_lines(lost: Option<usize>) -> String {
    lost.map_or(String::new(), |lines| {
        format!("{lines} lines in it are lost;")
    })
}

/// Writes all of `reader` to a temporary file, so that it can be read twice; the file goes with the returned path.
///
/// # Errors
/// The reader or the temporary folder fails.
pub fn spool(mut reader: impl Read) -> io::Result<tempfile::TempPath> {
    let mut file = tempfile::Builder::new().prefix(SPOOLED).tempfile()?;
    io::copy(&mut reader, &mut file)?;
    file.flush()?;
    Ok(file.into_temp_path())
}

/// How the names of spooled copies of standard input begin.
const SPOOLED: &str = "hearth-stdin-";

/// The name of a file for messages; `-` and its spooled copy are standard input.
fn display_name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if file == Path::new("-") || name.starts_with(SPOOLED) {
        "stdin".into()
    } else {
        file.display().to_string()
    }
}
