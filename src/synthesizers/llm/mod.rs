//! Synthesis by a language model: any OpenAI-compatible server, a recording of one, or a local model file.

mod call;
pub mod reply;

pub use call::{
    Call, CallError, Completion, Finish, Form, Format, Later, Purse, Reservation, Usage,
};
