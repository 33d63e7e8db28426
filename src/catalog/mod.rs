//! Catalogs at the edge: read from a file, written to one, or inferred from a log; and what kinds of devices are in them.

mod closings;
mod file;
#[cfg(test)]
mod fuzz;
mod infer;
mod kinds;
mod measured;
mod repeats;
mod vocabulary;

pub use closings::closings;
pub use file::{CatalogFileError, load, save};
pub use infer::{FirstPass, Grown, InferenceError, Inferred, Measured, infer};
pub use kinds::{Group, describe};
pub use measured::is_number;
#[cfg(test)]
pub(crate) use vocabulary::catalog_of;
pub use vocabulary::{Vocabulary, device};
