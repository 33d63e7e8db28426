//! Simulated homes: what happened in them is known.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use anyhow::{Context, Result};
use hearth_operators::reference::split;
use hearth_operators::split::Rules;
use hearth_operators::words::{Catalogs, HomeId, Moment, Sequence, Shift};

use super::material::{Attack, Kind, Material};
use crate::models::WINDOW;
use crate::simulate::{self, Event, PlantedShift, Sink};

/// How many homes are simulated for each kind of shift.
pub const HOMES: u32 = 3;

/// Days that a home lives; the shift is about the middle.
const DAYS: &str = "120";

/// The seed of the simulation, where none is named.
pub(super) const SEED: u64 = 2024;

/// The real sequences of a simulated home around its shift: those with a planted anomaly are its attacks.
///
/// # Errors
/// The number is none of [`HOMES`], or there is no room for the simulation.
pub(super) fn material(number: u32, kind: Kind, seed: u64) -> Result<Material> {
    let catalog = Arc::new(simulate::catalog()?);
    let settings = simulate::Settings {
        homes: number.try_into().context("simulated homes count from 1")?,
        days: DAYS.parse().map_err(anyhow::Error::msg)?,
        seed,
        shifts: kind.shift().name().parse().map_err(anyhow::Error::msg)?,
        anomalies: "0.01".parse().map_err(anyhow::Error::msg)?,
        late: Default::default(),
        late_by: "12h".parse().map_err(anyhow::Error::msg)?,
        duplicates: Default::default(),
        reorder: Default::default(),
        reorder_by: "5m".parse().map_err(anyhow::Error::msg)?,
        ids: false,
    };
    let folder = tempfile::tempdir().context("cannot make a folder for the simulation")?;
    let mut home = Home {
        number,
        ..Home::default()
    };
    simulate::simulate(&settings, &folder.path().join("spool"), &mut home)?;
    let shift = home.shift.context("the simulated home has no shift")?;
    home.moments.sort_unstable();
    let rules = Rules::new(Catalogs::shared(catalog.clone()));
    let (mut source, mut normal, mut attacks) = (Vec::new(), Vec::new(), Vec::new());
    // As in the authors' data a sequence has at most ten behaviours, so that one anomaly does not make a whole day anomalous.
    let segments = split(HomeId(number), &home.moments, &rules);
    for window in segments.iter().flat_map(|segment| segment.chunks(WINDOW)) {
        let sequence = Sequence(window.iter().map(Moment::quadruple).collect());
        let anomalous = window.iter().any(|moment| home.anomalies.contains(moment));
        if window.first().is_some_and(|first| first.time < shift.time) {
            source.push(sequence);
        } else if anomalous {
            attacks.push(Attack { of: None, sequence });
        } else {
            normal.push(sequence);
        }
    }
    Ok(Material {
        catalog,
        shift: Shift {
            home: Some(HomeId(number)),
            time: shift.time,
            offset: shift.offset,
            kind: shift.kind,
            from: shift.from.to_owned(),
            to: shift.to.to_owned(),
        },
        source,
        normal,
        attacks,
        numbering: None,
    })
}

/// Keeps one home of a simulation.
#[derive(Default)]
struct Home {
    number: u32,
    shift: Option<PlantedShift>,
    moments: Vec<Moment>,
    anomalies: HashSet<Moment>,
}

impl Sink for Home {
    fn shift(&mut self, shift: &PlantedShift) -> io::Result<()> {
        if shift.home == self.number {
            self.shift = Some(*shift);
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        if event.home == self.number {
            self.moments.push(event.moment);
            if event.anomaly.is_some() {
                self.anomalies.insert(event.moment);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_has_a_life_before_and_after() {
        for kind in Kind::ALL {
            let home = material(2, kind, SEED).unwrap();
            assert!(home.source.len() > 50 && home.normal.len() > 50, "{kind:?}");
            assert!(!home.attacks.is_empty(), "{kind:?}");
            assert_eq!(home.shift.kind, kind.shift());
        }
    }
}
