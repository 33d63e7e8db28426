//! Times, links and the like, as the page writes them.

use hearth_operators::words::Time;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use maud::{Markup, html};

use crate::outputs::Stamp;
use crate::time;

/// What a home's clock showed.
pub(super) fn civil(stamp: Stamp) -> DateTime {
    let offset = Offset::from_seconds(i32::from(stamp.offset) * 60).unwrap_or(Offset::UTC);
    match Timestamp::from_microsecond(stamp.time.0) {
        Ok(at) => offset.to_datetime(at),
        Err(_) => DateTime::MIN,
    }
}

/// The instant at which a clock of the same offset shows a time.
pub(super) fn instant(civil: DateTime, offset: i16) -> Option<Stamp> {
    let zone = TimeZone::fixed(Offset::from_seconds(i32::from(offset) * 60).ok()?);
    let at = zone.to_ambiguous_timestamp(civil).compatible().ok()?;
    let time = Time(at.as_microsecond());
    Some(Stamp { time, offset })
}

/// As outputs write it.
pub(super) fn rfc3339(stamp: Stamp) -> String {
    time::format(stamp.time, stamp.offset)
}

/// Such as `Fri 3 Jan 2025, 07:05`.
pub(super) fn when(stamp: Stamp) -> Markup {
    shown(stamp, "%a %-d %b %Y, %H:%M")
}

/// Such as `07:05`.
pub(super) fn clock(stamp: Stamp) -> Markup {
    shown(stamp, "%H:%M")
}

fn shown(stamp: Stamp, form: &str) -> Markup {
    html! { time datetime=(rfc3339(stamp)) { (civil(stamp).strftime(form).to_string()) } }
}

/// Such as `Friday 3 January 2025`.
pub(super) fn day(date: Date) -> String {
    date.strftime("%A %-d %B %Y").to_string()
}

/// A path of this server with what stands behind its `?`.
pub(super) fn link(path: &str, query: &[(&str, &str)]) -> String {
    let mut link = path.to_owned();
    for (at, (key, value)) in query.iter().enumerate() {
        link.push(if at == 0 { '?' } else { '&' });
        link.push_str(key);
        link.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    link.push(char::from(byte));
                }
                _ => link.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    link
}

/// At most so many characters of a name, for pictures.
pub(super) fn short(name: &str, most: usize) -> String {
    match name.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// A number with its noun.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}

/// How severe an alarm is.
pub(super) fn severity(severity: u8) -> &'static str {
    match severity {
        0 | 1 => "rare",
        2 => "very rare",
        _ => "extremely rare",
    }
}

/// A coordinate of a picture.
pub(super) fn at(place: f64) -> String {
    format!("{place:.1}")
}
