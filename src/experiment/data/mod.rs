//! What experiments run on: pairs of contexts of a home, with real sequences of both, attacks, and synthetic sets.

#[cfg(test)]
mod contexts;
mod edits;
mod material;
mod repository;
mod sets;
mod simulated;
mod study;

pub use edits::Model;
pub use material::{Attack, Kind, Material, Numbering, Pair};
#[cfg(test)]
pub(crate) use repository::real_source;
pub use repository::{Baselines, Repository};
pub use sets::{SHARED, Store};
pub use simulated::HOMES;
