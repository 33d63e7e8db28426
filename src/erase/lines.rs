//! Which lines of an output folder hold erased events.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::What;
use crate::outputs::{Stream, shift_of};
use crate::time;

/// The files of a folder are walked through one after the other, segments first.
pub struct Lines<'a> {
    what: &'a What,
    /// How each line that names the home has its name.
    named: String,
    /// Starts and ends of segments that hold erased events.
    segments: BTreeSet<(i64, i64)>,
    /// What these counted, by epoch: to be taken from the counts of transitions.
    transitions: BTreeMap<(u64, String, String), i64>,
    /// Requests that go, by name.
    requests: BTreeSet<String>,
    /// When the shift of each regime of the home was, as far as its requests told.
    shifts: BTreeMap<u64, i64>,
    /// Of which device each action of the home is: a device's own name may hold colons.
    devices: BTreeMap<String, String>,
}

fn instant(value: &Value) -> Option<i64> {
    let parsed = time::parse(value.as_str()?, &jiff::tz::TimeZone::UTC);
    parsed.ok().map(|(time, _)| time.0)
}

impl<'a> Lines<'a> {
    pub fn new(what: &'a What) -> Self {
        let name = Value::from(what.home.as_str());
        Lines {
            what,
            named: format!("\"home\":{name}"),
            segments: BTreeSet::new(),
            transitions: BTreeMap::new(),
            requests: BTreeSet::new(),
            shifts: BTreeMap::new(),
            devices: BTreeMap::new(),
        }
    }

    /// Hands on what stays of a line; `None`: the stream's end.
    pub fn take(
        &mut self,
        stream: Stream,
        text: Option<&str>,
        keep: &mut dyn FnMut(&str),
    ) -> anyhow::Result<()> {
        let Some(text) = text else {
            if stream == Stream::Transitions {
                self.missing(u64::MAX, keep);
            }
            return Ok(());
        };
        if matches!(stream, Stream::Late | Stream::Rejected) {
            if !self.refused(&serde_json::from_str(text)?) {
                keep(text);
            }
            return Ok(());
        }
        if stream == Stream::Transitions && !self.what.is_whole() {
            return self.transition(text, keep);
        }
        let goes = text.contains(&self.named) && {
            let line: Value = serde_json::from_str(text)?;
            line["home"] == *self.what.home && self.goes(stream, &line)
        };
        if !goes {
            keep(text);
        }
        Ok(())
    }

    /// Whether a line of the home goes.
    fn goes(&mut self, stream: Stream, line: &Value) -> bool {
        let epoch = line["epoch"].as_u64().unwrap_or(0);
        let withdrawn = line["diff"].as_i64().is_some_and(|diff| diff < 0);
        let is_later = self
            .what
            .before
            .is_some_and(|before| epoch > before || epoch == before && !withdrawn);
        if self.what.is_whole() {
            // What was said of the home goes with it, also where it was said later.
            return !is_later || matches!(stream, Stream::Feedback | Stream::Erasures);
        }
        match stream {
            Stream::Segments => {
                self.meet(line);
                let goes = !is_later && self.holds(line);
                if goes {
                    self.segment(line, epoch);
                }
                goes
            }
            Stream::Representatives => !is_later && self.holds(line),
            Stream::Scores => !is_later && self.hits(&line["time"], line["action"].as_str()),
            Stream::Alarms => !is_later && (self.holds(line) || self.in_segment(line)),
            // What it counts is not told apart by event.
            Stream::Drifts => !is_later && !self.segments.is_empty(),
            Stream::Feedback => {
                let start = instant(&line["alarm"]);
                self.segments.iter().any(|(from, _)| Some(*from) == start)
            }
            Stream::Requests => !is_later && self.request(line),
            Stream::Verdicts => {
                let request = line["request"].as_str().unwrap_or_default();
                !is_later && self.requests.contains(request)
            }
            Stream::Transitions
            | Stream::Adaptations
            | Stream::Erasures
            | Stream::Late
            | Stream::Rejected => false,
        }
    }

    /// Whether an event is erased; of `Device:action`.
    fn hits(&self, at: &Value, action: Option<&str>) -> bool {
        let What {
            from, to, device, ..
        } = self.what;
        let of_device = |device: &String| {
            let Some(action) = action else { return false };
            if let Some(known) = self.devices.get(action) {
                return known == device;
            }
            let rest = action.strip_prefix(device.as_str());
            rest.is_some_and(|rest| rest.starts_with(':'))
        };
        instant(at).is_some_and(|at| {
            from.is_none_or(|from| from <= at)
                && to.is_none_or(|to| at < to)
                && device.as_ref().is_none_or(of_device)
        })
    }

    /// Remembers of which devices the actions of a segment are.
    fn meet(&mut self, line: &Value) {
        for behavior in line["behaviors"].as_array().into_iter().flatten() {
            if let (Some(action), Some(device)) =
                (behavior["action"].as_str(), behavior["device"].as_str())
                && !self.devices.contains_key(action)
            {
                self.devices.insert(action.to_owned(), device.to_owned());
            }
        }
    }

    /// Whether one of a line's behaviours is erased.
    fn holds(&self, line: &Value) -> bool {
        let behaviors = line["behaviors"].as_array().into_iter().flatten();
        let mut behaviors = behaviors.map(|b| self.hits(&b["time"], b["action"].as_str()));
        behaviors.any(|hit| hit)
    }

    fn in_segment(&self, line: &Value) -> bool {
        let ends = instant(&line["start"]).zip(instant(&line["end"]));
        ends.is_some_and(|ends| self.segments.contains(&ends))
    }

    /// Remembers a segment that goes.
    fn segment(&mut self, line: &Value, epoch: u64) {
        self.segments
            .extend(instant(&line["start"]).zip(instant(&line["end"])));
        let diff = line["diff"].as_i64().unwrap_or(0);
        let behaviors = line["behaviors"].as_array().into_iter().flatten();
        let actions: Vec<_> = behaviors.filter_map(|b| b["action"].as_str()).collect();
        for pair in actions.windows(2) {
            let key = (epoch, pair[0].to_owned(), pair[1].to_owned());
            *self.transitions.entry(key).or_default() += diff;
        }
    }

    /// Takes from a count of transitions what segments that went had counted.
    fn transition(&mut self, text: &str, keep: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
        let mut line: Value = serde_json::from_str(text)?;
        let epoch = line["epoch"].as_u64().unwrap_or(0);
        self.missing(epoch, keep);
        if line["home"] != *self.what.home {
            keep(text);
            return Ok(());
        }
        let name = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let gone = self.transitions.remove(&(epoch, name("from"), name("to")));
        let left = line["diff"].as_i64().unwrap_or(0) - gone.unwrap_or(0);
        if left != 0 && gone.is_some() {
            line["diff"] = left.into();
            keep(&line.to_string());
        } else if left != 0 {
            keep(text);
        }
        Ok(())
    }

    /// Changes of counts in earlier epochs that cancelled with what went, and do no longer.
    fn missing(&mut self, epoch: u64, keep: &mut dyn FnMut(&str)) {
        let later = self
            .transitions
            .split_off(&(epoch, String::new(), String::new()));
        for ((epoch, from, to), gone) in std::mem::replace(&mut self.transitions, later) {
            if gone != 0 {
                let home = &self.what.home;
                let diff = -gone;
                let line = serde_json::json!({
                    "epoch": epoch, "diff": diff, "home": home, "from": from, "to": to
                });
                keep(&line.to_string());
            }
        }
    }

    /// Whether the regime that a request is made of holds a segment with erased events. Requests come in order of their regimes.
    fn request(&mut self, line: &Value) -> bool {
        let Some(name) = line["request"].as_str() else {
            return false;
        };
        let regime = shift_of(name).rsplit('/').next();
        let regime: u64 = regime.and_then(|r| r.parse().ok()).unwrap_or(0);
        let Some(shift) = instant(&line["shift"]["time"]) else {
            return false;
        };
        self.shifts.insert(regime, shift);
        let before = self.shifts.range(..regime).next_back();
        let before = before.map_or(i64::MIN, |(_, before)| *before);
        let mut segments = self.segments.iter();
        let goes = segments.any(|(start, _)| before <= *start && *start < shift);
        if goes {
            self.requests.insert(name.to_owned());
        }
        goes
    }

    /// Whether an input line that was refused is an erased event, or names an erased home.
    fn refused(&self, line: &Value) -> bool {
        let text = line["line"].as_str().unwrap_or_default();
        let event = serde_json::from_str::<Value>(text).unwrap_or_default();
        if self.what.is_whole() {
            // Whatever its columns are called; what is no JSON is a line of a CSV log, or no line at all.
            return match event.as_object() {
                Some(fields) => fields.values().any(|value| is_text(value, &self.what.home)),
                None => names(text, &self.what.home),
            };
        }
        if !is_text(&event["home"], &self.what.home) {
            return false;
        }
        let action = event["action"].as_str().unwrap_or_default();
        let action = match event["device"].as_str() {
            Some(device) => format!("{device}:{action}"),
            None => action.to_owned(),
        };
        self.hits(&event["time"], Some(&action))
    }
}

/// Whether a field says this; a number counts as the text that it is written as.
fn is_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string == text,
        Value::Number(number) => number.to_string() == text,
        _ => false,
    }
}

/// Whether a text has a name in it, as a whole.
fn names(text: &str, name: &str) -> bool {
    let mut found = text.match_indices(name);
    found.any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let behind = text[at + name.len()..].chars().next();
        let goes_on = |next: Option<char>| next.is_some_and(char::is_alphanumeric);
        !goes_on(before) && !goes_on(behind)
    })
}
