//! The output folder: one thread owns its files, rows reach it from all workers over a bounded channel.
//!
//! A worker hands over plain data and goes on; looking up names, formatting and writing happen on the writer's thread.
//! The order of the lines within a file depends on the workers' timing, their set does not. If the disk fails, the
//! writer keeps taking rows (so that no worker hangs) and [`Writer::finish`] says what happened.

mod counts;
mod format;
pub mod lines;
mod models;
mod summary;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};
use hearth_operators::words::{
    ActionId, Adjustment, Behavior, Catalogs, CohortId, Epoch, HomeId, Outcome, Representative,
    Request, RequestKey, Score, Segment, Shift, Verdict, Weights, Word,
};

use crate::homes::Homes;

pub use counts::Counts;
pub use summary::{
    Adaptations, Events, Jobs, Run, Scores, Summary, Timings, Verdicts, grouped, peak_rss, rss,
};

use format::Format;
use models::Models;

/// Why the output folder cannot be used or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The folder holds files that are not Hearth's.
    #[error(
        "{0} is not empty and holds no earlier output of Hearth; name another folder with --out"
    )]
    Occupied(PathBuf),
    /// The folder or a file in it cannot be created.
    #[error("cannot create {path}: {source}; name a writable folder with --out")]
    Create {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written to the end.
    #[error("writing {path} failed: {source}; the outputs in this folder are incomplete")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The writer's thread panicked.
    #[error("the writer stopped unexpectedly; the outputs are incomplete")]
    Stopped,
}

/// Something for an output file, or for the accounting.
#[derive(Clone, Debug)]
pub enum Row {
    /// A change of the collection of segments.
    Segment {
        /// When it became true.
        epoch: Epoch,
        /// +1 or -1.
        diff: i64,
        /// What.
        segment: Arc<Segment>,
    },
    /// A change of a transition's count.
    Transition {
        /// When it became true.
        epoch: Epoch,
        /// Change of the count.
        diff: i64,
        /// Whose.
        home: HomeId,
        /// The earlier action.
        from: ActionId,
        /// The later action.
        to: ActionId,
    },
    /// A change of the collection of representatives.
    Representative {
        /// When it became true.
        epoch: Epoch,
        /// +1 or -1.
        diff: i64,
        /// What.
        representative: Representative,
    },
    /// A synthesis request.
    Request {
        /// When it was made.
        epoch: Epoch,
        /// What.
        request: Arc<Request>,
    },
    /// The filter's word on a candidate.
    Verdict {
        /// When its request was made.
        epoch: Epoch,
        /// What.
        verdict: Verdict,
    },
    /// A request that got no answer: a line of `verdicts` with an empty sequence, deleted at stage 0.
    Failure {
        /// When the request was made.
        epoch: Epoch,
        /// Which request.
        key: RequestKey,
        /// Why.
        reason: String,
    },
    /// A generated sequence that failed validation: a line of `verdicts`, deleted at stage 0.
    Invalid {
        /// When its request was made.
        epoch: Epoch,
        /// Which request.
        key: RequestKey,
        /// Position in the reply.
        position: u32,
        /// The sequence as written: weekday, hours, device and action of each behaviour.
        sequence: Vec<[Word; 4]>,
        /// Why.
        reason: String,
    },
    /// What became of a model version.
    Adjustment {
        /// When.
        epoch: Epoch,
        /// What.
        adjustment: Adjustment,
    },
    /// What the live models say of a behaviour.
    Score {
        /// When.
        epoch: Epoch,
        /// What.
        score: Score,
    },
    /// Weights that went live: a file `models/OWNER/MODEL-VERSION.safetensors`, the cohort's under `cohort`.
    Model {
        /// Whose.
        of: ModelOf,
        /// `encoder`, `detector` or `predictor`.
        model: &'static str,
        /// Version number.
        version: u32,
        /// The parameters.
        weights: Weights,
    },
    /// A behaviour from before its home's horizon.
    Late {
        /// What.
        behavior: Behavior,
        /// Why it is too late.
        reason: String,
    },
    /// A line of the input that is no event.
    Rejected {
        /// The line, as far as it can be shown.
        line: String,
        /// `file:line`.
        source: String,
        /// Why.
        reason: String,
    },
    /// A behaviour that cannot be true (a clock far ahead).
    Implausible {
        /// What.
        behavior: Behavior,
        /// Why.
        reason: String,
    },
    /// A declared shift that came too late: a later one of that home was answered already. No event.
    Refused {
        /// What.
        shift: Shift,
    },
    /// A line of the contexts that declares no shift. No event.
    RejectedContext {
        /// The line, as far as it can be shown.
        line: String,
        /// `file:line`.
        source: String,
        /// Why.
        reason: String,
    },
    /// Events that left no line of their own, for the accounting.
    Tally {
        /// Events that took part.
        applied: u64,
        /// Events that were there already.
        duplicate: u64,
    },
}

/// Whose a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelOf {
    /// All homes of a cohort.
    Cohort(CohortId),
    /// One home.
    Home(HomeId),
}

/// The names that stand behind the ids in rows, and the words of a request.
#[derive(Clone)]
pub struct Names {
    /// Homes.
    pub homes: Homes,
    /// Devices and actions of each home.
    pub catalogs: Arc<Catalogs>,
    /// Cohorts, by id but for the first one.
    pub cohorts: Vec<String>,
    /// What detectors are.
    pub detector: &'static str,
    /// Input files, by [`hearth_operators::words::Line::file`].
    pub files: Vec<String>,
    /// System and user message of a request.
    pub prompt: Arc<dyn Fn(&Request) -> (String, String) + Send + Sync>,
}

/// An output file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// [`lines::SegmentLine`].
    Segments,
    /// [`lines::TransitionLine`].
    Transitions,
    /// [`lines::RepresentativeLine`].
    Representatives,
    /// [`lines::RequestLine`].
    Requests,
    /// [`lines::VerdictLine`].
    Verdicts,
    /// [`lines::AdaptationLine`].
    Adaptations,
    /// [`lines::ScoreLine`].
    Scores,
    /// [`lines::RefusedLine`].
    Late,
    /// [`lines::RefusedLine`].
    Rejected,
}

impl Stream {
    /// All of them, in the order of the dataflow.
    pub const ALL: [Stream; 9] = [
        Stream::Segments,
        Stream::Transitions,
        Stream::Representatives,
        Stream::Requests,
        Stream::Verdicts,
        Stream::Adaptations,
        Stream::Scores,
        Stream::Late,
        Stream::Rejected,
    ];

    /// Its name, as in `segments.jsonl`.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Segments => "segments",
            Stream::Transitions => "transitions",
            Stream::Representatives => "representatives",
            Stream::Requests => "requests",
            Stream::Verdicts => "verdicts",
            Stream::Adaptations => "adaptations",
            Stream::Scores => "scores",
            Stream::Late => "late",
            Stream::Rejected => "rejected",
        }
    }

    /// Its file in an output folder.
    pub fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.name()).with_extension("jsonl")
    }
}

/// Batches that may wait for the writer before a worker does.
const BATCHES: usize = 64;

/// The thread that writes an output folder.
#[derive(Debug)]
pub struct Writer {
    thread: JoinHandle<Result<Counts, SinkError>>,
    live: Arc<Mutex<Counts>>,
}

impl Writer {
    /// Starts a new output in `dir`, creating it where needed. The files of an earlier output there are
    /// overwritten, its `summary.json` is removed until this run has one.
    ///
    /// # Errors
    /// The folder holds other files but none of Hearth's, or something in it cannot be created. Nothing was changed
    /// in the first case.
    pub fn open(dir: &Path, names: Names) -> Result<(Writer, Sender<Vec<Row>>), SinkError> {
        prepare(dir)?;
        let mut files = Vec::with_capacity(Stream::ALL.len());
        for stream in Stream::ALL {
            let path = stream.path(dir);
            match File::create(&path) {
                Ok(file) => files.push((path, BufWriter::with_capacity(1 << 18, file))),
                Err(source) => return Err(SinkError::Create { path, source }),
            }
        }
        let (sender, receiver) = crossbeam_channel::bounded(BATCHES);
        let live = Arc::new(Mutex::new(Counts::default()));
        let desk = Desk {
            files,
            models: Models::of(dir),
            names: names.homes.clone(),
            format: Format::new(names),
            counts: Counts::default(),
            homes: HashSet::new(),
            adapted: HashSet::new(),
            line: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn({
                let live = live.clone();
                move || desk.work(&receiver, &live)
            })
            .map_err(|source| SinkError::Create {
                path: dir.to_owned(),
                source,
            })?;
        Ok((Writer { thread, live }, sender))
    }

    /// What has been written up to now, or is about to be.
    pub fn counts(&self) -> Counts {
        let live = self.live.lock();
        live.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until every sender is dropped and every row is in its file.
    ///
    /// # Errors
    /// A file could not be written (the first failure, wherever it occurred).
    pub fn finish(self) -> Result<Counts, SinkError> {
        self.thread.join().unwrap_or(Err(SinkError::Stopped))
    }
}

/// Creates the folder or makes sure that it may be overwritten.
fn prepare(dir: &Path) -> Result<(), SinkError> {
    let failed = |source| SinkError::Create {
        path: dir.to_owned(),
        source,
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let summary = Summary::path(dir);
    let models = Models::of(dir);
    let ours = summary.exists()
        || models.exist()
        || Stream::ALL.iter().any(|stream| stream.path(dir).exists());
    let empty = std::fs::read_dir(dir).map_err(failed)?.next().is_none();
    if !empty && !ours {
        return Err(SinkError::Occupied(dir.to_owned()));
    }
    models.clear().map_err(failed)?;
    match std::fs::remove_file(&summary) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(SinkError::Create {
            path: summary,
            source,
        }),
        _ => Ok(()),
    }
}

/// What the writer's thread works with.
struct Desk {
    /// By [`Stream`].
    files: Vec<(PathBuf, BufWriter<File>)>,
    models: Models,
    names: Homes,
    format: Format,
    counts: Counts,
    homes: HashSet<HomeId>,
    adapted: HashSet<HomeId>,
    /// The line being formatted.
    line: Vec<u8>,
}

impl Desk {
    fn work(
        mut self,
        receiver: &Receiver<Vec<Row>>,
        live: &Mutex<Counts>,
    ) -> Result<Counts, SinkError> {
        let mut failure = None;
        for rows in receiver {
            if failure.is_some() {
                // Rows are still taken: a full channel would block the workers for ever.
                continue;
            }
            failure = rows.iter().find_map(|row| self.take(row).err());
            live.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone_from(&self.counts);
        }
        for (path, file) in &mut self.files {
            if let (None, Err(source)) = (&failure, file.flush()) {
                let path = path.clone();
                failure = Some(SinkError::Write { path, source });
            }
        }
        match failure {
            Some(failure) => Err(failure),
            None => Ok(self.counts),
        }
    }

    fn take(&mut self, row: &Row) -> Result<(), SinkError> {
        self.count(row);
        if let Row::Model {
            of,
            model,
            version,
            weights,
        } = row
        {
            let folder = match of {
                ModelOf::Home(home) => self.models.of_home(&self.names.name(*home)),
                ModelOf::Cohort(cohort) => self.models.of_cohort(self.format.cohort(*cohort)),
            };
            return Models::write(&folder, model, *version, weights);
        }
        self.line.clear();
        let Some((stream, written)) = self.format.row(row, &mut self.line) else {
            return Ok(());
        };
        self.line.push(b'\n');
        let (path, file) = &mut self.files[stream as usize];
        written
            .map_err(io::Error::from)
            .and_then(|()| file.write_all(&self.line))
            .map_err(|source| SinkError::Write {
                path: path.clone(),
                source,
            })?;
        *self.counts.lines.entry(stream.name()).or_default() += 1;
        Ok(())
    }

    fn count(&mut self, row: &Row) {
        let counts = &mut self.counts;
        match row {
            Row::Segment { diff, segment, .. } => {
                counts.segments += diff;
                self.homes.insert(segment.home);
                counts.homes = self.homes.len() as u64;
            }
            Row::Transition { diff, .. } => counts.transitions += diff,
            Row::Representative { diff, .. } => counts.representatives += diff,
            Row::Request { .. } => counts.requests += 1,
            Row::Verdict { verdict, .. } => {
                counts.candidates += 1;
                let judged = match verdict.retain {
                    true => &mut counts.retained,
                    false => &mut counts.deleted,
                };
                *judged.entry(verdict.stage).or_default() += 1;
            }
            Row::Model { .. } => {}
            Row::Failure { .. } => counts.failures += 1,
            Row::Invalid { .. } => *counts.deleted.entry(0).or_default() += 1,
            Row::Adjustment { adjustment, .. } => {
                match adjustment.outcome {
                    Outcome::Promoted => {
                        counts.promoted += 1;
                        self.adapted.insert(adjustment.key.home);
                    }
                    Outcome::Kept => counts.kept += 1,
                    Outcome::RolledBack => counts.rolled_back += 1,
                }
                counts.adapted_homes = self.adapted.len() as u64;
            }
            Row::Score { score, .. } => {
                counts.scores += 1;
                counts.anomalies += u64::from(score.anomaly());
            }
            Row::Refused { .. } | Row::RejectedContext { .. } => counts.rejected_contexts += 1,
            Row::Late { .. } => counts.late += 1,
            Row::Rejected { .. } | Row::Implausible { .. } => counts.rejected += 1,
            Row::Tally { applied, duplicate } => {
                counts.applied += applied;
                counts.duplicate += duplicate;
            }
        }
    }
}

#[cfg(test)]
mod tests;
