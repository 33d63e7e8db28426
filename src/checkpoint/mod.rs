//! Checkpoints: what a run that is killed goes on from.
//!
//! A cut is of an epoch: what every operator holds once it has taken in all before it, where the source stands behind these
//! lines, and how far the outputs are written. It is a folder of [parts](part), written under another name and renamed when all
//! of it is on the disk; so what bears its name is whole. The last few stay, should the newest be damaged.

mod part;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hearth_operators::dataflow::State;
use hearth_operators::words::Epoch;
use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::sinks::Written;

/// Whole cuts that stay.
const KEPT: usize = 3;

/// What a run is of. A cut serves no run that is of something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What is told apart, each with a name that a person understands.
    pub traits: Vec<(String, String)>,
}

impl Identity {
    /// The names of what differs.
    pub fn differences(&self, other: &Identity) -> Vec<String> {
        let missing = |of: &Identity, name: &String| !of.traits.iter().any(|(n, _)| n == name);
        let changed = self
            .traits
            .iter()
            .filter(|known| !other.traits.contains(known));
        let added = other.traits.iter().filter(|(name, _)| missing(self, name));
        changed.chain(added).map(|(name, _)| name.clone()).collect()
    }
}

/// Where a run was when a cut was taken.
#[derive(Debug, Serialize, Deserialize)]
pub struct Moment {
    /// Of which run it is.
    pub identity: Identity,
    /// Epochs that were fed.
    pub epochs: Epoch,
    /// Whether the dataflow was told that the log has ended; then nothing is read any more.
    pub closed: bool,
    /// Lines of the source that were fed.
    pub lines: u64,
    /// Of these, what people say.
    pub told: u64,
    /// Bytes of the source that these took.
    pub bytes: u64,
    /// Parts of the dataflow's state.
    pub workers: usize,
    /// How far outputs are written.
    pub written: Written,
}

/// Why checkpoints cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file of them.
    #[error("checkpoint {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is of another run.
    #[error(
        "{path} holds checkpoints of another run: {} differ; run as before to go on with it, or --fresh to begin anew",
        .differences.join(", ")
    )]
    Another {
        /// Where.
        path: PathBuf,
        /// In what.
        differences: Vec<String>,
    },
}

/// The checkpoints of an output folder.
#[derive(Debug)]
pub struct Checkpoints {
    disk: Disk,
    folder: PathBuf,
}

/// What was found.
pub struct Found {
    /// Where the run was.
    pub moment: Moment,
    /// What its operators held, by worker.
    pub states: Vec<State>,
    /// What is wrong with newer cuts, which were passed over.
    pub damaged: Vec<CheckpointError>,
}

impl Checkpoints {
    /// Those of an output folder.
    pub fn of(disk: &Disk, out: &Path) -> Self {
        Checkpoints {
            disk: disk.clone(),
            folder: out.join("state"),
        }
    }

    /// Whether there are any, whole or not.
    pub fn exist(&self) -> bool {
        self.disk.kind(&self.folder).is_some()
    }

    /// Removes all.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self) -> io::Result<()> {
        self.disk.remove_folder(&self.folder)
    }

    /// The newest cut that is sound.
    ///
    /// # Errors
    /// It is of another run, or none can be read.
    pub fn newest(&self, identity: &Identity) -> Result<Option<Found>, CheckpointError> {
        let mut damaged = Vec::new();
        for path in self.whole()?.into_iter().rev() {
            match read(&self.disk, &path) {
                Ok((moment, states)) => {
                    let differences = moment.identity.differences(identity);
                    if !differences.is_empty() {
                        let path = self.folder.clone();
                        return Err(CheckpointError::Another { path, differences });
                    }
                    return Ok(Some(Found {
                        moment,
                        states,
                        damaged,
                    }));
                }
                Err(error) => damaged.push(error),
            }
        }
        // Nothing to go on from, though there was something: a person should know before it is written over.
        damaged.into_iter().next().map_or(Ok(None), Err)
    }

    /// Begins a cut: its parts are written first, each by whoever has it.
    ///
    /// # Errors
    /// Its folder cannot be made.
    pub fn begin(&self) -> Result<Cut, CheckpointError> {
        let partial = self.folder.join("partial");
        let emptied = self.disk.remove_folder(&partial);
        emptied
            .and_then(|()| self.disk.create_folder(&partial))
            .map_err(at(&partial))?;
        Ok(Cut {
            disk: self.disk.clone(),
            partial,
            failed: Mutex::new(None),
        })
    }

    /// Ends a cut: from now on it is one. Older ones go.
    ///
    /// # Errors
    /// A part of it, or this, cannot be written.
    pub fn end(&self, cut: &Cut, moment: &Moment) -> Result<(), CheckpointError> {
        let failed = cut.failed.lock();
        if let Some(error) = failed.unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error);
        }
        let path = cut.partial.join(MOMENT);
        let disk = &self.disk;
        part::write(disk, &path, moment).map_err(at(&path))?;
        let workers = (0..moment.workers).map(|worker| worker_path(&cut.partial, worker));
        for part in workers.chain([path]) {
            part::sync(disk, &part).map_err(at(&part))?;
        }
        disk.sync_folder(&cut.partial).map_err(at(&cut.partial))?;
        let before = self.whole()?.last().and_then(|path| number(path));
        let number = before.map_or(0, |before| before + 1);
        let path = self.folder.join(format!("{CUT}{number:012}"));
        disk.rename(&cut.partial, &path).map_err(at(&path))?;
        disk.sync_folder(&self.folder).map_err(at(&self.folder))?;
        let whole = self.whole()?;
        let old = whole.len().saturating_sub(KEPT);
        whole[..old]
            .iter()
            .try_for_each(|path| disk.remove_folder(path).map_err(at(path)))
    }

    /// The whole cuts, oldest first.
    fn whole(&self) -> Result<Vec<PathBuf>, CheckpointError> {
        let mut whole = match self.disk.list(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(at(&self.folder))?,
        };
        whole.retain(|path| number(path).is_some());
        whole.sort();
        Ok(whole)
    }
}

/// What the names of whole cuts begin with; a number follows.
const CUT: &str = "cut-";

/// The part that is written last.
const MOMENT: &str = "moment";

/// Which cut it is, if it is a whole one.
fn number(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix(CUT)?.parse().ok()
}

/// A cut that is being taken.
#[derive(Debug)]
pub struct Cut {
    disk: Disk,
    partial: PathBuf,
    failed: Mutex<Option<CheckpointError>>,
}

impl Cut {
    /// Writes what a worker's operators hold. What goes wrong is said when the cut ends.
    pub fn keep(&self, worker: usize, state: &State) {
        let path = worker_path(&self.partial, worker);
        if let Err(error) = part::write(&self.disk, &path, state).map_err(at(&path)) {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
        }
    }
}

fn read(disk: &Disk, cut: &Path) -> Result<(Moment, Vec<State>), CheckpointError> {
    let path = cut.join(MOMENT);
    let moment: Moment = part::read(disk, &path).map_err(at(&path))?;
    let state = |worker| {
        let path = worker_path(cut, worker);
        part::read(disk, &path).map_err(at(&path))
    };
    let states: Result<_, _> = (0..moment.workers).map(state).collect();
    Ok((moment, states?))
}

fn worker_path(cut: &Path, worker: usize) -> PathBuf {
    cut.join(format!("worker-{worker}"))
}

fn at(path: &Path) -> impl Fn(io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::File {
        path: path.clone(),
        source,
    }
}
