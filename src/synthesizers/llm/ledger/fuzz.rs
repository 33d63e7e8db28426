//! Journals of spending of bytes that nobody meant.

use std::fs;

use super::{Budget, JournalError, Ledger, Prices};
use crate::disk::Disk;
use crate::fuzz::{fuzz, reasons};

#[test]
fn journals() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spending.jsonl");
    let open = || Ledger::open(&Disk::real(), &path, Prices::default(), Budget::default());
    let seed = br#"{"op":"open","version":1,"at":"2026-03-01T09:30:00Z"}
{"op":"reserve","id":0,"home":"h-3","ceiling":{"input":9120,"output":4096},"money":"0.003825"}
{"op":"settle","id":0,"usage":{"input":2801,"output":911},"money":"0.00096675"}
{"op":"reserve","id":1,"home":"h-3","ceiling":{"input":9120,"output":4096},"money":"0.003825"}
{"op":"release","id":1}
{"op":"reserve","id":2,"home":"h-4","ceiling":{"input":1,"output":4096},"money":"340282366920938463463374607.431768211455"}
{"op":"settle","id":2,"usage":null,"money":"340282366920938463463374607.431768211455"}
{"op":"reserve","id":3,"home":"h-3","ceiling":{"input":9120,"output":4096},"money":"0.003825"}
{"op":"open","version":1,"at":"2026-03-01T10:30:00Z"}
"#;
    let words = [
        "\n{\"op\":\"release\",\"id\":0}\n",
        "\"op\":\"settle\"",
        "\"op\":\"open\"",
        "\"usage\":null",
        "\"money\":\"1\"",
    ];
    fuzz(&[seed], &words, |bytes| {
        fs::write(&path, bytes).unwrap();
        match open() {
            Ok((ledger, found)) => {
                let totals = ledger.totals();
                assert_eq!(totals.reserved.calls, 0, "who set it aside is dead");
                drop(ledger);
                // What counts against the budget is the same for whoever opens it next, and nothing is found twice.
                let (again, later) = open().unwrap();
                assert_eq!(again.totals(), totals);
                assert!(!later.torn);
                let torn = found.torn.then_some("torn");
                let open = (!found.unaccounted.is_empty()).then_some("open");
                format!("{torn:?} {open:?} {}", totals.overrun.calls > 0)
            }
            Err(error @ JournalError::Garbage { .. }) => {
                assert_eq!(fs::read(&path).unwrap(), bytes, "it is left alone");
                reasons([error.to_string().as_str()])
            }
            Err(error) => panic!("{error}"),
        }
    });
}
