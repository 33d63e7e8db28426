//! How many of the planted shifts were found where nobody declared them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use hearth_operators::words::Time;

use super::Truth;
use crate::outputs::read::{each, line};
use crate::outputs::{DriftLine, SegmentLine, Stream, grouped};

/// Within how many days a shift counts as found.
const DAYS: i64 = 5;

/// What was found, and what was not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drifts {
    /// By kind of shift.
    pub kinds: BTreeMap<String, Kind>,
    /// Drifts of homes before their shift, or once more after it.
    pub false_ones: u64,
    /// Time that the homes were there, in µs.
    pub watched: i64,
}

/// The shifts of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// All that were planted.
    pub planted: u64,
    /// Those found within five days.
    pub soon: u64,
    /// Those found later.
    pub late: u64,
}

/// Compares the drifts of an output folder with the planted shifts.
pub(super) fn drifts(dir: &Path, truth: &Truth) -> anyhow::Result<Drifts> {
    let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    each(dir, Stream::Drifts, |text| {
        let line: DriftLine<'_> = line(text)?;
        let times = found.entry(line.home.into_owned()).or_default();
        times.push(line.time.time.0);
        Ok(())
    })?;
    let mut ends: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    each(dir, Stream::Segments, |text| {
        let line: SegmentLine<'_> = line(text)?;
        let (start, end) = (line.start.time.0, line.end.time.0);
        match ends.get_mut(line.home.as_ref()) {
            Some(home) => *home = (home.0.min(start), home.1.max(end)),
            None => _ = ends.insert(line.home.into_owned(), (start, end)),
        }
        Ok(())
    })?;
    let mut drifts = Drifts {
        watched: ends.values().map(|(start, end)| end - start).sum(),
        ..Drifts::default()
    };
    for shift in &truth.shifts {
        let kind = drifts.kinds.entry(shift.kind.clone()).or_default();
        kind.planted += 1;
        // The first after it is its own; before the next one of the home.
        let later = truth.shifts.iter().filter(|other| other.home == shift.home);
        let next = later
            .map(|other| other.time)
            .filter(|time| *time > shift.time)
            .min();
        let own = |time: &i64| *time > shift.time && next.is_none_or(|next| *time <= next);
        let times = found.get_mut(&shift.home);
        let first = times.and_then(|times| {
            let (place, _) = times
                .iter()
                .enumerate()
                .filter(|(_, t)| own(t))
                .min_by_key(|t| t.1)?;
            Some(times.swap_remove(place))
        });
        match first {
            Some(time) if time - shift.time <= DAYS * Time::DAY => kind.soon += 1,
            Some(_) => kind.late += 1,
            None => {}
        }
    }
    drifts.false_ones = found.values().map(|times| times.len() as u64).sum();
    Ok(drifts)
}

impl fmt::Display for Drifts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Kind::default();
        for kind in self.kinds.values() {
            all.planted += kind.planted;
            all.soon += kind.soon;
            all.late += kind.late;
        }
        writeln!(
            f,
            "{:<30}{:>8}{:>16}{:>8}",
            "drift (undeclared shifts)", "planted", "within 5 days", "later"
        )?;
        let kinds = self.kinds.iter().map(|(name, kind)| (name.as_str(), kind));
        for (name, kind) in kinds.chain([("all", &all)]) {
            let soon = match kind.planted {
                0 => "-".to_owned(),
                planted => format!("{:.3}", kind.soon as f64 / planted as f64),
            };
            let (planted, late) = (grouped(kind.planted), grouped(kind.late));
            writeln!(f, "  {name:<28}{planted:>8}{soon:>16}{late:>8}")?;
        }
        let years = self.watched as f64 / (365 * Time::DAY) as f64;
        let rate = match self.watched {
            ..=0 => "-".to_owned(),
            _ => format!("{:.2}", self.false_ones as f64 / years),
        };
        let count = grouped(self.false_ones);
        writeln!(
            f,
            "  {count} others in {years:.1} home-years: {rate} a home-year"
        )
    }
}
