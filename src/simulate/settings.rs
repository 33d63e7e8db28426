//! What a simulation can be asked for: one definition for the command line and the library.

use std::num::NonZeroU32;
use std::str::FromStr;

use clap::{Args, FromArgMatches};
use hearth_operators::words::ShiftKind;

/// What to simulate. Equal settings give equal logs, byte for byte; a home does not depend on how many others there are.
#[derive(clap::Args, Clone, Debug)]
pub struct Settings {
    /// How many homes
    #[arg(long, value_name = "N", default_value = "20")]
    pub homes: NonZeroU32,

    /// How many days, from Monday 2025-01-06 on (1 to 3650)
    #[arg(long, value_name = "D", default_value = "30")]
    pub days: Days,

    /// Where all chance comes from: the same seed gives the same files
    #[arg(long, value_name = "S", default_value_t = 2024)]
    pub seed: u64,

    /// Kinds of shift, dealt to the homes in turn, one a home, about the middle of its days: `season`, `schedule`,
    /// `occupancy`, or `none`
    #[arg(
        long,
        value_name = "KIND,..",
        default_value = "season,schedule,occupancy"
    )]
    pub shifts: Shifts,

    /// Planted anomalies, as a share of the usual behaviours (0 to 1)
    #[arg(long, value_name = "SHARE", default_value = "0.01")]
    pub anomalies: Share,

    /// Share of the lines that are written later in the file than their time says
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub late: Share,

    /// How much later at most, in event time; above the lateness of `replay` (24h) some lines come too late for it
    #[arg(long, value_name = "DURATION", default_value = "12h")]
    pub late_by: Delay,

    /// Share of the lines that are written a second time, at most ten minutes of event time later
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub duplicates: Share,

    /// Share of the lines that change places with their neighbours in time
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub reorder: Share,

    /// How far a reordered line moves at most, in event time
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub reorder_by: Delay,

    /// Give every event an id (its duplicate bears the same)
    #[arg(long)]
    pub ids: bool,
}

impl Default for Settings {
    /// What holds where nothing is asked for.
    fn default() -> Self {
        let command = Settings::augment_args(clap::Command::new("simulate"));
        let matches = command.get_matches_from(["simulate"]);
        Settings::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// A share, within 0 and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// The share as a number within 0 and 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Share(share)),
            _ => Err("a share is a number from 0 to 1, such as 0.02".to_owned()),
        }
    }
}

/// A number of days, 1 to 3650.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days(u16);

impl Days {
    /// The number of days.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl FromStr for Days {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(days @ 1..=3650) => Ok(Days(days)),
            _ => Err("give a whole number of days from 1 to 3650".to_owned()),
        }
    }
}

/// The kinds of shift that are dealt to the homes in turn; empty for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shifts(Vec<ShiftKind>);

impl Shifts {
    /// The kind of the shift of a home (homes count from 1).
    pub fn of(&self, home: u32) -> Option<ShiftKind> {
        if self.0.is_empty() {
            return None;
        }
        Some(self.0[(home as usize - 1) % self.0.len()])
    }
}

impl FromStr for Shifts {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Shifts(Vec::new()));
        }
        let kind = |word: &str| match word.trim() {
            "season" => Ok(ShiftKind::Season),
            "schedule" => Ok(ShiftKind::Schedule),
            "occupancy" => Ok(ShiftKind::Occupancy),
            other => Err(format!(
                "`{other}` is no kind of shift; give `season`, `schedule`, `occupancy`, several with commas, or `none`"
            )),
        };
        text.split(',')
            .map(kind)
            .collect::<Result<_, _>>()
            .map(Shifts)
    }
}

/// A span of event time, one second to a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delay(u32);

impl Delay {
    /// The span in seconds, at least 1.
    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl FromStr for Delay {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = humantime::parse_duration(text).map(|delay| delay.as_secs());
        match seconds.map(u32::try_from) {
            Ok(Ok(seconds @ 1..=31_536_000)) => Ok(Delay(seconds)),
            _ => Err("give a duration from 1s to 365days, such as 12h or 10m".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused() {
        for text in ["-0.1", "1.1", "NaN", "much", ""] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        for text in ["0", "3651", "-1", "two"] {
            assert!(text.parse::<Days>().is_err(), "{text}");
        }
        for text in ["", "moon", "season,none"] {
            assert!(text.parse::<Shifts>().is_err(), "{text}");
        }
        for text in ["0s", "400days", "soon"] {
            assert!(text.parse::<Delay>().is_err(), "{text}");
        }
    }

    #[test]
    fn shifts_are_dealt_in_turn() {
        let shifts: Shifts = "season,occupancy".parse().unwrap();
        let dealt: Vec<_> = (1..=3).filter_map(|home| shifts.of(home)).collect();
        use ShiftKind::{Occupancy, Season};
        assert_eq!(dealt, [Season, Occupancy, Season]);
        assert_eq!("none".parse::<Shifts>().unwrap().of(1), None);
    }
}
