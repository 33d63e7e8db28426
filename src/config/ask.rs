//! When it is asked what a declared shift brings.

use std::fmt;
use std::str::FromStr;

use super::Span;

/// When it is asked what a declared shift brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskAfter {
    /// Once nothing that comes late can change what lies before it.
    Final,
    /// Once the home's newest event is so far behind it, of what is known by then.
    Known(Span),
}

impl AskAfter {
    /// How far behind the shift, in microseconds; none: as far as makes all before it final.
    pub fn micros(self) -> Option<i64> {
        match self {
            AskAfter::Final => None,
            AskAfter::Known(span) => Some(span.micros()),
        }
    }
}

impl FromStr for AskAfter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "final" => Ok(AskAfter::Final),
            span => match span.parse() {
                Ok(span) => Ok(AskAfter::Known(span)),
                Err(reason) => Err(format!("{reason}; or final")),
            },
        }
    }
}

impl fmt::Display for AskAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskAfter::Final => f.write_str("final"),
            AskAfter::Known(span) => span.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_duration_or_final() {
        let parse = |text: &str| text.parse::<AskAfter>();
        assert_eq!(parse("final").unwrap().micros(), None);
        assert_eq!(parse(" 1h").unwrap().micros(), Some(3_600_000_000));
        let reason = parse("at once").unwrap_err();
        assert!(reason.ends_with("or final"), "{reason}");
        for text in ["final", "1h"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }
}
