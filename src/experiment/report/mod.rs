//! What a run found, for people: tables on the terminal, and a page with tables and plots. Both are made of the run's lines
//! alone.

mod gathered;
mod online;
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
use super::prequential::lines;
use gathered::Gathered;
use summary::Summary;
use tables::Table;

/// Prints the tables of a folder's cells and writes its `report.html`.
///
/// # Errors
/// The folder holds no lines, or the page cannot be written.
pub(super) fn write(folder: &Path) -> Result<()> {
    let summary = Summary::of(Results::read(folder)?);
    let tables = tables::all(&summary, &Published::load()?);
    print(&tables)?;
    for (reason, count) in &summary.failed {
        writeln!(
            io::stdout(),
            "{count} cells could not be computed: {reason}"
        )?;
    }
    put(folder, "report.html", &page::page(&summary, &tables))
}

/// Prints the main tables of a folder's prequential runs and writes its `prequential.html`.
///
/// # Errors
/// The folder holds no lines, or the page cannot be written.
pub(super) fn write_prequential(folder: &Path) -> Result<()> {
    let gathered = Gathered::of(lines::read(folder)?);
    print(&tables::brief(&gathered))?;
    put(folder, "prequential.html", &online::page(&gathered))
}

/// Does both, as far as the folder holds lines.
///
/// # Errors
/// It holds none, or a page cannot be written.
pub(super) fn write_all(folder: &Path) -> Result<()> {
    let prequential = lines::path(folder).is_file();
    if prequential {
        write_prequential(folder)?;
    }
    if !prequential || Results::path(folder).is_file() {
        write(folder)?;
    }
    Ok(())
}

fn print(tables: &[Table]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    tables.iter().try_for_each(|table| write!(out, "{table}"))
}

fn put(folder: &Path, name: &str, page: &str) -> Result<()> {
    let path = folder.join(name);
    let half = folder.join(format!("{name}.part"));
    fs::write(&half, page)
        .and_then(|()| fs::rename(&half, &path))
        .with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(io::stdout(), "The same with plots: {}", path.display())?;
    Ok(())
}
