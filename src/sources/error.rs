//! Why an input as a whole cannot be read.

use std::io;

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
    /// There is no log in a folder.
    #[error(
        "there is no log in the folder `{folder}`; logs end in .jsonl, .ndjson, .json or .csv, each also with .gz or .zst behind, .hlog \
         or .parquet"
    )]
    NoLogs {
        /// The folder.
        folder: String,
    },
    /// A CSV file's first line is no header of an event log.
    #[error(
        "{file}:{line}: this CSV header does not describe events: {reason}; events have the columns home, time, device, action \
         (id optional), separated by commas, semicolons or tabs; what they are called otherwise is said with --columns, as in \
         --columns home=home_id,time=ts (home= where each file is one home)"
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
        "cannot read `{file}` as Parquet: {reason}; events have the columns home, time, action (device, id, offset optional), texts or \
         numbers, the time a text, a timestamp or a number since 1970; what they are called otherwise is said with --columns, as in \
         --columns home=home_id,time=ts (home= where each file is one home)"
    )]
    Parquet {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The thread that reads panicked.
    #[error(
        "reading the input stopped unexpectedly; this is a bug in Hearth; what was read before it is kept"
    )]
    Stopped,
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
