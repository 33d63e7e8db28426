//! Alarms: what a person should look at, with reasons in words and figures.

use std::borrow::Cow;
use std::sync::Arc;

use hearth_operators::alarms::{Between, Fact, Pause, Reason};
use hearth_operators::detect::Raised;
use hearth_operators::words::{ActionId, Epoch};
use serde::{Deserialize, Serialize};

use super::parts::{BehaviorLine, Stamp, behaviors, ends};
use super::{Change, Names, Record, Stream, Tally};

/// `alarms.jsonl`, a collection: segments with behaviours that are rarer than the budget of alarms allows. The alarm of a segment
/// that is revised is taken back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AlarmLine<'a> {
    /// See [the module](super).
    pub epoch: u64,
    /// See [the module](super).
    pub diff: i64,
    /// Names the alarm within its home: when its segment starts.
    pub alarm: Stamp,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// Time of the segment's first behaviour.
    pub start: Stamp,
    /// Time of its last.
    pub end: Stamp,
    /// The anomalous ones of its behaviours.
    #[serde(borrow)]
    pub behaviors: Vec<BehaviorLine<'a>>,
    /// The greatest of their scores.
    pub score: Option<f32>,
    /// What it is above.
    pub threshold: Option<f32>,
    /// In how many days such a score is reached once, in this home.
    pub once_in_days: Option<f32>,
    /// 1 (as rare as the budget asks for) to 3 (sixteen times as rare or more).
    pub severity: u8,
    /// The greatest reasons of each anomalous behaviour first.
    #[serde(borrow)]
    pub reasons: Vec<ReasonLine<'a>>,
}

impl AlarmLine<'_> {
    /// The line without what tells when it changed the collection: what is counted.
    #[must_use]
    pub fn datum(self) -> Self {
        AlarmLine {
            epoch: 0,
            diff: 0,
            ..self
        }
    }
}

/// Why a behaviour is anomalous: a statement about the home's own past that can be counted in its segments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReasonLine<'a> {
    /// `Device:action`.
    #[serde(borrow)]
    pub behavior: Cow<'a, str>,
    /// When it happened.
    pub time: Stamp,
    /// For a person.
    pub why: String,
    /// What is usual there.
    pub expected: Option<String>,
    /// How often it was seen so far.
    pub seen: u32,
    /// Among how many.
    pub times: u32,
}

impl Record for Change<Arc<Raised>> {
    const STREAM: Stream = Stream::Alarms;

    fn line(&self, _: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let (raised, epoch, diff) = self;
        let Raised {
            segment,
            alarm,
            reasons,
        } = raised.as_ref();
        let Some((start, end)) = ends(segment) else {
            return Ok(());
        };
        let all = behaviors(segment, names);
        let anomalous = alarm.behaviors.iter().filter_map(|i| all.get(*i)).cloned();
        let told = Told {
            raised,
            names,
            behaviors: &all,
        };
        let value = AlarmLine {
            epoch: *epoch,
            diff: *diff,
            alarm: start,
            home: Cow::Borrowed(&names.home(segment.home)),
            start,
            end,
            behaviors: anomalous.collect(),
            score: Some(alarm.score),
            threshold: Some(alarm.threshold),
            once_in_days: Some(alarm.once_in_days),
            severity: alarm.severity,
            reasons: reasons
                .iter()
                .filter_map(|reason| told.line(reason))
                .collect(),
        };
        serde_json::to_writer(line, &value)
    }

    fn count(&self, tally: &mut Tally) {
        let (_, _, diff) = self;
        tally.counts.alarms += diff;
    }
}

/// Says reasons in words.
struct Told<'a> {
    raised: &'a Raised,
    names: &'a Names,
    behaviors: &'a [BehaviorLine<'a>],
}

impl<'a> Told<'a> {
    fn line(&self, reason: &Reason) -> Option<ReasonLine<'a>> {
        let behavior = self.behaviors.get(reason.behavior)?;
        let (why, expected) = self.words(reason, &behavior.action);
        Some(ReasonLine {
            behavior: behavior.action.clone(),
            time: behavior.time,
            why,
            expected,
            seen: reason.seen,
            times: reason.times,
        })
    }

    fn name(&self, action: ActionId) -> Cow<'_, str> {
        self.names.action(self.raised.segment.home, action)
    }

    fn most(&self, usual: Option<(ActionId, u32)>) -> Option<String> {
        let (action, times) = usual?;
        Some(format!(
            "most often {} ({})",
            self.name(action),
            often(times)
        ))
    }

    fn words(&self, reason: &Reason, what: &str) -> (String, Option<String>) {
        let Reason { seen, times, .. } = *reason;
        let so_far = match times {
            // Nothing ever came there.
            0 => "for the first time".to_owned(),
            1 => format!("{seen} of 1 time"),
            _ => format!("{seen} of {times} times"),
        };
        match &reason.fact {
            Fact::New => {
                let device = match times {
                    0 => "nor was anything of its device".to_owned(),
                    _ => format!("its device was, {}", often(times)),
                };
                let why = format!("{what} was never seen in this home before; {device}");
                (why, None)
            }
            Fact::After { before, usual } => {
                let place = match before {
                    Some(before) => format!("right after {}", self.name(*before)),
                    None => "at the beginning of a segment".to_owned(),
                };
                (format!("{place} came {what} {so_far}"), self.most(*usual))
            }
            Fact::Before { after, usual } => {
                let place = match after {
                    Some(after) => format!("right before {}", self.name(*after)),
                    None => "at the end of a segment".to_owned(),
                };
                (format!("{place} came {what} {so_far}"), self.most(*usual))
            }
            Fact::Hours { between, usual } => {
                let (most, times) = usual;
                let why = format!("{what} came {} {so_far}", hours(*between));
                (
                    why,
                    Some(format!("most often {} ({})", hours(*most), often(*times))),
                )
            }
            Fact::State { last, usual } => {
                let last = self.name(*last);
                let why = format!("after {last} its device did {what} next {so_far}");
                (why, self.most(*usual))
            }
            Fact::Row { place } => {
                let why = format!("{what} comes {} in a row: so it was {so_far}", nth(*place));
                (why, None)
            }
            Fact::Turns { row } => {
                let why = format!(
                    "{what} is the {} behavior in a row that does what the one two before it did: so it was {so_far}",
                    ordinal(*row)
                );
                (why, None)
            }
            Fact::PauseBefore { length } => {
                let why = match length {
                    Some(length) => format!(
                        "{what} comes {} after what was before it: so it was {so_far}",
                        pause(*length)
                    ),
                    None => format!("{what} begins a segment: so it was {so_far}"),
                };
                (why, None)
            }
            Fact::PauseAfter { length } => {
                let why = match length {
                    Some(length) => format!(
                        "after {what} the next comes {} later: so it was {so_far}",
                        pause(*length)
                    ),
                    None => format!("{what} ends a segment: so it was {so_far}"),
                };
                (why, None)
            }
        }
    }
}

fn often(times: u32) -> String {
    match times {
        1 => "once".to_owned(),
        _ => format!("{times} times"),
    }
}

fn hours(between: Between) -> String {
    format!("between {} and {} o'clock", between.from, between.to)
}

fn nth(place: u32) -> String {
    format!("for the {} time", ordinal(place))
}

fn ordinal(place: u32) -> String {
    let ending = match place {
        11..=13 => "th",
        _ => match place % 10 {
            1 => "st",
            2 => "nd",
            3 => "rd",
            _ => "th",
        },
    };
    format!("{place}{ending}")
}

fn pause(length: Pause) -> String {
    let said = |seconds: i64| match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    };
    match length.below {
        Some(below) => format!("{} to {}", said(length.least), said(below)),
        None => format!("{} or more", said(length.least)),
    }
}
