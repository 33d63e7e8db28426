//! Home Assistant: changes of an entity's state are behaviours of that entity. Read is its recorder's database, or what it hands
//! out of it.

mod history;
mod recorder;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hearth_operators::words::Time;
use jiff::tz::TimeZone;

use super::options::time_zone;
use super::output::{Destination, Output};
use crate::sources::HOUSEHOLD;
use crate::sources::states::{Change, States};
use recorder::Recorder;

use crate::time;

/// Imports a recorder database or a history: the entity is the device, its new state the action.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A state is a behaviour where it differs from the entity's last one. The first state of an entity, `unknown`,
`unavailable` and states that are numbers are none; nor is what only comes back within a minute after an entity was unavailable,
or Home Assistant was started.

Of MariaDB or PostgreSQL, export the states as CSV with the columns entity_id, state, last_updated_ts:
  select m.entity_id, s.state, s.last_updated_ts from states s join states_meta m using (metadata_id) order by 3

Examples:
  hearth import home-assistant /config/home-assistant_v2.db --timezone Europe/Berlin --out mine/
  hearth import home-assistant history.csv --timezone Europe/Berlin --out mine/
  hearth import home-assistant home-assistant_v2.db --domains light,climate --attributes climate.temperature --out mine/"
)]
pub struct Args {
    /// The database, home-assistant_v2.db; or the CSV of the History page, an export of the states as CSV, an answer of
    /// /api/history/period (JSON).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Domains of the entities that become devices.
    #[arg(long, value_delimiter = ',', default_value = HOUSEHOLD)]
    domains: Vec<String>,
    /// Attributes whose changes are behaviours too, as DOMAIN.ATTRIBUTE: `climate.temperature` gives the action
    /// `set temperature`.
    #[arg(long, value_delimiter = ',', value_parser = attribute)]
    attributes: Vec<(String, String)>,
    /// Take every report for a behaviour, also one that changes nothing.
    #[arg(long)]
    repeats: bool,
    /// Name of the home.
    #[arg(long, default_value = "home")]
    home: String,
    /// Time zone of the home.
    #[arg(long, default_value = "UTC", value_parser = time_zone)]
    timezone: TimeZone,
    #[command(flatten)]
    destination: Destination,
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (domain, name) = text
        .split_once('.')
        .filter(|(domain, name)| !domain.is_empty() && !name.is_empty())
        .ok_or_else(|| {
            format!("`{text}` is not written DOMAIN.ATTRIBUTE, as in climate.temperature")
        })?;
    Ok((domain.to_owned(), name.to_owned()))
}

/// A state of an entity, as it is written down.
struct Row {
    entity: String,
    state: Option<String>,
    changed: Option<Time>,
    updated: Option<Time>,
    attributes: Option<String>,
}

/// Runs the import.
pub(super) fn run(args: &Args) -> Result<()> {
    let mut sources = Vec::new();
    for file in &args.files {
        sources.push(match is_database(file)? {
            true => (file, Some(Recorder::open(file)?)),
            false => (file, None),
        });
    }
    let mut import = Import {
        args,
        states: States::new(args.repeats),
        attributes: HashMap::new(),
        output: Output::create(&args.destination)?,
    };
    for (file, recorder) in sources {
        match recorder {
            Some(recorder) => import
                .recorded(&recorder)
                .with_context(|| format!("`{}` cannot be read to its end", file.display()))?,
            None => import.told(file)?,
        }
    }
    let Import {
        args,
        states,
        mut output,
        ..
    } = import;
    for change in states.finish() {
        write(args, &change, &mut output)?;
    }
    output.finish(None)
}

fn is_database(file: &Path) -> Result<bool> {
    let unreadable = || {
        format!(
            "cannot read `{}`; name the recorder's home-assistant_v2.db, or a history as CSV or JSON",
            file.display()
        )
    };
    let mut start = Vec::new();
    let input = File::open(file).with_context(unreadable)?;
    let magic = recorder::MAGIC.len() as u64;
    input
        .take(magic)
        .read_to_end(&mut start)
        .with_context(unreadable)?;
    Ok(start == recorder::MAGIC)
}

/// An import under way.
struct Import<'a> {
    args: &'a Args,
    states: States,
    /// By entity and position in the chosen attributes: the last value.
    attributes: HashMap<(String, usize), serde_json::Value>,
    output: Output,
}

impl Import<'_> {
    fn recorded(&mut self, recorder: &Recorder) -> Result<()> {
        let mut starts = recorder.starts.iter().copied().peekable();
        recorder.each(|row| {
            match row {
                Ok(row) => {
                    while let Some(start) = starts.next_if(|start| Some(*start) <= row.updated) {
                        self.states.restart(start);
                    }
                    self.take(&row)?;
                }
                Err(reason) => self.output.skip(reason),
            }
            Ok(())
        })
    }

    fn told(&mut self, file: &Path) -> Result<()> {
        let (rows, timeless) = history::read(file)?;
        for _ in 0..timeless {
            self.output.skip("rows without a possible time");
        }
        rows.iter().try_for_each(|row| self.take(row))
    }

    /// Writes the behaviours of a row, or counts why it holds none.
    fn take(&mut self, row: &Row) -> Result<()> {
        let entity = row.entity.as_str();
        let Some((domain, _)) = entity.split_once('.') else {
            self.output.skip("rows without an entity");
            return Ok(());
        };
        let mut chosen = self.args.domains.iter();
        if !chosen.any(|chosen| chosen.trim() == domain) {
            let reason = format!("states of the domain {domain}, which is not chosen");
            self.output.skip(reason);
            return Ok(());
        }
        let (Some(updated), Some(changed)) = (row.updated, row.changed) else {
            self.output.skip("rows without a possible time");
            return Ok(());
        };
        let at = |time| (time, time::offset_at(time, &self.args.timezone));
        let known = |state: &&str| !matches!(*state, "" | "unknown" | "unavailable");
        let Some(state) = row.state.as_deref().filter(known) else {
            self.states.away(entity, at(updated));
            self.output
                .skip("states that are unknown, unavailable or removed");
            return Ok(());
        };
        let reason = match state.parse::<f64>().is_ok() {
            true => Some("states that are numbers"),
            false => self.states.report(entity, at(changed), state).reason(),
        };
        let attributes = self.attributes(row, domain, at(updated))?;
        if let Some(reason) = reason.filter(|_| !attributes) {
            self.output.skip(reason);
        }
        for change in self.states.changes() {
            write(self.args, &change, &mut self.output)?;
        }
        Ok(())
    }

    /// Writes the behaviours of chosen attributes, and says whether there were any.
    fn attributes(&mut self, row: &Row, domain: &str, at: (Time, i16)) -> Result<bool> {
        let mut values: Option<serde_json::Value> = None;
        let mut any = false;
        for (i, (of, name)) in self.args.attributes.iter().enumerate() {
            if of != domain {
                continue;
            }
            let values = values.get_or_insert_with(|| {
                let text = row.attributes.as_deref().unwrap_or("null");
                serde_json::from_str(text).unwrap_or_default()
            });
            let Some(value) = values.get(name).filter(|value| !value.is_null()) else {
                continue;
            };
            let key = (row.entity.clone(), i);
            let before = self.attributes.insert(key, value.clone());
            if before.is_some_and(|before| before != *value) {
                let action = format!("set {name}");
                self.output
                    .event(&self.args.home, at, &row.entity, &action, None)?;
                any = true;
            }
        }
        Ok(any)
    }
}

fn write(args: &Args, change: &Change, output: &mut Output) -> Result<()> {
    output.event(&args.home, change.at, &change.device, &change.state, None)
}
