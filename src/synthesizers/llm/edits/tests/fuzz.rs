//! Valid replies mutated.

use super::garbage::holds;
use super::*;
use crate::fuzz::{fuzz, reasons};

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

#[test]
fn edits() {
    let words = [
        "-7",
        "\"edits\"",
        "\"edit\"",
        "everything",
        "Toaster:burn",
        "(24~27)",
        "Light:",
        "\"share\":",
        "\"after\":",
    ];
    fuzz(&[valid().as_bytes()], &words, |bytes| {
        let refused = holds(&String::from_utf8_lossy(bytes));
        reasons(refused.iter().map(String::as_str))
    });
}
