//! What a replay needs, checked and loaded before any work.

use std::path::PathBuf;
use std::sync::Arc;

use hearth_operators::words::Shift;

use super::ReplayArgs;
use super::synthesis::{self, Chosen};
use crate::config::UsageError;
use crate::disk::Disk;
use crate::first_pass;
use crate::fleet::{Fleet, Given};
use crate::sources::{self, EventLog, Options, Position, Rejected, SourceError, Told, UtcOnly};
use crate::synthesizers::llm::{self, Prompts};

/// Everything that was checked and loaded before any work.
pub struct Input {
    pub log: EventLog,
    /// The same log, to be read again.
    pub again: Again,
    /// The names of the log's files, as messages write them.
    pub files: Vec<String>,
    pub fleet: Fleet,
    /// Declared shifts, and lines that declare none.
    pub contexts: (Vec<Shift>, Vec<Rejected>),
    /// What people say, behind the log.
    pub told: Told,
    pub synthesizer: Chosen,
    pub prompts: Arc<Prompts>,
}

/// A log that can be opened again.
pub struct Again {
    logs: Vec<PathBuf>,
    options: Options,
    /// Keeps spooled standard input until the end.
    _spooled: Option<tempfile::TempPath>,
}

impl Again {
    /// Opens the log, to be read on from a position.
    ///
    /// # Errors
    /// It cannot be opened any more, or ends before it.
    pub fn at(&self, position: Position, utc: UtcOnly) -> anyhow::Result<EventLog> {
        let mut log = EventLog::open(&self.logs, self.options.clone())?;
        log.go_to(position, utc)?;
        Ok(log)
    }

    /// The files of the log.
    pub fn files(&self) -> &[PathBuf] {
        &self.logs
    }
}

impl Input {
    /// Checks and loads what a replay needs.
    ///
    /// # Errors
    /// A file or an option cannot be used.
    pub fn open(args: &ReplayArgs, disk: &Disk) -> anyhow::Result<Self> {
        args.check()?;
        let config = &args.config;
        let (logs, spooled) = logs(args)?;
        let first_pass = match args.fresh {
            true => None,
            false => first_pass::read(disk, &args.out),
        };
        let fleet = Fleet::open(Given {
            first_pass,
            logs: &logs,
            catalog: args.catalog.as_deref(),
            homes: args.homes.as_deref(),
            timezone: config.timezone.clone(),
        })?;
        let (homes, catalogs) = (&fleet.homes, &fleet.catalogs);
        let prompts = Arc::new(llm::prompts(&config.llm, catalogs, homes)?);
        let told = [args.dry_run, args.explain];
        let synthesizer = synthesis::choose(config, catalogs, &prompts, told)?;
        let options = Options {
            catalogs: catalogs.clone(),
            homes: homes.clone(),
            zones: fleet.zones.clone(),
        };
        let log = EventLog::open(&logs, options.clone()).map_err(|error| refused(&error))?;
        let contexts = match &args.contexts {
            Some(file) => {
                let read = sources::read_contexts(file, homes, &fleet.zones);
                read.map_err(|error| refused(&error))?
            }
            None => Default::default(),
        };
        if let Some(first) = contexts.1.first().filter(|_| config.strict) {
            anyhow::bail!("{}: {} (--strict)", first.source, first.reason);
        }
        let files = (0..logs.len()).map(|file| log.file_name(file as u32).to_owned());
        let mut files: Vec<String> = files.collect();
        let mut told = Told::default();
        for file in args.feedback.iter().chain(&args.erasures) {
            let read = sources::read_told(file, files.len() as u32, &options);
            told.append(&mut read.map_err(|error| refused(&error))?);
            files.push(file.display().to_string());
        }
        if let Some((_, first)) = told.refused.first().filter(|_| config.strict) {
            anyhow::bail!("{}: {} (--strict)", first.source, first.reason);
        }
        Ok(Input {
            files,
            log,
            again: Again {
                logs,
                options,
                _spooled: spooled,
            },
            fleet,
            contexts,
            told,
            synthesizer,
            prompts,
        })
    }

    /// Whether the log can be read again, as going on after a pause takes.
    ///
    /// # Errors
    /// A part of it is no file on a disk.
    pub fn again_or_refuse(&self) -> Result<(), UsageError> {
        match self.log.bytes_total() {
            Some(_) => Ok(()),
            None => Err(UsageError(
                "a run that pauses reads its logs again, so they must be files on a disk; write the log into one first"
                    .to_owned(),
            )),
        }
    }
}

/// The logs; where the catalog is inferred in a first pass, standard input is spooled, for it can be read once.
fn logs(args: &ReplayArgs) -> anyhow::Result<(Vec<PathBuf>, Option<tempfile::TempPath>)> {
    let mut logs = args.logs.clone();
    let mut stdin = logs.iter_mut().filter(|log| log.as_os_str() == "-");
    let first = stdin.next();
    if stdin.next().is_some() {
        return Err(refused(&SourceError::StdinTwice));
    }
    let mut spooled = None;
    if let Some(stdin) = first
        && args.catalog.is_none()
    {
        let path = sources::spool(std::io::stdin().lock())
            .map_err(|e| UsageError(format!("standard input cannot be kept: {e}")))?;
        *stdin = path.to_path_buf();
        spooled = Some(path);
    }
    Ok((logs, spooled))
}

/// A source that cannot be used is refused before any work.
fn refused(error: &SourceError) -> anyhow::Error {
    UsageError(error.to_string()).into()
}
