//! What follows what in a home, as a picture.

use std::collections::BTreeMap;
use std::sync::Arc;

use maud::{Markup, html};

use super::super::recent::Home;
use super::words::{at, count, short};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 430.0;
const RADIUS: f64 = 170.0;

/// Actions and transitions that the picture shows: those that happen most.
const ACTIONS: usize = 16;
const TRANSITIONS: usize = 40;

/// Transitions that the table has.
const ROWS: usize = 30;

type Edge<'a> = (&'a str, &'a str, i64);

/// The picture of what follows what, and the same as a table.
pub(super) fn graph(home: &Home) -> Markup {
    let mut edges: Vec<Edge<'_>> = home
        .transitions
        .iter()
        .map(|((from, to), count)| (&**from, &**to, *count))
        .collect();
    edges.sort_by_key(|(from, to, count)| (std::cmp::Reverse(*count), *from, *to));
    if edges.is_empty() {
        return html! { p.empty { "Nothing has followed anything yet: the first segment is still open." } };
    }
    let places = places(&home.transitions);
    let shown: Vec<&Edge<'_>> = edges
        .iter()
        .filter(|(from, to, _)| from != to && places.contains_key(from) && places.contains_key(to))
        .take(TRANSITIONS)
        .collect();
    let most = shown.first().map_or(1, |(_, _, count)| *count).max(1) as f64;
    let label = format!(
        "The {} that happen most and what follows them; the table below has the figures",
        count(places.len(), "action", "actions")
    );
    html! {
        div.scroll tabindex="0" role="region" aria-label="Graph" {
            svg.graph role="img" aria-label=(label) viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) {
                defs { marker #arrow viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto" { path.head d="M0 0 8 4 0 8Z" {} } }
                @for (from, to, count) in shown.iter().rev() {
                    @let share = *count as f64 / most;
                    path.edge d=(curve(places[from], places[to])) stroke-width=(at(0.8 + 4.0 * share)) opacity=(format!("{:.2}", 0.35 + 0.65 * share)) marker-end="url(#arrow)" {
                        title { (from) " → " (to) ": " (count) }
                    }
                }
                @for (name, place) in &places { (node(name, *place)) }
            }
        }
        details {
            summary { "As a table" }
            div.scroll tabindex="0" role="region" aria-label="Transitions" {
                table {
                    thead { tr { th scope="col" { "After" } th scope="col" { "comes" } th scope="col" { "so often" } } }
                    tbody { @for (from, to, count) in edges.iter().take(ROWS) { tr { td { (from) } td { (to) } td.number { (count) } } } }
                }
            }
        }
    }
}

/// Where an action stands: its direction from the middle.
#[derive(Clone, Copy, Debug)]
struct Place {
    angle: f64,
}

impl Place {
    fn at(self, radius: f64) -> (f64, f64) {
        (
            WIDTH / 2.0 + radius * self.angle.cos() * 1.15,
            HEIGHT / 2.0 + radius * self.angle.sin(),
        )
    }
}

/// The actions that happen most, in a circle by their names, so that those of a device are side by side.
fn places(transitions: &BTreeMap<(Arc<str>, Arc<str>), i64>) -> BTreeMap<&str, Place> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for ((from, to), count) in transitions {
        *counts.entry(from).or_default() += count;
        *counts.entry(to).or_default() += count;
    }
    let mut most: Vec<(&str, i64)> = counts.into_iter().collect();
    most.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    most.truncate(ACTIONS);
    most.sort();
    let all = most.len().max(1) as f64;
    let angle =
        |at: usize| std::f64::consts::TAU * (at as f64 + 0.5) / all - std::f64::consts::FRAC_PI_2;
    let names = most.into_iter().enumerate();
    names
        .map(|(n, (name, _))| (name, Place { angle: angle(n) }))
        .collect()
}

/// From one to another, bent towards the middle.
fn curve(from: Place, to: Place) -> String {
    let ((x1, y1), (x2, y2)) = (from.at(RADIUS), to.at(RADIUS));
    // There and back are two curves.
    let aside = Place {
        angle: (from.angle + to.angle) / 2.0 + 0.3,
    };
    let (cx, cy) = aside.at(RADIUS * 0.25);
    format!(
        "M{} {}Q{} {} {} {}",
        at(x1),
        at(y1),
        at(cx),
        at(cy),
        at(x2),
        at(y2)
    )
}

fn node(name: &str, place: Place) -> Markup {
    let ((x, y), (lx, ly)) = (place.at(RADIUS), place.at(RADIUS + 16.0));
    // Away from the middle: above and below it two would else stand on each other.
    let anchor = match place.angle.cos() < 0.0 {
        true => "end",
        false => "start",
    };
    html! {
        circle.node cx=(at(x)) cy=(at(y)) r="5" {}
        text.label x=(at(lx)) y=(at(ly + 4.0)) text-anchor=(anchor) { (short(name, 26)) title { (name) } }
    }
}
