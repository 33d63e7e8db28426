//! Parts that lines of several streams have in common, and how records become them.

use std::borrow::Cow;

use hearth_operators::words::{HOURS, Moment, Segment, Shift, ShiftKind, Time, WEEKDAYS, Word};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Names;

/// An event time with the minutes east of UTC that its clock showed; RFC 3339 in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// The instant.
    pub time: Time,
    /// Minutes east of UTC.
    pub offset: i16,
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::time::format(self.time, self.offset))
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let (time, offset) = crate::time::parse(&text, &jiff::tz::TimeZone::UTC)
            .map_err(serde::de::Error::custom)?;
        Ok(Stamp { time, offset })
    }
}

/// A behaviour inside another line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BehaviorLine<'a> {
    /// When.
    pub time: Stamp,
    /// The device's name.
    #[serde(borrow)]
    pub device: Cow<'a, str>,
    /// `Device:action`.
    #[serde(borrow)]
    pub action: Cow<'a, str>,
}

/// A shift inside another line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShiftLine<'a> {
    /// `season`, `schedule`, `occupancy` or `text`; `drift` where it was found.
    pub kind: ShiftKind,
    /// The context that ended.
    #[serde(borrow)]
    pub from: Cow<'a, str>,
    /// The context that began.
    #[serde(borrow)]
    pub to: Cow<'a, str>,
    /// From when on.
    pub time: Stamp,
}

/// Weekday, hours, device and action as words.
pub type Word4 = [Word; 4];

/// A behaviour of a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuadrupleLine<'a> {
    /// Such as `Monday`; in an invalid candidate whatever the synthesizer wrote, as are the other three.
    #[serde(borrow)]
    pub weekday: Cow<'a, str>,
    /// Such as `(6~9)`.
    #[serde(borrow)]
    pub hours: Cow<'a, str>,
    /// The device's name.
    #[serde(borrow)]
    pub device: Cow<'a, str>,
    /// `Device:action`.
    #[serde(borrow)]
    pub action: Cow<'a, str>,
}

/// The number to four significant digits: more say nothing, and take room in a large file.
pub(super) fn figures(number: f32) -> f32 {
    if number == 0.0 || !number.is_finite() {
        return number;
    }
    let number = f64::from(number);
    let digits = 3 - number.abs().log10().floor() as i32;
    // Powers below one are not exact.
    let scale = 10_f64.powi(digits.abs());
    let rounded = match digits < 0 {
        true => (number / scale).round() * scale,
        false => (number * scale).round() / scale,
    };
    rounded as f32
}

/// The times of a segment's first and last behaviour; none of an empty one.
pub(super) fn ends(segment: &Segment) -> Option<(Stamp, Stamp)> {
    let (first, last) = segment.moments.first().zip(segment.moments.last())?;
    Some((stamp(first), stamp(last)))
}

pub(super) fn stamp(moment: &Moment) -> Stamp {
    Stamp {
        time: moment.time,
        offset: moment.offset,
    }
}

pub(super) fn behaviors<'a>(segment: &Segment, names: &'a Names) -> Vec<BehaviorLine<'a>> {
    let behavior = |moment: &Moment| BehaviorLine {
        time: stamp(moment),
        device: names.device(segment.home, moment.action).into(),
        action: names.action(segment.home, moment.action),
    };
    segment.moments.iter().map(behavior).collect()
}

pub(super) fn shift_line(shift: &Shift) -> ShiftLine<'_> {
    ShiftLine {
        kind: shift.kind,
        from: Cow::Borrowed(&shift.from),
        to: Cow::Borrowed(&shift.to),
        time: Stamp {
            time: shift.time,
            offset: shift.offset,
        },
    }
}

pub(super) fn weekday(weekday: u8) -> Cow<'static, str> {
    Cow::Borrowed(WEEKDAYS.get(usize::from(weekday)).copied().unwrap_or("?"))
}

pub(super) fn hours(hours: u8) -> Cow<'static, str> {
    Cow::Borrowed(HOURS.get(usize::from(hours)).copied().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::super::TransitionLine;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_large_number_has_four_digits_too() {
        assert_eq!(format!("{:e}", figures(841_088_900.0)), "8.411e8");
    }

    proptest! {
        /// Years 1900 to 2200, every offset that clocks show, microseconds kept.
        #[test]
        fn a_stamp_reads_what_it_writes(
            micros in -2_208_988_800_000_000_i64..7_258_118_400_000_000,
            offset in -14 * 60_i16..=14 * 60,
        ) {
            let stamp = Stamp { time: Time(micros), offset };
            let text = serde_json::to_string(&stamp).unwrap();
            prop_assert_eq!(serde_json::from_str::<Stamp>(&text).unwrap(), stamp);
        }

        /// As printing and reading it does.
        #[test]
        fn figures_are_four_digits(number in prop::num::f32::NORMAL) {
            let (printed, figures) = (format!("{number:.3e}"), figures(number));
            let shortest = format!("{figures:e}");
            let (mantissa, _) = shortest.split_once('e').unwrap();
            prop_assert!(mantissa.bytes().filter(u8::is_ascii_digit).count() <= 4, "{number}: {figures}");
            // A tie may fall either way.
            let difference = (figures - printed.parse::<f32>().unwrap()).abs();
            prop_assert!(difference <= figures.abs() * 1.001e-3, "{number}: {figures}");
        }

        #[test]
        fn any_name_survives(home: String, from: String, to: String, diff: i64) {
            let [home, from, to] = [home, from, to].map(Cow::Owned);
            let line = TransitionLine { epoch: 0, diff, home, from, to };
            let text = serde_json::to_string(&line).unwrap();
            prop_assert!(!text.contains('\n'));
            let read: TransitionLine<'_> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(
                (read.diff, read.home, read.from, read.to),
                (line.diff, line.home, line.from, line.to)
            );
        }
    }
}
