//! What goes over the link by which the first process shares its inbox: frames, each a head of JSON and bytes as they are.

use std::io::{self, ErrorKind, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::fates::Fated;
use crate::growing::Reach;
use crate::inbox::{InboxError, Mark};
use crate::portrait::View;

/// Bytes of a head at most: a mark is at most a line of the inbox, a model some thousand counts.
const HEAD: u32 = 4 << 20;

/// Bytes behind a head at most: what is put at once.
pub(super) const BODY: u32 = 256 << 20;

/// What the first process says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Said {
    /// What its inbox is.
    Inbox(Extent),
    /// How far a source or sink of the other process is read or told, in order; all that do, until [`Said::Marked`].
    Mark(Mark),
    /// These were all.
    Marked,
    /// The next bytes of the inbox follow; where its last line ends that is no mark.
    Bytes(u64),
    /// An epoch ends there, and whether somebody waits for what becomes of its lines.
    End(u64, bool),
    /// What was put under that number is there, from that line on; or it is not.
    Put(u64, Result<u64, InboxError>),
    /// What became of a line that was put under that number.
    Fate(u64, Fated),
    /// The model that was asked for under that number.
    Model(u64, Option<View>),
}

/// What another process says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Heard {
    /// It reads the inbox from there on.
    From(u64),
    /// Lines follow that are to be put, under a number of its own: their mark, and for how many of them somebody waits.
    Put(u64, Option<Mark>, u64),
    /// What became of a line, by its number in the inbox.
    Fate(Fated),
    /// Somebody wants to know the model of a home, under a number of its own.
    Ask(u64, String),
    /// What the dataflow says of a model, under the number by which the first process asked.
    Model(u64, Option<View>),
}

/// An inbox as another process has to know it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Extent {
    /// By what name outputs and checkpoints tell of it.
    pub name: String,
    /// Where what is there of it begins.
    pub begins: Reach,
    /// Where its last line ends that is no mark.
    pub lines_end: u64,
}

/// Sends a frame.
pub(super) fn send(mut to: impl Write, head: &impl Serialize, body: &[u8]) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let length = |bytes: &[u8], most: u32| match u32::try_from(bytes.len()) {
        Ok(length) if length <= most => Ok(length.to_be_bytes()),
        _ => Err(io::Error::new(
            ErrorKind::InvalidInput,
            "a frame is too long",
        )),
    };
    let lengths = [length(&head, HEAD)?, length(body, BODY)?].concat();
    // At once, so that a small frame is one packet.
    to.write_all(&[&lengths[..], &head].concat())?;
    to.write_all(body)
}

/// Receives a frame, its bytes into `body`; `None` where the link ends.
pub(super) fn receive<T: DeserializeOwned>(
    mut from: impl Read,
    body: &mut Vec<u8>,
) -> io::Result<Option<T>> {
    let mut lengths = [0; 8];
    let mut came = 0;
    while came < lengths.len() {
        match from.read(&mut lengths[came..]) {
            Ok(0) if came == 0 => return Ok(None),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => came += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let [head, length] = [0, 4].map(|at| {
        let bytes = [0, 1, 2, 3].map(|byte| lengths[at + byte]);
        u32::from_be_bytes(bytes)
    });
    if head > HEAD || length > BODY {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "a frame is longer than any",
        ));
    }
    let mut all = |bytes: &mut Vec<u8>, length: u32| {
        bytes.clear();
        // Memory is taken as bytes come.
        let read = from.by_ref().take(u64::from(length)).read_to_end(bytes)?;
        match read == length as usize {
            true => Ok(()),
            false => Err(io::Error::from(ErrorKind::UnexpectedEof)),
        }
    };
    all(body, head)?;
    let head = serde_json::from_slice(body)?;
    all(body, length)?;
    Ok(Some(head))
}
