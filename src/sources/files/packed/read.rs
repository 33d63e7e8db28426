//! Reading a packed log: a block at a time, each checked before anything of it is believed.

use std::io::{self, BufRead, BufReader};
use std::ops::Range;

use hearth_operators::words::{ActionId, Behavior, Catalogs, HomeId, Line, Moment, Time};

use super::super::event::{Event, How, POSSIBLE};
use super::super::lines::Input;
use super::super::records::Shown;
use super::super::{Rejected, SourceError};
use super::{ACTIONS, Bytes, END, EVENTS, HEADER, HOMES, Header, LINES, MOST_EAST};
use crate::home_names::HomeNames;
use crate::time;

/// Reads a packed log, its magic already taken.
pub(crate) struct PackReader {
    input: BufReader<Input>,
    /// Blocks begun so far.
    blocks: u64,
    /// The dictionary of homes; `None` for a name that was lost.
    homes: Vec<Option<Box<str>>>,
    /// The dictionary of actions.
    actions: Vec<Option<ActionName>>,
    known: Known,
    block: Decoded,
    stored: Vec<u8>,
    raw: Vec<u8>,
    decompressor: Option<zstd::bulk::Decompressor<'static>>,
    /// A header that was found in place of a damaged one: the next to be read.
    found: Option<[u8; HEADER]>,
    /// Whether the block that ends the file was read, or is known to be missing.
    ended: bool,
    /// Lines up to this one were read before; 0: none.
    until: u64,
    /// The least number that the next block of lines may begin with.
    next: u64,
}

struct ActionName {
    /// Before the action: its device, where a field of its own named it.
    device: Option<Box<str>>,
    name: Box<str>,
}

/// What the names of the dictionaries came to, once they were looked up. It is asked for every event, so it is small beside the
/// dictionaries, and found by position.
#[derive(Default)]
struct Known {
    /// By home of the dictionary.
    homes: Vec<Option<HomeId>>,
    /// By catalog and action of the dictionary.
    actions: Vec<Vec<Option<ActionId>>>,
}

impl Known {
    #[inline]
    fn find(&self, home: u32, action: u32, catalogs: &Catalogs) -> Option<(HomeId, ActionId)> {
        let home = (*self.homes.get(home as usize)?)?;
        let actions = self.actions.get(catalogs.place_of(home))?;
        Some((home, (*actions.get(action as usize)?)?))
    }

    #[cold]
    fn keep(&mut self, (home, action): (u32, u32), catalogs: &Catalogs, known: (HomeId, ActionId)) {
        fn at<T: Default>(of: &mut Vec<T>, place: usize) -> &mut T {
            if of.len() <= place {
                of.resize_with(place + 1, T::default);
            }
            &mut of[place]
        }
        let actions = at(&mut self.actions, catalogs.place_of(known.0));
        *at(actions, action as usize) = Some(known.1);
        *at(&mut self.homes, home as usize) = Some(known.0);
    }
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
    /// Whether all are none.
    utc: bool,
    /// Empty, or one each.
    ids: Vec<Option<Box<str>>>,
    /// In order; taken from the front.
    rejected: std::collections::VecDeque<(u32, String, String)>,
}

impl PackReader {
    pub fn new(input: Input) -> Self {
        PackReader {
            input: BufReader::with_capacity(1 << 18, input),
            blocks: 0,
            homes: Vec::new(),
            actions: Vec::new(),
            known: Known::default(),
            block: Decoded::default(),
            stored: Vec::new(),
            raw: Vec::new(),
            decompressor: None,
            found: None,
            ended: false,
            until: 0,
            next: 0,
        }
    }

    /// Goes on behind a line. Blocks that end before it are passed over, but for the names in them.
    pub fn go_to(&mut self, line: u64) {
        self.until = line;
    }

    /// Reads up to `n` lines, looking names up among the homes and in their catalogs. Returns how many; 0 at the end. One that was no event
    /// where it was packed is the last that is read.
    ///
    /// # Errors
    /// A block is damaged: what stands in it is lost, the next call goes on behind it.
    pub fn read(
        &mut self,
        n: usize,
        (catalogs, homes): (&Catalogs, &HomeNames),
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
            if let Some((text, reason)) = self.block.next_rejected() {
                rejected.push(refused(text, (name, line), reason));
                return Ok(read + 1);
            }
            let events = self.block.next_events(n - read);
            read += events.len();
            for (event, line) in events.zip(line..) {
                let place = Line { file, line };
                match self.look_up(event, catalogs, homes) {
                    Ok(known) => behaviors.push(self.block.behavior(event, known, place)),
                    Err(reason) => rejected.push(self.refused(event, (name, line), reason)),
                }
            }
        }
        Ok(read)
    }

    /// Whether all times of the open block are of UTC.
    pub fn is_utc(&self) -> bool {
        self.block.utc
    }

    /// The number of the line that was read last; 0 before any.
    pub fn line(&self) -> u64 {
        self.block.line().saturating_sub(1)
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
        take(match self.block.next_rejected() {
            Some((text, reason)) => Err(refused(text, (name, line), reason)),
            None => {
                let event = self.block.next_events(1).start;
                self.event(event)
                    .map_err(|reason| self.refused(event, (name, line), reason))
            }
        });
        Ok(true)
    }

    /// An event's home and action. A home is met with its first action that its catalog has.
    #[inline]
    fn look_up(
        &mut self,
        event: usize,
        catalogs: &Catalogs,
        homes: &HomeNames,
    ) -> Result<(HomeId, ActionId), String> {
        let names = (self.block.homes[event], self.block.actions[event]);
        if let Some(known) = self.known.find(names.0, names.1, catalogs) {
            return Ok(known);
        }
        let named = self.event(event)?;
        let home = homes.find(&named.home);
        let catalog = home.map_or(catalogs.others(), |home| catalogs.of(home));
        let action = named.action(catalog)?;
        let home = home.unwrap_or_else(|| homes.intern(&named.home));
        self.known.keep(names, catalogs, (home, action));
        Ok((home, action))
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
            home: home.as_ref().into(),
            time: Time(block.times[event]),
            offset: block.offset(event),
            device: action.device.as_deref().map(Into::into),
            action: action.name.as_ref().into(),
            id: id.map(Into::into),
            how: How::default(),
        })
    }

    /// An event that is rejected, written as JSON Lines write it, as far as it is known.
    fn refused(&self, event: usize, place: (&str, u64), reason: String) -> Rejected {
        let block = &self.block;
        let time = time::format(Time(block.times[event]), block.offset(event));
        let shown = match self.event(event) {
            Ok(known) => Shown {
                home: Some(known.home),
                time: Some(time.into()),
                device: known.device,
                action: Some(known.action),
                id: known.id,
                seq: None,
            },
            Err(_) => Shown {
                time: Some(time.into()),
                ..Shown::default()
            },
        };
        refused(shown.line(), place, reason)
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
            let last = header.first + header.rows as u64;
            if header.kind == EVENTS && last <= self.until + 1 && self.until > 0 {
                let over = self.input.seek_relative(header.stored as i64);
                over.map_err(|e| self.broken(name, e))?;
                continue;
            }
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
                Some(true) => {
                    self.block.pass(self.until);
                    return Ok(true);
                }
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
                    names.push(Some((!name.is_empty()).then_some(name)?));
                }
                body.0.is_empty().then_some(false)
            }
            ACTIONS => {
                let names = names(&mut self.actions, header)?;
                for _ in 0..header.rows {
                    let apart = body.take(1)? != [0];
                    let (device, name) = (body.name()?, body.name()?);
                    names.push(Some(ActionName {
                        device: apart.then_some(device),
                        name: (!name.is_empty()).then_some(name)?,
                    }));
                }
                body.0.is_empty().then_some(false)
            }
            // Lines are numbered as they stand.
            EVENTS if header.first < self.next => None,
            EVENTS => {
                self.block.read(header, body)?;
                self.next = header.first + header.rows as u64;
                Some(true)
            }
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

/// Names of a dictionary that may be lost in a row: those of 64 blocks.
const MOST_LOST: usize = 64 * LINES;

const LOST_HOME: &str = "the name of its home stands in a damaged block";

fn refused(line: String, (file, number): (&str, u64), reason: String) -> Rejected {
    Rejected {
        line,
        source: format!("{file}:{number}"),
        reason,
    }
}

/// The names with an empty place for each that was lost before those of this block.
fn names<'a, T>(names: &'a mut Vec<Option<T>>, header: &Header) -> Option<&'a mut Vec<Option<T>>> {
    let first = usize::try_from(header.first).ok()?;
    // A header that claims more lost names than many blocks in a row can have held is none of ours.
    if first < names.len() || first - names.len() > MOST_LOST {
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

    /// Takes the next line, if it is none of an event: its text and what is wrong with it.
    fn next_rejected(&mut self) -> Option<(String, String)> {
        let (_, text, reason) = self.rejected.pop_front_if(|r| r.0 as usize == self.row)?;
        self.row += 1;
        Some((text, reason))
    }

    /// Takes the events of the next lines, up to `n` and up to one that is none. Where the next line is an event's, there is one.
    fn next_events(&mut self, n: usize) -> Range<usize> {
        let until = self.rejected.front().map_or(self.rows, |r| r.0 as usize);
        let first = self.event;
        let count = n.min(until - self.row);
        self.row += count;
        self.event += count;
        first..self.event
    }

    /// Passes over its lines up to that one.
    fn pass(&mut self, until: u64) {
        while self.row < self.rows && self.line() <= until {
            if self.next_rejected().is_none() {
                let left = until + 1 - self.line();
                self.next_events(usize::try_from(left).unwrap_or(usize::MAX));
            }
        }
    }

    #[inline]
    fn behavior(&mut self, event: usize, known: (HomeId, ActionId), line: Line) -> Behavior {
        let (home, action) = known;
        Behavior {
            home,
            moment: Moment {
                time: Time(self.times[event]),
                action,
                offset: self.offset(event),
            },
            id: self.ids.get_mut(event).and_then(Option::take),
            line,
        }
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
        self.utc = self.offsets.iter().all(|offset| *offset == 0);
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
