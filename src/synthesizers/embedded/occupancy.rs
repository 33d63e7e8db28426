//! A second person comes or goes: another routine of the home interleaved, or a part of each taken out.

use std::collections::{BTreeMap, BTreeSet};

use hearth_operators::words::{ActionId, DeviceId, Hints, Quadruple, Sequence};
use rand::Rng;
use rand::seq::IndexedRandom;

use super::graph::{Graph, weighted};
use crate::phrases::Phrase;
use crate::synthesizers::knowledge::Occupancy;
use crate::synthesizers::schedule::timeline;
use crate::synthesizers::vocabulary::{Pair, Used, Vocabulary};

/// In how many of a home's sequences the second person takes part.
const TOGETHER: f64 = 0.8;

/// A second person adds at most this many behaviours, or as many as there are.
const FEW: usize = 4;

/// Routines that begin at most this many three-hour buckets apart may overlap.
const NEAR: i64 = 1;

/// How many other routines are looked at for the one that shares the fewest devices.
const TRIES: usize = 6;

/// How long a walk over the graph a second person takes, in steps.
const STEPS: usize = 2;

/// How often a second person uses something that the first does not, where the catalog has it. A house is used as a whole by
/// those who live in it.
const OTHERS: f64 = 0.5;

/// How much likelier than another device is one that a second person is likely to use.
const LIKELIER: u32 = 3;

/// In how many of these uses something else is done than to begin, and in how many it is ended within the routine.
const GOES_ON: f64 = 0.5;

/// The odds that a device stays in use when a person leaves: one that a second person is likely to use, and another.
const STAYS: (f64, f64) = (0.45, 0.8);

/// A home whose occupancy changes.
pub struct Household<'a> {
    vocabulary: &'a Vocabulary,
    graph: Graph<'a>,
    /// The home's routines of a weekday.
    routines: Vec<&'a Sequence>,
    /// Where a second person's walks begin: actions with their weights.
    starts: Vec<(ActionId, u32)>,
    /// What a second person is likely to use.
    devices: &'a [Phrase],
    /// The devices that the home does not use, each with its weight.
    others: Vec<(Other, u32)>,
}

/// A device that the home does not use.
struct Other {
    actions: Vec<ActionId>,
    /// How it is begun and ended, where its names say so.
    pair: Option<Pair>,
}

impl<'a> Household<'a> {
    /// A home with its graph and all its routines of a weekday. Walks begin at what it uses of the devices that a second person
    /// likes; where it uses none of these, at how one of the catalog would begin (`begins`).
    pub fn new(
        vocabulary: &'a Vocabulary,
        hints: &'a Hints,
        routines: Vec<&'a Sequence>,
        used: &Used,
        occupancy: &'a Occupancy,
        begins: &[Phrase],
    ) -> Self {
        let catalog = &vocabulary.catalog;
        let devices = &occupancy.devices[..];
        let likely = |action: ActionId| vocabulary.device_is(catalog.device_of(action), devices);
        let mut starts: Vec<_> = used.iter().filter(|&(action, _)| likely(action)).collect();
        if starts.is_empty() {
            let serving = catalog.action_ids().filter(|&action| likely(action));
            let pair = vocabulary.pair(serving, begins, used);
            starts.extend(pair.map(|pair| (pair.open, 1)));
        }
        // Last choice: whatever the home does, so that a home without any such device still has a second person.
        if starts.is_empty() {
            starts.extend(used.iter());
        }
        Household {
            vocabulary,
            graph: Graph::new(hints),
            routines,
            starts,
            devices,
            others: others(vocabulary, used, occupancy, begins),
        }
    }

    /// The sequence with a second person's routine in it; the first person's stays as it is.
    pub fn joined(&self, own: &Sequence, rng: &mut impl Rng) -> Sequence {
        if own.0.is_empty() || !rng.random_bool(TOGETHER) {
            return own.clone();
        }
        let most = own.0.len().max(FEW);
        let mut joined = match self.companion(own, rng) {
            Some(other) => interleaved(own, other, most, rng),
            None => own.0.clone(),
        };
        let left = (own.0.len() + most).saturating_sub(joined.len());
        let other = self.others.choose_weighted(rng, |(_, weight)| *weight);
        let walk = match other {
            Ok((other, _)) if rng.random_bool(OTHERS) => {
                let mut used = other.used(rng);
                used.truncate(left);
                used
            }
            // A house without such devices, or an evening without them.
            _ => self.walk(&joined, left, rng),
        };
        let at = rng.random_range(0..joined.len());
        let place = joined[at];
        let walk = walk.into_iter().map(|action| Quadruple { action, ..place });
        joined.splice(at + 1..at + 1, walk);
        Sequence(joined)
    }

    /// Of some routines that begin about when this one does, the one with the most other devices.
    fn companion(&self, own: &Sequence, rng: &mut impl Rng) -> Option<&'a Sequence> {
        let start = |s: &Sequence| s.0.first().map_or(0, |q| i64::from(q.hours));
        let near: Vec<&'a Sequence> = self
            .routines
            .iter()
            .copied()
            .filter(|other| *other != own && (start(other) - start(own)).abs() <= NEAR)
            .collect();
        if near.is_empty() {
            return None;
        }
        let present = self.devices_in(&own.0);
        (0..TRIES)
            .map(|_| near[rng.random_range(0..near.len())])
            .max_by_key(|other| self.devices_in(&other.0).difference(&present).count())
    }

    /// What the second person does of their own: a walk that begins, if it can, at a device not in use yet.
    fn walk(&self, joined: &[Quadruple], most: usize, rng: &mut impl Rng) -> Vec<ActionId> {
        let present = self.devices_in(joined);
        let absent: Vec<_> = self
            .starts
            .iter()
            .copied()
            .filter(|(action, _)| !present.contains(&self.vocabulary.catalog.device_of(*action)))
            .collect();
        let starts = if absent.is_empty() {
            &self.starts
        } else {
            &absent
        };
        if most == 0 {
            return Vec::new();
        }
        let start = weighted(starts, rng);
        let steps = STEPS.min(most - 1);
        start.map_or_else(Vec::new, |start| self.graph.walk(start, steps, rng))
    }

    /// The sequence with some devices not used any more, each wholly, so that what is opened is closed; never empty.
    pub fn thinned(&self, own: &Sequence, rng: &mut impl Rng) -> Sequence {
        let mut stays = BTreeMap::new();
        for device in self.devices_in(&own.0) {
            let likely = self.vocabulary.device_is(device, self.devices);
            let odds = if likely { STAYS.0 } else { STAYS.1 };
            stays.insert(device, rng.random_bool(odds));
        }
        if stays.values().all(|stays| !stays) {
            let one = rng.random_range(0..stays.len().max(1));
            if let Some(stays) = stays.values_mut().nth(one) {
                *stays = true;
            }
        }
        let device = |q: &Quadruple| self.vocabulary.catalog.device_of(q.action);
        let kept = own.0.iter().filter(|q| stays[&device(q)]);
        Sequence(kept.copied().collect())
    }

    fn devices_in(&self, behaviors: &[Quadruple]) -> BTreeSet<DeviceId> {
        let device = |q: &Quadruple| self.vocabulary.catalog.device_of(q.action);
        behaviors.iter().map(device).collect()
    }
}

impl Other {
    /// One use of it.
    fn used(&self, rng: &mut impl Rng) -> Vec<ActionId> {
        let any = |rng: &mut _| self.actions.choose(rng).copied();
        let mut used: Vec<ActionId> = match self.pair {
            Some(pair) => vec![pair.open],
            None => any(rng).into_iter().collect(),
        };
        if rng.random_bool(GOES_ON) {
            used.extend(any(rng).filter(|action| !used.contains(action)));
        }
        let close = self.pair.and_then(|pair| pair.close);
        if rng.random_bool(GOES_ON) {
            used.extend(close.filter(|action| !used.contains(action)));
        }
        used
    }
}

/// The devices of the catalog that the home does not use, but for those that nobody does.
fn others(
    vocabulary: &Vocabulary,
    used: &Used,
    occupancy: &Occupancy,
    begins: &[Phrase],
) -> Vec<(Other, u32)> {
    let mut by_device = BTreeMap::<DeviceId, Vec<ActionId>>::new();
    for action in vocabulary.catalog.action_ids() {
        let device = vocabulary.catalog.device_of(action);
        by_device.entry(device).or_default().push(action);
    }
    let of = |(device, actions): (DeviceId, Vec<ActionId>)| {
        let idle = actions.iter().all(|&action| used.times(action) == 0);
        if !idle || vocabulary.device_is(device, &occupancy.except) {
            return None;
        }
        let likely = vocabulary.device_is(device, &occupancy.devices);
        let pair = vocabulary.pair(actions.iter().copied(), begins, used);
        Some((Other { actions, pair }, if likely { LIKELIER } else { 1 }))
    };
    by_device.into_iter().filter_map(of).collect()
}

/// Two routines of a weekday as one, in order of hours; of the other at most `most` behaviours, and none that would
/// come more than two buckets after what is there: the split would cut there.
fn interleaved(
    own: &Sequence,
    other: &Sequence,
    most: usize,
    rng: &mut impl Rng,
) -> Vec<Quadruple> {
    let (own_times, other_times) = (timeline(&own.0), timeline(&other.0));
    let mut joined = Vec::with_capacity(own.0.len() + most);
    let (mut i, mut j, mut last) = (0, 0, i64::MAX);
    loop {
        let reach = last.saturating_add(2);
        let next = other_times
            .get(j)
            .copied()
            .filter(|&time| j < most && (i < own.0.len() || time <= reach));
        let takes_own = match (own_times.get(i).copied(), next) {
            (Some(mine), Some(theirs)) => mine < theirs || mine == theirs && rng.random_bool(0.5),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return joined,
        };
        let (behavior, time) = if takes_own {
            i += 1;
            (own.0[i - 1], own_times[i - 1])
        } else {
            j += 1;
            (other.0[j - 1], other_times[j - 1])
        };
        joined.push(behavior);
        last = time;
    }
}
