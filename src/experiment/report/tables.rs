//! The tables of a report: the same on the terminal and on the page.

use std::fmt;

use super::super::cells::{Protocol, Task};
use super::super::data::{Kind, Pair};
use super::super::metrics::{Figure, Mean};
use super::super::paper::published::Published;
use super::super::roster::OURS;
use super::summary::{Setting, Summary};

/// A table of text.
#[derive(Debug)]
pub(super) struct Table {
    pub title: String,
    /// What the figures are.
    pub note: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    fn new(title: &str, note: &str, head: &[&str]) -> Self {
        Table {
            title: title.to_owned(),
            note: note.to_owned(),
            head: head.iter().map(|&name| name.to_owned()).collect(),
            rows: Vec::new(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&self.head]);
            let cells = cells.filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        writeln!(f, "{}", self.title)?;
        for row in [&self.head].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let room = " ".repeat(width.saturating_sub(cell.chars().count()));
                // Names to the left, numbers to the right.
                let (before, after) = if i == 0 { ("", &*room) } else { (&*room, "") };
                line.push_str(&format!("  {before}{cell}{after}"));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f)
    }
}

/// All tables that there are lines for.
pub(super) fn all(summary: &Summary, published: &Published) -> Vec<Table> {
    let mut tables = Vec::new();
    if summary.has(Protocol::Honest) {
        for (task, figure, title) in [
            (Task::Ad, "auroc", "Honest: anomaly detection, AUROC"),
            (Task::Bp, "ndcg@10", "Honest: behaviour prediction, NDCG@10"),
        ] {
            tables.push(by_pair(summary, task, figure, title));
        }
        tables.push(figures(
            summary,
            Task::Ad,
            "Honest: anomaly detection, all figures, means over the pairs",
            &[
                "auroc",
                "ap",
                "f1",
                "recall",
                "precision",
                "false_alarms",
                "auroc:swapped",
                "auroc:hour",
                "auroc:order",
                "auroc:unclosed",
                "auroc:burst",
            ],
        ));
        tables.push(figures(
            summary,
            Task::Bp,
            "Honest: behaviour prediction, all figures, means over the pairs",
            &[
                "ndcg@10",
                "ndcg@5",
                "hr@1",
                "hr@5",
                "hr@10",
                "mrr",
                "ndcg@10:first",
                "hr@10:first",
            ],
        ));
        tables.push(differences(summary));
        tables.push(shots(summary));
        tables.push(fidelity(summary));
    }
    if summary.has(Protocol::Paper) {
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
    }
    tables.push(verdicts(summary));
    tables.push(cpu(summary));
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn number(value: f64) -> String {
    if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}

fn with_margin(mean: Option<Mean>) -> String {
    match mean {
        None => "-".to_owned(),
        Some(Mean {
            mean,
            margin: Some(margin),
            ..
        }) => format!("{} ±{}", number(mean), number(margin)),
        Some(Mean { mean, .. }) => number(mean),
    }
}

fn with_interval(found: Option<(f64, [f64; 2])>) -> String {
    found.map_or("-".to_owned(), |(mean, [low, high])| {
        format!("{} [{}, {}]", number(mean), number(low), number(high))
    })
}

fn name(setting: &Setting) -> String {
    format!("{}, {}", setting.method, setting.training)
}

/// Pairs of the authors' data and simulated homes are different worlds: means are taken over either.
fn worlds(pairs: &[Pair]) -> Vec<(&'static str, Vec<Pair>)> {
    let (homes, recorded): (Vec<Pair>, Vec<Pair>) =
        pairs.iter().cloned().partition(Pair::simulated);
    [("recorded", recorded), ("simulated", homes)]
        .into_iter()
        .filter(|(_, pairs)| !pairs.is_empty())
        .collect()
}

fn by_pair(summary: &Summary, task: Task, figure: &str, title: &str) -> Table {
    let pairs = summary.pairs(Protocol::Honest, task);
    let worlds = worlds(&pairs);
    let mut table = Table::new(
        title,
        "Method and what it learnt; no real sequence of the new context. By pair: mean over seeds with Student's 95 % margin. \
         Over all pairs: mean with a bootstrap interval that draws pairs and seeds.",
        &["method, training"],
    );
    table.head.extend(pairs.iter().map(ToString::to_string));
    let over = worlds.iter().map(|(world, _)| format!("all {world}"));
    table.head.extend(over);
    for setting in summary.settings(Protocol::Honest, task, |s| s.k == 0) {
        let mut row = vec![name(setting)];
        row.extend(
            pairs
                .iter()
                .map(|pair| with_margin(summary.mean(setting, pair, figure))),
        );
        for (_, pairs) in &worlds {
            row.push(with_interval(summary.overall(setting, pairs, figure)));
        }
        table.rows.push(row);
    }
    table
}

fn figures(summary: &Summary, task: Task, title: &str, names: &[&str]) -> Table {
    let pairs = summary.pairs(Protocol::Honest, task);
    let mut table = Table::new(
        title,
        "Means over pairs and seeds. False alarms are counted per 100 normal sequences. Behind a colon: the harder attacks; \
         :first, sequences of one behaviour.",
        &["method, training"],
    );
    table.head.extend(names.iter().map(|&name| name.to_owned()));
    let worlds = worlds(&pairs);
    for (world, pairs) in &worlds {
        for setting in summary.settings(Protocol::Honest, task, |s| s.k == 0) {
            let found = names.iter().map(|figure| {
                let overall = summary.overall(setting, pairs, figure);
                overall.map_or("-".to_owned(), |(mean, _)| number(mean))
            });
            let found: Vec<String> = found.collect();
            if found.iter().any(|cell| cell != "-") {
                let mut row = vec![name(setting)];
                if worlds.len() > 1 {
                    row = vec![format!("{} ({world})", name(setting))];
                }
                row.extend(found);
                table.rows.push(row);
            }
        }
    }
    table
}

/// Questions that a difference answers: both sides as (method, training).
const QUESTIONS: [[(&str, &str); 2]; 11] = [
    [(OURS, "embedded"), (OURS, "source")],
    [(OURS, "gpt-4o"), (OURS, "source")],
    [(OURS, "source+embedded"), (OURS, "source")],
    [(OURS, "source+gpt-4o"), (OURS, "source")],
    [(OURS, "embedded"), (OURS, "gpt-4o")],
    [(OURS, "source+embedded"), (OURS, "source+gpt-4o")],
    [(OURS, "gpt-4o-filtered"), (OURS, "gpt-4o")],
    [(OURS, "gpt-4o-authors"), (OURS, "gpt-4o")],
    [(OURS, "embedded-filtered"), (OURS, "embedded")],
    [(OURS, "embedded"), ("surprisal", "embedded")],
    [(OURS, "embedded"), ("n-gram", "embedded")],
];

/// An interval over fewer pairs says too little of others.
const SURE: usize = 3;

fn differences(summary: &Summary) -> Table {
    let mut table = Table::new(
        "Honest: differences",
        "Paired bootstrap over pairs and seeds, 95 % interval; * where it excludes 0 and speaks of three pairs at least.",
        &["question", "task", "figure", "difference", "pairs"],
    );
    for (task, figure, label) in [(Task::Ad, "auroc", "AD"), (Task::Bp, "ndcg@10", "BP")] {
        for (world, pairs) in worlds(&summary.pairs(Protocol::Honest, task)) {
            for [a, b] in QUESTIONS {
                let of =
                    |(method, training)| Setting::new(Protocol::Honest, task, method, training, 0);
                let found = summary.difference(&of(a), &of(b), &pairs, figure);
                let Some((mean, [low, high], count)) = found else {
                    continue;
                };
                let excludes = low > 0.0 || high < 0.0;
                let sure = if excludes && count >= SURE { " *" } else { "" };
                table.rows.push(vec![
                    format!("{}, {} − {}, {} ({world})", a.0, a.1, b.0, b.1),
                    label.to_owned(),
                    figure.to_owned(),
                    format!("{}{sure}", with_interval(Some((mean, [low, high])))),
                    count.to_string(),
                ]);
            }
        }
    }
    table
}

fn shots(summary: &Summary) -> Table {
    let mut table = Table::new(
        "Honest: after k real sequences of the new context",
        "Mean over the pairs that have enough real sequences for this k (in brackets: how many pairs). What overlaps with the k is not \
         tested on.",
        &["method, training", "figure"],
    );
    let mut depths: Vec<usize> = Vec::new();
    for task in [Task::Ad, Task::Bp] {
        depths.extend(
            summary
                .settings(Protocol::Honest, task, |_| true)
                .iter()
                .map(|s| s.k),
        );
    }
    depths.sort_unstable();
    depths.dedup();
    if depths.len() < 2 {
        return table;
    }
    table.head.extend(depths.iter().map(|k| format!("k = {k}")));
    for (task, figure) in [(Task::Ad, "auroc"), (Task::Bp, "ndcg@10")] {
        let pairs = summary.pairs(Protocol::Honest, task);
        let mut seen: Vec<(String, String)> = Vec::new();
        for setting in summary.settings(Protocol::Honest, task, |s| s.k > 0) {
            let key = (setting.method.clone(), setting.training.clone());
            if seen.contains(&key) {
                continue;
            }
            seen.push(key);
            let mut row = vec![name(setting), figure.to_owned()];
            for &k in &depths {
                let setting = Setting {
                    k,
                    ..setting.clone()
                };
                row.push(
                    shot(summary, &setting, &pairs, figure)
                        .map_or("-".to_owned(), |(mean, count)| {
                            format!("{} ({count})", number(mean))
                        }),
                );
            }
            table.rows.push(row);
        }
    }
    table
}

/// The mean over the pairs that have this figure, and how many have.
pub(super) fn shot(
    summary: &Summary,
    setting: &Setting,
    pairs: &[Pair],
    figure: &str,
) -> Option<(f64, usize)> {
    let means: Vec<f64> = pairs
        .iter()
        .filter_map(|pair| Some(summary.mean(setting, pair, figure)?.mean))
        .collect();
    let count = means.len();
    (count > 0).then(|| (means.iter().sum::<f64>() / count as f64, count))
}

fn fidelity(summary: &Summary) -> Table {
    let names = [
        "sequences",
        "distinct",
        "length",
        "length:real",
        "js:hours",
        "js:device",
        "js:action",
        "js:transition",
        "coverage",
        "foreign",
        "copied",
        "nearest:real",
        "nearest:source",
    ];
    let mut table = Table::new(
        "How like the real sequences of the new context a set is",
        "Means over the pairs that have the set. js: Jensen–Shannon divergence from the real sequences in bits; coverage: share of \
         the real actions in the set; foreign: share of its behaviours that never really happen; copied: share of sequences that \
         stand in the source; nearest: mean edit distance to the nearest sequence, 0 to 1.",
        &["set", "pairs"],
    );
    table.head.extend(names.map(str::to_owned));
    for protocol in [Protocol::Honest] {
        let pairs = summary.pairs(protocol, Task::Fidelity);
        for setting in summary.settings(protocol, Task::Fidelity, |_| true) {
            let of = |figure: &str| shot(summary, setting, &pairs, figure);
            let count = of("sequences").map_or(0, |(_, count)| count);
            let mut row = vec![setting.training.clone(), count.to_string()];
            row.extend(
                names
                    .iter()
                    .map(|figure| of(figure).map_or("-".to_owned(), |(mean, _)| number(mean))),
            );
            table.rows.push(row);
        }
    }
    table
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
        "What is kept of four fifths of the source, and the mean loss on the other fifth of a detector that learnt it. Random draws as \
         many as SSC keeps. Reduction as published counts kept split sequences against unsplit ones; tokens are characters / 4.",
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

fn verdicts(summary: &Summary) -> Table {
    let mut table = Table::new(
        "The outlier filter",
        "Means over seeds. Agreement: the share of candidates of which every seed says the same.",
        &[
            "pair, set",
            "candidates",
            "outliers",
            "retained",
            "agreement",
            "seeds",
        ],
    );
    for protocol in [Protocol::Honest, Protocol::Paper] {
        for pair in summary.pairs(protocol, Task::Tof) {
            for setting in summary.settings(protocol, Task::Tof, |_| true) {
                let of = |figure: &str| {
                    summary
                        .mean(setting, &pair, figure)
                        .map_or("-".to_owned(), |m| number(m.mean))
                };
                let votes: Vec<&Vec<f64>> = summary
                    .figures(setting, &pair)
                    .filter_map(|(_, figures)| match figures.get("verdicts") {
                        Some(Figure::Many(verdicts)) => Some(verdicts),
                        _ => None,
                    })
                    .collect();
                if votes.is_empty() {
                    continue;
                }
                table.rows.push(vec![
                    format!("{pair}, {}", setting.training),
                    of("candidates"),
                    of("outliers"),
                    of("retained"),
                    agreement(&votes).map_or("-".to_owned(), number),
                    votes.len().to_string(),
                ]);
            }
        }
    }
    table
}

/// The share of candidates of which all votes say the same; `None` where the votes are of different candidates.
fn agreement(votes: &[&Vec<f64>]) -> Option<f64> {
    let (first, others) = votes.split_first()?;
    if first.is_empty() || others.iter().any(|other| other.len() != first.len()) {
        return None;
    }
    let same = (0..first.len()).filter(|&i| others.iter().all(|other| other[i] == first[i]));
    Some(same.count() as f64 / first.len() as f64)
}

fn cpu(summary: &Summary) -> Table {
    let mut table = Table::new(
        "CPU time",
        "Seconds a cell: training and evaluation, without what cells share.",
        &["protocol, task, method", "cells", "s a cell", "s in all"],
    );
    for ((protocol, task, method), (seconds, cells)) in summary.cpu() {
        let words = format!("{protocol:?}, {task:?}, {method}").to_lowercase();
        table.rows.push(vec![
            words,
            cells.to_string(),
            number(seconds / cells as f64),
            format!("{seconds:.0}"),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_by_hand() {
        let (a, b) = (vec![1.0, 0.0, 1.0, 1.0], vec![1.0, 0.0, 0.0, 1.0]);
        assert_eq!(agreement(&[&a, &b]), Some(0.75));
        assert_eq!(agreement(&[&a]), Some(1.0));
        assert_eq!(agreement(&[&a, &vec![1.0]]), None);
    }

    #[test]
    fn columns_stand_under_each_other() {
        let mut table = Table::new("T", "", &["name", "x"]);
        table.rows.push(vec!["a".into(), "0.25".into()]);
        assert_eq!(table.to_string(), "T\n  name     x\n  a     0.25\n\n");
    }
}
