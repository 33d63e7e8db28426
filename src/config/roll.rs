//! How long a file of an output folder grows.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Size, Span};

/// When a file of a stream is long enough: written like `64MiB`, `1d`, or `64MiB,1d` for whichever is first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    size: Option<Size>,
    every: Option<Span>,
}

impl Roll {
    /// Whether a file that has something is to be followed by another one: with so many bytes of lines, begun in this
    /// [period](Roll::period).
    pub fn is_due(&self, bytes: u64, begun: u64) -> bool {
        bytes > 0 && (self.is_long(bytes) || self.period() > begun)
    }

    /// Whether so many bytes of lines end a file, whatever the time.
    pub fn is_long(&self, bytes: u64) -> bool {
        self.size.is_some_and(|size| bytes >= size.bytes())
    }

    /// The number of the hour, day or whatever there is a file for, in UTC; 0 where no time ends a file.
    pub fn period(&self) -> u64 {
        let Some(every) = self.every else { return 0 };
        let number = since_1970().as_micros() / every.duration().as_micros();
        u64::try_from(number).unwrap_or(u64::MAX)
    }

    /// So long it is until the next one, if a time ends a file.
    pub fn left(&self) -> Option<Duration> {
        let every = self.every?.duration().as_micros();
        let left = every - since_1970().as_micros() % every;
        Some(Duration::from_micros(
            u64::try_from(left).unwrap_or(u64::MAX),
        ))
    }
}

fn since_1970() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

impl FromStr for Roll {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut roll = Roll::default();
        for part in text.split(',') {
            let (size, every) = (part.parse().ok(), part.parse().ok());
            if size.is_none() && every.is_none() {
                return Err(format!(
                    "`{part}` is no size and no duration; write it like 64MiB, 1d, or 64MiB,1d for whichever is first"
                ));
            }
            // `512M` is a size, and could be a time.
            let every = every.filter(|_| size.is_none());
            if size.and(roll.size).is_some() || every.and(roll.every).is_some() {
                return Err(format!("`{text}` has two of a kind"));
            }
            roll.size = roll.size.or(size);
            roll.every = roll.every.or(every);
        }
        Ok(roll)
    }
}

impl fmt::Display for Roll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.size, self.every) {
            (Some(size), Some(every)) => write!(f, "{size},{every}"),
            (Some(size), None) => size.fmt(f),
            (None, Some(every)) => every.fmt(f),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roll(text: &str) -> Roll {
        text.parse().unwrap()
    }

    #[test]
    fn it_is_a_size_or_a_time_or_both() {
        for text in ["64MiB", "1h", "64MiB,1h"] {
            assert_eq!(roll(text).to_string(), text);
        }
        assert_eq!(roll("1day, 5M"), roll("5MiB,24h"));
        for text in ["", "all", "1h,2h", "1MiB,2MiB", "1h,", "0s"] {
            assert!(text.parse::<Roll>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_is_long_enough_by_whichever_is_first() {
        let both = roll("1KiB,1d");
        let today = both.period();
        assert!(today > 20_000, "days since 1970");
        assert!(!both.is_due(1023, today) && both.is_due(1024, today));
        assert!(both.is_due(1, today - 1), "it is of yesterday");
        assert!(!both.is_due(0, today - 1), "nothing is in it");
        assert!(!roll("1KiB").is_due(1023, 0));
        assert!(both.left().unwrap() <= Duration::from_secs(86_400));
        assert_eq!(roll("1KiB").left(), None);
    }
}
