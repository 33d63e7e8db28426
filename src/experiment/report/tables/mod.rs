//! The tables of a report: the same on the terminal and on the page.

mod honest;
mod paper;
mod prequential;
mod run;
mod table;

pub(super) use honest::shot;
pub(super) use prequential::{brief, tables as prequential};
pub(super) use table::Table;

use super::summary::Summary;
use crate::experiment::cells::Protocol;
use crate::experiment::paper::published::Published;

/// All tables that there are lines for.
pub(super) fn all(summary: &Summary, published: &Published) -> Vec<Table> {
    let mut tables = Vec::new();
    if summary.has(Protocol::Honest) {
        tables.extend(honest::tables(summary));
    }
    if summary.has(Protocol::Paper) {
        tables.extend(paper::tables(summary, published));
    }
    tables.extend(run::tables(summary));
    tables.retain(|table| !table.rows.is_empty());
    tables
}
