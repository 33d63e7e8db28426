//! Replies that no model should write, and valid ones mutated: no panic, nothing outside the catalog, everything told.

use hearth_operators::validate::check;
use proptest::prelude::*;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const REPLIES: usize = 3_000;

/// A reply with an edit of each kind.
fn valid() -> String {
    json!({"edits": [
        {"edit": "drop", "what": "Heater"},
        {"edit": "replace", "action": "Light:switch on", "by": "Fan:switch on", "hours": ["(18~21)"]},
        {"edit": "add", "action": "Radio: kitchen:play", "hours": ["(6~9)"], "weekdays": ["Monday"], "share": 0.4, "after": null},
        {"edit": "move", "what": "everything", "hours": [], "by": -2},
    ]})
    .to_string()
}

/// Texts that do harm where they are believed.
const WORDS: [&str; 18] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "null",
    "-7",
    "1e999",
    "\"edits\"",
    "\"edit\"",
    "everything",
    "Toaster:burn",
    "(24~27)",
    "\u{202e}",
    "Light:",
    ":",
];

/// What holds of any reply.
fn holds(reply: &str) {
    let editor = editor();
    let source = days();
    for weekday in 0..2 {
        let request = request(source.clone(), weekday);
        let edited = match editor.edit(&request, reply, &["Answer with {\"edits\":[]}"]) {
            Ok(edited) => edited,
            Err(reason) => {
                assert!(!reason.is_empty() && reason.len() < 20_000, "{reason}");
                continue;
            }
        };
        assert_eq!(edited.sequences.len(), source.len());
        assert!(edited.refused.len() <= MAX_EDITS + 1);
        for written in editor.answer(&request, &edited) {
            match written {
                Ok(rows) => assert!(check(&rows, &catalog()).is_ok(), "{rows:?}"),
                Err(reason) => assert!(reason.len() < 1_000, "{reason}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read(reply in "\\PC{0,120}|([\\[\\]{}\",:a-z0-9. -]|\"edit\"|\"edits\":){0,80}") {
        holds(&reply);
    }
}

#[test]
fn mutated_replies_are_read() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut whole = 0;
    for _ in 0..REPLIES {
        let mut reply: Vec<char> = valid().chars().collect();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..reply.len());
            let end = rng.random_range(at..reply.len().min(at + 12));
            let word: Vec<char> = WORDS.choose(&mut rng).unwrap().chars().collect();
            let piece = reply[at..end].to_vec();
            match rng.random_range(0..4) {
                0 => drop(reply.splice(at..end, word)),
                1 => drop(reply.splice(at..end, [])),
                2 => drop(reply.splice(at..at, piece)),
                _ => reply.truncate(at.max(1)),
            }
        }
        let reply: String = reply.into_iter().collect();
        holds(&reply);
        whole += usize::from(serde_json::from_str::<Value>(&reply).is_ok());
    }
    assert!(
        whole > REPLIES / 100,
        "only {whole} of the mutants are JSON"
    );
}

/// Deep, long and unfinished: the work is bounded, so that this ends.
#[test]
fn a_reply_as_long_as_one_likes_is_read() {
    for piece in [
        "[",
        "{\"edits\":",
        "[[],",
        "{\"a\":[\"",
        "[1,",
        "\"[",
        "[{\"edit\":\"drop\"},",
    ] {
        holds(&piece.repeat((1 << 19) / piece.len()));
    }
    let edit = r#"{"edit":"drop","what":"Heater"},"#.repeat(20_000);
    holds(&format!(r#"{{"edits":[{edit}1]}}"#));
}
