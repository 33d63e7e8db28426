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

#[cfg(test)]
mod tests {
    use hearth_operators::words::Time;
    use proptest::prelude::*;

    use super::super::copy;
    use super::*;
    use crate::config::Keys;
    use crate::zones::Zones;

    type Known = (String, i64, i16, Option<String>, String, Option<String>);

    /// Fields as logs have them: any text that is no NUL; whole microseconds between 1970 and 2100.
    fn events() -> impl Strategy<Value = Vec<Known>> {
        let text = || "[a-zé:,\"\n ]{1,9}x";
        let time = 0..4_102_444_800_000_000i64;
        let optional = |s| prop::option::of(s);
        let event = (
            text(),
            time,
            -840i16..=840,
            optional(text()),
            text(),
            optional(text()),
        );
        prop::collection::vec(event, 0..40)
    }

    proptest! {
        /// Whatever the format, what is read is what was written, in its order.
        #[test]
        fn every_format_keeps_every_event(events in events()) {
            let folder = tempfile::tempdir().unwrap();
            for format in [LogFormat::Jsonl, LogFormat::Csv, LogFormat::Hlog, LogFormat::Parquet] {
                let file = folder.path().join("log").with_extension(format.extension());
                let out = std::fs::File::create(&file).unwrap();
                let mut out = LogWriter::new(format, Packing::default(), out).unwrap();
                for (home, time, offset, device, action, id) in &events {
                    out.event(&Event {
                        home: home.into(),
                        time: Time(*time),
                        offset: *offset,
                        device: device.as_deref().map(Into::into),
                        action: action.into(),
                        id: id.as_deref().map(Into::into),
                        how: Default::default(),
                    }).unwrap();
                }
                out.finish().unwrap();
                let mut read = Vec::new();
                copy(&[file], (&Zones::new(None), &Keys::default()), |line| {
                    let event = line.map_err(|r| io::Error::other(r.reason))?;
                    let text = |field: Option<std::borrow::Cow<'_, str>>| field.map(std::borrow::Cow::into_owned);
                    read.push((
                        event.home.into_owned(), event.time.0, event.offset,
                        text(event.device), event.action.into_owned(), text(event.id),
                    ));
                    Ok(())
                }).unwrap();
                prop_assert_eq!(&read, &events, "{:?}", format);
            }
        }
    }
}
