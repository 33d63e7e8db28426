//! Hearth keeps the smart-home models of many households fitted while life changes.
//!
//! The dataflow and its words live in [`hearth_operators`]; this crate is what surrounds them: sources, sinks,
//! synthesizers, models, the outlier filter and the command line.
//!
//! # As a library
//!
//! What the command `hearth replay` does is [`replay::run`]; a synthesizer of one's own answers in it by
//! [`replay::run_with_synthesizer`]. Nearer to the dataflow, an [`engine`] takes any [`Source`](sources::Source) of behaviours and gives the streams
//! to any [`Outlet`](engine::Outlet), which may put operators of its own behind them: `examples/library/` has one of each, in a few dozen lines.
//! What is known of homes before any event is in [`fleet`], what a run is configured by in [`config`].
//!
//! A log is read like this:
//!
//! ```
//! use std::sync::Arc;
//! use hearth::sources::{EventLog, Options};
//! use hearth::{catalog, zones::Zones};
//! use hearth_operators::words::Catalogs;
//!
//! # fn main() -> anyhow::Result<()> {
//! let folder = tempfile::tempdir()?;
//! let log = folder.path().join("log.csv");
//! std::fs::write(&log, "home;time;device;action\nflat;1740816000;lamp;on\nflat;1740819600;lamp;off\n")?;
//!
//! let (files, zones, keys) = ([log], Zones::new(None), Default::default());
//! let catalog = Arc::new(catalog::infer(&files, &zones, &keys)?);
//! let catalogs = Catalogs::shared(catalog.clone());
//! let mut log = EventLog::open(&files, Options { catalogs, homes: Default::default(), zones, keys })?;
//! let (mut behaviors, mut rejected) = (Vec::new(), Vec::new());
//! while log.read(1000, &mut behaviors, &mut rejected)? > 0 {}
//! assert_eq!(catalog.full_name(behaviors[0].moment.action), "lamp:on");
//! assert_eq!((behaviors.len(), rejected.len()), (2, 0));
//! # Ok(())
//! # }
//! ```
//!
//! # Where to read on
//!
//! The modules stand in the order in which they are best read. What is computed, in formulas, is in `docs/method.md`; what must stay true, in
//! `ARCHITECTURE.md`; how to build, test and add to it, in `CONTRIBUTING.md`.

// How the dataflow is run.
pub mod engine;

pub mod stop;

// Several processes that share a run.
pub mod cluster;

// What goes in.
pub mod sources;

pub mod catalog;
pub mod fleet;
pub mod home_names;
pub mod nfc;
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
pub mod logging;
pub mod machine;
pub mod outputs;
pub mod portrait;
pub mod sinks;

pub mod checkpoint;
pub mod codec;
pub mod crew;
pub mod desk;
pub mod disk;
pub mod ends;
pub mod fates;
pub mod growing;
pub mod inbox;
mod kafka;
pub mod mirror;
mod mqtt;
pub mod queries;
mod remote;
mod table;

pub mod memory;
pub mod notes;
pub mod summary;

// What a live run shows and takes in over HTTP.
pub mod serve;

// From the command line to a run.
pub mod cli;

pub mod config;
pub mod settings;

pub mod replay;
pub mod run;

// Around it: looking at an output, making and changing logs, measuring.
pub mod erase;
pub mod launch;
pub mod merge;
pub mod model;
pub mod show;
pub mod state;
pub mod support;

pub mod evaluate;

pub mod import;
pub mod pack;
pub mod simulate;

pub mod bench;
pub mod experiment;

// What parsers make of bytes that nobody meant.
#[cfg(test)]
mod fuzz;

// What outlives a failure of the disk, at each of its operations.
#[cfg(test)]
mod crashes;

// What comes and goes by a real MQTT broker that dies.
#[cfg(test)]
mod brokers;
