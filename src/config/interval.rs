//! How long an epoch may stay open by the clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Span;

/// How long an epoch may stay open by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// A second where lines may be long in coming (standard input, a pipe), else for ever.
    Auto,
    /// For ever: epochs close by the count of their lines alone.
    Off,
    /// So long.
    Every(Span),
}

impl Interval {
    /// The longest time that an epoch is open, for a source that trickles or does not.
    pub fn of(self, trickles: bool) -> Option<Duration> {
        match self {
            Interval::Auto => trickles.then_some(Duration::from_secs(1)),
            Interval::Off => None,
            Interval::Every(span) => Some(span.duration()),
        }
    }
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "auto" => Ok(Interval::Auto),
            "off" => Ok(Interval::Off),
            span => match span.parse() {
                Ok(span) => Ok(Interval::Every(span)),
                Err(reason) => Err(format!("{reason}; or auto, or off")),
            },
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Interval::Auto => f.write_str("auto"),
            Interval::Off => f.write_str("off"),
            Interval::Every(span) => span.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_trickles_closes_each_second_unless_told_otherwise() {
        let of = |text: &str| [false, true].map(|t| text.parse::<Interval>().unwrap().of(t));
        let second = Some(Duration::from_secs(1));
        assert_eq!(of("auto"), [None, second]);
        assert_eq!(of("off"), [None, None]);
        assert_eq!(of("1s"), [second, second]);
        for wrong in ["never", "0s", ""] {
            let reason = wrong.parse::<Interval>().unwrap_err();
            assert!(reason.contains("auto"), "{reason}");
        }
        for text in ["auto", "off", "1s"] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), text);
        }
    }
}
