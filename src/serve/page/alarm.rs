//! One alarm, with its reasons and what can be said of it.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::recent::{Entry, Home};
use super::said::{erase_alarm, fine};
use super::words::{clock, link, rfc3339, severity, when};
use crate::outputs::{AlarmLine, FeedbackLine, ReasonLine, ScoreLine, SegmentLine, Stamp};

/// The page of an alarm; none where it does not stand.
pub(super) fn alarm(home: &Home, at: Stamp, form: &str) -> Option<Markup> {
    let is = |entry: &&Entry| entry.start.time == at.time;
    let entry = home.alarms.iter().rev().find(is)?;
    let alarm: AlarmLine<'_> = serde_json::from_str(&entry.line).ok()?;
    let segment = home.segments.iter().rev().find(is);
    let segment = segment.and_then(|it| serde_json::from_str::<SegmentLine<'_>>(&it.line).ok());
    let happened = match &segment {
        Some(segment) => {
            let behaviors = segment.behaviors.iter();
            behaviors
                .map(|it| (it.time, it.action.to_string()))
                .collect()
        }
        None => opened(home, alarm.start),
    };
    let mut said = home
        .feedback
        .iter()
        .rev()
        .filter_map(|line| serde_json::from_str::<FeedbackLine<'_>>(line).ok());
    let said = said.find(|said| said.applied && said.alarm.time == at.time);
    let back = link(
        "/home",
        &[("name", &alarm.home), ("day", &rfc3339(alarm.start)[..10])],
    );
    Some(html! {
        nav aria-label="Where you are" { a href="/" { "Homes" } " / " a href=(back) { (alarm.home) } " / " span aria-current="page" { "Alarm" } }
        h1 { "Alarm in " (alarm.home) }
        p.lead {
            (when(alarm.start)) " to " (when(alarm.end)) ", " strong { (severity(alarm.severity)) }
            @if let Some(days) = alarm.once_in_days { ": so strange a thing happens here once in about " (format!("{days:.0}")) " days." }
        }
        @if said.is_some() { p.note { "You said that this was fine. What spoke for it counts half from then on." } }
        section aria-labelledby="why" { h2 #why { "Why" } (reasons(&alarm.reasons)) }
        section aria-labelledby="around" {
            h2 #around { "What happened around it" }
            @if happened.is_empty() { p.empty { "Of a home the last three days are kept here; its segments.jsonl has all." } }
            (around(&happened, &alarm))
        }
        section aria-labelledby="say" {
            h2 #say { "What you can say of it" }
            @if said.is_none() { (fine(&alarm.home, &rfc3339(alarm.alarm), form)) }
            (erase_alarm(&alarm.home, alarm.start, alarm.end, form))
        }
    })
}

fn reasons(reasons: &[ReasonLine<'_>]) -> Markup {
    html! {
        @if reasons.is_empty() { p.empty { "No single count tells it: it is the sum of many small ones." } }
        ol.reasons { @for reason in reasons {
            li {
                p { (clock(reason.time)) " " (reason.why) }
                @if let Some(expected) = &reason.expected { p.quiet { "Expected: " (expected) } }
            }
        } }
    }
}

/// What happened in the segment that is open, if it starts then.
fn opened(home: &Home, start: Stamp) -> BTreeSet<(Stamp, String)> {
    if !home.opened().any(|(at, _)| at == start) {
        return BTreeSet::new();
    }
    let lines = home.opened().map(|(_, line)| line);
    let scores = lines.filter_map(|line| serde_json::from_str::<ScoreLine<'_>>(line).ok());
    scores.map(|it| (it.time, it.action.into_owned())).collect()
}

fn around(happened: &BTreeSet<(Stamp, String)>, alarm: &AlarmLine<'_>) -> Markup {
    let odd = |time: Stamp| alarm.behaviors.iter().any(|it| it.time == time);
    html! {
        ul.around { @for (time, action) in happened {
            li class=[odd(*time).then_some("odd")] {
                (clock(*time)) " " (action)
                @if odd(*time) { strong { " ▲ part of the alarm" } }
            }
        } }
    }
}
