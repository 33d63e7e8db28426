//! CASAS text logs: `DATE TIME[.f] [AREA] SENSOR STATE [LABEL...]`, separated by blanks or tabs.
//!
//! Older logs have the sensor behind the time, newer ones an area (a room) before it. Which one a line is, its states
//! tell: if the second word behind the time is a state (a known word or a number), the first is the sensor; else, if
//! the third is a state, the first is an area and the second the sensor. What follows the state (activity labels, sensor
//! kinds) is ignored. A file is read twice: what is seen hardly ever in it is a typing error.

mod typos;

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result};
use hearth_operators::words::Time;
use jiff::tz::TimeZone;

use super::lines::each_line;
use super::options::{home_of, time_zone};
use super::output::{Destination, Output};
use typos::{Seen, Taken, known, meant};

use crate::sources::instant;

/// Imports CASAS logs: the sensor is the device, its state the action.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  hearth import casas hh101/ann.txt --home hh101 --timezone America/Los_Angeles --out hh101/")]
pub struct Args {
    /// The logs; each is a home of its own, named like its file, unless --home names one for all.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Name of the home that all files belong to.
    #[arg(long)]
    home: Option<String>,
    /// Time zone of the homes.
    #[arg(long, default_value = "UTC", value_parser = time_zone)]
    timezone: TimeZone,
    #[command(flatten)]
    destination: Destination,
}

/// Runs the import.
pub(super) fn run(args: &Args) -> Result<()> {
    for file in &args.files {
        File::open(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    }
    let mut output = Output::create(&args.destination)?;
    for file in &args.files {
        let home = args.home.clone().unwrap_or_else(|| home_of(file));
        let mut seen = Seen::default();
        each_line(file, |_, text| {
            if let Ok(Some(reading)) = reading(text, &args.timezone) {
                seen.meet(reading.sensor, reading.state);
            }
            Ok(())
        })?;
        each_line(file, |_, text| {
            match reading(text, &args.timezone) {
                Ok(Some(reading)) => take(&reading, &home, &seen, &mut output)?,
                Ok(None) => output.skip(format!("states that are numbers ({home})")),
                Err(reason) => output.skip(format!("{reason} ({home})")),
            }
            Ok(())
        })?;
    }
    output.finish(None)
}

/// Writes a reading's behaviour, if it is one.
fn take(reading: &Reading, home: &str, seen: &Seen, output: &mut Output) -> Result<()> {
    let Reading { at, sensor, state } = *reading;
    let action = match seen.judge(sensor, state) {
        Taken::So(state) => state,
        Taken::Mended(meant) => {
            output.note(format!(
                "readings `{state}` of {sensor} taken for `{meant}` ({home})"
            ));
            meant
        }
        Taken::No(reason) => {
            output.skip(format!("{reason} ({home})"));
            return Ok(());
        }
    };
    output.event(home, at, sensor, action, None)
}

#[derive(Debug, PartialEq)]
struct Reading<'a> {
    at: (Time, i16),
    sensor: &'a str,
    state: &'a str,
}

/// Reads a line; `None` if its state is a number, which is a measurement and no behaviour.
fn reading<'a>(line: &'a str, zone: &TimeZone) -> Result<Option<Reading<'a>>, &'static str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [date, time, rest @ ..] = &words[..] else {
        return Err("lines with fewer than four words");
    };
    let (sensor, state) = match rest {
        [sensor, state, ..] if is_state(sensor, state) => (sensor, state),
        [_, sensor, state, ..] if is_state(sensor, state) => (sensor, state),
        // With two words alone there is no doubt, even about a state that is not in the list.
        [sensor, state] => (sensor, state),
        [_, _, ..] => return Err("lines in which no state is found"),
        _ => return Err("lines with fewer than four words"),
    };
    let at = instant(&format!("{date}T{time}"), zone)
        .map_err(|_| "lines without a possible date and time")?;
    if state.parse::<f64>().is_ok() {
        return Ok(None);
    }
    Ok(Some(Reading { at, sensor, state }))
}

/// Whether a word is a state of a sensor, if perhaps a mistyped one, or a number.
fn is_state(sensor: &str, word: &str) -> bool {
    known(word) || word.parse::<f64>().is_ok() || meant(sensor, word).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_apart() {
        let at = instant("2010-11-04T00:03:50.209589", &TimeZone::UTC).unwrap();
        let read = |rest: &str| {
            let line = format!("2010-11-04 00:03:50.209589 {rest}");
            reading(&line, &TimeZone::UTC).map(|r| {
                r.map(|r| {
                    assert_eq!(r.at, at);
                    (r.sensor.to_owned(), r.state.to_owned())
                })
            })
        };
        let is = |sensor: &str, state: &str| Ok(Some((sensor.to_owned(), state.to_owned())));
        assert_eq!(read("M003 ON Sleeping begin"), is("M003", "ON"));
        assert_eq!(read("M003\tON\r\n"), is("M003", "ON"));
        assert_eq!(read("Bedroom D001 OPEN Control4-Door"), is("D001", "OPEN"));
        assert_eq!(read("I006 MISSING"), is("I006", "MISSING"));
        assert_eq!(read("T002 21.5"), Ok(None));
        assert_eq!(read("Bedroom T002 21.5 Control4-Temperature"), Ok(None));
        assert!(read("a b c d").is_err());
        assert!(read("M003").is_err());
        assert!(reading("2010-13-04 00:03 M003 ON", &TimeZone::UTC).is_err());
        assert!(reading("x", &TimeZone::UTC).is_err());
    }
}
