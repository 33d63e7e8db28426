//! What the lines of a log are read with.

use std::sync::Arc;

use hearth_operators::words::Catalogs;

use crate::config::Keys;
use crate::home_names::HomeNames;
use crate::zones::Zones;

/// What an event log is read with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The closed vocabulary of each home: what it does not have is rejected.
    pub catalogs: Arc<Catalogs>,
    /// Where the homes' names are interned, in the order in which the log names them.
    pub homes: HomeNames,
    /// Where times are local.
    pub zones: Zones,
    /// What the fields of an event are called.
    pub keys: Keys,
}
