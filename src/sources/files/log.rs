//! Event logs: several files, read in the order given, as one log.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use hearth_operators::words::{Behavior, HomeId, Line};

use super::ahead::Ahead;
use super::event::Event;
use super::events::{Events, Skips};
use super::learnt::{Learnt, Standing};
use super::manner::{Manner, Met};
use super::opened::Open;
use super::options::Options;
use super::plain::{Found, Read};
use super::text::Text;
use super::twice::Twice;
use super::{Rejected, SourceError, told};
use crate::cluster::Share;
use crate::growing::Growing;
use crate::sources::source::{Position, Told};
use crate::time::Basis;

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
    /// By how many threads files of text are read ahead, if by any.
    ahead: Option<Ahead>,
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
            ahead: None,
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

    /// Has files of text be read by so many threads beside this one, if that is more than one. What is read does not depend on it.
    #[must_use]
    pub fn ahead(self, threads: usize) -> Self {
        match threads > 1 {
            true => self.by(Ahead::by(threads)),
            false => self,
        }
    }

    /// Has files of text be read ahead like this.
    pub(super) fn by(self, ahead: Ahead) -> Self {
        EventLog {
            ahead: Some(ahead),
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

    /// A home by its name, if any line has named it.
    pub fn home(&self, name: &str) -> Option<HomeId> {
        self.options.homes.find(name)
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
        let first = self.share.is_none_or(Share::is_first);
        while let Some((file, (name, tells), open)) = self.events.current()? {
            let read = match open {
                Open::Packed(log) => {
                    let before = rejected.len();
                    let Options {
                        catalogs, homes, ..
                    } = &self.options;
                    let read = log.read(n, (catalogs, homes), (file, name), behaviors, rejected)?;
                    let line = log.line();
                    self.last = Line { file, line };
                    if read > 0 {
                        self.manner.times(log.is_utc());
                    }
                    self.hear_packed(before, rejected);
                    if !first {
                        rejected.truncate(before);
                    }
                    read
                }
                Open::Parquet(log) => {
                    let read = log.advance(name)?;
                    if read {
                        let line = log.line();
                        self.last = Line { file, line };
                        let mut known = Known {
                            options: &self.options,
                            manner: &self.manner,
                            twice: &mut self.twice,
                            learnt: self.learnt.as_ref(),
                        };
                        match known.behavior(log.event(tells, &self.options.zones), self.last) {
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
                    if self.is_lacking() {
                        return Ok(0);
                    }
                    let read = self.read_plain(n, behaviors);
                    if read > 0 {
                        return Ok(read);
                    }
                    match self.read_line(first, behaviors, rejected)? {
                        Some(read) => usize::from(read),
                        None => return Ok(0),
                    }
                }
            };
            if read > 0 || self.events.grows() {
                return Ok(read);
            }
            self.events.finish_file();
        }
        Ok(0)
    }

    /// What people say is packed as what it is not, an event; takes it out of the lines refused behind the first so many, of which it is
    /// the last that was read.
    fn hear_packed(&mut self, before: usize, rejected: &mut Vec<Rejected>) {
        let Some(last) = rejected.get(before..).and_then(<[Rejected]>::last) else {
            return;
        };
        let Some(said) = told::say(&Text::of(&last.line), self.last, &self.options) else {
            return;
        };
        match (said, rejected.pop()) {
            (Ok(notice), _) => self.told.hear(notice),
            (Err((of, reason)), Some(line)) => self.told.refuse(of, Rejected { reason, ..line }),
            (Err(_), None) => {}
        }
    }

    /// Takes the lines that come next, at most `n`, as far as they were read ahead and are plain.
    fn read_plain(&mut self, n: usize, behaviors: &mut Vec<Behavior>) -> usize {
        let Some(ahead) = self.ahead else { return 0 };
        let lines = self.events.ahead(ahead, &self.options, self.share);
        let Some((file, lines)) = lines else { return 0 };
        let mut read = 0;
        while read < n
            && let Some(found) = lines.found()
        {
            let line = lines.number();
            self.last = Line { file, line };
            if let Found::Event(Read {
                mut behavior,
                met,
                by_clock,
            }) = found
            {
                if by_clock {
                    self.twice.passes(behavior.home);
                }
                self.manner.event(met);
                behavior.line = self.last;
                behaviors.push(behavior);
            }
            read += 1;
        }
        let behind = lines.behind();
        if read > 0 {
            self.events.behind = behind;
        }
        read
    }

    /// Reads a line of a file of text; whether there is one, and nothing where it names what was not learnt. `first`: lines that do
    /// not say whose they are count here.
    fn read_line(
        &mut self,
        first: bool,
        behaviors: &mut Vec<Behavior>,
        rejected: &mut Vec<Rejected>,
    ) -> Result<Option<bool>, SourceError> {
        let (options, share) = (&self.options, self.share);
        let own = |home: Option<HomeId>| share.zip(home).map(|(s, home)| s.place(home).is_some());
        let (told, last, mut lacks) = (&mut self.told, &mut self.last, false);
        let before = self.events.behind;
        let answers = Cell::new(first);
        let skips = |home: &str| {
            let own = own(options.homes.find(home));
            answers.set(own.unwrap_or(first));
            own == Some(false)
        };
        let skips: Option<Skips<'_>> = share.is_some().then_some(&skips);
        let mut known = Known {
            options,
            manner: &self.manner,
            twice: &mut self.twice,
            learnt: self.learnt.as_ref(),
        };
        let read = self
            .events
            .line(&options.zones, skips, |event, line, text, file| {
                let before = std::mem::replace(last, line);
                let Some(event) = event else { return };
                match known.behavior(event, line) {
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
            self.learnt.iter().for_each(Learnt::lack);
            return Ok(None);
        }
        Ok(Some(read))
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

/// By what an event is known for a behaviour.
struct Known<'a> {
    options: &'a Options,
    manner: &'a Manner,
    twice: &'a mut Twice,
    learnt: Option<&'a Learnt>,
}

impl Known<'_> {
    /// The behaviour of an event. Without a reason: it names what is new.
    fn behavior(
        &mut self,
        event: Result<Event<'_>, String>,
        line: Line,
    ) -> Result<Behavior, Option<String>> {
        let Options {
            catalogs,
            homes,
            zones,
            keys: _,
        } = self.options;
        let mut event = event?;
        let home = homes.find(&event.home);
        let catalog = home.map_or(catalogs.others(), |home| catalogs.of(home));
        let standing = self.learnt.map(|learnt| learnt.standing(home));
        let action = event.action(catalog);
        let new = match standing.unwrap_or(Standing::Given) {
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
            let (read, zone) = ((event.time, event.offset), zones.civil(&event.home));
            (event.time, event.offset) = self.twice.settle(home, read, zone);
        }
        self.manner.event(Met::of(&event));
        Ok(event.behavior(home, action, line))
    }
}
