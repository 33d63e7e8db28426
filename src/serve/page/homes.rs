//! All homes at a glance, and the last alarms of all.

use std::sync::Arc;

use maud::{Markup, html};

use super::super::Server;
use super::super::recent::{Glance, Home};
use super::day::{Day, days};
use super::timeline::strip;
use super::words::{count, link, severity, when};
use crate::outputs::AlarmLine;

/// Homes on a page.
const HOMES: usize = 60;

/// Alarms above them.
const ALARMS: usize = 5;

/// Alarms on the page of alarms.
pub(super) const ALL_ALARMS: usize = 200;

/// All homes at a glance: those behind a name, whose names hold a text.
pub(super) fn homes(server: &Server, behind: Option<&str>, holding: &str) -> Markup {
    let counts = server.recent.counts();
    let homes = server.recent.homes(behind, holding, HOMES);
    let alarms = server.recent.alarms(ALARMS);
    let next = homes
        .last()
        .filter(|_| homes.len() == HOMES)
        .map(|(name, _)| name.clone());
    html! {
        h1 { "Homes" }
        p.lead {
            (count(counts.homes, "home", "homes")) " known. "
            @if server.desk.gauges.is_caught_up() { "What has come in is worked through." }
            @else { strong { "Still catching up" } " with what came in before: what is shown is not the newest." }
        }
        @if counts.homes == 0 { (nothing()) }
        @else {
            @if behind.is_none() && holding.is_empty() {
                section aria-labelledby="alarms" {
                    h2 #alarms { "Last alarms" }
                    @if alarms.is_empty() { p.empty { "None. A home is learnt in silence for five days; from then on what is rarer than the budget of alarms is shown here." } }
                    (list(&alarms, true))
                    @if alarms.len() == ALARMS { p { a href="/alarms" { "All alarms" } } }
                }
            }
            section aria-labelledby="homes" {
                h2 #homes { @if holding.is_empty() { "All homes" } @else { "Homes with “" (holding) "” in their names" } }
                @if counts.homes > 12 || !holding.is_empty() { (search(holding)) }
                @if homes.is_empty() { p.empty { "None. " a href="/" { "All homes" } } }
                ul.cards { @for (name, glance) in &homes { (card(server, name, glance)) } }
                @if let Some(next) = next { p { a href=(link("/", &[("after", &next), ("q", holding)])) { "More homes" } } }
            }
        }
    }
}

/// All alarms that are kept.
pub(super) fn alarms(alarms: &[Arc<str>]) -> Markup {
    html! {
        h1 { "Alarms" }
        @if alarms.is_empty() { p.empty { "None stands. A home is learnt in silence for five days; from then on what is rarer than the budget of alarms is shown here." } }
        (list(alarms, true))
    }
}

fn nothing() -> Markup {
    html! {
        section.empty aria-labelledby="nothing" {
            h2 #nothing { "No home has been heard of yet" }
            p { "A home appears with its first event (with --scores aligned once its first segment is closed, some hours later)." }
            p { "Events come in from Home Assistant, by MQTT or Kafka, from files, or by HTTP:" }
            pre tabindex="0" { code { "curl --data-binary @events.jsonl http://localhost:8470/events" } }
        }
    }
}

fn search(holding: &str) -> Markup {
    html! {
        form.search action="/" method="get" role="search" {
            label for="q" { "Name" }
            input #q type="search" name="q" value=(holding) maxlength="256";
            button { "Find" }
        }
    }
}

fn card(server: &Server, name: &str, glance: &Glance) -> Markup {
    let home = server.recent.peek(name);
    let day = home
        .as_ref()
        .and_then(|home| Day::of(home, *days(home).first()?));
    html! {
        li.card {
            h3 { a href=(link("/home", &[("name", name)])) { (name) } }
            p { @if let Some(newest) = glance.newest { "Last heard of " (when(newest)) (last(home.as_ref(), day.as_ref())) } @else { "Nothing yet" } }
            @if let Some(day) = &day { (strip(day)) }
            @if glance.alarm.is_some() || glance.drift.is_some() {
                ul.badges {
                    @if let Some((end, severe)) = glance.alarm { li.alarm { "▲ alarm, " (severity(severe)) ", " (when(end)) } }
                    @if let Some(since) = glance.drift { li.drift { "◆ lives otherwise since " (when(since)) } }
                }
            }
        }
    }
}

/// What happened last.
fn last(home: Option<&Home>, day: Option<&Day>) -> Markup {
    let last = day.and_then(|day| day.behaviors.last());
    html! { @if let (Some(_), Some(seen)) = (home, last) { ": " (seen.action) } }
}

/// Alarms, each with its first reason.
pub(super) fn list(alarms: &[Arc<str>], named: bool) -> Markup {
    let alarms = alarms
        .iter()
        .filter_map(|line| serde_json::from_str::<AlarmLine<'_>>(line).ok());
    html! {
        ul.alarms { @for alarm in alarms {
            @let path = link("/alarm", &[("home", &alarm.home), ("alarm", &super::words::rfc3339(alarm.alarm))]);
            li {
                a href=(path) { @if named { (alarm.home) ", " } (when(alarm.start)) }
                " " span.severity { (severity(alarm.severity)) }
                @if let Some(reason) = alarm.reasons.first() { p { (reason.why) } }
            }
        } }
    }
}
