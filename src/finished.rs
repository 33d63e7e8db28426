//! A run that is complete is not done again unasked: what `summary.json` says of which run it is.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::outputs::summary_path;
use crate::sources::Stood;

/// Of which run an output is the whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finished {
    /// A sum of all that outputs follow from, but for the log.
    pub of: String,
    /// The log as it was.
    pub log: Stood,
}

#[derive(Deserialize)]
struct Summary {
    run: Option<Finished>,
}

impl Finished {
    /// The run of which an output folder holds the whole, if there is one.
    pub fn in_folder(disk: &Disk, out: &Path) -> Option<Self> {
        let text = disk.read(&summary_path(out)).ok()?;
        serde_json::from_slice::<Summary>(&text).ok()?.run
    }
}
