//! What a run left that was stopped.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::grouped;

/// What a run left that was stopped before everything was out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Undone {
    /// Lines that were read and not accounted for.
    pub lines: u64,
    /// Requests that nobody has answered yet.
    pub requests: u64,
    /// Shifts of homes whose requests are made and whose models are not adapted.
    pub shifts: u64,
    /// Jobs beside the dataflow that were dropped or abandoned, by kind: `foundation`, `filter` and `train` are trainings.
    pub jobs: BTreeMap<&'static str, u64>,
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Undone {
            lines,
            requests,
            shifts,
            jobs,
        } = self;
        let trainings = ["foundation", "filter", "train"].map(|kind| jobs.get(kind).unwrap_or(&0));
        write!(
            f,
            "left undone: {} requests open, {} shifts of homes waiting, {} trainings dropped",
            grouped(*requests),
            grouped(*shifts),
            grouped(trainings.into_iter().sum())
        )?;
        if *lines > 0 {
            write!(f, ", {} lines not accounted for", grouped(*lines))?;
        }
        Ok(())
    }
}
