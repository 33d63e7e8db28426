//! Event logs (JSON Lines and CSV; plain, gzip or zstd; packed; Parquet; files or standard input) and contexts, and the
//! writing of logs.
//!
//! What is not said in a log itself, how its columns are called, is in [`Keys`](crate::config::Keys).
//!
//! Limits: a line of at most 64 KiB, names and ids of at most 256 bytes, times from 1900 to 2200.

mod ahead;
mod apart;
mod contexts;
mod copied;
mod csv_record;
mod event;
mod events;
#[cfg(test)]
mod fuzz;
mod incoming;
mod learnt;
mod lines;
mod log;
mod manner;
mod of_path;
mod opened;
mod options;
mod packed;
mod parquet;
mod plain;
mod records;
#[cfg(test)]
mod shared;
mod source;
mod taken;
#[cfg(test)]
mod tests;
mod text;
mod told;
mod twice;
mod writer;

use std::io::{self, Read, Write};
use std::path::Path;

use super::error::SourceError;
use super::source::Rejected;

pub(crate) use contexts::words as context_words;
pub use contexts::{Contexts, read_contexts};
pub(crate) use copied::copy;
pub use event::LONGEST_NAME;
pub(crate) use event::{Event, How, instant};
pub(crate) use events::Events;
pub(crate) use incoming::Incoming;
pub use learnt::Learnt;
pub(crate) use lines::unpacked;
pub use log::EventLog;
pub use manner::Manner;
pub use opened::format_name;
pub(super) use opened::{is_log, is_packed};
pub use options::Options;
pub use packed::{PackWriter, Packing};
pub use source::Files;
pub use taken::{Kind, taken};
pub use told::read_told;
pub use writer::LogFormat;
pub(crate) use writer::LogWriter;

impl Rejected {
    fn new(line: &text::Text, file: &str, reason: String) -> Self {
        Self::cut(&line.bytes, format!("{file}:{}", line.number), reason)
    }
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
