//! The client against servers that do what real ones do on their bad days. What is asserted are counts: of connections,
//! of requests, of what became of reservations.

mod answers;
mod fuzz;
mod ledger;
mod money;
mod refusals;
mod server;
mod trouble;

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::synthesizers::llm::{Finish, Form, Usage};
use ledger::{Attempts, Ledger};
use server::{STREAM, Script, Server, Step, event, fine, finish, http, piece, say, usage};

const KEY: &str = "sk-hearth-abcdefghijklmnopqrstuvwxyz";

/// Quick to ask again, and patient, so that a busy machine fails no test.
fn options(server: &Server) -> Options {
    let endpoint = format!("http://{}", server.address).parse().unwrap();
    let patience = Duration::from_secs(60);
    Options {
        key: Some(Key::of(KEY)),
        pause: Duration::from_millis(2),
        connect: patience,
        first_token: patience,
        idle: patience,
        whole: patience,
        ..Options::new(endpoint)
    }
}

fn client(server: &Server) -> Client {
    Client::new(options(server)).unwrap()
}

fn attempts(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn call(format: Format) -> Call {
    Call {
        model: "m".to_owned(),
        system: "You know homes.".to_owned(),
        user: "It is summer. Ünïcödé.".to_owned(),
        form: Form {
            format,
            schema: json!({"type": "object"}),
            schema_words: "Answer as JSON.".to_owned(),
            paper_words: "Answer as <seq [[…]] seq>.".to_owned(),
        },
        temperature: 0.5,
        seed: Some(7),
        max_tokens: 16,
    }
}

/// One call with enough money: what it came to, and what became of the money.
async fn complete(client: &Client) -> (Result<Completion, CallError>, Attempts) {
    let purse = Ledger::rich();
    let answer = client.complete(&call(Format::Auto), &purse).await;
    (answer, purse.counts())
}
