//! `hearth model`: the models of homes that a replay left, looked at and used.

mod apply;
#[cfg(test)]
mod fuzz;
mod list;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::config::UsageError;
use crate::kept::{KeptError, Models};
use crate::portrait::{View, Whose};
use crate::stop::Stop;
use apply::ApplyArgs;

/// Look at and use the models of homes that a replay left
///
/// At its end a replay writes what the homes' models have learnt into models/homes.kept of its output folder: one file, of
/// which one home is read without the others.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth model list out
  hearth model show out --home h-17
  hearth model export out --home h-17 --out h-17.json
  hearth model apply out --home h-17 tomorrow.jsonl > scores.jsonl")]
pub struct ModelArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

/// What is done with models.
#[derive(Subcommand, Clone, Debug)]
#[allow(
    missing_docs,
    reason = "a comment here would replace the arguments' own on the help page"
)]
pub enum What {
    List(ListArgs),
    Show(OneArgs),
    Export(ExportArgs),
    Apply(ApplyArgs),
}

/// List the homes with how much was learnt of each
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// Output folder of a replay
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// As JSON Lines
    #[arg(long)]
    pub json: bool,
}

/// Show a home's model to a person: what it does, when, what comes next, and how its alarms stand
#[derive(Args, Clone, Debug)]
pub struct OneArgs {
    /// Output folder of a replay
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// The home
    #[arg(long, value_name = "NAME")]
    pub home: String,
}

/// Write a home's model as JSON, for other programs
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// Which.
    #[command(flatten)]
    pub of: OneArgs,

    /// File to write; the standard output where none is named
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Does what the arguments ask for.
///
/// # Errors
/// There is no such model ([`UsageError`]), a file cannot be read or written, or the run is stopped.
pub fn run(arguments: &ModelArgs, stop: &Stop) -> anyhow::Result<()> {
    match &arguments.what {
        What::List(arguments) => {
            let mut out = BufWriter::new(io::stdout().lock());
            list::write(&mut out, &models(&arguments.dir)?, arguments.json)?;
            Ok(out.flush()?)
        }
        What::Show(arguments) => {
            let view = view(arguments)?;
            let mut out = BufWriter::new(io::stdout().lock());
            view.tell(&mut out)?;
            Ok(out.flush()?)
        }
        What::Export(ExportArgs { of, out: file }) => {
            let view = view(of)?;
            let mut out = writer(file.as_deref())?;
            // Not by serde's own writer, whose errors hide that of a closed pipe.
            writeln!(out, "{}", serde_json::to_string_pretty(&view)?)?;
            Ok(out.flush()?)
        }
        What::Apply(arguments) => apply::run(arguments, stop),
    }
}

fn models(dir: &Path) -> Result<Models, UsageError> {
    Models::open(dir).map_err(|error| refused(&error))
}

fn view(of: &OneArgs) -> Result<View, UsageError> {
    let models = models(&of.dir)?;
    let opened = models.home(&of.home).map_err(|error| refused(&error))?;
    let portrait = opened.model.portrait(&opened.cohort, models.terms().budget);
    let zone = opened.entry.zone();
    let whose = Whose {
        home: &opened.entry.home,
        cohort: opened.cohort_name.as_deref(),
        catalog: opened.catalogs.others(),
        zone: zone.as_ref(),
    };
    Ok(View::of(&portrait, &whose))
}

fn refused(error: &KeptError) -> UsageError {
    UsageError(error.to_string())
}

/// A file, or the standard output.
fn writer(file: Option<&Path>) -> anyhow::Result<Box<dyn Write>> {
    let Some(path) = file else {
        return Ok(Box::new(BufWriter::new(io::stdout())));
    };
    let created = std::fs::File::create(path);
    let file = created.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}
