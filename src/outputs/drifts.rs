//! Drifts: shifts that nobody declared, and what differs since.

use std::borrow::Cow;

use hearth_operators::drift::{Drift, Rates};
use hearth_operators::words::{Epoch, HOURS};
use serde::{Deserialize, Serialize};

use super::parts::Stamp;
use super::{Names, Record, Stream, Tally};

/// `drifts.jsonl`: a home does not live any more as it did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DriftLine<'a> {
    /// See [the module](super).
    pub epoch: u64,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// The end of the day that made it certain.
    pub time: Stamp,
    /// When the first day began that differs.
    pub since: Stamp,
    /// How strong the case is: a home that stays what it was comes so far once in about so many days.
    pub evidence: Option<f64>,
    /// Days before and since that were compared.
    pub days: RatesLine,
    /// Behaviours a day.
    pub rate: RatesLine,
    /// The devices of which the use changed most.
    #[serde(borrow)]
    pub devices: Vec<DeviceLine<'a>>,
    /// The three hours of the local day in which anything happens.
    #[serde(borrow)]
    pub hours: Vec<HoursLine<'a>>,
    /// Whether it ended its home's regime as a shift that is declared does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adapted: bool,
}

/// How much before and since.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatesLine {
    /// Before.
    pub before: f64,
    /// Since.
    pub after: f64,
}

/// Behaviours of a device a day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceLine<'a> {
    /// The device's name.
    #[serde(borrow)]
    pub device: Cow<'a, str>,
    /// Before.
    pub before: f64,
    /// Since.
    pub after: f64,
}

/// Behaviours in three hours a day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HoursLine<'a> {
    /// Such as `(6~9)`.
    #[serde(borrow)]
    pub hours: Cow<'a, str>,
    /// Before.
    pub before: f64,
    /// Since.
    pub after: f64,
}

impl Record for Drift {
    const STREAM: Stream = Stream::Drifts;

    fn line(&self, epoch: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let stamp = |time| Stamp {
            time,
            offset: self.offset,
        };
        let (before, after) = self.changes.days;
        let devices = self.changes.devices.iter().map(|(device, rates)| {
            let RatesLine { before, after } = rounded(*rates);
            let device = names.device_named(self.home, *device).into();
            DeviceLine {
                device,
                before,
                after,
            }
        });
        let hours = self.changes.hours.iter().map(|(hours, rates)| {
            let RatesLine { before, after } = rounded(*rates);
            let hours = HOURS
                .get(usize::from(*hours))
                .copied()
                .unwrap_or("?")
                .into();
            HoursLine {
                hours,
                before,
                after,
            }
        });
        let value = DriftLine {
            epoch,
            home: Cow::Borrowed(&names.home(self.home)),
            time: stamp(self.time),
            since: stamp(self.since),
            evidence: Some(self.evidence.round()),
            days: RatesLine {
                before: before.into(),
                after: after.into(),
            },
            rate: rounded(self.changes.rate),
            devices: devices.collect(),
            hours: hours.collect(),
            adapted: self.adapted,
        };
        serde_json::to_writer(line, &value)
    }

    fn count(&self, tally: &mut Tally) {
        tally.counts.drifts += 1;
        tally.counts.drifts_adapted += u64::from(self.adapted);
    }
}

/// To hundredths: what is less is chance.
fn rounded(rates: Rates) -> RatesLine {
    let round = |rate: f64| (rate * 100.0).round() / 100.0;
    RatesLine {
        before: round(rates.before),
        after: round(rates.after),
    }
}
