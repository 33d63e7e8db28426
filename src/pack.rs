//! `hearth pack`: event logs into one packed log, which is read many times as fast, or into one Parquet file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use jiff::tz::TimeZone;

use crate::config::{Keys, UsageError, zone};
use crate::outputs::grouped;
use crate::sources::{self, Event, LogFormat, LogWriter, Packing, Rejected, Sorter, SourceError};
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
  hearth pack states.csv --sort --changes --columns home=house_id,time=ts --out states.hlog
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

    /// What the fields of an event are called in the logs, where not home, time, device, action, id: home=home_id,time=ts; home=
    /// where each file is a home, named like it
    #[arg(long, value_name = "FIELD=COLUMN,...", default_value = "")]
    pub columns: Keys,

    /// Bring the events into the order of time, those of one time as they stand: for logs that are newest first. Lines that are no
    /// event come first then
    #[arg(long)]
    pub sort: bool,

    /// Leave out events that say what the device's last one said: for logs of states that are reported again and again
    #[arg(long)]
    pub changes: bool,

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
    let handle: File = file.as_file().try_clone().with_context(unwritable)?;
    let handle = BufWriter::with_capacity(1 << 20, handle);
    let writer = LogWriter::new(format(out), packing, handle).with_context(unwritable)?;
    let mut packed = Packed {
        writer,
        sorter: args.sort.then(Sorter::default),
        states: args.changes.then(HashMap::new),
        repeated: 0,
        left_out: None,
    };
    let zones = Zones::new(Some(args.timezone.clone()));
    let logs = sources::expand(logs).map_err(|error| UsageError(error.to_string()))?;
    let copied = sources::copy(&logs, (&zones, &args.columns), |line| packed.take(line));
    let (events, rejected) = copied.map_err(|error| match error {
        SourceError::Broken { .. } | SourceError::Damaged { .. } | SourceError::Unwritten(_) => {
            anyhow::Error::from(error)
        }
        before_any_work => UsageError(before_any_work.to_string()).into(),
    })?;
    let (repeated, left_out) = packed.finish().with_context(unwritable)?;
    if let Some(first) = left_out {
        eprintln!(
            "left out {} lines that are no event, the first: {}: {}",
            grouped(rejected),
            first.source,
            first.reason
        );
    }
    ensure!(
        events > 0 || rejected == 0,
        "none of the {} lines is an event; nothing was written",
        grouped(rejected)
    );
    let bytes = file.as_file().metadata().with_context(unwritable)?.len();
    file.persist(out).with_context(unwritable)?;
    let mut stdout = std::io::stdout();
    if args.changes {
        let repeated = grouped(repeated);
        writeln!(stdout, "left out {repeated} events that change nothing")?;
    }
    writeln!(
        stdout,
        "{} events and {} lines that are none, in {} bytes: {}",
        grouped(events - repeated),
        grouped(rejected),
        grouped(bytes),
        out.display()
    )?;
    Ok(())
}

/// A log in the making.
struct Packed<W: Write + Send> {
    writer: LogWriter<W>,
    /// Where the order of time is wanted.
    sorter: Option<Sorter>,
    /// By home and device: the last action, where only changes are wanted.
    states: Option<HashMap<(String, String), String>>,
    repeated: u64,
    left_out: Option<Rejected>,
}

impl<W: Write + Send> Packed<W> {
    fn take(&mut self, line: Result<Event<'_>, Rejected>) -> io::Result<()> {
        match (line, &mut self.sorter) {
            (Ok(event), Some(sorter)) => sorter.push(&event),
            (Ok(event), None) => self.write(&event),
            (Err(rejected), _) => match &mut self.writer {
                LogWriter::Hlog(out) => out.rejected(rejected),
                _ => {
                    self.left_out.get_or_insert(rejected);
                    Ok(())
                }
            },
        }
    }

    fn write(&mut self, event: &Event<'_>) -> io::Result<()> {
        if let Some(states) = &mut self.states
            && let Ok((device, action)) = event.names()
        {
            let of = (event.home.to_string(), device.to_owned());
            if states.insert(of, action.to_owned()).as_deref() == Some(action) {
                self.repeated += 1;
                return Ok(());
            }
        }
        self.writer.event(event)
    }

    /// How many events changed nothing, and the first line that could not be kept.
    fn finish(mut self) -> io::Result<(u64, Option<Rejected>)> {
        if let Some(sorter) = self.sorter.take() {
            sorter.drain(|event| self.write(event))?;
        }
        self.writer.finish()?;
        Ok((self.repeated, self.left_out))
    }
}

/// What a file is to be, by its name.
fn format(out: &Path) -> LogFormat {
    match out.extension() {
        Some(end) if end.eq_ignore_ascii_case("parquet") => LogFormat::Parquet,
        _ => LogFormat::Hlog,
    }
}
