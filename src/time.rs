//! Event times at the edge: RFC 3339 in and out, the offset of the input kept.

use hearth_operators::words::Time;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, civil, fmt::temporal};

/// Reads an RFC 3339 time (`2022-08-04T18:30:00+02:00`); without an offset it is local in `zone`.
///
/// Returns the instant and the minutes east of UTC that its clock showed.
///
/// # Errors
/// A sentence saying what is wrong with the text.
pub fn parse(text: &str, zone: &TimeZone) -> Result<(Time, i16), String> {
    static PARSER: temporal::DateTimeParser = temporal::DateTimeParser::new();
    let text = text.trim();
    let pieces = PARSER
        .parse_pieces(text)
        .map_err(|_| format!("`{}` is no RFC 3339 time", shorten(text)))?;
    let Some(time) = pieces.time() else {
        return Err(format!("`{}` has no time of day", shorten(text)));
    };
    let civil = civil::DateTime::from_parts(pieces.date(), time);
    match pieces.to_numeric_offset() {
        Some(offset) => {
            let at = offset
                .to_timestamp(civil)
                .map_err(|_| format!("`{}` is out of range", shorten(text)))?;
            Ok((Time(at.as_microsecond()), minutes(offset)))
        }
        None => local(civil, zone),
    }
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
    use super::*;

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
    fn nonsense_is_refused() {
        for text in [
            "",
            "yesterday",
            "2022-13-01T00:00:00Z",
            "2022-08-04",
            "1659630600",
        ] {
            assert!(parse(text, &TimeZone::UTC).is_err(), "{text}");
        }
    }
}
