//! Folders of logs.

use std::io;
use std::path::{Path, PathBuf};

use super::SourceError;
use super::files::is_log;

/// Replaces each folder by the logs in it and below, sorted by their paths; names that begin with a dot or an underscore are no
/// logs (`_SUCCESS`).
///
/// # Errors
/// A folder cannot be read, or there is no log in it.
pub fn expand(logs: &[PathBuf]) -> Result<Vec<PathBuf>, SourceError> {
    let mut all = Vec::new();
    for log in logs {
        if !log.is_dir() {
            all.push(log.clone());
            continue;
        }
        let unreadable = |error| SourceError::Unreadable {
            file: log.display().to_string(),
            error,
        };
        let before = all.len();
        gather(log, &mut all).map_err(unreadable)?;
        if all.len() == before {
            return Err(SourceError::NoLogs {
                folder: log.display().to_string(),
            });
        }
    }
    Ok(all)
}

fn gather(folder: &Path, to: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut entries = entries.collect::<io::Result<Vec<PathBuf>>>()?;
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(['.', '_']) {
            continue;
        }
        if path.is_dir() {
            // What a run has left below is no log of its next one.
            if path.join("summary.json").exists() || path.join(".hearth.lock").exists() {
                continue;
            }
            gather(&path, to)?;
        } else if is_log(&path) {
            to.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_logs_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("home=b")).unwrap();
        std::fs::create_dir_all(at("empty")).unwrap();
        for name in [
            "home=b/1.parquet",
            "a.jsonl.gz",
            "_SUCCESS",
            ".x.csv",
            "notes.txt",
        ] {
            std::fs::write(at(name), "").unwrap();
        }
        let found = expand(&[folder.path().to_owned(), "-".into()]).unwrap();
        assert_eq!(
            found,
            [at("a.jsonl.gz"), at("home=b/1.parquet"), "-".into()]
        );
        let error = expand(&[at("empty")]).unwrap_err().to_string();
        assert!(error.contains("no log"), "{error}");
    }
}
