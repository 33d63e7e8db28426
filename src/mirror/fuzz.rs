//! What comes over the link to the inbox, of bytes that nobody meant.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::frames::{Extent, Heard, Said, receive, send};
use crate::fates::Fated;
use crate::fuzz::{fuzz, reasons};
use crate::growing::Reach;
use crate::inbox::{InboxError, Mark};

fn framed<T: Serialize>(frames: &[(T, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (head, body) in frames {
        send(&mut bytes, head, body).unwrap();
    }
    bytes
}

/// All frames of a link up to what is none, and why that is so. Each of them is sent as it is received.
fn read<T: Serialize + DeserializeOwned>(mut bytes: &[u8]) -> (usize, String) {
    let (mut body, mut read) = (Vec::new(), 0);
    loop {
        let head: T = match receive(&mut bytes, &mut body) {
            Ok(Some(head)) => head,
            Ok(None) => return (read, String::new()),
            Err(error) => return (read, error.to_string()),
        };
        read += 1;
        let (sent, mut again) = (framed(&[(&head, &body)]), Vec::new());
        let same: Option<T> = receive(&sent[..], &mut again).unwrap();
        let value = |head: &T| serde_json::to_value(head).unwrap();
        let told: Option<Value> = same.as_ref().map(value);
        assert_eq!((told, again), (Some(value(&head)), body.clone()));
    }
}

fn mark() -> Mark {
    Mark {
        source: "webhook/alarms".to_owned(),
        at: "{\"life\":0}".to_owned(),
    }
}

#[test]
fn what_the_first_process_says() {
    let inbox = Extent {
        name: "out-0/inbox.jsonl".to_owned(),
        begins: Reach { bytes: 7, lines: 1 },
        lines_end: 90,
    };
    let fated = Fated::rejected(3, "unknown device");
    let seed = framed(&[
        (Said::Inbox(inbox), &b""[..]),
        (Said::Mark(mark()), b""),
        (Said::Marked, b""),
        (Said::Bytes(90), b"{\"home\":\"h\"}\n"),
        (Said::End(21, true), b""),
        (Said::Put(1, Ok(4)), b""),
        (Said::Put(2, Err(InboxError::Closed)), b""),
        (Said::Fate(1, fated), b""),
        (Said::Model(5, None), b""),
    ]);
    fuzz(
        &[&seed, &seed[..50]],
        &["\"Marked\"", "{\"End\":[1,false]}"],
        |bytes| {
            let (frames, why) = read::<Said>(bytes);
            format!("{frames} {}", reasons([why.as_str()]))
        },
    );
}

#[test]
fn what_the_others_say() {
    let seed = framed(&[
        (Heard::From(7), &b""[..]),
        (Heard::Put(1, Some(mark()), 2), b"one\ntwo\n"),
        (Heard::Put(2, None, 0), b""),
        (Heard::Fate(Fated::rejected(3, "unknown device")), b""),
        (Heard::Ask(5, "h-1".to_owned()), b""),
        (Heard::Model(5, None), b""),
    ]);
    fuzz(
        &[&seed, &seed[..50]],
        &["{\"From\":0}", "{\"Put\":[1,null,0]}"],
        |bytes| {
            let (frames, why) = read::<Heard>(bytes);
            format!("{frames} {}", reasons([why.as_str()]))
        },
    );
}
