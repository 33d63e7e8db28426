//! What an import writes: the event log, `catalog.json` and, where the source implies shifts, `contexts.jsonl`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use hearth_operators::words::{Catalog, ShiftKind, Time};
use serde::Serialize;

use crate::catalog::{self, Vocabulary};
use crate::sources::{Event, LogFormat, LogWriter, Packing};
use crate::time;

/// Where an import goes.
#[derive(Debug, clap::Args)]
pub(super) struct Destination {
    /// Folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Format of the event log.
    #[arg(long, value_enum, default_value_t)]
    format: LogFormat,
}

/// A shift as the contexts' file has it.
#[derive(Serialize)]
struct ShiftLine<'a> {
    home: &'a str,
    time: String,
    kind: ShiftKind,
    from: &'a str,
    to: &'a str,
}

/// The folder that an import fills, and the account of what went into it.
pub(super) struct Output {
    folder: PathBuf,
    events: LogWriter<BufWriter<File>>,
    /// The log's name, for messages.
    log: String,
    vocabulary: Vocabulary,
    homes: BTreeSet<String>,
    behaviors: u64,
    first: Option<(Time, i16)>,
    last: Option<(Time, i16)>,
    shifts: u64,
    /// What was left out, by reason.
    skipped: BTreeMap<String, u64>,
    /// What was taken otherwise than it stands, by what was done.
    noted: BTreeMap<String, u64>,
}

impl Output {
    /// Makes the folder, with an empty event log.
    pub fn create(destination: &Destination) -> Result<Self> {
        let Destination { out, format } = destination;
        fs::create_dir_all(out)
            .with_context(|| format!("cannot make the folder `{}`", out.display()))?;
        let log = format!("events.{}", format.extension());
        let file = out.join(&log);
        let events = File::create(&file)
            .and_then(|file| LogWriter::new(*format, Packing::default(), BufWriter::new(file)));
        Ok(Output {
            folder: out.clone(),
            events: events.with_context(|| format!("cannot write `{}`", file.display()))?,
            log,
            vocabulary: Vocabulary::default(),
            homes: BTreeSet::new(),
            behaviors: 0,
            first: None,
            last: None,
            shifts: 0,
            skipped: BTreeMap::new(),
            noted: BTreeMap::new(),
        })
    }

    /// Writes one behaviour.
    pub fn event(
        &mut self,
        home: &str,
        (at, offset): (Time, i16),
        device: &str,
        action: &str,
        id: Option<&str>,
    ) -> Result<()> {
        let written = self.events.event(&Event {
            home: home.into(),
            time: at,
            offset,
            device: Some(device.into()),
            action: action.into(),
            id: id.map(Into::into),
        });
        written.with_context(|| format!("cannot write {}", self.log))?;
        self.vocabulary.add(device, action);
        if !self.homes.contains(home) {
            self.homes.insert(home.to_owned());
        }
        self.behaviors += 1;
        if self.first.is_none_or(|first| at < first.0) {
            self.first = Some((at, offset));
        }
        if self.last.is_none_or(|last| at > last.0) {
            self.last = Some((at, offset));
        }
        Ok(())
    }

    /// Counts what is left out.
    pub fn skip(&mut self, reason: impl Into<String>) {
        *self.skipped.entry(reason.into()).or_default() += 1;
    }

    /// Counts what is taken otherwise than it stands in the input.
    pub fn note(&mut self, what: impl Into<String>) {
        *self.noted.entry(what.into()).or_default() += 1;
    }

    /// Writes the contexts' file with its one shift.
    pub fn shift(
        &mut self,
        home: &str,
        at: Time,
        kind: ShiftKind,
        from: &str,
        to: &str,
    ) -> Result<()> {
        let line = ShiftLine {
            home,
            time: time::format(at, 0),
            kind,
            from,
            to,
        };
        let file = self.folder.join("contexts.jsonl");
        fs::write(&file, serde_json::to_string(&line)? + "\n")
            .with_context(|| format!("cannot write `{}`", file.display()))?;
        self.shifts += 1;
        Ok(())
    }

    /// Writes the catalog (without one: that of the events written) and prints the account.
    pub fn finish(self, catalog: Option<Catalog>) -> Result<()> {
        self.events
            .finish()
            .with_context(|| format!("cannot write {}", self.log))?;
        let mut account = String::new();
        for (reason, count) in &self.skipped {
            account += &format!("\n  left out {count}: {reason}");
        }
        for (what, count) in &self.noted {
            account += &format!("\n  note: {count} {what}");
        }
        ensure!(
            self.behaviors > 0,
            "no behaviour was found; check that the input is of this format{account}"
        );
        let catalog = match catalog {
            Some(catalog) => catalog,
            None => self.vocabulary.catalog()?,
        };
        catalog::save(&catalog, &self.folder.join("catalog.json"))?;
        let when =
            |at: Option<(Time, i16)>| at.map_or_else(String::new, |(t, o)| time::format(t, o));
        println!(
            "imported {} behaviors of {} home(s) into {}\n  from {} to {}\n  catalog: {} devices, {} actions\n  shifts: {}{account}",
            self.behaviors,
            self.homes.len(),
            self.folder.display(),
            when(self.first),
            when(self.last),
            catalog.devices().len(),
            catalog.actions(),
            self.shifts,
        );
        Ok(())
    }
}
