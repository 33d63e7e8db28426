//! What an import writes: the event log in the order of time, `catalog.json` and, where the source implies shifts,
//! `contexts.jsonl`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use hearth_operators::words::{Catalog, ShiftKind, Time};
use serde::Serialize;

use super::trim::Trim;
use crate::catalog::{self, Vocabulary};
use crate::nfc;
use crate::sources::{Event, How, LONGEST_NAME, LogFormat, LogWriter, Packing, Sorter};
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
    sorter: Sorter,
    trim: Trim,
    shifts: u64,
    /// What was left out, by reason.
    skipped: BTreeMap<String, u64>,
    /// What was taken otherwise than it stands, by what was done.
    noted: BTreeMap<String, u64>,
    /// What else a person should know.
    said: Vec<String>,
}

/// What was written.
#[derive(Default)]
struct Written {
    vocabulary: Vocabulary,
    homes: BTreeSet<String>,
    behaviors: u64,
    first: Option<(Time, i16)>,
    last: Option<(Time, i16)>,
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
            sorter: Sorter::default(),
            trim: Trim::default(),
            shifts: 0,
            skipped: BTreeMap::new(),
            noted: BTreeMap::new(),
            said: Vec::new(),
        })
    }

    /// Takes one behaviour.
    pub fn event(
        &mut self,
        home: &str,
        (at, offset): (Time, i16),
        device: &str,
        action: &str,
        id: Option<&str>,
    ) -> Result<()> {
        let device = nfc::composed(device.into());
        let action = nfc::composed(action.into());
        if ![home, &device, &action].into_iter().all(is_name) {
            self.skip(format!(
                "names that are empty, longer than {LONGEST_NAME} bytes or hold a NUL byte"
            ));
            return Ok(());
        }
        self.trim.meet(home, &device, &action);
        let event = Event {
            home: nfc::composed(home.into()),
            time: at,
            offset,
            device: Some(device),
            action,
            id: id.map(Into::into),
            how: How::default(),
        };
        self.sorter
            .push(&event)
            .context("cannot sort the behaviours")
    }

    /// Counts what is left out.
    pub fn skip(&mut self, reason: impl Into<String>) {
        *self.skipped.entry(reason.into()).or_default() += 1;
    }

    /// Counts what is taken otherwise than it stands in the input.
    pub fn note(&mut self, what: impl Into<String>) {
        *self.noted.entry(what.into()).or_default() += 1;
    }

    /// Tells a person something.
    pub fn say(&mut self, what: String) {
        self.said.push(what);
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

    /// Writes the behaviours and the catalog (without one: that of the events written), and prints the account.
    pub fn finish(self, catalog: Option<Catalog>) -> Result<()> {
        let Output {
            mut events,
            log,
            sorter,
            trim,
            mut skipped,
            ..
        } = self;
        let mut written = Written::default();
        let sorted = sorter.drain(|event| {
            let device = event.device.as_deref().unwrap_or_default();
            match trim.refuses(&event.home, device, &event.action) {
                Some(reason) => {
                    *skipped.entry(reason.to_owned()).or_default() += 1;
                    Ok(())
                }
                None => {
                    written.add(event, device);
                    events.event(event)
                }
            }
        });
        sorted
            .and_then(|()| events.finish().map(drop))
            .with_context(|| format!("cannot write {log}"))?;
        let mut account = String::new();
        for (reason, count) in &skipped {
            account += &format!("\n  left out {count}: {reason}");
        }
        for (what, count) in &self.noted {
            account += &format!("\n  note: {count} {what}");
        }
        for said in trim.told().iter().chain(&self.said) {
            account += &format!("\n  note: {said}");
        }
        ensure!(
            written.behaviors > 0,
            "no behaviour was found; check that the input is of this format{account}"
        );
        let catalog = match catalog {
            Some(catalog) => catalog,
            None => std::mem::take(&mut written.vocabulary).catalog()?,
        };
        catalog::save(&catalog, &self.folder.join("catalog.json"))?;
        let folder = self.folder.display();
        let shifts = self.shifts;
        writeln!(
            io::stdout(),
            "imported {} behaviors of {} home(s) into {folder}\n  from {} to {}\n  catalog: {} devices, {} actions\n  \
             shifts: {shifts}{account}",
            written.behaviors,
            written.homes.len(),
            when(written.first),
            when(written.last),
            catalog.devices().len(),
            catalog.actions(),
        )?;
        Ok(())
    }
}

/// Whether a log can have such a name.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_NAME && !text.contains('\0')
}

fn when(at: Option<(Time, i16)>) -> String {
    at.map_or_else(String::new, |(time, offset)| time::format(time, offset))
}

impl Written {
    fn add(&mut self, event: &Event, device: &str) {
        self.vocabulary.add(device, &event.action);
        if !self.homes.contains(&*event.home) {
            self.homes.insert(event.home.to_string());
        }
        self.behaviors += 1;
        let at = (event.time, event.offset);
        self.first.get_or_insert(at);
        self.last = Some(at);
    }
}
