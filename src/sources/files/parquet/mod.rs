//! Event logs as Parquet: the columns of the CSV form, `home`, `time`, `device`, `action` and `id`, and `offset`.
//!
//! What is written: texts as UTF-8 strings, `time` as a timestamp in microseconds of UTC, and `offset` as the minutes east of
//! UTC that the event's clock showed (a timestamp cannot hold them, and weekday and hour depend on them). What is read:
//! `device`, `id` and `offset` may be missing; `time` may also be a text as in CSV, or a timestamp of another unit. Without
//! `offset` a timestamp of UTC is shown in the zone of times without one, and one of no zone is local there. Other columns are
//! ignored.

mod columns;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(super) use read::ParquetReader;
pub(super) use write::ParquetWriter;

/// How a Parquet file begins, and ends.
pub(super) const MAGIC: &[u8] = b"PAR1";
