//! A table of text, and how its figures are written.

use std::fmt;

use super::super::summary::Setting;
use crate::experiment::data::Pair;
use crate::experiment::metrics::Mean;

/// A table of text.
#[derive(Debug)]
pub(in super::super) struct Table {
    pub title: String,
    /// What the figures are.
    pub note: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: &str, note: &str, head: &[&str]) -> Self {
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

pub(super) fn number(value: f64) -> String {
    if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}

pub(super) fn with_margin(mean: Option<Mean>) -> String {
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

pub(super) fn with_interval(found: Option<(f64, [f64; 2])>) -> String {
    found.map_or("-".to_owned(), |(mean, [low, high])| {
        format!("{} [{}, {}]", number(mean), number(low), number(high))
    })
}

pub(super) fn name(setting: &Setting) -> String {
    format!("{}, {}", setting.method, setting.training)
}

/// Pairs of the authors' data and simulated homes are different worlds: means are taken over either.
pub(super) fn worlds(pairs: &[Pair]) -> Vec<(&'static str, Vec<Pair>)> {
    let (homes, recorded): (Vec<Pair>, Vec<Pair>) =
        pairs.iter().cloned().partition(Pair::simulated);
    [("recorded", recorded), ("simulated", homes)]
        .into_iter()
        .filter(|(_, pairs)| !pairs.is_empty())
        .collect()
}
