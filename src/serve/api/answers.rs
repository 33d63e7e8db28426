//! Answers as JSON. Lines of outputs stand in them as they are.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::recent::{Asked, Counts, Entry, Glance, Histogram, Home, Shift};
use crate::outputs::ScoreLine;

pub(super) fn rescaled(workers: NonZeroUsize, stood: Duration) -> String {
    json!({ "workers": workers, "stood_ms": stood.as_secs_f64() * 1e3 }).to_string()
}

pub(super) fn summary(counts: &Counts, caught_up: bool, workers: NonZeroUsize) -> String {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "caught_up": caught_up,
        "workers": workers,
        "epoch": counts.epoch,
        "homes": counts.homes,
        "homes_with_lines": counts.warm,
        "bytes": counts.bytes,
        "lines": counts.lines,
        "missed_lines": counts.missed,
    })
    .to_string()
}

fn glance(name: &str, glance: &Glance) -> Value {
    let alarm = glance
        .alarm
        .map(|(end, severity)| json!({ "end": end, "severity": severity }));
    json!({ "home": name, "newest": glance.newest, "alarm": alarm, "drift": glance.drift })
}

pub(super) fn homes(homes: &[(Arc<str>, Glance)], limit: usize) -> String {
    let next = (homes.len() >= limit).then(|| homes.last().map(|(name, _)| name.as_ref()));
    let homes: Vec<Value> = homes.iter().map(|(name, it)| glance(name, it)).collect();
    json!({ "homes": homes, "after": next.flatten() }).to_string()
}

pub(super) fn home(name: &str, seen: &Glance, home: &Home) -> String {
    let mut answer = glance(name, seen);
    if let Some(answer) = answer.as_object_mut() {
        for (key, count) in [
            ("segments", home.segments.len()),
            ("alarms", home.alarms.len()),
            ("drifts", home.drifts.len()),
            ("transitions", home.transitions.len()),
            ("scores", home.scores.len()),
        ] {
            answer.insert(format!("{key}_kept"), count.into());
        }
    }
    answer.to_string()
}

/// An object of a home with lists of lines.
fn lines(name: &str, lists: &[(&str, Vec<&Arc<str>>)]) -> String {
    let mut text = format!("{{\"home\":{}", Value::from(name));
    for (key, lines) in lists {
        text.push_str(&format!(",\"{key}\":"));
        list(&mut text, lines);
    }
    text.push('}');
    text
}

fn list(text: &mut String, lines: &[&Arc<str>]) {
    text.push('[');
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(line);
    }
    text.push(']');
}

fn newest<'a>(entries: impl IntoIterator<Item = &'a Entry>, limit: usize) -> Vec<&'a Arc<str>> {
    let mut entries: Vec<&Entry> = entries.into_iter().collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.start));
    entries
        .iter()
        .take(limit)
        .map(|entry| &entry.line)
        .collect()
}

pub(super) fn segments(name: &str, home: &Home, limit: usize) -> String {
    lines(name, &[("segments", newest(&home.segments, limit))])
}

pub(super) fn home_alarms(name: &str, home: &Home, limit: usize) -> String {
    let feedback = home.feedback.iter().rev().collect();
    lines(
        name,
        &[
            ("alarms", newest(&home.alarms, limit)),
            ("feedback", feedback),
        ],
    )
}

pub(super) fn predictions(name: &str, home: &Home, limit: usize) -> String {
    // Of a behaviour that was scored again the later line holds.
    let mut seen = BTreeSet::new();
    let fresh = home.scores.iter().rev().filter(|line| {
        let score = serde_json::from_str::<ScoreLine<'_>>(line);
        score.is_ok_and(|score| seen.insert((score.time, score.action.into_owned())))
    });
    lines(name, &[("predictions", fresh.take(limit).collect())])
}

pub(super) fn graph(name: &str, home: &Home, limit: usize) -> String {
    let mut edges: Vec<_> = home.transitions.iter().collect();
    edges.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let edge = |((from, to), count): (&(Arc<str>, Arc<str>), &i64)| json!({ "from": from.as_ref(), "to": to.as_ref(), "count": count });
    let edges: Vec<Value> = edges.into_iter().take(limit).map(edge).collect();
    json!({ "home": name, "transitions": edges }).to_string()
}

fn histogram(histogram: &Histogram) -> Value {
    json!({ "behaviors": histogram.all, "hours": histogram.hours, "devices": histogram.devices })
}

fn shift(shift: &Shift) -> Value {
    json!({
        "kind": shift.kind, "from": shift.from, "to": shift.to, "time": shift.time,
        "requests": shift.requests, "retained": shift.verdicts[0], "deleted": shift.verdicts[1],
        "before": histogram(&shift.before), "synthetic": histogram(&shift.synthetic),
        "after": histogram(&shift.after),
    })
}

pub(super) fn versions(name: &str, home: &Home) -> String {
    let last = home
        .scores
        .back()
        .and_then(|line| serde_json::from_str::<ScoreLine<'_>>(line).ok());
    let versions = serde_json::to_value(last.map(|score| score.versions)).unwrap_or_default();
    let shifts: Vec<Value> = home.shifts.iter().rev().map(shift).collect();
    let adaptations = home.adaptations.iter().rev().collect();
    let drifts = home.drifts.iter().rev().collect();
    let mut text = lines(name, &[("adaptations", adaptations), ("drifts", drifts)]);
    text.pop();
    text.push_str(&format!(
        ",\"versions\":{versions},\"shifts\":{}}}",
        Value::from(shifts)
    ));
    text
}

pub(super) fn alarms(alarms: &[Arc<str>]) -> String {
    let mut text = "{\"alarms\":".to_owned();
    list(&mut text, &alarms.iter().collect::<Vec<_>>());
    text.push('}');
    text
}

pub(super) fn requests(requests: &[Asked]) -> String {
    json!({ "requests": requests }).to_string()
}
