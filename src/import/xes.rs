//! XES, the event logs of process mining: of each `<event>` its `concept:name`, `time:timestamp` and `lifecycle:transition`.
//!
//! Read is the form that programs write: elements with `key` and `value` attributes inside `<event>`. There is no more of XML here
//! than that takes.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::tz::TimeZone;

use super::options::{home_of, time_zone};
use super::output::{Destination, Output};

use crate::sources::instant;
use crate::time;

/// Imports XES logs: what an event is called is the device, its transition (start, complete) the action.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  hearth import xes activities.xes --timezone Europe/Madrid --out activities/")]
pub struct Args {
    /// The logs; each is a home of its own, named like its file.
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
        let home = home_of(file);
        let bytes = fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        let mut rest = &*text;
        while let Some((_, begun)) = rest.split_once("<event>") {
            let (event, behind) = begun.split_once("</event>").unwrap_or((begun, ""));
            rest = behind;
            let value = |key: &str| value(event, key);
            let (Some(name), Some(at)) = (value("concept:name"), value("time:timestamp")) else {
                output.skip(format!("events without a name or a time ({home})"));
                continue;
            };
            let Ok((time, _)) = instant(&at, &args.timezone) else {
                output.skip(format!("events without a possible time ({home})"));
                continue;
            };
            let at = (time, time::offset_at(time, &args.timezone));
            let action = value("lifecycle:transition").unwrap_or_else(|| "complete".to_owned());
            // `end` is what closes a `start`, in whatever words a log says it.
            let action = match action.as_str() {
                "complete" if text.contains("\"start\"") => "end",
                other => other,
            };
            output.event(&home, at, &name, action, None)?;
        }
    }
    output.finish(None)
}

/// The value of an event's element of this key.
fn value(event: &str, key: &str) -> Option<String> {
    let mut elements = event
        .split('<')
        .filter(|element| attribute(element, "key") == Some(key));
    elements
        .next()
        .and_then(|e| attribute(e, "value"))
        .map(unescaped)
}

/// An attribute's text, between quotes of either kind.
fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let mut places = element.match_indices(name);
    places.find_map(|(at, _)| {
        let blank = element[..at].ends_with(char::is_whitespace);
        let rest = element[at + name.len()..]
            .trim_start()
            .strip_prefix('=')?
            .trim_start();
        let quote = rest
            .chars()
            .next()
            .filter(|c| blank && matches!(c, '"' | '\''))?;
        rest[1..].split(quote).next()
    })
}

fn unescaped(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (escaped, meant)| {
        text.replace(escaped, meant)
    })
}
