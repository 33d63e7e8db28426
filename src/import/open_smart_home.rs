//! Open Smart Home Data: a file a series, `SECONDS <tab> VALUE`, called `ROOM_QUANTITY.csv`. What people do there is to set the
//! thermostats; the other series are measured.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::tz::TimeZone;

use super::lines::each_line;
use super::options::time_zone;
use super::output::{Destination, Output};
use super::trim::listed;
use crate::sources::states::States;

use crate::sources::instant;
use crate::time;

/// What the series of a thermostat's settings are called.
const SET: &str = "SetpointHistory";

/// Imports a folder of measurements: each change of a room's set temperature is an action of its thermostat.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  hearth import open-smart-home Measurements/ --timezone Europe/Berlin --out open-smart-home/")]
pub struct Args {
    /// The folder `Measurements`.
    folder: PathBuf,
    /// Name of the home.
    #[arg(long, default_value = "home")]
    home: String,
    /// Time zone of the home.
    #[arg(long, default_value = "Europe/Berlin", value_parser = time_zone)]
    timezone: TimeZone,
    #[command(flatten)]
    destination: Destination,
}

/// Runs the import.
pub(super) fn run(args: &Args) -> Result<()> {
    let unreadable = || format!("cannot read the folder `{}`", args.folder.display());
    let entries = fs::read_dir(&args.folder).with_context(unreadable)?;
    let files: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|e| e.path())).collect();
    let mut files = files.with_context(unreadable)?;
    files.retain(|file| file.extension().is_some_and(|e| e == "csv"));
    files.sort();
    let mut output = Output::create(&args.destination)?;
    let mut states = States::new(false);
    let mut measured = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let (room, quantity) = name.split_once('_').unwrap_or((&*name, ""));
        if quantity != SET {
            measured.push(name.into_owned());
            continue;
        }
        let device = format!("{room} thermostat");
        each_line(&file, |_, line| {
            let fields = line.trim().split_once(['\t', ';', ',']);
            let read = fields.and_then(|(at, value)| {
                let (time, _) = instant(at, &args.timezone).ok()?;
                Some((time, value.trim().parse::<f64>().ok()?))
            });
            let Some((time, value)) = read else {
                output.skip(format!("lines that are not `seconds value` ({name})"));
                return Ok(());
            };
            let at = (time, time::offset_at(time, &args.timezone));
            let report = states.report(&device, at, &format!("set {value}"));
            if let Some(reason) = report.reason() {
                output.skip(reason);
            }
            Ok(())
        })?;
    }
    if !measured.is_empty() {
        let names = listed(measured.iter().map(String::as_str));
        output.say(format!("measured series were left out: {names}"));
    }
    for change in states.finish() {
        output.event(&args.home, change.at, &change.device, &change.state, None)?;
    }
    output.finish(None)
}
