//! Tables of the run itself: how far verdicts repeat, and what methods cost.

use super::super::summary::Summary;
use super::{Table, number};
use crate::experiment::cells::{Protocol, Task};
use crate::experiment::metrics::Figure;

/// All of them.
pub(super) fn tables(summary: &Summary) -> Vec<Table> {
    vec![verdicts(summary), cpu(summary)]
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
