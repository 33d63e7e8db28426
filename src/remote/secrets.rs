//! Secrets come from files: on a command line others would see them.

use std::path::Path;

use crate::config::UsageError;

/// The secret in a file, without line end. `what` it is, for errors, which never show it.
///
/// # Errors
/// The file cannot be read, or holds nothing.
pub(crate) fn secret(file: &Path, what: &str) -> Result<String, UsageError> {
    let path = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| UsageError(format!("cannot read the {what} file {path}: {error}")))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(UsageError(format!("the {what} file {path} is empty"))),
        secret => Ok(secret.to_owned()),
    }
}
