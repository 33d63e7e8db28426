//! Which streams others are told.

use std::fmt;
use std::str::FromStr;

/// Streams whose lines name their home, in the order of the dataflow.
pub const NAMES: [&str; 11] = [
    "segments",
    "transitions",
    "representatives",
    "requests",
    "verdicts",
    "adaptations",
    "scores",
    "alarms",
    "feedback",
    "erasures",
    "drifts",
];

/// Names of streams, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamNames(pub Vec<&'static str>);

impl FromStr for StreamNames {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut streams = Vec::new();
        let names = text.split([' ', ',', '\n', '\t']);
        for name in names.filter(|name| !name.is_empty()) {
            let known = NAMES.into_iter().find(|known| *known == name);
            let known = known.ok_or_else(|| format!("`{name}` is none of {}", NAMES.join(", ")))?;
            if !streams.contains(&known) {
                streams.push(known);
            }
        }
        match streams.is_empty() {
            true => Err(format!(
                "it names no stream; there are {}",
                NAMES.join(", ")
            )),
            false => Ok(StreamNames(streams)),
        }
    }
}

impl fmt::Display for StreamNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named() {
        let streams: StreamNames = "scores, alarms alarms".parse().unwrap();
        assert_eq!(streams.to_string(), "scores alarms");
        for text in ["", " ,", "alarm", "late"] {
            let refused = text.parse::<StreamNames>().unwrap_err();
            assert!(refused.contains("alarms"), "{refused}");
        }
    }
}
