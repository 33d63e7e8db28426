//! Options of Parquet: what is found out as tables, for other programs.

use std::path::PathBuf;

use clap::Args;

use super::{Roll, StreamNames};

/// A folder of tables.
#[derive(Args, Clone, Debug)]
pub struct ParquetOptions {
    /// A folder that gets what is found out as Parquet, too: a table a stream, in files that are whole when they appear and
    /// stay as they are, each line exactly once
    #[arg(long, env = "HEARTH_PARQUET", value_name = "DIR")]
    pub parquet: Option<PathBuf>,

    /// Which streams are there
    #[arg(
        long,
        env = "HEARTH_PARQUET_STREAMS",
        value_name = "STREAM...",
        default_value = "segments scores alarms drifts"
    )]
    pub parquet_streams: StreamNames,

    /// A file has so many bytes of lines, or those of such a time (1h: hour by hour in UTC); of `64MiB,1h` whichever is first
    #[arg(
        long,
        env = "HEARTH_PARQUET_ROLL",
        value_name = "SIZE,SPAN",
        default_value = "64MiB,1h"
    )]
    pub parquet_roll: Roll,
}
