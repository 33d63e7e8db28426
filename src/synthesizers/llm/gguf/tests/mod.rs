//! On made models of every architecture, damaged ones too, and on a real one beside llama.cpp.

mod fixture;
mod fuzz;
mod llama_cpp;
mod made;
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

/// The logarithm of each token's probability to be the next after a prompt.
fn logarithms(model: &LocalModel, prompt: &[u32]) -> Vec<f32> {
    let mut memory = model.decoder.memory();
    let mut thought = None;
    for chunk in prompt.chunks(CHUNK) {
        thought = Some(model.decoder.read_on(chunk, &mut memory).unwrap());
    }
    let logits = model.decoder.logits(&thought.unwrap()).unwrap();
    let sum: f32 = logits.iter().map(|logit| logit.exp()).sum();
    logits.iter().map(|logit| logit - sum.ln()).collect()
}
