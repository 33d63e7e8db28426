//! Synthesis by a language model: any OpenAI-compatible server, a recording of one, or a local model file.

mod call;
mod prompt;
mod told;

pub use call::{
    Call, CallError, Completion, Finish, Form, Format, Later, Purse, Reservation, Usage,
};
pub use prompt::{Prompt, Prompts, TemplateError, Templates};
pub use told::{Naming, Told};
