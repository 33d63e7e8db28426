//! The regime of a segment, counted.

use crate::words::{HomeId, Shift, Time};

/// How many of the shifts that concern `home` lie at or before `start`.
pub fn regime(shifts: &[Shift], home: HomeId, start: Time) -> u32 {
    let mine = shifts.iter().filter(|s| s.home.is_none_or(|h| h == home));
    mine.filter(|s| s.time <= start).count() as u32
}
