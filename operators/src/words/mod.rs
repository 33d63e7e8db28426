//! The words of the dataflow: what flows over its edges. Ids are interned inside; names live at the edges.
//!
//! Everything here is plain data that serialises, so it may cross workers and lie in a checkpoint.

mod behavior;
mod catalog;
mod catalogs;
mod context;
mod models;
mod request;
mod sequence;
mod told;

pub use behavior::{Behavior, HomeId, Line, Moment, Open, Segment, Time};
pub use catalog::{Action, ActionId, Catalog, CatalogError, Device, DeviceId};
pub use catalogs::{Catalogs, CohortError, CohortId, Own};
pub use context::{Regime, Shift, ShiftKey, ShiftKind};
pub use models::{
    Adaptation, Adjustment, Count, Embedding, FirstModels, Foundation, Outcome, Score, Scores,
    Task, Version, Weights,
};
pub use request::{
    Candidate, Candidates, Filtered, Hints, Reply, Request, RequestKey, Row, Verdict, Word, Written,
};
pub use sequence::{HOURS, Hours, Quadruple, Sequence, WEEKDAYS, Weekday};
pub use told::{Erased, Erasure, Feedback, Heard, Mode, Query, Saying};

/// Number of the ingested batch: the timely timestamp. Event time is data, never the timely time.
pub type Epoch = u64;
