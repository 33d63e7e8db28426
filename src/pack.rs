//! `hearth pack`: event logs into one packed log, which is read many times as fast, or into one Parquet file.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::tz::TimeZone;

use crate::config::{UsageError, zone};
use crate::outputs::grouped;
use crate::sources::{self, LogFormat, LogWriter, Packing, SourceError};
use crate::zones::Zones;

/// Pack event logs into one binary log, which is read many times as fast, or into one Parquet file
///
/// A packed log holds everything that its logs hold, in their order: events with times, offsets and ids, and the lines
/// that are no event. Every command that reads logs reads it, and gives the same outputs; only that `late` and `rejected`
/// name the packed file and the number of the line among all that count. Its blocks are checksummed: where one is damaged,
/// the others are read.
///
/// Where the file is called .parquet it is one: columns home, time, offset, device, action, id, for other programs too. It
/// cannot hold lines that are no event; they are left out, counted, and the first one is shown.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth pack events.jsonl.gz --out events.hlog
  hearth pack events.hlog --out events.parquet
  hearth pack 2022.csv 2023.csv --timezone Europe/Berlin --out years.hlog
  hearth replay years.hlog --out out")]
pub struct PackArgs {
    /// Event logs: JSON Lines or CSV, plain, .gz or .zst; packed ones; Parquet; - is the standard input
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,

    /// The packed log, or a Parquet file if it is called .parquet; replaced if it exists
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Where times without an offset are local; in the packed log each time has one
    #[arg(long, value_name = "NAME", default_value = "UTC", value_parser = zone)]
    pub timezone: TimeZone,

    /// Store blocks as they are: two to five times the size, a little quicker to read
    #[arg(long)]
    pub plain: bool,
}

/// Runs the command and says what was packed. The file appears under its name once it is whole.
///
/// # Errors
/// A log cannot be read ([`UsageError`] before any work) or breaks off, or the file cannot be written.
pub fn run(args: &PackArgs) -> anyhow::Result<()> {
    let PackArgs { logs, out, .. } = args;
    let unwritable = || format!("cannot write {}", out.display());
    let folder = match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => ".".as_ref(),
    };
    let file = tempfile::Builder::new()
        .prefix(".hearth-pack-")
        .tempfile_in(folder)
        .map_err(|error| UsageError(format!("{}: {error}", unwritable())))?;
    let packing = match args.plain {
        true => Packing::Plain,
        false => Packing::Zstd,
    };
    let format = format(out);
    let handle: File = file.as_file().try_clone().with_context(unwritable)?;
    let handle = BufWriter::with_capacity(1 << 20, handle);
    let mut writer = LogWriter::new(format, packing, handle).with_context(unwritable)?;
    let mut left_out = None;
    let zones = Zones::new(Some(args.timezone.clone()));
    let packed = sources::copy(logs, &zones, |line| match line {
        Ok(event) => writer.event(&event),
        Err(rejected) => match &mut writer {
            LogWriter::Hlog(out) => out.rejected(rejected),
            _ => {
                left_out.get_or_insert(rejected);
                Ok(())
            }
        },
    });
    let (events, rejected) = packed.map_err(|error| match error {
        SourceError::Broken { .. } | SourceError::Damaged { .. } | SourceError::Unwritten(_) => {
            anyhow::Error::from(error)
        }
        before_any_work => UsageError(before_any_work.to_string()).into(),
    })?;
    writer.finish().with_context(unwritable)?;
    if let Some(first) = left_out {
        eprintln!(
            "left out {} lines that are no event, the first: {}: {}",
            grouped(rejected),
            first.source,
            first.reason
        );
    }
    let bytes = file.as_file().metadata().with_context(unwritable)?.len();
    file.persist(out).with_context(unwritable)?;
    println!(
        "{} events and {} lines that are none, in {} bytes: {}",
        grouped(events),
        grouped(rejected),
        grouped(bytes),
        out.display()
    );
    Ok(())
}

/// What a file is to be, by its name.
fn format(out: &Path) -> LogFormat {
    match out.extension() {
        Some(end) if end.eq_ignore_ascii_case("parquet") => LogFormat::Parquet,
        _ => LogFormat::Hlog,
    }
}
