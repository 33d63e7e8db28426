//! Lines whose meaning does not depend on those before them.

use hearth_operators::words::{Behavior, Line};

use super::event::Event;
use super::manner::Met;
use super::of_path::OfPath;
use super::options::Options;
use super::records::{self, Format, Record};
use super::text::Text;
use crate::cluster::Share;
use crate::home_names::Cache;
use crate::nfc;
use crate::time::{self, Basis};

/// By what the lines of a file are known for plain ones.
pub(super) struct Plain {
    pub options: Options,
    /// Of a log that several processes read: which homes are this one's.
    pub share: Option<Share>,
    pub format: Format,
    pub tells: OfPath,
    pub file: u32,
}

/// What a plain line says.
pub(super) enum Found {
    /// An event of a known home, by a known action.
    Event(Read),
    /// Clearly an event of a home that lives on another process.
    Elsewhere,
}

/// An event, as it was read.
pub(super) struct Read {
    /// Its line has no number yet.
    pub behavior: Behavior,
    pub met: Met,
    /// Whether its time is what the clock of its home's zone shows.
    pub by_clock: bool,
}

impl Plain {
    /// What a line says, given without its end; nothing where that takes what came before it, or it is no event. `cache`: homes that
    /// this thread has found.
    pub fn read(&self, text: &Text, cache: &mut Cache) -> Option<Found> {
        let keys = &self.options.keys;
        let record = match &self.format {
            Format::JsonLines if text.is_mark() => return None,
            Format::JsonLines => match records::usual(text, keys) {
                Some(record) if self.is_elsewhere(&record, cache) => return Some(Found::Elsewhere),
                Some(record) => record,
                None => records::thorough(text, keys).ok()?,
            },
            Format::Csv(columns) => {
                let record = records::unquoted(text, columns.as_ref()?)?;
                if self.is_elsewhere(&record, cache) {
                    return Some(Found::Elsewhere);
                }
                record
            }
        };
        self.event(record, cache).map(Found::Event)
    }

    /// Whether a record clearly is of a home of another process.
    fn is_elsewhere(&self, record: &Record<'_>, cache: &mut Cache) -> bool {
        let Some((share, home)) = self.share.zip(record.home.0.as_deref()) else {
            return false;
        };
        if !nfc::is_composed(home) {
            return false;
        }
        let home = self.options.homes.find_cached(home, cache);
        home.is_some_and(|home| share.place(home).is_none())
    }

    fn event(&self, record: Record<'_>, cache: &mut Cache) -> Option<Read> {
        let Options {
            catalogs,
            homes,
            zones,
            keys: _,
        } = &self.options;
        let event = Event::check(record, &self.tells, zones).ok()?;
        let by_clock = event.how.basis == Basis::Clock;
        // Which of two hours it is of, those before it say.
        if by_clock && time::again(event.time, zones.civil(&event.home)).is_some() {
            return None;
        }
        let home = homes.find_cached(&event.home, cache)?;
        let action = event.action(catalogs.of(home)).ok()?;
        let met = Met::of(&event);
        let line = Line {
            file: self.file,
            line: 0,
        };
        Some(Read {
            behavior: event.behavior(home, action, line),
            met,
            by_clock,
        })
    }
}
