//! What a replay needs, checked and loaded before any work.

use std::path::PathBuf;
use std::sync::Arc;

use super::ReplayArgs;
use super::synthesis::{self, Chosen};
use super::tending::Live;
use crate::checkpoint::{Checkpoints, Place};
use crate::cluster::Share;
use crate::config::{Keys, UsageError};
use crate::disk::Disk;
use crate::ends::Ends;
use crate::first_pass;
use crate::fleet::{Fleet, Given};
use crate::growing::Growing;
use crate::home_names::HomeNames;
use crate::inbox;
use crate::outputs::is_inbox;
use crate::sources::{
    self, Contexts, EventLog, Files, Learnt, Manner, Options, Position, SourceError, Told,
};
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
    pub contexts: Contexts,
    /// What people say, behind the log.
    pub told: Told,
    pub synthesizer: Chosen,
    pub prompts: Arc<Prompts>,
}

/// A log that can be opened again.
pub struct Again {
    logs: Vec<PathBuf>,
    options: Options,
    /// Of a log that is appended to.
    growing: Option<Growing>,
    /// Where another process says where epochs end.
    ends: Option<Ends>,
    learnt: Option<Learnt>,
    /// Of a log that several processes read: which homes are this one's.
    share: Option<Share>,
    /// By how many threads files of text are read.
    ahead: usize,
    /// Keeps spooled standard input until the end.
    _spooled: Vec<tempfile::TempPath>,
}

impl Again {
    /// Opens the log, to be read on from a position.
    ///
    /// # Errors
    /// It cannot be opened any more, or ends before it.
    pub fn at(&self, position: Position, manner: Manner) -> anyhow::Result<EventLog> {
        let mut log = self.open()?;
        log.go_to(position, manner)?;
        Ok(log)
    }

    /// Opens it.
    fn open(&self) -> Result<EventLog, SourceError> {
        let options = self.options.clone();
        let log = match (&self.growing, &self.logs[..]) {
            (Some(growing), [log]) => EventLog::grows(log, growing, options, self.learnt.clone()),
            _ => EventLog::open(&self.logs, options).map(|log| log.ahead(self.ahead)),
        }?;
        Ok(match self.share {
            Some(share) => log.shared(share),
            None => log,
        })
    }

    /// A log as a source, with contexts.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn source(&self, log: EventLog, contexts: Contexts) -> std::io::Result<Files> {
        match (&self.growing, &self.ends) {
            (Some(growing), Some(ends)) => {
                let (growing, ends) = (growing.clone(), ends.clone());
                Ok(Files::follow_to(log, growing, contexts, ends))
            }
            (Some(growing), None) => Ok(Files::follow(log, growing.clone(), contexts)),
            (None, _) => Files::new(log, contexts),
        }
    }

    /// What the vocabulary was learnt of, where it grows with the log.
    pub fn learnt(&self) -> Option<&Learnt> {
        self.learnt.as_ref()
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
    pub fn open(args: &ReplayArgs, disk: &Disk, live: Option<&Live>) -> anyhow::Result<Self> {
        // An inbox is there, or another process has it.
        let files = ReplayArgs {
            logs: live.map_or_else(|| args.logs.clone(), |_| Vec::new()),
            ..args.clone()
        };
        files.check()?;
        let config = &args.config;
        let (logs, spooled) = match live {
            None => logs(args)?,
            Some(_) => (args.logs.clone(), Vec::new()),
        };
        if live.is_none() {
            begins_within(&logs);
        }
        let first_pass = match args.fresh {
            true => None,
            false => live
                .and_then(Live::first_pass)
                .or_else(|| first_pass::read(disk, &args.out)),
        };
        let growing = live.map(|live| live.growing.clone());
        // Whatever columns were called from where it came, an inbox has the usual names.
        let keys = match live {
            Some(_) => Keys::default(),
            None => config.columns.clone(),
        };
        let fleet = Fleet::open(Given {
            first_pass,
            growing: growing.as_ref(),
            known: match live {
                // Others must know the same homes at each line: those of the cut that all go on from.
                Some(live) if live.is_alone() => known(args, disk)?,
                _ => HomeNames::default(),
            },
            logs: &logs,
            catalog: args.catalog.as_deref(),
            homes: args.homes.as_deref(),
            keys: &keys,
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
            keys,
        };
        let again = Again {
            logs,
            options: options.clone(),
            learnt: growing.as_ref().and(fleet.learnt.clone()),
            growing,
            ends: live.and_then(Live::ends),
            share: None,
            ahead: config.workers.get(),
            _spooled: spooled,
        };
        let log = again.open().map_err(|error| refused(&error))?;
        let contexts = match &args.contexts {
            Some(file) => {
                let read = sources::read_contexts(file, homes, &fleet.zones);
                read.map_err(|error| refused(&error))?
            }
            None => Default::default(),
        };
        if let Some(first) = contexts.rejected.first().filter(|_| config.strict) {
            anyhow::bail!("{}: {} (--strict)", first.source, first.reason);
        }
        let files = (0..again.logs.len()).map(|file| log.file_name(file as u32).to_owned());
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
            again,
            fleet,
            contexts,
            told,
            synthesizer,
            prompts,
        })
    }

    /// The same, read for the homes of one process among several.
    #[must_use]
    pub fn shared(self, share: Share) -> Self {
        let again = Again {
            share: Some(share),
            ..self.again
        };
        let log = self.log.shared(share);
        Input { log, again, ..self }
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

/// Says of a log that is a later part of an inbox that it is.
fn begins_within(logs: &[PathBuf]) {
    let first = logs.first().filter(|log| is_inbox(log) && log.is_file());
    // One that cannot be read is refused soon enough.
    let before = first.and_then(|log| Some((log, inbox::comes_before(log).ok()?.lines)));
    if let Some((log, lines)) = before.filter(|(_, lines)| *lines > 0) {
        let log = log.display();
        tracing::warn!(
            "{log} begins behind line {lines} of its inbox: what came before is not part of this replay (as far as it is kept, it is in \
             inbox-*.jsonl beside it, to be given before it)"
        );
    }
}

/// Homes that have their ids of an earlier run, whatever has come since.
fn known(args: &ReplayArgs, disk: &Disk) -> anyhow::Result<HomeNames> {
    let homes = HomeNames::default();
    let place = Place::of_run(&args.out, args.config.state.as_deref());
    let checkpoints = Checkpoints::at_place(disk, &place)?;
    for name in checkpoints.homes() {
        homes.intern(&name);
    }
    Ok(homes)
}

/// The logs; where the catalog is inferred in a first pass, what can be read once (standard input, a pipe) is spooled.
fn logs(args: &ReplayArgs) -> anyhow::Result<(Vec<PathBuf>, Vec<tempfile::TempPath>)> {
    let mut logs = sources::expand(&args.logs).map_err(|error| refused(&error))?;
    if logs.iter().filter(|log| log.as_os_str() == "-").count() > 1 {
        return Err(refused(&SourceError::StdinTwice));
    }
    let mut spooled = Vec::new();
    let once = |log: &&mut PathBuf| log.as_os_str() == "-" || !log.is_file();
    for log in logs
        .iter_mut()
        .filter(once)
        .filter(|_| args.catalog.is_none())
    {
        let kept = match log.as_os_str() == "-" {
            true => sources::spool(std::io::stdin().lock()),
            false => std::fs::File::open(&*log).and_then(sources::spool),
        };
        let path = kept.map_err(|error| {
            UsageError(format!(
                "{} cannot be kept to be read twice: {error}",
                log.display()
            ))
        })?;
        *log = path.to_path_buf();
        spooled.push(path);
    }
    Ok((logs, spooled))
}

/// A source that cannot be used is refused before any work.
fn refused(error: &SourceError) -> anyhow::Error {
    UsageError(error.to_string()).into()
}
