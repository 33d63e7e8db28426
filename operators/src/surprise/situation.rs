//! What a behaviour is met in: its neighbours, its hours, its pauses, what repeats.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::words::{ActionId, Catalog, DeviceId, Hours, Moment, Time};

/// What of a behaviour is counted in bins, each by action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Trait {
    /// Its three-hour bucket.
    Hours,
    /// The pause before it: see [`pause`].
    PauseBefore,
    /// The pause after it.
    PauseAfter,
    /// How many behaviours right before it were the same action.
    Run,
    /// How many behaviours in a row, it being the last, did what the one two before each had done: two that take turns, or one again and again.
    Turns,
}

impl Trait {
    /// All of them.
    pub const ALL: [Trait; 5] = [
        Trait::Hours,
        Trait::PauseBefore,
        Trait::PauseAfter,
        Trait::Run,
        Trait::Turns,
    ];

    /// How many bins there are.
    pub const fn bins(self) -> usize {
        match self {
            Trait::Hours => 8,
            Trait::PauseBefore | Trait::PauseAfter => PAUSES,
            Trait::Run | Trait::Turns => REPEATS,
        }
    }

    /// Where its bins lie among those of all.
    pub(super) const fn cells(self) -> Range<usize> {
        let first = match self {
            Trait::Hours => 0,
            Trait::PauseBefore => 8,
            Trait::PauseAfter => 8 + PAUSES,
            Trait::Run => 8 + 2 * PAUSES,
            Trait::Turns => 8 + 2 * PAUSES + REPEATS,
        };
        first..first + self.bins()
    }
}

/// Bins of all traits.
pub(super) const CELLS: usize = Trait::Turns.cells().end;

/// Bins of pauses: under a second, then by powers of four, the last but one without an end, the last for none (a segment's
/// first or last behaviour).
pub const PAUSES: usize = 12;
/// Bins of repetitions: none, one, … and the last without an end.
pub const REPEATS: usize = 6;
/// The bin of a pause, in microseconds.
fn pause(length: Option<i64>) -> u8 {
    let Some(length) = length else {
        return PAUSES as u8 - 1;
    };
    match length / Time::SECOND {
        ..1 => 0,
        seconds => (1 + seconds.ilog2() as u8 / 2).min(PAUSES as u8 - 2),
    }
}

/// The seconds from which a bin of pauses begins.
pub fn pause_from(bin: u8) -> i64 {
    if bin == 0 { 0 } else { 1 << (2 * (bin - 1)) }
}

/// A behaviour where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// What happened.
    pub action: ActionId,
    /// What came before it in its segment.
    pub before: Option<ActionId>,
    /// What came after it in its segment.
    pub after: Option<ActionId>,
    /// The last action of its device before it in its segment.
    pub device: Option<ActionId>,
    /// Whether something may still come after it: then nothing is known of that.
    pub open: bool,
    /// By [`Trait`]: its bin.
    bins: [u8; Trait::ALL.len()],
}

impl Situation {
    /// The bin of a trait.
    pub fn bin(&self, of: Trait) -> u8 {
        self.bins[of as usize]
    }

    /// The situations of a segment's behaviours.
    pub fn all(catalog: &Catalog, moments: &[Moment]) -> Vec<Situation> {
        Self::since(catalog, moments, 0, false)
    }

    /// The situations of a segment's behaviours from a position on; `open`: more may come after them.
    pub fn since(catalog: &Catalog, moments: &[Moment], from: usize, open: bool) -> Vec<Situation> {
        let mut devices: BTreeMap<DeviceId, ActionId> = BTreeMap::new();
        let most = REPEATS - 1;
        let at = |i: usize| {
            let Moment { action, .. } = moments[i];
            let before = i.checked_sub(1).map(|i| moments[i]);
            let after = moments.get(i + 1).copied();
            let again = |back: usize| {
                let does = |j: &usize| moments[*j].action == moments[*j - back].action;
                (back..=i).rev().take(most).take_while(does).count() as u8
            };
            let (_, hours): (_, Hours) = moments[i].time.local(moments[i].offset);
            let since = before.map(|before| moments[i].time.0 - before.time.0);
            let until = after.map(|after| after.time.0 - moments[i].time.0);
            let device = catalog.device_of(action);
            let last = devices.insert(device, action).or_else(|| {
                let mut earlier = moments[..from].iter().rev().map(|m| m.action);
                earlier.find(|earlier| catalog.device_of(*earlier) == device)
            });
            Situation {
                action,
                before: before.map(|m| m.action),
                after: after.map(|m| m.action),
                device: last,
                open: open && after.is_none(),
                bins: [hours, pause(since), pause(until), again(1), again(2)],
            }
        };
        (from..moments.len()).map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_fall_into_bins_by_powers_of_four() {
        let bins = [0, 1, 3, 4, 15, 16, 64, 3_600, 86_400, 1 << 30];
        let bins = bins.map(|seconds| pause(Some(seconds * Time::SECOND)));
        assert_eq!(bins, [0, 1, 1, 2, 2, 3, 4, 6, 9, 10]);
        assert_eq!(pause(None), 11);
        for seconds in 1..100_000 {
            let bin = pause(Some(seconds * Time::SECOND));
            assert!(pause_from(bin) <= seconds);
            assert!(bin == 10 || seconds < pause_from(bin + 1));
        }
    }
}
