//! Replies that no model should write: no panic, nothing outside the catalog, everything told.

use hearth_operators::validate::check;
use proptest::prelude::*;

use super::*;

/// What holds of any reply; and why some of it is refused.
pub(super) fn holds(reply: &str) -> Vec<String> {
    let mut refused = Vec::new();
    let editor = editor();
    let source = days();
    for weekday in 0..2 {
        let request = request(source.clone(), weekday);
        let edited = match editor.edit(&request, reply, &["Answer with {\"edits\":[]}"]) {
            Ok(edited) => edited,
            Err(reason) => {
                assert!(!reason.is_empty() && reason.len() < 20_000, "{reason}");
                refused.push(reason);
                continue;
            }
        };
        assert_eq!(edited.sequences.len(), source.len());
        assert!(edited.refused.len() <= MAX_EDITS + 1);
        for written in editor.answer(&request, &edited) {
            match written {
                Ok(rows) => assert!(check(&rows, &catalog()).is_ok(), "{rows:?}"),
                Err(reason) => {
                    assert!(reason.len() < 1_000, "{reason}");
                    refused.push(reason);
                }
            }
        }
    }
    refused
}

proptest! {
    #[test]
    fn any_text_is_read(reply in "\\PC{0,120}|([\\[\\]{}\",:a-z0-9. -]|\"edit\"|\"edits\":){0,80}") {
        holds(&reply);
    }
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
