//! Secrets come from files: on a command line others would see them.

use std::path::Path;

use anyhow::{Context, Result, bail};

/// The secret in a file, without line end. `what` it is, for errors, which never show it.
///
/// # Errors
/// The file cannot be read, or holds nothing.
pub(crate) fn secret(file: &Path, what: &str) -> Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the {what} file {}", file.display()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => bail!("the {what} file {} is empty", file.display()),
        secret => Ok(secret.to_owned()),
    }
}
