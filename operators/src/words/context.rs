//! What a home lives in, and how that changes: shifts and the regimes between them.

use serde::{Deserialize, Serialize};

use super::{HomeId, Sequence, Time};

/// What kind of context shifts; the paper's ST, TT and NT, and free text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShiftKind {
    /// ST: `winter`, `spring`, `summer`, `autumn`.
    Season,
    /// TT: `daytime`, `night`.
    Schedule,
    /// NT: `single`, `multiple`.
    Occupancy,
    /// Anything a person can say.
    Text,
    /// Nobody declared it: it was found, and its words are what differs.
    Drift,
}

impl ShiftKind {
    /// The word used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Season => "season",
            Self::Schedule => "schedule",
            Self::Occupancy => "occupancy",
            Self::Text => "text",
            Self::Drift => "drift",
        }
    }
}

/// A change of context, `from → to`, at an instant: declared, or found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shift {
    /// The home, or `None` for all homes (`"*"` in files).
    pub home: Option<HomeId>,
    /// From when on the new context holds.
    pub time: Time,
    /// Minutes east of UTC in which the time was written.
    pub offset: i16,
    /// What kind of context shifts.
    pub kind: ShiftKind,
    /// The context that ends.
    pub from: String,
    /// The context that begins.
    pub to: String,
}

/// A shift of one home: the home, and the regime that the shift ends (regime 0 ends with the home's first shift).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShiftKey {
    /// The home.
    pub home: HomeId,
    /// Number of the regime that ends: how many of the home's shifts lie at or before its segments' start.
    pub regime: u32,
}

/// The data of a regime that has ended: the source of a synthesis.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Regime {
    /// The shift that ended it.
    pub shift: Shift,
    /// Its segments in event-time order, repeated ones repeated.
    pub source: Vec<Sequence>,
    /// Segments after the shift that were already known when the regime became final, in event-time order.
    pub target: Vec<Sequence>,
}
