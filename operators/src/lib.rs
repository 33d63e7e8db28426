//! Hearth's dataflow: its words, its operators and their slow reference twins.
//!
//! This crate does no I/O, knows no clock and no machine learning: what it needs from outside (an answer to a
//! request, an embedding, a training run) it names as a trait.
#![forbid(missing_docs)]

pub mod words;
