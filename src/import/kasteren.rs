//! The van Kasteren format: `start <tab> duration <tab> sensor`, times in seconds since 1970, one file a house.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hearth_operators::words::Time;
use jiff::tz::TimeZone;

use super::options::{home_of, time_zone};
use super::output::{Destination, Output};

use crate::time;

/// Imports sensor files: a sensor goes `on` at each start, and `off` when the duration is over.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  hearth import kasteren houseA.sensors houseB.sensors --timezone Europe/Amsterdam --out houses/")]
pub struct Args {
    /// The `.sensors` files; each is a home of its own, named like its file. Names are read from the `.sensor_names` file
    /// beside it, where there is one.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Time zone of the houses.
    #[arg(long, default_value = "UTC", value_parser = time_zone)]
    timezone: TimeZone,
    #[command(flatten)]
    destination: Destination,
}

/// Runs the import.
pub(super) fn run(args: &Args) -> Result<()> {
    let mut inputs = Vec::new();
    for file in &args.files {
        let text = fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        inputs.push((
            file,
            String::from_utf8_lossy(&text).into_owned(),
            names(file)?,
        ));
    }
    let mut output = Output::create(&args.destination)?;
    // By time, so that the log reads as it happened; at one instant `off` comes before `on`, as an interval's end before
    // the next one's start.
    let mut events = BTreeSet::new();
    for (file, text, names) in inputs {
        let home = home_of(file);
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match interval(line) {
                Ok((start, duration, sensor)) => {
                    let device = names
                        .get(&sensor)
                        .cloned()
                        .unwrap_or_else(|| format!("sensor {sensor}"));
                    for (at, action) in [(start, "on"), (start + duration, "off")] {
                        if !events.insert((at, home.clone(), device.clone(), action)) {
                            output.skip(format!("`{action}` of a sensor at the second of another such record ({home})"));
                        }
                    }
                }
                Err(reason) => output.skip(format!("{reason} ({home})")),
            }
        }
    }
    for (seconds, home, device, action) in events {
        let at = Time(seconds * Time::SECOND);
        let offset = time::offset_at(at, &args.timezone);
        output.event(&home, (at, offset), &device, action, None)?;
    }
    output.finish(None)
}

/// Start, duration (both in seconds, the latter at least one) and sensor of a line.
fn interval(line: &str) -> Result<(i64, i64, u64), &'static str> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [start, duration, sensor] = fields[..] else {
        return Err("a line is not `start duration sensor`");
    };
    let start: i64 = start
        .parse()
        .map_err(|_| "a start is no number of seconds")?;
    let duration: i64 = duration
        .parse()
        .map_err(|_| "a duration is no number of seconds")?;
    let sensor = sensor.parse().map_err(|_| "a sensor is no number")?;
    // Within 1900 and 2200, and no interval longer than that.
    const POSSIBLE: std::ops::Range<i64> = -2_208_988_800..7_258_118_400;
    if duration < 0 {
        return Err("a duration is negative");
    }
    let duration = duration.max(1);
    if !POSSIBLE.contains(&start)
        || !start
            .checked_add(duration)
            .is_some_and(|end| POSSIBLE.contains(&end))
    {
        return Err("a time is not between the years 1900 and 2200");
    }
    Ok((start, duration, sensor))
}

/// The sensors' names; those that two sensors share get the number behind.
fn names(sensors: &Path) -> Result<BTreeMap<u64, String>> {
    let file = sensors.with_extension("sensor_names");
    if !file.exists() {
        return Ok(BTreeMap::new());
    }
    let text = fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let text = String::from_utf8_lossy(&text);
    let mut names = BTreeMap::new();
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for (i, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let named = line.trim().split_once(|c: char| c.is_whitespace());
        let named = named.and_then(|(id, name)| Some((id.parse().ok()?, name.trim().to_owned())));
        let (id, name): (u64, String) = named.with_context(|| {
            format!("{}:{}: a line is not `number name`", file.display(), i + 1)
        })?;
        *times.entry(name.clone()).or_default() += 1;
        names.insert(id, name);
    }
    for (id, name) in &mut names {
        if times[name] > 1 {
            *name = format!("{name} ({id})");
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_or_refused() {
        assert_eq!(
            interval("1203898814\t163\t24"),
            Ok((1_203_898_814, 163, 24))
        );
        assert_eq!(interval("1203898814\t0\t24"), Ok((1_203_898_814, 1, 24)));
        for wrong in [
            "1203898814\t163",
            "x\t1\t1",
            "1\t-1\t1",
            "9223372036854775807\t1\t1",
            "1\t9223372036854775807\t1",
            "1\t1\tdoor",
        ] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
