//! The first pass over a log, in which catalogs are inferred: kept in the output folder, so that it is not made again.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::catalog::FirstPass;
use crate::disk::{Disk, Open};

/// Where it is kept.
pub fn path(out: &Path) -> PathBuf {
    out.join(".hearth.first-pass")
}

/// That of an earlier run; one that cannot be read is made again.
pub fn read(disk: &Disk, out: &Path) -> Option<FirstPass> {
    let bytes = disk.read(&path(out)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Keeps it in place of one before.
///
/// # Errors
/// What the system says.
pub fn write(disk: &Disk, out: &Path, pass: &FirstPass) -> io::Result<()> {
    let new = out.join(".hearth.first-pass.new");
    let mut file = disk.open(&new, Open::Anew)?;
    file.write_all(&serde_json::to_vec(pass)?)?;
    file.sync()?;
    disk.rename(&new, &path(out))?;
    disk.sync_folder(out)
}

/// Removes it.
///
/// # Errors
/// What the system says.
pub fn remove(disk: &Disk, out: &Path) -> io::Result<()> {
    disk.remove(&path(out))
}
