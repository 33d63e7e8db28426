//! From states that are reported to behaviours: only what changes is one.
//!
//! A source that reports states says them again and again, and loses sight of devices: when it restarts, sensors go off and come
//! back to what they were. So a state that equals the device's last one is no behaviour, nor is the first one that is heard of a
//! device; and for a while after a device was out of reach, or the source began anew, only what stays is believed.

use std::collections::HashMap;

use hearth_operators::words::Time;

/// For so long after a device was out of reach, what it says may not be so yet.
const UNSETTLED: i64 = 60 * Time::SECOND;

/// An instant with the offset of its clock.
pub(super) type At = (Time, i16);

/// A behaviour: when, and which device came into which state.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub at: At,
    pub device: String,
    pub state: String,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Report {
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
pub(super) struct States {
    devices: HashMap<String, Device>,
    /// When the source began anew last.
    restarted: Option<Time>,
    /// Whether every report is a behaviour.
    repeats: bool,
    changes: Vec<Change>,
}

#[derive(Debug, Default)]
struct Device {
    /// The last state that is believed.
    state: Option<String>,
    /// Whether nothing was heard of it since it went out of reach.
    away: bool,
    /// Until when what it says may not be so yet.
    unsettled: Option<Time>,
    /// What it says meanwhile, where that differs from what it was.
    pending: Option<(At, String)>,
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
        let restarted = self.restarted;
        if !self.devices.contains_key(device) {
            self.devices.insert(device.to_owned(), Device::default());
        }
        let Some(known) = self.devices.get_mut(device) else {
            return Report::First;
        };
        known.settle(device, at.0, &mut self.changes);
        if std::mem::take(&mut known.away) {
            known.unsettled = Some(Time(at.0.0 + UNSETTLED));
        }
        if let Some(restarted) = restarted.filter(|restarted| at.0.0 - restarted.0 < UNSETTLED) {
            known.unsettled = known.unsettled.max(Some(Time(restarted.0 + UNSETTLED)));
        }
        let change = |state: &str| Change {
            at,
            device: device.to_owned(),
            state: state.to_owned(),
        };
        if self.repeats {
            self.changes.push(change(state));
            return Report::Changed;
        }
        let Some(before) = &known.state else {
            known.state = Some(state.to_owned());
            return Report::First;
        };
        match (before == state, known.unsettled.is_some()) {
            (true, false) => Report::Same,
            (true, true) => {
                known.pending = None;
                Report::Returned
            }
            (false, true) => {
                let said = known
                    .pending
                    .as_ref()
                    .is_some_and(|(_, said)| said == state);
                if !said {
                    known.pending = Some((at, state.to_owned()));
                }
                Report::Changed
            }
            (false, false) => {
                known.state = Some(state.to_owned());
                self.changes.push(change(state));
                Report::Changed
            }
        }
    }

    /// A device is out of reach.
    pub fn away(&mut self, device: &str, at: At) {
        if let Some(known) = self.devices.get_mut(device) {
            known.settle(device, at.0, &mut self.changes);
            known.away = true;
        }
    }

    /// Everything of a device is out of reach: what is called like it with a NUL byte and a part's name behind it.
    pub fn away_all(&mut self, device: &str, at: At) {
        let of = |name: &str| name.split_once('\0').is_some_and(|(of, _)| of == device);
        let parts: Vec<String> = self
            .devices
            .keys()
            .filter(|name| of(name))
            .cloned()
            .collect();
        for part in parts {
            self.away(&part, at);
        }
    }

    /// The source began anew.
    pub fn restart(&mut self, at: Time) {
        self.restarted = Some(at);
    }

    /// Takes the behaviours that are certain by now; not all of them are in the order of time.
    pub fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Takes what is left at the end: what devices say that were out of reach shortly before.
    pub fn finish(mut self) -> Vec<Change> {
        for (device, known) in &mut self.devices {
            known.settle(device, Time(i64::MAX), &mut self.changes);
        }
        let order = |change: &Change| (change.at.0, change.device.clone());
        self.changes.sort_by_key(order);
        self.changes
    }
}

impl Device {
    /// Believes what it says, once it has had time to come back.
    fn settle(&mut self, device: &str, now: Time, changes: &mut Vec<Change>) {
        if self.unsettled.is_none_or(|until| now < until) {
            return;
        }
        self.unsettled = None;
        if let Some((at, state)) = self.pending.take() {
            self.state = Some(state.clone());
            changes.push(Change {
                at,
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

    fn told(changes: Vec<Change>) -> Vec<(i64, String)> {
        let one = |c: Change| (c.at.0.0 / Time::SECOND, format!("{} {}", c.device, c.state));
        changes.into_iter().map(one).collect()
    }

    #[test]
    fn only_changes_are_behaviours() {
        let mut states = States::new(false);
        let reports = ["off", "off", "on", "on", "off"];
        let reports = reports
            .iter()
            .zip(0..)
            .map(|(s, n)| states.report("a", at(n), s));
        let reports: Vec<Report> = reports.collect();
        use Report::{Changed, First, Same};
        assert_eq!(reports, [First, Same, Changed, Same, Changed]);
        assert_eq!(
            told(states.finish()),
            [(2, "a on".into()), (4, "a off".into())]
        );
        let mut states = States::new(true);
        states.report("a", at(0), "on");
        states.report("a", at(1), "on");
        assert_eq!(states.finish().len(), 2);
    }

    #[test]
    fn what_returns_after_a_while_out_of_reach_is_no_change() {
        let mut states = States::new(false);
        states.report("a", at(0), "on");
        states.away("a", at(100));
        states.report("a", at(110), "off");
        assert_eq!(states.report("a", at(130), "on"), Report::Returned);
        assert_eq!(states.report("a", at(400), "off"), Report::Changed);
        assert_eq!(told(states.finish()), [(400, "a off".into())]);
    }

    #[test]
    fn what_stays_after_a_while_out_of_reach_is_a_change_of_when_it_was_said() {
        let mut states = States::new(false);
        states.report("a", at(0), "on");
        states.away("a", at(100));
        states.report("a", at(110), "off");
        states.report("a", at(120), "off");
        assert!(states.changes().is_empty());
        states.report("a", at(500), "on");
        assert_eq!(
            told(states.changes()),
            [(110, "a off".into()), (500, "a on".into())]
        );
    }

    #[test]
    fn after_a_restart_no_device_is_believed_at_once() {
        let mut states = States::new(false);
        states.report("a", at(0), "on");
        states.report("b", at(0), "on");
        states.restart(Time(100 * Time::SECOND));
        states.report("a", at(101), "off");
        states.report("b", at(102), "off");
        states.report("a", at(120), "on");
        assert_eq!(told(states.finish()), [(102, "b off".into())]);
    }
}
