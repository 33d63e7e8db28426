//! Writing event logs, in each of the formats that are read.

use std::io::{self, Write};

use serde::Serialize;

use super::event::Event;
use super::packed::{PackWriter, Packing};
use super::parquet::ParquetWriter;
use crate::time;

/// The formats of a log that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// JSON Lines: to be read by people too
    #[default]
    Jsonl,
    /// CSV
    Csv,
    /// Packed: the quickest to read
    Hlog,
    /// Parquet: for other programs
    Parquet,
}

impl LogFormat {
    /// How its files end.
    pub fn extension(self) -> &'static str {
        match self {
            LogFormat::Jsonl => "jsonl",
            LogFormat::Csv => "csv",
            LogFormat::Hlog => "hlog",
            LogFormat::Parquet => "parquet",
        }
    }
}

/// An event as JSON Lines have it.
#[derive(Serialize)]
struct Line<'a> {
    home: &'a str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

/// Writes a log in one of the formats.
pub(crate) enum LogWriter<W: Write + Send> {
    Jsonl(W),
    Csv(Box<csv::Writer<W>>),
    Hlog(Box<PackWriter<W>>),
    Parquet(Box<ParquetWriter<W>>),
}

impl<W: Write + Send> LogWriter<W> {
    /// Begins a log. `packing` is that of a packed one.
    ///
    /// # Errors
    /// `out` fails.
    pub fn new(format: LogFormat, packing: Packing, out: W) -> io::Result<Self> {
        Ok(match format {
            LogFormat::Jsonl => LogWriter::Jsonl(out),
            LogFormat::Csv => {
                let mut out = csv::Writer::from_writer(out);
                out.write_record(["home", "time", "device", "action", "id"])?;
                LogWriter::Csv(out.into())
            }
            LogFormat::Hlog => LogWriter::Hlog(PackWriter::new(out, packing)?.into()),
            LogFormat::Parquet => LogWriter::Parquet(ParquetWriter::new(out)?.into()),
        })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// `out` fails.
    pub fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        match self {
            LogWriter::Jsonl(out) => {
                let line = Line {
                    home: &event.home,
                    time: time::format(event.time, event.offset),
                    device: event.device.as_deref(),
                    action: &event.action,
                    id: event.id.as_deref(),
                };
                serde_json::to_writer(&mut *out, &line)?;
                out.write_all(b"\n")
            }
            LogWriter::Csv(out) => {
                let time = time::format(event.time, event.offset);
                let device = event.device.as_deref().unwrap_or("");
                let id = event.id.as_deref().unwrap_or("");
                Ok(out.write_record([&*event.home, &time, device, &event.action, id])?)
            }
            LogWriter::Hlog(out) => out.event(event),
            LogWriter::Parquet(out) => out.event(event),
        }
    }

    /// Ends the log.
    ///
    /// # Errors
    /// `out` fails.
    pub fn finish(self) -> io::Result<()> {
        match self {
            LogWriter::Jsonl(mut out) => out.flush(),
            LogWriter::Csv(mut out) => out.flush(),
            LogWriter::Hlog(out) => out.finish().map(drop),
            LogWriter::Parquet(out) => out.finish(),
        }
    }
}
