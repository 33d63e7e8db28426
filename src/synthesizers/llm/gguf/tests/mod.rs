//! On made models of every architecture, damaged ones too, and on a real one beside llama.cpp.

mod fixture;
mod llama_cpp;
mod real;

use super::*;
use crate::synthesizers::llm::Form;

/// A call with these two messages, for the most probable answer.
fn call(system: &str, user: &str, max_tokens: u32) -> Call {
    Call {
        model: String::new(),
        system: system.to_owned(),
        user: user.to_owned(),
        form: Form {
            format: Format::Auto,
            schema: serde_json::Value::Null,
            schema_words: String::new(),
            paper_words: String::new(),
        },
        temperature: 0.0,
        seed: None,
        max_tokens,
    }
}

/// Never stopped.
const GOING: &dyn Fn() -> bool = &|| false;
