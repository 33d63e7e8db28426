//! Event logs: several files, read in the order given, as one log.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hearth_operators::words::{Behavior, Catalog, Line};
use jiff::tz::TimeZone;

use super::event::Event;
use super::lines::{Lines, Text};
use super::records::{self, Columns, CsvRecord};
use super::{Rejected, SourceError, display_name};
use crate::homes::Homes;

/// What an event log is read with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The closed vocabulary: what it does not have is rejected.
    pub catalog: Arc<Catalog>,
    /// Where the homes' names are interned, in the order in which the log names them.
    pub homes: Homes,
    /// Where a time without offset is local.
    pub timezone: TimeZone,
}

/// An event log as a stream of behaviours.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hearth::sources::{EventLog, Options};
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("events.jsonl");
/// std::fs::write(&file, r#"{"home":"h1","time":"2022-08-04T18:30:00+02:00","device":"Light","action":"on"}
/// this is no event
/// "#)?;
/// let catalog = r#"{"devices":[{"name":"Light","actions":[{"name":"on"}]}]}"#;
/// let options = Options {
///     catalog: std::sync::Arc::new(serde_json::from_str(catalog)?),
///     homes: Default::default(),
///     timezone: jiff::tz::TimeZone::UTC,
/// };
/// let mut log = EventLog::open(&[file], options)?;
/// let (mut behaviors, mut rejected) = (Vec::new(), Vec::new());
/// while log.read(1000, &mut behaviors, &mut rejected)? > 0 {}
/// assert_eq!((behaviors.len(), rejected.len()), (1, 1));
/// # Ok(())
/// # }
/// ```
pub struct EventLog {
    events: Events,
    options: Options,
    /// An error met after some lines of a call: the next call returns it.
    postponed: Option<SourceError>,
}

impl EventLog {
    /// Opens files, `-` being standard input. Before any work, each one's existence, format and (CSV) header are checked.
    ///
    /// # Errors
    /// The first file that is missing, unreadable, of unknown format or without a usable header.
    pub fn open(files: &[PathBuf], options: Options) -> Result<Self, SourceError> {
        Ok(EventLog {
            events: Events::open(files)?,
            options,
            postponed: None,
        })
    }

    /// Reads up to `n` lines, appending a behaviour or a reject for each. Returns how many lines were read, 0 at the end.
    ///
    /// Blank lines and CSV headers are not counted; a CSV record over several lines counts once, where it starts.
    ///
    /// # Errors
    /// A file breaks off. All lines before that place were read by earlier calls; the file is given up, and a further
    /// call goes on with the next one.
    pub fn read(
        &mut self,
        n: usize,
        behaviors: &mut Vec<Behavior>,
        rejected: &mut Vec<Rejected>,
    ) -> Result<usize, SourceError> {
        if let Some(error) = self.postponed.take() {
            return Err(error);
        }
        let Options {
            catalog,
            homes,
            timezone,
        } = &self.options;
        for read in 0..n {
            let next = self.events.next(timezone, |outcome, line, text, file| {
                let behavior = outcome.and_then(|event| {
                    let action = event.action(catalog)?;
                    let home = homes.intern(&event.home);
                    Ok(event.behavior(home, action, line))
                });
                match behavior {
                    Ok(behavior) => behaviors.push(behavior),
                    Err(reason) => rejected.push(Rejected::new(text, file, reason)),
                }
            });
            match next {
                Ok(true) => {}
                Ok(false) => return Ok(read),
                Err(error) if read == 0 => return Err(error),
                Err(error) => {
                    self.postponed = Some(error);
                    return Ok(read);
                }
            }
        }
        Ok(n)
    }

    /// The name of a file, as messages write it.
    ///
    /// # Panics
    /// If `file` is no [`Line::file`] of this log.
    pub fn file_name(&self, file: u32) -> &str {
        &self.events.files[file as usize].name
    }

    /// Bytes read so far, before decompression.
    pub fn bytes_read(&self) -> u64 {
        self.events.progress.load(Ordering::Relaxed)
    }

    /// Bytes of all files; `None` if one of them has no length (standard input, a pipe).
    pub fn bytes_total(&self) -> Option<u64> {
        self.events.files.iter().map(|file| file.length).sum()
    }
}

/// An event log as a stream of events whose names are not looked up.
pub(crate) struct Events {
    files: Vec<LogFile>,
    /// Index of the file being read.
    current: usize,
    /// The file being read; `None` before it is opened.
    open: Option<Open>,
    line: Text,
    progress: Arc<AtomicU64>,
}

struct LogFile {
    path: PathBuf,
    name: String,
    /// Bytes, where it is a regular file.
    length: Option<u64>,
    /// What was opened at the check and cannot be opened again.
    pipe: Option<Open>,
}

struct Open {
    lines: Lines,
    format: Format,
}

#[derive(Clone, Copy)]
enum Format {
    JsonLines,
    /// `None`: a CSV file without a header, so without any line.
    Csv(Option<Columns>),
}

impl Events {
    /// Opens a log; see [`EventLog::open`].
    pub fn open(files: &[PathBuf]) -> Result<Self, SourceError> {
        let progress = Arc::new(AtomicU64::new(0));
        let mut log = Vec::with_capacity(files.len());
        for path in files {
            let name = display_name(path);
            let unreadable = |error| SourceError::Unreadable {
                file: display_name(path),
                error,
            };
            let stdin = path == Path::new("-");
            if stdin && log.iter().any(|file: &LogFile| file.path == *path) {
                return Err(SourceError::StdinTwice);
            }
            let metadata = if stdin {
                None
            } else {
                Some(fs::metadata(path).map_err(unreadable)?)
            };
            if metadata.as_ref().is_some_and(fs::Metadata::is_dir) {
                return Err(unreadable(std::io::ErrorKind::IsADirectory.into()));
            }
            let regular = metadata.filter(fs::Metadata::is_file);
            let pipe = if regular.is_some() {
                // Opened once to check it, and again when its turn comes: a log may be of more files than may be open.
                Open::new(path, &name, true, Arc::default())?;
                None
            } else {
                Some(Open::new(path, &name, false, progress.clone())?)
            };
            log.push(LogFile {
                path: path.clone(),
                name,
                length: regular.map(|file| file.len()),
                pipe,
            });
        }
        Ok(Events {
            files: log,
            current: 0,
            open: None,
            line: Text::default(),
            progress,
        })
    }

    /// Reads the next counted line and gives `take` its event (or what is wrong with it), its place, its text and the
    /// file's name. Returns false at the end of the log.
    pub fn next(
        &mut self,
        timezone: &TimeZone,
        take: impl FnOnce(Result<Event<'_>, String>, Line, &Text, &str),
    ) -> Result<bool, SourceError> {
        while self.current < self.files.len() {
            let file = &mut self.files[self.current];
            let open = match &mut self.open {
                Some(open) => open,
                none => {
                    let opened = match file.pipe.take() {
                        Some(pipe) => Ok(pipe),
                        None => Open::new(&file.path, &file.name, true, self.progress.clone()),
                    };
                    if opened.is_err() {
                        self.current += 1;
                    }
                    none.insert(opened?)
                }
            };
            match open.lines.read(&mut self.line) {
                Err(error) => {
                    let line = open.lines.number();
                    let file = file.name.clone();
                    self.finish_file();
                    return Err(SourceError::Broken { file, line, error });
                }
                Ok(false) => self.finish_file(),
                Ok(true) if self.line.is_blank() && !self.line.too_long => {}
                Ok(true) => {
                    let place = Line {
                        file: self.current as u32,
                        line: self.line.number,
                    };
                    match open.format {
                        Format::JsonLines => {
                            let event = records::json(&self.line)
                                .and_then(|record| Event::check(record, timezone));
                            take(event, place, &self.line, &file.name);
                        }
                        // Without a header there is no line that could get here.
                        Format::Csv(None) => continue,
                        Format::Csv(Some(columns)) => {
                            let first = std::mem::take(&mut self.line);
                            let record = CsvRecord::complete(first, &mut open.lines);
                            let event = record
                                .fields(&columns)
                                .and_then(|fields| Event::check(fields, timezone));
                            take(event, place, &record.text, &file.name);
                            // Its buffer serves again.
                            self.line = record.text;
                        }
                    }
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn finish_file(&mut self) {
        self.open = None;
        self.current += 1;
    }
}

impl Open {
    /// Opens a file and finds its format: by its name where that is `named`, else by its first character. Reads the
    /// header of a CSV file.
    fn new(
        path: &Path,
        name: &str,
        named: bool,
        progress: Arc<AtomicU64>,
    ) -> Result<Self, SourceError> {
        let unreadable = |error| SourceError::Unreadable {
            file: name.to_owned(),
            error,
        };
        // A name without an ending (a spooled copy of standard input, say) tells nothing; then the content does.
        let by_name = if named && path.extension().is_some() {
            Some(is_csv(path).ok_or_else(|| SourceError::UnknownFormat {
                file: name.to_owned(),
            })?)
        } else {
            None
        };
        let mut lines = Lines::open(path, progress).map_err(unreadable)?;
        let csv = match by_name {
            Some(csv) => csv,
            None => lines
                .first_byte()
                .map_err(unreadable)?
                .is_some_and(|b| b != b'{'),
        };
        if !csv {
            return Ok(Open {
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
                let columns = Columns::parse(&header).map_err(|reason| SourceError::Header {
                    file: name.to_owned(),
                    line: header.number,
                    reason,
                })?;
                break Some(columns);
            }
        };
        Ok(Open {
            lines,
            format: Format::Csv(columns),
        })
    }
}

/// Whether a name says CSV (true) or JSON Lines (false); `None` if neither.
fn is_csv(path: &Path) -> Option<bool> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let bare = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"));
    match bare.unwrap_or(&name).rsplit_once('.')?.1 {
        "csv" => Some(true),
        "jsonl" | "ndjson" | "json" => Some(false),
        _ => None,
    }
}
