//! Sequences of quadruples (weekday, hours, device, action): what models read and synthesizers write.

use serde::{Deserialize, Serialize};

use super::ActionId;

/// Day of the week, 0 = Monday … 6 = Sunday.
pub type Weekday = u8;

/// Three-hour bucket of the day, 0 = (0~3) … 7 = (21~24).
pub type Hours = u8;

/// Names of the weekdays, by [`Weekday`].
pub const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Names of the three-hour buckets, by [`Hours`], as the paper's data writes them.
pub const HOURS: [&str; 8] = [
    "(0~3)", "(3~6)", "(6~9)", "(9~12)", "(12~15)", "(15~18)", "(18~21)", "(21~24)",
];

/// A behaviour as models see it; the device follows from the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Quadruple {
    /// Day of the week.
    pub weekday: Weekday,
    /// Three-hour bucket.
    pub hours: Hours,
    /// The action (and so its device).
    pub action: ActionId,
}

/// A behaviour sequence without dates. Never empty where it flows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sequence(pub Vec<Quadruple>);

impl Sequence {
    /// The consecutive windows of at most `window` behaviours in which a model reads this sequence.
    pub fn windows(&self, window: usize) -> impl Iterator<Item = &[Quadruple]> {
        self.0.chunks(window.max(1))
    }

    /// Weekday of the first behaviour.
    pub fn weekday(&self) -> Weekday {
        self.0.first().map_or(0, |q| q.weekday)
    }
}
