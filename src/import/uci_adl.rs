//! The UCI data set of activities of daily living: `START END LOCATION TYPE PLACE`, separated by tabs, one file a house.

use std::path::PathBuf;

use anyhow::Result;
use hearth_operators::words::Time;
use jiff::tz::TimeZone;

use super::lines::each_line;
use super::options::{home_of, time_zone};
use super::output::{Destination, Output};

use crate::sources::instant;

/// Imports sensor files: a sensor goes `on` when it starts and `off` when it ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  hearth import uci-adl OrdonezA_Sensors.txt OrdonezB_Sensors.txt --timezone Europe/Madrid --out ordonez/")]
pub struct Args {
    /// The files of sensors; each is a home of its own, named like its file.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Time zone of the homes.
    #[arg(long, default_value = "UTC", value_parser = time_zone)]
    timezone: TimeZone,
    #[command(flatten)]
    destination: Destination,
}

/// Runs the import.
pub(super) fn run(args: &Args) -> Result<()> {
    let mut output = Output::create(&args.destination)?;
    for file in &args.files {
        let home = home_of(file).trim_end_matches("_Sensors").to_owned();
        each_line(file, |_, line| {
            match interval(line, &args.timezone) {
                Ok(Some((device, [on, off]))) => {
                    output.event(&home, on, &device, "on", None)?;
                    output.event(&home, off, &device, "off", None)?;
                }
                Ok(None) => {}
                Err(reason) => output.skip(format!("{reason} ({home})")),
            }
            Ok(())
        })?;
    }
    output.finish(None)
}

type Interval = (String, [(Time, i16); 2]);

/// Reads a line; `None`: it belongs to the header.
fn interval(line: &str, zone: &TimeZone) -> Result<Option<Interval>, &'static str> {
    let fields = line.split('\t').map(str::trim);
    let fields: Vec<&str> = fields.filter(|field| !field.is_empty()).collect();
    let [start, end, location, kind, place] = fields[..] else {
        return Err("lines that are not `start end location type place`");
    };
    if start == "Start time" || start.starts_with("---") {
        return Ok(None);
    }
    let at = |text: &str| instant(text, zone).map_err(|_| "lines without possible times");
    let (on, off) = (at(start)?, at(end)?);
    match on.0 <= off.0 {
        true => Ok(Some((format!("{place} {location} {kind}"), [on, off]))),
        false => Err("lines that end before they start"),
    }
}
