//! The inbox of a live run that several processes share: the first one has it, the others mirror what they have to read of it.
//!
//! Whatever comes in at another process is put into the first one's inbox, and answered once it is there; whoever asks there for what
//! becomes of events, or for a home's model, asks the first one's dataflow, which hears from all processes. So there is one log, in one
//! order, and all agree on what an epoch is: the first process says where each ends, behind which line, as it feeds it. What
//! the others have of the log is written down but not synced: they begin it anew where they go on from.

mod frames;
#[cfg(test)]
mod fuzz;
mod other;
mod sharing;
#[cfg(test)]
mod tests;

pub use other::{Mirror, MirrorError};
pub use sharing::Sharing;
