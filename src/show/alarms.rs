//! `hearth alarms`: what a person should look at, from an output folder.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use hearth_operators::words::Time;

use super::home::known;
use super::terminal::plain;
use crate::config::UsageError;
use crate::outputs::read::{self, each, line};
use crate::outputs::{AlarmLine, Stream};
use crate::time;

/// What is said of a folder without alarms.
const NONE: &str = "no alarms: a home is learnt in silence for its first five days, and has about one in 30 days from then on. A \
                    replay with --alarm-budget 1/3d has more of them, such as a log of ten days needs";

/// List the alarms of a replay with their reasons
///
/// An alarm is a segment with behaviours that are rarer in its home than the budget of alarms allows (--alarm-budget of replay). The
/// figures of its reasons are counts of the home's own segments up to then. What was withdrawn, because its segment
/// changed, is left out.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth alarms out
  hearth alarms out --home h-17 --since 2025-01-20
  hearth alarms out --csv > alarms.csv")]
pub struct AlarmsArgs {
    /// Output folder of a replay
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Those of this home alone
    #[arg(long, value_name = "NAME")]
    pub home: Option<String>,

    /// Those of segments that start at this time or later (a date, or a time as in logs; UTC where it has no offset)
    #[arg(long, value_name = "TIME", value_parser = time::or_midnight)]
    pub since: Option<Time>,

    /// As JSON Lines, as they are in the folder
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,

    /// As CSV, with the first reason of each
    #[arg(long)]
    pub csv: bool,
}

/// Lists the alarms that stand, by home and time, on the standard output.
///
/// # Errors
/// The folder is no output folder, or holds no such home ([`UsageError`]); a line of it is damaged, or the output cannot be written.
pub fn run(arguments: &AlarmsArgs) -> anyhow::Result<()> {
    let dir = &arguments.dir;
    read::check(dir).map_err(|refused| UsageError(refused.to_string()))?;
    let mut stand: BTreeMap<(String, Time), Vec<Line>> = BTreeMap::new();
    each(dir, Stream::Alarms, |text| {
        let alarm: AlarmLine<'_> = line(text)?;
        let start = alarm.start.time;
        if arguments
            .home
            .as_deref()
            .is_some_and(|home| home != alarm.home)
        {
            return Ok(());
        }
        if arguments.since.is_some_and(|since| start < since) {
            return Ok(());
        }
        let lines = stand.entry((alarm.home.to_string(), start)).or_default();
        let (diff, datum) = (alarm.diff, alarm.datum());
        lines.push((diff, serde_json::to_string(&datum)?, text.to_owned()));
        Ok(())
    })?;
    let stand: Vec<String> = stand.into_values().flat_map(standing).collect();
    if let Some(home) = arguments.home.as_deref().filter(|_| stand.is_empty()) {
        known(dir, home)?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.csv {
        csv(&mut out, &stand)?;
    } else if arguments.json {
        stand.iter().try_for_each(|text| writeln!(out, "{text}"))?;
    } else {
        for text in &stand {
            tell(&mut out, &line(text)?)?;
        }
        if stand.is_empty() {
            let narrowed = arguments.home.is_some() || arguments.since.is_some();
            writeln!(out, "{}", if narrowed { "no such alarms" } else { NONE })?;
        }
    }
    Ok(out.flush()?)
}

/// A line: its diff, what it counts, and its text.
type Line = (i64, String, String);

/// The texts of those that stand: an alarm that is revised is withdrawn in the epoch in which another one takes its name.
fn standing(lines: Vec<Line>) -> Vec<String> {
    let mut sums: BTreeMap<String, (i64, String)> = BTreeMap::new();
    for (diff, datum, text) in lines {
        let (sum, last) = sums.entry(datum).or_default();
        *sum += diff;
        if diff > 0 {
            *last = text;
        }
    }
    let stand = sums.into_values().filter(|(sum, _)| *sum > 0);
    stand.map(|(_, text)| text).collect()
}

fn tell(out: &mut impl Write, alarm: &AlarmLine<'_>) -> io::Result<()> {
    let time = |at: &crate::outputs::Stamp| time::format(at.time, at.offset);
    let often = alarm.once_in_days.unwrap_or(f32::NAN);
    writeln!(
        out,
        "{}  {}  {}  (so strange once in {often:.0} days)",
        plain(&alarm.home),
        time(&alarm.start),
        "!".repeat(usize::from(alarm.severity)),
    )?;
    for reason in &alarm.reasons {
        write!(out, "  {}  {}", time(&reason.time), plain(&reason.why))?;
        match &reason.expected {
            Some(expected) => writeln!(out, "; {}", plain(expected))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn csv(out: &mut impl Write, stand: &[String]) -> anyhow::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record([
        "home",
        "start",
        "end",
        "severity",
        "score",
        "once_in_days",
        "behaviors",
        "why",
    ])?;
    let number = |n: Option<f32>| n.map_or_else(String::new, |n| n.to_string());
    for text in stand {
        let alarm: AlarmLine<'_> = line(text)?;
        let behaviors: Vec<&str> = alarm.behaviors.iter().map(|b| b.action.as_ref()).collect();
        rows.write_record([
            alarm.home.as_ref(),
            &time::format(alarm.start.time, alarm.start.offset),
            &time::format(alarm.end.time, alarm.end.offset),
            &alarm.severity.to_string(),
            &number(alarm.score),
            &number(alarm.once_in_days),
            &behaviors.join("; "),
            alarm
                .reasons
                .first()
                .map_or("", |reason| reason.why.as_str()),
        ])?;
    }
    Ok(rows.flush()?)
}
