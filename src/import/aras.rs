//! ARAS: a line a second, a number a sensor (0 or 1), then what the two residents do; one file a day, without dates.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use hearth_operators::words::Time;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::lines::each_line;
use super::options::time_zone;
use super::output::{Destination, Output};

use crate::time;

/// Columns of a line: twenty sensors, two residents.
const COLUMNS: usize = 22;
const SENSORS: usize = 20;

/// Imports days: a sensor goes `on` and `off` where its number changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  hearth import aras HouseA/DAY_*.txt --first-day 2012-03-01 --home house-a --timezone Europe/Istanbul --out aras/")]
pub struct Args {
    /// The files of days, DAY_1.txt and so on; they are put into the order of their numbers.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The date of DAY_1.
    #[arg(long, value_name = "DATE")]
    first_day: Date,
    /// Name of the home.
    #[arg(long, default_value = "home")]
    home: String,
    /// Time zone of the home.
    #[arg(long, default_value = "UTC", value_parser = time_zone)]
    timezone: TimeZone,
    #[command(flatten)]
    destination: Destination,
}

/// Runs the import.
pub(super) fn run(args: &Args) -> Result<()> {
    let mut days = Vec::new();
    for file in &args.files {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let digits = stem.trim_start_matches(|c: char| !c.is_ascii_digit());
        let number: Option<i64> = digits.parse().ok().filter(|number| *number > 0);
        ensure!(
            number.is_some(),
            "`{}` names no day; files are called DAY_1.txt, DAY_2.txt …",
            file.display()
        );
        days.extend(number.map(|number| (number, file)));
    }
    days.sort_unstable();
    let mut output = Output::create(&args.destination)?;
    let mut before: Option<[bool; SENSORS]> = None;
    for (number, file) in days {
        let days = (number - 1).days();
        let day = args.first_day.checked_add(days)?;
        let midnight =
            time::local(day.at(0, 0, 0, 0), &args.timezone).map_err(anyhow::Error::msg)?;
        each_line(file, |line, text| {
            let Some(now) = sensors(text) else {
                output.skip("lines that are not 22 numbers");
                return Ok(());
            };
            let second = i64::try_from(line).unwrap_or(i64::MAX).min(86_400) - 1;
            let at = Time(midnight.0.0 + second * Time::SECOND);
            let offset = time::offset_at(at, &args.timezone);
            let was = before.replace(now).unwrap_or(now);
            for (sensor, (was, now)) in (1..).zip(was.into_iter().zip(now)) {
                if was != now {
                    let action = if now { "on" } else { "off" };
                    let device = format!("sensor {sensor}");
                    output.event(&args.home, (at, offset), &device, action, None)?;
                }
            }
            Ok(())
        })?;
    }
    output.finish(None)
}

/// Which sensors are on; `None`: the line is of another format.
fn sensors(line: &str) -> Option<[bool; SENSORS]> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let known = |word: &&str| matches!(*word, "0" | "1");
    if words.len() != COLUMNS || !words[..SENSORS].iter().all(known) {
        return None;
    }
    let mut on = [false; SENSORS];
    for (on, word) in on.iter_mut().zip(&words) {
        *on = *word == "1";
    }
    Some(on)
}
