//! `hearth merge`: the output folders of the processes of a run, made one.

#[cfg(test)]
mod fuzz;
mod lines;
mod summary;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::config::{Packing, UsageError};
use crate::disk::Disk;
use crate::erase;
use crate::kept;
use crate::outputs::{Stream, grouped, read, summary_path};
use crate::sinks::Sink;
use crate::sinks::files::{Files, Folder};
use crate::summary::Part;
use lines::Piece;

/// Make one output folder out of those of all processes of a replay
///
/// What is written is what one process would have written. Nothing changes in the folders that are read.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth merge out-0 out-1 out-2 --out out")]
pub struct MergeArgs {
    /// The output folders of all processes, also of those that the run had earlier
    #[arg(required = true, value_name = "DIR")]
    pub dirs: Vec<PathBuf>,

    /// Output folder; created where needed. One that holds an earlier output is overwritten, any other that is not
    /// empty is refused
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Leave only what stands of collections, and no line of erased events in any file
    #[arg(long)]
    pub compact: bool,
}

/// Runs the command, and says what the whole holds.
///
/// # Errors
/// The folders are not all parts of one complete run; a file cannot be read or written.
pub fn run(args: &MergeArgs) -> anyhow::Result<()> {
    let mut whole = merge(&args.dirs, &args.out, &args.dirs)?;
    if args.compact {
        compact(&mut whole, &args.out)?;
    }
    write(&whole, &args.out)?;
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

/// Has a whole hold only what stands.
///
/// # Errors
/// A file cannot be read or rewritten.
pub fn compact(whole: &mut Value, out: &Path) -> anyhow::Result<()> {
    let gone = erase::compact(out)?;
    if let Some(notes) = whole.get_mut("notes").and_then(Value::as_array_mut) {
        notes.retain(|note| !erase::names_any(note.as_str().unwrap_or_default(), &gone));
    }
    whole["lines"] = serde_json::to_value(erase::lines_of(out)?)?;
    Ok(())
}

/// Writes the summary of a whole, which says that it is complete.
///
/// # Errors
/// It cannot be written.
pub fn write(whole: &Value, out: &Path) -> anyhow::Result<()> {
    let path = summary_path(out);
    let text = serde_json::to_string_pretty(whole)? + "\n";
    let written = Disk::real().replace(&path, text.as_bytes());
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Writes what is in `dirs` into `out`, in which none of the folders `apart` may lie. The summary of the whole, which is still to be
/// written.
///
/// # Errors
/// As [`run`].
pub fn merge(dirs: &[PathBuf], out: &Path, apart: &[PathBuf]) -> anyhow::Result<Value> {
    let disk = Disk::real();
    let Parts { pieces, summaries } = Parts::of(&disk, dirs)?;
    let folder = Folder::claim(&disk, out, apart.iter().map(PathBuf::as_path))?;
    let mut files = Files::create(&folder, Packing::Auto)?;
    for stream in Stream::ALL {
        lines::merge(&pieces, stream, &mut files)?;
    }
    files.finish()?;
    for Piece { dir, .. } in &pieces {
        let (from, to) = (dir.join("models"), out.join("models"));
        copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    let ended = pieces.into_iter().filter(|piece| piece.until.is_none());
    let ended: Vec<PathBuf> = ended.map(|piece| piece.dir).collect();
    kept::merge(&ended, out)?;
    let whole = summary::merge(&summaries);
    anyhow::ensure!(
        summary::is_balanced(&whole),
        "the accounting does not agree: events were lost; this is a bug in Hearth"
    );
    Ok(whole)
}

/// The parts of a run.
struct Parts {
    /// In order of their processes; those whose process the run has no more at last.
    pieces: Vec<Piece>,
    /// Of the processes that it had in the end.
    summaries: Vec<Value>,
}

impl Parts {
    /// The folders of all processes that the run had.
    fn of(disk: &Disk, dirs: &[PathBuf]) -> anyhow::Result<Self> {
        let mut parts: Vec<(Part, &PathBuf)> = Vec::new();
        for dir in dirs {
            read::check(dir).map_err(|error| UsageError(error.to_string()))?;
            let part = Part::noted(disk, dir)
                .with_context(|| format!("cannot read whose part {} holds", dir.display()))?;
            let part = part.ok_or_else(|| refuse(dir, "is no part: its run had one process"))?;
            parts.push((part, dir));
        }
        parts.sort_by_key(|(part, _)| part.process);
        let Some((first, first_dir)) = parts.first() else {
            return Err(UsageError("there is nothing to merge".to_owned()).into());
        };
        let different = |dir: &Path| {
            let (one, other) = (first_dir.display(), dir.display());
            UsageError(format!("{one} and {other} are parts of different runs"))
        };
        if let Some((_, dir)) = parts.iter().find(|(part, _)| part.of != first.of) {
            return Err(different(dir).into());
        }
        // What the first process says of its run holds for all.
        let (run, _) = ended(first_dir)?;
        let (mut pieces, mut summaries) = (Vec::new(), Vec::new());
        let all = (0..run.processes).chain(run.resting.keys().copied());
        for process in all {
            let dir = only(&parts, process, run.processes)?;
            let until = run.resting.get(&process).cloned();
            if until.is_none() {
                let (own, summary) = ended(dir)?;
                if own.ended != run.ended {
                    let problem = "ended at another moment than process 0 did; start all processes of the live run again, and end them by \
                                   Ctrl-C on one";
                    return Err(refuse(dir, problem).into());
                }
                if own
                    != (Part {
                        process,
                        ..run.clone()
                    })
                {
                    return Err(different(dir).into());
                }
                summaries.push(summary);
            }
            let dir = dir.clone();
            pieces.push(Piece { dir, until });
        }
        let is_part = |dir: &Path| pieces.iter().any(|piece| piece.dir == dir);
        if let Some((part, dir)) = parts.iter().find(|(_, dir)| !is_part(dir)) {
            let problem = format!("is of process {}, which the run had not", part.process);
            return Err(refuse(dir, &problem).into());
        }
        Ok(Parts { pieces, summaries })
    }
}

fn refuse(dir: &Path, problem: &str) -> UsageError {
    UsageError(format!("{} {problem}", dir.display()))
}

/// The only folder of a process.
fn only<'a>(
    parts: &[(Part, &'a PathBuf)],
    process: usize,
    all: usize,
) -> Result<&'a PathBuf, UsageError> {
    let of = parts.iter().filter(|(part, _)| part.process == process);
    let of: Vec<&PathBuf> = of.map(|(_, dir)| *dir).collect();
    let problem = match &of[..] {
        [dir] => return Ok(dir),
        [] => format!("the output of process {process} of {all} (counted from 0) is missing"),
        many => {
            let many: Vec<String> = many.iter().map(|dir| dir.display().to_string()).collect();
            format!("{} are all of process {process}", many.join(" and "))
        }
    };
    Err(UsageError(problem))
}

/// Which part of a run a folder holds that is complete, and its summary.
fn ended(dir: &Path) -> anyhow::Result<(Part, Value)> {
    let path = summary_path(dir);
    let text = std::fs::read(&path).map_err(|_| {
        refuse(
            dir,
            "is not complete: it has no summary.json; run its process to the end",
        )
    })?;
    let summary: Value = serde_json::from_slice(&text)
        .map_err(|error| UsageError(format!("{}: {error}", path.display())))?;
    let part: Option<Part> = serde_json::from_value(summary["part"].clone()).ok();
    // A live run ends where it is stopped; what it leaves then are events that wait for others.
    let is_live = part.as_ref().is_some_and(|part| part.ended.is_some());
    if !is_live && (summary["interrupted"] == true || !summary["undone"].is_null()) {
        let problem = "is of a run that was stopped; run it to its end";
        return Err(refuse(dir, problem).into());
    }
    let part = part.ok_or_else(|| refuse(dir, "is no part: its run had one process"))?;
    Ok((part, summary))
}

/// The processes of the run that the folder of its first one is of: those that it had in the end, and those that it had earlier.
///
/// # Errors
/// The folder's run is not complete, or had one process.
pub fn processes(first: &Path) -> anyhow::Result<Vec<usize>> {
    let (run, _) = ended(first)?;
    Ok((0..run.processes).chain(run.resting.into_keys()).collect())
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
