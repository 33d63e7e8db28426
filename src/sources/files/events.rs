//! The files of a log, opened and stepped through one after the other: events whose names are not looked up.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hearth_operators::words::Line;

use super::ahead::Ahead;
use super::csv_record::CsvRecord;
use super::event::Event;
use super::lines::{self, Behind, Lines};
use super::of_path::OfPath;
use super::opened::Open;
use super::options::Options;
use super::plain::Plain;
use super::records::{self, Format, Record};
use super::text::Text;
use super::{SourceError, display_name};
use crate::cluster::Share;
use crate::config::Keys;
use crate::growing::Growing;
use crate::nfc;
use crate::sources::source::Position;
use crate::zones::Zones;

/// An event log as a stream of events whose names are not looked up.
pub(crate) struct Events {
    pub(super) files: Vec<LogFile>,
    /// Index of the file being read.
    current: usize,
    /// The file being read; `None` before it is opened.
    pub(super) open: Option<Open>,
    line: Text,
    /// How far the file of text is read that was read last.
    pub(super) behind: Behind,
    /// Which one that is.
    text: u32,
    progress: Arc<AtomicU64>,
    keys: Keys,
}

/// One of the files.
pub(super) struct LogFile {
    path: PathBuf,
    pub name: String,
    tells: OfPath,
    /// Bytes, where it is a regular file.
    pub length: Option<u64>,
    /// What was opened at the check and cannot be opened again.
    pipe: Option<Open>,
    /// Of one that is appended to: how far it may be read.
    growing: Option<Growing>,
}

/// The file being read.
pub(super) type Current<'a> = (u32, (&'a str, &'a OfPath), &'a mut Open);

/// Says of a home, as a line names it, whether lines of it are skipped.
pub(super) type Skips<'a> = &'a dyn Fn(&str) -> bool;

/// Whether a record is of a home that is skipped: where it is written so that nothing else can be meant.
fn is_skipped(record: &Record<'_>, skips: Option<Skips<'_>>) -> bool {
    match (skips, record.home.0.as_deref()) {
        (Some(skips), Some(home)) => nfc::is_composed(home) && skips(home),
        _ => false,
    }
}

impl Events {
    /// Opens a log; see [`EventLog::open`](super::EventLog::open).
    pub fn open(files: &[PathBuf], keys: &Keys) -> Result<Self, SourceError> {
        let progress = Arc::new(AtomicU64::new(0));
        let mut log = Vec::with_capacity(files.len());
        for path in files {
            let name = display_name(path);
            let tells = OfPath::read(path, keys);
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
                Open::new(path, (&name, true), (keys, &tells), Arc::default())?;
                None
            } else {
                let shape = (keys, &tells);
                Some(Open::new(path, (&name, false), shape, progress.clone())?)
            };
            log.push(LogFile {
                path: path.clone(),
                name,
                tells,
                length: regular.map(|file| file.len()),
                pipe,
                growing: None,
            });
        }
        Ok(Events::of(log, keys.clone(), progress))
    }

    fn of(files: Vec<LogFile>, keys: Keys, progress: Arc<AtomicU64>) -> Self {
        Events {
            files,
            current: 0,
            open: None,
            line: Text::default(),
            behind: Behind::default(),
            text: 0,
            progress,
            keys,
        }
    }

    /// Opens a log of JSON Lines that is appended to; see [`EventLog::grows`](super::EventLog::grows).
    pub fn grow(file: &Path, keys: &Keys, growing: &Growing) -> Result<Self, SourceError> {
        let progress = Arc::default();
        let name = display_name(file);
        let open = Open::growing(&name, growing, &progress)?;
        let behind = open.behind();
        let file = LogFile {
            path: file.to_owned(),
            name,
            tells: OfPath::default(),
            length: None,
            pipe: Some(open),
            growing: Some(growing.clone()),
        };
        let events = Events::of(vec![file], keys.clone(), progress);
        Ok(Events { behind, ..events })
    }

    /// Whether the file being read is appended to.
    pub(super) fn grows(&self) -> bool {
        let file = self.files.get(self.current);
        file.is_some_and(|file| file.growing.is_some())
    }

    /// Where a log that was read to its end is read on when it has grown; what is not text does not grow.
    pub fn end(&self) -> Position {
        let line = self.behind.number;
        let file = self.text;
        self.position(Line { file, line })
    }

    /// How far the log is read, this being the last line.
    pub fn position(&self, last: Line) -> Position {
        let Line { file, line } = last;
        let Behind {
            offset,
            number,
            unended,
        } = self.behind;
        Position {
            file,
            line,
            bytes: self.progress.load(Ordering::Relaxed),
            offset,
            number,
            unended,
            ..Position::default()
        }
    }

    /// As [`EventLog::go_to`](super::EventLog::go_to).
    pub fn go_to(&mut self, position: Position) -> Result<(), SourceError> {
        if position.line == 0 {
            return Ok(());
        }
        self.finish_file();
        self.current = position.file as usize;
        let before = self.files.iter().take(self.current);
        let before: u64 = before.filter_map(|file| file.length).sum();
        let progress = self.progress.clone();
        progress.store(before, Ordering::Relaxed);
        let file = self.files.get(self.current);
        let file = file.map(|file| (file.path.clone(), file.growing.clone()));
        let (Some((path, growing)), Some((_, (name, _), open))) = (file, self.current()?) else {
            return Ok(());
        };
        let unreadable = |error| SourceError::Unreadable {
            file: name.to_owned(),
            error,
        };
        match open {
            Open::Packed(log) => log.go_to(position.line),
            Open::Parquet(log) => log.go_to(position.line, name)?,
            Open::Text { lines, .. } => {
                let behind = Behind {
                    offset: position.offset,
                    number: position.number,
                    unended: position.unended,
                };
                let input = match growing {
                    Some(growing) => lines::growing(&growing, progress),
                    None => lines::input(&path, progress).map_err(unreadable)?,
                };
                lines.go_to(behind, input).map_err(unreadable)?;
                self.behind = behind;
                self.text = position.file;
            }
        }
        self.progress.store(position.bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Reads the next counted line and gives `take` its event (or what is wrong with it). Returns false at the end of
    /// the log.
    pub fn next(
        &mut self,
        zones: &Zones,
        take: impl FnOnce(Result<Event<'_>, String>),
    ) -> Result<bool, SourceError> {
        let mut take = Some(take);
        let mut give = |event: Result<Event<'_>, String>| {
            if let Some(take) = take.take() {
                take(event);
            }
        };
        while let Some((_, (name, tells), open)) = self.current()? {
            let read = match open {
                Open::Packed(log) => log.next(name, |event| give(event.map_err(|r| r.reason)))?,
                Open::Parquet(log) => {
                    let read = log.advance(name)?;
                    if read {
                        give(log.event(tells, zones));
                    }
                    read
                }
                Open::Text { .. } => self.line(zones, None, |event, _, _, _| {
                    event.into_iter().for_each(&mut give);
                })?,
            };
            if read {
                return Ok(true);
            }
            self.finish_file();
        }
        Ok(false)
    }

    /// The file being read, opened: its index, its name and what its path tells, and its reader. `None` at the end of the log.
    pub(super) fn current(&mut self) -> Result<Option<Current<'_>>, SourceError> {
        let Some(file) = self.files.get_mut(self.current) else {
            return Ok(None);
        };
        if self.open.is_none() {
            let opened = match file.pipe.take() {
                Some(pipe) => Ok(pipe),
                None => {
                    let shape = (&self.keys, &file.tells);
                    let named = (&*file.name, true);
                    Open::new(&file.path, named, shape, self.progress.clone())
                }
            };
            match opened {
                Ok(open) => self.open = Some(open),
                Err(error) => {
                    self.current += 1;
                    return Err(error);
                }
            }
        }
        let open = self.open.as_mut();
        let of = (&*file.name, &file.tells);
        Ok(open.map(|open| (self.current as u32, of, open)))
    }

    /// Reads the next counted line of the file being read, a file of text, and gives `take` its event (or what is wrong
    /// with it), its place, its text and the file's name; no event where the line clearly is of a home that is skipped. Returns false
    /// at the end of the file.
    pub(super) fn line(
        &mut self,
        zones: &Zones,
        skips: Option<Skips<'_>>,
        take: impl FnOnce(Option<Result<Event<'_>, String>>, Line, &Text, &str),
    ) -> Result<bool, SourceError> {
        let file = self.current as u32;
        let (Some(LogFile { name, tells, .. }), Some(Open::Text { lines, format })) =
            (self.files.get(self.current), &mut self.open)
        else {
            return Ok(false);
        };
        loop {
            match lines.read(&mut self.line) {
                Err(error) => {
                    let broken = SourceError::Broken {
                        file: name.clone(),
                        line: lines.number(),
                        error,
                    };
                    self.finish_file();
                    return Err(broken);
                }
                Ok(false) => return Ok(false),
                Ok(true) if self.line.is_blank() && !self.line.too_long => {}
                Ok(true) if self.line.is_mark() && matches!(format, Format::JsonLines) => {}
                Ok(true) => break,
            }
        }
        let line = self.line.number;
        let place = Line { file, line };
        self.text = file;
        match format {
            Format::JsonLines => {
                let usual = records::usual(&self.line, &self.keys);
                let skipped = usual
                    .as_ref()
                    .is_some_and(|record| is_skipped(record, skips));
                let event = (!skipped).then(|| {
                    let record = match usual {
                        Some(record) => Ok(record),
                        None => records::thorough(&self.line, &self.keys),
                    };
                    record.and_then(|record| Event::check(record, tells, zones))
                });
                self.behind = lines.behind();
                take(event, place, &self.line, name);
            }
            // Without a header there is no line that could get here.
            Format::Csv(None) => return Ok(false),
            Format::Csv(Some(columns)) => {
                let first = std::mem::take(&mut self.line);
                let record = CsvRecord::complete(first, lines, columns);
                self.behind = lines.behind();
                let fields = record.fields(columns);
                let known = fields.as_ref().ok();
                let skipped = known.is_some_and(|fields| is_skipped(fields, skips));
                let event = (!skipped)
                    .then(|| fields.and_then(|fields| Event::check(fields, tells, zones)));
                take(event, place, &record.text, name);
                // Its buffer serves again.
                self.line = record.text;
            }
        }
        Ok(true)
    }

    /// The lines of the file being read, read ahead where that is a file of text on a disk that is worth it: its index, and they.
    pub(super) fn ahead(
        &mut self,
        ahead: Ahead,
        options: &Options,
        share: Option<Share>,
    ) -> Option<(u32, &mut Lines)> {
        let (index, file) = (self.current as u32, self.files.get(self.current)?);
        let Some(Open::Text { lines, format }) = &mut self.open else {
            return None;
        };
        if !lines.is_ahead() {
            if file
                .length
                .is_none_or(|length| length <= ahead.block as u64)
            {
                return None;
            }
            let plain = Plain {
                options: options.clone(),
                share,
                format: *format,
                tells: file.tells.clone(),
                file: index,
            };
            lines.read_ahead(ahead, plain);
        }
        self.text = index;
        Some((index, lines))
    }

    pub(super) fn finish_file(&mut self) {
        self.open = None;
        self.current += 1;
    }
}
