//! Hearth's dataflow: its words, its operators and their slow reference twins.
//!
//! This crate does no I/O, knows no clock and no machine learning: what it needs from outside (an answer to a
//! request, an embedding, a training run) it asks through [`outside::Outside`].
//!
//! In the order in which behaviours meet them:
//! [`split`] → [`transitions`], [`pooling`], [`warm_up`], [`shift`] (with [`drift`]) → [`detect`], [`hints`](mod@hints), [`embed`] → [`compress`] →
//! [`request`] → [`validate`] → [`gather`] → [`models`] (or [`score`], where models are trained), with [`outside`] where work leaves
//! the workers, and [`portrait`] where somebody asks for a home's model. What a home's models are is in [`habits`] (what comes next),
//! [`surprise`] (how strange it is) and [`alarms`].
//! [`dataflow`] puts the operators together, [`state`] is what they hold; [`reference`](mod@reference) holds the twins.
#![forbid(missing_docs)]

pub mod alarms;
pub mod compress;
pub mod dataflow;
pub mod detect;
pub mod drift;
pub mod embed;
pub mod gather;
pub mod habits;
pub mod hints;
pub mod kept;
pub mod models;
pub mod outside;
pub mod pooling;
pub mod portrait;
pub mod reference;
pub mod request;
pub mod score;
pub mod shift;
pub mod split;
pub mod state;
pub mod surprise;
pub mod transitions;
pub mod validate;
pub mod warm_up;
pub mod words;
