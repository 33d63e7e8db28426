//! Sources: where behaviours and contexts come from. Each is a [`Source`]; [`files`] are the ones there are.
//!
//! Whatever a source holds, reading it goes on: each counted line becomes one
//! [`Behavior`](hearth_operators::words::Behavior) or one [`Rejected`].

mod error;
pub mod files;
mod folders;
pub mod follow;
#[cfg(test)]
mod fuzz;
pub mod home_assistant;
mod household;
pub mod kafka;
mod messages;
pub mod mqtt;
mod sorter;
mod source;
pub(crate) mod states;
mod stood;

pub use error::SourceError;
pub use files::{
    Contexts, EventLog, Files, LONGEST_NAME, Learnt, LogFormat, Manner, Options, PackWriter,
    Packing, format_name, read_contexts, read_told, spool,
};
pub(crate) use files::{Event, Events, How, LogWriter, context_words, copy, instant, unpacked};
pub use folders::expand;
pub(crate) use household::{
    HOUSEHOLD, OF_THE_DEVICE, PRESSED, is_household, is_measured, says_of_itself,
};
pub(crate) use sorter::Sorter;
pub use source::{Batch, Flow, Position, Rejected, Source, Told};
pub(crate) use states::At;
pub use stood::Stood;
