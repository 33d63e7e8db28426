//! The homes of a file of models.

use std::io::Write;

use serde::Serialize;

use crate::kept::Models;
use crate::outputs::{Stamp, grouped};
use crate::portrait::{plain, stamp};

/// A home, for programs.
#[derive(Serialize)]
struct Line<'a> {
    home: &'a str,
    cohort: Option<&'a str>,
    behaviors: i64,
    since: Option<Stamp>,
    until: Option<Stamp>,
    kind: Option<&'static str>,
    context: Option<&'a str>,
    /// When the context began.
    shift: Option<Stamp>,
    bytes: u64,
    unpacked: u64,
}

/// Writes a line a home.
pub fn write(out: &mut impl Write, models: &Models, json: bool) -> anyhow::Result<()> {
    let lines: Vec<Line<'_>> = lines(models).collect();
    if json {
        for line in &lines {
            serde_json::to_writer(&mut *out, line)?;
            writeln!(out)?;
        }
        return Ok(());
    }
    let width = |text: &dyn Fn(&Line<'_>) -> usize, least| {
        lines.iter().map(text).max().unwrap_or(0).max(least)
    };
    let home = width(&|line| line.home.chars().count(), 4);
    let cohort = width(&|line| line.cohort.unwrap_or("-").chars().count(), 6);
    let context = width(&|line| line.context.unwrap_or("-").chars().count(), 7);
    writeln!(
        out,
        "{:<home$}  {:<cohort$}  {:>10}  {:<10}  {:<10}  {:<context$}  {:>10}",
        "home", "cohort", "behaviors", "since", "until", "context", "bytes"
    )?;
    for line in &lines {
        writeln!(
            out,
            "{:<home$}  {:<cohort$}  {:>10}  {:<10}  {:<10}  {:<context$}  {:>10}",
            plain(line.home),
            plain(line.cohort.unwrap_or("-")),
            grouped(line.behaviors.unsigned_abs()),
            day(line.since),
            day(line.until),
            plain(line.context.unwrap_or("-")),
            grouped(line.bytes),
        )?;
    }
    Ok(())
}

fn lines(models: &Models) -> impl Iterator<Item = Line<'_>> {
    models.homes().iter().map(|entry| {
        let zone = entry.zone();
        let stamp = |time| stamp(time, zone.as_ref());
        let shift = entry.shift.as_ref();
        Line {
            home: &entry.home,
            cohort: models.cohort_of(entry),
            behaviors: entry.behaviors,
            since: entry.since.map(stamp),
            until: entry.until.map(stamp),
            kind: shift.map(|shift| shift.kind.name()),
            context: shift.map(|shift| shift.to.as_str()),
            shift: shift.map(|shift| Stamp {
                time: shift.time,
                offset: shift.offset,
            }),
            bytes: entry.part.bytes,
            unpacked: entry.part.unpacked,
        }
    })
}

fn day(stamp: Option<Stamp>) -> String {
    let text = stamp.map(|stamp| crate::time::format(stamp.time, stamp.offset));
    text.map_or_else(|| "-".to_owned(), |text| text.chars().take(10).collect())
}
