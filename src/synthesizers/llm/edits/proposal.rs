//! What a model can propose: the kinds of edits.

use std::collections::BTreeSet;

use hearth_operators::words::{ActionId, Catalog, DeviceId, Hours, Weekday};

/// Edits of a reply that are taken: what a shift changes is a few habits, and a model that repeats itself must end.
pub const MAX_EDITS: usize = 24;

/// What moves all behaviours, in a reply.
pub const EVERYTHING: &str = "everything";

/// At most so many three-hour buckets does anything move; eight are a day.
pub const FARTHEST: i64 = 7;

/// One edit of a home's past.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposal {
    /// It is not done any more, and what only closed it neither.
    Drop {
        /// A device or an action.
        what: Target,
    },
    /// Another action takes an action's place, and what closes it that of what closed the first.
    Replace {
        /// What ends.
        action: ActionId,
        /// What begins.
        by: ActionId,
        /// Where: an occurrence at other hours stays.
        hours: BTreeSet<Hours>,
    },
    /// An action begins, closed later in the sequence where the catalog knows how.
    Add {
        /// What begins.
        action: ActionId,
        /// Beside behaviours of these hours.
        hours: BTreeSet<Hours>,
        /// Beside behaviours of these days.
        weekdays: BTreeSet<Weekday>,
        /// In how many of the sequences that have such a place and do not have the action: above 0, at most 1.
        share: f64,
        /// Right after which action; `None`: after any.
        after: Option<ActionId>,
    },
    /// It is done at another time; what closes it moves with it.
    Move {
        /// What moves.
        what: Target,
        /// What of it: occurrences at other hours stay.
        hours: BTreeSet<Hours>,
        /// Three-hour buckets, later or (below 0) earlier; never 0.
        by: i64,
    },
}

/// What a proposal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// All behaviours.
    Everything,
    /// All actions of a device.
    Device(DeviceId),
    /// One action.
    Action(ActionId),
}

impl Target {
    /// Whether an action is meant.
    pub fn covers(self, catalog: &Catalog, action: ActionId) -> bool {
        match self {
            Target::Everything => true,
            Target::Device(device) => catalog.device_of(action) == device,
            Target::Action(one) => action == one,
        }
    }

    /// The actions that are meant.
    pub fn actions(self, catalog: &Catalog) -> BTreeSet<ActionId> {
        let all = catalog.action_ids();
        all.filter(|&action| self.covers(catalog, action)).collect()
    }
}
