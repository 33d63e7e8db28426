//! Whether a log reports states, again and again, rather than what was done.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// So many events of a log are looked at: enough to tell, and few enough to cost nothing.
const LOOKED_AT: usize = 100_000;

/// So many repetitions are no accident.
const FEW: usize = 20;

/// How often devices say what they said last.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    devices: HashMap<(u32, u32), Device, RandomState>,
    met: usize,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Device {
    /// The digest of its last action.
    last: u64,
    events: usize,
    repeated: usize,
}

impl Repeats {
    /// A device of a home says something.
    pub fn meet(&mut self, home: u32, device: u32, action: &str) {
        if self.met == LOOKED_AT {
            return;
        }
        self.met += 1;
        let action = self.hasher.hash_one(action);
        let device = self.devices.entry((home, device)).or_default();
        device.repeated += usize::from(device.events > 0 && device.last == action);
        device.events += 1;
        device.last = action;
    }

    /// How many events repeat their device's last one, of how many; nothing where that is less than a fifth. A device that
    /// only ever says one thing is a button, not a state.
    pub fn many(&self) -> Option<(usize, usize)> {
        let all = self.devices.values();
        let states = all.filter(|device| device.repeated + 1 < device.events);
        let (repeated, events) = states.fold((0, 0), |(repeated, events), device| {
            (repeated + device.repeated, events + device.events)
        });
        (repeated >= FEW && repeated * 5 >= events).then_some((repeated, events))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_from_what_is_done() {
        let many = |actions: &[&str]| {
            let mut repeats = Repeats::default();
            for _ in 0..10 {
                actions.iter().for_each(|action| repeats.meet(0, 0, action));
                repeats.meet(0, 1, "pressed");
            }
            repeats.many()
        };
        assert_eq!(many(&["on", "on", "on", "off"]), Some((20, 40)));
        assert_eq!(many(&["on", "off"]), None);
        assert_eq!(
            many(&[
                "on", "on", "off", "on", "off", "on", "off", "on", "off", "low", "off"
            ]),
            None
        );
    }
}
