//! A file of text, read ahead by several threads: the bytes in order, and of most lines what they say already.
//!
//! A thread takes the bytes that come next, up to the end of a line, and reads the plain ones of their lines while others
//! take what follows. Who reads the file gets all bytes in their order, and with each line that was plain what it says; the rest
//! it reads as if nobody had looked at it, so that whatever depends on order is done in order.

use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::plain::{Found, Plain};
use super::text::{Ended, LONGEST_LINE, Text};
use crate::home_names::Cache;

/// By how many threads a file is read ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    pub threads: usize,
    /// Bytes that a thread takes at once; a file that has no more is not worth it.
    pub block: usize,
}

impl Ahead {
    /// By so many threads.
    pub fn by(threads: usize) -> Self {
        Ahead {
            threads,
            block: 256 * 1024,
        }
    }
}

/// Bytes that a thread has taken, and what their first lines are.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    /// Where lines end, and what they say. What follows the last of them was not looked at.
    lines: Vec<(usize, Option<Found>)>,
}

/// The bytes as who reads them gets them.
pub(super) struct Blocks {
    /// Of blocks in their order, each from the thread that has it.
    order: Receiver<Receiver<io::Result<Block>>>,
    block: Block,
    /// How many of its bytes were read.
    read: usize,
    /// The first of its lines that was not.
    next: usize,
    /// Met behind it, and not told yet.
    broken: Option<io::Error>,
}

/// What the threads take from.
struct Input<R> {
    bytes: R,
    /// What was taken behind the end of a line.
    rest: Vec<u8>,
    /// Whether that continues a line too long to be looked at.
    within: bool,
    /// Met behind what was taken.
    broken: Option<io::Error>,
    over: bool,
    order: Sender<Receiver<io::Result<Block>>>,
}

impl Blocks {
    /// Has threads read `bytes`, which begin with a line.
    ///
    /// # Errors
    /// The system gives no threads; then the bytes are given back.
    pub fn start<R: BufRead + Send + 'static>(
        bytes: R,
        ahead: Ahead,
        plain: Plain,
    ) -> Result<Self, R> {
        let (put, order) = bounded(2 * ahead.threads);
        let input = Arc::new(Mutex::new(Input {
            bytes,
            rest: Vec::new(),
            within: false,
            broken: None,
            over: false,
            order: put,
        }));
        let plain = Arc::new(plain);
        let start = |number: usize| {
            let (input, plain) = (input.clone(), plain.clone());
            let thread = thread::Builder::new().name(format!("ahead-{number}"));
            thread.spawn(move || work(&input, ahead.block, &plain))
        };
        // With fewer it takes longer.
        let started = (0..ahead.threads).map(start).filter(Result::is_ok).count();
        match Arc::into_inner(input).filter(|_| started == 0) {
            Some(input) => Err(input
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner)
                .bytes),
            None => Ok(Blocks {
                order,
                block: Block::default(),
                read: 0,
                next: 0,
                broken: None,
            }),
        }
    }

    /// What the line that comes next says, if it was plain, with its length. It counts as read then.
    pub fn found(&mut self) -> Option<(u64, Found)> {
        if let Err(error) = self.fill_buf() {
            // To be told where the bytes are asked for.
            self.broken = Some(error);
            return None;
        }
        let lines = &mut self.block.lines;
        // Some were read as bytes.
        while lines
            .get(self.next)
            .is_some_and(|(end, _)| *end <= self.read)
        {
            self.next += 1;
        }
        let begins = self.next.checked_sub(1).map_or(0, |before| lines[before].0);
        let (end, found) = lines.get_mut(self.next)?;
        if begins != self.read {
            return None;
        }
        let found = found.take()?;
        let length = *end - self.read;
        self.read = *end;
        Some((length as u64, found))
    }
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Blocks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.read == self.block.bytes.len() {
            if let Some(error) = self.broken.take() {
                return Err(error);
            }
            // Whoever took the last one is gone.
            let Ok(taken) = self.order.recv() else { break };
            let panicked = |_| Err(io::Error::other("a thread that reads ahead has panicked"));
            self.block = taken.recv().unwrap_or_else(panicked)?;
            (self.read, self.next) = (0, 0);
        }
        Ok(&self.block.bytes[self.read..])
    }

    fn consume(&mut self, bytes: usize) {
        self.read += bytes;
    }
}

/// Takes blocks and reads their lines, until there are no more or nobody asks for them.
fn work<R: BufRead>(input: &Mutex<Input<R>>, size: usize, plain: &Plain) {
    let (mut text, mut cache) = Default::default();
    loop {
        let (give, taken) = bounded(1);
        let (bytes, lines_end) = {
            let mut input = input.lock().unwrap_or_else(PoisonError::into_inner);
            if input.is_over() || input.order.send(taken).is_err() {
                return;
            }
            match input.take(size) {
                Ok(some) => some,
                Err(error) => {
                    input.over = true;
                    // Nobody asks any more, or somebody is told.
                    let _ = give.send(Err(error));
                    return;
                }
            }
        };
        let lines = lines(&bytes[..lines_end], plain, (&mut text, &mut cache));
        if give.send(Ok(Block { bytes, lines })).is_err() {
            return;
        }
    }
}

impl<R: BufRead> Input<R> {
    /// Whether everything was taken.
    fn is_over(&self) -> bool {
        self.over && self.rest.is_empty() && self.broken.is_none()
    }

    /// The bytes that come next, and how many of these are whole lines that can be looked at; none at the end.
    ///
    /// # Errors
    /// They break off. What came before that was given already.
    fn take(&mut self, size: usize) -> io::Result<(Vec<u8>, usize)> {
        if self.rest.is_empty()
            && let Some(error) = self.broken.take()
        {
            return Err(error);
        }
        let size = size.max(1);
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.reserve(size.saturating_sub(bytes.len()));
        while self.broken.is_none() && bytes.len() < size {
            // By its own buffer: how much a decompressor gives before it fails depends on how much it is asked for.
            match self.bytes.fill_buf() {
                Ok([]) => self.over = true,
                Ok(some) => {
                    let some = &some[..some.len().min(size - bytes.len())];
                    bytes.extend_from_slice(some);
                    let taken = some.len();
                    self.bytes.consume(taken);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => self.broken = Some(error),
            }
            break;
        }
        let is_break = |byte: &u8| *byte == b'\n';
        let (end, looks) = match self.within {
            // The line goes on to its end, and is looked at by nobody.
            true => (bytes.iter().position(is_break), false),
            false => (bytes.iter().rposition(is_break), true),
        };
        let last = self.over || self.broken.is_some();
        match end {
            Some(end) => {
                self.within = false;
                self.rest = bytes.split_off(end + 1);
            }
            None if last => {}
            None => self.within = true,
        }
        let whole = if looks {
            end.map_or(0, |end| end + 1)
        } else {
            0
        };
        Ok((bytes, whole))
    }
}

/// What lines say, as far as they are plain.
fn lines(
    mut bytes: &[u8],
    plain: &Plain,
    (text, cache): (&mut Text, &mut Cache),
) -> Vec<(usize, Option<Found>)> {
    /// A line is hardly shorter.
    const SHORT: usize = 64;
    let mut lines = Vec::with_capacity(bytes.len() / SHORT);
    let mut at = 0;
    loop {
        text.bytes.clear();
        // Bytes in memory can be read.
        let length = bytes.read_until(b'\n', &mut text.bytes).unwrap_or(0);
        if length == 0 {
            return lines;
        }
        at += length;
        let whole = text.end() == Ended::Break && text.bytes.len() <= LONGEST_LINE;
        lines.push((at, if whole { plain.read(text, cache) } else { None }));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::{Path, PathBuf};

    use hearth_operators::words::{Behavior, Catalogs};
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::super::{EventLog, Options, Rejected};
    use super::*;
    use crate::cluster::Share;
    use crate::home_names::HomeNames;
    use crate::sources::{Position, SourceError};
    use crate::zones::Zones;

    /// A line of JSON: of events written in many ways, among them in the hour that comes twice, and of what is none.
    fn json() -> impl Strategy<Value = String> {
        (0..5_u32, 0..20_usize, 0..4_u32, 0..60_u32).prop_map(|(home, shape, hour, minute)| {
            let clock = format!("2025-10-26T0{hour}:{minute:02}:00");
            let event = |time: &str| {
                format!(r#"{{"home":"h-{home}","time":"{time}","device":"Light","action":"on"}}"#)
            };
            match shape {
                0..4 => event(&format!("{clock}Z")),
                4..8 => event(&clock),
                8 => {
                    event(&format!("{clock}+02:00")).replace(",\"action", ",\"note\":[1],\"action")
                }
                9 => event(&clock).replace("Light", "Gramophone"),
                10 => event("never"),
                11 => event(&clock).replace("h-", "\\u0068-"),
                12 => event(&clock).replace("h-", "Cafe\u{301} "),
                13 => format!(r#"{{"home":"h-{home}","erase":{{}}}}"#),
                14 => format!(r#"{{"home":"h-{home}","alarm":"{clock}","fine":true}}"#),
                15 => event(&clock).replace("{\"home", "{\"mark\":\"m\",\"home"),
                16 => format!("{}\r", event(&clock)),
                17 => "\u{fffd} nothing of the kind".to_owned(),
                18 => format!("{}{}", event(&clock), " ".repeat(LONGEST_LINE)),
                _ => String::new(),
            }
        })
    }

    /// A line of CSV, which may be a part of a record of several.
    fn csv() -> impl Strategy<Value = String> {
        (0..5_u32, 0..12_usize, 0..4_u32).prop_map(|(home, shape, hour)| {
            let record =
                |home: &str| format!("{home},2025-10-26T0{hour}:30:00,Light,on,{hour}-{home}");
            match shape {
                0 => record(&format!("\"h-{home}\"")),
                1 => record(&format!("\"h-{home}\n{}\"", record("h-0"))),
                2 => record(&format!("\"h-{home}")),
                3 => record("h\"-1"),
                4 => "h-1,never,Light,on,".to_owned(),
                5 => format!("h-{home},2025-10-26"),
                6 => String::new(),
                7 => record(&"h".repeat(LONGEST_LINE)),
                _ => record(&format!("h-{home}")),
            }
        })
    }

    /// What a log gives.
    #[derive(Debug, Default, PartialEq)]
    struct Given {
        behaviors: Vec<Behavior>,
        rejected: Vec<Rejected>,
        told: Vec<String>,
        /// How many lines each call read, or what it met, and where the log stood then.
        calls: Vec<(Result<usize, String>, Position)>,
        manner: String,
    }

    fn open(file: &Path, homes: &HomeNames, share: Option<Share>) -> EventLog {
        let catalog = r#"{"devices":[{"name":"Light","actions":[{"name":"on"}]}]}"#;
        let options = Options {
            catalogs: Catalogs::shared(Arc::new(serde_json::from_str(catalog).unwrap())),
            homes: homes.clone(),
            zones: Zones::new(Some(TimeZone::get("Europe/Berlin").unwrap())),
            keys: Default::default(),
        };
        let log = EventLog::open(&[file.to_owned()], options).unwrap();
        match share {
            Some(share) => log.shared(share),
            None => log,
        }
    }

    fn given(mut log: EventLog, n: usize) -> Given {
        let mut given = Given::default();
        loop {
            let read = log.read(n, &mut given.behaviors, &mut given.rejected);
            let ended = matches!(read, Ok(0));
            let told = log.told();
            let notices = told.notices.iter().map(|notice| format!("{notice:?}"));
            let refused = told.refused.iter().map(|refused| format!("{refused:?}"));
            given.told.extend(notices.chain(refused));
            let position = Position {
                // What is read ahead counts.
                bytes: 0,
                ..log.position()
            };
            let read = read.map_err(|error: SourceError| error.to_string());
            given.calls.push((read, position));
            if ended {
                given.manner = format!("{:?}", log.manner());
                return given;
            }
        }
    }

    /// Read ahead, a log is what it is, from its beginning and from any line on.
    fn holds(
        file: &Path,
        ahead: Ahead,
        n: usize,
        share: Option<Share>,
    ) -> Result<(), TestCaseError> {
        let homes = HomeNames::default();
        let plain = given(open(file, &homes, share), n);
        let met = HomeNames::default();
        let found = given(open(file, &met, share).by(ahead), n);
        prop_assert_eq!(&found, &plain);
        prop_assert_eq!(met.behind(0), homes.behind(0));
        let (_, position) = plain.calls[n % plain.calls.len()];
        let rest = |ahead: Option<Ahead>| {
            let mut log = open(file, &homes, share);
            if let Some(ahead) = ahead {
                log = log.by(ahead);
            }
            let gone_on = log.go_to(position, Default::default());
            let rest = gone_on.is_ok().then(|| given(log, n));
            (gone_on.map_err(|error| error.to_string()), rest)
        };
        prop_assert_eq!(rest(Some(ahead)), rest(None));
        Ok(())
    }

    fn packed(lines: &[String], cut: usize) -> Vec<u8> {
        let encoder = flate2::Compression::fast();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), encoder);
        encoder.write_all(lines.join("\n").as_bytes()).unwrap();
        let mut bytes = encoder.finish().unwrap();
        bytes.truncate(bytes.len() - cut);
        bytes
    }

    fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn ahead() -> impl Strategy<Value = Ahead> {
        let block = prop::sample::select(vec![1_usize, 40, 100, 1000, 100_000]);
        (1..4_usize, block).prop_map(|(threads, block)| Ahead { threads, block })
    }

    fn share() -> impl Strategy<Value = Option<Share>> {
        prop::option::of((0..2_usize).prop_map(|process| Share::of(process, 2, 1)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn json_is_what_it_is(
            lines in prop::collection::vec(json(), 0..24),
            ahead in ahead(),
            n in 1..30_usize,
            share in share(),
            cut in 0..12_usize,
        ) {
            let folder = tempfile::tempdir().unwrap();
            holds(&write(folder.path(), "a.jsonl", lines.join("\n")), ahead, n, share)?;
            holds(&write(folder.path(), "a.jsonl.gz", packed(&lines, cut)), ahead, n, share)?;
        }

        #[test]
        fn csv_is_what_it_is(
            lines in prop::collection::vec(csv(), 0..24),
            ahead in ahead(),
            n in 1..30_usize,
            share in share(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let text = format!("home,time,device,action,id\n{}\n", lines.join("\n"));
            holds(&write(folder.path(), "a.csv", text), ahead, n, share)?;
        }
    }
}
