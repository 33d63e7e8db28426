//! One run in a process of its own, so that its CPU seconds and its memory are its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use hearth_operators::split::Rules;
use hearth_operators::words::{Behavior, Catalogs};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::ingestion::{self, Counter};
use super::plain::Plain;
use super::totals::Totals;
use crate::catalog;
use crate::config::{Keys, Packing};
use crate::disk::Disk;
use crate::home_names::HomeNames;
use crate::memory::peak_rss;
use crate::models::Preset;
use crate::outputs::Names;
use crate::sinks::files::{self, Folder};
use crate::sinks::{RowSender, Writer};
use crate::sources::{EventLog, Files, Options};
use crate::zones::Zones;

/// One run: used by the other measurements, which start it as a process
#[derive(clap::Args, Clone, Debug)]
pub struct MeasureArgs {
    /// What runs
    #[arg(long, value_name = "PROGRAM")]
    pub program: Program,

    /// Its input
    #[arg(value_name = "LOG")]
    pub log: PathBuf,

    /// Devices and their actions
    #[arg(long, value_name = "FILE")]
    pub catalog: PathBuf,

    /// Workers of Hearth
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    pub workers: usize,

    /// Lines of an epoch
    #[arg(long, value_name = "NUMBER", default_value = "10000")]
    pub epoch_events: usize,

    /// Sum up what is handed over, to be compared
    #[arg(long)]
    pub digest: bool,

    /// Write Hearth's outputs into this folder, in place of counting them alone
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
}

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Program {
    /// Hearth's incremental path.
    Hearth,
    /// The plain loop, for a log in order.
    Plain,
    /// The same without tables of counts, which Hearth does not keep either.
    Uncounted,
    /// The plain loop on the whole log, sorted in memory first.
    Sorted,
    /// Reading the log alone.
    Read,
}

/// What a run took and gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Of the whole process, its start included.
    pub cpu_seconds: f64,
    /// From the first line on.
    pub wall_seconds: f64,
    /// The most memory it held; 0 where the system does not tell.
    pub peak_rss_bytes: u64,
    /// The memory that Hearth held when all lines were through, before the log's end was told; 0 of other programs.
    pub held_bytes: u64,
    /// HomeNames of the log.
    pub homes: u64,
    /// Lines of the log.
    pub events: u64,
    /// What was handed over.
    pub totals: Totals,
}

impl MeasureArgs {
    /// Runs this in a process of its own.
    ///
    /// # Errors
    /// The process cannot be started or fails; what it said stands on standard error.
    pub fn spawn(&self) -> anyhow::Result<Measured> {
        let program = std::env::current_exe().context("cannot find the running program")?;
        let mut command = Command::new(program);
        command.args(["bench", "measure", "--program"]);
        command.arg(match self.program {
            Program::Hearth => "hearth",
            Program::Plain => "plain",
            Program::Uncounted => "uncounted",
            Program::Sorted => "sorted",
            Program::Read => "read",
        });
        command.arg("--catalog").arg(&self.catalog);
        command.args(["--workers", &self.workers.to_string()]);
        command.args(["--epoch-events", &self.epoch_events.to_string()]);
        if self.digest {
            command.arg("--digest");
        }
        if let Some(folder) = &self.write {
            command.arg("--write").arg(folder);
        }
        command
            .arg(&self.log)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        let output = command.output().context("cannot start the measured run")?;
        anyhow::ensure!(
            output.status.success(),
            "the measured run of {} failed ({})",
            self.log.display(),
            output.status
        );
        serde_json::from_slice(&output.stdout).context("the measured run said something else")
    }
}

/// Runs the command: one line of JSON on standard output.
///
/// # Errors
/// The log or the catalog cannot be read, or the run fails.
pub fn run(args: &MeasureArgs) -> anyhow::Result<()> {
    let catalog = Arc::new(catalog::load(&args.catalog)?);
    let homes = HomeNames::default();
    let catalogs = Catalogs::shared(catalog);
    let options = Options {
        catalogs: catalogs.clone(),
        homes: homes.clone(),
        zones: Zones::new(None),
        keys: Keys::default(),
    };
    let log = EventLog::open(std::slice::from_ref(&args.log), options)?;
    let rules = Rules::new(catalogs.clone());
    let began = Instant::now();
    let mut held_bytes = 0;
    let totals = match args.program {
        Program::Plain | Program::Uncounted => {
            let counting = args.program == Program::Plain;
            let mut plain = Plain::new(rules, counting, args.digest);
            each_batch(log, args.epoch_events, |batch| plain.take(batch.drain(..)))?;
            plain.finish()
        }
        Program::Sorted => {
            let mut plain = Plain::new(rules, true, args.digest);
            let mut all = Vec::new();
            each_batch(log, args.epoch_events, |batch| {
                all.append(batch);
                Ok(())
            })?;
            all.sort_by_key(|b| (b.home, b.moment));
            plain.take(all)?;
            plain.finish()
        }
        Program::Read => {
            let mut totals = Totals::default();
            each_batch(log, args.epoch_events, |batch| {
                totals.applied += batch.len() as u64;
                Ok(())
            })?;
            totals
        }
        Program::Hearth => {
            let path = ingestion::Path {
                catalogs: catalogs.clone(),
                workers: args.workers,
                epoch_events: args.epoch_events,
                watch: Arc::new(()),
            };
            let source = Files::new(log.ahead(args.workers), Default::default())?;
            match &args.write {
                None => {
                    let counter = Counter::new(args.digest);
                    held_bytes = path.run(source, Arc::new(counter.clone()))?;
                    counter.totals()
                }
                Some(folder) => {
                    let folder =
                        Folder::claim(&Disk::real(), folder, [args.log.as_path(), &args.catalog])?;
                    let (writer, rows) = writer(&folder, &args.log, &homes, &catalogs)?;
                    path.run(source, Arc::new(rows))?;
                    Totals::written(&writer.finish()?)
                }
            }
        }
    };
    let measured = Measured {
        cpu_seconds: cpu_seconds(),
        wall_seconds: began.elapsed().as_secs_f64(),
        peak_rss_bytes: peak_rss().unwrap_or(0),
        held_bytes,
        homes: homes.len() as u64,
        events: totals.applied + totals.duplicate + totals.refused,
        totals,
    };
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&measured)?)?;
    Ok(())
}

/// CPU seconds of this process since its start, over all threads.
pub(super) fn cpu_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

/// Reads a log batch by batch, on this thread.
fn each_batch(
    mut log: EventLog,
    lines: usize,
    mut take: impl FnMut(&mut Vec<Behavior>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut batch, mut rejected) = (Vec::new(), Vec::new());
    while log.read(lines, &mut batch, &mut rejected)? > 0 {
        if let Some(first) = rejected.first() {
            anyhow::bail!(
                "{}: {}; the plain loop knows no bad lines",
                first.source,
                first.reason
            );
        }
        take(&mut batch)?;
        batch.clear();
    }
    Ok(())
}

fn writer(
    folder: &Folder,
    log: &Path,
    homes: &HomeNames,
    catalogs: &Arc<Catalogs>,
) -> anyhow::Result<(Writer, RowSender)> {
    let names = Names::new(
        homes.clone(),
        catalogs.clone(),
        Preset::default().model_names(),
        vec![log.display().to_string()],
    );
    let files = files::Files::create(folder, Packing::None)?;
    Ok(Writer::start(files, names)?)
}
