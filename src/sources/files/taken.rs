//! Lines that come one by one from outside, each of one kind: what is none is said at once, and what is one is written anew from
//! the fields that are known, so that nothing else gets into a log under its name.

use hearth_operators::words::ShiftKind;
use serde::Serialize;
use serde_json::{Map, Value};

use super::contexts::{self, Context};
use super::event::{Event, optional, required};
use super::of_path::OfPath;
use super::records::{self, Field, Shown};
use super::text::{LONGEST_LINE, Text};
use super::told;
use crate::config::Keys;
use crate::home_names::HomeNames;
use crate::zones::Zones;

/// What a line is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A behaviour.
    Event,
    /// A declared shift, or a home's mode.
    Context,
    /// What a person says of an alarm.
    Feedback,
    /// What is to be forgotten.
    Erasure,
}

/// A home's mode as a log has it.
#[derive(Serialize)]
struct InMode<'a> {
    home: &'a str,
    time: &'a str,
    mode: &'a str,
}

/// A context as a log has it.
#[derive(Serialize)]
struct Declared<'a> {
    home: &'a str,
    time: &'a str,
    kind: &'a str,
    from: &'a str,
    to: &'a str,
}

/// Checks a line as far as that can be done without the vocabulary of its home, and writes it as a log has it.
///
/// # Errors
/// What is wrong with it.
pub fn taken(kind: Kind, line: &[u8]) -> Result<String, String> {
    let text = Text {
        bytes: line.get(..LONGEST_LINE).unwrap_or(line).to_vec(),
        too_long: line.len() > LONGEST_LINE,
        ..Text::default()
    };
    let zones = Zones::new(None);
    let line = match kind {
        Kind::Event => event(&text, &zones)?,
        Kind::Context => context(&text, &zones)?,
        Kind::Feedback | Kind::Erasure => said(kind, &text, &zones)?,
    };
    // What is written may need more escapes than what was read.
    match line.len() > LONGEST_LINE {
        true => Err(format!("the line is longer than {LONGEST_LINE} bytes")),
        false => Ok(line),
    }
}

fn event(text: &Text, zones: &Zones) -> Result<String, String> {
    // What a pushed line lacks no file name tells, and its fields have their own names.
    let (keys, tells) = (Keys::default(), OfPath::default());
    let record = records::event(text, &keys)?;
    let time = Field(record.time.0.as_deref().map(Into::into));
    let time = optional(time, "time")?.map(std::borrow::Cow::into_owned);
    let seq = record.seq.0.as_deref().map(|seq| seq.to_owned().into());
    let event = Event::check(record, &tells, zones)?;
    event.names()?;
    let shown = Shown {
        home: Some(event.home),
        time: time.map(Into::into),
        device: event.device,
        action: Some(event.action),
        id: event.id,
        seq,
    };
    Ok(shown.line())
}

fn context(text: &Text, zones: &Zones) -> Result<String, String> {
    let context = contexts::context(text, &HomeNames::default(), zones)?;
    let fields: Map<String, Value> = records::json(text)?;
    // Names and times may be written as numbers.
    let field = |name: &str| match fields.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let [home, time, mode] = ["home", "time", "mode"].map(field);
    let Context::Shift(shift) = context else {
        let line = serde_json::to_string(&InMode {
            home: &home,
            time: &time,
            mode: &mode,
        });
        return line.map_err(|error| error.to_string());
    };
    let declared = Declared {
        home: &home,
        time: &time,
        kind: ShiftKind::name(shift.kind),
        from: &shift.from,
        to: &shift.to,
    };
    serde_json::to_string(&declared).map_err(|error| error.to_string())
}

fn said(kind: Kind, text: &Text, zones: &Zones) -> Result<String, String> {
    let fields: Map<String, Value> = records::json(text)?;
    let home = match fields.get("home") {
        Some(Value::String(home)) => Some(home.as_str().into()),
        None | Some(Value::Null) => None,
        Some(_) => return Err("`home` is no text".to_owned()),
    };
    let home = required(Field(home), "home")?;
    let keys: &[&str] = match kind {
        Kind::Erasure => &["home", "erase"],
        _ => &["home", "alarm", "fine"],
    };
    told::check(text, kind == Kind::Erasure, zones)?;
    let mut line = Map::new();
    for key in keys {
        let value = match *key {
            "home" => Value::from(home.as_ref()),
            key => fields.get(key).cloned().unwrap_or_default(),
        };
        line.insert((*key).to_owned(), value);
    }
    serde_json::to_string(&line).map_err(|error| error.to_string())
}
