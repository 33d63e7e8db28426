//! A shift that nobody declared: what of a home's past still fits what it has done since, by counts of both alone.
//!
//! No table says what such a shift means. It is known by a few days: by how many hours the days seem to have moved, and how much of
//! each device's share is left. The past is moved and thinned so far and no further; what the few days do not speak of stays as
//! it was. What is new in them is told by their own sequences.

use std::collections::BTreeMap;

use hearth_operators::words::{Catalog, DeviceId, Quadruple, Regime, Sequence};
use rand::Rng;

use crate::synthesizers::schedule;

/// Behaviours by which the past is believed beforehand: with fewer since, little is known of what has changed.
const BELIEF: f64 = 20.0;
/// What each device is given in each three hours in which it was never used.
const SMALL: f64 = 0.5;
/// Three-hour buckets by which days can move.
const MOVES: std::ops::RangeInclusive<i64> = -3..=4;
/// Nats a behaviour, and in all, by which moved days must explain better what happened since.
const CLEARLY: (f64, f64) = (0.25, 20.0);

/// What differs between a regime and what came after it.
#[derive(Debug)]
pub struct Difference {
    /// Three-hour buckets by which days have moved.
    moved: i64,
    /// Which share of its use a device keeps; those that keep all are left out.
    left: BTreeMap<DeviceId, f64>,
}

/// Behaviours by device and three-hour bucket.
struct Uses {
    by_hours: BTreeMap<DeviceId, [f64; 8]>,
    all: f64,
}

impl Uses {
    fn count(sequences: &[Sequence], catalog: &Catalog) -> Self {
        let mut by_hours: BTreeMap<DeviceId, [f64; 8]> = BTreeMap::new();
        let mut all = 0.0;
        for Quadruple { hours, action, .. } in sequences.iter().flat_map(|s| &s.0) {
            let device = by_hours.entry(catalog.device_of(*action)).or_default();
            device[usize::from(*hours)] += 1.0;
            all += 1.0;
        }
        Uses { by_hours, all }
    }

    fn of(&self, device: DeviceId) -> f64 {
        self.by_hours.get(&device).map_or(0.0, |h| h.iter().sum())
    }

    /// The logarithm of how likely these make others, were days moved.
    fn explain(&self, others: &Uses, moved: i64) -> f64 {
        let devices = self.by_hours.len().max(1) as f64;
        let total = self.all + SMALL * 8.0 * devices;
        let mut sum = 0.0;
        for (device, hours) in &others.by_hours {
            let known = self.by_hours.get(device);
            for (bucket, times) in (0i64..).zip(hours) {
                let before = (bucket - moved).rem_euclid(8) as usize;
                let seen = known.map_or(0.0, |known| known[before]);
                sum += times * ((seen + SMALL) / total).ln();
            }
        }
        sum
    }
}

impl Difference {
    /// Between what a regime was and what is known of what came after it.
    pub fn of(regime: &Regime, catalog: &Catalog) -> Self {
        let before = Uses::count(&regime.source, catalog);
        let since = Uses::count(&regime.target, catalog);
        let unmoved = before.explain(&since, 0);
        let best = MOVES
            .map(|moved| (before.explain(&since, moved), moved))
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.abs().cmp(&a.1.abs())));
        let gain = best.map_or(0.0, |(best, _)| best - unmoved);
        let clear = gain > CLEARLY.1 && gain > CLEARLY.0 * since.all;
        let left = before.by_hours.keys().filter_map(|&device| {
            let expected = BELIEF * before.of(device) / before.all;
            let usual = (since.all + BELIEF) * before.of(device) / before.all;
            let left = (since.of(device) + expected) / usual;
            (left < 1.0).then_some((device, left))
        });
        Difference {
            moved: best.filter(|_| clear).map_or(0, |(_, moved)| moved),
            left: left.collect(),
        }
    }

    /// A sequence of the past as it would be since: each device stays in it, whole, as often as it has stayed in the home.
    pub fn apply(&self, sequence: &Sequence, catalog: &Catalog, rng: &mut impl Rng) -> Sequence {
        let mut stays: BTreeMap<DeviceId, bool> = BTreeMap::new();
        let kept = sequence.0.iter().filter(|quadruple| {
            let device = catalog.device_of(quadruple.action);
            *stays.entry(device).or_insert_with(|| {
                let left = self.left.get(&device);
                left.is_none_or(|left| rng.random_bool(left.clamp(0.0, 1.0)))
            })
        });
        schedule::moved(&Sequence(kept.copied().collect()), &[self.moved; 8])
    }
}
