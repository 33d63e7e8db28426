//! What was written, counted: for progress while it runs and for the summary at the end.

use std::collections::BTreeMap;

use serde::Serialize;

/// What the writer has been given so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Events that took part.
    pub applied: u64,
    /// Events that were there already.
    pub duplicate: u64,
    /// Events from before their home's horizon.
    pub late: u64,
    /// Lines that are no event, or one that cannot be true.
    pub rejected: u64,
    /// Declared shifts that could not be used.
    pub rejected_contexts: u64,
    /// Homes with at least one segment: a home that only a context or a refused event names is none.
    pub homes: u64,
    /// Segments that hold, revisions settled.
    pub segments: i64,
    /// Transitions that hold.
    pub transitions: i64,
    /// Representatives that hold.
    pub representatives: i64,
    /// Requests made.
    pub requests: u64,
    /// Requests that got no answer.
    pub failures: u64,
    /// Shifts of homes with requests and no adaptation yet.
    pub waiting: u64,
    /// Generated sequences that passed validation.
    pub candidates: u64,
    /// Candidates retained, by the stage that decided.
    pub retained: BTreeMap<u8, u64>,
    /// Sequences deleted, by the stage that decided; 0 is validation.
    pub deleted: BTreeMap<u8, u64>,
    /// Versions that went live.
    pub promoted: u64,
    /// Versions that proved better than the one before.
    pub kept: u64,
    /// Versions that proved worse and were taken back.
    pub rolled_back: u64,
    /// Homes with at least one new version.
    pub adapted_homes: u64,
    /// Scores written, repeated ones included.
    pub scores: u64,
    /// Scores that call an anomaly.
    pub anomalies: u64,
    /// Lines by stream.
    pub lines: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Lines that are accounted for as events.
    pub fn events(&self) -> u64 {
        self.applied + self.duplicate + self.late + self.rejected
    }
}
