//! Synthesis by a language model: any OpenAI-compatible server, a recording of one, or a local model file.

mod call;
pub mod cassette;
pub mod ledger;
mod tokens;

pub use call::{
    Call, CallError, Completion, Finish, Form, Format, Later, Purse, Reservation, Usage,
};
pub use cassette::Cassette;
pub use ledger::Ledger;
pub use tokens::{Estimator, TEMPLATE, ceiling};
