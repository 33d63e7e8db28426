//! How often a run keeps what it can go on from.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Span;

/// How often a run keeps what it can go on from after it was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpointing {
    /// Never.
    Off,
    /// After so long by the clock, or longer where keeping it takes more than a twentieth of the time.
    Every(Span),
}

impl Checkpointing {
    /// The time between two checkpoints, when the last one took so long; `None`: there are none.
    pub fn wait(self, took: Duration) -> Option<Duration> {
        match self {
            Checkpointing::Off => None,
            Checkpointing::Every(span) => Some(span.duration().max(19 * took)),
        }
    }
}

impl FromStr for Checkpointing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "off" => Ok(Checkpointing::Off),
            span => match span.parse() {
                Ok(span) => Ok(Checkpointing::Every(span)),
                Err(reason) => Err(format!("{reason}; or off")),
            },
        }
    }
}

impl fmt::Display for Checkpointing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Checkpointing::Off => f.write_str("off"),
            Checkpointing::Every(span) => span.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_take_a_twentieth_of_the_time_at_most() {
        let wait = |text: &str, took| {
            let every: Checkpointing = text.parse().unwrap();
            every
                .wait(Duration::from_secs(took))
                .map(|wait| wait.as_secs())
        };
        assert_eq!(wait("off", 3), None);
        assert_eq!(wait("10s", 0), Some(10));
        assert_eq!(wait("10s", 3), Some(57));
        let reason = "never".parse::<Checkpointing>().unwrap_err();
        assert!(reason.ends_with("or off"), "{reason}");
    }
}
