//! Tables of the run itself: how far verdicts repeat, and what methods cost.

use super::super::summary::Summary;
use super::table::{Table, number};
use crate::experiment::cells::{Protocol, Task};
use crate::experiment::metrics::Figure;

/// All of them.
pub(super) fn tables(summary: &Summary) -> Vec<Table> {
    vec![verdicts(summary), cpu(summary)]
}

fn verdicts(summary: &Summary) -> Table {
    let mut table = Table::new(
        "The outlier filter",
        "Means over seeds. Agreement, over all candidates: of how many two seeds say the same, mean over all pairs of seeds; and of \
         how many every seed does.",
        &[
            "pair, set",
            "candidates",
            "outliers",
            "retained",
            "two agree",
            "all agree",
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
                let share = |agree: Option<f64>| agree.map_or("-".to_owned(), number);
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
                    share(agreement(&votes, 2)),
                    share(agreement(&votes, votes.len())),
                    votes.len().to_string(),
                ]);
            }
        }
    }
    table
}

/// The share of candidates of which `together` votes say the same, mean over all choices of so many; `None` where there are
/// fewer, or they are of different candidates.
fn agreement(votes: &[&Vec<f64>], together: usize) -> Option<f64> {
    let candidates = votes.first().map(|first| first.len());
    let candidates = candidates.filter(|&candidates| candidates > 0 && together <= votes.len())?;
    if votes.iter().any(|vote| vote.len() != candidates) {
        return None;
    }
    // The chance that votes drawn without replacement are all of one kind.
    let chance = |kind: usize| {
        let drawn = (0..together).map(|n| kind.saturating_sub(n) as f64 / (votes.len() - n) as f64);
        drawn.product::<f64>()
    };
    let of = |candidate: usize| {
        let retain = votes.iter().filter(|vote| vote[candidate] > 0.0).count();
        chance(retain) + chance(votes.len() - retain)
    };
    Some((0..candidates).map(of).sum::<f64>() / candidates as f64)
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
        assert_eq!(agreement(&[&a, &b], 2), Some(0.75));
        // Two of three agree on the third candidate: one of the three pairs.
        let three = [&a, &a, &b];
        assert!((agreement(&three, 2).unwrap() - 10.0 / 12.0).abs() < 1e-12);
        assert_eq!(agreement(&three, 3), Some(0.75));
        assert_eq!(agreement(&[&a], 1), Some(1.0));
        assert_eq!(agreement(&[&a], 2), None);
        assert_eq!(agreement(&[&a, &vec![1.0]], 2), None);
    }

    #[test]
    fn columns_stand_under_each_other() {
        let mut table = Table::new("T", "", &["name", "x"]);
        table.rows.push(vec!["a".into(), "0.25".into()]);
        assert_eq!(table.to_string(), "T\n  name     x\n  a     0.25\n\n");
    }
}
