//! Pages and tables out of a run's lines.

use std::path::Path;

/// Writes the report of a folder.
///
/// # Errors
/// The folder holds no lines, or cannot be written.
pub fn write(folder: &Path) -> anyhow::Result<()> {
    let _ = super::cells::Results::read(folder)?;
    Ok(())
}
