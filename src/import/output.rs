//! What an import writes: `events.jsonl`, `catalog.json` and, where the source implies shifts, `contexts.jsonl`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use hearth_operators::words::{Catalog, ShiftKind, Time};
use serde::Serialize;

use crate::catalog::{self, Vocabulary};
use crate::time;

/// An event as the log has it.
#[derive(Serialize)]
struct EventLine<'a> {
    home: &'a str,
    time: String,
    device: &'a str,
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
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
    events: BufWriter<File>,
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
    pub fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        let file = folder.join("events.jsonl");
        let events =
            File::create(&file).with_context(|| format!("cannot write `{}`", file.display()))?;
        Ok(Output {
            folder: folder.to_owned(),
            events: BufWriter::new(events),
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
        let line = EventLine {
            home,
            time: time::format(at, offset),
            device,
            action,
            id,
        };
        serde_json::to_writer(&mut self.events, &line).context("cannot write events.jsonl")?;
        self.events
            .write_all(b"\n")
            .context("cannot write events.jsonl")?;
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
    pub fn finish(mut self, catalog: Option<Catalog>) -> Result<()> {
        self.events.flush().context("cannot write events.jsonl")?;
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
