//! Lines of a file or of standard input, decompressed on the way, in bounded memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::ahead::{Ahead, Blocks};
use super::plain::{Found, Plain};
use super::text::{Ended, LONGEST_LINE, Text};
use crate::growing::{self, Growing, Reach};

/// Size of the buffers between a file, its decompressor and the lines.
const BUFFER: usize = 128 * 1024;

/// How gzip begins.
pub(super) const GZIP: &[u8] = &[0x1f, 0x8b];

/// How zstd begins.
pub(super) const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// How far an input is read, behind a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Behind {
    /// Bytes, of what was compressed after decompression.
    pub offset: u64,
    /// Lines, counted or not.
    pub number: u64,
    /// Whether the input ended within the line: it may not be all of it.
    pub unended: bool,
}

/// The bytes of an input, decompressed.
enum Reader {
    Bytes(Box<dyn BufRead + Send>),
    Ahead(Box<Blocks>),
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Reader::Bytes(bytes) => bytes.read(buffer),
            Reader::Ahead(blocks) => blocks.read(buffer),
        }
    }
}

impl BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Reader::Bytes(bytes) => bytes.fill_buf(),
            Reader::Ahead(blocks) => blocks.fill_buf(),
        }
    }

    fn consume(&mut self, bytes: usize) {
        match self {
            Reader::Bytes(reader) => reader.consume(bytes),
            Reader::Ahead(blocks) => blocks.consume(bytes),
        }
    }
}

/// Reads one input line by line: plain, gzip or zstd (several members too), as its first bytes say.
pub(crate) struct Lines {
    reader: Reader,
    /// Number of the last line read from `reader`.
    number: u64,
    /// Where the next one begins.
    offset: u64,
    /// How far lines were given out.
    behind: Behind,
    /// Lines handed back, to be read again before any new one.
    returned: VecDeque<Text>,
    /// An error met while looking ahead, to be met again in its place.
    postponed: Option<io::Error>,
}

impl Lines {
    /// Opens a file, or standard input for `-`.
    pub fn open(file: &Path) -> io::Result<Self> {
        Self::new(input(file, Arc::default())?)
    }

    /// Reads from any source of bytes.
    pub fn new(input: impl Read + Send + 'static) -> io::Result<Self> {
        let mut reader = unpacked(input)?;
        // A byte order mark says nothing in UTF-8, and would spoil the first line.
        let mut offset = 0;
        if peek(&mut reader, 3).is_ok_and(|start| start == [0xef, 0xbb, 0xbf]) {
            reader.consume(3);
            offset = 3;
        }
        Ok(Self::of(reader, offset))
    }

    /// Lines in memory, as they stand.
    pub(super) fn in_memory(bytes: Vec<u8>) -> Self {
        Self::of(Box::new(io::Cursor::new(bytes)), 0)
    }

    fn of(reader: Box<dyn BufRead + Send>, offset: u64) -> Self {
        Lines {
            reader: Reader::Bytes(reader),
            number: 0,
            offset,
            behind: Behind {
                offset,
                ..Behind::default()
            },
            returned: VecDeque::new(),
            postponed: None,
        }
    }

    /// The same lines, of which so much of the input came before that it does not hold.
    #[must_use]
    pub fn behind_what_is_gone(mut self, gone: Reach) -> Self {
        self.number += gone.lines;
        self.offset += gone.bytes;
        self.behind.number = self.number;
        self.behind.offset = self.offset;
        self
    }

    /// Goes on behind a line of a file, of which these lines are and nothing that matters was read: seeks, or where it is compressed
    /// decompresses what was read before.
    ///
    /// # Errors
    /// The file cannot be read, or ends before that.
    pub fn go_to(&mut self, behind: Behind, mut input: Input) -> io::Result<()> {
        let plain = !is_compressed(&mut input)?;
        if plain {
            input.seek(SeekFrom::Start(behind.offset))?;
            let input = BufReader::with_capacity(BUFFER, input);
            self.reader = Reader::Bytes(Box::new(input));
        } else {
            let left = behind.offset.saturating_sub(self.offset);
            let skipped = io::copy(&mut self.reader.by_ref().take(left), &mut io::sink())?;
            if skipped < left {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.returned.clear();
        (self.number, self.offset) = (behind.number, behind.offset);
        self.behind = behind;
        Ok(())
    }

    /// How far lines were given out.
    pub fn behind(&self) -> Behind {
        self.behind
    }

    /// The first byte that is not white space, without consuming anything that matters; `None` in an empty input.
    pub fn first_byte(&mut self) -> io::Result<Option<u8>> {
        let mut line = Text::default();
        let mut blank = VecDeque::new();
        let mut found = None;
        while found.is_none() && self.read(&mut line)? {
            found = line
                .bytes
                .iter()
                .copied()
                .find(|b| !b.is_ascii_whitespace());
            // Blank lines are never counted, so only the last line need be kept.
            blank.clear();
            blank.push_back(std::mem::take(&mut line));
        }
        self.give_back(blank);
        Ok(found)
    }

    /// Reads the next line into `line`; false at the end of the input.
    ///
    /// After an error, [`Lines::number`] is the number of the line in which the input broke off.
    pub fn read(&mut self, line: &mut Text) -> io::Result<bool> {
        if let Some(returned) = self.returned.pop_front() {
            *line = returned;
            let next = self.returned.front();
            self.behind = Behind {
                offset: next.map_or(self.offset, |next| next.start),
                number: line.number,
                unended: false,
            };
            return Ok(true);
        }
        if let Some(error) = self.postponed.take() {
            return Err(error);
        }
        line.start = self.offset;
        line.bytes.clear();
        line.too_long = false;
        self.number += 1;
        line.number = self.number;
        let limit = LONGEST_LINE as u64 + 1;
        let read = self
            .reader
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line.bytes)?;
        if read == 0 {
            // One that grows may have this line later.
            self.number -= 1;
            return Ok(false);
        }
        self.offset += read as u64;
        let ended = line.end();
        if ended == Ended::TooLong {
            line.too_long = true;
            line.bytes.truncate(LONGEST_LINE);
            self.offset += self.reader.skip_until(b'\n')? as u64;
        }
        self.behind = Behind {
            offset: self.offset,
            number: self.number,
            unended: ended == Ended::Unended,
        };
        Ok(true)
    }

    /// From here on the lines are read ahead.
    pub(super) fn read_ahead(&mut self, ahead: Ahead, plain: Plain) {
        let bytes = std::mem::replace(&mut self.reader, Reader::Bytes(Box::new(io::empty())));
        self.reader = match bytes {
            Reader::Ahead(blocks) => Reader::Ahead(blocks),
            Reader::Bytes(bytes) => match Blocks::start(bytes, ahead, plain) {
                Ok(blocks) => Reader::Ahead(Box::new(blocks)),
                Err(bytes) => Reader::Bytes(bytes),
            },
        };
    }

    /// Whether lines are read ahead.
    pub(super) fn is_ahead(&self) -> bool {
        matches!(self.reader, Reader::Ahead(_))
    }

    /// What the next line says, where it was read ahead and is plain; then it counts as read.
    pub(super) fn found(&mut self) -> Option<Found> {
        let Reader::Ahead(blocks) = &mut self.reader else {
            return None;
        };
        if !self.returned.is_empty() || self.postponed.is_some() {
            return None;
        }
        let (length, found) = blocks.found()?;
        self.number += 1;
        self.offset += length;
        self.behind = Behind {
            offset: self.offset,
            number: self.number,
            unended: false,
        };
        Some(found)
    }

    /// Hands lines back; they are read again, in this order, before any other.
    pub fn give_back(&mut self, mut lines: VecDeque<Text>) {
        if let Some(first) = lines.front() {
            self.behind = Behind {
                offset: first.start,
                number: first.number - 1,
                unended: false,
            };
        }
        lines.append(&mut self.returned);
        self.returned = lines;
    }

    /// Lets an error come up (again) once the lines that were handed back are read.
    pub fn postpone(&mut self, error: io::Error) {
        self.postponed = Some(error);
    }

    /// Number of the line that was read last, or in which reading failed.
    pub fn number(&self) -> u64 {
        self.number
    }
}

/// The bytes of a file or of standard input; those that pass are counted.
pub(super) struct Input {
    bytes: Bytes,
    passed: Arc<AtomicU64>,
}

enum Bytes {
    File(File),
    Stdin(io::Stdin),
    /// Up to where it may be read; it is read up to `at`.
    Growing(growing::Bytes),
}

/// The bytes of a file, or of standard input for `-`.
pub(super) fn input(file: &Path, passed: Arc<AtomicU64>) -> io::Result<Input> {
    let bytes = match file == Path::new("-") {
        true => Bytes::Stdin(io::stdin()),
        false => Bytes::File(File::open(file)?),
    };
    Ok(Input { bytes, passed })
}

/// The bytes of a log that grows, from where what is there of it begins.
pub(super) fn growing(log: &Growing, passed: Arc<AtomicU64>) -> Input {
    let bytes = Bytes::Growing(log.bytes(log.begins().bytes));
    Input { bytes, passed }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.bytes {
            Bytes::File(file) => file.read(buffer)?,
            Bytes::Stdin(stdin) => stdin.read(buffer)?,
            Bytes::Growing(log) => log.read(buffer)?,
        };
        self.passed.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Bytes that are passed over do not count as passed.
impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.bytes {
            Bytes::File(file) => file.seek(to),
            Bytes::Stdin(_) => Err(io::ErrorKind::NotSeekable.into()),
            Bytes::Growing(log) => log.seek(to),
        }
    }
}

/// What an input holds: of gzip or zstd, as its first bytes say, what is packed in it.
pub(crate) fn unpacked(input: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut raw = BufReader::with_capacity(BUFFER, input);
    let magic = peek(&mut raw, 4)?;
    Ok(if magic.starts_with(GZIP) {
        Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(raw)))
    } else if magic == ZSTD {
        let decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
        Box::new(BufReader::with_capacity(BUFFER, decoder))
    } else {
        Box::new(raw)
    })
}

/// Whether an input is gzip or zstd; it is read from its beginning again afterwards.
fn is_compressed(input: &mut Input) -> io::Result<bool> {
    if matches!(input.bytes, Bytes::Growing(_)) {
        return Ok(false);
    }
    let mut magic = Vec::new();
    input.by_ref().take(4).read_to_end(&mut magic)?;
    input.rewind()?;
    Ok(magic.starts_with(GZIP) || magic == ZSTD)
}

/// Up to `n` first bytes of what the reader holds next, without consuming them. Fewer than `n` only where the input
/// is shorter or arrives in pieces smaller than that.
fn peek(reader: &mut impl BufRead, n: usize) -> io::Result<Vec<u8>> {
    let buffer = reader.fill_buf()?;
    Ok(buffer[..buffer.len().min(n)].to_vec())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn all(input: Vec<u8>) -> io::Result<Vec<Text>> {
        let mut lines = Lines::new(io::Cursor::new(input))?;
        let (mut line, mut out) = (Text::default(), Vec::new());
        while lines.read(&mut line)? {
            out.push(line.clone());
        }
        Ok(out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_read() {
        let mut input = vec![b'x'; 3 * LONGEST_LINE];
        input.extend_from_slice(b"\nnext\r\n\nlast");
        let lines = all(input).unwrap();
        assert!(lines[0].too_long);
        assert_eq!(lines[0].bytes.len(), LONGEST_LINE);
        let rest: Vec<_> = lines[1..]
            .iter()
            .map(|l| (l.number, &l.bytes[..]))
            .collect();
        assert_eq!(rest, [(2, &b"next"[..]), (3, b""), (4, b"last")]);
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole() {
        let mut input = vec![b'x'; LONGEST_LINE];
        assert!(!all(input.clone()).unwrap()[0].too_long);
        input.push(b'\n');
        assert!(!all(input).unwrap()[0].too_long);
    }

    #[test]
    fn a_truncated_member_is_an_error_after_its_lines() {
        let body: Vec<u8> = (0..5000)
            .flat_map(|n| format!("line {n}\n").into_bytes())
            .collect();
        for packed in [gzip(&body), zstd::encode_all(&body[..], 3).unwrap()] {
            let cut = packed[..packed.len() - 20].to_vec();
            assert!(all(cut).is_err());
            assert_eq!(all(packed).unwrap().len(), 5000);
        }
    }

    proptest! {
        /// However the bytes are packed, and in however many members, the lines are those of the bytes.
        #[test]
        fn packing_changes_nothing(parts in prop::collection::vec("([a-z{}\", ]{0,9}\n){1,4}", 1..4)) {
            let whole = parts.concat().into_bytes();
            let plain = all(whole).unwrap();
            let expected: Vec<_> = plain.iter().map(|l| l.bytes.clone()).collect();
            let gz = parts.iter().flat_map(|p| gzip(p.as_bytes())).collect();
            let zst = parts.iter().flat_map(|p| zstd::encode_all(p.as_bytes(), 1).unwrap()).collect();
            for packed in [gz, zst] {
                let got: Vec<_> = all(packed).unwrap().iter().map(|l| l.bytes.clone()).collect();
                prop_assert_eq!(&got, &expected);
            }
        }
    }
}
