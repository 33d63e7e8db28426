//! Tables of the paper's protocol, beside the published figures.

use super::super::summary::{Setting, Summary};
use super::table::{Table, name, number, with_interval, with_margin};
use crate::experiment::cells::{Protocol, Task};
use crate::experiment::data::{Kind, Pair};
use crate::experiment::metrics::Mean;
use crate::experiment::paper::published::Published;
use crate::experiment::roster::OURS;

/// All of them.
pub(super) fn tables(summary: &Summary, published: &Published) -> Vec<Table> {
    let mut tables = Vec::new();
    for (task, figure, title) in [
        (Task::Ad, "f1", "Paper, Table 2: anomaly detection, F1"),
        (
            Task::Ad,
            "recall",
            "Paper, Table 2: anomaly detection, recall",
        ),
        (
            Task::Ad,
            "precision",
            "Paper, Table 2: anomaly detection, precision",
        ),
        (
            Task::Bp,
            "ndcg@10",
            "Paper, Table 3: behaviour prediction, NDCG@10",
        ),
        (
            Task::Bp,
            "hr@10",
            "Paper, Table 3: behaviour prediction, HR@10",
        ),
        (
            Task::Bp,
            "ndcg@10:full",
            "Behaviour prediction, device given, among all actions, NDCG@10",
        ),
    ] {
        tables.push(beside(summary, published, task, figure, title));
    }
    tables.push(ablation(summary, published));
    tables.push(stages(summary, published));
    tables.push(compression(summary, published));
    tables.push(selections(summary));
    tables.push(studies(
        summary,
        "Paper, Figure 7: Δt_max and T_max in hours",
        |training| training.starts_with("split-"),
    ));
    tables.push(studies(
        summary,
        "Paper, Figure 8: language models",
        |training| training.ends_with("-authors"),
    ));
    tables
}

/// Ours beside what was published and what the authors' code scores.
fn beside(
    summary: &Summary,
    published: &Published,
    task: Task,
    figure: &str,
    title: &str,
) -> Table {
    let pairs = summary.pairs(Protocol::Paper, task);
    let mut table = Table::new(
        title,
        "The paper's protocol, leaks included. Mean over seeds with Student's 95 % margin, the lowest seed behind it; then what was \
         published, and what the authors' code scores when it is run again (seeds apart).",
        &["method, training"],
    );
    table.head.extend(pairs.iter().map(ToString::to_string));
    let wanted = |s: &Setting| {
        let study = s.training.starts_with("split-")
            || s.training.starts_with("without-")
            || s.training.starts_with("stage-")
            || matches!(s.training.as_str(), "candidates" | "ablation-all");
        !study && (s.training == "gpt-4o-authors" || !s.training.ends_with("-authors"))
    };
    let settings = summary.settings(Protocol::Paper, task, wanted);
    for (i, setting) in settings.iter().enumerate() {
        let mut row = vec![name(setting)];
        for pair in &pairs {
            let lowest = summary.values(setting, pair, figure).into_values();
            let lowest = lowest.reduce(f64::min);
            let mean = summary.mean(setting, pair, figure);
            row.push(match (mean, lowest) {
                (Some(Mean { count, .. }), Some(lowest)) if count > 1 => {
                    format!("{} ({})", with_margin(mean), number(lowest))
                }
                _ => with_margin(mean),
            });
        }
        table.rows.push(row);
        // After a method's last training set.
        let last = settings
            .get(i + 1)
            .is_none_or(|next| next.method != setting.method);
        let mut other = |label: &str, of: &dyn Fn(&Pair) -> Option<String>| {
            let cells: Vec<Option<String>> = pairs.iter().map(of).collect();
            if last && cells.iter().any(Option::is_some) {
                let mut row = vec![format!("  {}, {label}", setting.method)];
                row.extend(
                    cells
                        .into_iter()
                        .map(|cell| cell.unwrap_or_else(|| "-".to_owned())),
                );
                table.rows.push(row);
            }
        };
        other("published", &|pair| {
            let found = published.figure(&pair.dataset, pair.shift, &setting.method, figure);
            found.map(number)
        });
        if setting.method == OURS {
            other("the authors' code", &|pair| {
                let found = published.measured(&pair.dataset, pair.shift, figure)?;
                let found: Vec<String> = found.into_iter().map(number).collect();
                Some(found.join(" "))
            });
        }
    }
    table
}

fn ablation(summary: &Summary, published: &Published) -> Table {
    let mut table = Table::new(
        "Paper, Table 4: one part left out (sp ST)",
        "The authors' recorded sets of a Llama 70B, learnt by Hearth's models; in brackets what was published.",
        &["set", "f1", "recall", "precision", "ndcg@10", "hr@10"],
    );
    let pair = Pair {
        dataset: "sp".to_owned(),
        shift: Kind::ST,
    };
    for (training, part) in [
        ("ablation-all", None),
        ("without-GSS", Some("GSS")),
        ("without-TSS", Some("TSS")),
        ("without-SSC", Some("SSC")),
        ("without-all", Some("ALL")),
    ] {
        let mut row = vec![training.to_owned()];
        for (task, figure) in [
            (Task::Ad, "f1"),
            (Task::Ad, "recall"),
            (Task::Ad, "precision"),
            (Task::Bp, "ndcg@10"),
            (Task::Bp, "hr@10"),
        ] {
            let setting = Setting::new(Protocol::Paper, task, OURS, training, 0);
            let ours = with_margin(summary.mean(&setting, &pair, figure));
            let theirs = published
                .ablation(part, figure)
                .map_or("-".to_owned(), number);
            row.push(format!("{ours} ({theirs})"));
        }
        if row.iter().skip(1).any(|cell| !cell.starts_with('-')) {
            table.rows.push(row);
        }
    }
    table
}

fn stages(summary: &Summary, published: &Published) -> Table {
    let mut table = Table::new(
        "Paper, Table 5: the filter's stages, F1 of Hearth's detector",
        "The authors' candidates and what their stages retained, then what Hearth's filter retains of the same replies; in brackets F1 \
         as published.",
        &[
            "pair",
            "candidates",
            "stage 1",
            "stage 2",
            "Hearth's filter",
        ],
    );
    for pair in summary.pairs(Protocol::Paper, Task::Ad) {
        let mut row = vec![pair.to_string()];
        let stages = [
            ("candidates", Some("ori")),
            ("stage-1", Some("s1")),
            ("stage-2", Some("s2")),
            ("gpt-4o-filtered", None),
        ];
        for (training, stage) in stages {
            let setting = Setting::new(Protocol::Paper, Task::Ad, OURS, training, 0);
            let ours = with_margin(summary.mean(&setting, &pair, "f1"));
            let theirs = stage.and_then(|stage| published.stage(&pair.dataset, pair.shift, stage));
            row.push(match theirs {
                Some((_, f1)) => format!("{ours} ({})", number(f1)),
                None => ours,
            });
        }
        if row
            .iter()
            .skip(1)
            .take(3)
            .any(|cell| !cell.starts_with('-'))
        {
            table.rows.push(row);
        }
    }
    table
}

fn compression(summary: &Summary, published: &Published) -> Table {
    let mut table = Table::new(
        "Paper, Table 9 and Figures 5 and 6: compression",
        "What is kept of four fifths of the source, and the mean loss on the other fifth of a detector that learnt it. A number is the \
         budget of a weekday; without one α is .9. Coverage and random keep as many as SSC does. Counted: what is kept counts as \
         often as it represents a sequence. Reduction as published counts kept split sequences against unsplit ones; tokens are \
         characters / 4.",
        &[
            "pair, method",
            "kept",
            "of",
            "reduction",
            "as Table 9",
            "published",
            "k tokens saved",
            "published",
            "loss",
        ],
    );
    for pair in summary.pairs(Protocol::Paper, Task::Ssc) {
        for setting in summary.settings(Protocol::Paper, Task::Ssc, |_| true) {
            let of = |figure: &str| {
                summary
                    .mean(setting, &pair, figure)
                    .map_or("-".to_owned(), |m| number(m.mean))
            };
            let theirs = published
                .compression(&pair.dataset, pair.shift)
                .filter(|_| setting.method == "SSC");
            let theirs_of = |figure: Option<f64>| figure.map_or(String::new(), number);
            table.rows.push(vec![
                format!("{pair}, {}", setting.method),
                of("kept"),
                of("sequences"),
                of("reduction"),
                of("reduction:unsplit"),
                theirs_of(theirs.map(|t| t.0)),
                of("saved_tokens_k"),
                theirs_of(theirs.map(|t| t.1)),
                with_margin(summary.mean(setting, &pair, "loss")),
            ]);
        }
    }
    table
}

/// Ways to compress that are compared: both sides, where `#` is the size.
const SELECTIONS: [[&str; 2]; 6] = [
    ["SSC#", "random#"],
    ["SSC# counted", "random# counted"],
    ["SSC# counted", "SSC#"],
    ["SSC#", "full"],
    ["SSC# counted", "full"],
    ["coverage# counted", "SSC# counted"],
];

/// Whether a selection is worth more than a random one of its size, by size.
fn selections(summary: &Summary) -> Table {
    let mut table = Table::new(
        "Paper, Figure 5: what a selection is worth",
        "Difference of the loss on the held-out fifth of the source (lower is better), mean over the pairs, with the interval of the \
         paired bootstrap over pairs and seeds.",
        &["difference of loss", "mean [95 %]", "pairs"],
    );
    let pairs = summary.pairs(Protocol::Paper, Task::Ssc);
    for size in ["", " 10"] {
        for sides in SELECTIONS {
            let [a, b] = sides.map(|side| {
                let method = side.replace('#', size);
                Setting::new(Protocol::Paper, Task::Ssc, &method, "source", 0)
            });
            let found = summary.difference(&a, &b, &pairs, "loss");
            if let Some((mean, interval, count)) = found {
                table.rows.push(vec![
                    format!("{} − {}", a.method, b.method),
                    with_interval(Some((mean, interval))),
                    count.to_string(),
                ]);
            }
        }
    }
    table
}

fn studies(summary: &Summary, title: &str, wanted: impl Fn(&str) -> bool) -> Table {
    let pairs = summary.pairs(Protocol::Paper, Task::Ad);
    let pairs: Vec<&Pair> = pairs.iter().filter(|pair| pair.shift == Kind::ST).collect();
    let mut table = Table::new(
        title,
        "The authors' recorded sets, learnt by Hearth's models, by the paper's protocol.",
        &["set"],
    );
    let figures = [(Task::Ad, "f1"), (Task::Bp, "ndcg@10"), (Task::Bp, "hr@10")];
    for pair in &pairs {
        table
            .head
            .extend(figures.iter().map(|(_, figure)| format!("{pair} {figure}")));
    }
    let settings = summary.settings(Protocol::Paper, Task::Ad, |s| {
        s.method == OURS && wanted(&s.training)
    });
    for setting in settings {
        let mut row = vec![setting.training.clone()];
        for pair in &pairs {
            for (task, figure) in figures {
                let setting = Setting {
                    task,
                    ..setting.clone()
                };
                row.push(with_margin(summary.mean(&setting, pair, figure)));
            }
        }
        table.rows.push(row);
    }
    if table.rows.len() < 2 {
        table.rows.clear();
    }
    table
}
