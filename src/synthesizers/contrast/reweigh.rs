//! A home's past, weighed anew: what is likelier in the new context happens more often, what is less likely seldom or never.

use std::collections::{BTreeMap, BTreeSet};

use hearth_operators::words::{DeviceId, HOURS, Hours, Sequence};
use rand::Rng;

use crate::phrases::Phrase;
use crate::synthesizers::edit::{Addition, Edit, every_day, every_hour};
use crate::synthesizers::vocabulary::{Used, Vocabulary};

/// How many devices that a home never used a shift may bring: a catalog names those of a whole cohort.
pub const STRANGERS: usize = 3;
/// By so many nats a device must be likelier to be new in a home.
const STRANGE: f64 = 1.0;
/// In how many of a home's sequences something is done that was not done in them before, at most.
const MOST: f64 = 0.5;
/// So much likelier, in nats, a day must be that is lived at other hours.
const MOVED: f64 = 0.25;

/// Buckets of a day.
const DAY: usize = HOURS.len();

/// How a home's past changes.
pub struct Reweighed {
    /// By device: how much of its uses stays, where that is not all.
    stays: BTreeMap<DeviceId, f64>,
    /// What is done more.
    more: Edit,
    /// By how many buckets all of it moves.
    pub moves: i64,
}

/// How a home uses its devices.
struct Uses {
    /// In how many of its sequences each occurs.
    share: BTreeMap<DeviceId, f64>,
    hours: BTreeMap<DeviceId, BTreeSet<Hours>>,
    by_hour: [f64; DAY],
}

impl Uses {
    fn of(source: &[Sequence], vocabulary: &Vocabulary) -> Self {
        let mut uses = Uses {
            share: BTreeMap::new(),
            hours: BTreeMap::new(),
            by_hour: [0.0; DAY],
        };
        let all: usize = source.iter().map(|sequence| sequence.0.len()).sum();
        for sequence in source {
            let mut met = BTreeSet::new();
            for behavior in &sequence.0 {
                let device = vocabulary.catalog.device_of(behavior.action);
                met.insert(device);
                uses.hours.entry(device).or_default().insert(behavior.hours);
                uses.by_hour[usize::from(behavior.hours)] += 1.0 / all as f64;
            }
            for device in met {
                *uses.share.entry(device).or_default() += 1.0 / source.len() as f64;
            }
        }
        uses
    }
}

impl Reweighed {
    /// Of a home's past, by what is said of each device and of each hour; so many devices that are not in it may come in.
    pub fn new(
        source: &[Sequence],
        newcomers: usize,
        vocabulary: &Vocabulary,
        begins: &[Phrase],
        devices: &[f64],
        hours: &[f64],
    ) -> Self {
        let (uses, used) = (Uses::of(source, vocabulary), Used::count(source));
        let mut stays = BTreeMap::new();
        let mut additions = Vec::new();
        let mut usual: Vec<f64> = uses.share.values().copied().collect();
        usual.sort_by(f64::total_cmp);
        let usual = usual.get(usual.len() / 2).copied().unwrap_or(0.0);
        let mut strangers: Vec<(f64, DeviceId)> = Vec::new();
        let mut add = |device, share: f64, hours: BTreeSet<Hours>| {
            additions.extend(addition(vocabulary, begins, &used, device, share, hours));
        };
        for (device, &more) in (0..).map(DeviceId).zip(devices) {
            // By Bayes' rule: how likely the context makes the device is how likely the device makes the context.
            let times = more.exp();
            match uses.share.get(&device) {
                Some(_) if times < 1.0 => drop(stays.insert(device, times)),
                Some(share) => add(device, share * (times - 1.0), uses.hours[&device].clone()),
                None if more > STRANGE => strangers.push((more, device)),
                None => {}
            }
        }
        strangers.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (more, device) in strangers.into_iter().take(newcomers) {
            add(device, usual * (more.exp() - 1.0), every_hour());
        }
        Reweighed {
            stays,
            more: Edit {
                additions,
                ..Edit::default()
            },
            moves: moves(&uses.by_hour, hours),
        }
    }

    /// A sequence as it would be; empty if nothing is left of it.
    pub fn apply(
        &self,
        vocabulary: &Vocabulary,
        source: &Sequence,
        rng: &mut impl Rng,
    ) -> Sequence {
        let gone = self
            .stays
            .iter()
            .filter(|(_, stays)| !rng.random_bool(**stays));
        let gone: BTreeSet<DeviceId> = gone.map(|(device, _)| *device).collect();
        let actions = vocabulary.catalog.action_ids();
        let less = Edit {
            gone: actions
                .filter(|action| gone.contains(&vocabulary.catalog.device_of(*action)))
                .collect(),
            ..Edit::default()
        };
        let left = less.apply(vocabulary, source, rng);
        self.more.apply(vocabulary, &left, rng)
    }
}

/// By how many buckets a day is best moved: to where its busy hours are likelier, if it is much likelier then.
fn moves(by_hour: &[f64; DAY], hours: &[f64]) -> i64 {
    if hours.len() != DAY {
        return 0;
    }
    let gain = |by: usize| {
        let at = |hour: usize| hours[(hour + by) % DAY];
        (0..DAY).map(|hour| by_hour[hour] * at(hour)).sum::<f64>()
    };
    let stays = gain(0);
    let best = (1..DAY).max_by(|a, b| gain(*a).total_cmp(&gain(*b)));
    let best = best.filter(|by| gain(*by) - stays > MOVED).unwrap_or(0) as i64;
    // Forward by half a day at most, else back.
    if best > DAY as i64 / 2 {
        best - DAY as i64
    } else {
        best
    }
}

/// A device that is used more.
fn addition(
    vocabulary: &Vocabulary,
    begins: &[Phrase],
    used: &Used,
    device: DeviceId,
    share: f64,
    hours: BTreeSet<Hours>,
) -> Option<Addition> {
    let own = vocabulary.catalog.action_ids();
    let own: BTreeSet<_> = own
        .filter(|a| vocabulary.catalog.device_of(*a) == device)
        .collect();
    let share = share.min(MOST);
    if share <= 0.0 {
        return None;
    }
    let pair = vocabulary.pair(own.iter().copied(), begins, used)?;
    Some(Addition {
        pair,
        hours,
        weekdays: every_day(),
        after: None,
        share,
        besides: Vec::new(),
        same: own,
    })
}
