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

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};

use foldhash::fast::RandomState;
use hearth_operators::words::{ActionId, Behavior, Catalog, HomeId, Line, Moment, Time};
use serde::Serialize;

use super::event::{Event, LONGEST_NAME, POSSIBLE};
use super::{Rejected, SourceError};
use crate::homes::Homes;
use crate::time;

/// How a packed log begins; its last byte is the version.
pub(crate) const MAGIC: [u8; 8] = *b"HEARTHL\x01";

const SYNC: [u8; 4] = [0xf5, b'H', b'B', 0x0a];
const HEADER: usize = 36;

/// Lines of a block: enough that a header costs nothing, few enough that a block stays in the processor's cache.
const LINES: usize = 16 * 1024;

/// No block is larger, packed or not: bounds what a damaged header can ask for.
const LARGEST: usize = 64 << 20;

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

/// Writes a packed log.
pub struct PackWriter<W: Write> {
    out: W,
    packing: Packing,
    homes: Dictionary<Box<str>>,
    /// Device (where a field of its own names it) and action.
    actions: Dictionary<(Option<Box<str>>, Box<str>)>,
    block: Columns,
    /// Number of the block's first line.
    first: u64,
}

/// Names by id, and those that are not written yet.
struct Dictionary<N> {
    ids: HashMap<N, u32, RandomState>,
    fresh: Vec<u8>,
    written: u32,
}

impl<N> Default for Dictionary<N> {
    fn default() -> Self {
        Dictionary {
            ids: HashMap::default(),
            fresh: Vec::new(),
            written: 0,
        }
    }
}

/// The lines of a block.
#[derive(Default)]
struct Columns {
    homes: Vec<u32>,
    actions: Vec<u32>,
    times: Vec<i64>,
    offsets: Vec<i16>,
    ids: Vec<Option<Box<str>>>,
    /// Row in the block, text and reason of the lines that are no event.
    rejected: Vec<(u32, String, String)>,
}

impl Columns {
    fn rows(&self) -> usize {
        self.homes.len() + self.rejected.len()
    }
}

impl<W: Write> PackWriter<W> {
    /// Begins a packed log.
    ///
    /// # Errors
    /// `out` fails.
    pub fn new(mut out: W, packing: Packing) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        Ok(PackWriter {
            out,
            packing,
            homes: Dictionary::default(),
            actions: Dictionary::default(),
            block: Columns::default(),
            first: 1,
        })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// `out` fails.
    pub(crate) fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let home = match self.homes.ids.get(&*event.home) {
            Some(&id) => id,
            None => {
                put_text(&mut self.homes.fresh, &event.home);
                self.homes.insert(event.home.as_ref().into())
            }
        };
        // Few enough that building the key costs less than a second table.
        let action = (
            event.device.as_deref().map(Into::into),
            event.action.as_ref().into(),
        );
        let action = match self.actions.ids.get(&action) {
            Some(&id) => id,
            None => {
                let fresh = &mut self.actions.fresh;
                fresh.push(u8::from(action.0.is_some()));
                put_text(fresh, event.device.as_deref().unwrap_or(""));
                put_text(fresh, &event.action);
                self.actions.insert(action)
            }
        };
        let block = &mut self.block;
        block.homes.push(home);
        block.actions.push(action);
        block.times.push(event.time.0);
        block.offsets.push(event.offset);
        block.ids.push(event.id.as_deref().map(Into::into));
        self.flush_full()
    }

    /// Adds a line that is no event.
    ///
    /// # Errors
    /// `out` fails.
    pub fn rejected(&mut self, rejected: Rejected) -> io::Result<()> {
        let row = self.block.rows() as u32;
        let Rejected { line, reason, .. } = rejected;
        self.block.rejected.push((row, line, reason));
        self.flush_full()
    }

    /// Ends the log.
    ///
    /// # Errors
    /// `out` fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush_block()?;
        self.put(END, 0, self.first, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn flush_full(&mut self) -> io::Result<()> {
        if self.block.rows() < LINES {
            return Ok(());
        }
        self.flush_block()
    }

    fn flush_block(&mut self) -> io::Result<()> {
        let (first, rows, body) = self.homes.take();
        if rows > 0 {
            self.put(HOMES, rows, first, &body)?;
        }
        let (first, rows, body) = self.actions.take();
        if rows > 0 {
            self.put(ACTIONS, rows, first, &body)?;
        }
        let block = std::mem::take(&mut self.block);
        let rows = block.rows();
        if rows == 0 {
            return Ok(());
        }
        let body = block.to_bytes();
        self.put(EVENTS, rows as u32, self.first, &body)?;
        self.first += rows as u64;
        Ok(())
    }

    /// Writes a block.
    fn put(&mut self, kind: u8, rows: u32, first: u64, raw: &[u8]) -> io::Result<()> {
        let packed;
        let (packing, body) = match self.packing {
            Packing::Plain => (0, raw),
            Packing::Zstd => {
                packed = zstd::bulk::compress(raw, 3)?;
                (1, &packed[..])
            }
        };
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&SYNC);
        header.extend_from_slice(&[kind, packing, 0, 0]);
        header.extend_from_slice(&rows.to_le_bytes());
        header.extend_from_slice(&first.to_le_bytes());
        header.extend_from_slice(&(raw.len() as u32).to_le_bytes());
        header.extend_from_slice(&(body.len() as u32).to_le_bytes());
        header.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
        let check = crc32fast::hash(&header);
        header.extend_from_slice(&check.to_le_bytes());
        self.out.write_all(&header)?;
        self.out.write_all(body)
    }
}

impl<N: std::hash::Hash + Eq> Dictionary<N> {
    fn insert(&mut self, name: N) -> u32 {
        let id = self.ids.len() as u32;
        self.ids.insert(name, id);
        id
    }

    /// The names that are not written yet: first id, how many, and the body of their block.
    fn take(&mut self) -> (u64, u32, Vec<u8>) {
        let first = self.written;
        self.written = self.ids.len() as u32;
        (
            u64::from(first),
            self.written - first,
            std::mem::take(&mut self.fresh),
        )
    }
}

impl Columns {
    fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.homes.len() * 20);
        body.extend_from_slice(&(self.homes.len() as u32).to_le_bytes());
        body.extend(self.homes.iter().flat_map(|v| v.to_le_bytes()));
        body.extend(self.actions.iter().flat_map(|v| v.to_le_bytes()));
        body.extend(self.times.iter().flat_map(|v| v.to_le_bytes()));
        match self.offsets.first() {
            Some(&only) if self.offsets.iter().all(|&offset| offset == only) => {
                body.push(0);
                body.extend_from_slice(&only.to_le_bytes());
            }
            _ => {
                body.push(1);
                body.extend(self.offsets.iter().flat_map(|v| v.to_le_bytes()));
            }
        }
        if self.ids.iter().all(Option::is_none) {
            body.push(0);
        } else {
            body.push(1);
            for id in &self.ids {
                body.push(u8::from(id.is_some()));
                put_text(&mut body, id.as_deref().unwrap_or(""));
            }
        }
        body.extend_from_slice(&(self.rejected.len() as u32).to_le_bytes());
        for (row, line, reason) in &self.rejected {
            body.extend_from_slice(&row.to_le_bytes());
            put_text(&mut body, line);
            put_text(&mut body, reason);
        }
        body
    }
}

/// Appends a text, its length first.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Reads a packed log, its magic already taken.
pub(super) struct PackReader {
    input: BufReader<Box<dyn Read + Send>>,
    /// Blocks begun so far.
    blocks: u64,
    homes: Vec<Option<Name<HomeId>>>,
    actions: Vec<Option<Name<Result<ActionId, String>>>>,
    block: Decoded,
    stored: Vec<u8>,
    raw: Vec<u8>,
    decompressor: Option<zstd::bulk::Decompressor<'static>>,
    /// A header that was found in place of a damaged one: the next to be read.
    found: Option<[u8; HEADER]>,
    /// Whether the block that ends the file was read, or is known to be missing.
    ended: bool,
}

/// A name, and what it came to once it was looked up.
struct Name<T> {
    /// Before an action: its device, where a field of its own named it.
    device: Option<Box<str>>,
    name: Box<str>,
    known: Option<T>,
}

/// A block of lines, and how far it is read.
#[derive(Default)]
struct Decoded {
    first: u64,
    rows: usize,
    row: usize,
    event: usize,
    homes: Vec<u32>,
    actions: Vec<u32>,
    times: Vec<i64>,
    /// One for all, or one each.
    offsets: Vec<i16>,
    /// Empty, or one each.
    ids: Vec<Option<Box<str>>>,
    /// In order; taken from the front.
    rejected: std::collections::VecDeque<(u32, String, String)>,
}

/// A line of a packed log.
enum Row {
    Event(usize),
    Rejected(String, String),
}

impl PackReader {
    pub fn new(input: Box<dyn Read + Send>) -> Self {
        PackReader {
            input: BufReader::with_capacity(1 << 18, input),
            blocks: 0,
            homes: Vec::new(),
            actions: Vec::new(),
            block: Decoded::default(),
            stored: Vec::new(),
            raw: Vec::new(),
            decompressor: None,
            found: None,
            ended: false,
        }
    }

    /// Reads up to `n` lines, looking names up in the catalog and among the homes. Returns how many; 0 at the end.
    ///
    /// # Errors
    /// A block is damaged: what stands in it is lost, the next call goes on behind it.
    pub fn read(
        &mut self,
        n: usize,
        (catalog, homes): (&Catalog, &Homes),
        (file, name): (u32, &str),
        behaviors: &mut Vec<Behavior>,
        rejected: &mut Vec<Rejected>,
    ) -> Result<usize, SourceError> {
        if self.block.row == self.block.rows && !self.next_block(name)? {
            return Ok(0);
        }
        let mut read = 0;
        while read < n && self.block.row < self.block.rows {
            let line = self.block.line();
            read += 1;
            match self.block.next() {
                Row::Event(event) => {
                    let place = Line { file, line };
                    match self.behavior(event, place, catalog, homes) {
                        Ok(behavior) => behaviors.push(behavior),
                        Err(reason) => rejected.push(self.refused(event, (name, line), reason)),
                    }
                }
                Row::Rejected(text, reason) => rejected.push(refused(text, (name, line), reason)),
            }
        }
        Ok(read)
    }

    /// Reads the next line without looking names up, and gives `take` its event or why it is none. False at the end.
    ///
    /// # Errors
    /// As [`PackReader::read`].
    pub fn next(
        &mut self,
        name: &str,
        take: impl FnOnce(Result<Event<'_>, Rejected>),
    ) -> Result<bool, SourceError> {
        if self.block.row == self.block.rows && !self.next_block(name)? {
            return Ok(false);
        }
        let line = self.block.line();
        take(match self.block.next() {
            Row::Event(event) => self
                .event(event)
                .map_err(|reason| self.refused(event, (name, line), reason)),
            Row::Rejected(text, reason) => Err(refused(text, (name, line), reason)),
        });
        Ok(true)
    }

    fn behavior(
        &mut self,
        event: usize,
        line: Line,
        catalog: &Catalog,
        homes: &Homes,
    ) -> Result<Behavior, String> {
        let block = &self.block;
        let (home, action) = (block.homes[event] as usize, block.actions[event] as usize);
        let known = |actions: &[Option<Name<_>>]| match actions.get(action) {
            Some(Some(Name {
                known: Some(Ok(known)),
                ..
            })) => Some(*known),
            _ => None,
        };
        let action = match known(&self.actions) {
            Some(action) => action,
            None => {
                let found = self.event(event)?.action(catalog);
                if let Some(Some(name)) = self.actions.get_mut(action) {
                    name.known = Some(found.clone());
                }
                found?
            }
        };
        let home = match self.homes.get_mut(home) {
            Some(Some(Name {
                known: Some(home), ..
            })) => *home,
            Some(Some(name)) => *name.known.insert(homes.intern(&name.name)),
            _ => return Err(LOST_HOME.into()),
        };
        let block = &mut self.block;
        Ok(Behavior {
            home,
            moment: Moment {
                time: Time(block.times[event]),
                action,
                offset: block.offset(event),
            },
            id: block.ids.get_mut(event).and_then(Option::take),
            line,
        })
    }

    /// The event with its names.
    fn event(&self, event: usize) -> Result<Event<'_>, String> {
        let block = &self.block;
        let (home, action) = (block.homes[event] as usize, block.actions[event] as usize);
        let home = self.homes.get(home).and_then(Option::as_ref);
        let action = self.actions.get(action).and_then(Option::as_ref);
        let home = home.ok_or(LOST_HOME)?;
        let action = action.ok_or("the name of its action stands in a damaged block")?;
        let id = block.ids.get(event).and_then(Option::as_deref);
        Ok(Event {
            home: home.name.as_ref().into(),
            time: Time(block.times[event]),
            offset: block.offset(event),
            device: action.device.as_deref().map(Into::into),
            action: action.name.as_ref().into(),
            id: id.map(Into::into),
        })
    }

    /// An event that is rejected, written as JSON Lines write it, as far as it is known.
    fn refused(&self, event: usize, place: (&str, u64), reason: String) -> Rejected {
        #[derive(Default, Serialize)]
        struct Shown<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            home: Option<Cow<'a, str>>,
            time: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            device: Option<Cow<'a, str>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            action: Option<Cow<'a, str>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<Cow<'a, str>>,
        }
        let block = &self.block;
        let time = time::format(Time(block.times[event]), block.offset(event));
        let shown = match self.event(event) {
            Ok(known) => Shown {
                home: Some(known.home),
                time,
                device: known.device,
                action: Some(known.action),
                id: known.id,
            },
            Err(_) => Shown {
                time,
                ..Shown::default()
            },
        };
        // Texts and nothing else: it cannot fail.
        let line = serde_json::to_string(&shown).unwrap_or_default();
        refused(line, place, reason)
    }

    /// Reads on to the next block of lines; dictionaries on the way are taken in. False at the end.
    fn next_block(&mut self, name: &str) -> Result<bool, SourceError> {
        loop {
            let mut header = [0; HEADER];
            let got = match self.found.take() {
                Some(found) => {
                    header = found;
                    HEADER
                }
                None => fill(&mut self.input, &mut header).map_err(|e| self.broken(name, e))?,
            };
            if got == 0 && self.ended {
                return Ok(false);
            }
            self.blocks += 1;
            if got == 0 {
                self.ended = true;
                return Err(self.damaged(name, "the file ends before it", None));
            }
            if got < HEADER {
                self.ended = true;
                return Err(self.damaged(name, "the file ends inside its header", None));
            }
            let Some(header) = Header::read(&header) else {
                self.seek_header(header).map_err(|e| self.broken(name, e))?;
                return Err(self.damaged(name, "its header is not what was written", None));
            };
            self.stored.resize(header.stored, 0);
            let got = fill(&mut self.input, &mut self.stored);
            let got = got.map_err(|e| self.broken(name, e))?;
            let lost = (header.kind == EVENTS).then_some(header.rows);
            if got < header.stored {
                self.ended = true;
                return Err(self.damaged(name, "the file ends inside it", lost));
            }
            if crc32fast::hash(&self.stored) != header.body_crc {
                return Err(self.damaged(name, "its checksum does not agree", lost));
            }
            if header.kind == END {
                self.ended = true;
                continue;
            }
            match self.take_block(&header) {
                Some(false) => {}
                Some(true) => return Ok(true),
                None => {
                    return Err(self.damaged(name, "its content cannot be understood", lost));
                }
            }
        }
    }

    /// Takes in a block whose checksum agrees: whether it holds lines. `None` if it makes no sense.
    fn take_block(&mut self, header: &Header) -> Option<bool> {
        let body: &[u8] = match header.packing {
            0 if header.raw == header.stored => &self.stored,
            1 => {
                let decompressor = match &mut self.decompressor {
                    Some(decompressor) => decompressor,
                    none => none.insert(zstd::bulk::Decompressor::new().ok()?),
                };
                self.raw.clear();
                self.raw.reserve(header.raw);
                let unpacked = decompressor.decompress_to_buffer(&self.stored, &mut self.raw);
                unpacked.ok()?;
                &self.raw
            }
            _ => return None,
        };
        if body.len() != header.raw {
            return None;
        }
        let mut body = Bytes(body);
        match header.kind {
            HOMES => {
                let names = names(&mut self.homes, header)?;
                for _ in 0..header.rows {
                    let name = body.name()?;
                    names.push(Some(Name {
                        device: None,
                        name: (!name.is_empty()).then_some(name)?,
                        known: None,
                    }));
                }
                body.0.is_empty().then_some(false)
            }
            ACTIONS => {
                let names = names(&mut self.actions, header)?;
                for _ in 0..header.rows {
                    let apart = body.take(1)? != [0];
                    let (device, name) = (body.name()?, body.name()?);
                    names.push(Some(Name {
                        device: apart.then_some(device),
                        name: (!name.is_empty()).then_some(name)?,
                        known: None,
                    }));
                }
                body.0.is_empty().then_some(false)
            }
            EVENTS => self.block.read(header, body).map(|()| true),
            _ => None,
        }
    }

    /// Skips to the next header that is whole, and leaves it to be read.
    fn seek_header(&mut self, mut window: [u8; HEADER]) -> io::Result<()> {
        loop {
            window.rotate_left(1);
            if fill(&mut self.input, &mut window[HEADER - 1..])? == 0 {
                self.ended = true;
                return Ok(());
            }
            if Header::read(&window).is_some() {
                self.found = Some(window);
                return Ok(());
            }
        }
    }

    fn damaged(&self, name: &str, what: &'static str, lost: Option<usize>) -> SourceError {
        SourceError::Damaged {
            file: name.to_owned(),
            block: self.blocks,
            what,
            lost,
        }
    }

    fn broken(&self, name: &str, error: io::Error) -> SourceError {
        SourceError::Broken {
            file: name.to_owned(),
            line: self.block.first + self.block.rows as u64,
            error,
        }
    }
}

const LOST_HOME: &str = "the name of its home stands in a damaged block";

fn refused(line: String, (file, number): (&str, u64), reason: String) -> Rejected {
    Rejected {
        line,
        source: format!("{file}:{number}"),
        reason,
    }
}

/// The names with an empty place for each that was lost before those of this block.
fn names<'a, T>(
    names: &'a mut Vec<Option<Name<T>>>,
    header: &Header,
) -> Option<&'a mut Vec<Option<Name<T>>>> {
    let first = usize::try_from(header.first).ok()?;
    // Names that were lost took some bytes each, so their number is bounded by what a file can have lost; a header that
    // claims more is none of ours.
    if first < names.len() || first - names.len() > LARGEST {
        return None;
    }
    names.resize_with(first, || None);
    Some(names)
}

impl Decoded {
    /// The number of the next line.
    fn line(&self) -> u64 {
        self.first + self.row as u64
    }

    /// The next line; there is one.
    fn next(&mut self) -> Row {
        let row = self.row;
        self.row += 1;
        if self.rejected.front().is_some_and(|r| r.0 as usize == row)
            && let Some((_, text, reason)) = self.rejected.pop_front()
        {
            return Row::Rejected(text, reason);
        }
        self.event += 1;
        Row::Event(self.event - 1)
    }

    fn offset(&self, event: usize) -> i16 {
        match self.offsets[..] {
            [only] => only,
            ref each => each[event],
        }
    }

    fn read(&mut self, header: &Header, mut body: Bytes<'_>) -> Option<()> {
        // Nothing of a block that turns out to make no sense is to be read.
        (self.rows, self.row, self.event) = (0, 0, 0);
        let events = body.u32()? as usize;
        self.homes.clear();
        let column = body.take(events.checked_mul(4)?)?.chunks_exact(4);
        self.homes
            .extend(column.map(|v| u32::from_le_bytes([v[0], v[1], v[2], v[3]])));
        self.actions.clear();
        let column = body.take(events * 4)?.chunks_exact(4);
        self.actions
            .extend(column.map(|v| u32::from_le_bytes([v[0], v[1], v[2], v[3]])));
        self.times.clear();
        let column = body.take(events.checked_mul(8)?)?.chunks_exact(8);
        let time = |v: &[u8]| [v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]];
        self.times
            .extend(column.map(|v| i64::from_le_bytes(time(v))));
        let offsets = match body.take(1)? {
            [0] => 1,
            _ => events,
        };
        self.offsets.clear();
        let column = body.take(offsets * 2)?.chunks_exact(2);
        self.offsets
            .extend(column.map(|v| i16::from_le_bytes([v[0], v[1]])));
        let possible = self.times.iter().all(|time| POSSIBLE.contains(time));
        if !possible || self.offsets.iter().any(|o| o.unsigned_abs() > MOST_EAST) {
            return None;
        }
        self.ids.clear();
        if body.take(1)? != [0] {
            for _ in 0..events {
                let some = body.take(1)? != [0];
                let id = body.name()?;
                self.ids.push(some.then_some(id));
            }
        }
        let rejected = body.u32()? as usize;
        self.rejected.clear();
        let mut after = 0;
        for _ in 0..rejected {
            let row = body.u32()?;
            if row < after || row as usize >= header.rows {
                return None;
            }
            after = row + 1;
            self.rejected
                .push_back((row, body.text()?.to_owned(), body.text()?.to_owned()));
        }
        if events + rejected != header.rows || !body.0.is_empty() {
            return None;
        }
        self.first = header.first;
        self.rows = header.rows;
        Some(())
    }
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
        sizes.iter().all(|size| *size <= LARGEST).then_some(header)
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

/// Fills the buffer as far as the input goes. Returns how far.
fn fill(input: &mut impl BufRead, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
