//! What training spends its time in: operations of a layer in one pass each, with their gradients, and the optimiser's step.
//!
//! A crate of its own, so that it is compiled with optimisation also where Hearth's tests are not.

mod adam;
mod layers;

pub use adam::AdamUpdate;
pub use layers::{add_rows, cross_entropy, masked_softmax, normalise, sum_rows};
