//! Files as a [`Source`]: an event log, and the declared contexts, all of which come before its first line.

use std::io;
use std::time::Instant;

use hearth_operators::split::Notice;

use super::apart::Apart;
use super::log::EventLog;
use super::{Contexts, SourceError};
use crate::ends::{End, Ends};
use crate::fates::{Fated, Fates};
use crate::growing::Growing;
use crate::sources::source::{Batch, Flow, Rejected, Source, Told};

/// Lines that are read between two looks at the clock.
const LOOK: usize = 4096;

/// An event log with its contexts.
pub struct Files {
    reading: Reading,
    contexts: Contexts,
    /// What people say behind the log's end.
    afterwards: Told,
    /// Whether that is all that is left.
    ended: bool,
    bytes_total: Option<u64>,
}

enum Reading {
    /// Files on a disk, which are always there.
    Here(Box<EventLog>),
    /// Standard input or a pipe, which may have nothing yet.
    Apart(Apart),
    /// A log that is appended to: it never ends.
    Growing(Box<EventLog>, Growing),
    /// One of which another process says where epochs end, and the end of the one that is read.
    Said(Box<EventLog>, Growing, Ends, Option<End>),
}

impl Files {
    /// A log, of which nothing was read yet, and what [`read_contexts`](super::read_contexts) gave. Where a part of it is no
    /// file on a disk, a thread of its own reads it, because that may wait for ever.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn new(log: EventLog, contexts: Contexts) -> io::Result<Self> {
        let bytes_total = log.bytes_total();
        let reading = match bytes_total {
            Some(_) => Reading::Here(Box::new(log)),
            None => Reading::Apart(Apart::start(log)?),
        };
        Ok(Files {
            reading,
            contexts,
            afterwards: Told::default(),
            ended: false,
            bytes_total,
        })
    }

    /// A log that [grows](EventLog::grows), of which nothing was read yet, with its contexts.
    pub fn follow(log: EventLog, growing: Growing, contexts: Contexts) -> Self {
        Files {
            reading: Reading::Growing(Box::new(log), growing),
            contexts,
            afterwards: Told::default(),
            ended: false,
            bytes_total: None,
        }
    }

    /// The same, where another process says where epochs end.
    pub fn follow_to(log: EventLog, growing: Growing, contexts: Contexts, ends: Ends) -> Self {
        let reading = Reading::Said(Box::new(log), growing, ends, None);
        Files {
            reading,
            contexts,
            afterwards: Told::default(),
            ended: false,
            bytes_total: None,
        }
    }

    /// The same, and behind the end of the log what people say.
    #[must_use]
    pub fn with_told(self, afterwards: Told) -> Self {
        Files { afterwards, ..self }
    }
}

impl Source for Files {
    fn read(
        &mut self,
        limit: usize,
        deadline: Instant,
        batch: &mut Batch,
    ) -> Result<Flow, SourceError> {
        let Contexts {
            shifts,
            modes,
            rejected,
        } = std::mem::take(&mut self.contexts);
        batch.shifts.extend(shifts);
        let modes = modes.into_iter().map(Notice::Mode);
        batch.told.notices.extend(modes);
        batch.rejected_contexts.extend(rejected);
        if self.ended {
            batch.told.append(&mut self.afterwards);
            return Ok(Flow::Ended);
        }
        let flow = match &mut self.reading {
            Reading::Here(log) => here(log, limit, deadline, batch),
            Reading::Apart(apart) => apart.read(limit, deadline, batch),
            Reading::Growing(log, growing) => follow(log, growing, limit, deadline, batch),
            Reading::Said(log, growing, ends, end) => {
                if end.is_none() {
                    *end = ends.next(deadline);
                }
                to_its_end((log, growing), end, limit, deadline, batch)
            }
        }?;
        // What is said afterwards comes in a batch of its own.
        self.ended = flow == Flow::Ended;
        match self.afterwards.is_empty() {
            true => Ok(flow),
            false => Ok(Flow::Open),
        }
    }

    fn trickles(&self) -> bool {
        !matches!(self.reading, Reading::Here(_))
    }

    fn says_ends(&self) -> bool {
        matches!(self.reading, Reading::Said(..))
    }

    fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }
}

/// Reads what there is, or waits for it.
fn follow(
    log: &mut EventLog,
    growing: &Growing,
    limit: usize,
    deadline: Instant,
    batch: &mut Batch,
) -> Result<Flow, SourceError> {
    loop {
        let (before, refused) = (log.position().number, batch.rejected.len());
        here(log, limit, deadline, batch)?;
        ask(growing.fates(), before, refused, batch);
        let queries = growing.queries().take(|home| log.home(home));
        let queries = queries.into_iter().map(Notice::Query);
        batch.told.notices.extend(queries);
        // Lines of other processes' homes count, too: an epoch is so many, whoever they are of.
        let read = batch.lines() + batch.told.lines + batch.elsewhere;
        if read > 0 || batch.told.asks() {
            return Ok(Flow::Open);
        }
        // Nothing is read before what was met is learnt.
        let read = if log.is_lacking() {
            u64::MAX
        } else {
            log.bytes_read()
        };
        if !growing.beyond(read, deadline) {
            return Ok(Flow::Open);
        }
    }
}

/// Reads an epoch on to its end, where that is known; behind it, none is.
fn to_its_end(
    (log, growing): (&mut EventLog, &Growing),
    end: &mut Option<End>,
    limit: usize,
    deadline: Instant,
    batch: &mut Batch,
) -> Result<Flow, SourceError> {
    let Some(End { at, asked }) = *end else {
        batch.position = log.position();
        return Ok(Flow::Open);
    };
    // Behind it, there may be lines of the next one.
    growing.grow(at);
    let refused = batch.rejected.len();
    let flow = here(log, limit, deadline, batch)?;
    if asked {
        tell_rejected(growing.fates(), &batch.rejected[refused..]);
    }
    if flow == Flow::Ended {
        batch.closes = true;
        *end = None;
    }
    Ok(Flow::Open)
}

/// Asks the dataflow for what becomes of the lines behind `before` that somebody waits for; tells it of those that are no events.
fn ask(fates: &Fates, before: u64, refused: usize, batch: &mut Batch) {
    let asked = fates.among(before + 1..=batch.position.number);
    if asked.is_empty() {
        return;
    }
    batch
        .told
        .notices
        .extend(asked.into_iter().map(Notice::Ask));
    tell_rejected(fates, &batch.rejected[refused..]);
}

/// Tells of lines that are no events.
fn tell_rejected(fates: &Fates, rejected: &[Rejected]) {
    for rejected in rejected {
        if let Some(line) = rejected.number() {
            fates.tell(Fated::rejected(line, &rejected.reason));
        }
    }
}

fn here(
    log: &mut EventLog,
    limit: usize,
    deadline: Instant,
    batch: &mut Batch,
) -> Result<Flow, SourceError> {
    let mut left = limit;
    batch.position = log.position();
    while left > 0 {
        let lines = left.min(LOOK);
        let before = batch.lines() + batch.told.lines;
        let read = log.read(lines, &mut batch.behaviors, &mut batch.rejected)?;
        batch.position = log.position();
        batch.told.append(&mut log.told());
        batch.elsewhere += read - (batch.lines() + batch.told.lines - before);
        left -= read;
        if read == 0 {
            return Ok(Flow::Ended);
        }
        if batch.told.erases() || left > 0 && Instant::now() >= deadline {
            break;
        }
    }
    Ok(Flow::Open)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;
    use std::time::Duration;

    use hearth_operators::words::Catalogs;

    use super::super::{LogFormat, LogWriter, Options, Packing, copy};
    use super::*;
    use crate::cluster::Share;
    use crate::disk::Disk;
    use crate::growing::{Piece, Reach};
    use crate::sources::{Manner, Position};
    use crate::zones::Zones;

    const EVENT: &str =
        r#"{"home":"h","time":"2022-08-04T18:30:00Z","device":"Light","action":"on"}"#;

    fn options() -> Options {
        let catalog = r#"{"devices":[{"name":"Light","actions":[{"name":"on"}]}]}"#;
        Options {
            catalogs: Catalogs::shared(Arc::new(serde_json::from_str(catalog).unwrap())),
            homes: Default::default(),
            zones: Zones::new(None),
            keys: Default::default(),
        }
    }

    fn open(files: &[std::path::PathBuf]) -> Files {
        let log = EventLog::open(files, options()).unwrap();
        Files::new(log, Default::default()).unwrap()
    }

    /// A log of a line of this process's home and then ten of another's, which it skips, that may be read whole or not at all; and its
    /// bytes.
    fn growing(folder: &std::path::Path, whole: bool) -> (EventLog, Growing, u64) {
        let path = folder.join("inbox.jsonl");
        let other = EVENT.replace("\"h\"", "\"other\"") + "\n";
        let text = format!("{EVENT}\n{}", other.repeat(10));
        std::fs::write(&path, &text).unwrap();
        let piece = Piece {
            path: path.clone(),
            before: Reach::default(),
            head: 0,
        };
        let length = text.len() as u64;
        let readable = if whole { length } else { 0 };
        let growing = Growing::of(&Disk::real(), vec![piece], readable);
        let log = EventLog::grows(&path, &growing, options(), None).unwrap();
        (log.shared(Share::of(0, 2, 1)), growing, length)
    }

    /// However many lines in a row are of other processes' homes, no more are read than is asked for.
    #[test]
    fn lines_of_others_count() {
        let folder = tempfile::tempdir().unwrap();
        let (log, growing, _) = growing(folder.path(), true);
        let mut source = Files::follow(log, growing, Contexts::default());
        let mut counts = Vec::new();
        for _ in 0..4 {
            let mut batch = Batch::default();
            source.read(3, soon(), &mut batch).unwrap();
            counts.push((batch.lines(), batch.elsewhere));
            assert!(!batch.closes);
        }
        assert_eq!(counts, [(1, 2), (0, 3), (0, 3), (0, 2)]);
    }

    /// An epoch ends where it is said, also one of nothing; nothing is read behind it before the next one is said.
    #[test]
    fn epochs_end_where_it_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (log, growing, length) = growing(folder.path(), false);
        let line = EVENT.len() as u64 + 1;
        let ends = Ends::default();
        let contexts = Contexts::default();
        let mut source = Files::follow_to(log, growing, contexts, ends.clone());
        assert!(source.says_ends() && source.trickles());
        let mut epoch = |wait: u64| {
            let mut batch = Batch::default();
            let deadline = Instant::now() + Duration::from_millis(wait);
            while !batch.closes && Instant::now() < deadline {
                source.read(2, deadline, &mut batch).unwrap();
            }
            let lines = batch.lines() + batch.elsewhere;
            (lines, batch.position.offset, batch.closes)
        };
        let patience = 60_000;
        ends.are_here(length);
        assert_eq!(epoch(30), (0, 0, false));
        for at in [line, line, length] {
            ends.say(End { at, asked: false });
        }
        assert_eq!(epoch(patience), (1, line, true));
        assert_eq!(epoch(patience), (0, line, true));
        assert_eq!(epoch(patience), (10, length, true));
        assert_eq!(epoch(30), (0, length, false));
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// In every format, also inside compressed files, a position says which line was read last.
    #[test]
    fn positions_are_those_of_lines() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // Line 3 is no event, line 4 is blank and does not count.
        let text = format!("{EVENT}\n{EVENT}\nnone\n\n{EVENT}\n{EVENT}\n");
        std::fs::write(at("plain.jsonl"), &text).unwrap();
        let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
        std::fs::write(at("packed.jsonl.zst"), packed).unwrap();
        for (name, format) in [
            ("a.hlog", LogFormat::Hlog),
            ("a.parquet", LogFormat::Parquet),
        ] {
            let file = std::fs::File::create(at(name)).unwrap();
            let mut log = LogWriter::new(format, Packing::Plain, file).unwrap();
            copy(
                &[at("plain.jsonl")],
                (&Zones::new(None), &Default::default()),
                |event| match event {
                    Ok(event) => log.event(&event),
                    Err(_) => Ok(()),
                },
            )
            .unwrap();
            log.finish().unwrap();
        }
        let names = ["plain.jsonl", "packed.jsonl.zst", "a.hlog", "a.parquet"];
        let mut source = open(&names.map(at));
        let mut positions = Vec::new();
        let mut bytes = 0;
        loop {
            let mut batch = Batch::default();
            let flow = source.read(1, soon(), &mut batch).unwrap();
            if flow == Flow::Ended {
                break;
            }
            assert_eq!(batch.lines(), 1);
            if let Some(behavior) = batch.behaviors.first() {
                assert_eq!(behavior.line.line, batch.position.line);
                assert_eq!(behavior.line.file, batch.position.file);
            }
            assert!(batch.position.bytes >= bytes);
            bytes = batch.position.bytes;
            positions.push((batch.position.file, batch.position.line));
        }
        let lines = |file: u32, lines: &[u64]| lines.iter().map(|l| (file, *l)).collect::<Vec<_>>();
        let text = [1, 2, 3, 5, 6];
        let written = [1, 2, 3, 4];
        let expected = [
            lines(0, &text),
            lines(1, &text),
            lines(2, &written),
            lines(3, &written),
        ];
        assert_eq!(positions, expected.concat());
        assert!(source.bytes_total() >= Some(bytes));
    }

    /// The behaviours and refusals of a log, from a position on; with each, where it stands behind it.
    fn rest(files: &[std::path::PathBuf], from: Option<Position>) -> Vec<(String, Position)> {
        let catalog = r#"{"devices":[{"name":"Light","actions":[{"name":"on"}]}]}"#;
        let options = Options {
            catalogs: Catalogs::shared(Arc::new(serde_json::from_str(catalog).unwrap())),
            homes: Default::default(),
            zones: Zones::new(None),
            keys: Default::default(),
        };
        let mut log = EventLog::open(files, options).unwrap();
        if let Some(from) = from {
            log.go_to(from, Manner::default()).unwrap();
        }
        let mut rest = Vec::new();
        loop {
            let (mut behaviors, mut rejected) = (Vec::new(), Vec::new());
            match log.read(1, &mut behaviors, &mut rejected) {
                Ok(0) => return rest,
                Ok(_) => rest.push((format!("{behaviors:?} {rejected:?}"), log.position())),
                // What breaks off is said again, where it was read before, too.
                Err(_) => {}
            }
        }
    }

    /// Whatever the format, a log is gone on with behind each of its lines.
    #[test]
    fn a_log_is_gone_on_with_behind_each_line() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let text = format!(
            "\u{feff}{EVENT}\r\n\n{EVENT}\nnone\n{}\n\n{EVENT}",
            "x".repeat(70_000)
        );
        let quoted = "\u{feff}home,time,device,action\n\nh,2022-08-04T18:30:00Z,Light,on\n\"h\",2022-08-04T18:30:00Z,\"a\n\nb\",on\n\
                      h,\"2022-08-04T18:30:00Z,Light,on\nh,2022-08-04T18:31:00Z,Light,on\n\nh,2022-08-04T18:32:00Z,Light,on\n";
        std::fs::write(at("a.jsonl"), &text).unwrap();
        std::fs::write(at("b.csv"), quoted).unwrap();
        let zstd = zstd::encode_all(quoted.as_bytes(), 1).unwrap();
        std::fs::write(at("c.csv.zst"), zstd).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        std::fs::write(at("d.jsonl.gz"), gzip.finish().unwrap()).unwrap();
        let names = ["a.jsonl", "b.csv", "c.csv.zst", "d.jsonl.gz"].map(at);
        let all = rest(&names, None);
        assert_eq!(all.len(), 5 + 5 + 5 + 5);
        for (done, (_, position)) in all.iter().enumerate() {
            let left: Vec<_> = all[done + 1..].iter().map(|(line, _)| line).collect();
            let read = rest(&names, Some(*position));
            let read: Vec<_> = read.iter().map(|(line, _)| line).collect();
            assert_eq!(read, left, "behind {position:?}");
        }
    }

    /// Blocks and row groups that were read are passed over.
    #[test]
    fn a_packed_log_is_gone_on_with_within_a_block() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut text = String::new();
        for n in 0..40_000 {
            let (minute, home) = (n / 60, n % 7 + n / 30_000);
            let (hour, minute) = (minute / 60, minute % 60);
            let time = format!(
                "2022-08-{:02}T{:02}:{minute:02}:00Z",
                1 + hour / 24,
                hour % 24
            );
            let event = EVENT.replace("\"h\"", &format!("\"h-{home}\""));
            text += &event.replace("2022-08-04T18:30:00Z", &time);
            text += if n % 5000 == 77 { "none\n" } else { "\n" };
        }
        std::fs::write(at("a.jsonl"), &text).unwrap();
        let files = [
            (LogFormat::Hlog, "a.hlog"),
            (LogFormat::Parquet, "a.parquet"),
        ];
        for (format, name) in files {
            let file = std::fs::File::create(at(name)).unwrap();
            let mut log = LogWriter::new(format, Packing::Zstd, file).unwrap();
            let shape = (&Zones::new(None), &Default::default());
            copy(&[at("a.jsonl")], shape, |event| match event {
                Ok(event) => log.event(&event),
                Err(rejected) => match &mut log {
                    LogWriter::Hlog(log) => log.rejected(rejected),
                    _ => Ok(()),
                },
            })
            .unwrap();
            log.finish().unwrap();
            let names = [at(name)];
            let all = rest(&names, None);
            // Homes get their ids as they are met, so the whole is compared by what does not hold them.
            let without = |line: &str| line.split_once("moment").map(|(_, rest)| rest.to_owned());
            for done in [
                0,
                1,
                76,
                77,
                16_382,
                16_383,
                16_384,
                32_767,
                32_768,
                all.len() - 1,
            ] {
                let read = rest(&names, Some(all[done].1));
                assert_eq!(read.len(), all.len() - done - 1, "{name} behind {done}");
                let same = |(one, other): (&(String, _), &(String, _))| {
                    assert_eq!(without(&one.0), without(&other.0), "{name} behind {done}");
                };
                read.iter().zip(&all[done + 1..]).for_each(same);
            }
        }
    }

    /// A pipe gives what is there by the deadline, and is asked again.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_has_nothing_yet() {
        use std::os::fd::AsRawFd;
        let (reader, mut writer) = std::io::pipe().unwrap();
        writeln!(writer, "{EVENT}").unwrap();
        let mut source = open(&[format!("/dev/fd/{}", reader.as_raw_fd()).into()]);
        assert!(source.trickles());
        let mut read = |limit, wait| {
            let mut batch = Batch::default();
            let deadline = Instant::now() + Duration::from_millis(wait);
            let flow = source.read(limit, deadline, &mut batch).unwrap();
            (batch.lines(), batch.position.line, flow)
        };
        let patience = 60_000;
        assert_eq!(read(1, patience), (1, 1, Flow::Open));
        let began = Instant::now();
        assert_eq!(read(10, 50), (0, 0, Flow::Open));
        assert!(began.elapsed() >= Duration::from_millis(50));
        write!(writer, "{EVENT}\nno event\n{EVENT}\n{{\"home\":").unwrap();
        // A line is there when it is whole.
        assert_eq!(read(3, patience), (3, 4, Flow::Open));
        assert_eq!(read(10, 50), (0, 0, Flow::Open));
        drop(writer);
        assert_eq!(read(10, patience), (1, 5, Flow::Ended));
        assert_eq!(read(10, patience), (0, 0, Flow::Ended));
    }
}
