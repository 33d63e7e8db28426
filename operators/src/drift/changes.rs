//! What differs between the days before a shift and those after it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::day::Day;
use crate::words::{Catalog, DeviceId, HOURS, Hours};

/// Devices that are named at most.
const DEVICES: usize = 5;
/// Three-hour buckets that are put into words at most.
const HOURS_TOLD: usize = 3;

/// How often a day, before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Before.
    pub before: f64,
    /// After.
    pub after: f64,
}

impl Rates {
    /// How much stands out: the difference by what chance would leave of so many.
    fn weight(self) -> f64 {
        (self.after - self.before).abs() / (self.after + self.before + 0.1).sqrt()
    }
}

/// What a shift changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// Days before and after that were compared.
    pub days: (u32, u32),
    /// Behaviours of all devices.
    pub rate: Rates,
    /// Behaviours of the devices that changed most, from the most on.
    pub devices: Vec<(DeviceId, Rates)>,
    /// Behaviours by three-hour bucket of the local day; those without any are left out.
    pub hours: Vec<(Hours, Rates)>,
}

/// A change in behaviours a day that is worth a word: what is less is hardly more than chance in a few days.
const NOTABLE: f64 = 0.75;

impl Changes {
    /// What stands out most: a device, the hours, or how much is done at all.
    fn headline(&self, catalog: &Catalog) -> String {
        let direction = |rates: Rates| match rates.after > rates.before {
            true => "more",
            false => "less",
        };
        let hours = self.hours.iter().map(|(_, rates)| rates.weight());
        let hours = hours.fold(0.0, f64::max);
        let all = self.rate.weight();
        match self.devices.first() {
            Some((device, rates)) if rates.weight() >= hours.max(all) => {
                let device = catalog.devices().get(usize::from(device.0));
                let name = device.map_or("?", |device| &device.name);
                format!("{} {name}", direction(*rates))
            }
            _ if hours > all => "other hours".to_owned(),
            _ => format!("{} at all", direction(self.rate)),
        }
    }

    /// What was and what is: what stands out most now, then figures: behaviours a day, and of the devices and three hours that differ most.
    pub fn in_words(&self, catalog: &Catalog) -> (String, String) {
        let mut hours: Vec<_> = self.hours.iter().collect();
        hours.sort_by(|a, b| b.1.weight().total_cmp(&a.1.weight()));
        hours.truncate(HOURS_TOLD);
        let devices = self.devices.iter().map(|(device, rates)| {
            let device = catalog.devices().get(usize::from(device.0));
            (device.map_or("?", |device| &device.name), *rates)
        });
        let hours = hours.into_iter().map(|(hours, rates)| {
            let name = HOURS.get(usize::from(*hours)).copied().unwrap_or("?");
            (name, *rates)
        });
        let told: Vec<_> = devices
            .chain(hours)
            .filter(|(_, rates)| rates.weight() >= NOTABLE)
            .collect();
        let side = |side: fn(&Rates) -> f64| {
            let figure = |rates: &Rates| format!("{:.1}", side(rates));
            let mut words = format!("{} behaviors a day", figure(&self.rate));
            for (name, rates) in &told {
                words.push_str(&format!(", {name} {}", figure(rates)));
            }
            words
        };
        let now = side(|rates| rates.after);
        let now = format!("{}: {now}", self.headline(catalog));
        (side(|rates| rates.before), now)
    }
}

/// What differs, a day.
pub fn changes(before: &[Day], after: &[Day], catalog: &Catalog) -> Changes {
    let mut changes = Changes {
        days: (before.len() as u32, after.len() as u32),
        ..Changes::default()
    };
    let mut devices: BTreeMap<DeviceId, Rates> = BTreeMap::new();
    let mut hours: BTreeMap<Hours, Rates> = BTreeMap::new();
    let sides: [(_, fn(&mut Rates) -> &mut f64); 2] =
        [(before, |r| &mut r.before), (after, |r| &mut r.after)];
    for (days, side) in sides {
        let share = 1.0 / days.len().max(1) as f64;
        for day in days {
            *side(&mut changes.rate) += f64::from(day.behaviors) * share;
            for used in &day.uses {
                let much = f64::from(used.times) * share;
                *side(devices.entry(catalog.device_of(used.action)).or_default()) += much;
                *side(hours.entry(used.hours).or_default()) += much;
            }
        }
    }
    changes.devices = devices.into_iter().collect();
    let weight = |change: &(DeviceId, Rates)| change.1.weight();
    changes
        .devices
        .sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    changes.devices.truncate(DEVICES);
    changes.hours = hours.into_iter().collect();
    changes
}
