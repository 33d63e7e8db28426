//! The table of homes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use super::terminal::plain;
use crate::outputs::read::{check_counts, each, line};
use crate::outputs::{
    AdaptationLine, DriftLine, Judgement, RepresentativeLine, RequestLine, ScoreLine, SegmentLine,
    Stream, TransitionLine, VerdictLine, grouped,
};

/// Columns after the home's name.
const COLUMNS: [&str; 10] = [
    "behaviors",
    "segments",
    "transitions",
    "repr.",
    "requests",
    "retained",
    "deleted",
    "versions",
    "anomalies",
    "drifts",
];

/// By home, what stands in each column.
type Homes = BTreeMap<String, [i64; COLUMNS.len()]>;

/// Writes a line a home, in order of names. Memory grows with the homes, not with the files.
pub(super) fn show(out: &mut impl Write, dir: &Path, limit: usize) -> anyhow::Result<()> {
    let mut homes = Homes::new();
    let mut add = |home: &str, column: usize, diff: i64| match homes.get_mut(home) {
        Some(row) => row[column] += diff,
        None => homes.entry(home.to_owned()).or_default()[column] += diff,
    };
    each(dir, Stream::Segments, |text| {
        let line: SegmentLine<'_> = line(text)?;
        add(&line.home, 0, line.diff * line.behaviors.len() as i64);
        add(&line.home, 1, line.diff);
        Ok(())
    })?;
    each(dir, Stream::Transitions, |text| {
        let line: TransitionLine<'_> = line(text)?;
        add(&line.home, 2, line.diff);
        Ok(())
    })?;
    each(dir, Stream::Representatives, |text| {
        let line: RepresentativeLine<'_> = line(text)?;
        add(&line.home, 3, line.diff);
        Ok(())
    })?;
    each(dir, Stream::Requests, |text| {
        add(&line::<RequestLine<'_>>(text)?.home, 4, 1);
        Ok(())
    })?;
    each(dir, Stream::Verdicts, |text| {
        let line: VerdictLine<'_> = line(text)?;
        let unanswered = line.stage == 0 && line.sequence.is_empty();
        match line.verdict {
            Judgement::Retain => add(&line.home, 5, 1),
            Judgement::Delete if unanswered => {}
            Judgement::Delete => add(&line.home, 6, 1),
        }
        Ok(())
    })?;
    each(dir, Stream::Adaptations, |text| {
        let line: AdaptationLine<'_> = line(text)?;
        add(&line.home, 7, i64::from(line.event == "promoted"));
        Ok(())
    })?;
    each(dir, Stream::Scores, |text| {
        let line: ScoreLine<'_> = line(text)?;
        add(&line.home, 8, i64::from(line.anomaly && !line.open));
        Ok(())
    })?;
    each(dir, Stream::Drifts, |text| {
        add(&line::<DriftLine<'_>>(text)?.home, 9, 1);
        Ok(())
    })?;
    for (column, stream) in [
        (1, Stream::Segments),
        (2, Stream::Transitions),
        (3, Stream::Representatives),
    ] {
        let net = homes.iter().map(|(home, row)| (home, row[column]));
        check_counts(dir, stream, &net.collect())?;
    }
    write_table(&homes, limit, out)
}

/// A row a home, at most so many, and the sum of all.
fn write_table(homes: &Homes, limit: usize, out: &mut impl Write) -> anyhow::Result<()> {
    let longest = homes.keys().map(|home| shown(home).chars().count()).max();
    let width = longest.unwrap_or(0).max("total".len());
    write!(out, "{:<width$}", "home")?;
    for column in COLUMNS {
        write!(out, "  {column:>11}")?;
    }
    writeln!(out)?;
    let mut total = [0; COLUMNS.len()];
    for row in homes.values() {
        total
            .iter_mut()
            .zip(row)
            .for_each(|(sum, count)| *sum += count);
    }
    for (home, row) in homes.iter().take(limit) {
        write!(out, "{:<width$}", shown(home))?;
        for count in row {
            write!(out, "  {:>11}", grouped(count.unsigned_abs()))?;
        }
        writeln!(out)?;
    }
    if homes.len() > limit {
        let more = grouped((homes.len() - limit) as u64);
        writeln!(out, "… and {more} more homes (--limit 0 shows all)")?;
    }
    write!(out, "{:<width$}", "total")?;
    for sum in total {
        write!(out, "  {:>11}", grouped(sum.unsigned_abs()))?;
    }
    writeln!(out, "\n{} homes", grouped(homes.len() as u64))?;
    Ok(())
}

/// A home's name, at most 40 characters of it.
fn shown(home: &str) -> String {
    let mut name = plain(&home.chars().take(40).collect::<String>());
    if home.chars().nth(40).is_some() {
        name.push('…');
    }
    name
}
