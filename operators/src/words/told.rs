//! What people say of what is known: that an alarm was fine, that something is to be forgotten.

use serde::{Deserialize, Serialize};

use super::{Catalogs, DeviceId, HomeId, Line, Moment, Time};

/// What a line that people wrote says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Saying {
    /// That an alarm was fine.
    Feedback,
    /// That something is to be forgotten.
    Erasure,
    /// That a context changed.
    Context,
}

/// Somebody looked at an alarm: it was fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Feedback {
    /// The home.
    pub home: HomeId,
    /// When the alarm's segment starts: that names an alarm within its home.
    pub start: Time,
    /// Where it was read, for messages.
    pub line: Line,
}

/// From a time on a home is quiet (nobody is called: it is away, or has guests), or is not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mode {
    /// The home.
    pub home: HomeId,
    /// From when on.
    pub time: Time,
    /// Whether it is quiet.
    pub quiet: bool,
}

/// A feedback, and whether there is such an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Heard {
    /// What was said.
    pub feedback: Feedback,
    /// Whether the alarm stands, and can still be called fine.
    pub known: bool,
}

/// Behaviours of a home that are to be as if they had never come: those that were ingested in earlier epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Erasure {
    /// The home.
    pub home: HomeId,
    /// From this instant on; none: from the beginning.
    pub from: Option<Time>,
    /// Before this instant; none: to the end.
    pub to: Option<Time>,
    /// Of this device; none: of all.
    pub device: Option<DeviceId>,
    /// Where it was read, for messages.
    pub line: Line,
}

impl Erasure {
    /// Whether a behaviour of the home is erased.
    pub fn hits(&self, catalogs: &Catalogs, moment: &Moment) -> bool {
        let is_within = self.from.is_none_or(|from| from <= moment.time)
            && self.to.is_none_or(|to| moment.time < to);
        is_within
            && self.device.is_none_or(|device| {
                let catalog = catalogs.of(self.home);
                catalog.device_of(moment.action) == device
            })
    }
}

/// What an erasure took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Erased {
    /// What was asked.
    pub erasure: Erasure,
    /// Behaviours that had been applied.
    pub applied: u64,
    /// Behaviours that waited to be confirmed.
    pub waiting: u64,
}

/// Somebody asks for a home's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The home.
    pub home: HomeId,
    /// By what whoever asks knows the answer.
    pub number: u64,
}
