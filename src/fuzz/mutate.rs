//! Bytes otherwise than they were.

use std::ops::Range;

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// No mutation makes an input longer than this, unless its seed was.
const LONGEST: usize = 64 << 10;

/// Bytes at which parsers turn.
const BYTES: &[u8] = b"\0\x01\x7f\x80\xff\n\r\t \"'\\,;:{}[]()<>-+.`";

/// Numbers at which arithmetic turns.
const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "1e999",
    "1e-400",
    "NaN",
    "inf",
    "0.1",
    "00",
    "2147483648",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "253402300800",
    "99999999999999999999999999999999999999999",
];

/// Words that do harm where they are believed.
const WORDS: [&str; 14] = [
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\\u0000",
    "\\ud83d",
    "\u{feff}",
    "\u{202e}",
    "e\u{301}",
    "\r\n",
    "\n\n",
    "../../etc/passwd",
    "2016-02-30T25:61:61+99:99",
];

/// Mutates.
pub(super) struct Mutator<'a> {
    pub random: ChaCha8Rng,
    pub words: &'a [&'a str],
}

impl Mutator<'_> {
    /// Makes a few changes, mostly one or two.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let longest = LONGEST.max(bytes.len());
        loop {
            self.change(bytes, other);
            bytes.truncate(longest);
            if self.random.random_bool(0.5) {
                return;
            }
        }
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.random.random_range(0..=bytes.len());
        match self.random.random_range(0..14) {
            0 => self.flip(bytes),
            1 => self.byte(bytes),
            2 => self.integer(bytes),
            3 => self.number(bytes),
            4 => drop(bytes.drain(self.range(bytes.len()))),
            5 => self.repeat(bytes),
            6 | 7 => {
                let word = self.word();
                drop(bytes.splice(at..at, word));
            }
            8 => {
                // Behind a place in the one what stands behind some place in the other.
                let from = self.random.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            9 => {
                let piece = other[self.range(other.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            10 => bytes.truncate(at),
            11 => self.quoted(bytes),
            12 => self.line(bytes),
            _ => {
                let from = self.range(bytes.len());
                let piece = bytes[from.clone()].to_vec();
                bytes.drain(from);
                let to = self.random.random_range(0..=bytes.len());
                drop(bytes.splice(to..to, piece));
            }
        }
    }

    /// A range of a text of this length, short ones more often.
    fn range(&mut self, length: usize) -> Range<usize> {
        let start = self.random.random_range(0..=length);
        let most = match self.random.random_range(0..4) {
            0 => length - start,
            _ => (length - start).min(32),
        };
        start..start + self.random.random_range(0..=most)
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        let bit = 1 << self.random.random_range(0..8);
        if let Some(byte) = self.any(bytes) {
            *byte ^= bit;
        }
    }

    fn byte(&mut self, bytes: &mut [u8]) {
        let new = match self.random.random() {
            true => *BYTES.choose(&mut self.random).unwrap(),
            false => self.random.random(),
        };
        if let Some(byte) = self.any(bytes) {
            *byte = new;
        }
    }

    fn any<'b>(&mut self, bytes: &'b mut [u8]) -> Option<&'b mut u8> {
        let at = self.random.random_range(0..bytes.len().max(1));
        bytes.get_mut(at)
    }

    /// Writes an integer at which arithmetic turns over what stands somewhere, or adds a little to it.
    fn integer(&mut self, bytes: &mut [u8]) {
        let width = *[1, 2, 4, 8].choose(&mut self.random).unwrap();
        let Some(most) = bytes.len().checked_sub(width) else {
            return;
        };
        let at = self.random.random_range(0..=most);
        let field = &mut bytes[at..at + width];
        let mut old = [0; 8];
        old[..width].copy_from_slice(field);
        let turn = 1_u64 << self.random.random_range(0..64);
        let little = self.random.random_range(0..=16);
        let new = match self.random.random_range(0..4) {
            0 => turn,
            1 => turn.wrapping_sub(1),
            2 => u64::from_le_bytes(old).wrapping_add(little),
            _ => u64::from_le_bytes(old).wrapping_sub(little),
        };
        field.copy_from_slice(&new.to_le_bytes()[..width]);
    }

    /// Exchanges a decimal number.
    fn number(&mut self, bytes: &mut Vec<u8>) {
        let start = self.random.random_range(0..=bytes.len());
        let digit = |byte: &u8| byte.is_ascii_digit();
        let Some(start) = bytes[start..].iter().position(digit).map(|at| start + at) else {
            return;
        };
        let end = bytes[start..].iter().position(|byte| !digit(byte));
        let end = end.map_or(bytes.len(), |length| start + length);
        let number = *NUMBERS.choose(&mut self.random).unwrap();
        drop(bytes.splice(start..end, number.bytes()));
    }

    /// Repeats a piece, sometimes very often.
    fn repeat(&mut self, bytes: &mut Vec<u8>) {
        let range = self.range(bytes.len());
        let times = match self.random.random_range(0..8) {
            0 => self.random.random_range(1..20_000),
            1 | 2 => self.random.random_range(1..100),
            _ => 1,
        };
        let piece = &bytes[range.clone()];
        let piece = piece.repeat(times.min(LONGEST / piece.len().max(1)));
        drop(bytes.splice(range.end..range.end, piece));
    }

    fn word(&mut self) -> Vec<u8> {
        let all = self.words.len() + WORDS.len();
        let at = self.random.random_range(0..all);
        let word = self.words.iter().chain(&WORDS).nth(at);
        word.unwrap().as_bytes().to_vec()
    }

    /// Exchanges what stands between quotes for a word.
    fn quoted(&mut self, bytes: &mut Vec<u8>) {
        let quote = |byte: &u8| matches!(byte, b'"' | b'\'' | b'>');
        let start = self.random.random_range(0..=bytes.len());
        let Some(before) = bytes[start..].iter().position(quote) else {
            return;
        };
        let start = start + before + 1;
        let end = bytes[start..]
            .iter()
            .position(|byte| quote(byte) || *byte == b'<');
        let end = end.map_or(bytes.len(), |length| start + length);
        let word = self.word();
        drop(bytes.splice(start..end, word));
    }

    /// Exchanges two lines, or doubles or removes one.
    fn line(&mut self, bytes: &mut Vec<u8>) {
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        if lines.is_empty() {
            return;
        }
        let [one, two] = [(); 2].map(|()| self.random.random_range(0..lines.len()));
        match self.random.random_range(0..3) {
            0 => lines.swap(one, two),
            1 => lines.insert(one, lines[two]),
            _ => drop(lines.remove(one)),
        }
        *bytes = lines.concat();
    }
}
