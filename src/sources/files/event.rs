//! From the fields of a record to a behaviour: limits, names looked up, time read.

use std::borrow::Cow;

use hearth_operators::words::{ActionId, Behavior, Catalog, HomeId, Line, Moment, Time};
use jiff::tz::TimeZone;

use super::of_path::OfPath;
use super::records::{Field, Record};
use crate::catalog::is_number;
use crate::nfc;
use crate::time::{self, Basis, Reading};
use crate::zones::Zones;

/// The longest name of a home, device or action, and the longest id, in bytes.
pub const LONGEST_NAME: usize = 256;

/// The instants that count as possible: 1900-01-01 to 2200-01-01. Anything else is a broken clock.
pub(super) const POSSIBLE: std::ops::Range<i64> =
    -2_208_988_800 * Time::SECOND..7_258_118_400 * Time::SECOND;

/// An event whose fields are in order, its names not looked up yet.
pub(crate) struct Event<'a> {
    pub home: Cow<'a, str>,
    pub time: Time,
    pub offset: i16,
    /// The device, if the record has it in a field of its own.
    pub device: Option<Cow<'a, str>>,
    /// The action; may be written `Device:action`.
    pub action: Cow<'a, str>,
    pub id: Option<Cow<'a, str>>,
    /// How it was written.
    pub how: How,
}

/// How an event was written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct How {
    /// What told the offset of its time.
    pub basis: Basis,
    /// Whether its names were in another Unicode form than the composed one.
    pub decomposed: bool,
}

impl<'a> Event<'a> {
    /// Checks the fields of a record of a file whose path `tells` others. A time without offset is local in its home's zone.
    ///
    /// # Errors
    /// The field that is missing, empty, too long or impossible.
    pub fn check(mut record: Record<'a>, tells: &'a OfPath, zones: &Zones) -> Result<Self, String> {
        let text = std::mem::take(&mut record.time);
        Event::at(record, tells, |home| {
            reading(&required(text, "time")?, zones.civil(home))
        })
    }

    /// The same for a record whose `time` is found otherwise than in a text.
    ///
    /// # Errors
    /// As [`Event::check`].
    pub fn at(
        mut record: Record<'a>,
        tells: &'a OfPath,
        when: impl FnOnce(&str) -> Result<Reading, String>,
    ) -> Result<Self, String> {
        record.fill(tells);
        let names = [&record.home, &record.device, &record.action];
        let composed = |name: &&Field| name.0.as_deref().is_none_or(nfc::is_composed);
        let decomposed = !names.iter().all(composed);
        let home = required(record.home, "home")?;
        let Reading {
            time,
            offset,
            basis,
        } = when(&home)?;
        let device = optional(record.device, "device")?;
        let action = required(record.action, "action")?;
        let id = optional(record.id, "id")?;
        let time = match optional(record.seq, "seq")? {
            Some(seq) if !seq.is_empty() => placed(time, &seq)?,
            _ => time,
        };
        Ok(Event {
            home,
            time,
            offset,
            device,
            action,
            id,
            how: How { basis, decomposed },
        })
    }

    /// Device and action as two names: the action without its device's name before it.
    ///
    /// # Errors
    /// The device is named neither in a field of its own nor before the action.
    pub fn names(&self) -> Result<(&str, &str), String> {
        match &self.device {
            Some(device) => {
                let bare = self.action.strip_prefix(&**device);
                let bare = bare.and_then(|rest| rest.strip_prefix(':'));
                Ok((device, bare.map_or(&*self.action, str::trim_start)))
            }
            None => {
                let (device, action) = self.action.split_once(':').ok_or_else(|| {
                    format!(
                        "no device: neither a field `device` nor `Device:action` in `{}`",
                        self.action
                    )
                })?;
                Ok((device, action.trim_start()))
            }
        }
    }

    /// The action's id in a catalog.
    ///
    /// # Errors
    /// The device or action that the catalog does not have.
    pub fn action(&self, catalog: &Catalog) -> Result<ActionId, String> {
        if let Some(device) = &self.device {
            if let Some(action) = catalog.lookup(device, &self.action) {
                return Ok(action);
            }
        } else {
            // A device's own name may hold colons, so each of them may be the one that ends it.
            let found = self.action.match_indices(':').find_map(|(colon, _)| {
                catalog.lookup(&self.action[..colon], self.action[colon + 1..].trim_start())
            });
            if let Some(action) = found {
                return Ok(action);
            }
        }
        let (device, action) = self.names()?;
        // One digit may be a state.
        if action.len() > 1 && is_number(action) {
            return Err(format!(
                "`{action}` of device `{device}` is a measured value, and no action of the catalog"
            ));
        }
        Err(if catalog.has_device(device) {
            format!("unknown action `{action}` of device `{device}`: the catalog does not have it")
        } else {
            format!("unknown device `{device}`: the catalog does not have it")
        })
    }

    /// The behaviour, once home and action are known.
    pub fn behavior(self, home: HomeId, action: ActionId, line: Line) -> Behavior {
        Behavior {
            home,
            moment: Moment {
                time: self.time,
                action,
                offset: self.offset,
            },
            id: self.id.map(Into::into),
            line,
        }
    }
}

/// The instant, if a home's clock can mean it.
pub(super) fn possible(time: Time) -> Option<Time> {
    POSSIBLE.contains(&time.0).then_some(time)
}

/// Reads a time and refuses what no home's clock can mean.
pub(crate) fn instant(text: &str, zone: &TimeZone) -> Result<(Time, i16), String> {
    reading(text, zone).map(|read| (read.time, read.offset))
}

/// The same, with what told it.
fn reading(text: &str, zone: &TimeZone) -> Result<Reading, String> {
    let read = time::read(text, zone).map_err(|what| format!("impossible time: {what}"))?;
    possible(read.time).map(|_| read).ok_or_else(|| {
        let text = text.trim();
        format!("impossible time: `{text}` is not between the years 1900 and 2200")
    })
}

/// A time among others of its second or thousandth: as many microseconds later as the `seq` of its event says, so that events of one
/// time keep an order wherever they are sorted. Of a number for which there is no room, its last digits count.
fn placed(time: Time, seq: &str) -> Result<Time, String> {
    let room = [Time::SECOND, Time::SECOND / 1000];
    let room = room.into_iter().find(|room| time.0 % room == 0);
    let number: u64 = seq.trim().parse().map_err(|_| {
        format!("field `seq` is no whole number: `{seq}`; a column that means something else is passed over with --columns seq=none")
    })?;
    let behind = number % room.unwrap_or(1).unsigned_abs();
    Ok(Time(time.0.saturating_add_unsigned(behind)))
}

/// A field that must be there.
pub(super) fn required<'a>(field: Field<'a>, name: &str) -> Result<Cow<'a, str>, String> {
    let text = optional(field, name)?.ok_or_else(|| format!("field `{name}` is missing"))?;
    if text.is_empty() {
        return Err(format!("field `{name}` is empty"));
    }
    Ok(text)
}

/// A field that may be missing. Its text must be short and free of NUL bytes; it is given in the composed Unicode form.
pub(super) fn optional<'a>(field: Field<'a>, name: &str) -> Result<Option<Cow<'a, str>>, String> {
    if let Some(text) = &field.0 {
        if text.len() > LONGEST_NAME {
            return Err(format!(
                "field `{name}` is {} bytes long, at most {LONGEST_NAME} are read",
                text.len()
            ));
        }
        // JSON holds it only as an escape, which leaves an owned text; a CSV record with one was refused as a whole.
        if matches!(text, Cow::Owned(text) if text.contains('\0')) {
            return Err(format!("field `{name}` holds a NUL byte"));
        }
    }
    Ok(field.0.map(nfc::composed))
}
