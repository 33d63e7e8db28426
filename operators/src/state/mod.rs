//! What operators hold: the states of a worker's homes, epochs that are still open, and the way in and out of both.

mod by_home;
mod epochs;
mod held;
mod history;
mod homes;
pub(crate) mod packing;
mod past;
pub(crate) mod prefetch;
mod scribe;
mod shelf;
mod stateful;

pub(crate) use by_home::{ByHome, Spot};
pub use epochs::Buffered;
pub(crate) use epochs::{EpochBuffer, each_epoch, first_open, give};
pub use held::{Held, Suspension};
pub(crate) use history::History;
pub use homes::{HomeState, Homes};
pub(crate) use packing::{Packing, read_number, read_signed, write_number, write_signed};
pub use past::Past;
pub use scribe::Scribe;
pub(crate) use shelf::{Form, Shelf, Shelved};
pub use stateful::{Plain, Stateful, Visit};
