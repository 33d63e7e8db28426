//! Tables of the honest protocol.

use super::super::summary::{Setting, Summary};
use super::table::{Table, name, number, with_interval, with_margin, worlds};
use crate::experiment::cells::{Protocol, Task};
use crate::experiment::data::Pair;
use crate::experiment::roster::{MAINTAINED, OURS};

/// All of them.
pub(super) fn tables(summary: &Summary) -> Vec<Table> {
    let mut tables = Vec::new();
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
    tables
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
const QUESTIONS: [[(&str, &str); 2]; 17] = [
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
    [(OURS, "contrast"), (OURS, "gpt-4o")],
    [(OURS, "blend"), (OURS, "embedded")],
    [(OURS, "source+blend"), (OURS, "source+embedded")],
    [(MAINTAINED, "contrast"), (MAINTAINED, "gpt-4o")],
    [(MAINTAINED, "blend"), (MAINTAINED, "embedded")],
    [
        (MAINTAINED, "source+blend"),
        (MAINTAINED, "source+embedded"),
    ],
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
pub(in super::super) fn shot(
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
