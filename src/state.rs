//! `hearth state`: the checkpoints that a run goes on from, looked at and tidied.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::checkpoint::{Checkpoints, Compacted, Place, Shown, Verified};
use crate::config::UsageError;
use crate::disk::Disk;
use crate::outputs::grouped;
use crate::sinks::files::Folder;

/// Look at the checkpoints of a run, check every byte of them, or make them one
///
/// A run keeps its checkpoints in the folder state of its output folder, or where --state says. Each rests on parts: one that
/// holds everything, and those that hold what has changed since.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth state show out
  hearth state verify out --json
  hearth state compact s3://bucket/run

Exit codes: 0 fine, 1 something is damaged, 2 there are no checkpoints there.")]
pub struct StateArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

/// What is done with checkpoints.
#[derive(Subcommand, Clone, Debug)]
#[allow(
    missing_docs,
    reason = "a comment here would replace the arguments' own on the help page"
)]
pub enum What {
    Show(PlaceArgs),
    Verify(VerifyArgs),
    Compact(CompactArgs),
}

/// Show the cuts, what each rests on, and what the operators hold of the newest: homes and bytes
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth state show out
  hearth state show out --json")]
pub struct PlaceArgs {
    /// Output folder of a run, or where its checkpoints are: a folder, or s3://bucket/prefix
    #[arg(value_name = "DIR|URL")]
    pub place: String,

    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Check every byte of every cut and of what it rests on
///
/// Says what is damaged, by name, and ends with exit code 1 if anything is.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth state verify out
  hearth state verify out/state --json")]
pub struct VerifyArgs {
    /// Where.
    #[command(flatten)]
    pub of: PlaceArgs,
}

/// Have the newest sound cut rest on one part alone, and remove the others
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth state compact out")]
pub struct CompactArgs {
    /// Where.
    #[command(flatten)]
    pub of: PlaceArgs,
}

/// Does what the arguments ask for.
///
/// # Errors
/// There are no checkpoints there ([`UsageError`]), they are damaged, or cannot be read or written.
pub fn run(arguments: &StateArgs) -> anyhow::Result<()> {
    match &arguments.what {
        What::Show(of) => told(of.json, &open(of)?.0.show()?),
        What::Verify(VerifyArgs { of }) => {
            let verified = open(of)?.0.verify()?;
            told(of.json, &verified)?;
            match verified.damaged.len() {
                0 => Ok(()),
                several => anyhow::bail!("{several} of what lies there cannot be used"),
            }
        }
        What::Compact(CompactArgs { of }) => {
            let (checkpoints, out) = open(of)?;
            // No run may write there meanwhile.
            let claim = |out: PathBuf| Folder::claim(&Disk::real(), &out, []);
            let _lock = out.map(claim).transpose()?;
            match checkpoints.compact()? {
                Some(compacted) => told(of.json, &compacted),
                None => Ok(()),
            }
        }
    }
}

/// The checkpoints, and the output folder that was named, if it was one.
fn open(of: &PlaceArgs) -> anyhow::Result<(Checkpoints, Option<PathBuf>)> {
    let (place, out) = Place::meant(&of.place)?;
    let checkpoints = Checkpoints::at_place(&Disk::real(), &place)?;
    if !checkpoints.exist()? {
        let place = &of.place;
        return Err(UsageError(format!(
            "{place} holds no checkpoints: a run keeps them until it is complete"
        ))
        .into());
    }
    Ok((checkpoints, out))
}

fn told(json: bool, what: &(impl fmt::Display + serde::Serialize)) -> anyhow::Result<()> {
    match json {
        true => writeln!(io::stdout(), "{}", serde_json::to_string_pretty(what)?)?,
        false => write!(io::stdout(), "{what}")?,
    }
    Ok(())
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.place)?;
        for cut in &self.cuts {
            let bytes = cut.parts.iter().map(|part| part.bytes).sum();
            writeln!(
                f,
                "\n{}  epoch {}, {} lines; rests on {} bytes",
                cut.cut,
                grouped(cut.epochs),
                grouped(cut.lines),
                grouped(bytes)
            )?;
            for part in &cut.parts {
                writeln!(f, "  {}  {:>15}", part.part, grouped(part.bytes))?;
            }
        }
        let (title, homes) = ("operator", "homes");
        writeln!(
            f,
            "\nthe newest, unpacked\n{title:<12} {homes:>11} {:>15} {:>15}",
            "bytes of homes", "other bytes"
        )?;
        for of in &self.operators {
            writeln!(
                f,
                "{:<12} {:>11} {:>15} {:>15}",
                of.operator,
                grouped(of.homes),
                grouped(of.home_bytes),
                grouped(of.other_bytes)
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for damaged in &self.damaged {
            writeln!(f, "{} {}", damaged.path, damaged.why)?;
        }
        for name in &self.idle {
            writeln!(
                f,
                "{name} belongs to no cut: it was not complete when its run was killed"
            )?;
        }
        let sound = match self.damaged.is_empty() {
            true => "sound",
            false => "NOT sound",
        };
        let (cuts, parts, bytes) = (self.cuts, self.parts, grouped(self.bytes));
        writeln!(f, "{sound}: cuts {cuts}, parts {parts}, bytes {bytes}")
    }
}

impl fmt::Display for Compacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (grouped(self.before), grouped(self.after));
        writeln!(f, "{}: {before} bytes before, {after} now", self.cut)
    }
}
