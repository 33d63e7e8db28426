//! Lines of CSV as lines of JSON.

use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use crate::inbox::LONGEST_LINE;

/// What is read of a record.
const FIELDS: [&str; 5] = ["home", "time", "device", "action", "id"];

/// The header of a CSV file.
pub struct Header {
    /// By column: the field that it is, if any.
    fields: Vec<Option<&'static str>>,
}

impl Header {
    /// Whether a file has one, by its name.
    pub fn is_of(path: &Path) -> bool {
        path.extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("csv"))
    }

    /// That of a file; none, where it has none yet.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(file: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        file.rewind()?;
        let mut line = Vec::new();
        let mut first = BufReader::new(file.by_ref().take(LONGEST_LINE as u64));
        first.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(None);
        }
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
        Ok(split(line).map(|names| {
            let field = |name: &String| {
                FIELDS
                    .into_iter()
                    .find(|field| name.trim().eq_ignore_ascii_case(field))
            };
            Header {
                fields: names.iter().map(field).collect(),
            }
        }))
    }

    /// A record as a JSON object; none, where it has not as many fields as the header.
    pub fn record(&self, line: &[u8]) -> Option<Vec<u8>> {
        let values = split(line).filter(|values| values.len() == self.fields.len())?;
        let named = self.fields.iter().zip(values);
        let fields = named.filter_map(|(field, value)| Some(((*field)?, value)));
        let fields = fields.filter(|(_, value)| !value.is_empty());
        let record: serde_json::Map<String, serde_json::Value> = fields
            .map(|(field, value)| (field.to_owned(), value.into()))
            .collect();
        serde_json::to_vec(&record).ok()
    }
}

/// The fields of a line, which holds all of its record.
fn split(line: &[u8]) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).from_reader(line);
    let record = reader.into_records().next()?.ok()?;
    Some(record.iter().map(str::to_owned).collect())
}
