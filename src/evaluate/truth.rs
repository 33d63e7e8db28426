//! The simulator's `truth.jsonl`.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context, anyhow};
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::outputs::read::each_line;

/// A planted shift.
pub(crate) struct PlantedShift {
    pub(crate) home: String,
    /// Microseconds since 1970.
    pub(crate) time: i64,
    pub(crate) kind: String,
}

/// What was planted.
#[derive(Default)]
pub(crate) struct Truth {
    /// Home, time in microseconds, `Device:action`.
    pub(crate) anomalies: Vec<(String, i64, String)>,
    pub(crate) shifts: Vec<PlantedShift>,
}

/// A line of any kind; kinds that are not known here are left alone.
#[derive(Deserialize)]
struct TruthLine<'a> {
    #[serde(borrow)]
    truth: Cow<'a, str>,
    #[serde(borrow)]
    home: Option<Cow<'a, str>>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    device: Option<Cow<'a, str>>,
    #[serde(borrow)]
    action: Option<Cow<'a, str>>,
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
}

impl Truth {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let mut truth = Truth::default();
        each_line(path, |text| {
            let line: TruthLine<'_> =
                serde_json::from_str(text).context("not a line as hearth simulate writes it")?;
            let time = || {
                let text = line.time.as_deref().context("the line has no `time`")?;
                let (time, _) = crate::time::parse(text, &TimeZone::UTC).map_err(|e| anyhow!(e))?;
                anyhow::Ok(time.0)
            };
            let home = || {
                let home = line.home.as_deref().context("the line has no `home`")?;
                anyhow::Ok(home.to_owned())
            };
            match line.truth.as_ref() {
                "anomaly" => {
                    let device = line.device.as_deref().context("the line has no `device`")?;
                    let action = line.action.as_deref().context("the line has no `action`")?;
                    let full = match action.strip_prefix(device) {
                        Some(rest) if rest.starts_with(':') => action.to_owned(),
                        _ => format!("{device}:{action}"),
                    };
                    truth.anomalies.push((home()?, time()?, full));
                }
                "shift" => truth.shifts.push(PlantedShift {
                    home: home()?,
                    time: time()?,
                    kind: line
                        .kind
                        .as_deref()
                        .context("the line has no `kind`")?
                        .to_owned(),
                }),
                _ => {}
            }
            Ok(())
        })?;
        Ok(truth)
    }
}
