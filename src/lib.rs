//! Hearth keeps the smart-home models of many households fitted while life changes.
//!
//! The dataflow and its words live in [`hearth_operators`]; this crate is what surrounds them: sources, sinks,
//! synthesizers, models, the outlier filter and the command line.

pub mod bench;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod dataflow;
pub mod evaluate;
pub mod experiment;
pub mod filter;
pub mod fleet;
pub mod homes;
pub mod import;
pub mod models;
pub mod notes;
pub mod pack;
pub(crate) mod phrases;
pub mod pool;
pub mod replay;
pub mod services;
pub mod show;
pub mod simulate;
pub mod sinks;
pub mod sources;
pub mod synthesizers;
pub mod time;
pub mod trainer;
pub mod zones;
