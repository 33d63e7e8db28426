//! `hearth merge`: the output folders of the processes of a run, made one.

mod lines;
mod summary;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::config::{Packing, UsageError};
use crate::disk::Disk;
use crate::kept;
use crate::outputs::{Stream, grouped, read, summary_path};
use crate::sinks::Sink;
use crate::sinks::files::{Files, Folder};
use crate::summary::Part;

/// Make one output folder out of those of all processes of a replay
///
/// What is written is what one process would have written. Nothing changes in the folders that are read.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth merge out-0 out-1 out-2 --out out")]
pub struct MergeArgs {
    /// The output folders of all processes
    #[arg(required = true, value_name = "DIR")]
    pub dirs: Vec<PathBuf>,

    /// Output folder; created where needed. One that holds an earlier output is overwritten, any other that is not
    /// empty is refused
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Runs the command, and says what the whole holds.
///
/// # Errors
/// The folders are not all parts of one complete run; a file cannot be read or written.
pub fn run(args: &MergeArgs) -> anyhow::Result<()> {
    let whole = merge(&args.dirs, &args.out, &args.dirs)?;
    Ok(writeln!(io::stdout(), "{}", told(&whole, &args.out))?)
}

/// What is said of a whole.
pub fn told(whole: &Value, out: &Path) -> String {
    let count = |value: &Value| grouped(value.as_u64().unwrap_or(0));
    let (events, homes) = (count(&whole["events"]["in"]), count(&whole["homes"]));
    let (segments, alarms) = (count(&whole["segments"]), count(&whole["alarms"]));
    let out = out.display();
    format!(
        "{out} holds the whole: {events} events of {homes} homes, {segments} segments, {alarms} alarms"
    )
}

/// Writes what is in `dirs` into `out`, in which none of the folders `apart` may lie. The summary of the whole.
///
/// # Errors
/// As [`run`].
pub fn merge(dirs: &[PathBuf], out: &Path, apart: &[PathBuf]) -> anyhow::Result<Value> {
    let (dirs, summaries) = parts(dirs)?;
    let disk = Disk::real();
    let folder = Folder::claim(&disk, out, apart.iter().map(PathBuf::as_path))?;
    let mut files = Files::create(&folder, Packing::Auto)?;
    for stream in Stream::ALL {
        lines::merge(&dirs, stream, &mut files)?;
    }
    files.finish()?;
    for dir in &dirs {
        let (from, to) = (dir.join("models"), out.join("models"));
        copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    kept::merge(&dirs, out)?;
    let whole = summary::merge(&summaries);
    let path = summary_path(out);
    let text = serde_json::to_string_pretty(&whole)? + "\n";
    let written = disk.replace(&path, text.as_bytes());
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(whole)
}

/// The folders in order of their processes, with their summaries.
fn parts(dirs: &[PathBuf]) -> anyhow::Result<(Vec<PathBuf>, Vec<Value>)> {
    let mut parts: Vec<(Part, &PathBuf, Value)> = Vec::new();
    for dir in dirs {
        read::check(dir).map_err(|error| UsageError(error.to_string()))?;
        let (part, summary) = part(dir)?;
        parts.push((part, dir, summary));
    }
    parts.sort_by_key(|(part, ..)| part.process);
    let Some((first, first_dir, _)) = parts.first() else {
        return Err(UsageError("there is nothing to merge".to_owned()).into());
    };
    for (part, dir, _) in &parts {
        if (&part.of, part.processes) != (&first.of, first.processes) {
            let (one, other) = (first_dir.display(), dir.display());
            let problem = format!("{one} and {other} are parts of different runs");
            return Err(UsageError(problem).into());
        }
    }
    for process in 0..first.processes {
        let of: Vec<String> = parts
            .iter()
            .filter(|(part, ..)| part.process == process)
            .map(|(_, dir, _)| dir.display().to_string())
            .collect();
        let all = first.processes;
        let problem = match &of[..] {
            [_] => continue,
            [] => format!("the output of process {process} of {all} (counted from 0) is missing"),
            many => format!("{} are all of process {process}", many.join(" and ")),
        };
        return Err(UsageError(problem).into());
    }
    let split = parts
        .into_iter()
        .map(|(_, dir, summary)| (dir.clone(), summary));
    Ok(split.unzip())
}

/// Which part of a run a folder holds.
fn part(dir: &Path) -> anyhow::Result<(Part, Value)> {
    let path = summary_path(dir);
    let refuse = |problem: &str| UsageError(format!("{} {problem}", dir.display()));
    let text = std::fs::read(&path).map_err(|_| {
        refuse("is not complete: it has no summary.json; run its process to the end")
    })?;
    let summary: Value = serde_json::from_slice(&text)
        .map_err(|error| UsageError(format!("{}: {error}", path.display())))?;
    if summary["interrupted"] == true || !summary["undone"].is_null() {
        return Err(refuse("is of a run that was stopped; run it to its end").into());
    }
    let part = serde_json::from_value(summary["part"].clone())
        .map_err(|_| refuse("is no part: its run had one process"))?;
    Ok((part, summary))
}

/// Copies a folder of models; the file of homes' models is merged.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else if path != kept::path(from.parent().unwrap_or(from)) {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
