//! What a shift changed: before, imagined, and since.

use std::collections::BTreeMap;

use hearth_operators::words::HOURS;
use maud::{Markup, html};

use super::super::recent::{Histogram, Home, Shift};
use super::words::{at, count, short, when};
use crate::outputs::{AdaptationLine, DriftLine};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 190.0;
const BELOW: f64 = 34.0;
const LEFT: f64 = 44.0;

/// Devices that are compared: those that happen most.
const DEVICES: usize = 8;

const SERIES: [(&str, &str); 3] = [
    ("before", "before"),
    ("synthetic", "imagined"),
    ("after", "since"),
];

/// All shifts and drifts that are kept, the newest first.
pub(super) fn shifts(home: &Home) -> Markup {
    let drifts: Vec<DriftLine<'_>> = home
        .drifts
        .iter()
        .rev()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    html! {
        @if home.shifts.is_empty() && drifts.is_empty() {
            p.empty { "No shift is known. If life in this home is about to change, or has changed, say so below: Hearth then imagines what is to come." }
        }
        @for shift in home.shifts.iter().rev() { (one(shift, home)) }
        @for drift in &drifts { (found(drift)) }
    }
}

fn one(shift: &Shift, home: &Home) -> Markup {
    let parts = [&shift.before, &shift.synthetic, &shift.after];
    let hours: Vec<(String, [f64; 3])> = (0..HOURS.len())
        .map(|n| {
            (
                format!("{}–{}", n * 3, n * 3 + 3),
                parts.map(|part| part.share(part.hours[n])),
            )
        })
        .collect();
    html! {
        article {
            h3 { (shift.from) " → " (shift.to) }
            p {
                (shift.kind) ", from " (when(shift.time)) " on. " (count(shift.requests as usize, "request", "requests")) ", "
                (count((shift.verdicts[0] + shift.verdicts[1]) as usize, "sequence", "sequences")) " imagined, " (shift.verdicts[0]) " of them let through by the filter."
            }
            (fates(shift, home))
            p.legend { @for (class, name) in SERIES { span { svg viewBox="0 0 14 14" aria-hidden="true" { rect class=(class) width="14" height="14" rx="3" {} } " " (name) } } }
            (bars("Shares by hours of the day", &hours))
            (bars("Shares by device", &devices(parts)))
        }
    }
}

/// What became of the versions that it brought.
fn fates(shift: &Shift, home: &Home) -> Markup {
    let lines = home
        .adaptations
        .iter()
        .filter_map(|line| serde_json::from_str::<AdaptationLine<'_>>(line).ok());
    let own: Vec<AdaptationLine<'_>> = lines
        .filter(|line| line.shift.time == shift.time && line.shift.to == shift.to)
        .collect();
    let told = |event: &str| match event {
        "promoted" => "counts for the new context",
        "kept" => "was likelier in what followed, and stays",
        _ => "was less likely in what followed, and is dropped",
    };
    let surprise = |line: &AdaptationLine<'_>| {
        let both = line.before.zip(line.after);
        both.map_or_else(String::new, |(before, after)| {
            format!(", surprise without it {before:.2} nats, with it {after:.2} nats")
        })
    };
    html! {
        @if !own.is_empty() {
            ul { @for line in &own {
                li { "What was imagined " (told(&line.event)) " (" (line.task) (surprise(line)) ": " (line.evidence) ")." }
            } }
        }
    }
}

fn found(drift: &DriftLine<'_>) -> Markup {
    html! {
        article {
            h3 { "A shift that nobody declared" }
            p {
                "Since " (when(drift.since)) " life is not what it was: " (format!("{:.0}", drift.rate.before)) " behaviours a day before, "
                (format!("{:.0}", drift.rate.after)) " since."
                @if let Some(evidence) = drift.evidence { " So much comes by chance once in about " (format!("{evidence:.0}")) " days." }
            }
            ul { @for device in drift.devices.iter().take(5) {
                li { (device.device) ": " (format!("{:.1}", device.before)) " a day before, " (format!("{:.1}", device.after)) " since" }
            } }
        }
    }
}

fn devices(parts: [&Histogram; 3]) -> Vec<(String, [f64; 3])> {
    let mut most: BTreeMap<&str, f64> = BTreeMap::new();
    for part in parts {
        for (device, times) in &part.devices {
            let share = most.entry(device).or_default();
            *share = share.max(part.share(*times));
        }
    }
    let mut most: Vec<(&str, f64)> = most.into_iter().collect();
    most.sort_by(|a, b| b.1.total_cmp(&a.1));
    let of =
        |device: &str| parts.map(|part| part.share(part.devices.get(device).copied().unwrap_or(0)));
    most.into_iter()
        .take(DEVICES)
        .map(|(device, _)| (device.to_owned(), of(device)))
        .collect()
}

/// Groups of three bars.
fn bars(title: &str, groups: &[(String, [f64; 3])]) -> Markup {
    let top = groups
        .iter()
        .flat_map(|(_, shares)| *shares)
        .fold(0.01, f64::max);
    let group = (WIDTH - LEFT) / groups.len().max(1) as f64;
    let (bar, base) = (group * 0.25, HEIGHT - BELOW);
    let y = |share: f64| base - share / top * (base - 14.0);
    let told: Vec<String> = groups
        .iter()
        .map(|(name, shares)| {
            format!(
                "{name}: {}",
                shares.map(|it| format!("{:.0} %", it * 100.0)).join(", ")
            )
        })
        .collect();
    html! {
        figure {
            figcaption { (title) }
            div.scroll tabindex="0" role="region" aria-label=(title) {
                svg.bars role="img" aria-label=(format!("{title}; before, imagined, since. {}", told.join("; "))) viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) {
                    @for share in [0.0, top] {
                        line.grid x1=(at(LEFT)) x2=(at(WIDTH)) y1=(at(y(share))) y2=(at(y(share))) {}
                        text.axis x=(at(LEFT - 6.0)) y=(at(y(share) + 4.0)) text-anchor="end" { (format!("{:.0} %", share * 100.0)) }
                    }
                    @for (g, (name, shares)) in groups.iter().enumerate() {
                        @let from = LEFT + group * (g as f64 + 0.125);
                        @for (s, share) in shares.iter().enumerate() {
                            rect class=(SERIES[s].0) x=(at(from + bar * s as f64)) y=(at(y(*share))) width=(at(bar * 0.9)) height=(at(base - y(*share))) rx="2" {
                                title { (name) ", " (SERIES[s].1) ": " (format!("{:.0} %", share * 100.0)) }
                            }
                        }
                        text.axis x=(at(from + bar * 1.5)) y=(at(HEIGHT - 14.0)) text-anchor="middle" { (short(name, 9)) title { (name) } }
                    }
                }
            }
        }
    }
}
