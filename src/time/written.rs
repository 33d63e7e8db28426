//! Times as people, spreadsheets and databases write them, beside RFC 3339.

use std::borrow::Cow;

use hearth_operators::words::Time;

/// What a text that is no RFC 3339 time may be.
pub(super) enum Written<'a> {
    /// So many microseconds since 1970.
    Number(Time),
    /// RFC 3339, but for how it was written.
    Text(Cow<'a, str>),
}

/// Reads a text that is no RFC 3339 time; `None` where nothing is known of how it is written.
///
/// # Errors
/// It can be read in more than one way.
pub(super) fn read(text: &str) -> Result<Option<Written<'_>>, String> {
    if let Some(number) = number(text)? {
        return Ok(Some(Written::Number(number)));
    }
    let date = date(text)?;
    let whole = date.as_deref().unwrap_or(text);
    match (offset(whole), date) {
        (Some(whole), _) => Ok(Some(Written::Text(whole.into()))),
        (None, Some(whole)) => Ok(Some(Written::Text(whole.into()))),
        (None, None) => Ok(None),
    }
}

/// A number since 1970: how many digits it has before the point tells seconds, milli-, micro- and nanoseconds apart, for all
/// times between 1973 (seconds) or 2001 (the others) and 2286.
fn number(text: &str) -> Result<Option<Time>, String> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return Ok(None);
    }
    // How many digits of the number are of microseconds and above.
    let kept = match whole.len() {
        9 | 10 => whole.len() + 6,
        13 => 16,
        16 => 16,
        19 => 16,
        _ => {
            return Err(format!(
                "`{text}` is no time: since 1970 it would be seconds (10 digits), milliseconds (13), microseconds (16) or \
                 nanoseconds (19)"
            ));
        }
    };
    let mut micros = 0_i64;
    let all = whole.bytes().chain(fraction.bytes());
    for byte in all.chain(std::iter::repeat(b'0')).take(kept) {
        micros = micros * 10 + i64::from(byte - b'0');
    }
    Ok(Some(Time(micros)))
}

/// The text with its date as `YYYY-MM-DD`, where it begins with one that was written otherwise.
fn date(text: &str) -> Result<Option<String>, String> {
    let end = text.find([' ', 'T']).unwrap_or(text.len());
    let (date, rest) = text.split_at(end);
    let Some(separator) = date.chars().find(|c| !c.is_ascii_digit()) else {
        return Ok(None);
    };
    if !matches!(separator, '.' | '/') {
        return Ok(None);
    }
    let parts: Vec<&str> = date.split(separator).collect();
    let [first, second, third] = parts[..] else {
        return Ok(None);
    };
    let (year, month, day) = match separator {
        _ if first.len() == 4 => (first, second, third),
        // Written with points it is the day that comes first, wherever that is the custom.
        '.' if third.len() == 4 => (third, second, first),
        _ => {
            return Err(format!(
                "`{date}` may be one day or another: write the year first, as in 2025-03-01"
            ));
        }
    };
    Ok(Some(format!("{year}-{month:0>2}-{day:0>2}{rest}")))
}

/// The text with its offset as RFC 3339 has it, where it ends with one that was written otherwise.
fn offset(text: &str) -> Option<String> {
    for utc in ["UTC", "GMT", "Z"] {
        if let Some(local) = text.strip_suffix(utc) {
            return Some(format!("{}Z", local.trim_end()));
        }
    }
    let (at, sign) = text.char_indices().rfind(|(_, c)| matches!(c, '+' | '-'))?;
    let (local, digits) = (&text[..at], &text[at + 1..]);
    if !local.contains(':') {
        return None;
    }
    let (hours, minutes) = match digits.len() {
        2 => (digits, "00"),
        4 => digits.split_at_checked(2)?,
        5 => digits.split_once(':')?,
        _ => return None,
    };
    Some(format!("{}{sign}{hours}:{minutes}", local.trim_end()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::{format, parse};

    fn read_as(text: &str) -> Result<String, String> {
        let (time, offset) = parse(text, &jiff::tz::TimeZone::UTC)?;
        Ok(format(time, offset))
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, expected) in [
            ("1740816000", "2025-03-01T08:00:00+00:00"),
            ("1740816000.5", "2025-03-01T08:00:00.5+00:00"),
            ("1740816000,5", "2025-03-01T08:00:00.5+00:00"),
            ("1740816000123", "2025-03-01T08:00:00.123+00:00"),
            ("1740816000123.5", "2025-03-01T08:00:00.1235+00:00"),
            ("1740816000123456", "2025-03-01T08:00:00.123456+00:00"),
            ("1740816000123456789", "2025-03-01T08:00:00.123456+00:00"),
            ("2025-03-01 08:00:00 UTC", "2025-03-01T08:00:00+00:00"),
            ("2025-03-01 08:00:00+01", "2025-03-01T08:00:00+01:00"),
            ("2025-03-01 08:00:00 +0100", "2025-03-01T08:00:00+01:00"),
            ("2025-03-01T08:00:00-0330", "2025-03-01T08:00:00-03:30"),
            ("01.03.2025 08:00:00", "2025-03-01T08:00:00+00:00"),
            ("1.3.2025 08:00:00 +01:00", "2025-03-01T08:00:00+01:00"),
            ("2025/03/01 08:00", "2025-03-01T08:00:00+00:00"),
        ] {
            assert_eq!(read_as(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_ambiguous_is_refused_with_the_reason() {
        for (text, reason) in [
            ("3/1/2025 8:00 AM", "write the year first"),
            ("1.3.25 08:00", "write the year first"),
            ("202503010800", "milliseconds (13)"),
            ("12", "seconds (10 digits)"),
            ("20250301", "seconds (10 digits)"),
            ("+0100", "no RFC 3339 time"),
            ("", "no RFC 3339 time"),
        ] {
            let refused = read_as(text).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }

    proptest! {
        /// Every unit of one instant is that instant.
        #[test]
        fn units_are_told_apart(seconds in 1_000_000_000_i64..9_999_999_999) {
            for (unit, zeros) in [("", 0), ("000", 3), ("000000", 6), ("000000000", 9)] {
                let read = number(&format!("{seconds}{unit}"));
                prop_assert_eq!(read, Ok(Some(Time(seconds * Time::SECOND))), "{}", zeros);
            }
        }
    }
}
