//! How many alarms a person wants to see.

use serde::{Deserialize, Serialize};

use crate::words::Time;

/// So many alarms in so much time, of a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// How many.
    pub alarms: u32,
    /// In how many microseconds.
    pub per: i64,
}

impl Budget {
    /// One a month: `1/30d`.
    pub const MONTHLY: Budget = Budget {
        alarms: 1,
        per: 30 * Time::DAY,
    };

    /// How many there may be in so many microseconds.
    pub(super) fn within(self, span: i64) -> f32 {
        (f64::from(self.alarms) * span as f64 / self.per.max(1) as f64) as f32
    }

    /// How many there may be in a day.
    pub(super) fn daily(self) -> f32 {
        self.within(Time::DAY)
    }
}
