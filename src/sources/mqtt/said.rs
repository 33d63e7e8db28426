//! What a message can say.

use std::borrow::Cow;

use hearth_operators::words::Time;
use serde_json::Value;

use crate::sources::is_measured;
pub(super) use crate::sources::messages::text;

/// Something that a message says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said<'a> {
    /// A line of a log.
    Line(String),
    /// A part of a device is in a state; the part that goes without saying is empty.
    State {
        device: Cow<'a, str>,
        part: Cow<'a, str>,
        state: Cow<'a, str>,
    },
    /// A device does something that is no state.
    Press {
        device: Cow<'a, str>,
        action: Cow<'a, str>,
    },
    /// A device is out of reach.
    Away(Cow<'a, str>),
    /// Whoever speaks for the devices began anew.
    Began,
}

/// All that a message says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Message<'a> {
    pub said: Vec<Said<'a>>,
    /// When, by the clock of whoever says it.
    pub time: Option<Time>,
}

impl<'a> From<Said<'a>> for Message<'a> {
    fn from(said: Said<'a>) -> Self {
        Message {
            said: vec![said],
            time: None,
        }
    }
}

/// A word that may be written as a JSON string.
pub(super) fn word(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    match text.starts_with('"') {
        true => serde_json::from_str(text).map_or(Cow::Borrowed(text), Cow::Owned),
        false => Cow::Borrowed(text),
    }
}

/// A JSON value as a state: words and truth values are, and whole numbers where `numbers` are.
pub(super) fn state(value: &Value, numbers: bool) -> Option<Cow<'_, str>> {
    match value {
        Value::Bool(true) => Some("on".into()),
        Value::Bool(false) => Some("off".into()),
        Value::String(text) => Some(Cow::Borrowed(text.trim())),
        Value::Number(number) if numbers && !number.is_f64() => Some(number.to_string().into()),
        _ => None,
    }
    .filter(|state| !state.is_empty() && (numbers || !is_measured(state)))
}
