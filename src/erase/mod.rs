//! `hearth erase`: what an output folder holds of a home, or of a part of its past, goes from its files; and `--compact`, which does
//! that for what was erased in a run, and leaves of collections only what stands.

mod compact;
mod lines;
mod rewrite;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use hearth_operators::words::Time;

use crate::checkpoint::{Checkpoints, Place};
use crate::config::UsageError;
use crate::disk::Disk;
use crate::first_pass;
use crate::kept;
use crate::outputs::{self, Stream, grouped, summary_path};
use crate::sinks::files::{Folder, FolderError, Models};
use crate::time;
pub use compact::compact;
use lines::Lines;

/// Remove a home, or a part of its past, from an output folder
///
/// Rewrites the folder's files without the lines that hold erased events: those of the home, or only of a device or of a time
/// (from --from on, before --to). Of a part, segments, representatives and alarms that hold such an event go whole, counts
/// of transitions fall by what these segments counted, and so go the requests of regimes with such events, with their
/// verdicts. Nothing is computed anew; to have that, put {"home","erase"} into the log and replay it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth erase out --home h-17
  hearth erase out --home h-17 --from 2025-06-01 --to 2025-07-01 --device Camera")]
pub struct EraseArgs {
    /// Output folder of hearth replay
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Which home
    #[arg(long, value_name = "HOME")]
    pub home: String,

    /// Events from this time on; none: from the beginning
    #[arg(long, value_name = "TIME", value_parser = time::or_midnight)]
    pub from: Option<Time>,

    /// Events before this time; none: to the end
    #[arg(long, value_name = "TIME", value_parser = time::or_midnight)]
    pub to: Option<Time>,

    /// Events of this device; none: of all
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
}

/// What is to go.
#[derive(Clone, Debug)]
pub struct What {
    /// The home's name.
    pub home: String,
    /// From when on, in µs.
    pub from: Option<i64>,
    /// Until when.
    pub to: Option<i64>,
    /// Of which device.
    pub device: Option<String>,
    /// What was ingested before this epoch; none: all.
    pub before: Option<u64>,
}

impl What {
    /// Whether it is the whole home.
    fn is_whole(&self) -> bool {
        self.from.is_none() && self.to.is_none() && self.device.is_none()
    }
}

/// Runs the command, and says how many lines went of which stream.
///
/// # Errors
/// The folder is none of a replay, a time cannot be read, a file cannot be rewritten, or nothing of the kind is there.
pub fn run(args: &EraseArgs) -> anyhow::Result<()> {
    outputs::read::check(&args.dir).map_err(|error| UsageError(error.to_string()))?;
    let what = What {
        home: args.home.clone(),
        from: args.from.map(|from| from.0),
        to: args.to.map(|to| to.0),
        device: args.device.clone(),
        before: None,
    };
    if what.from.zip(what.to).is_some_and(|(from, to)| from >= to) {
        return Err(UsageError("--from is not before --to".to_owned()).into());
    }
    if outputs::inbox_path(&args.dir).exists() {
        return Err(UsageError(format!(
            "{} is of a live run, which would learn {} again from its inbox; erase while it runs, on the home's page or by POST /erasures",
            args.dir.display(),
            args.home
        ))
        .into());
    }
    let folder = Folder::claim(&Disk::real(), &args.dir, std::iter::empty())
        .map_err(|error| in_use(&error))?;
    // Of a home that is erased whole models may be there where no line is.
    if !what.is_whole() && !holds(folder.path(), &what)? {
        return Err(nothing(args));
    }
    // It is not known what a run could go on from that never had it.
    forget(folder.disk(), &args.dir)?;
    let gone = erase(folder.path(), &what)?;
    let lines: u64 = gone.values().sum();
    // What is left of a home is not known here, so what its models have learnt of the rest goes, too.
    let kept = kept::remove(&args.dir, &args.home)?;
    let models = what.is_whole() && remove_models(&args.dir, &args.home)? || kept;
    if lines == 0 && !models {
        return Err(nothing(args));
    }
    let home = what.is_whole().then_some(args.home.as_str());
    correct_summary(&args.dir, home)?;
    for (stream, lines) in &gone {
        writeln!(
            std::io::stdout(),
            "{:<18}{:>15}  lines",
            stream.name(),
            grouped(*lines)
        )?;
    }
    if models {
        writeln!(std::io::stdout(), "models of {} are removed", args.home)?;
    }
    if args.dir.join("cassette").is_dir() {
        writeln!(
            std::io::stdout(),
            "cassette/ is as it was: it holds what a language model was asked; remove it if that is to go, too"
        )?;
    }
    Ok(())
}

fn nothing(args: &EraseArgs) -> anyhow::Error {
    let (dir, home) = (args.dir.display(), &args.home);
    anyhow::anyhow!("{dir} holds nothing of {home} that is to be erased")
}

/// Removes what a run into the folder could go on from, wherever that lies.
fn forget(disk: &Disk, dir: &Path) -> anyhow::Result<()> {
    for place in [Place::left_in(disk, dir)?, Place::of_run(dir, None)] {
        Checkpoints::at_place(disk, &place)?.clear()?;
    }
    Ok(first_pass::remove(disk, dir)?)
}

/// Whether files of a folder hold anything that is to go.
fn holds(dir: &Path, what: &What) -> anyhow::Result<bool> {
    let mut lines = Lines::new(what);
    let mut goes = false;
    for stream in Stream::ALL {
        if !stream.found(dir).is_file() {
            continue;
        }
        outputs::read::each(dir, stream, |text| {
            let mut stays = false;
            lines.take(stream, Some(text), &mut |kept| stays |= kept == text)?;
            goes |= !stays;
            Ok(())
        })?;
    }
    Ok(goes)
}

/// Takes lines out of the files of a folder; how many of each stream.
pub(crate) fn erase(dir: &Path, what: &What) -> anyhow::Result<BTreeMap<Stream, u64>> {
    let mut gone = BTreeMap::new();
    let mut lines = Lines::new(what);
    // Segments first: what else goes follows from which of them hold erased events.
    for stream in Stream::ALL {
        let files = stream.files(dir);
        let files = files.with_context(|| format!("cannot read {}", dir.display()))?;
        let files: Vec<PathBuf> = files.into_iter().filter(|path| path.is_file()).collect();
        let mut removed = 0;
        for path in &files {
            let ends = files.last() == Some(path);
            removed += rewrite::rewrite(path, |text, keep| match text {
                None if !ends => Ok(()),
                text => lines.take(stream, text, keep),
            })?;
        }
        if removed > 0 {
            gone.insert(stream, removed);
        }
    }
    Ok(gone)
}

/// Removes the models of a home that are files. Whether there were any.
fn remove_models(dir: &Path, home: &str) -> anyhow::Result<bool> {
    let removed = Models::of(&Disk::real(), dir).remove_home(home);
    removed.with_context(|| format!("cannot remove the models of {home} in {}", dir.display()))
}

/// Counts the lines of the files anew in the summary, where there is one, and takes out what it notes of a home that is gone.
fn correct_summary(dir: &Path, gone: Option<&str>) -> anyhow::Result<()> {
    let path = summary_path(dir);
    if !path.is_file() {
        return Ok(());
    }
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let mut summary: serde_json::Value = serde_json::from_str(&text)
        .with_context(|| format!("{} is no summary of hearth replay", path.display()))?;
    if let Some(lines) = summary.get_mut("lines") {
        *lines = serde_json::to_value(lines_of(dir)?)?;
    }
    if let Some(notes) = summary
        .get_mut("notes")
        .and_then(serde_json::Value::as_array_mut)
    {
        let gone: Vec<String> = gone.into_iter().map(str::to_owned).collect();
        notes.retain(|note| !names_any(note.as_str().unwrap_or_default(), &gone));
    }
    let text = serde_json::to_string_pretty(&summary)? + "\n";
    Disk::real()
        .replace(&path, text.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Whether a note of a run names one of these homes.
pub(crate) fn names_any(note: &str, homes: &[String]) -> bool {
    homes.iter().any(|home| note.contains(&format!("`{home}`")))
}

/// How many lines each stream's file has.
pub(crate) fn lines_of(dir: &Path) -> anyhow::Result<BTreeMap<Stream, u64>> {
    let mut all = BTreeMap::new();
    for stream in Stream::ALL {
        let mut lines = 0;
        if stream.found(dir).is_file() {
            outputs::read::each(dir, stream, |_| {
                lines += 1;
                Ok(())
            })?;
        }
        if lines > 0 {
            all.insert(stream, lines);
        }
    }
    Ok(all)
}

fn in_use(error: &FolderError) -> anyhow::Error {
    UsageError(error.to_string()).into()
}

#[cfg(test)]
mod tests;
