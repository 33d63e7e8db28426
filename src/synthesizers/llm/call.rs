//! What is asked of a language model and what comes back: the types that its parts share.

use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Format;

/// Everything that shapes an answer, and nothing else: equal calls may share one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The model, as the server names it.
    pub model: String,
    /// Who the model is, what it is to do.
    pub system: String,
    /// What changes, and the home's data.
    pub user: String,
    /// How the answer is to be written.
    pub form: Form,
    /// 0 is the most probable answer.
    pub temperature: f64,
    /// Where the server draws, from this seed.
    pub seed: Option<u64>,
    /// Tokens that the answer may have at most.
    pub max_tokens: u32,
}

/// How an answer is asked for. Not every server can be held to a JSON schema; for those that cannot, words must do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// Which of the two is asked for.
    pub format: Format,
    /// The JSON schema of the answer.
    pub schema: Value,
    /// The form in words, where the schema goes with the call; it ends the system message.
    pub schema_words: String,
    /// The form in words, where no schema does: the paper's `<seq [[…]] seq>`.
    pub paper_words: String,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// The answer, as it came.
    pub text: String,
    /// Why the model stopped.
    pub finish: Finish,
    /// What the server counted; `None` where it does not tell.
    pub usage: Option<Usage>,
    /// The model, as the server names it in its answer.
    pub model: String,
    /// The form that was asked for in the end: never [`Format::Auto`].
    pub format: Format,
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The answer is whole.
    Stop,
    /// It reached the limit of tokens: cut.
    Length,
    /// The server's filter withheld it or a part of it.
    ContentFilter,
    /// Anything else, in the server's word.
    Other(String),
}

/// Tokens of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Of the messages that were sent.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
}

impl Usage {
    /// The tokens of both.
    pub fn plus(self, other: Usage) -> Usage {
        Usage {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
        }
    }
}

/// Why a call has no completion. Each carries a sentence for the user that holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The server refuses this call and would refuse every other alike (bad key, no credit, no such model): nobody is to
    /// ask it again in this run.
    #[error("{0}")]
    Refused(String),
    /// This call has no answer; another may have one.
    #[error("{0}")]
    Failed(String),
    /// The budget does not allow for it.
    #[error("{0}")]
    Unaffordable(String),
}

/// A future that a trait object can return.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where the money for a call's attempts comes from: the most that one attempt can cost is set aside *before* anything is
/// sent, so that what is spent can never pass the budget.
pub trait Purse: Sync {
    /// Sets it aside, waiting for other calls to settle where that can make room.
    ///
    /// # Errors
    /// [`CallError::Unaffordable`]: the budget does not allow for it; [`CallError::Refused`]: it cannot be put on record.
    fn reserve(&self) -> Later<'_, Result<Box<dyn Reservation>, CallError>>;
}

/// Money set aside for one attempt. Dropped without a word, it stays spent: the server may have charged for it.
pub trait Reservation: Send {
    /// The attempt was answered, and cost this many tokens (where the server tells; else what was set aside).
    fn settle(self: Box<Self>, usage: Option<Usage>);

    /// Nothing was charged: the call never arrived, or was refused with an error status.
    fn release(self: Box<Self>);
}
