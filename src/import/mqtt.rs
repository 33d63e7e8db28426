//! What `mosquitto_sub -F %j` has logged: one message a line, with time, topic and payload.
//!
//! A topic is a device, what its messages say of its states are the actions. A payload is a word (`ON`), or a JSON object of which
//! each text or truth value is a state (`{"state":"ON","occupancy":true,"linkquality":98}`); numbers are measured. What is said again
//! is no behaviour, nor what is retained from before.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::options::time_zone;
use super::output::{Destination, Output};
use crate::sources::states::{At, Change, States};
use crate::sources::{OF_THE_DEVICE, PRESSED};

use crate::sources::instant;
use crate::time;

/// Imports a log of MQTT messages: the topic is the device, each change of its states an action.
#[derive(Debug, clap::Args)]
#[command(after_help = "Make such a log with
  mosquitto_sub -h BROKER -t 'zigbee2mqtt/#' -F %j >> messages.jsonl
(%J and -F '{\"tst\":\"%I\",\"topic\":\"%t\",\"payload\":\"%p\"}' will do, too).

Example:
  hearth import mqtt messages.jsonl --home mine --timezone Europe/Berlin --out mine/")]
pub struct Args {
    /// The logs, in the order of time.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What topics begin with, before the device.
    #[arg(long, default_value = "zigbee2mqtt/", value_name = "PREFIX")]
    prefix: String,
    /// Take every report for a behaviour, also one that changes nothing.
    #[arg(long)]
    repeats: bool,
    /// Name of the home.
    #[arg(long, default_value = "home")]
    home: String,
    /// Time zone of the home.
    #[arg(long, default_value = "UTC", value_parser = time_zone)]
    timezone: TimeZone,
    #[command(flatten)]
    destination: Destination,
}

/// A message; `tst` is what mosquitto calls its time.
#[derive(Deserialize)]
struct Message {
    #[serde(alias = "time", alias = "timestamp")]
    tst: Value,
    topic: String,
    #[serde(default)]
    payload: Value,
}

/// Runs the import.
pub(super) fn run(args: &Args) -> Result<()> {
    let mut inputs = Vec::new();
    for file in &args.files {
        let input =
            File::open(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        inputs.push((file, BufReader::new(input)));
    }
    let mut import = Import {
        args,
        states: States::new(args.repeats),
        output: Output::create(&args.destination)?,
    };
    for (file, input) in inputs {
        for (line, number) in input.split(b'\n').zip(1_u64..) {
            let broken = || format!("{}:{number}: the file breaks off", file.display());
            let line = line.with_context(broken)?;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match serde_json::from_slice(&line) {
                Ok(message) => import.take(&message)?,
                Err(_) => import.output.skip("lines that are no message of -F %j"),
            }
        }
    }
    let Import {
        args,
        states,
        mut output,
    } = import;
    for change in states.finish() {
        write(args, &change, &mut output)?;
    }
    output.finish(None)
}

/// An import under way.
struct Import<'a> {
    args: &'a Args,
    states: States,
    output: Output,
}

impl Import<'_> {
    fn take(&mut self, message: &Message) -> Result<()> {
        let Some(at) = self.at(&message.tst) else {
            self.output.skip("messages without a possible time");
            return Ok(());
        };
        let topic = message.topic.as_str();
        let name = topic
            .strip_prefix(self.args.prefix.as_str())
            .unwrap_or(topic);
        let (device, last) = name.rsplit_once('/').unwrap_or((name, ""));
        let text = message.payload.as_str().map(str::trim);
        let object: Option<Value> = match &message.payload {
            Value::Object(_) => Some(message.payload.clone()),
            _ => text.and_then(|text| serde_json::from_str(text).ok()),
        };
        let said = |word: &str| {
            let state = object.as_ref().and_then(|o| o["state"].as_str());
            text == Some(word) || state == Some(word)
        };
        if name.starts_with("bridge/") || topic.starts_with("homeassistant/") {
            if said("online") {
                self.states.restart(at.0);
            }
            self.output.skip("messages of the bridge itself");
            return Ok(());
        }
        match last {
            "availability" => {
                if said("offline") {
                    self.states.away_all(device, at);
                }
                self.output.skip("messages of devices being in reach");
                return Ok(());
            }
            "set" | "get" => {
                self.output
                    .skip("orders to devices, which answer with a state");
                return Ok(());
            }
            _ => {}
        }
        match object {
            Some(Value::Object(properties)) => {
                for (property, value) in &properties {
                    self.property(name, property, value, at)?;
                }
            }
            _ => match text.or(message
                .payload
                .as_bool()
                .map(|b| if b { "on" } else { "off" }))
            {
                Some(state) if !state.is_empty() && state.parse::<f64>().is_err() => {
                    self.state(name, "", state, at);
                }
                _ => self
                    .output
                    .skip("payloads that are measured values, or empty"),
            },
        }
        for change in self.states.changes() {
            write(self.args, &change, &mut self.output)?;
        }
        Ok(())
    }

    /// When: `2025-03-01T08:00:00.000000Z+0000` is how mosquitto writes a time.
    fn at(&self, tst: &Value) -> Option<At> {
        let text = tst.as_str().map_or_else(|| tst.to_string(), str::to_owned);
        let text = text.replacen("Z+", "+", 1).replacen("Z-", "-", 1);
        let (time, _) = instant(&text, &self.args.timezone).ok()?;
        Some((time, time::offset_at(time, &self.args.timezone)))
    }

    fn property(&mut self, device: &str, property: &str, value: &Value, at: At) -> Result<()> {
        if OF_THE_DEVICE.contains(&property) {
            return Ok(());
        }
        if PRESSED.contains(&property) {
            let pressed = value.as_str().filter(|pressed| !pressed.is_empty());
            return match pressed {
                Some(pressed) => self
                    .output
                    .event(&self.args.home, at, device, pressed, None),
                None => Ok(()),
            };
        }
        // A contact that is there is closed.
        let state = match (property, value) {
            ("contact", Value::Bool(true)) => "closed",
            ("contact", Value::Bool(false)) => "open",
            (_, Value::Bool(true)) => "on",
            (_, Value::Bool(false)) => "off",
            (_, Value::String(text)) if text.parse::<f64>().is_err() => text,
            _ => return Ok(()),
        };
        self.state(device, property, state, at);
        Ok(())
    }

    /// What a property of a device is in; the property that is called so goes without saying.
    fn state(&mut self, device: &str, property: &str, state: &str, at: At) {
        let property = match property {
            "state" | "contact" | "" => "",
            other => other,
        };
        let of = format!("{device}\0{property}");
        let report = self.states.report(&of, at, state);
        if let Some(reason) = report.reason() {
            self.output.skip(reason);
        }
    }
}

/// Writes a change of a property of a device.
fn write(args: &Args, change: &Change, output: &mut Output) -> Result<()> {
    let (device, property) = change
        .device
        .split_once('\0')
        .unwrap_or((&change.device, ""));
    let action = match property {
        "" => change.state.clone(),
        property => format!("{property} {}", change.state),
    };
    output.event(&args.home, change.at, device, &action, None)
}
