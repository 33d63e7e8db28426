//! Which shifts a home has been through, and how long ago.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::Result;
use hearth_operators::words::Time;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::log::{Home, Log};
use crate::evaluate::Truth;
use crate::home_names::HomeNames;
use crate::sources::read_contexts;
use crate::zones::Zones;

/// Days since a home's last shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(in super::super) enum Days {
    /// Before its first.
    #[serde(rename = "before")]
    Before,
    /// Less than one.
    #[serde(rename = "0-1")]
    First,
    /// One to three.
    #[serde(rename = "1-3")]
    Soon,
    /// Three to seven.
    #[serde(rename = "3-7")]
    Week,
    /// More.
    #[serde(rename = "later")]
    Later,
    /// Less than seven: the three after a shift together.
    #[serde(rename = "0-7")]
    FirstWeek,
}

impl Days {
    /// All that share a home's time between them.
    pub const ALL: [Days; 5] = [
        Days::Before,
        Days::First,
        Days::Soon,
        Days::Week,
        Days::Later,
    ];

    /// Whether these days are among them.
    pub fn hold(self, other: Days) -> bool {
        let of_week = matches!(other, Days::First | Days::Soon | Days::Week);
        self == other || (self == Days::FirstWeek && of_week)
    }

    fn since(micros: i64) -> Self {
        match micros.div_euclid(Time::DAY) {
            ..0 => Days::Before,
            0 => Days::First,
            1..3 => Days::Soon,
            3..7 => Days::Week,
            7.. => Days::Later,
        }
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Days::Before => "before",
            Days::First => "0–1",
            Days::Soon => "1–3",
            Days::Week => "3–7",
            Days::Later => "later",
            Days::FirstWeek => "0–7",
        })
    }
}

/// The shifts of all homes.
#[derive(Debug, Default)]
pub(super) struct Shifts {
    kinds: Vec<String>,
    /// Time and number of the kind, in order of time.
    of: BTreeMap<Home, Vec<(i64, usize)>>,
}

impl Shifts {
    /// Those that were declared; lines that declare none are the replay's to tell of.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn declared(file: &Path, zone: Option<TimeZone>, log: &Log) -> Result<Self> {
        let names = HomeNames::default();
        let declared = read_contexts(file, &names, &Zones::new(zone))?;
        let mut shifts = Shifts::default();
        for shift in declared.shifts {
            let homes: Vec<Home> = match shift.home {
                Some(home) => log.home(&names.name(home)).into_iter().collect(),
                None => (0..log.homes() as Home).collect(),
            };
            for home in homes {
                shifts.add(home, shift.time.0, shift.kind.name());
            }
        }
        Ok(shifts)
    }

    /// Those that were planted.
    pub fn planted(truth: &Truth, log: &Log) -> Self {
        let mut shifts = Shifts::default();
        for shift in &truth.shifts {
            if let Some(home) = log.home(&shift.home) {
                shifts.add(home, shift.time, &shift.kind);
            }
        }
        shifts
    }

    fn add(&mut self, home: Home, time: i64, kind: &str) {
        let known = self.kinds.iter().position(|known| known == kind);
        let kind = known.unwrap_or_else(|| {
            self.kinds.push(kind.to_owned());
            self.kinds.len() - 1
        });
        let shifts = self.of.entry(home).or_default();
        shifts.push((time, kind));
        shifts.sort_unstable();
    }

    /// The name of a kind.
    pub fn kind(&self, kind: usize) -> &str {
        &self.kinds[kind]
    }

    /// The kind of the home's last shift, and the days since; before its first, that one's. `None` where it has none.
    pub fn at(&self, home: Home, time: i64) -> Option<(usize, Days)> {
        let shifts = self.of.get(&home)?;
        let past = shifts.iter().rev().find(|(when, _)| *when <= time);
        let &(when, kind) = past.or(shifts.first())?;
        Some((kind, Days::since(time - when)))
    }

    /// The home's shifts in order of time.
    pub fn times(&self, home: Home) -> impl Iterator<Item = i64> {
        let shifts = self.of.get(&home).into_iter().flatten();
        shifts.map(|(time, _)| *time)
    }

    /// The kind of the home's first shift.
    pub fn first(&self, home: Home) -> Option<usize> {
        self.of.get(&home)?.first().map(|(_, kind)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_by_hand() {
        let mut shifts = Shifts::default();
        shifts.add(3, 20 * Time::DAY, "schedule");
        shifts.add(3, 10 * Time::DAY, "season");
        let at = |days: f64| shifts.at(3, (days * Time::DAY as f64) as i64);
        let (season, schedule) = (1, 0);
        assert_eq!(
            [shifts.kind(season), shifts.kind(schedule)],
            ["season", "schedule"]
        );
        assert_eq!(at(9.9), Some((season, Days::Before)));
        assert_eq!(at(10.0), Some((season, Days::First)));
        assert_eq!(at(11.0), Some((season, Days::Soon)));
        assert_eq!(at(13.0), Some((season, Days::Week)));
        assert_eq!(at(19.0), Some((season, Days::Later)));
        assert_eq!(at(20.5), Some((schedule, Days::First)));
        assert_eq!(shifts.at(4, 0), None);
        let of_week = Days::ALL.map(|days| Days::FirstWeek.hold(days));
        assert_eq!(of_week, [false, true, true, true, false]);
        assert_eq!(shifts.first(3), Some(season));
    }
}
