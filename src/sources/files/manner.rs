//! How a log is written, as far as a person should know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::event::Event;
use crate::time::Basis;

/// What was met in a log. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Manner(Arc<AtomicU8>);

impl Serialize for Manner {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.load(Ordering::Relaxed).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Manner {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Manner(Arc::new(u8::deserialize(from)?.into())))
    }
}

/// What an event shows of how its log is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met(u8);

impl Met {
    /// By how it was read.
    pub fn of(event: &Event) -> Self {
        let mut met = match event.offset {
            0 => Manner::UTC,
            _ => Manner::OFFSETS,
        };
        if event.how.basis == Basis::Number {
            met |= Manner::NUMBERS;
        }
        if event.how.decomposed {
            met |= Manner::FORMS;
        }
        Met(met)
    }
}

impl Manner {
    const UTC: u8 = 1;
    const OFFSETS: u8 = 2;
    const NUMBERS: u8 = 4;
    const FORMS: u8 = 8;

    /// Whether there were any times, all of UTC.
    pub fn utc(&self) -> bool {
        self.0.load(Ordering::Relaxed) & (Self::UTC | Self::OFFSETS) == Self::UTC
    }

    /// Whether times were numbers.
    pub fn numbers(&self) -> bool {
        self.met(Self::NUMBERS)
    }

    /// Whether names were written in another Unicode form than the composed one.
    pub fn forms(&self) -> bool {
        self.met(Self::FORMS)
    }

    fn met(&self, what: u8) -> bool {
        self.0.load(Ordering::Relaxed) & what != 0
    }

    /// Some times are of UTC, or are not.
    pub(super) fn times(&self, utc: bool) {
        self.see(if utc { Self::UTC } else { Self::OFFSETS });
    }

    /// Of an event of the log.
    pub(super) fn event(&self, met: Met) {
        self.see(met.0);
    }

    /// What another process met in the same log.
    pub fn add(&self, other: &Manner) {
        self.see(other.0.load(Ordering::Relaxed));
    }

    fn see(&self, met: u8) {
        // Mostly it is known: a look costs less than a write.
        if self.0.load(Ordering::Relaxed) & met != met {
            self.0.fetch_or(met, Ordering::Relaxed);
        }
    }
}
