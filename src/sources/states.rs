//! From states that are reported to behaviours: only what changes is one.
//!
//! A source that reports states says them again and again, and loses sight of devices: when it restarts, sensors go off and come
//! back to what they were. So a state that equals the device's last one is no behaviour, nor is the first one that is heard of a
//! device; and for a while after a device was out of reach, or the source began anew, only what stays is believed.

use std::collections::{BTreeSet, HashMap};

use hearth_operators::words::Time;
use serde::{Deserialize, Serialize};

/// For so long after a device was out of reach, what it says may not be so yet.
const UNSETTLED: i64 = 60 * Time::SECOND;

/// An instant with the offset of its clock.
pub(crate) type At = (Time, i16);

/// A behaviour: when, and which device came into which state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub at: At,
    pub device: String,
    pub state: String,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Report {
    /// It is a behaviour, or becomes one if it stays so.
    Changed,
    /// Nobody knows when the device came into its first state.
    First,
    /// It was so before.
    Same,
    /// The device was out of reach, and is again as it was.
    Returned,
}

impl Report {
    /// Why it is no behaviour.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Report::Changed => None,
            Report::First => Some("first states, from before the recording"),
            Report::Same => Some("states that did not change"),
            Report::Returned => Some(
                "states that only came back after a restart, or after a device was out of reach",
            ),
        }
    }
}

/// What the devices are known to be in.
#[derive(Debug, Default)]
pub(crate) struct States {
    devices: HashMap<String, Device>,
    /// When the source began anew last.
    restarted: Option<Time>,
    /// Whether every report is a behaviour.
    repeats: bool,
    changes: Vec<Change>,
    /// Of which devices something else is known than when it was last [taken](States::news).
    news: BTreeSet<String>,
}

/// What is known of a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Device {
    /// The last state that is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// When it was last heard, by its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heard: Option<i64>,
    /// Whether nothing was heard of it since it went out of reach.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    away: bool,
    /// Until when what it says may not be so yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unsettled: Option<i64>,
    /// What it says meanwhile, where that differs from what it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<(i64, i16, String)>,
}

impl States {
    /// Nothing is known yet. With `repeats` each report is a behaviour, also one that changes nothing.
    pub fn new(repeats: bool) -> Self {
        States {
            repeats,
            ..States::default()
        }
    }

    /// A device says that it is in a state. Reports come in the order of time, those of one device at least.
    pub fn report(&mut self, device: &str, at: At, state: &str) -> Report {
        let before = self.devices.get(device).cloned();
        let mut known = before.clone().unwrap_or_default();
        known.settle(device, at.0, &mut self.changes);
        if std::mem::take(&mut known.away) {
            known.unsettled = Some(at.0.0 + UNSETTLED);
        }
        if let Some(restarted) = self.restarted.filter(|r| at.0.0 - r.0 < UNSETTLED) {
            known.unsettled = known.unsettled.max(Some(restarted.0 + UNSETTLED));
        }
        let report = match self.repeats {
            true => known.repeat(device, at, state, &mut self.changes),
            false => known.hear(device, at, state, &mut self.changes),
        };
        self.keep(device, before.as_ref(), known);
        report
    }

    /// A device is known to be in a state, since nobody knows when: no behaviour, whatever it was in before.
    pub fn know(&mut self, device: &str, state: &str) {
        let before = self.devices.get(device).cloned();
        let mut known = before.clone().unwrap_or_default();
        known.state = Some(state.to_owned());
        known.pending = None;
        self.keep(device, before.as_ref(), known);
    }

    /// Whether a device was heard later than this, by its own clock; else it is heard now.
    pub fn is_stale(&mut self, device: &str, time: Time) -> bool {
        let before = self.devices.get(device).cloned();
        let mut known = before.clone().unwrap_or_default();
        if known.heard.is_some_and(|heard| time.0 < heard) {
            return true;
        }
        known.heard = Some(time.0);
        // That it was heard is worth keeping only with what it said.
        self.devices.insert(device.to_owned(), known);
        false
    }

    /// A device is out of reach.
    pub fn away(&mut self, device: &str, at: At) {
        let Some(before) = self.devices.get(device).cloned() else {
            return;
        };
        let mut known = before.clone();
        known.settle(device, at.0, &mut self.changes);
        known.away = true;
        self.keep(device, Some(&before), known);
    }

    /// Everything of a device is out of reach: what is called like it with a NUL byte and a part's name behind it.
    pub fn away_all(&mut self, device: &str, at: At) {
        let of = |name: &str| name.split_once('\0').is_some_and(|(of, _)| of == device);
        let parts = self.devices.keys().filter(|name| of(name));
        let parts: Vec<String> = parts.cloned().collect();
        for part in parts {
            self.away(&part, at);
        }
    }

    /// The source began anew.
    pub fn restart(&mut self, at: Time) {
        self.restarted = Some(at);
    }

    /// Believes what has stayed long enough by now, of so many devices at most.
    pub fn settle(&mut self, now: Time, most: usize) {
        let due = |known: &Device| known.unsettled.is_some_and(|until| now.0 >= until);
        let due = self.devices.iter().filter(|(_, known)| due(known));
        let mut due: Vec<(String, Device)> = due.map(|(d, k)| (d.clone(), k.clone())).collect();
        due.sort_by(|a, b| a.0.cmp(&b.0));
        due.truncate(most);
        for (device, before) in due {
            let mut known = before.clone();
            known.settle(&device, now, &mut self.changes);
            self.keep(&device, Some(&before), known);
        }
    }

    /// Takes the behaviours that are certain by now; not all of them are in the order of time.
    pub fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Takes what is left at the end, in the order of time: also what devices say that were out of reach shortly before.
    pub fn finish(mut self) -> Vec<Change> {
        self.settle(Time(i64::MAX), usize::MAX);
        let order = |change: &Change| (change.at.0, change.device.clone());
        self.changes.sort_by_key(order);
        self.changes
    }

    /// What is known of the devices of which something else is known than when this was last asked.
    pub fn news(&mut self) -> Vec<(String, Device)> {
        let names = std::mem::take(&mut self.news).into_iter();
        let known = names.map(|name| (self.devices.get(&name).cloned(), name));
        known.filter_map(|(k, name)| Some((name, k?))).collect()
    }

    /// Of how many devices [`States::news`] would tell.
    pub fn news_count(&self) -> usize {
        self.news.len()
    }

    /// Knows of a device what was known before a restart.
    pub fn recall(&mut self, device: String, known: Device) {
        self.devices.insert(device, known);
    }

    fn keep(&mut self, device: &str, before: Option<&Device>, known: Device) {
        if before != Some(&known) {
            self.devices.insert(device.to_owned(), known);
            self.news.insert(device.to_owned());
        }
    }
}

impl Device {
    /// Is in a state from now on, whatever it was in.
    fn repeat(&mut self, device: &str, at: At, state: &str, changes: &mut Vec<Change>) -> Report {
        self.state = Some(state.to_owned());
        changes.push(Change {
            at,
            device: device.to_owned(),
            state: state.to_owned(),
        });
        Report::Changed
    }

    fn hear(&mut self, device: &str, at: At, state: &str, changes: &mut Vec<Change>) -> Report {
        let Some(before) = &self.state else {
            self.state = Some(state.to_owned());
            return Report::First;
        };
        match (before == state, self.unsettled.is_some()) {
            (true, false) => Report::Same,
            (true, true) => {
                self.pending = None;
                Report::Returned
            }
            (false, true) => {
                let said = self.pending.as_ref().is_some_and(|(_, _, s)| s == state);
                if !said {
                    self.pending = Some((at.0.0, at.1, state.to_owned()));
                }
                Report::Changed
            }
            (false, false) => self.repeat(device, at, state, changes),
        }
    }

    /// Believes what it says, once it has had time to come back.
    fn settle(&mut self, device: &str, now: Time, changes: &mut Vec<Change>) {
        if self.unsettled.is_none_or(|until| now.0 < until) {
            return;
        }
        self.unsettled = None;
        if let Some((time, offset, state)) = self.pending.take() {
            self.state = Some(state.clone());
            changes.push(Change {
                at: (Time(time), offset),
                device: device.to_owned(),
                state,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> At {
        (Time(seconds * Time::SECOND), 0)
    }

    fn told(states: &mut States) -> Vec<(i64, String)> {
        let one = |c: Change| (c.at.0.0 / Time::SECOND, format!("{} {}", c.device, c.state));
        states.changes().into_iter().map(one).collect()
    }

    #[test]
    fn only_changes_are_behaviours() {
        let mut states = States::default();
        let reports = ["off", "off", "on", "on", "off"].iter().zip(0..);
        let reports = reports.map(|(s, n)| states.report("a", at(n), s));
        let reports: Vec<Report> = reports.collect();
        use Report::{Changed, First, Same};
        assert_eq!(reports, [First, Same, Changed, Same, Changed]);
        assert_eq!(told(&mut states), [(2, "a on".into()), (4, "a off".into())]);
        let mut states = States::new(true);
        states.report("a", at(0), "on");
        states.report("a", at(1), "on");
        assert_eq!(states.finish().len(), 2);
    }

    #[test]
    fn what_returns_after_a_while_out_of_reach_is_no_change() {
        let mut states = States::default();
        states.report("a", at(0), "on");
        states.away("a", at(100));
        states.report("a", at(110), "off");
        assert_eq!(states.report("a", at(130), "on"), Report::Returned);
        assert_eq!(states.report("a", at(400), "off"), Report::Changed);
        assert_eq!(told(&mut states), [(400, "a off".into())]);
    }

    #[test]
    fn what_stays_after_a_while_out_of_reach_is_a_change_of_when_it_was_said() {
        let mut states = States::default();
        states.report("a", at(0), "on");
        states.away("a", at(100));
        states.report("a", at(110), "off");
        states.report("a", at(120), "off");
        states.settle(Time(169 * Time::SECOND), 9);
        assert!(told(&mut states).is_empty());
        states.settle(Time(170 * Time::SECOND), 9);
        assert_eq!(told(&mut states), [(110, "a off".into())]);
    }

    #[test]
    fn after_a_restart_no_device_is_believed_at_once() {
        let mut states = States::default();
        states.report("a", at(0), "on");
        states.report("b", at(0), "on");
        states.restart(Time(100 * Time::SECOND));
        states.report("a", at(101), "off");
        states.report("b", at(102), "off");
        states.report("a", at(120), "on");
        let left = states.finish();
        assert_eq!((left.len(), left[0].at), (1, at(102)));
    }

    #[test]
    fn what_is_known_outlives_a_restart_at_any_instant() {
        let reports = [
            ("a", 0, "on"),
            ("a", 10, "off"),
            ("b", 11, "open"),
            ("a", 130, "on"),
            ("b", 140, "closed"),
            ("a", 300, "off"),
        ];
        let run = |restart: usize| {
            let (mut states, mut kept) = (States::default(), Vec::new());
            let mut all = Vec::new();
            for (i, (device, second, state)) in reports.iter().enumerate() {
                if i == 3 {
                    states.away("a", at(120));
                }
                states.report(device, at(*second), state);
                all.extend(told(&mut states));
                kept.extend(states.news());
                if i == restart {
                    states = States::default();
                    for (device, known) in kept.clone() {
                        let known = serde_json::to_string(&known).unwrap();
                        states.recall(device, serde_json::from_str(&known).unwrap());
                    }
                }
            }
            all
        };
        let undisturbed = run(reports.len());
        assert_eq!(undisturbed.len(), 4);
        for restart in 0..reports.len() {
            assert_eq!(run(restart), undisturbed, "after {restart}");
        }
    }

    #[test]
    fn what_is_heard_again_from_before_is_stale() {
        let mut states = States::default();
        assert!(!states.is_stale("a", Time(5)));
        assert!(!states.is_stale("a", Time(5)));
        assert!(states.is_stale("a", Time(4)));
        assert!(!states.is_stale("b", Time(4)));
    }

    #[test]
    fn what_is_only_known_is_no_change() {
        let mut states = States::default();
        states.report("a", at(0), "on");
        states.know("a", "off");
        assert_eq!(states.report("a", at(1), "off"), Report::Same);
        assert_eq!(states.report("a", at(2), "on"), Report::Changed);
    }
}
