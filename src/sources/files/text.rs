//! A line as it stands.

/// The longest line (or CSV record) that is read, in bytes; of a longer one the rest is skipped.
pub(crate) const LONGEST_LINE: usize = 64 * 1024;

/// One line as it stands in the input, without its line break.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    /// Its number, from 1.
    pub number: u64,
    /// Where it begins.
    pub start: u64,
    /// Its bytes: all of them, or the first [`LONGEST_LINE`] if it is `too_long`.
    pub bytes: Vec<u8>,
    /// Whether the line is longer than [`LONGEST_LINE`].
    pub too_long: bool,
}

impl Text {
    /// A line by itself.
    pub fn of(line: &str) -> Self {
        Text {
            bytes: line.into(),
            ..Text::default()
        }
    }

    /// Whether the line is no part of the log: it says how far a source of an inbox was read.
    pub fn is_mark(&self) -> bool {
        self.bytes.starts_with(br#"{"mark":"#)
    }

    /// Takes off how it ends.
    pub fn end(&mut self) -> Ended {
        if self.bytes.last() != Some(&b'\n') {
            return match self.bytes.len() > LONGEST_LINE {
                true => Ended::TooLong,
                false => Ended::Unended,
            };
        }
        self.bytes.pop();
        if self.bytes.last() == Some(&b'\r') {
            self.bytes.pop();
        }
        Ended::Break
    }

    /// Whether the line holds nothing but white space.
    pub fn is_blank(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// With a line break.
    Break,
    /// With the input.
    Unended,
    /// It is longer than is read of it.
    TooLong,
}
