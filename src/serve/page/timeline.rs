//! A day as a picture: devices below each other, hours from left to right.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::day::{Day, Seen};
use super::words::{at, civil, clock, count, short};

const LEFT: f64 = 150.0;
const WIDTH: f64 = 960.0;
const ROW: f64 = 26.0;
const ABOVE: f64 = 30.0;

/// Devices that have a row of their own: those that happen most.
const ROWS: usize = 18;

/// The picture of a day, and the same as a table.
pub(super) fn timeline(day: &Day) -> Markup {
    let rows = rows(day);
    let height = ABOVE + ROW * rows.len() as f64 + 8.0;
    let x = |share: f64| at(LEFT + share * (WIDTH - LEFT - 10.0));
    let y = |seen: &Seen| {
        let row = rows.iter().position(|name| *name == seen.device);
        ABOVE + ROW * (row.unwrap_or(rows.len() - 1) as f64 + 0.5)
    };
    let label = format!(
        "{} in {}, {}; the table below has the same",
        count(day.behaviors.len(), "behaviour", "behaviours"),
        count(day.segments.len(), "segment", "segments"),
        count(day.alarms.len(), "alarm", "alarms"),
    );
    html! {
        div.scroll tabindex="0" role="region" aria-label="Timeline" {
            svg.timeline role="img" aria-label=(label) viewBox=(format!("0 0 {WIDTH} {height}")) {
                @for (from, to) in &day.segments {
                    @let (from, to) = (day.share(*from), day.share(*to));
                    rect.segment x=(x(from)) y=(at(ABOVE - 6.0)) rx="4" height=(at(height - ABOVE))
                        width=(at(((to - from) * (WIDTH - LEFT - 10.0)).max(3.0))) {}
                }
                @for hour in (0..=24).step_by(3) {
                    @let share = f64::from(hour) / 24.0;
                    line.grid x1=(x(share)) x2=(x(share)) y1=(at(ABOVE - 6.0)) y2=(at(height)) {}
                    text.axis x=(x(share)) y="16" text-anchor=(match hour { 0 => "start", 24 => "end", _ => "middle" }) { (format!("{hour:02}")) }
                }
                @for (row, name) in rows.iter().enumerate() {
                    text.label x="0" y=(at(ABOVE + ROW * (row as f64 + 0.5) + 4.0)) { (short(name, 20)) title { (name) } }
                }
                @for seen in &day.behaviors { (mark(seen, &x(day.share(seen.time)), y(seen), is_alarm(day, seen))) }
            }
        }
        p.legend aria-hidden="true" {
            span { svg viewBox="0 0 14 14" { circle.right cx="7" cy="7" r="5" {} } " as expected" }
            span { svg viewBox="0 0 14 14" { circle.other cx="7" cy="7" r="4.5" {} } " something else was likelier" }
            span { svg viewBox="0 0 14 14" { path.odd d="M7 1 13 7 7 13 1 7Z" {} } " strange" }
            span { svg viewBox="0 0 14 14" { path.alarm d="M7 1 13.5 13H.5Z" {} } " alarm" }
            span { svg viewBox="0 0 14 14" { rect.segment width="14" height="14" rx="4" {} } " segment" }
        }
        (table(day))
    }
}

/// Names of rows: devices that happen most, by name; what is left over shares the last.
fn rows(day: &Day) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for seen in &day.behaviors {
        *counts.entry(&seen.device).or_default() += 1;
    }
    let mut most: Vec<(&str, usize)> = counts.into_iter().collect();
    most.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let others = most.len() > ROWS;
    most.truncate(ROWS);
    let mut rows: Vec<String> = most.into_iter().map(|(name, _)| name.to_owned()).collect();
    rows.sort();
    if others {
        rows.push("other devices".to_owned());
    }
    rows
}

fn is_alarm(day: &Day, seen: &Seen) -> bool {
    day.alarms
        .iter()
        .any(|(_, times)| times.contains(&seen.time))
}

fn mark(seen: &Seen, x: &str, y: f64, alarm: bool) -> Markup {
    let place = format!("translate({x} {})", at(y));
    let title = html! { title { (clock_text(seen)) " " (seen.action) (thought(seen)) } };
    html! {
        @if alarm { path.alarm transform=(place) d="M0-7 7.5 6H-7.5Z" { (title) } }
        @else if seen.odd { path.odd transform=(place) d="M0-7 7 0 0 7-7 0Z" { (title) } }
        @else if seen.right { circle.right transform=(place) r="5" { (title) } }
        @else { circle.other transform=(place) r="4.5" { (title) } }
    }
}

/// A title holds text alone.
fn clock_text(seen: &Seen) -> String {
    civil(seen.time).strftime("%H:%M").to_string()
}

fn thought(seen: &Seen) -> String {
    match &seen.expected {
        Some((action, probability)) if !seen.right => {
            format!("; likelier was {action} ({:.0} %)", probability * 100.0)
        }
        Some((_, probability)) => format!("; expected ({:.0} %)", probability * 100.0),
        None => String::new(),
    }
}

fn table(day: &Day) -> Markup {
    html! {
        details {
            summary { "As a table" }
            div.scroll tabindex="0" role="region" aria-label="Behaviours of the day" {
                table {
                    thead { tr { th scope="col" { "Time" } th scope="col" { "What" } th scope="col" { "Likeliest in its place" } th scope="col" { "Remark" } } }
                    tbody {
                        @for seen in &day.behaviors {
                            tr {
                                td { (clock(seen.time)) }
                                td { (seen.action) }
                                td { @if let Some((action, probability)) = &seen.expected { (action) " (" (format!("{:.0}", probability * 100.0)) " %)" } }
                                td { @if is_alarm(day, seen) { "alarm" } @else if seen.odd { "strange" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A day in a strip: how much happens by hour.
pub(super) fn strip(day: &Day) -> Markup {
    let hours = day.hours();
    let most = hours.iter().copied().max().unwrap_or(0).max(1) as f64;
    let busiest = (0..24).max_by_key(|hour| hours[*hour]).unwrap_or(0);
    let label = format!(
        "{} by hour, most at {busiest:02} o'clock",
        count(day.behaviors.len(), "behaviour", "behaviours")
    );
    html! {
        svg.strip role="img" aria-label=(label) viewBox="0 0 240 32" preserveAspectRatio="none" {
            @for (hour, count) in hours.iter().enumerate() {
                @let height = *count as f64 / most * 30.0;
                rect x=(at(hour as f64 * 10.0 + 1.0)) width="8" y=(at(31.0 - height)) height=(at(height + 1.0)) {}
            }
        }
    }
}
