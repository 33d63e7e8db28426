//! The packed log, `.hlog`: an event log as columnar blocks with dictionaries of names, each block checksummed.
//!
//! ```text
//! file   = "HEARTHL" version(u8) block*
//! block  = header body
//! header = sync(4) kind(u8) packing(u8) 0(u16) rows(u32) first(u64) raw(u32) stored(u32) body crc(u32) header crc(u32)
//! ```
//!
//! Integers are little-endian. A block of kind 1 names homes, one of kind 2 actions: `rows` names, the ids of which count
//! from `first`. One of kind 3 holds `rows` lines of the log, numbered from `first`: columns of home ids, action ids,
//! times, offsets and the events' own ids; and, as they stood, the lines that were no event. A name stands before the
//! lines that need it. One of kind 4 ends the file. A body is plain (packing 0) or one zstd frame (1).
//!
//! A damaged block is an error that names the file and the block; reading goes on with the next one. Of a damaged
//! dictionary only the lines that need it are rejected.

mod read;
mod write;

use super::event::LONGEST_NAME;

pub(super) use read::PackReader;
pub use write::PackWriter;

/// How a packed log begins; its last byte is the version.
pub(crate) const MAGIC: [u8; 8] = *b"HEARTHL\x01";

const SYNC: [u8; 4] = [0xf5, b'H', b'B', 0x0a];
const HEADER: usize = 36;

/// Lines of a block: enough that a header costs nothing, few enough that a block stays in the processor's cache.
const LINES: usize = 16 * 1024;

/// No block is larger, packed or not: bounds what a damaged header can ask for.
const LARGEST: usize = 64 << 20;

/// No log has more lines.
const MOST_LINES: u64 = 1 << 60;

/// No clock is further from UTC, in minutes.
const MOST_EAST: u16 = 26 * 60;

const HOMES: u8 = 1;
const ACTIONS: u8 = 2;
const EVENTS: u8 = 3;
const END: u8 = 4;

/// How the bodies of blocks are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// As they are: the quickest to read.
    Plain,
    /// As zstd frames.
    #[default]
    Zstd,
}

struct Header {
    kind: u8,
    packing: u8,
    rows: usize,
    first: u64,
    raw: usize,
    stored: usize,
    body_crc: u32,
}

impl Header {
    /// `None` if its checksum does not agree or it asks for too much.
    fn read(bytes: &[u8; HEADER]) -> Option<Self> {
        let (checked, check) = bytes.split_at(HEADER - 4);
        let mut fields = Bytes(checked);
        if fields.take(4)? != SYNC || Bytes(check).u32()? != crc32fast::hash(checked) {
            return None;
        }
        let &[kind, packing, _, _] = fields.take(4)? else {
            return None;
        };
        let header = Header {
            kind,
            packing,
            rows: fields.u32()? as usize,
            first: u64::from(fields.u32()?) | u64::from(fields.u32()?) << 32,
            raw: fields.u32()? as usize,
            stored: fields.u32()? as usize,
            body_crc: fields.u32()?,
        };
        let sizes = [header.raw, header.stored, header.rows];
        let possible = sizes.iter().all(|size| *size <= LARGEST) && header.first <= MOST_LINES;
        possible.then_some(header)
    }
}

/// Bytes that are taken from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.u32()? as usize;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// A text within the limits of names.
    fn name(&mut self) -> Option<Box<str>> {
        let name = self.text()?;
        (name.len() <= LONGEST_NAME && !name.contains('\0')).then(|| name.into())
    }
}

/// Puts the checksums of all blocks right: what is behind them is what a test is about.
#[cfg(test)]
pub(super) fn seal(log: &mut [u8]) {
    let mut rest = &mut log[MAGIC.len()..];
    while rest.len() >= HEADER {
        let (header, behind) = rest.split_at_mut(HEADER);
        let stored = Bytes(&header[24..28]).u32().unwrap_or_default();
        let (body, behind) = behind.split_at_mut(behind.len().min(stored as usize));
        header[28..32].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        let check = crc32fast::hash(&header[..32]);
        header[32..].copy_from_slice(&check.to_le_bytes());
        rest = behind;
    }
}
