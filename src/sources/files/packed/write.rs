//! Writing a packed log: lines are gathered into columns, and leave a block at a time.

use std::collections::HashMap;
use std::io::{self, Write};

use foldhash::fast::RandomState;

use super::super::Rejected;
use super::super::event::Event;
use super::{ACTIONS, END, EVENTS, HEADER, HOMES, LINES, MAGIC, Packing, SYNC};

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
