//! Declared shifts of context, JSON Lines, in a file of their own or in the log itself:
//! `{"home":"h-17","time":"2022-06-01T00:00:00+02:00","kind":"season","from":"winter","to":"summer"}`. And from when on a home is
//! away or has guests, in which it is not called, or lives as ever: `{"home":"h-17","time":"2022-07-01T08:00:00+02:00","mode":"away"}`
//! (or `guests`, or `home`).

use std::borrow::Cow;
use std::path::Path;

use hearth_operators::split::Notice;
use hearth_operators::words::{Mode, Shift, ShiftKind, Time};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::event::{possible, required};
use super::lines::Lines;
use super::records::{self, Field};
use super::text::Text;
use super::{Rejected, SourceError, display_name};
use crate::home_names::HomeNames;
use crate::time;
use crate::zones::Zones;

/// What a file of contexts says.
#[derive(Clone, Debug, Default)]
pub struct Contexts {
    /// Declared shifts.
    pub shifts: Vec<Shift>,
    /// From when on homes are quiet, and are not.
    pub modes: Vec<Mode>,
    /// Lines that say neither.
    pub rejected: Vec<Rejected>,
}

/// A line of the file. `home` may be `*`: all homes.
#[derive(Deserialize)]
struct Declared<'a> {
    #[serde(borrow, default)]
    home: Field<'a>,
    #[serde(borrow, default)]
    time: Field<'a>,
    #[serde(borrow, default)]
    kind: Field<'a>,
    #[serde(borrow, default)]
    from: Field<'a>,
    #[serde(borrow, default)]
    to: Field<'a>,
    #[serde(borrow, default)]
    mode: Field<'a>,
}

/// Reads a file of contexts (`.gz` and `.zst` transparently), in the order of its lines. A time is local in
/// its home's zone; fields that Hearth does not know are ignored.
///
/// # Errors
/// The file is missing, unreadable or breaks off.
pub fn read_contexts(
    file: &Path,
    homes: &HomeNames,
    zones: &Zones,
) -> Result<Contexts, SourceError> {
    let name = display_name(file);
    let mut lines = Lines::open(file).map_err(|error| SourceError::Unreadable {
        file: name.clone(),
        error,
    })?;
    let mut contexts = Contexts::default();
    let mut line = Text::default();
    loop {
        match lines.read(&mut line) {
            Err(error) => {
                return Err(SourceError::Broken {
                    file: name,
                    line: lines.number(),
                    error,
                });
            }
            Ok(false) => return Ok(contexts),
            Ok(true) if line.is_blank() && !line.too_long => {}
            Ok(true) => match context(&line, homes, zones) {
                Ok(Context::Shift(shift)) => contexts.shifts.push(shift),
                Ok(Context::Mode(mode)) => contexts.modes.push(mode),
                Err(reason) => {
                    let rejected = Rejected::new(&line, &name, reason);
                    contexts.rejected.push(rejected);
                }
            },
        }
    }
}

/// What a line of contexts says.
pub(super) enum Context {
    Shift(Shift),
    Mode(Mode),
}

impl From<Context> for Notice {
    fn from(context: Context) -> Self {
        match context {
            Context::Shift(shift) => Notice::Shift(shift),
            Context::Mode(mode) => Notice::Mode(mode),
        }
    }
}

/// Reads a line of contexts.
pub(super) fn context(line: &Text, homes: &HomeNames, zones: &Zones) -> Result<Context, String> {
    let declared: Declared = records::json(line)?;
    match declared.mode.0 {
        Some(_) => mode(declared, homes, zones).map(Context::Mode),
        None => shift(declared, homes, zones).map(Context::Shift),
    }
}

fn mode(declared: Declared<'_>, homes: &HomeNames, zones: &Zones) -> Result<Mode, String> {
    let home = required(declared.home, "home")?;
    if home == "*" {
        return Err("a mode names one home".to_owned());
    }
    let time = required(declared.time, "time")?;
    let (time, _) = from_midnight(&time, zones.civil(&home))?;
    let quiet = match &*required(declared.mode, "mode")? {
        "home" => false,
        "away" | "guests" => true,
        other => {
            return Err(format!(
                "unknown mode `{other}`; modes are home, away and guests"
            ));
        }
    };
    let home = homes.intern(&home);
    Ok(Mode { home, time, quiet })
}

fn shift(declared: Declared<'_>, homes: &HomeNames, zones: &Zones) -> Result<Shift, String> {
    let home = required(declared.home, "home")?;
    let (time, offset) = from_midnight(&required(declared.time, "time")?, zones.civil(&home))?;
    let kind = required(declared.kind, "kind")?.to_lowercase();
    let from = required(declared.from, "from")?;
    let to = required(declared.to, "to")?;
    let known = [
        ShiftKind::Season,
        ShiftKind::Schedule,
        ShiftKind::Occupancy,
        ShiftKind::Text,
    ];
    let kind = known
        .into_iter()
        .find(|known| known.name() == kind)
        .ok_or_else(|| {
            format!("unknown kind `{kind}`; kinds are season, schedule, occupancy and text")
        })?;
    let (from, to) = (one_of(kind, from)?, one_of(kind, to)?);
    if from == to {
        return Err(format!("from `{from}` to `{to}` is no shift"));
    }
    let home = (home != "*").then(|| homes.intern(&home));
    Ok(Shift {
        home,
        time,
        offset: zones.offset(home, time, offset),
        kind,
        from,
        to,
    })
}

/// Reads a time; a date alone is the beginning of its day.
fn from_midnight(text: &str, zone: &TimeZone) -> Result<(Time, i16), String> {
    let read = time::or_midnight_in(zone, text);
    let (time, offset) = read.map_err(|what| format!("impossible time: {what}"))?;
    let impossible = || format!("impossible time: `{text}` is not between the years 1900 and 2200");
    possible(time)
        .map(|_| (time, offset))
        .ok_or_else(impossible)
}

/// A context of a kind, in the letters in which it is known.
fn one_of(kind: ShiftKind, context: Cow<'_, str>) -> Result<String, String> {
    let words = words(kind);
    let mut known = words
        .iter()
        .filter(|word| context.eq_ignore_ascii_case(word));
    match known.next() {
        Some(word) => Ok((*word).to_owned()),
        None if words.is_empty() => Ok(context.into_owned()),
        None => Err(format!(
            "`{context}` is no {}; write {}, or use the kind text",
            kind.name(),
            words.join(", ")
        )),
    }
}

/// The contexts that a kind knows; empty where any text will do.
pub(crate) fn words(kind: ShiftKind) -> &'static [&'static str] {
    match kind {
        ShiftKind::Season => &["winter", "spring", "summer", "autumn"],
        ShiftKind::Schedule => &["daytime", "night"],
        ShiftKind::Occupancy => &["single", "multiple"],
        ShiftKind::Text | ShiftKind::Drift => &[],
    }
}
