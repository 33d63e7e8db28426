//! Habits: what a home does next, learnt from every segment, by counts alone.
//!
//! A home's model *is* its history, indexed: what it predicts is read from the places where the home was in the same
//! situation before. Several experts, each with a situation of its own, look there, in the counts of all homes of the cohort
//! and in sequences that were imagined for the current regime; their words are multiplied, each with a weight, and the weights
//! are moved by how well each of them predicted this home. All of it follows segments that come, go and change: what a
//! segment added is taken back exactly.
//!
//! No clock, no I/O, no randomness: a home's habits are a function of the segments that stand, and of what was known when
//! each of them came.

mod expert;
mod experts;
mod home;
mod mixing;
mod numbers;
mod places;
mod pooled;
mod said;
mod timeline;
#[cfg(test)]
mod twin;
mod vocabulary;
mod weights;

pub use home::{Habits, Judged, ReadOn, Step};
pub use mixing::Contribution;
pub use pooled::{Context, Pooled, PooledChanges};
pub use vocabulary::Vocabulary;
