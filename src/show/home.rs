//! One home: what the changelogs of an output folder add up to.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use super::{Part, plain};
use crate::config::UsageError;
use crate::outputs::read::{add, check_counts, each, is_of, line};
use crate::outputs::{
    AdaptationLine, BehaviorLine, Judgement, QuadrupleLine, RepresentativeLine, RequestLine,
    ScoreLine, SegmentLine, Stamp, Stream, TransitionLine, VerdictLine, VersionsLine, grouped,
};

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
    each(dir, Stream::Transitions, |text| {
        if is_of(text, home)? {
            let line: TransitionLine<'_> = line(text)?;
            let key = (line.from.into_owned(), line.to.into_owned());
            add(&mut transitions, key, line.diff);
        }
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
    let home = gather(dir, name)?;
    let wanted = |part: Part| only.is_empty() || only.contains(&part);
    if wanted(Part::Segments) {
        let count: i64 = home.segments.values().sum();
        heading(
            out,
            "segments",
            count.unsigned_abs(),
            home.segments.len(),
            limit,
            "newest",
        )?;
        for (behaviors, times) in newest(home.segments.iter(), limit) {
            writeln!(out, "  {}{}", plain(&told(behaviors)), repeated(*times))?;
        }
    }
    if wanted(Part::Graph) {
        let count: i64 = home.transitions.values().sum();
        let mut edges: Vec<_> = home.transitions.iter().collect();
        edges.sort_by_key(|&(edge, count)| (std::cmp::Reverse(*count), edge));
        heading(
            out,
            "transitions",
            count.unsigned_abs(),
            edges.len(),
            limit,
            "most frequent",
        )?;
        for ((from, to), count) in edges.into_iter().take(limit) {
            writeln!(
                out,
                "  {:>7}  {}",
                grouped(count.unsigned_abs()),
                plain(&format!("{from} → {to}"))
            )?;
        }
    }
    if wanted(Part::Representatives) {
        let count = home.representatives.len();
        heading(out, "representatives", count as u64, count, limit, "newest")?;
        for ((regime, behaviors, weekday), _) in newest(home.representatives.iter(), limit) {
            writeln!(
                out,
                "  regime {regime}, {weekday}: {}",
                plain(&told(behaviors))
            )?;
        }
    }
    for (part, title, lines) in [
        (Part::Requests, "requests", &home.requests),
        (Part::Verdicts, "verdicts", &home.verdicts),
    ] {
        if wanted(part) {
            heading(out, title, lines.len() as u64, lines.len(), limit, "newest")?;
            if part == Part::Verdicts {
                for ((verdict, stage), count) in &home.judged {
                    writeln!(out, "  {:>7}  {verdict} at stage {stage}", grouped(*count))?;
                }
            }
            for line in newest(lines.iter(), limit) {
                writeln!(out, "  {}", plain(line))?;
            }
        }
    }
    if wanted(Part::Versions) {
        let count = home.adaptations.len();
        heading(out, "versions", count as u64, count, limit, "newest")?;
        for line in newest(home.adaptations.iter(), limit) {
            writeln!(out, "  {}", plain(line))?;
        }
        if let Some((epoch, versions)) = home.live {
            writeln!(
                out,
                "  at the last score (epoch {epoch}): detector {}, predictor {}; {} scores, {} anomalies",
                versions.detector,
                versions.predictor,
                grouped(home.scores),
                grouped(home.anomalies)
            )?;
        }
    }
    Ok(())
}

fn gather(dir: &Path, name: &str) -> anyhow::Result<Home> {
    let mut home = Home::default();
    let mut met = false;
    each(dir, Stream::Segments, |text| {
        if is_of(text, name)? {
            met = true;
            let line: SegmentLine<'_> = line(text)?;
            add(&mut home.segments, owned(line.behaviors), line.diff);
        }
        Ok(())
    })?;
    check_counts(dir, Stream::Segments, &home.segments)?;
    if !met {
        known(dir, name)?;
    }
    home.transitions = transitions(dir, name)?;
    each(dir, Stream::Representatives, |text| {
        if is_of(text, name)? {
            let line: RepresentativeLine<'_> = line(text)?;
            let key = (
                line.regime,
                owned(line.behaviors),
                line.weekday.into_owned(),
            );
            add(&mut home.representatives, key, line.diff);
        }
        Ok(())
    })?;
    check_counts(dir, Stream::Representatives, &home.representatives)?;
    each(dir, Stream::Requests, |text| {
        if is_of(text, name)? {
            let line: RequestLine<'_> = line(text)?;
            home.requests.push(format!(
                "{}  epoch {}, {} {} → {} at {}, {} representatives",
                line.request,
                line.epoch,
                line.shift.kind.name(),
                line.shift.from,
                line.shift.to,
                crate::time::format(line.shift.time.time, line.shift.time.offset),
                line.representatives.len()
            ));
        }
        Ok(())
    })?;
    each(dir, Stream::Verdicts, |text| {
        if is_of(text, name)? {
            let line: VerdictLine<'_> = line(text)?;
            let word = match line.verdict {
                Judgement::Retain => "retain",
                Judgement::Delete => "delete",
            };
            *home.judged.entry((word, line.stage)).or_default() += 1;
            home.verdicts.push(verdict(word, &line));
        }
        Ok(())
    })?;
    each(dir, Stream::Adaptations, |text| {
        if is_of(text, name)? {
            let line: AdaptationLine<'_> = line(text)?;
            home.adaptations.push(format!(
                "epoch {}, {} version {} {}: loss {} before, {} after; {}",
                line.epoch,
                line.task,
                line.version,
                line.event.replace('_', " "),
                number(line.before),
                number(line.after),
                line.evidence
            ));
        }
        Ok(())
    })?;
    each(dir, Stream::Scores, |text| {
        if is_of(text, name)? {
            let line: ScoreLine<'_> = line(text)?;
            home.scores += 1;
            home.anomalies += u64::from(line.anomaly);
            if home.live.is_none_or(|(epoch, _)| epoch <= line.epoch) {
                home.live = Some((line.epoch, line.versions));
            }
        }
        Ok(())
    })?;
    Ok(home)
}

/// Refuses a home of which no file but `late` and `rejected` says anything, naming a similar one.
fn known(dir: &Path, home: &str) -> anyhow::Result<()> {
    let mut nearest: Option<(usize, String)> = None;
    let mut met = false;
    each(dir, Stream::Segments, |text| {
        let line: SegmentLine<'_> = line(text)?;
        met |= line.home == home;
        let distance = strsim::damerau_levenshtein(&line.home, home);
        if nearest.as_ref().is_none_or(|(least, _)| distance < *least) {
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

fn verdict(word: &str, line: &VerdictLine<'_>) -> String {
    let evidence = match (line.stage, &line.reason) {
        (0, Some(reason)) => reason.to_string(),
        (1, _) => format!("loss {} ≤ bound {}", number(line.loss), number(line.bound)),
        _ => format!(
            "loss {} > bound {}; held-out loss {} without it, {} with it",
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

fn told(behaviors: &Behaviors) -> String {
    let actions: Vec<&str> = behaviors
        .iter()
        .map(|(_, action)| action.as_str())
        .collect();
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
) -> std::io::Result<()> {
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
