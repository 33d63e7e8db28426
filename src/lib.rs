//! Hearth keeps the smart-home models of many households fitted while life changes.
//!
//! The dataflow and its words live in [`hearth_operators`]; this crate is what surrounds them: sources, sinks,
//! synthesizers, models, the outlier filter and the command line. The modules stand in the order in which they are best read.

// How the dataflow is run.
pub mod engine;

pub mod stop;

// What goes in.
pub mod sources;

pub mod catalog;
pub mod fleet;
pub mod home_names;
pub mod time;
pub mod zones;

// What the dataflow asks for.
pub mod services;

pub mod pool;

pub(crate) mod phrases;
pub mod synthesizers;

pub mod filter;
pub mod finished;
pub mod first_pass;
pub mod models;
pub mod trainer;

// What comes out.
pub mod kept;
pub mod outputs;
pub mod sinks;

pub mod checkpoint;
pub mod codec;
pub mod disk;
pub mod inbox;

pub mod memory;
pub mod notes;
pub mod summary;

// From the command line to a run.
pub mod cli;

pub mod config;
pub mod settings;

pub mod replay;

// Around it: looking at an output, making and changing logs, measuring.
pub mod erase;
pub mod model;
pub mod show;
pub mod state;

pub mod evaluate;

pub mod import;
pub mod pack;
pub mod simulate;

pub mod bench;
pub mod experiment;

// What outlives a failure of the disk, at each of its operations.
#[cfg(test)]
mod crashes;
