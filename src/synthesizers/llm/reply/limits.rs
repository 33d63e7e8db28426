//! How much of a reply is read, and how much of it is repeated.

/// Bytes of a reply that are read; a reply of 8,000 tokens has about 32 KiB.
pub const MAX_TEXT: usize = 1 << 20;

/// Sequences of a reply that are taken.
pub const MAX_SEQUENCES: usize = 1_000;

/// A reason has at most so many bytes.
pub const MAX_REASON: usize = 512;

/// Characters of the reply that a reason shows.
const EXCERPT: usize = 80;

/// The beginning of a text on one line, for reasons.
pub(in super::super) fn excerpt(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let mut start: String = text.chars().take(EXCERPT).map(visible).collect();
    if text.chars().nth(EXCERPT).is_some() {
        start.push('…');
    }
    start
}
