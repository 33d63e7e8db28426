//! Lengths of event time, as options write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hearth_operators::words::Time;
use serde::{Deserialize, Serialize};

/// A length of event time, above zero: whole microseconds, written like `9h` or `1day 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span(i64);

impl Span {
    /// The longest that is accepted, 100 years: longer is a mistake, and sums with times stay in range.
    const LONGEST: i64 = 36_525 * Time::DAY;

    /// In microseconds, as [`Time`] counts.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// As the clock has it.
    pub fn duration(self) -> Duration {
        Duration::from_micros(self.0.unsigned_abs())
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration = humantime::parse_duration(text.trim())
            .map_err(|_| format!("`{text}` is no duration; write it like 9h, 10m or 1day"))?;
        match i64::try_from(duration.as_micros()) {
            Ok(0) => Err(format!(
                "`{text}` is too short: a duration must be above zero"
            )),
            Ok(micros) if micros <= Self::LONGEST => Ok(Span(micros)),
            _ => Err(format!(
                "`{text}` is too long: at most 100 years make sense"
            )),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.duration()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_span_reads_what_it_writes(micros in 1..=Span::LONGEST) {
            let span = Span(micros);
            prop_assert_eq!(span.to_string().parse::<Span>(), Ok(span));
        }
    }
}
