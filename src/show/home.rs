//! One home: what the changelogs of an output folder add up to.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use clap::ValueEnum;

use super::terminal::plain;
use crate::config::UsageError;
use crate::outputs::read::{add, check_counts, each, each_of, line};
use crate::outputs::{
    AdaptationLine, BehaviorLine, DriftLine, Judgement, QuadrupleLine, RepresentativeLine,
    RequestLine, ScoreLine, SegmentLine, Stamp, Stream, TransitionLine, VerdictLine, VersionsLine,
    grouped,
};

/// A part of what is known of a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Behaviour sequences, newest last
    Segments,
    /// How often an action followed another, most frequent first
    Graph,
    /// Segments that compression kept
    Representatives,
    /// What the synthesizer was asked
    Requests,
    /// What the filter said of its answers
    Verdicts,
    /// What became of the home's models
    Versions,
    /// Shifts that nobody declared
    Drifts,
}

/// A segment as a key: times and actions.
type Behaviors = Vec<(Stamp, String)>;

/// What is known of a home.
#[derive(Default)]
struct Home {
    segments: BTreeMap<Behaviors, i64>,
    transitions: BTreeMap<(String, String), i64>,
    /// By regime and weekday, in the order of time.
    representatives: BTreeMap<(u32, Behaviors, String), i64>,
    /// One text line each.
    requests: Vec<String>,
    verdicts: Vec<String>,
    /// By verdict and stage.
    judged: BTreeMap<(&'static str, u8), u64>,
    adaptations: Vec<String>,
    /// Epoch and versions of the newest score.
    live: Option<(u64, VersionsLine)>,
    drifts: Vec<String>,
    scores: u64,
    anomalies: u64,
}

/// The net transitions of a home.
///
/// # Errors
/// A damaged line, a count below zero, or a home that the output does not know.
pub(super) fn transitions(
    dir: &Path,
    home: &str,
) -> anyhow::Result<BTreeMap<(String, String), i64>> {
    let mut transitions = BTreeMap::new();
    each_of(dir, Stream::Transitions, home, |text| {
        let line: TransitionLine<'_> = line(text)?;
        let key = (line.from.into_owned(), line.to.into_owned());
        add(&mut transitions, key, line.diff);
        Ok(())
    })?;
    check_counts(dir, Stream::Transitions, &transitions)?;
    if transitions.is_empty() {
        known(dir, home)?;
    }
    Ok(transitions)
}

/// Writes the parts of a home, all of them where `only` is empty, with at most `limit` entries each.
pub(super) fn show(
    out: &mut impl Write,
    dir: &Path,
    name: &str,
    only: &[Part],
    limit: usize,
) -> anyhow::Result<()> {
    let home = Home::read(dir, name)?;
    let wanted = |part: Part| only.is_empty() || only.contains(&part);
    if wanted(Part::Segments) {
        home.segments(out, limit)?;
    }
    if wanted(Part::Graph) {
        home.graph(out, limit)?;
    }
    if wanted(Part::Representatives) {
        home.representatives(out, limit)?;
    }
    if wanted(Part::Requests) {
        newest_lines(out, "requests", &home.requests, limit)?;
    }
    if wanted(Part::Verdicts) {
        home.verdicts(out, limit)?;
    }
    if wanted(Part::Versions) {
        home.versions(out, limit)?;
    }
    if wanted(Part::Drifts) {
        newest_lines(out, "drifts", &home.drifts, limit)?;
    }
    Ok(())
}

impl Home {
    fn segments(&self, out: &mut impl Write, limit: usize) -> io::Result<()> {
        let count: i64 = self.segments.values().sum();
        let (count, entries) = (count.unsigned_abs(), self.segments.len());
        heading(out, "segments", count, entries, limit, "newest")?;
        for (behaviors, times) in newest(self.segments.iter(), limit) {
            let behaviors = plain(&written(behaviors, longest(limit)));
            writeln!(out, "  {behaviors}{}", repeated(*times))?;
        }
        Ok(())
    }

    fn graph(&self, out: &mut impl Write, limit: usize) -> io::Result<()> {
        let count: i64 = self.transitions.values().sum();
        let mut edges: Vec<_> = self.transitions.iter().collect();
        edges.sort_by_key(|&(edge, count)| (std::cmp::Reverse(*count), edge));
        let (count, entries) = (count.unsigned_abs(), edges.len());
        heading(out, "transitions", count, entries, limit, "most frequent")?;
        for ((from, to), count) in edges.into_iter().take(limit) {
            let count = grouped(count.unsigned_abs());
            writeln!(out, "  {count:>7}  {}", plain(&format!("{from} → {to}")))?;
        }
        Ok(())
    }

    fn representatives(&self, out: &mut impl Write, limit: usize) -> io::Result<()> {
        let count = self.representatives.len();
        heading(out, "representatives", count as u64, count, limit, "newest")?;
        for ((regime, behaviors, weekday), _) in newest(self.representatives.iter(), limit) {
            let behaviors = plain(&written(behaviors, longest(limit)));
            writeln!(out, "  regime {regime}, {weekday}: {behaviors}")?;
        }
        Ok(())
    }

    fn verdicts(&self, out: &mut impl Write, limit: usize) -> io::Result<()> {
        let count = self.verdicts.len();
        heading(out, "verdicts", count as u64, count, limit, "newest")?;
        for ((verdict, stage), count) in &self.judged {
            writeln!(out, "  {:>7}  {verdict} at stage {stage}", grouped(*count))?;
        }
        for line in newest(self.verdicts.iter(), limit) {
            writeln!(out, "  {}", plain(line))?;
        }
        Ok(())
    }

    fn versions(&self, out: &mut impl Write, limit: usize) -> io::Result<()> {
        newest_lines(out, "versions", &self.adaptations, limit)?;
        if let Some((epoch, versions)) = self.live {
            writeln!(
                out,
                "  at the last score (epoch {epoch}): detector {}, predictor {}; {} scores, {} anomalies",
                versions.detector,
                versions.predictor,
                grouped(self.scores),
                grouped(self.anomalies)
            )?;
        }
        Ok(())
    }
}

fn newest_lines(
    out: &mut impl Write,
    title: &str,
    lines: &[String],
    limit: usize,
) -> io::Result<()> {
    heading(out, title, lines.len() as u64, lines.len(), limit, "newest")?;
    for line in newest(lines.iter(), limit) {
        writeln!(out, "  {}", plain(line))?;
    }
    Ok(())
}

impl Home {
    /// Adds up what the files of an output folder say of a home.
    fn read(dir: &Path, name: &str) -> anyhow::Result<Self> {
        let mut home = Home::default();
        let mut met = false;
        each_of(dir, Stream::Segments, name, |text| {
            let line: SegmentLine<'_> = line(text)?;
            met = true;
            add(&mut home.segments, owned(line.behaviors), line.diff);
            Ok(())
        })?;
        check_counts(dir, Stream::Segments, &home.segments)?;
        if !met {
            known(dir, name)?;
        }
        home.transitions = transitions(dir, name)?;
        let stream = Stream::Representatives;
        each_of(dir, stream, name, |text| {
            let line: RepresentativeLine<'_> = line(text)?;
            let weekday = line.weekday.into_owned();
            let key = (line.regime, owned(line.behaviors), weekday);
            add(&mut home.representatives, key, line.diff);
            Ok(())
        })?;
        check_counts(dir, stream, &home.representatives)?;
        each_of(dir, Stream::Requests, name, |text| {
            let line: RequestLine<'_> = line(text)?;
            home.requests.push(request(&line));
            Ok(())
        })?;
        each_of(dir, Stream::Verdicts, name, |text| {
            let line: VerdictLine<'_> = line(text)?;
            let word = match line.verdict {
                Judgement::Retain => "retain",
                Judgement::Delete => "delete",
            };
            *home.judged.entry((word, line.stage)).or_default() += 1;
            home.verdicts.push(verdict(word, &line));
            Ok(())
        })?;
        each_of(dir, Stream::Adaptations, name, |text| {
            let line: AdaptationLine<'_> = line(text)?;
            home.adaptations.push(adaptation(&line));
            Ok(())
        })?;
        each_of(dir, Stream::Drifts, name, |text| {
            home.drifts.push(drift(&line(text)?));
            Ok(())
        })?;
        each_of(dir, Stream::Scores, name, |text| {
            let line: ScoreLine<'_> = line(text)?;
            home.scores += u64::from(!line.open);
            home.anomalies += u64::from(line.anomaly && !line.open);
            if home.live.is_none_or(|(epoch, _)| epoch <= line.epoch) {
                home.live = Some((line.epoch, line.versions));
            }
            Ok(())
        })?;
        Ok(home)
    }
}

/// Refuses a home of which no file but `late` and `rejected` says anything, naming a similar one.
pub(super) fn known(dir: &Path, home: &str) -> anyhow::Result<()> {
    let mut nearest: Option<(usize, String)> = None;
    let mut met = false;
    each(dir, Stream::Segments, |text| {
        let line: SegmentLine<'_> = line(text)?;
        met |= line.home == home;
        let distance = strsim::damerau_levenshtein(&line.home, home);
        if nearest
            .as_ref()
            .is_none_or(|(closest, _)| distance < *closest)
        {
            nearest = Some((distance, line.home.into_owned()));
        }
        Ok(())
    })?;
    match nearest {
        _ if met => Ok(()),
        Some((_, other)) => Err(UsageError(format!(
            "{} holds no home `{}`; did you mean `{}`?",
            dir.display(),
            plain(home),
            plain(&other)
        ))
        .into()),
        None => Err(UsageError(format!("{} holds no home at all", dir.display())).into()),
    }
}

fn request(line: &RequestLine<'_>) -> String {
    format!(
        "{}  epoch {}, {} {} → {} at {}, {} representatives",
        line.request,
        line.epoch,
        line.shift.kind.name(),
        line.shift.from,
        line.shift.to,
        crate::time::format(line.shift.time.time, line.shift.time.offset),
        line.representatives.len()
    )
}

fn adaptation(line: &AdaptationLine<'_>) -> String {
    format!(
        "epoch {}, {} version {} {}: loss {} before, {} after; {}",
        line.epoch,
        line.task,
        line.version,
        line.event.replace('_', " "),
        number(line.before),
        number(line.after),
        line.evidence
    )
}

fn drift(line: &DriftLine<'_>) -> String {
    let time = |stamp: Stamp| crate::time::format(stamp.time, stamp.offset);
    let change = |what: &str, before, after| format!("{what} {before} → {after}");
    let devices = line.devices.iter();
    let devices = devices.map(|d| change(&d.device, d.before, d.after));
    let hours = line
        .hours
        .iter()
        .map(|h| change(&h.hours, h.before, h.after));
    let adapted = if line.adapted { ", adapted to" } else { "" };
    format!(
        "{}  since {}, evidence {}{adapted}; a day: {}; {}; {}",
        time(line.time),
        time(line.since),
        number(line.evidence.map(|evidence| evidence as f32)),
        change("all", line.rate.before, line.rate.after),
        devices.collect::<Vec<_>>().join(", "),
        hours.collect::<Vec<_>>().join(", ")
    )
}

fn verdict(word: &str, line: &VerdictLine<'_>) -> String {
    let evidence = match (line.stage, &line.reason) {
        (0, Some(reason)) => reason.to_string(),
        (1, _) => format!("loss {} ≤ bound {}", number(line.loss), number(line.bound)),
        _ => format!(
            "loss {} > bound {}; baseline {}, trial {}",
            number(line.loss),
            number(line.bound),
            number(line.baseline),
            number(line.trial)
        ),
    };
    let words = |q: &QuadrupleLine<'_>| format!("{} {} {}", q.weekday, q.hours, q.action);
    let sequence: Vec<String> = line.sequence.iter().map(words).collect();
    format!(
        "{word} {}#{}, {evidence}: {}",
        line.request,
        line.position,
        sequence.join(", ")
    )
}

fn owned(behaviors: Vec<BehaviorLine<'_>>) -> Behaviors {
    let pair = |behavior: BehaviorLine<'_>| (behavior.time, behavior.action.into_owned());
    behaviors.into_iter().map(pair).collect()
}

/// Actions of a segment that are shown.
const ACTIONS: usize = 30;

/// How much of a segment is shown, where at most so many of them are.
fn longest(limit: usize) -> usize {
    match limit {
        usize::MAX => usize::MAX,
        _ => ACTIONS,
    }
}

fn written(behaviors: &Behaviors, most: usize) -> String {
    let shown = behaviors.iter().take(most);
    let mut actions: Vec<String> = shown.map(|(_, action)| action.clone()).collect();
    if let Some(more) = behaviors.len().checked_sub(most).filter(|more| *more > 0) {
        actions.push(format!("… and {more} more"));
    }
    let start = behaviors
        .first()
        .map(|(start, _)| crate::time::format(start.time, start.offset));
    format!("{}  {}", start.unwrap_or_default(), actions.join(", "))
}

fn repeated(times: i64) -> String {
    match times {
        1 => String::new(),
        times => format!("  ({times} times)"),
    }
}

fn number(value: Option<f32>) -> String {
    value.map_or("none".into(), |value| format!("{value:.4}"))
}

/// The last `limit` entries, in their order.
fn newest<I: ExactSizeIterator>(entries: I, limit: usize) -> impl Iterator<Item = I::Item> {
    let skipped = entries.len().saturating_sub(limit);
    entries.skip(skipped)
}

/// `segments: 1,234 (the newest 10 of 1,200)`.
fn heading(
    out: &mut impl Write,
    title: &str,
    count: u64,
    entries: usize,
    limit: usize,
    which: &str,
) -> io::Result<()> {
    write!(out, "{title}: {}", grouped(count))?;
    if entries > limit {
        let of = grouped(entries as u64);
        write!(
            out,
            " (the {which} {} of {of}; --limit shows more)",
            grouped(limit as u64)
        )?;
    }
    writeln!(out)
}
