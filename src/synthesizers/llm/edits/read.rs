//! From a model's words to proposals: JSON wherever it stands in the text, in the closed vocabulary.

use std::collections::BTreeSet;

use hearth_operators::words::{ActionId, Catalog, DeviceId, HOURS, WEEKDAYS};
use serde::Deserialize;
use serde_json::{Deserializer, Value};

use super::proposal::{EVERYTHING, FARTHEST, Proposal, Target};
use crate::synthesizers::edit::{every_day, every_hour};
use crate::synthesizers::llm::reply::names::{self, Names};
use crate::synthesizers::llm::reply::{MAX_TEXT, excerpt};

/// Colons of an action that are tried for the one between device and action: no name has more, and each costs a look at the whole.
const MOST_COLONS: usize = 32;

/// Reads replies in the vocabulary of a catalog, under the names that the model was given.
pub(super) struct Reader {
    names: Names,
}

/// An edit of a reply.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Proposed {
    /// The beginning of what was written.
    pub written: String,
    /// What it means, or why it means nothing.
    pub proposal: Result<Proposal, String>,
}

/// An edit as it is written. What is missing of hours and days means all of them, as an empty list does.
#[derive(Deserialize)]
#[serde(tag = "edit", rename_all = "lowercase", deny_unknown_fields)]
enum Words {
    Drop {
        what: String,
    },
    Replace {
        action: String,
        by: String,
        #[serde(default)]
        hours: Vec<String>,
    },
    Add {
        action: String,
        #[serde(default)]
        hours: Vec<String>,
        #[serde(default)]
        weekdays: Vec<String>,
        share: f64,
        #[serde(default)]
        after: Option<String>,
    },
    Move {
        what: String,
        #[serde(default)]
        hours: Vec<String>,
        by: i64,
    },
}

impl Reader {
    /// A reader of replies about the catalog's devices.
    pub fn new(catalog: Catalog) -> Self {
        Reader {
            names: Names::new(catalog.into()),
        }
    }

    /// The edits of a reply's last list of edits, in its order. Whatever the text, this ends and does not fail otherwise than by
    /// its error. A list that stands in one of the messages `asked` is no answer.
    ///
    /// # Errors
    /// A sentence saying that there is none, with the reply's beginning.
    pub fn read(&self, text: &str, asked: &[&str]) -> Result<Vec<Proposed>, String> {
        let read = text
            .get(..text.floor_char_boundary(MAX_TEXT))
            .unwrap_or(text);
        let echoes: Vec<Vec<Value>> = asked.iter().flat_map(|message| lists(message)).collect();
        let answer = lists(read).into_iter().rfind(|list| !echoes.contains(list));
        let Some(answer) = answer else {
            return Err(match text.trim().is_empty() {
                true => "the reply is empty".to_owned(),
                false => format!(
                    "the reply holds no whole list of edits: `{}`",
                    excerpt(read)
                ),
            });
        };
        let proposed = answer.into_iter().map(|value| Proposed {
            written: excerpt(&value.to_string()),
            proposal: self.proposal(value),
        });
        Ok(proposed.collect())
    }

    fn proposal(&self, value: Value) -> Result<Proposal, String> {
        let words = serde_json::from_value(value).map_err(|error| excerpt(&error.to_string()))?;
        Ok(match words {
            Words::Drop { what } => match self.target(&what)? {
                Target::Everything => return Err("everything cannot be dropped".to_owned()),
                what => Proposal::Drop { what },
            },
            Words::Replace { action, by, hours } => Proposal::Replace {
                action: self.action(&action)?,
                by: self.action(&by)?,
                hours: some_or_all(&hours, hour, every_hour())?,
            },
            Words::Add {
                action,
                hours,
                weekdays,
                share,
                after,
            } => Proposal::Add {
                action: self.action(&action)?,
                hours: some_or_all(&hours, hour, every_hour())?,
                weekdays: some_or_all(&weekdays, weekday, every_day())?,
                share: match share {
                    share if share > 0.0 && share <= 1.0 => share,
                    share => return Err(format!("the share {share} is not above 0 and at most 1")),
                },
                after: after.map(|after| self.action(&after)).transpose()?,
            },
            Words::Move { what, hours, by } => Proposal::Move {
                what: self.target(&what)?,
                hours: some_or_all(&hours, hour, every_hour())?,
                by: match by {
                    0 => return Err("it moves by nothing".to_owned()),
                    by if by.unsigned_abs() > FARTHEST.unsigned_abs() => {
                        return Err(format!(
                            "it moves by {by} buckets, more than {FARTHEST} either way"
                        ));
                    }
                    by => by,
                },
            },
        })
    }

    fn target(&self, text: &str) -> Result<Target, String> {
        if let Some(device) = self.names.device(text).and_then(|name| self.device(name)) {
            return Ok(Target::Device(device));
        }
        if text.trim().eq_ignore_ascii_case(EVERYTHING) {
            return Ok(Target::Everything);
        }
        self.action(text).map(Target::Action)
    }

    fn device(&self, name: &str) -> Option<DeviceId> {
        let devices = &mut self.names.catalog().devices().iter();
        let position = devices.position(|device| device.name == name)?;
        u16::try_from(position).ok().map(DeviceId)
    }

    /// The action that is written `Device:action`. Names may hold colons themselves.
    fn action(&self, text: &str) -> Result<ActionId, String> {
        let colons = || text.match_indices(':').take(MOST_COLONS);
        let parts = || colons().map(|(at, _)| text.split_at(at));
        let found = parts().find_map(|(device, action)| {
            let device = self.names.device(device)?;
            let action = self.names.action(device, &action[1..])?;
            self.names.catalog().lookup(device, action)
        });
        found.ok_or_else(|| {
            let shown = excerpt(text);
            match parts().any(|(device, _)| self.names.device(device).is_some()) {
                true => format!("`{shown}`: the device has no such action"),
                false => format!("`{shown}` is no `Device:action` of the catalog"),
            }
        })
    }
}

/// The numbers of the words that are listed, or all where none is.
fn some_or_all(
    listed: &[String],
    number: impl Fn(&str) -> Result<u8, String>,
    all: BTreeSet<u8>,
) -> Result<BTreeSet<u8>, String> {
    match listed {
        [] => Ok(all),
        listed => listed.iter().map(|word| number(word)).collect(),
    }
}

fn hour(word: &str) -> Result<u8, String> {
    let position = names::hours(word).and_then(|name| HOURS.iter().position(|n| n == name));
    let position = position.and_then(|position| u8::try_from(position).ok());
    position.ok_or_else(|| format!("`{}` is no three-hour bucket", excerpt(word)))
}

fn weekday(word: &str) -> Result<u8, String> {
    let position = names::weekday(word).and_then(|name| WEEKDAYS.iter().position(|n| n == name));
    let position = position.and_then(|position| u8::try_from(position).ok());
    position.ok_or_else(|| format!("`{}` is no weekday", excerpt(word)))
}

/// The lists of edits in a text: `{"edits": […]}`, or where that is nowhere, arrays of edits alone.
///
/// A bracket that begins no JSON is passed over. JSON lies at most 128 levels deep, so a byte is read at most so many times.
fn lists(text: &str) -> Vec<Vec<Value>> {
    let (mut marked, mut bare) = (Vec::new(), Vec::new());
    let mut start = 0;
    while let Some(at) = text[start..].find(['{', '[']) {
        start += at;
        let mut values = Deserializer::from_str(&text[start..]).into_iter::<Value>();
        let edits = match values.next() {
            Some(Ok(Value::Object(mut object))) => match object.remove("edits") {
                Some(Value::Array(edits)) => Some((&mut marked, edits)),
                _ => None,
            },
            Some(Ok(Value::Array(edits))) => {
                let all = !edits.is_empty() && edits.iter().all(|edit| edit.get("edit").is_some());
                all.then_some((&mut bare, edits))
            }
            _ => None,
        };
        match edits {
            Some((lists, edits)) => {
                lists.push(edits);
                start += values.byte_offset();
            }
            None => start += 1,
        }
    }
    if marked.is_empty() { bare } else { marked }
}
