//! Event times at the edge: RFC 3339 in and out, the offset of the input kept; other ways of writing them are read, too.

mod written;

use hearth_operators::words::Time;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, civil, fmt::temporal};

use written::Written;

/// The largest offset that RFC 3339 can write, in seconds.
const LARGEST_OFFSET: i32 = (23 * 60 + 59) * 60;

/// A time, and what told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The instant.
    pub time: Time,
    /// The minutes east of UTC that its clock showed.
    pub offset: i16,
    /// What told the offset.
    pub basis: Basis,
}

/// What the offset of a time rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// It was written.
    #[default]
    Offset,
    /// The zone in which the clock showed the time.
    Clock,
    /// The zone, at an instant that was written as a number since 1970.
    Number,
}

/// Reads an RFC 3339 time (`2022-08-04T18:30:00+02:00`), or one that is written otherwise but cannot be mistaken
/// (`1659630600`, `04.08.2022 18:30:00 +0200`); without an offset it is local in `zone`.
///
/// # Errors
/// A sentence saying what is wrong with the text.
pub fn read(text: &str, zone: &TimeZone) -> Result<Reading, String> {
    let text = text.trim();
    if let Some((time, offset)) = quick(text.as_bytes()) {
        let basis = Basis::Offset;
        return Ok(Reading {
            time,
            offset,
            basis,
        });
    }
    let refused = match thorough(text, zone) {
        Ok(read) => return Ok(read),
        Err(reason) => reason,
    };
    match written::read(text)? {
        Some(Written::Number(time)) => Ok(Reading {
            time,
            offset: offset_at(time, zone),
            basis: Basis::Number,
        }),
        Some(Written::Text(text)) => thorough(&text, zone).map_err(|_| refused),
        None => Err(refused),
    }
}

/// The same, the instant and its offset alone.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str, zone: &TimeZone) -> Result<(Time, i16), String> {
    read(text, zone).map(|read| (read.time, read.offset))
}

/// The usual form, `YYYY-MM-DDTHH:MM:SS[.f](Z|±HH:MM)` with at most six digits of fraction: ten times quicker than
/// [`thorough`], which decides wherever this one is in doubt (`None`).
fn quick(text: &[u8]) -> Option<(Time, i16)> {
    let (civil, rest) = text.split_at_checked(19)?;
    let separators = [civil[4], civil[7], civil[10], civil[13], civil[16]];
    if separators != *b"--T::" {
        return None;
    }
    let year = number(&civil[0..4])?;
    let month = number(&civil[5..7])?;
    let day = number(&civil[8..10])?;
    let hour = number(&civil[11..13])?;
    let minute = number(&civil[14..16])?;
    let second = number(&civil[17..19])?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, zone) = match rest.strip_prefix(b".") {
        None => (0, rest),
        Some(rest) => {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            if !(1..=6).contains(&digits) {
                return None;
            }
            let scale = 10_i64.pow(6 - digits as u32);
            (number(&rest[..digits])? * scale, &rest[digits..])
        }
    };
    let offset = match *zone {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let east = hours * 60 + minutes;
            if sign == b'-' { -east } else { east }
        }
        _ => return None,
    };
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset;
    let time = (minutes * 60 + second) * Time::SECOND + micros;
    Some((Time(time), offset as i16))
}

/// All of RFC 3339 and its civil variants, by jiff.
fn thorough(text: &str, zone: &TimeZone) -> Result<Reading, String> {
    static PARSER: temporal::DateTimeParser = temporal::DateTimeParser::new();
    let pieces = PARSER
        .parse_pieces(text)
        .map_err(|_| format!("`{}` is no RFC 3339 time", shorten(text)))?;
    if pieces.time_zone_annotation().is_some() {
        return Err(format!(
            "`{}` names a time zone; write the offset alone",
            shorten(text)
        ));
    }
    let Some(time) = pieces.time() else {
        return Err(format!("`{}` has no time of day", shorten(text)));
    };
    let civil = civil::DateTime::from_parts(pieces.date(), time);
    match pieces.to_numeric_offset() {
        Some(offset) if offset.seconds().abs() > LARGEST_OFFSET => Err(format!(
            "`{}` has an offset beyond ±23:59, the largest of RFC 3339",
            shorten(text)
        )),
        Some(offset) => {
            let at = offset
                .to_timestamp(civil)
                .map_err(|_| format!("`{}` is out of range", shorten(text)))?;
            Ok(Reading {
                time: Time(at.as_microsecond()),
                offset: minutes(offset),
                basis: Basis::Offset,
            })
        }
        None => local(civil, zone).map(|(time, offset)| Reading {
            time,
            offset,
            basis: Basis::Clock,
        }),
    }
}

/// The value of a run of ASCII digits; `None` if anything else is among them.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit <= 9).then(|| value * 10 + i64::from(digit))
    })
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that the leap day is
/// the last of a year; 400 such years are an era of 146,097 days.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Reads a time as a person gives it: local in `zone` where it says nothing else, and the beginning of a day where it names no
/// more.
///
/// # Errors
/// What is wrong with it.
pub fn or_midnight_in(zone: &TimeZone, text: &str) -> Result<(Time, i16), String> {
    let midnight = format!("{}T00:00:00", text.trim());
    let read = parse(text, zone);
    read.or_else(|reason| parse(&midnight, zone).map_err(|_| reason))
}

/// The same for a command's option, where UTC holds.
///
/// # Errors
/// As [`or_midnight_in`].
pub fn or_midnight(text: &str) -> Result<Time, String> {
    or_midnight_in(&TimeZone::UTC, text).map(|(time, _)| time)
}

/// Reads a civil time in `zone`: the instant, and the offset that holds there then.
///
/// # Errors
/// The time is out of the supported range (years −9999 to 9999).
pub fn local(civil: civil::DateTime, zone: &TimeZone) -> Result<(Time, i16), String> {
    let zoned = zone
        .to_ambiguous_zoned(civil)
        .compatible()
        .map_err(|_| format!("`{civil}` is out of range"))?;
    Ok((
        Time(zoned.timestamp().as_microsecond()),
        minutes(zoned.offset()),
    ))
}

/// The later of the two instants at which a clock in `zone` shows what it shows at `time`, the earlier one: there are two where
/// an hour comes twice.
pub fn again(time: Time, zone: &TimeZone) -> Option<(Time, i16)> {
    let offset = offset_at(time, zone);
    // No clock is put back by more than three hours, and hardly one is put back now: that is seen at once.
    let soon = offset_at(Time(time.0 + 3 * Time::HOUR), zone);
    let back = i64::from(offset) - i64::from(soon);
    let later = Time(time.0 + back * 60 * Time::SECOND);
    (back > 0 && offset_at(later, zone) == soon).then_some((later, soon))
}

/// The offset, in minutes east of UTC, that a clock in `zone` shows at `time`.
pub fn offset_at(time: Time, zone: &TimeZone) -> i16 {
    Timestamp::from_microsecond(time.0).map_or(0, |at| minutes(zone.to_offset(at)))
}

/// Writes a time as RFC 3339 with its offset; fractions of a second only where there are any.
pub fn format(time: Time, offset: i16) -> String {
    let seconds = i32::from(offset) * 60;
    match (
        Timestamp::from_microsecond(time.0),
        Offset::from_seconds(seconds),
    ) {
        (Ok(at), Ok(offset)) => at.display_with_offset(offset).to_string(),
        _ => format!("{} us", time.0),
    }
}

fn minutes(offset: Offset) -> i16 {
    // Offsets are within ±26 h, so minutes fit.
    (offset.seconds() / 60) as i16
}

/// At most 60 characters of a text from outside, for messages.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Wherever the quick reader answers, it answers as jiff does.
        #[test]
        fn quick_equals_thorough(
            (year, month, day) in (0_i32..=9999, 0_u8..=13, 0_u8..=32),
            (hour, minute, second) in (0_u8..=24, 0_u8..=60, 0_u8..=60),
            fraction in "(\\.[0-9]{0,8})?",
            zone in "Z|z||[+-][0-2][0-9]:[0-6][0-9]|[+-]00:00|[+-][0-9]{4}|x",
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}");
            if let Some(read) = quick(text.as_bytes()) {
                let thorough = thorough(&text, &TimeZone::UTC).map(|read| (read.time, read.offset));
                prop_assert_eq!(Ok(read), thorough, "{}", text);
            }
        }

        /// What is written is read back, by the quick reader.
        #[test]
        fn written_times_are_read_back(micros in -2_000_000_000_000_000_i64..7_000_000_000_000_000, offset in -1000_i16..1000) {
            let text = format(Time(micros), offset);
            prop_assert_eq!(quick(text.as_bytes()), Some((Time(micros), offset)), "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = parse(&text, &TimeZone::UTC);
        }
    }

    #[test]
    fn keeps_the_offset() {
        for text in [
            "2022-08-04T18:30:00+02:00",
            "2022-08-04T18:30:00.25-03:30",
            "1999-12-31T23:59:59+00:00",
        ] {
            let (time, offset) = parse(text, &TimeZone::UTC).unwrap();
            assert_eq!(format(time, offset), text);
        }
        let (time, offset) = parse("2022-08-04T18:30:00Z", &TimeZone::UTC).unwrap();
        assert_eq!(format(time, offset), "2022-08-04T18:30:00+00:00");
    }

    #[test]
    fn a_time_without_offset_is_local() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let (time, offset) = parse("2022-08-04 18:30:00", &zone).unwrap();
        assert_eq!(format(time, offset), "2022-08-04T18:30:00+02:00");
    }

    #[test]
    fn the_hour_that_comes_twice_has_two_instants() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text| parse(text, &zone).unwrap();
        let (first, offset) = at("2025-10-26T02:30:00");
        assert_eq!(offset, 120);
        assert_eq!(again(first, &zone), Some(at("2025-10-26T02:30:00+01:00")));
        for once in [
            "2025-10-26T01:59:59",
            "2025-10-26T03:00:00",
            "2025-03-30T02:30:00",
        ] {
            assert_eq!(again(at(once).0, &zone), None, "{once}");
        }
        assert_eq!(again(first, &TimeZone::UTC), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "yesterday",
            "2022-13-01T00:00:00Z",
            "2022-08-04",
            "2022-08-04T18:30:00+02:00[Europe/Berlin]",
        ] {
            assert!(parse(text, &TimeZone::UTC).is_err(), "{text}");
        }
        for text in ["2025-01-01T10:00:00+25:00", "2025-01-01T10:00:00.5-24:00"] {
            let refused = parse(text, &TimeZone::UTC).unwrap_err();
            assert!(refused.contains("beyond ±23:59"), "{refused}");
        }
        assert!(parse("2025-01-01T10:00:00-23:59", &TimeZone::UTC).is_ok());
    }
}
