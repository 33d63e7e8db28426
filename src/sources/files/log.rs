//! Event logs: several files, read in the order given, as one log.

use std::cell::Cell;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hearth_operators::words::{Behavior, HomeId, Line};

use super::event::Event;
use super::learnt::{Learnt, Standing};
use super::lines::{self, Behind, Lines, Text};
use super::manner::Manner;
use super::of_path::OfPath;
use super::options::Options;
use super::packed::{MAGIC, PackReader};
use super::parquet::{self, ParquetReader};
use super::records::{self, Columns, CsvRecord, Record};
use super::twice::Twice;
use super::{Rejected, SourceError, display_name, told};
use crate::cluster::Share;
use crate::config::Keys;
use crate::growing::Growing;
use crate::home_names::HomeNames;
use crate::nfc;
use crate::sources::source::{Position, Told};
use crate::time::Basis;
use crate::zones::Zones;

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
///     catalogs: hearth_operators::words::Catalogs::shared(std::sync::Arc::new(serde_json::from_str(catalog)?)),
///     homes: Default::default(),
///     zones: hearth::zones::Zones::new(None),
///     keys: Default::default(),
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
    /// How it is written.
    manner: Manner,
    /// Which of two hours local times are of.
    twice: Twice,
    /// An error met after some lines of a call: the next call returns it.
    postponed: Option<SourceError>,
    /// What people say, read since it was last taken.
    told: Told,
    /// The last line read.
    last: Line,
    /// Of a log that grows: whose vocabulary grows with it.
    learnt: Option<Learnt>,
    /// Of a log that several processes read: which homes are this one's.
    share: Option<Share>,
}

impl EventLog {
    /// Opens files, `-` being standard input. Before any work, each one's existence, format and (CSV) header are checked.
    ///
    /// # Errors
    /// The first file that is missing, unreadable, of unknown format or without a usable header.
    pub fn open(files: &[PathBuf], options: Options) -> Result<Self, SourceError> {
        Ok(EventLog {
            events: Events::open(files, &options.keys)?,
            options,
            manner: Manner::default(),
            twice: Twice::default(),
            postponed: None,
            told: Told::default(),
            last: Line { file: 0, line: 0 },
            learnt: None,
            share: None,
        })
    }

    /// Opens a log of JSON Lines that is appended to: where it ends for now, a call reads nothing, and a later one may. Before a line
    /// that names what was not `learnt`, it is read no further.
    ///
    /// # Errors
    /// It is missing or unreadable.
    pub fn grows(
        file: &Path,
        growing: &Growing,
        options: Options,
        learnt: Option<Learnt>,
    ) -> Result<Self, SourceError> {
        Ok(EventLog {
            events: Events::grow(file, &options.keys, growing)?,
            learnt,
            ..Self::open(&[], options)?
        })
    }

    /// Gives of the log only what this process answers for: behaviours of its homes, and lines that are none where they name a home
    /// of its own; the first one answers for those that do not say clearly whose they are. All lines count as read, so that
    /// processes agree on what an epoch is, and homes get the same ids in each.
    #[must_use]
    pub fn shared(self, share: Share) -> Self {
        EventLog {
            share: Some(share),
            ..self
        }
    }

    /// Of a log that grows: whether it was read up to something that was not learnt.
    pub fn is_lacking(&self) -> bool {
        self.learnt.as_ref().is_some_and(Learnt::is_lacking)
    }

    /// Of a log that grows: how far its bytes were read.
    pub fn bytes_read(&self) -> u64 {
        match &self.events.open {
            Some(Open::Text { lines, .. }) => lines.behind().offset,
            _ => 0,
        }
    }

    /// Reads up to `n` lines, appending a behaviour or a reject for each. Returns how many lines were read, 0 at the end.
    ///
    /// Blank lines and CSV headers are not counted; a CSV record over several lines counts once, where it starts. A line of what
    /// people say counts, and is kept for [`EventLog::told`]; an erasure is the last line that is read.
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
        let first = behaviors.len();
        let read = self.read_all(n, behaviors, rejected);
        if let Some(share) = self.share {
            let mut place = 0;
            behaviors.retain(|behavior| {
                place += 1;
                place <= first || share.place(behavior.home).is_some()
            });
        }
        self.settle(&mut behaviors[first..]);
        read
    }

    /// Takes what people say in the lines that were read.
    pub fn told(&mut self) -> Told {
        std::mem::take(&mut self.told)
    }

    /// Tells, also once the log is read elsewhere, how it is written.
    pub fn manner(&self) -> Manner {
        self.manner.clone()
    }

    /// Gives instants the offset that their homes' clocks show.
    fn settle(&mut self, behaviors: &mut [Behavior]) {
        let zones = &self.options.zones;
        if zones.is_empty() {
            return;
        }
        for Behavior { home, moment, .. } in behaviors {
            moment.offset = zones.offset(Some(*home), moment.time, moment.offset);
        }
    }

    fn read_all(
        &mut self,
        n: usize,
        behaviors: &mut Vec<Behavior>,
        rejected: &mut Vec<Rejected>,
    ) -> Result<usize, SourceError> {
        let mut read = 0;
        while read < n && !self.told.erases() {
            match self.read_some(n - read, behaviors, rejected) {
                Ok(0) => break,
                Ok(some) => read += some,
                Err(error) if read == 0 => return Err(error),
                Err(error) => {
                    self.postponed = Some(error);
                    break;
                }
            }
        }
        Ok(read)
    }

    /// Reads at least one and at most `n` lines, where there are any.
    fn read_some(
        &mut self,
        n: usize,
        behaviors: &mut Vec<Behavior>,
        rejected: &mut Vec<Rejected>,
    ) -> Result<usize, SourceError> {
        let options = &self.options;
        let Options {
            catalogs,
            homes,
            zones,
            keys: _,
        } = options;
        let told = &mut self.told;
        let (manner, twice) = (&self.manner, &mut self.twice);
        let learnt = self.learnt.as_ref();
        let share = self.share;
        let own = |home: Option<HomeId>| share.zip(home).map(|(s, home)| s.place(home).is_some());
        let first = share.is_none_or(Share::is_first);
        // Without a reason: it names what is new.
        let mut known = |event: Result<Event<'_>, String>, line| {
            let mut event = event?;
            let home = homes.find(&event.home);
            let catalog = home.map_or(catalogs.others(), |home| catalogs.of(home));
            let standing = learnt.map_or(Standing::Given, |learnt| learnt.standing(home));
            let action = event.action(catalog);
            let new = match standing {
                Standing::Given => false,
                Standing::Learnt => action.is_err(),
                Standing::New => true,
            };
            if new && event.names().is_ok() {
                return Err(None);
            }
            let action = action?;
            let home = home.unwrap_or_else(|| homes.intern(&event.home));
            if event.how.basis == Basis::Clock {
                let read = (event.time, event.offset);
                (event.time, event.offset) = twice.settle(home, read, zones.civil(&event.home));
            }
            manner.event(&event);
            Ok(event.behavior(home, action, line))
        };
        while let Some((file, (name, tells), open)) = self.events.current()? {
            let read = match open {
                Open::Packed(log) => {
                    let before = rejected.len();
                    let read = log.read(n, (catalogs, homes), (file, name), behaviors, rejected)?;
                    if !first {
                        rejected.truncate(before);
                    }
                    if read > 0 {
                        manner.times(log.is_utc());
                    }
                    self.last = Line {
                        file,
                        line: log.line(),
                    };
                    read
                }
                Open::Parquet(log) => {
                    let read = log.advance(name)?;
                    if read {
                        let line = log.line();
                        self.last = Line { file, line };
                        let known = known(log.event(tells, zones), self.last);
                        match known {
                            Ok(behavior) => behaviors.push(behavior),
                            Err(_) if !first => {}
                            Err(reason) => {
                                rejected.push(log.rejected(name, reason.unwrap_or_default()));
                            }
                        }
                    }
                    usize::from(read)
                }
                Open::Text { .. } => {
                    if learnt.is_some_and(Learnt::is_lacking) {
                        return Ok(0);
                    }
                    let (last, mut lacks) = (&mut self.last, false);
                    let before = self.events.behind;
                    let answers = Cell::new(first);
                    let skips = |home: &str| {
                        let own = own(homes.find(home));
                        answers.set(own.unwrap_or(first));
                        own == Some(false)
                    };
                    let skips: Option<Skips<'_>> = share.is_some().then_some(&skips);
                    let read = self.events.line(zones, skips, |event, line, text, file| {
                        let before = std::mem::replace(last, line);
                        let Some(event) = event else { return };
                        match known(event, line) {
                            Ok(behavior) => behaviors.push(behavior),
                            Err(None) => (lacks, *last) = (true, before),
                            Err(Some(reason)) => match told::say(text, line, options) {
                                Some(Ok(notice)) => told.hear(notice),
                                Some(Err((of, reason))) => {
                                    told.refuse(of, Rejected::new(text, file, reason));
                                }
                                None if !answers.get() => {}
                                None => rejected.push(Rejected::new(text, file, reason)),
                            },
                        }
                    });
                    let read = read?;
                    if lacks {
                        self.events.behind = before;
                        learnt.into_iter().for_each(Learnt::lack);
                        return Ok(0);
                    }
                    usize::from(read)
                }
            };
            if read > 0 || self.events.grows() {
                return Ok(read);
            }
            self.events.finish_file();
        }
        Ok(0)
    }

    /// The name of a file, as messages write it.
    ///
    /// # Panics
    /// If `file` is no [`Line::file`] of this log.
    pub fn file_name(&self, file: u32) -> &str {
        &self.events.files[file as usize].name
    }

    /// How far the log is read.
    pub fn position(&self) -> Position {
        Position {
            remembers: self.twice.remembers(),
            ..self.events.position(self.last)
        }
    }

    /// Goes on where the log was read up to, written until then in this manner; of it nothing was read yet. What was read before is
    /// not read again, but for what must be decompressed, or where a clock stands in the hour that comes twice.
    ///
    /// # Errors
    /// The file of that position cannot be read, or ends before it.
    pub fn go_to(&mut self, position: Position, manner: Manner) -> Result<(), SourceError> {
        let Position { file, line, .. } = position;
        self.manner = manner;
        let behind = Line { file, line };
        if position.remembers {
            return self.read_up_to(behind);
        }
        self.last = behind;
        self.events.go_to(position)
    }

    /// Reads lines into nothing: they were read before, and so was what breaks off among them.
    fn read_up_to(&mut self, line: Line) -> Result<(), SourceError> {
        let (mut behaviors, mut rejected) = (Vec::new(), Vec::new());
        while self.last < line {
            match self.read(1, &mut behaviors, &mut rejected) {
                Ok(0) => break,
                Ok(_) | Err(SourceError::Broken { .. } | SourceError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
            behaviors.clear();
            rejected.clear();
            self.told = Told::default();
        }
        Ok(())
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
    /// How far the file of text is read that was read last.
    behind: Behind,
    /// Which one that is.
    text: u32,
    progress: Arc<AtomicU64>,
    keys: Keys,
}

struct LogFile {
    path: PathBuf,
    name: String,
    tells: OfPath,
    /// Bytes, where it is a regular file.
    length: Option<u64>,
    /// What was opened at the check and cannot be opened again.
    pipe: Option<Open>,
    /// Of one that is appended to: how far it may be read.
    growing: Option<Growing>,
}

/// The file being read.
type Current<'a> = (u32, (&'a str, &'a OfPath), &'a mut Open);

/// Says of a home, as a line names it, whether lines of it are skipped.
type Skips<'a> = &'a dyn Fn(&str) -> bool;

/// Whether a record is of a home that is skipped: where it is written so that nothing else can be meant.
fn is_skipped(record: &Record<'_>, skips: Option<Skips<'_>>) -> bool {
    match (skips, record.home.0.as_deref()) {
        (Some(skips), Some(home)) => nfc::is_composed(home) && skips(home),
        _ => false,
    }
}

enum Open {
    Text { lines: Lines, format: Format },
    Packed(Box<PackReader>),
    Parquet(Box<ParquetReader>),
}

#[derive(Clone, Copy)]
enum Format {
    JsonLines,
    /// `None`: a CSV file without a header, so without any line.
    Csv(Option<Columns>),
}

impl Events {
    /// Opens a log; see [`EventLog::open`].
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

    /// Opens a log of JSON Lines that is appended to; see [`EventLog::grows`].
    pub fn grow(file: &Path, keys: &Keys, growing: &Growing) -> Result<Self, SourceError> {
        let progress = Arc::default();
        let name = display_name(file);
        let open = Open::growing(file, &name, growing, &progress)?;
        let file = LogFile {
            path: file.to_owned(),
            name,
            tells: OfPath::default(),
            length: None,
            pipe: Some(open),
            growing: Some(growing.clone()),
        };
        Ok(Events::of(vec![file], keys.clone(), progress))
    }

    /// Whether the file being read is appended to.
    fn grows(&self) -> bool {
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

    /// As [`EventLog::go_to`].
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
                    Some(growing) => lines::growing(&path, growing, progress),
                    None => lines::input(&path, progress),
                };
                let input = input.map_err(unreadable)?;
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
    fn current(&mut self) -> Result<Option<Current<'_>>, SourceError> {
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
    fn line(
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

    fn finish_file(&mut self) {
        self.open = None;
        self.current += 1;
    }
}

impl Open {
    /// Opens a log of JSON Lines that is appended to.
    fn growing(
        path: &Path,
        name: &str,
        growing: &Growing,
        progress: &Arc<AtomicU64>,
    ) -> Result<Self, SourceError> {
        let input = lines::growing(path, growing.clone(), progress.clone());
        let lines = input.and_then(Lines::new);
        let lines = lines.map_err(|error| SourceError::Unreadable {
            file: name.to_owned(),
            error,
        })?;
        let format = Format::JsonLines;
        Ok(Open::Text { lines, format })
    }

    /// Opens a file and finds its format: by its name where that is `named`, else by its first character. Reads the
    /// header of a CSV file.
    fn new(
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

/// Hands on the lines of logs, in the order given: events with the times, offsets and ids that they have, names as they are
/// written, and the lines that are no event with the reason. Returns how many of each kind.
///
/// # Errors
/// A log breaks off, or `give` fails.
pub(crate) fn copy(
    files: &[PathBuf],
    (zones, keys): (&Zones, &Keys),
    mut give: impl FnMut(Result<Event<'_>, Rejected>) -> io::Result<()>,
) -> Result<(u64, u64), SourceError> {
    let mut events = Events::open(files, keys)?;
    let (homes, mut twice) = (HomeNames::default(), Twice::default());
    let (mut copied, mut refused) = (0, 0);
    let mut failed = Ok(());
    while let Some((_, (name, tells), open)) = events.current()? {
        let name = name.to_owned();
        let mut take = |mut event: Result<Event<'_>, Rejected>| {
            if let Ok(event) = &mut event
                && event.how.basis == Basis::Clock
            {
                let (home, read) = (homes.intern(&event.home), (event.time, event.offset));
                (event.time, event.offset) = twice.settle(home, read, zones.civil(&event.home));
            }
            *(if event.is_ok() {
                &mut copied
            } else {
                &mut refused
            }) += 1;
            let given = give(event);
            if failed.is_ok() {
                failed = given;
            }
        };
        let more = match open {
            Open::Packed(log) => log.next(&name, take)?,
            Open::Parquet(log) => {
                let more = log.advance(&name)?;
                if more {
                    take(
                        log.event(tells, zones)
                            .map_err(|reason| log.rejected(&name, reason)),
                    );
                }
                more
            }
            Open::Text { .. } => events.line(zones, None, |event, _, text, file| {
                let event = event.into_iter();
                event.for_each(|event| {
                    take(event.map_err(|reason| Rejected::new(text, file, reason)));
                });
            })?,
        };
        if let Err(error) = failed {
            return Err(SourceError::Unwritten(error));
        }
        if !more {
            events.finish_file();
        }
    }
    Ok((copied, refused))
}

/// Whether a file's name is that of a log.
pub(in crate::sources) fn is_log(file: &Path) -> bool {
    let ends = |with: &str| {
        file.extension()
            .is_some_and(|e| e.eq_ignore_ascii_case(with))
    };
    is_csv(file).is_some() || ends("parquet") || ends("hlog")
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
fn is_csv(path: &Path) -> Option<bool> {
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
