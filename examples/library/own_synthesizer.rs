//! A synthesizer of one's own in a replay: what a home did on a weekday it goes on doing, an hour bucket later.

use std::sync::Arc;

use anyhow::bail;
use clap::Parser;
use hearth::cli::{Cli, Command};
use hearth::replay;
use hearth::stop::Stop;
use hearth::synthesizers::{Synthesizer, rows};
use hearth_operators::words::{Catalogs, HOURS, Request, Written};

/// Answers with the representatives that it is given, later.
struct Later(Arc<Catalogs>);

impl Synthesizer for Later {
    fn synthesize(&self, request: &Request) -> Result<Vec<Written>, String> {
        let catalog = self.0.of(request.key.shift.home);
        let later = request.representatives.iter().map(|sequence| {
            let mut sequence = sequence.clone();
            for behavior in &mut sequence.0 {
                behavior.hours = (behavior.hours + 1) % HOURS.len() as u8;
            }
            Ok(rows(catalog, &sequence))
        });
        Ok(later.collect())
    }

    fn name(&self) -> &str {
        "later"
    }
}

/// Replays six weeks of a lamp with a shift in the middle; how many of the sequences were retained.
pub fn run() -> anyhow::Result<u64> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let evening = |day: i8| {
        let date = jiff::civil::date(2025, 3, 1) + jiff::Span::new().days(i64::from(day));
        let event = |time: &str, action: &str| {
            format!(
                r#"{{"home":"flat","time":"{date}T{time}Z","device":"lamp","action":"{action}"}}"#
            ) + "\n"
        };
        event("19:00:00", "on") + &event("22:00:00", "off")
    };
    write("log.jsonl", &(0..42).map(evening).collect::<String>())?;
    let shift = r#"{"home":"flat","time":"2025-03-22","kind":"text","from":"working days","to":"late shifts"}"#;
    write("contexts.jsonl", shift)?;
    let (log, contexts, out) = (path("log.jsonl"), path("contexts.jsonl"), path("out"));
    let line = [
        "hearth",
        "replay",
        &log,
        "--contexts",
        &contexts,
        "--out",
        &out,
    ];
    let small = ["--warm-up", "20", "--warm-up-span", "5d", "--max-gap", "4h"];
    let Command::Replay(args) = Cli::try_parse_from(line.into_iter().chain(small))?.command else {
        bail!("the line says replay");
    };
    let stop = Stop::default();
    let later =
        |catalogs: &Arc<Catalogs>| -> Arc<dyn Synthesizer> { Arc::new(Later(catalogs.clone())) };
    let summary = replay::run_with_synthesizer(&args, &later, &stop)?;
    Ok(summary.verdicts.retain.values().sum())
}

#[test]
fn what_it_writes_is_valid_and_retained() {
    assert!(run().unwrap() > 0);
}
