//! A file of a log that is open, and how its format is found.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::SourceError;
use super::lines::{self, Behind, GZIP, Lines, ZSTD};
use super::of_path::OfPath;
use super::packed::{MAGIC, PackReader};
use super::parquet::{self, ParquetReader};
use super::records::{Columns, Format};
use super::text::Text;
use crate::config::Keys;
use crate::growing::Growing;

/// A file that is open, by its format.
pub(super) enum Open {
    Text { lines: Lines, format: Format },
    Packed(Box<PackReader>),
    Parquet(Box<ParquetReader>),
}

impl Open {
    /// Opens a log of JSON Lines that is appended to.
    pub fn growing(
        name: &str,
        growing: &Growing,
        progress: &Arc<AtomicU64>,
    ) -> Result<Self, SourceError> {
        let gone = growing.begins();
        let lines = Lines::new(lines::growing(growing, progress.clone()));
        let lines = lines.map_err(|error| SourceError::Unreadable {
            file: name.to_owned(),
            error,
        })?;
        let (lines, format) = (lines.behind_what_is_gone(gone), Format::JsonLines);
        Ok(Open::Text { lines, format })
    }

    /// How far its lines were given out; what is no text has none.
    pub fn behind(&self) -> Behind {
        match self {
            Open::Text { lines, .. } => lines.behind(),
            _ => Behind::default(),
        }
    }

    /// Opens a file and finds its format: by its name where that is `named`, else by its first character. Reads the
    /// header of a CSV file.
    pub fn new(
        path: &Path,
        (name, named): (&str, bool),
        (keys, tells): (&Keys, &OfPath),
        progress: Arc<AtomicU64>,
    ) -> Result<Self, SourceError> {
        let unreadable = |error| SourceError::Unreadable {
            file: name.to_owned(),
            error,
        };
        let mut input = lines::input(path, progress.clone()).map_err(unreadable)?;
        let mut start = Vec::new();
        let magic = MAGIC.len() as u64;
        let sniffed = input.by_ref().take(magic).read_to_end(&mut start);
        sniffed.map_err(unreadable)?;
        if start == MAGIC {
            return Ok(Open::Packed(Box::new(PackReader::new(input))));
        }
        let ends = |with: &str| {
            path.extension()
                .is_some_and(|e| e.eq_ignore_ascii_case(with))
        };
        if start.starts_with(parquet::MAGIC) || ends("parquet") {
            let file = seekable(path, start, input).map_err(unreadable)?;
            let log = ParquetReader::new(file, name, (keys, tells), progress)?;
            return Ok(Open::Parquet(Box::new(log)));
        }
        let named_packed = ends("hlog");
        if named_packed || start.starts_with(&MAGIC[..MAGIC.len() - 1]) {
            return Err(SourceError::Version {
                file: name.to_owned(),
            });
        }
        // A name without an ending (a spooled copy of standard input, say) tells nothing; then the content does.
        let by_name = if named && path.extension().is_some() {
            Some(is_csv(path).ok_or_else(|| SourceError::UnknownFormat {
                file: name.to_owned(),
            })?)
        } else {
            None
        };
        let mut lines = Lines::new(io::Cursor::new(start).chain(input)).map_err(unreadable)?;
        let csv = match by_name {
            Some(csv) => csv,
            None => lines
                .first_byte()
                .map_err(unreadable)?
                .is_some_and(|b| b != b'{'),
        };
        if !csv {
            return Ok(Open::Text {
                lines,
                format: Format::JsonLines,
            });
        }
        let mut header = Text::default();
        let columns = loop {
            if !lines.read(&mut header).map_err(unreadable)? {
                break None;
            }
            if header.too_long || !header.is_blank() {
                let columns = Columns::parse(&header, keys, tells);
                let columns = columns.map_err(|reason| SourceError::Header {
                    file: name.to_owned(),
                    line: header.number,
                    reason,
                })?;
                break Some(columns);
            }
        };
        Ok(Open::Text {
            lines,
            format: Format::Csv(columns),
        })
    }
}

/// The file of a path; what is none, such as a pipe, is copied to a temporary one. `start` was read of the input already.
fn seekable(path: &Path, start: Vec<u8>, input: impl Read) -> io::Result<fs::File> {
    if fs::metadata(path).is_ok_and(|path| path.is_file()) {
        return fs::File::open(path);
    }
    let mut file = tempfile::tempfile()?;
    io::copy(&mut io::Cursor::new(start).chain(input), &mut file)?;
    Ok(file)
}

/// Whether a file's name is that of a log.
pub(in crate::sources) fn is_log(file: &Path) -> bool {
    let ends = |with: &str| {
        file.extension()
            .is_some_and(|e| e.eq_ignore_ascii_case(with))
    };
    is_csv(file).is_some() || ends("parquet") || ends("hlog")
}

/// Whether a file is packed by its first bytes: no text that could grow.
pub(in crate::sources) fn is_packed(file: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    fs::File::open(file)?.take(8).read_to_end(&mut start)?;
    let packed = [GZIP, ZSTD, &MAGIC, parquet::MAGIC];
    Ok(packed.iter().any(|magic| start.starts_with(magic)))
}

/// The format of a log as its name tells it: `csv`, `jsonl`, `parquet` or `binary`.
pub fn format_name(file: &Path) -> &'static str {
    match is_csv(file) {
        Some(true) => "csv",
        Some(false) => "jsonl",
        None if file.extension().is_some_and(|e| e == "parquet") => "parquet",
        None => "binary",
    }
}

/// Whether a name says CSV (true) or JSON Lines (false); `None` if neither.
pub(super) fn is_csv(path: &Path) -> Option<bool> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let bare = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"));
    match bare.unwrap_or(&name).rsplit_once('.')?.1 {
        "csv" | "tsv" => Some(true),
        "jsonl" | "ndjson" | "json" => Some(false),
        _ => None,
    }
}
