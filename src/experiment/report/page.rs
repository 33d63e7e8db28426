//! `report.html`: one file with everything in it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::super::cells::{Protocol, Task};
use super::super::data::Pair;
use super::super::metrics::{Figure, Figures};
use super::super::roster::OURS;
use super::plots::{Bar, Series, bars, curves, histogram};
use super::summary::{Setting, Summary};
use super::tables::{Table, shot};

/// Style for light and dark.
const STYLE: &str = include_str!("style.css");

/// Devices that a distribution shows: those that happen most.
const DEVICES: usize = 10;

/// The whole page.
pub(super) fn page(summary: &Summary, tables: &[Table]) -> String {
    let body = html! {
        h1 { "Hearth: experiments" }
        p {
            "Made from results.jsonl. The " b { "honest" } " protocol gives nothing of the answer away and sets thresholds without labels of the \
             new context; the " b { "paper" } " protocol repeats the published evaluation, its leaks included, and is there for comparison. \
             ST: season, TT: schedule, NT: occupancy."
        }
        (training_sets(summary))
        (few_shots(summary))
        @for table in tables { (section(table)) }
        (distributions(summary))
        (losses(summary))
        (failures(summary))
    };
    document("Hearth: experiments", &body)
}

/// A page of its own.
pub(super) fn document(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

/// A table with what it is.
pub(super) fn section(table: &Table) -> Markup {
    html! {
        h2 { (table.title) }
        p { (table.note) }
        div class="scroll" {
            table {
                thead { tr { @for name in &table.head { th { (name) } } } }
                tbody {
                    @for row in &table.rows {
                        @let theirs = row.first().is_some_and(|name| name.starts_with("  "));
                        tr class=[theirs.then_some("theirs")] { @for cell in row { td { (cell) } } }
                    }
                }
            }
        }
    }
}

/// By pair, what Hearth's own models make of each training set.
fn training_sets(summary: &Summary) -> Markup {
    let plot = |task, figure: &str, title: &str| {
        let pairs = summary.pairs(Protocol::Honest, task);
        let settings = summary.settings(Protocol::Honest, task, |s| s.method == OURS && s.k == 0);
        let series: Vec<Series<Bar>> = settings
            .into_iter()
            .map(|setting| Series {
                name: setting.training.clone(),
                values: pairs
                    .iter()
                    .map(|pair| bar(summary, setting, pair, figure))
                    .collect(),
            })
            .collect();
        let groups: Vec<String> = pairs.iter().map(ToString::to_string).collect();
        html! { @if !series.is_empty() { (bars(title, &groups, &series)) } }
    };
    html! {
        (plot(Task::Ad, "auroc", "Anomaly detection by Hearth's detector: AUROC by training set, honest protocol"))
        (plot(Task::Bp, "ndcg@10", "Behaviour prediction by Hearth's predictor: NDCG@10 by training set, honest protocol"))
    }
}

fn bar(summary: &Summary, setting: &Setting, pair: &Pair, figure: &str) -> Option<Bar> {
    let mean = summary.mean(setting, pair, figure)?;
    // These figures are shares; few seeds give margins that reach beyond.
    let ends = |margin: f64| [(mean.mean - margin).max(0.0), (mean.mean + margin).min(1.0)];
    Some(Bar {
        value: mean.mean,
        interval: mean.margin.map(ends),
    })
}

/// How figures grow with real sequences of the new context.
fn few_shots(summary: &Summary) -> Markup {
    let plot = |task, figure: &str, title: &str| {
        let pairs = summary.pairs(Protocol::Honest, task);
        let with_shots = summary.settings(Protocol::Honest, task, |s| s.k > 0 && s.method == OURS);
        let mut steps: Vec<usize> = with_shots.iter().map(|s| s.k).chain([0]).collect();
        steps.sort_unstable();
        steps.dedup();
        let mut series: Vec<Series<f64>> = Vec::new();
        for setting in with_shots {
            if series.iter().all(|s| s.name != setting.training) {
                let at = |&k: &usize| {
                    let setting = Setting {
                        k,
                        ..setting.clone()
                    };
                    shot(summary, &setting, &pairs, figure).map(|(mean, _)| mean)
                };
                series.push(Series {
                    name: setting.training.clone(),
                    values: steps.iter().map(at).collect(),
                });
            }
        }
        let steps: Vec<String> = steps.iter().map(|k| format!("k = {k}")).collect();
        html! { @if !series.is_empty() { (curves(title, &steps, &series)) } }
    };
    html! {
        (plot(Task::Ad, "auroc", "AUROC after k real sequences of the new context"))
        (plot(Task::Bp, "ndcg@10", "NDCG@10 after k real sequences of the new context"))
    }
}

/// Figure 4: behaviour before, synthetic, and after.
fn distributions(summary: &Summary) -> Markup {
    let sets: Vec<(Pair, &Setting, &Figures)> = [Protocol::Paper, Protocol::Honest]
        .into_iter()
        .flat_map(|protocol| {
            let settings = summary.settings(protocol, Task::Fidelity, |s| {
                let honest = ["gpt-4o", "embedded"].contains(&s.training.as_str());
                s.protocol == Protocol::Paper || honest
            });
            let pairs = summary.pairs(protocol, Task::Fidelity);
            settings.into_iter().flat_map(move |setting| {
                let pairs = pairs.clone().into_iter();
                pairs.filter_map(move |pair| {
                    let (_, figures) = summary.figures(setting, &pair).next()?;
                    Some((pair, setting, figures))
                })
            })
        })
        .collect();
    html! {
        @if !sets.is_empty() {
            h2 { "Behaviour before, synthetic, and after (Figure 4)" }
            p { "Shares of the three-hour buckets and of the devices." }
            @for (pair, setting, figures) in sets {
                @let of = [("source", ":source"), (setting.training.as_str(), ""), ("real", ":real")];
                @let hours: Vec<Series<Bar>> = of.iter().map(|(name, of)| hours(name, figures, of)).collect();
                (bars(&format!("{pair}, {}: hours", setting.training), &BUCKETS.map(str::to_owned), &hours))
                @let devices = devices(figures);
                @let shares: Vec<Series<Bar>> = of.iter().map(|(name, of)| Series {
                    name: (*name).to_owned(),
                    values: devices.iter().map(|device| one(figures, &format!("device:{device}{of}"))).collect(),
                }).collect();
                (bars(&format!("{pair}, {}: devices", setting.training), &abbreviated(&devices), &shares))
            }
        }
    }
}

const BUCKETS: [&str; 8] = [
    "0–3", "3–6", "6–9", "9–12", "12–15", "15–18", "18–21", "21–24",
];

fn hours(name: &str, figures: &Figures, of: &str) -> Series<Bar> {
    let shares = match figures.get(&format!("hours{of}")) {
        Some(Figure::Many(shares)) => shares.as_slice(),
        _ => &[],
    };
    Series {
        name: name.to_owned(),
        values: shares
            .iter()
            .map(|&value| {
                Some(Bar {
                    value,
                    interval: None,
                })
            })
            .collect(),
    }
}

fn one(figures: &Figures, name: &str) -> Option<Bar> {
    match figures.get(name) {
        Some(Figure::One(value)) => Some(Bar {
            value: *value,
            interval: None,
        }),
        _ => None,
    }
}

/// The devices that happen most, before, after or in the set.
fn devices(figures: &Figures) -> Vec<String> {
    let mut most = std::collections::BTreeMap::<&str, f64>::new();
    for (name, figure) in figures {
        if let (Some(device), Figure::One(share)) = (name.strip_prefix("device:"), figure) {
            let device = device
                .strip_suffix(":source")
                .or_else(|| device.strip_suffix(":real"))
                .unwrap_or(device);
            let share_so_far = most.entry(device).or_default();
            *share_so_far = share_so_far.max(*share);
        }
    }
    let mut devices: Vec<(&str, f64)> = most.into_iter().collect();
    devices.sort_by(|a, b| b.1.total_cmp(&a.1));
    devices.truncate(DEVICES);
    devices
        .into_iter()
        .map(|(device, _)| device.to_owned())
        .collect()
}

/// Names that stand beside each other under a plot.
fn abbreviated(names: &[String]) -> Vec<String> {
    let short = |name: &String| match name.char_indices().nth(8) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.clone(),
    };
    names.iter().map(short).collect()
}

/// The filter's losses with its bound, of each set's first seed.
fn losses(summary: &Summary) -> Markup {
    let mut plots = Vec::new();
    for protocol in [Protocol::Honest, Protocol::Paper] {
        for setting in summary.settings(protocol, Task::Tof, |_| true) {
            for pair in summary.pairs(protocol, Task::Tof) {
                if let Some((seed, figures)) = summary.figures(setting, &pair).next()
                    && let Some(Figure::Many(losses)) = figures.get("losses")
                {
                    let bound = one(figures, "bound").map(|bar| bar.value);
                    let title = format!("{pair}, {}, seed {seed}", setting.training);
                    plots.push(histogram(&title, losses, bound));
                }
            }
        }
    }
    html! {
        @if !plots.is_empty() {
            h2 { "Losses of candidates, with the filter's bound" }
            p {
                "Stage 1: what lies right of the dashed line is an outlier and goes to stage 2. The line is Q3 + 1.5 IQR, or, "
                "unless most candidates lie beyond it, what chance would cost (0 in the preset small), if that is less."
            }
            @for plot in plots { (plot) }
        }
    }
}

fn failures(summary: &Summary) -> Markup {
    html! {
        @if !summary.failed.is_empty() {
            h2 { "Cells that could not be computed" }
            ul { @for (reason, count) in &summary.failed { li { (count) ": " (reason) } } }
        }
    }
}
