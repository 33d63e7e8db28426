//! Who answers a synthesis request: behaviour for a home's new context, from its old.
//!
//! A synthesizer is named by a trait, so that the executor outside the dataflow does not care whether the answer comes
//! from the [`Embedded`] rules, from a server or from a recording. Every answer is names, not ids: it has to pass the
//! same strict validation, wherever it comes from.

mod blend;
mod contrast;
mod edit;
mod embedded;
mod knowledge;
pub mod llm;
mod per_catalog;
mod sampling;
mod schedule;
mod vocabulary;

use hearth_operators::words::{Catalog, HOURS, Request, Row, Sequence, WEEKDAYS, Written};

pub use blend::Blend;
pub use contrast::{Contrast, Judge, Ratios};
pub use embedded::Embedded;
pub use knowledge::{Knowledge, KnowledgeError};
pub use sampling::MAX_SEQUENCES;

/// Answers synthesis requests. Blocking: runs outside the workers.
pub trait Synthesizer: Send + Sync {
    /// Sequences for the new context, as names (weekday, hours, device, action); in the place of one that was written but
    /// cannot be read, why not.
    ///
    /// # Errors
    /// A sentence saying why there are none.
    fn synthesize(&self, request: &Request) -> Result<Vec<Written>, String>;

    /// The name used in flags and messages.
    fn name(&self) -> &str;
}

/// A sequence in names: weekday, hours such as `(6~9)`, device, action.
pub fn rows(catalog: &Catalog, sequence: &Sequence) -> Vec<Row> {
    sequence
        .0
        .iter()
        .map(|q| {
            [
                WEEKDAYS[usize::from(q.weekday)].to_owned(),
                HOURS[usize::from(q.hours)].to_owned(),
                catalog.device_name(q.action).to_owned(),
                catalog.action_name(q.action).to_owned(),
            ]
        })
        .collect()
}
