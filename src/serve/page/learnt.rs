//! What a home's model knows.

use maud::{Markup, html};

use super::words::{at, count, link, when};
use crate::outputs::Stamp;
use crate::portrait::{ActionView, View};

/// Actions that are shown: those that happen most.
const SHOWN: usize = 30;
/// What comes next that is told of each.
const NEXT: usize = 3;

/// Of a picture of the hours of a day.
const HOUR: f64 = 5.0;
const HEIGHT: f64 = 24.0;

/// The page of a home's model; its times as a clock of this offset shows them.
pub(super) fn learnt(view: &View, offset: i16) -> Markup {
    let when = |stamp: Stamp| when(Stamp { offset, ..stamp });
    let of_home = link("/home", &[("name", &view.home)]);
    html! {
        nav aria-label="Where you are" { a href="/" { "Homes" } " / " a href=(of_home) { (view.home) } " / " span aria-current="page" { "What is learnt" } }
        h1 { "What is learnt of " (view.home) }
        p.lead {
            (count(usize::try_from(view.behaviors).unwrap_or(0), "behaviour", "behaviours"))
            @if let (Some(since), Some(until)) = (view.since, view.until) { ", from " (when(since)) " to " (when(until)) }
            ". As of now: what happens changes it."
        }
        @if let Some(context) = &view.context { p { "It lives in " (context.to) " since " (when(context.since)) " (" (context.kind) ")." } }
        section aria-labelledby="alarms" {
            h2 #alarms { "When it calls" }
            (alarms(view))
        }
        section aria-labelledby="habits" {
            h2 #habits { "What it does, and when" }
            @if view.actions.is_empty() { p.empty { "Nothing is kept yet: the first segment is still open." } }
            @else { (table(&view.actions)) }
        }
    }
}

fn alarms(view: &View) -> Markup {
    let alarms = &view.alarms;
    html! {
        @match alarms.threshold.zip(alarms.left) {
            Some((threshold, left)) => p {
                "A behaviour whose score is above " (format!("{threshold:.1}")) " is strange. "
                (count(alarms.raised as usize, "alarm", "alarms")) " so far, "
                @if left < 0.0 { (format!("{:.1}", -left)) " more than" } @else { (format!("{left:.1}")) " left of" }
                " the budget of " (alarms.budget) "."
            },
            None => p.empty { "Nothing calls anybody yet: the home is still being learnt." },
        }
    }
}

fn table(actions: &[ActionView]) -> Markup {
    let more = actions.len().saturating_sub(SHOWN);
    html! {
        div.scroll tabindex="0" role="region" aria-label="Habits" {
            table.habits {
                thead { tr { th scope="col" { "Action" } th scope="col" { "so often" } th scope="col" { "by the hour, from 0 to 24" } th scope="col" { "then comes" } } }
                tbody { @for action in actions.iter().take(SHOWN) { tr {
                    td { (action.action) }
                    td.number { (action.times) }
                    td { (hours(action)) }
                    td { @for (n, next) in action.next.iter().take(NEXT).enumerate() { @if n > 0 { ", " } (next.action) " (" (next.times) ")" } }
                } } }
            }
        }
        @if more > 0 { p.quiet { "And " (count(more, "action", "actions")) " more." } }
    }
}

/// How often by the hour, as a picture; in words: the hours in which it happens most.
fn hours(action: &ActionView) -> Markup {
    let most = action.hours.iter().copied().max().unwrap_or(0).max(1);
    let mut order: Vec<usize> = (0..24).filter(|hour| action.hours[*hour] > 0).collect();
    order.sort_by_key(|hour| std::cmp::Reverse(action.hours[*hour]));
    let told: Vec<String> = order
        .iter()
        .take(NEXT)
        .map(|hour| format!("{hour} h"))
        .collect();
    let label = format!("most at {}", told.join(", "));
    html! {
        svg.hours role="img" aria-label=(label) viewBox=(format!("0 0 {} {HEIGHT}", 24.0 * HOUR)) {
            @for (hour, times) in action.hours.iter().enumerate() {
                @let height = HEIGHT * f64::from(*times) / f64::from(most);
                rect x=(at(hour as f64 * HOUR)) y=(at(HEIGHT - height)) width=(at(HOUR - 1.0)) height=(at(height)) { title { (hour) " h: " (times) } }
            }
        }
    }
}
