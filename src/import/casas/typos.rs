//! Typing errors of recorded logs: a known state with one stray ending is mended; what is hardly ever seen is left out, by name.

use std::collections::BTreeMap;

/// The states that CASAS' sensors have.
pub(super) const STATES: [&str; 18] = [
    "ON", "OFF", "OPEN", "CLOSE", "CLOSED", "ABSENT", "PRESENT", "START", "STOP", "ENABLE",
    "DISABLE", "LOCK", "UNLOCK", "HIGH", "LOW", "STILL", "MOVED", "RINGING",
];

/// So few times, at most, an error is made.
const HARDLY_EVER: u64 = 5;

/// In a log of so many readings a sensor that is seen hardly ever is none.
const A_LOG: u64 = 1_000;

/// A known state that a word says, in whatever letters.
pub(super) fn known(word: &str) -> bool {
    STATES.iter().any(|state| word.eq_ignore_ascii_case(state))
}

/// The known state that a word was meant to be: one with a stray small letter or digit behind it, or with the sensor's own name.
pub(super) fn meant<'a>(sensor: &str, word: &'a str) -> Option<&'a str> {
    let stray = |rest: &str| {
        let mut letters = rest.chars();
        let one = letters.next().filter(|_| letters.next().is_none());
        rest == sensor
            || one
                .is_some_and(|c| !c.is_ascii_uppercase() && !c.is_alphabetic() || c.is_lowercase())
    };
    let mut states = STATES.iter().filter_map(|state| {
        let (begin, rest) = word.split_at_checked(state.len())?;
        (begin == *state && stray(rest)).then_some(begin)
    });
    states.next()
}

/// What is seen how often in a log.
#[derive(Default)]
pub(super) struct Seen {
    readings: u64,
    sensors: BTreeMap<String, u64>,
    /// Words that are no known states, wherever they stand.
    words: BTreeMap<String, u64>,
}

/// What a reading is taken for.
#[derive(Debug, PartialEq)]
pub(super) enum Taken<'a> {
    /// As it stands.
    So(&'a str),
    /// As the state that was meant.
    Mended(&'a str),
    /// Not at all.
    No(String),
}

impl Seen {
    /// A reading.
    pub fn meet(&mut self, sensor: &str, state: &str) {
        self.readings += 1;
        *self.sensors.entry(sensor.to_owned()).or_default() += 1;
        if !known(state) && meant(sensor, state).is_none() {
            *self.words.entry(state.to_owned()).or_default() += 1;
        }
    }

    /// What to take a reading for.
    pub fn judge<'a>(&self, sensor: &str, state: &'a str) -> Taken<'a> {
        let times = self.sensors.get(sensor).copied().unwrap_or(0);
        let letter = sensor.chars().count() == 1;
        if times <= HARDLY_EVER && (letter || self.readings >= A_LOG) {
            return Taken::No(format!("sensors seen hardly ever: {sensor}"));
        }
        if known(state) {
            return Taken::So(state);
        }
        if let Some(state) = meant(sensor, state) {
            return Taken::Mended(state);
        }
        match self.words.get(state).copied().unwrap_or(0) <= HARDLY_EVER {
            true => Taken::No(format!("states seen hardly ever: {sensor} {state}")),
            false => Taken::So(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stray_endings_are_mended_and_rare_words_left_out() {
        assert_eq!(meant("M003", "OFFc"), Some("OFF"));
        assert_eq!(meant("M003", "OFF5"), Some("OFF"));
        assert_eq!(meant("M026", "ONM026"), Some("ON"));
        for other in ["O", "OF", "ONE", "MISSING", "ONM027", "OFF", "on5"] {
            assert_eq!(meant("M026", other), None, "{other}");
        }
        let mut seen = Seen::default();
        for _ in 0..2_000 {
            seen.meet("M001", "ON");
            seen.meet("I006", "MISSING");
        }
        seen.meet("M001", "O");
        seen.meet("M999", "ON");
        assert_eq!(seen.judge("M001", "ON"), Taken::So("ON"));
        assert_eq!(seen.judge("I006", "MISSING"), Taken::So("MISSING"));
        assert!(matches!(seen.judge("M001", "O"), Taken::No(why) if why.ends_with("M001 O")));
        assert!(matches!(seen.judge("M999", "ON"), Taken::No(why) if why.ends_with("M999")));
    }
}
