//! The hour that comes twice, where clocks are put back.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use hearth_operators::words::{HomeId, Time};
use jiff::tz::TimeZone;

use crate::time;

/// Tells by the order of a log which of two hours a local time is of: once a home's clock goes back within the hour, it is the
/// second one. What a home does again in it is then no duplicate.
#[derive(Debug, Default)]
pub(super) struct Twice {
    /// Of homes that were met in such an hour: the last instant there.
    last: HashMap<HomeId, Time, RandomState>,
}

impl Twice {
    /// The instant that a home's clock, in `zone`, means by the earlier of two: it, or the later one.
    pub fn settle(
        &mut self,
        home: HomeId,
        (time, offset): (Time, i16),
        zone: &TimeZone,
    ) -> (Time, i16) {
        let Some(later) = time::again(time, zone) else {
            self.passes(home);
            return (time, offset);
        };
        let last = self.last.get(&home).copied();
        let back = last.is_some_and(|last| last > time && last.0 <= later.0.0 + SLACK);
        let settled = if back { later } else { (time, offset) };
        self.last.insert(home, settled.0);
        settled
    }

    /// A home's clock is in no such hour.
    pub fn passes(&mut self, home: HomeId) {
        if self.remembers() {
            self.last.remove(&home);
        }
    }

    /// Whether some home's clock is within such an hour.
    pub fn remembers(&self) -> bool {
        !self.last.is_empty()
    }
}

/// Lines of one minute may stand in any order.
const SLACK: i64 = 60 * Time::SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_back_is_in_the_second_hour() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let mut twice = Twice::default();
        let mut read = |home, clock: &str| {
            let read = time::parse(&format!("2025-10-26T{clock}"), &zone).unwrap();
            let (time, offset) = twice.settle(HomeId(home), read, &zone);
            time::format(time, offset)[11..].to_owned()
        };
        assert_eq!(read(0, "01:59:00"), "01:59:00+02:00");
        assert_eq!(read(0, "02:10:00"), "02:10:00+02:00");
        assert_eq!(read(0, "02:50:00"), "02:50:00+02:00");
        assert_eq!(read(1, "02:20:00"), "02:20:00+02:00");
        assert_eq!(read(0, "02:10:00"), "02:10:00+01:00");
        assert_eq!(read(0, "02:10:00"), "02:10:00+01:00");
        assert_eq!(read(0, "02:55:00"), "02:55:00+01:00");
        assert_eq!(read(0, "03:00:00"), "03:00:00+01:00");
    }
}
