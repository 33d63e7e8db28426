//! What a server takes: the body of a request, and what is learnt from a server that turns a part of it down.

use serde::Serialize;
use serde_json::{Value, json};

use crate::synthesizers::llm::{Call, Format};

/// Three fields in which servers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// `response_format` with a JSON schema.
    pub schema: bool,
    /// `max_completion_tokens`, where others say `max_tokens`.
    pub completion_tokens: bool,
    /// `stream_options`, which asks for the count of tokens.
    pub stream_options: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Dialect {
            schema: true,
            completion_tokens: false,
            stream_options: true,
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: [Message<'a>; 2],
    temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl Dialect {
    /// In the form that the call wants.
    pub fn asking(self, call: &Call) -> Self {
        Dialect {
            schema: match call.form.format {
                Format::Auto => self.schema,
                Format::Schema => true,
                Format::Paper => false,
            },
            ..self
        }
    }

    /// The form of the answer that this asks for.
    pub fn format(self) -> Format {
        if self.schema {
            Format::Schema
        } else {
            Format::Paper
        }
    }

    /// The request's body, the same bytes for the same call.
    pub fn body(self, call: &Call) -> Vec<u8> {
        let form = &call.form;
        let words = if self.schema {
            &form.schema_words
        } else {
            &form.paper_words
        };
        let mut system = call.system.trim_end().to_owned();
        if !words.is_empty() {
            if !system.is_empty() {
                system.push_str("\n\n");
            }
            system.push_str(words);
        }
        let body = Body {
            model: &call.model,
            messages: [
                Message {
                    role: "system",
                    content: &system,
                },
                Message {
                    role: "user",
                    content: &call.user,
                },
            ],
            temperature: call.temperature,
            seed: call.seed,
            max_tokens: (!self.completion_tokens).then_some(call.max_tokens),
            max_completion_tokens: self.completion_tokens.then_some(call.max_tokens),
            stream: true,
            stream_options: self.stream_options.then_some(StreamOptions {
                include_usage: true,
            }),
            response_format: self.schema.then(|| {
                json!({
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "strict": true, "schema": &form.schema},
                })
            }),
        };
        // Strings, numbers and a `Value`: nothing in it can fail to serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// How to ask again after the server turned a request in this dialect down with these words; `None` where it was not
    /// about one of the fields. Each field changes once, so asking again ends.
    pub fn after(self, complaint: &str) -> Option<Self> {
        let complaint = complaint.to_ascii_lowercase();
        let about = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
        let mut other = self;
        if about(&["max_completion_tokens"]) {
            other.completion_tokens = true;
        } else if about(&["stream_options"]) {
            other.stream_options = false;
        } else if about(&[
            "response_format",
            "json_schema",
            "json schema",
            "grammar",
            "structured output",
        ]) {
            other.schema = false;
        }
        (other != self).then_some(other)
    }
}
