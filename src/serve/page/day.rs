//! A day of a home: what happened, and what was expected in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::{Date, Time as Clock};

use super::super::recent::Home;
use super::words::{civil, instant};
use crate::outputs::{AlarmLine, ScoreLine, SegmentLine, Stamp};

/// A behaviour, with what the model thought of it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub time: Stamp,
    pub device: String,
    pub action: String,
    /// The likeliest action in its place and its probability; none where nothing was predicted.
    pub expected: Option<(String, f32)>,
    /// Whether it is what was thought likeliest.
    pub right: bool,
    /// Whether it is stranger than the home's threshold.
    pub odd: bool,
}

/// A day of a home.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub date: Date,
    /// When it begins and ends.
    pub from: Stamp,
    pub to: Stamp,
    /// Beginnings and ends of segments that touch it.
    pub segments: Vec<(Stamp, Stamp)>,
    /// In order of time.
    pub behaviors: Vec<Seen>,
    /// Alarms that stand, in order of time: when they begin, and which behaviours they are of.
    pub alarms: Vec<(Stamp, Vec<Stamp>)>,
}

/// The days of which behaviours are kept, the newest first.
pub(super) fn days(home: &Home) -> Vec<Date> {
    let ends = home
        .segments
        .iter()
        .flat_map(|entry| [entry.start, entry.end]);
    let open = home.opened().map(|(time, _)| time);
    let days: BTreeSet<Date> = ends.chain(open).map(|it| civil(it).date()).collect();
    days.into_iter().rev().collect()
}

impl Day {
    /// What is kept of a day.
    pub fn of(home: &Home, date: Date) -> Option<Day> {
        let last = home.opened().map(|(time, _)| time).max();
        let last = last.or(home.segments.back().map(|entry| entry.end));
        let offset = last.map_or(0, |last| last.offset);
        let from = instant(date.to_datetime(Clock::midnight()), offset)?;
        let to = instant(date.tomorrow().ok()?.to_datetime(Clock::midnight()), offset)?;
        let mut day = Day {
            date,
            from,
            to,
            segments: Vec::new(),
            behaviors: Vec::new(),
            alarms: Vec::new(),
        };
        day.close(home);
        day.leave_open(home);
        day.segments.sort();
        day.behaviors.sort_by_key(|seen| seen.time);
        let within = day.within();
        for entry in home
            .alarms
            .iter()
            .filter(|it| within(it.start) || within(it.end))
        {
            if let Ok(alarm) = serde_json::from_str::<AlarmLine<'_>>(&entry.line) {
                let times = alarm.behaviors.iter().map(|it| it.time).collect();
                day.alarms.push((alarm.alarm, times));
            }
        }
        day.alarms.sort();
        Some(day)
    }

    /// Whether a time is within it.
    fn within(&self) -> impl Fn(Stamp) -> bool + Copy + use<> {
        let (from, to) = (self.from.time, self.to.time);
        move |at| from <= at.time && at.time < to
    }

    /// Takes what closed segments have of the day.
    fn close(&mut self, home: &Home) {
        let within = self.within();
        let scores = scores(home.scores.iter(), within);
        for entry in &home.segments {
            if entry.start.time >= self.to.time || entry.end.time < self.from.time {
                continue;
            }
            let Ok(segment) = serde_json::from_str::<SegmentLine<'_>>(&entry.line) else {
                continue;
            };
            self.segments.push((segment.start, segment.end));
            for behavior in segment.behaviors.iter().filter(|it| within(it.time)) {
                let key = (behavior.time, behavior.action.to_string());
                let score = scores.get(&key);
                let seen = Seen::of(key, behavior.device.to_string(), score);
                self.behaviors.push(seen);
            }
        }
    }

    /// Takes what the segment that is open has of the day.
    fn leave_open(&mut self, home: &Home) {
        let opened = home.opened().map(|(time, _)| time);
        let (Some(first), Some(last)) = (opened.clone().min(), opened.max()) else {
            return;
        };
        if first.time >= self.to.time || last.time < self.from.time {
            return;
        }
        self.segments.push((first, last));
        let lines = home.opened().map(|(_, line)| line);
        for (key, score) in scores(lines, self.within()) {
            let device = key.1.split(':').next().unwrap_or_default().to_owned();
            self.behaviors.push(Seen::of(key, device, Some(&score)));
        }
    }

    /// How far into the day a time is, from 0 to 1.
    pub fn share(&self, at: Stamp) -> f64 {
        let length = (self.to.time.0 - self.from.time.0).max(1) as f64;
        ((at.time.0 - self.from.time.0) as f64 / length).clamp(0.0, 1.0)
    }

    /// Behaviours by hour.
    pub fn hours(&self) -> [usize; 24] {
        let mut hours = [0; 24];
        for seen in &self.behaviors {
            if let Some(count) = hours.get_mut((self.share(seen.time) * 24.0) as usize) {
                *count += 1;
            }
        }
        hours
    }
}

struct Score {
    expected: Option<(String, f32)>,
    odd: bool,
}

impl Seen {
    fn of((time, action): (Stamp, String), device: String, score: Option<&Score>) -> Seen {
        let expected = score.and_then(|it| it.expected.clone());
        Seen {
            time,
            device,
            right: expected.as_ref().is_some_and(|it| it.0 == action),
            odd: score.is_some_and(|it| it.odd),
            expected,
            action,
        }
    }
}

/// By time and action; of a behaviour that was scored again the later one holds.
fn scores<'a>(
    lines: impl Iterator<Item = &'a Arc<str>>,
    within: impl Fn(Stamp) -> bool,
) -> BTreeMap<(Stamp, String), Score> {
    let mut scores = BTreeMap::new();
    for line in lines {
        let Ok(score) = serde_json::from_str::<ScoreLine<'_>>(line) else {
            continue;
        };
        if within(score.time) {
            let first = score.predictions.first();
            let expected = first.map(|it| (it.action.to_string(), it.probability.unwrap_or(0.0)));
            let odd = score.anomaly;
            scores.insert(
                (score.time, score.action.to_string()),
                Score { expected, odd },
            );
        }
    }
    scores
}
