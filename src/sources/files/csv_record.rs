//! A record of CSV, which may be of several lines.

use std::collections::VecDeque;

use super::lines::Lines;
use super::records::{Columns, Record, Scan, utf8};
use super::text::{LONGEST_LINE, Text};

/// A CSV record: its text (several lines where a quoted field holds line breaks) or why it is none.
pub(crate) struct CsvRecord {
    /// The line where it starts, with the text of the whole record.
    pub text: Text,
    quoting: Option<&'static str>,
}

impl CsvRecord {
    /// Completes the record that `first` starts.
    ///
    /// A quoted field may hold line breaks, so a stray quote could swallow what follows. Where the quotes of a record do
    /// not close properly, only its first line is refused, and the lines after it are read again on their own.
    pub fn complete(first: Text, lines: &mut Lines, columns: &Columns) -> Self {
        let mut record = CsvRecord {
            text: first,
            quoting: None,
        };
        if record.text.too_long || !record.text.bytes.contains(&b'"') {
            return record;
        }
        let mut scan = Scan::FieldStart;
        columns.scan(&mut scan, &record.text.bytes);
        if scan == Scan::Broken {
            record.quoting = Some("a quote stands inside an unquoted field or after a quoted one");
            return record;
        }
        let first_length = record.text.bytes.len();
        let mut taken = VecDeque::new();
        while scan == Scan::Quoted {
            let mut next = Text::default();
            let room = LONGEST_LINE.saturating_sub(record.text.bytes.len() + 1);
            let read = lines.read(&mut next).unwrap_or_else(|error| {
                lines.postpone(error);
                false
            });
            let fits = read && !next.too_long && next.bytes.len() <= room;
            if fits {
                record.text.bytes.push(b'\n');
                record.text.bytes.extend_from_slice(&next.bytes);
                columns.scan(&mut scan, b"\n");
                columns.scan(&mut scan, &next.bytes);
            }
            if read {
                taken.push_back(next);
            }
            if !fits || scan == Scan::Broken {
                lines.give_back(taken);
                record.text.bytes.truncate(first_length);
                record.quoting = Some("a quoted field is not closed");
                return record;
            }
        }
        record
    }

    /// The fields that `columns` name.
    ///
    /// # Errors
    /// What is wrong with the record.
    pub fn fields(&self, columns: &Columns) -> Result<Record<'_>, String> {
        let text = utf8(&self.text)?;
        if text.contains('\0') {
            return Err("the record holds a NUL byte".into());
        }
        if let Some(reason) = self.quoting {
            return Err(format!("malformed CSV: {reason}"));
        }
        columns.fields(text)
    }
}
