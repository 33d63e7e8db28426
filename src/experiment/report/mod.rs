//! What a run found, for people: tables on the terminal, and a page with tables and plots. Both are made of the run's lines
//! alone.

mod page;
mod plots;
mod summary;
mod tables;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};

use super::cells::Results;
use super::paper::published::Published;
use summary::Summary;

/// Prints the tables of a folder and writes its `report.html`.
///
/// # Errors
/// The folder holds no lines, or the page cannot be written.
pub(super) fn write(folder: &Path) -> Result<()> {
    let summary = Summary::of(Results::read(folder)?);
    let tables = tables::all(&summary, &Published::load()?);
    let mut out = io::stdout().lock();
    for table in &tables {
        write!(out, "{table}")?;
    }
    for (reason, count) in &summary.failed {
        writeln!(out, "{count} cells could not be computed: {reason}")?;
    }
    let path = folder.join("report.html");
    let half = folder.join("report.html.part");
    fs::write(&half, page::page(&summary, &tables))
        .and_then(|()| fs::rename(&half, &path))
        .with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(out, "The same with plots: {}", path.display())?;
    Ok(())
}
