//! What a season ends and brings, and what a device does that comes or goes: knowledge turned into an [`Edit`].

use std::collections::BTreeSet;

use hearth_operators::words::{ActionId, DeviceId};

use crate::phrases::Phrase;
use crate::synthesizers::edit::{Addition, Edit, every_day, every_hour};
use crate::synthesizers::knowledge::Usage;
use crate::synthesizers::vocabulary::{Pair, Used, Vocabulary};

/// How many usages that a home never had a season may bring: a catalog names the devices of a whole cohort.
const STRANGERS: usize = 3;

/// What begins in a season where it happens only sometimes begins in so much of its share.
const SOMETIMES: f64 = 1.0 / 3.0;

/// In how many of a home's sequences a device is used that is new in it.
const NEW_DEVICE_SHARE: f64 = 0.3;

/// Which usage each action of a catalog serves, if any.
pub struct Usages {
    usages: Vec<Usage>,
    by_action: Vec<Option<usize>>,
}

impl Usages {
    /// Looks every action up, first among the usages that name actions.
    pub fn new(usages: Vec<Usage>, vocabulary: &Vocabulary) -> Self {
        let fits = |usage: &Usage, action: ActionId| {
            let device = vocabulary.catalog.device_of(action);
            vocabulary.device_is(device, &usage.devices)
                && !vocabulary.device_is(device, &usage.except)
                && (usage.actions.is_empty() || vocabulary.action_is(action, &usage.actions))
        };
        let by_action = vocabulary
            .catalog
            .action_ids()
            .map(|action| {
                let of = |special: bool| {
                    usages
                        .iter()
                        .position(|u| u.actions.is_empty() != special && fits(u, action))
                };
                of(true).or_else(|| of(false))
            })
            .collect();
        Usages { usages, by_action }
    }

    fn actions(&self, usage: usize) -> impl Iterator<Item = ActionId> {
        let by_action = self.by_action.iter().enumerate();
        by_action
            .filter(move |(_, of)| **of == Some(usage))
            .map(|(action, _)| ActionId(action as u16))
    }

    /// What changes in a home when the season becomes `to`; without `from`, it was any other.
    pub fn edit(&self, vocabulary: &Vocabulary, used: &Used, from: Option<&str>, to: &str) -> Edit {
        let mut edit = Edit::default();
        let happens = |usage: &Usage, season: &str| {
            usage.seasons.contains(season) || usage.sometimes.contains(season)
        };
        let was_usual = |usage: &Usage| from.map(|from| happens(usage, from));
        for (i, usage) in self.usages.iter().enumerate() {
            let left = !usage.stays && was_usual(usage) != Some(false) && !happens(usage, to);
            if usage.against.contains(to) || left {
                edit.gone.extend(self.actions(i));
            }
        }
        let pairs: Vec<Option<Pair>> = (0..self.usages.len())
            .map(|i| {
                let usage = &self.usages[i];
                let serving = self.actions(i).filter(|a| !edit.gone.contains(a));
                let mut pair = vocabulary.pair(serving, &usage.begins, used)?;
                pair.close = pair.close.filter(|close| !edit.gone.contains(close));
                happens(usage, to).then_some(pair)
            })
            .collect();
        let mut strangers = 0;
        for (i, usage) in self.usages.iter().enumerate() {
            let instead: Vec<_> = usage
                .instead
                .iter()
                .filter_map(|name| {
                    let other = self.usages.iter().position(|u| u.name == *name)?;
                    Some((pairs[other]?, self.usages[other].hours.clone()))
                })
                .collect();
            for action in self.actions(i).filter(|a| edit.gone.contains(a)) {
                // Setting or asking a thing that is gone has no counterpart; beginning it has.
                if vocabulary.opens(action) || vocabulary.action_is(action, &usage.begins) {
                    edit.instead.insert(action, instead.clone());
                }
            }
            let Some(pair) = pairs[i].filter(|_| was_usual(usage) != Some(true)) else {
                continue;
            };
            let same: BTreeSet<ActionId> = self.actions(i).collect();
            if same.iter().all(|&action| used.times(action) == 0) {
                strangers += 1;
                if strangers > STRANGERS {
                    continue;
                }
            }
            edit.additions.push(Addition {
                pair,
                hours: usage.hours.clone(),
                weekdays: every_day(),
                after: None,
                share: if usage.sometimes.contains(to) {
                    usage.share * SOMETIMES
                } else {
                    usage.share
                },
                besides: besides(&same, pair, |action| edit.gone.contains(&action)),
                same,
            });
        }
        edit
    }
}

/// What changes in a home where devices go.
pub fn devices_gone(vocabulary: &Vocabulary, devices: &BTreeSet<DeviceId>) -> Edit {
    Edit {
        gone: actions_of(vocabulary, devices).collect(),
        ..Edit::default()
    }
}

/// What changes in a home where devices come.
pub fn devices_new(
    vocabulary: &Vocabulary,
    devices: &BTreeSet<DeviceId>,
    begins: &[Phrase],
    used: &Used,
) -> Edit {
    let additions = devices.iter().filter_map(|&device| {
        let actions: BTreeSet<ActionId> =
            actions_of(vocabulary, &BTreeSet::from([device])).collect();
        let pair = vocabulary.pair(actions.iter().copied(), begins, used)?;
        Some(Addition {
            pair,
            hours: every_hour(),
            weekdays: every_day(),
            after: None,
            share: NEW_DEVICE_SHARE,
            besides: besides(&actions, pair, |_| false),
            same: actions,
        })
    });
    Edit {
        additions: additions.collect(),
        ..Edit::default()
    }
}

/// What else can be done with a thing than to begin and to end it.
fn besides(
    actions: &BTreeSet<ActionId>,
    pair: Pair,
    gone: impl Fn(ActionId) -> bool,
) -> Vec<ActionId> {
    let ends = |action| action == pair.open || Some(action) == pair.close;
    let others = actions.iter().copied();
    others.filter(|&a| !ends(a) && !gone(a)).collect()
}

fn actions_of(
    vocabulary: &Vocabulary,
    devices: &BTreeSet<DeviceId>,
) -> impl Iterator<Item = ActionId> {
    let catalog = &vocabulary.catalog;
    catalog
        .action_ids()
        .filter(|&action| devices.contains(&catalog.device_of(action)))
}
