//! Whether a home's days still are what they were: an e-detector over its days.
//!
//! Each side of a day ([`views`](super::views)) has a CUSUM `M ← max(M, 1)·e`; the evidence is their mean. Were each `e` of mean one
//! given the days before it, the days between two false findings would on average be at least the evidence that is asked for (Shin,
//! Ramdas and Rinaldo 2023), however many sides there are and whatever they have in common. Days under suspicion are held
//! out of what the next ones are compared with: that finds a shift in days rather than weeks, and is why the bound is no theorem
//! here but a measurement.

use serde::{Deserialize, Serialize};

use super::changes::{Changes, changes};
use super::day::Day;
use super::views::{VIEWS, e_values};
use crate::words::{Catalog, Time};

/// When a shift counts as found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strictness {
    /// Days with behaviours that a home is only learnt in: at least a week, as no weekday is like the others.
    pub learning: usize,
    /// Evidence at which a shift is found: about the days between two false findings.
    pub evidence: f64,
}

impl Strictness {
    /// Two shifts that are nearer are one, in µs: so long a home is learnt in silence after each.
    pub(crate) fn near(&self) -> i64 {
        i64::try_from(self.learning).map_or(i64::MAX, |days| days.saturating_mul(Time::DAY))
    }
}

impl Default for Strictness {
    fn default() -> Self {
        Strictness {
            learning: 7,
            evidence: 365.0,
        }
    }
}

/// Evidence from which on days are under suspicion.
pub(crate) const SUSPICION: f64 = 3.0;
/// Days that are under suspicion at most; the eldest is believed then.
pub(crate) const SUSPECTS: usize = 4;
/// Days that the next are compared with at most: what a home did long ago says little.
pub(crate) const MEMORY: usize = 56;

/// What is known of a home: plain data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Watch {
    /// In order of time.
    days: Vec<Day>,
    /// How many of them, from the last, are under suspicion.
    suspects: usize,
    /// By side of a day.
    peaks: [f64; VIEWS],
}

/// A shift that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// How strong the case is.
    pub evidence: f64,
    /// The first day that differs.
    pub since: Time,
    /// What differs.
    pub changes: Changes,
}

impl Watch {
    /// Judges a day by those before it. A shift that is found ends all that was known.
    pub fn judge(&mut self, day: Day, strictness: Strictness, catalog: &Catalog) -> Option<Found> {
        if self.days.len() < strictness.learning {
            self.days.push(day);
            return None;
        }
        let e_values = e_values(&self.days, self.suspects, &day, catalog);
        for (peak, e) in self.peaks.iter_mut().zip(e_values) {
            *peak = peak.max(1.0) * e;
        }
        let evidence = self.peaks.iter().sum::<f64>() / VIEWS as f64;
        self.days.push(day);
        self.suspects += 1;
        if evidence >= strictness.evidence {
            let (before, after) = self.days.split_at(self.days.len() - self.suspects);
            let found = Found {
                evidence,
                since: after[0].start(),
                changes: changes(before, after, catalog),
            };
            *self = Watch::default();
            return Some(found);
        }
        self.suspects = match evidence < SUSPICION {
            true => 0,
            false => self.suspects.min(SUSPECTS),
        };
        let reference = self.days.len() - self.suspects;
        self.days.drain(..reference.saturating_sub(MEMORY));
        None
    }

    /// A shift was declared: what lies before it says nothing any more.
    pub fn begin(&mut self, shift: Time) {
        let first = self.days.partition_point(|day| day.start() < shift);
        let mut days = std::mem::take(&mut self.days);
        *self = Watch {
            days: days.split_off(first),
            ..Watch::default()
        };
    }

    /// Whether no day is remembered.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// The day with a number, if it is remembered.
    pub fn day(&mut self, number: i64) -> Option<&mut Day> {
        let place = self.days.binary_search_by_key(&number, |day| day.number);
        place.ok().map(|place| &mut self.days[place])
    }

    /// Forgets days of which nothing is left.
    pub fn drop_empty(&mut self) {
        let left = self.days.len() - self.suspects;
        let empty = |days: &[Day]| days.iter().filter(|day| day.behaviors == 0).count();
        self.suspects -= empty(&self.days[left..]);
        self.days.retain(|day| day.behaviors > 0);
    }
}
