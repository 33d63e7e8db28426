//! Writing an event log as Parquet.

use std::collections::HashMap;
use std::io::{self, Write};

use foldhash::fast::RandomState;
use parquet::data_type::ByteArray;

use super::super::event::Event;
use crate::table::{Cell, Field, Kind, Table};

/// The columns of a log.
const FIELDS: [Field; 6] = [
    field("home", Kind::Text, true),
    field("time", Kind::Time, true),
    field("offset", Kind::Small, true),
    field("device", Kind::Text, false),
    field("action", Kind::Text, true),
    field("id", Kind::Text, false),
];

const fn field(name: &'static str, kind: Kind, required: bool) -> Field {
    Field {
        name,
        kind,
        required,
    }
}

/// Writes an event log.
pub(crate) struct ParquetWriter<W: Write + Send> {
    out: Table<W>,
    /// Texts that were written before: the columns share them.
    known: HashMap<Box<str>, ByteArray, RandomState>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a log.
    ///
    /// # Errors
    /// `out` fails.
    pub fn new(out: W) -> io::Result<Self> {
        Ok(ParquetWriter {
            out: Table::new(out, "event", &FIELDS)?,
            known: HashMap::default(),
        })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// `out` fails.
    pub fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let row = [
            self.text(&event.home),
            Cell::Whole(event.time.0),
            Cell::Small(event.offset.into()),
            match event.device.as_deref() {
                Some(device) => self.text(device),
                None => Cell::Missing,
            },
            self.text(&event.action),
            match event.id.as_deref() {
                Some(id) => Cell::Text(id.into()),
                None => Cell::Missing,
            },
        ];
        self.out.row(row)
    }

    /// Ends the log.
    ///
    /// # Errors
    /// `out` fails.
    pub fn finish(self) -> io::Result<()> {
        self.out.finish()?.flush()
    }

    fn text(&mut self, text: &str) -> Cell {
        if let Some(known) = self.known.get(text) {
            return Cell::Text(known.clone());
        }
        let written = ByteArray::from(text);
        self.known.insert(text.into(), written.clone());
        Cell::Text(written)
    }
}
