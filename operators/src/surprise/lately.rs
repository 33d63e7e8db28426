//! What a home has done since its regime began: how often each action, and in which hours.
//!
//! What changed at all says more, and sooner, than what changed of one action: a home that now lives by night does so in all it does,
//! and what it gave up is missed before long.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::words::{ActionId, Hours, Segment};

/// Buckets of hours.
pub(super) const BINS: usize = 8;
/// As so many behaviours counts what was known before a regime, of the hours of one action or of all …
const HOURS_BEFORE: f32 = 8.0;
/// … and of how often actions come.
const ACTIONS_BEFORE: f32 = 50.0;

/// By regime, but for a home's first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lately(BTreeMap<u32, Regime>);

/// What was done in one regime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Regime {
    /// How often each action came in which hours: an action keeps to a few. None of them is nothing.
    actions: BTreeMap<(ActionId, u8), u32>,
    all: [u32; BINS],
}

impl Lately {
    /// A segment comes into a regime (`diff` 1), or leaves it (-1).
    pub fn count(&mut self, segment: &Segment, regime: u32, diff: i32) {
        let known = self.0.contains_key(&regime);
        if regime == 0 || segment.moments.is_empty() || diff < 0 && !known {
            return;
        }
        let here = self.0.entry(regime).or_default();
        for moment in &segment.moments {
            let (_, hours): (_, Hours) = moment.time.local(moment.offset);
            here.bump(moment.action, hours, diff);
        }
        if here.actions.is_empty() {
            self.0.remove(&regime);
        }
    }

    /// A regime has a final segment: those before it are over.
    pub fn settle(&mut self, regime: u32) {
        self.0.retain(|known, _| *known >= regime);
    }

    /// Bytes that they take beside themselves, roughly.
    pub fn bytes(&self) -> usize {
        let each = |of: &Regime| size_of::<((ActionId, u8), u32)>() * of.actions.len();
        self.0.values().map(each).sum::<usize>() + size_of::<(u32, Regime)>() * self.0.len()
    }

    /// A regime, if it is the newest.
    pub fn current(&self, regime: u32) -> Option<&Regime> {
        let newest = self.0.last_key_value();
        newest.filter(|(of, _)| **of == regime).map(|(_, of)| of)
    }

    /// The newest regime, whichever it is.
    pub fn newest(&self) -> Option<&Regime> {
        self.0.last_key_value().map(|(_, of)| of)
    }
}

impl Regime {
    fn bump(&mut self, action: ActionId, bin: u8, diff: i32) {
        let own = self.actions.entry((action, bin)).or_default();
        *own = own.wrapping_add_signed(diff);
        if *own == 0 {
            self.actions.remove(&(action, bin));
        }
        let all = &mut self.all[usize::from(bin)];
        *all = all.wrapping_add_signed(diff);
    }

    /// How often an action came, by hours.
    fn of(&self, action: ActionId) -> [u32; BINS] {
        let mut own = [0; BINS];
        for ((_, bin), times) in self.actions.range((action, 0)..=(action, u8::MAX)) {
            own[usize::from(*bin)] = *times;
        }
        own
    }

    /// How many times as often as before an action comes now; `before`: its share of what is known of the home, and of how many.
    pub fn change(&self, action: ActionId, (seen, times): (u32, u32)) -> f32 {
        let before = (seen as f32 + 0.5) / (times as f32 + 1.0);
        let now = self.of(action).iter().sum();
        change(now, self.all.iter().sum(), before, ACTIONS_BEFORE)
    }

    /// The hours of an action over those that are known of it before; `all`: the hours of all that is known of the home.
    pub fn hours(&self, action: ActionId, known: [f32; BINS], all: &[u32]) -> [f32; BINS] {
        let times: u32 = all.iter().sum();
        let now: u32 = self.all.iter().sum();
        let turned: [f32; BINS] = std::array::from_fn(|bin| {
            let before = (all[bin] as f32 + 1.0) / (times as f32 + BINS as f32);
            known[bin] * change(self.all[bin], now, before, HOURS_BEFORE)
        });
        let sum: f32 = turned.iter().sum();
        let own = self.of(action);
        let times: u32 = own.iter().sum();
        std::array::from_fn(|bin| {
            let general = turned[bin] / sum;
            (own[bin] as f32 + HOURS_BEFORE * general) / (times as f32 + HOURS_BEFORE)
        })
    }
}

/// How many times as often as `before` something comes that now came `seen` of `times`.
fn change(seen: u32, times: u32, before: f32, strength: f32) -> f32 {
    (seen as f32 + strength * before) / (times as f32 + strength) / before
}
