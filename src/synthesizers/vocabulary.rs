//! A catalog as knowledge reads it: the words of its names, and what closes what.

use std::collections::BTreeMap;
use std::sync::Arc;

use hearth_operators::words::{ActionId, Catalog, DeviceId, Quadruple, Sequence};

use crate::phrases::{Phrase, words};

/// How the use of a device begins, where nothing is known of the device in particular.
pub const BEGINS: [&str; 8] = [
    "switch on",
    "turn on",
    "turned on",
    "on",
    "start",
    "play",
    "open",
    "run",
];

/// A catalog, read once.
pub struct Vocabulary {
    pub catalog: Arc<Catalog>,
    /// By device.
    devices: Vec<Vec<String>>,
    /// By action, the words of its own name.
    actions: Vec<Vec<String>>,
    /// By action: the actions that close it.
    closed_by: Vec<Vec<ActionId>>,
}

/// How often each action occurs in a home's source regime.
pub struct Used(BTreeMap<ActionId, u32>);

/// A thing to do: the action that begins it and, where the catalog knows one, the action that ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    pub open: ActionId,
    pub close: Option<ActionId>,
}

impl Vocabulary {
    /// Reads a catalog.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        let mut closed_by = vec![Vec::new(); catalog.actions()];
        for action in catalog.action_ids() {
            for closed in catalog.closes(action) {
                closed_by[usize::from(closed.0)].push(action);
            }
        }
        Vocabulary {
            devices: catalog.devices().iter().map(|d| words(&d.name)).collect(),
            actions: catalog
                .action_ids()
                .map(|action| words(catalog.action_name(action)))
                .collect(),
            closed_by,
            catalog,
        }
    }

    /// Whether a device's name holds one of the phrases.
    pub fn device_is(&self, device: DeviceId, phrases: &[Phrase]) -> bool {
        let words = &self.devices[usize::from(device.0)];
        phrases.iter().any(|phrase| phrase.within(words))
    }

    /// Whether an action's own name holds one of the phrases.
    pub fn action_is(&self, action: ActionId, phrases: &[Phrase]) -> bool {
        let words = &self.actions[usize::from(action.0)];
        phrases.iter().any(|phrase| phrase.within(words))
    }

    /// Whether the catalog knows an action that closes this one.
    pub fn opens(&self, action: ActionId) -> bool {
        !self.closed_by[usize::from(action.0)].is_empty()
    }

    /// Of some actions that would serve, how a home would begin and end it: with the device that it uses most, by the
    /// action whose name fits the earliest phrase, exactly if one does.
    pub fn pair(
        &self,
        serving: impl Iterator<Item = ActionId>,
        begins: &[Phrase],
        used: &Used,
    ) -> Option<Pair> {
        let mut by_device = BTreeMap::<DeviceId, Vec<ActionId>>::new();
        for action in serving {
            let device = self.catalog.device_of(action);
            by_device.entry(device).or_default().push(action);
        }
        let mut best = None;
        for actions in by_device.into_values() {
            let Some(open) = self.beginning(&actions, begins) else {
                continue;
            };
            let uses: u64 = actions.iter().map(|&a| u64::from(used.times(a))).sum();
            if best.is_none_or(|(most, _)| uses > most) {
                best = Some((uses, open));
            }
        }
        let (_, open) = best?;
        Some(self.begun_by(open, used))
    }

    /// What an action begins, and how it ends: the home's own way, else the catalog's first.
    pub fn begun_by(&self, open: ActionId, used: &Used) -> Pair {
        let closers = &self.closed_by[usize::from(open.0)];
        let close = closers
            .iter()
            .max_by_key(|&&a| (used.times(a), std::cmp::Reverse(a)));
        Pair {
            open,
            close: close.copied(),
        }
    }

    /// The action whose name fits the earliest phrase, the shortest such name.
    fn beginning(&self, actions: &[ActionId], begins: &[Phrase]) -> Option<ActionId> {
        begins.iter().find_map(|phrase| {
            actions
                .iter()
                .filter(|a| phrase.within(&self.actions[usize::from(a.0)]))
                .min_by_key(|a| (self.actions[usize::from(a.0)].len(), **a))
                .copied()
        })
    }
}

impl Used {
    /// Counts the actions of some sequences.
    pub fn count(sequences: &[Sequence]) -> Self {
        let mut times = BTreeMap::new();
        for Quadruple { action, .. } in sequences.iter().flat_map(|s| &s.0) {
            *times.entry(*action).or_insert(0) += 1;
        }
        Used(times)
    }

    /// How often an action occurs.
    pub fn times(&self, action: ActionId) -> u32 {
        self.0.get(&action).copied().unwrap_or(0)
    }

    /// The actions that occur, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (ActionId, u32)> {
        self.0.iter().map(|(&action, &times)| (action, times))
    }
}
