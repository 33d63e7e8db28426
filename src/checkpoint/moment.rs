//! Of which run a cut is, and where that was.

use hearth_operators::words::Epoch;
use serde::{Deserialize, Serialize};

use crate::sinks::Written;
use crate::sources::{Manner, Stood};

/// What a run is of. A cut serves no run that is of something else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What is told apart, each with a name that a person understands.
    pub traits: Vec<(String, String)>,
}

impl Identity {
    /// The names of what differs.
    pub fn differences(&self, other: &Identity) -> Vec<String> {
        let missing = |of: &Identity, name: &String| !of.traits.iter().any(|(n, _)| n == name);
        let changed = self
            .traits
            .iter()
            .filter(|known| !other.traits.contains(known));
        let added = other.traits.iter().filter(|(name, _)| missing(self, name));
        changed.chain(added).map(|(name, _)| name.clone()).collect()
    }
}

/// Where a run was when a cut was taken.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Moment {
    /// Of which run it is.
    pub identity: Identity,
    /// Epochs that were fed.
    pub epochs: Epoch,
    /// Whether the dataflow was told that the log has ended; then nothing is read any more.
    pub closed: bool,
    /// Lines of the source that were fed.
    pub lines: u64,
    /// Of these, what people say.
    pub told: u64,
    /// Where the source stood behind them.
    pub source: Stood,
    /// How the log was written until then.
    pub manner: Manner,
    /// Homes that were known before any line was read.
    pub known: usize,
    /// The names of those that were met since, in the order of their ids.
    pub homes: Vec<String>,
    /// A sum of the catalogs of homes.
    pub catalogs: u32,
    /// How far outputs are written.
    pub written: Written,
}
