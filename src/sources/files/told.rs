//! What people say, JSON Lines, in the log itself or in a file of its own: declared [contexts](super::contexts),
//! `{"home":"h-17","alarm":"2022-06-01T03:10:00+02:00","fine":true}` (the alarm as `alarms.jsonl` names it) and
//! `{"home":"h-17","erase":{"from":"2022-06-01T00:00:00+02:00","to":"2022-07-01T00:00:00+02:00","device":"Light"}}`, where
//! `from`, `to` (which is not included) and `device` may be missing: then all of it is meant.

use std::path::Path;
use std::sync::Arc;

use hearth_operators::split::Notice;
use hearth_operators::words::{Catalogs, Erasure, Feedback, Line, Saying};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::contexts;
use super::event::{instant, optional, required};
use super::lines::Lines;
use super::options::Options;
use super::records::{self, Field};
use super::text::Text;
use super::{Rejected, SourceError, display_name};
use crate::config::Keys;
use crate::home_names::HomeNames;
use crate::sources::source::Told;
use crate::zones::Zones;

/// A line of either kind. An event has an action, and none of the other fields.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    home: Field<'a>,
    #[serde(borrow, default)]
    alarm: Field<'a>,
    #[serde(default)]
    fine: Option<serde_json::Value>,
    #[serde(default)]
    erase: Option<serde_json::Value>,
    #[serde(default)]
    kind: Option<IgnoredAny>,
    #[serde(default)]
    mode: Option<IgnoredAny>,
    #[serde(default)]
    action: Option<IgnoredAny>,
}

/// What is to be erased. A field that is misspelt would erase more than was meant, so none is ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct What<'a> {
    #[serde(borrow, default)]
    from: Field<'a>,
    #[serde(borrow, default)]
    to: Field<'a>,
    #[serde(borrow, default)]
    device: Field<'a>,
}

/// Reads a line that is no event; `None`: it says nothing of this kind either.
pub(super) fn say(
    text: &Text,
    line: Line,
    options: &Options,
) -> Option<Result<Notice, (Saying, String)>> {
    let said: Said = records::json(text).ok()?;
    if let Some(what) = &said.erase {
        let erasure = erasure(&said, what, line, options);
        return Some(erasure.map_err(|reason| (Saying::Erasure, reason)));
    }
    if said.fine.is_none() && said.alarm.0.is_none() {
        if said.kind.is_none() && said.mode.is_none() || said.action.is_some() {
            return None;
        }
        let context = contexts::context(text, &options.homes, &options.zones);
        let context = context.map_err(|reason| (Saying::Context, reason));
        return Some(context.map(Notice::from));
    }
    let feedback = feedback(said, line, options);
    Some(feedback.map_err(|reason| (Saying::Feedback, reason)))
}

/// Whether a line is feedback, or an erasure, as far as that can be told without the vocabulary of its home.
pub(super) fn check(text: &Text, erases: bool, zones: &Zones) -> Result<(), String> {
    let options = Options {
        catalogs: Catalogs::shared(Arc::default()),
        homes: HomeNames::default(),
        zones: zones.clone(),
        keys: Keys::default(),
    };
    let said: Said = records::json(text)?;
    if !erases {
        return feedback(said, Line::default(), &options).map(drop);
    }
    let mut what = said.erase.clone().ok_or("field `erase` is missing")?;
    match what.as_object_mut().and_then(|what| what.remove("device")) {
        Some(serde_json::Value::String(name)) => {
            optional(Field(Some(name.into())), "device")?;
        }
        Some(serde_json::Value::Null) | None => {}
        Some(other) => return Err(format!("`device` is {other}; it is a name")),
    }
    erasure(&said, &what, Line::default(), &options).map(drop)
}

fn feedback(said: Said<'_>, line: Line, options: &Options) -> Result<Notice, String> {
    let home = required(said.home, "home")?;
    let alarm = required(said.alarm, "alarm")?;
    match said.fine {
        Some(serde_json::Value::Bool(true)) => {}
        None => return Err("field `fine` is missing".to_owned()),
        Some(other) => return Err(format!("`fine` is {other}; `true` alone says something")),
    }
    let named = |what| {
        format!("{what}; an alarm is named by when its segment starts, as alarms.jsonl writes it")
    };
    let (start, _) = instant(&alarm, options.zones.civil(&home)).map_err(named)?;
    let home = options.homes.intern(&home);
    Ok(Notice::Fine(Feedback { home, start, line }))
}

fn erasure(
    said: &Said<'_>,
    what: &serde_json::Value,
    line: Line,
    options: &Options,
) -> Result<Notice, String> {
    let home = Field(said.home.0.as_deref().map(Into::into));
    let home = required(home, "home")?;
    if home == "*" {
        return Err("an erasure names one home".to_owned());
    }
    if !what.is_object() {
        return Err(format!(
            "`erase` is {what}; it is an object, {{}} for the whole home"
        ));
    }
    let text = what.to_string();
    let what: What = serde_json::from_str(&text).map_err(|error| {
        let error = error.to_string();
        let error = error.split(" at line ").next().unwrap_or_default();
        format!("malformed `erase`: {error}")
    })?;
    let zone = options.zones.civil(&home);
    let time = |field: Field<'_>, name| -> Result<_, String> {
        let text = optional(field, name)?;
        text.map(|text| instant(&text, zone).map(|(time, _)| time))
            .transpose()
    };
    let (from, to) = (time(what.from, "from")?, time(what.to, "to")?);
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err("it erases nothing: `from` is not before `to`".to_owned());
    }
    let known = options.homes.find(&home);
    let catalogs = &options.catalogs;
    let catalog = known.map_or(catalogs.others(), |home| catalogs.of(home));
    let device = optional(what.device, "device")?.map(|name| {
        let unknown = || format!("unknown device `{name}`: the catalog does not have it");
        catalog.device(&name).ok_or_else(unknown)
    });
    let device = device.transpose()?;
    let home = options.homes.intern(&home);
    Ok(Notice::Erase(Erasure {
        home,
        from,
        to,
        device,
        line,
    }))
}

/// Reads a file of such lines (`.gz` and `.zst` transparently), number `file` of the inputs, in their order.
///
/// # Errors
/// The file is missing, unreadable or breaks off.
pub fn read_told(path: &Path, file: u32, options: &Options) -> Result<Told, SourceError> {
    let name = display_name(path);
    let mut lines = Lines::open(path).map_err(|error| SourceError::Unreadable {
        file: name.clone(),
        error,
    })?;
    let (mut told, mut text) = (Told::default(), Text::default());
    loop {
        let read = lines.read(&mut text).map_err(|error| SourceError::Broken {
            file: name.clone(),
            line: lines.number(),
            error,
        });
        if !read? {
            return Ok(told);
        }
        if text.is_blank() && !text.too_long {
            continue;
        }
        let line = Line {
            file,
            line: text.number,
        };
        match say(&text, line, options) {
            Some(Ok(notice)) => told.notices.push(notice),
            Some(Err((of, reason))) => {
                told.refused.push((of, Rejected::new(&text, &name, reason)));
            }
            None => {
                let reason = "the line is neither {\"home\",\"alarm\",\"fine\":true} nor {\"home\",\"erase\"}";
                let refused = Rejected::new(&text, &name, reason.to_owned());
                told.refused.push((Saying::Feedback, refused));
            }
        }
    }
}
