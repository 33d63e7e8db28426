//! What a server takes: the body of a request, and what is learnt from a server that turns a part of it down.

use serde::Serialize;
use serde_json::{Value, json};

use super::limit;
use crate::synthesizers::llm::{Call, Format};

/// The fields in which servers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// `response_format` with a JSON schema.
    pub schema: bool,
    /// `max_completion_tokens`, where others say `max_tokens`.
    pub completion_tokens: bool,
    /// `stream_options`, which asks for the count of tokens.
    pub stream_options: bool,
    /// `temperature`: models that think have one of their own.
    pub temperature: bool,
    /// `seed`, where the call has one.
    pub seed: bool,
    /// Tokens that an answer may have at most, whatever the call allows.
    pub most_tokens: u32,
}

impl Default for Dialect {
    fn default() -> Self {
        Dialect {
            schema: true,
            completion_tokens: false,
            stream_options: true,
            temperature: true,
            seed: true,
            most_tokens: u32::MAX,
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: [Message<'a>; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
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
        let most = call.max_tokens.min(self.most_tokens);
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
            temperature: self.temperature.then_some(call.temperature),
            seed: call.seed.filter(|_| self.seed),
            max_tokens: (!self.completion_tokens).then_some(most),
            max_completion_tokens: self.completion_tokens.then_some(most),
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

    /// How to ask again for the call after the server turned a request in this dialect down with these words; `None` where they are
    /// about no field that can be said otherwise. Each field changes once, and the limit only falls, so asking again ends.
    pub fn after(self, complaint: &str, call: &Call) -> Option<Self> {
        let most = call.max_tokens.min(self.most_tokens);
        if let Some(most_tokens) = limit::allowed(complaint, most) {
            return Some(Dialect {
                most_tokens,
                ..self
            });
        }
        let fields = named(complaint).into_iter();
        let others = fields.map(|field| self.without(field));
        others.into_iter().find(|other| *other != self)
    }

    /// The same without a field, or with the other one of its meaning.
    fn without(self, field: Field) -> Self {
        let mut other = self;
        match field {
            Field::Limit => other.completion_tokens = true,
            Field::StreamOptions => other.stream_options = false,
            Field::Schema => other.schema = false,
            Field::Temperature => other.temperature = false,
            Field::Seed => other.seed = false,
        }
        other
    }
}

/// What a complaint may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Limit,
    StreamOptions,
    Schema,
    Temperature,
    Seed,
}

/// By which words servers name them.
const WORDS: [(&str, Field); 11] = [
    ("max_completion_tokens", Field::Limit),
    ("max_tokens", Field::Limit),
    ("stream_options", Field::StreamOptions),
    ("include_usage", Field::StreamOptions),
    ("response_format", Field::Schema),
    ("json_schema", Field::Schema),
    ("json schema", Field::Schema),
    ("grammar", Field::Schema),
    ("structured output", Field::Schema),
    ("temperature", Field::Temperature),
    ("seed", Field::Seed),
];

/// The fields that a complaint names, the one that it is most likely about first: the one that its JSON names as its object (OpenAI:
/// `param`; FastAPI: the end of `loc`), then in the order of its text.
fn named(complaint: &str) -> Vec<Field> {
    let lower = complaint.to_ascii_lowercase();
    let value: Value = serde_json::from_str(complaint).unwrap_or_default();
    let object = [
        "/error/param",
        "/param",
        "/detail/0/loc/1",
        "/error/0/loc/1",
    ];
    let object = object.iter().find_map(|path| value.pointer(path)?.as_str());
    let mut found: Vec<(usize, Field)> = WORDS
        .iter()
        .filter_map(|(word, field)| match object {
            Some(object) if object.contains(word) => Some((0, *field)),
            _ => lower.find(word).map(|at| (at + 1, *field)),
        })
        .collect();
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, field)| field).collect()
}
