//! Sources: where behaviours and contexts come from. Each is a [`Source`]; [`files`] are the ones there are.
//!
//! Whatever a source holds, reading it goes on: each counted line becomes one
//! [`Behavior`](hearth_operators::words::Behavior) or one [`Rejected`].

mod error;
pub mod files;
mod source;
mod stood;

pub use error::SourceError;
pub(crate) use files::{Event, Events, LogWriter, context_words, copy, instant};
pub use files::{
    EventLog, Files, LONGEST_NAME, LogFormat, Options, PackWriter, Packing, UtcOnly, format_name,
    read_contexts, read_told, spool,
};
pub use source::{Batch, Flow, Position, Rejected, Source, Told};
pub use stood::Stood;
