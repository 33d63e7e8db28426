//! The lines of a run, which its report is made of.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::shifts::Days;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Task {
    /// Which action comes next, nothing of it given.
    NextAction,
    /// Planted anomalies among what happens.
    Anomalies,
    /// The run itself. Its line is the last of a log: without it the others are not all there.
    Run,
}

/// Of which behaviours.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(in super::super) struct Slice {
    /// Of homes whose last shift (before the first: whose first one) is of this kind; none: of any.
    pub kind: Option<String>,
    /// So long after it; none: at any time.
    pub days: Option<Days>,
    /// In the thirty days after a shift.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub month_after: bool,
}

/// A figure by name.
pub(in super::super) type Metrics = BTreeMap<String, f64>;

/// A line of `prequential.jsonl`: what a method made of a log, or of a part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Line {
    /// What was run: simulated homes, so many and so long; or the log's files.
    pub source: String,
    /// The simulation's seed, or the replay's.
    pub seed: u64,
    pub task: Task,
    pub method: String,
    #[serde(flatten)]
    pub slice: Slice,
    /// Homes with anything that counts.
    pub homes: u64,
    /// Behaviours that count.
    pub behaviors: u64,
    pub metrics: Metrics,
    /// The same where homes are drawn with replacement, by draw: equal draws of a log and seed are of equal homes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub draws: BTreeMap<String, Vec<Option<f64>>>,
}

/// Where a folder keeps them.
pub(in super::super) fn path(folder: &Path) -> PathBuf {
    folder.join("prequential.jsonl")
}

/// Reads the lines of a folder.
///
/// # Errors
/// There are none, or the file holds something else.
pub(in super::super) fn read(folder: &Path) -> Result<Vec<Line>> {
    let path = path(folder);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text, &path)
}

/// Reads what an earlier run left, and drops from the file what it did not bring to an end.
///
/// # Errors
/// The file cannot be read or mended, or holds something else.
pub(super) fn resume(folder: &Path) -> Result<Vec<Line>> {
    let path = path(folder);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).context(format!("cannot read {}", path.display())),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let mut lines = parse(whole, &path)?;
    let ended: Vec<(String, u64)> = lines
        .iter()
        .filter(|line| line.task == Task::Run)
        .map(|line| (line.source.clone(), line.seed))
        .collect();
    lines.retain(|line| {
        ended
            .iter()
            .any(|(s, n)| (s, *n) == (&line.source, line.seed))
    });
    let kept = written(&lines)?;
    if kept != text.as_bytes() {
        let mended = path.with_extension("jsonl.part");
        fs::write(&mended, &kept)
            .and_then(|()| fs::rename(&mended, &path))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(lines)
}

/// Appends lines.
///
/// # Errors
/// The file cannot be written.
pub(super) fn append(folder: &Path, lines: &[Line]) -> Result<()> {
    let path = path(folder);
    let text = written(lines)?;
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(&text))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn written(lines: &[Line]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    Ok(text)
}

fn parse(text: &str, path: &Path) -> Result<Vec<Line>> {
    let numbered = text.lines().zip(1..);
    let read = numbered.map(|(line, number)| {
        serde_json::from_str(line).with_context(|| {
            format!(
                "{}:{number}: not a line of hearth experiment prequential; name another folder",
                path.display()
            )
        })
    });
    read.collect()
}

/// As exact as a table is: the file is smaller by half.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seed: u64, task: Task) -> Line {
        Line {
            source: "s".into(),
            seed,
            task,
            method: "m".into(),
            slice: Slice {
                days: Some(Days::First),
                ..Slice::default()
            },
            homes: 1,
            behaviors: 2,
            metrics: [("hr@1".to_owned(), 0.5)].into(),
            draws: [("hr@1".to_owned(), vec![Some(0.25), None])].into(),
        }
    }

    #[test]
    fn what_was_not_brought_to_an_end_goes() {
        let dir = tempfile::tempdir().unwrap();
        let all = [
            line(1, Task::NextAction),
            line(1, Task::Run),
            line(2, Task::NextAction),
        ];
        append(dir.path(), &all).unwrap();
        let torn = fs::read(path(dir.path())).unwrap();
        fs::write(path(dir.path()), [&torn[..], b"{\"sou"].concat()).unwrap();
        assert_eq!(resume(dir.path()).unwrap(), all[..2]);
        assert_eq!(read(dir.path()).unwrap(), all[..2]);
        fs::write(path(dir.path()), "{}\n").unwrap();
        let refused = format!("{:#}", resume(dir.path()).unwrap_err());
        assert!(refused.contains("prequential.jsonl:1"), "{refused}");
    }
}
