//! `hearth run --demo`: simulated homes whose days pass in seconds.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::catalog;
use crate::desk::Desk;
use crate::inbox::{InboxError, Mark};
use crate::simulate::{self, Settings, SimulateArgs};
use crate::sources::{LogFormat, instant};

/// Homes that are shown.
const HOMES: NonZeroU32 = NonZeroU32::new(6).unwrap();

/// Days that they live through; about the middle of them a context shifts.
const DAYS: &str = "60";

/// Event time that passes in a step, in microseconds.
const STEP: i64 = 3_600_000_000;

/// How long a step takes: a day passes in about a second.
const TAKES: Duration = Duration::from_millis(40);

/// What the mark is called.
const SOURCE: &str = "demo";

/// A line with a time.
#[derive(Deserialize)]
struct Timed {
    time: String,
}

/// Simulates homes, and puts what they do into the inbox, from where it was put until then, until all their days are over.
///
/// # Errors
/// They cannot be simulated, or the inbox takes nothing any more.
pub async fn demo(desk: Desk) -> anyhow::Result<()> {
    let folder = desk.out.join(".hearth.demo");
    let lines = tokio::task::spawn_blocking(move || lines(&folder)).await??;
    let put = desk.inbox.mark(SOURCE).and_then(|at| at.parse().ok());
    let mut next: usize = put.unwrap_or(0).min(lines.len());
    tracing::info!(
        "{HOMES} simulated homes live through {DAYS} days, about one a second; the season, their hours or who lives there \
         change halfway"
    );
    while next < lines.len() && !desk.is_ending() {
        let until = lines[next].0 + STEP;
        let some = lines[next..].iter().take_while(|(time, _)| *time < until);
        let some: Vec<&str> = some.map(|(_, line)| line.as_str()).collect();
        next += some.len();
        let mark = Mark {
            source: SOURCE.to_owned(),
            at: next.to_string(),
        };
        match desk.inbox.put(some, Some(mark)).await {
            Ok(()) => tokio::time::sleep(TAKES).await,
            Err(InboxError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    if next == lines.len() {
        let out = desk.out.display();
        tracing::info!(
            "all {DAYS} days are over; the page shows what became of them. Without {out} the demo begins anew"
        );
    }
    Ok(())
}

/// Writes what simulated homes have, into a run's folder.
///
/// # Errors
/// It cannot be written.
pub fn catalog_in(out: &Path) -> anyhow::Result<PathBuf> {
    let path = out.join(".hearth.demo.json");
    catalog::save(&simulate::catalog()?, &path)?;
    Ok(path)
}

/// Events and shifts in their order, with their times.
fn lines(folder: &Path) -> anyhow::Result<Vec<(i64, String)>> {
    let settings = Settings {
        homes: HOMES,
        days: DAYS.parse().map_err(anyhow::Error::msg)?,
        ..Settings::default()
    };
    simulate::write(&SimulateArgs {
        settings,
        out: folder.to_owned(),
        format: LogFormat::Jsonl,
    })?;
    let mut lines = Vec::new();
    for file in ["contexts.jsonl", "events.jsonl"] {
        for line in fs::read_to_string(folder.join(file))?.lines() {
            let Timed { time } = serde_json::from_str(line)?;
            let (time, _) = instant(&time, &TimeZone::UTC).map_err(anyhow::Error::msg)?;
            lines.push((time.0, line.to_owned()));
        }
    }
    fs::remove_dir_all(folder)?;
    lines.sort_by_key(|(time, _)| *time);
    Ok(lines)
}
