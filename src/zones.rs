//! Where clocks are local: a zone of the whole run, and zones of single homes.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use hearth_operators::words::{HomeId, Time};
use jiff::tz::TimeZone;

use crate::time;

/// The zones of homes. Where a home has one, or the run has, every instant is local time there, whatever offset it carries.
#[derive(Clone, Debug)]
pub struct Zones {
    /// Of homes that have none of their own.
    run: Option<TimeZone>,
    by_name: HashMap<String, TimeZone, RandomState>,
    by_home: HashMap<HomeId, TimeZone, RandomState>,
    utc: TimeZone,
}

impl Zones {
    /// One zone for all homes, or none.
    pub fn new(run: Option<TimeZone>) -> Self {
        Zones {
            run,
            by_name: HashMap::default(),
            by_home: HashMap::default(),
            utc: TimeZone::UTC,
        }
    }

    /// Gives a home a zone of its own.
    pub fn set(&mut self, home: HomeId, name: &str, zone: TimeZone) {
        self.by_name.insert(name.to_owned(), zone.clone());
        self.by_home.insert(home, zone);
    }

    /// Where a time of a home is local that carries no offset.
    pub fn civil(&self, home: &str) -> &TimeZone {
        let own = match self.by_name.is_empty() {
            true => None,
            false => self.by_name.get(home),
        };
        own.or(self.run.as_ref()).unwrap_or(&self.utc)
    }

    /// The zone of a home, where one was given.
    pub fn of(&self, home: HomeId) -> Option<&TimeZone> {
        self.by_home.get(&home).or(self.run.as_ref())
    }

    /// The minutes east of UTC that a home's clock shows, where an event carries some.
    pub fn offset(&self, home: Option<HomeId>, time: Time, carried: i16) -> i16 {
        let zone = home.map_or(self.run.as_ref(), |home| self.of(home));
        zone.map_or(carried, |zone| time::offset_at(time, zone))
    }

    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.run.is_none() && self.by_home.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_homes_own_zone_precedes_the_runs_and_that_what_is_carried() {
        let (one, other) = (HomeId(0), HomeId(1));
        let noon = Time(1_659_614_400 * Time::SECOND); // 2022-08-04T12:00:00Z
        let none = Zones::new(None);
        assert!(none.is_empty());
        assert_eq!(none.offset(Some(one), noon, 60), 60);
        let mut zones = Zones::new(Some(TimeZone::get("Europe/Berlin").unwrap()));
        zones.set(other, "other", TimeZone::get("America/New_York").unwrap());
        assert_eq!(zones.offset(Some(one), noon, 0), 120);
        assert_eq!(zones.offset(Some(other), noon, 0), -240);
        assert_eq!(zones.offset(None, noon, 0), 120);
        assert_eq!(zones.civil("other").iana_name(), Some("America/New_York"));
        assert_eq!(zones.civil("one").iana_name(), Some("Europe/Berlin"));
    }
}
