//! Synthesis by a language model: any OpenAI-compatible server, a recording of one, or a local model file.
//!
//! A request becomes a [prompt](Prompts) under names that [leave the house](Pseudonyms), a [`Call`], and a [`Completion`]: from
//! the [`Cassette`] where the same call was answered before, else from the [`Engine`], within what the [`Ledger`] allows. What
//! comes back is [read](reply) into sequences in the house's own names, which go through the same validation as any
//! other synthesizer's; or, where the model [writes](Writes) edits, into what its [edits](Editor) make of the home's past.

mod call;
mod calls;
pub mod cassette;
mod client;
mod edits;
mod gguf;
pub mod ledger;
mod open;
mod prompt;
mod pseudonyms;
mod quote;
pub mod reply;
mod schema;
mod shifts;
mod synthesis;
mod tokens;

pub use crate::config::{CassetteMode, Format, Naming, Writes};
pub use call::{Call, CallError, Completion, Finish, Form, Later, Purse, Reservation, Usage};
pub use calls::{CallSettings, Calls};
pub use cassette::Cassette;
pub use client::{Client, Endpoint, Key, Options};
pub use edits::{Edited, Editor};
pub use gguf::{LoadError, LocalModel};
pub use ledger::{Ledger, Money, Price};
pub use open::{Records, calls, cassette_folder, engine, local, parts, prices, prompts, records};
pub use prompt::{Prompt, Prompts, TemplateError, Templates};
pub use pseudonyms::Pseudonyms;
pub use quote::{Quote, explain};
pub use synthesis::{Engine, Llm, Parts, Reading};
pub use tokens::{Estimator, TEMPLATE, ceiling};
