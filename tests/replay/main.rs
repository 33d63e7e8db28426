//! `hearth replay` from outside: the real program on real files, from the command line to the output folder.
//!
//! Most tests look at [`household::first`], one replay of a log with everything in it: three homes with a shift each,
//! duplicates, late and reordered lines, planted anomalies, and lines that are no events.

mod accounting;
mod bad_input;
mod bucket;
mod budget;
mod cluster;
mod contexts;
mod crew;
mod faults;
mod fleet;
mod folder;
mod formats;
mod full;
mod grown;
mod household;
mod inputs;
mod interrupt;
mod killed;
mod llm;
mod model;
#[path = "../network/mod.rs"]
mod network;
mod packed;
mod program;
mod reproducible;
mod rescaled;
mod run;
mod shared;
mod show;
mod state;
mod strange;
mod support;
mod synthesizer;
mod tables;
mod told;
mod usage;
