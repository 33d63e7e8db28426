//! What happens in a home at some time, and why some of it does not belong there.

use hearth_operators::words::ActionId;

/// Seconds in a day.
pub(super) const DAY: i64 = 86_400;

/// A behaviour of a home, at a local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Occurrence {
    /// Seconds since the local midnight that begins the simulation.
    pub at: i64,
    /// What happened.
    pub action: ActionId,
    /// The label of a planted one.
    pub anomaly: Option<Anomaly>,
}

impl Occurrence {
    /// A behaviour that was not planted.
    pub fn usual(at: i64, action: ActionId) -> Self {
        Occurrence {
            at,
            action,
            anomaly: None,
        }
    }
}

/// Why a planted event does not belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    /// Something usual, at an hour at which this home sleeps.
    WrongHour,
    /// Heating when it is warm, cooling in winter.
    OutOfSeason,
    /// A device is set or closed that was not opened before.
    UnknownOrder,
    /// The same action again and again within seconds; the first of them is usual and bears no label.
    Repeat,
    /// A device of the catalog that this home never uses.
    ForeignDevice,
}

impl Anomaly {
    /// All kinds.
    pub const ALL: [Anomaly; 5] = [
        Self::WrongHour,
        Self::OutOfSeason,
        Self::UnknownOrder,
        Self::Repeat,
        Self::ForeignDevice,
    ];

    /// The word used in `truth.jsonl`.
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongHour => "wrong_hour",
            Self::OutOfSeason => "out_of_season",
            Self::UnknownOrder => "unknown_order",
            Self::Repeat => "repeat",
            Self::ForeignDevice => "foreign_device",
        }
    }
}
