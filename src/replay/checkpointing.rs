//! A replay that keeps what it can go on from, and one that goes on.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_operators::words::{Catalogs, Shift};

use super::input::Again;
use super::pause::Past;
use super::{Replay, ReplayArgs};
use crate::checkpoint::{CheckpointError, Checkpoints, Found, Identity, Moment};
use crate::config::{Checkpointing, Config, Packing, UsageError};
use crate::engine::Resumed;
use crate::outputs::{Names, grouped};
use crate::sinks::files::{Files, Folder};
use crate::sinks::{RowSender, Writer};
use crate::sources::{self, EventLog, Manner, Rejected};

/// The checkpoints of a run.
pub struct Keeping {
    checkpoints: Checkpoints,
    identity: Identity,
    every: Checkpointing,
    workers: usize,
}

impl Keeping {
    /// In an output folder, where the run can read its logs again.
    ///
    /// # Errors
    /// A file that the run reads cannot be read.
    pub fn new(
        args: &ReplayArgs,
        catalogs: &Catalogs,
        folder: &Folder,
        again: bool,
    ) -> anyhow::Result<Self> {
        // What came by standard input cannot be asked for again.
        let again = again && args.logs.iter().all(|log| log.is_file() || log.is_dir());
        let every = match again {
            true => args.config.checkpoint_every,
            false => Checkpointing::Off,
        };
        let place = args.config.state.as_deref();
        Ok(Keeping {
            checkpoints: Checkpoints::of(folder.disk(), folder.path(), place),
            identity: match every {
                Checkpointing::Off => Identity { traits: Vec::new() },
                Checkpointing::Every(_) => identity(args, catalogs)?,
            },
            every,
            workers: args.config.workers.get(),
        })
    }

    /// Where to go on; `None`: the run begins anew, and what an earlier one kept is gone.
    ///
    /// # Errors
    /// It is another run's, or cannot be read.
    pub fn found(&self, fresh: bool) -> anyhow::Result<Option<Found>> {
        if self.every != Checkpointing::Off && !fresh {
            let found = self
                .checkpoints
                .newest(&self.identity, self.workers)
                .map_err(|error| refused(&error))?;
            if let Some(found) = found {
                for damaged in &found.damaged {
                    eprintln!("hearth: {damaged}; the one before is used");
                }
                return Ok(Some(found));
            }
        }
        self.clear()?;
        Ok(None)
    }

    /// Removes what was kept: the run is complete, or another one begins.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self) -> anyhow::Result<()> {
        Ok(self.checkpoints.clear()?)
    }

    /// Whether a run that is stopped can be gone on with.
    pub fn any(&self) -> bool {
        self.every != Checkpointing::Off && self.checkpoints.exist()
    }
}

fn refused(error: &CheckpointError) -> anyhow::Error {
    UsageError(error.to_string()).into()
}

/// How often a run looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

impl Replay<'_> {
    /// Feeds the log to its end and waits for what is open then, and keeps on the way what the run can go on from: now and then,
    /// and when it is interrupted.
    pub(super) fn feed(&mut self, keeping: &Keeping) {
        let Some(mut wait) = keeping.every.wait(Duration::ZERO) else {
            return;
        };
        // What is kept is of a run that goes on, not of one that drops its jobs.
        let _keeps = self.stop.keep();
        let mut last = Instant::now();
        let mut reached = self.engine.reached();
        while !self.stop.is_stopped() {
            let left = wait.saturating_sub(last.elapsed()).min(LOOK);
            if !reached.ended {
                reached = self.engine.run(left);
            }
            if reached.ended {
                if self.engine.end(left.max(Duration::from_millis(1))) {
                    return;
                }
                reached = self.engine.reached();
                if !reached.closed {
                    continue;
                }
            }
            let interrupted = self.stop.is_interrupted();
            if !interrupted && last.elapsed() < wait {
                continue;
            }
            if reached.epochs > 0 {
                // Before that there is nothing to keep; declared shifts come with the first epoch.
                match self.keep(keeping) {
                    Ok(Kept::Whole(took)) => wait = keeping.every.wait(took).unwrap_or(wait),
                    // Between two epochs that were read at once; the second one is fed soon.
                    Ok(Kept::Torn) => continue,
                    // Nothing more is fed; what the worker died of is told when the run ends.
                    Ok(Kept::Over) => return,
                    Err(error) => return self.stop.fail(error.to_string()),
                }
            }
            if interrupted {
                return;
            }
            last = Instant::now();
        }
    }

    /// Takes a checkpoint. The dataflow stands still while what changed is written into memory, and goes on while that is brought
    /// to where it stays.
    fn keep(&mut self, keeping: &Keeping) -> anyhow::Result<Kept> {
        let began = Instant::now();
        let cut = Arc::new(keeping.checkpoints.begin());
        let parts = cut.clone();
        let reached = self
            .engine
            .cut(move |worker, state| parts.keep(worker, state));
        let Some(reached) = reached else {
            return Ok(Kept::Over);
        };
        // Before its end is told, the source must stand where it can be read on, by a log that has grown, too.
        let apart = reached.closed || !(reached.torn || reached.ended);
        let whole = reached.out == reached.epochs && apart && !self.stop.is_stopped();
        let asked = whole.then(|| self.start.rows.cut());
        self.engine.go_on();
        self.still.push(cut.since());
        if !reached.ended && !self.stop.is_interrupted() {
            self.engine.run(Duration::ZERO);
        }
        let Some(asked) = asked else {
            keeping.checkpoints.put_back(&cut);
            return Ok(Kept::Torn);
        };
        let Some((written, durable)) = asked.written() else {
            // Rows cannot be written; the run ends by that.
            return Ok(Kept::Over);
        };
        durable()?;
        let moment = Moment {
            identity: keeping.identity.clone(),
            // What was said of the log's end has an epoch of its own.
            epochs: reached.epochs + u64::from(reached.closed && !self.past.closed),
            closed: reached.closed,
            lines: self.past.lines + reached.lines,
            told: self.past.told + reached.told,
            bytes: reached.position.bytes,
            written,
        };
        match keeping.checkpoints.end(&cut, &moment) {
            // The next one holds everything.
            Err(error @ CheckpointError::Unusable { .. }) => {
                eprintln!("hearth: {error}; a new one is made");
            }
            ended => self.kept_bytes += ended?,
        }
        Ok(Kept::Whole(began.elapsed()))
    }
}

/// What became of a checkpoint.
enum Kept {
    /// It is there, and took so long.
    Whole(Duration),
    /// It would have been none that a run can go on from.
    Torn,
    /// The dataflow goes no further: a worker has failed, or everything is out.
    Over,
}

/// What a run begins with: nothing, or what an earlier one kept.
pub struct Begin {
    pub source: sources::Files,
    /// How the log is written.
    pub manner: Manner,
    pub past: Past,
    pub resumed: Resumed,
    pub writer: Writer,
    pub rows: RowSender,
}

impl Begin {
    /// With the log and contexts, or the log behind the lines that were fed.
    ///
    /// # Errors
    /// The outputs cannot be written, or gone on with; the log has fewer lines than before.
    pub fn new(
        found: Option<Found>,
        (log, contexts): (EventLog, (Vec<Shift>, Vec<Rejected>)),
        again: &Again,
        (folder, names, packing): (&Folder, Names, Packing),
    ) -> anyhow::Result<Self> {
        let Some(Found { moment, states, .. }) = found else {
            let (writer, rows) = Writer::start(Files::create(folder, packing)?, names)?;
            let (past, resumed) = Default::default();
            return Ok(Begin {
                manner: log.manner(),
                source: sources::Files::new(log, contexts)?,
                past,
                resumed,
                writer,
                rows,
            });
        };
        let Moment {
            epochs,
            closed,
            lines,
            told,
            bytes,
            written,
            ..
        } = moment;
        let share = log.bytes_total().map(|all| 100 * bytes / all.max(1));
        let share = share.map(|share| format!(", {share} % of the input"));
        eprintln!(
            "hearth: goes on at epoch {}{}",
            grouped(epochs),
            share.unwrap_or_default()
        );
        let log = again.behind(lines)?;
        let sink = Files::back_to(folder, packing, &written.positions)?;
        let (writer, rows) = Writer::back_to(written, sink, names)?;
        Ok(Begin {
            manner: log.manner(),
            // The declared shifts were fed with the first epoch.
            source: sources::Files::new(log, Default::default())?,
            past: Past::behind(lines, told, closed),
            resumed: Resumed {
                epochs,
                closed,
                states,
            },
            writer,
            rows,
        })
    }
}

/// What outputs follow from. Workers and threads are not in it, nor is how quickly the run goes.
fn identity(args: &ReplayArgs, catalogs: &Catalogs) -> anyhow::Result<Identity> {
    // What an older version wrote in this form is read for ever.
    let mut traits = vec![("version".to_owned(), crate::codec::VERSION.to_string())];
    for (number, log) in sources::expand(&args.logs)?.iter().enumerate() {
        // A log may have grown since.
        let first = sum(log, Some(4096))?;
        traits.push((
            format!("log {}", number + 1),
            format!("{} {first}", log.display()),
        ));
    }
    let config = &args.config;
    let files = [
        ("contexts", &args.contexts),
        ("catalog", &args.catalog),
        ("homes", &args.homes),
        ("feedback", &args.feedback),
        ("erasures", &args.erasures),
        ("knowledge", &config.knowledge),
    ];
    for (name, file) in files {
        let content = file.as_deref().map(|file| sum(file, None)).transpose()?;
        traits.push((name.to_owned(), format!("{content:?}")));
    }
    let mut vocabulary = crc32fast::Hasher::new();
    for home in catalogs.homes() {
        vocabulary.update(&bincode::serialize(&**catalogs.of(home))?);
    }
    vocabulary.update(&bincode::serialize(&**catalogs.others())?);
    traits.push((
        "devices and actions".to_owned(),
        format!("{:08x}", vocabulary.finalize()),
    ));
    traits.extend(settings(config));
    Ok(Identity { traits })
}

fn settings(config: &Config) -> impl Iterator<Item = (String, String)> {
    // By name, so that no option can be forgotten here.
    let Config {
        workers: _,
        threads: _,
        strict: _,
        checkpoint_every: _,
        state: _,
        output_packing: _,
        model_memory: _,
        knowledge: _,
        lateness,
        max_gap,
        max_span,
        max_jump,
        checker,
        timezone,
        columns,
        epoch_events,
        epoch_interval,
        top_k,
        similarity,
        representatives,
        warm_up,
        warm_up_span,
        synthesizer,
        preset,
        seed,
        alarm_budget,
        trial,
        on_drift,
        llm,
    } = config;
    let timezone = timezone.as_ref().and_then(|zone| zone.iana_name());
    // What is asked of a language model, and of which; not what is paid for it, nor how long it may take.
    let model = (&llm.llm_model, &llm.llm_url, &llm.llm_writes, &llm.llm_gguf);
    [
        ("--lateness", format!("{lateness:?}")),
        ("--max-gap", format!("{max_gap:?}")),
        ("--max-span", format!("{max_span:?}")),
        ("--max-jump", format!("{max_jump:?}")),
        ("--checker", format!("{checker:?}")),
        ("--timezone", format!("{timezone:?}")),
        ("--epoch-events", format!("{epoch_events:?}")),
        ("--epoch-interval", format!("{epoch_interval:?}")),
        ("--top-k", format!("{top_k:?}")),
        ("--similarity", format!("{similarity:?}")),
        ("--representatives", format!("{representatives:?}")),
        ("--warm-up", format!("{warm_up:?}")),
        ("--warm-up-span", format!("{warm_up_span:?}")),
        ("--synthesizer", format!("{synthesizer:?}")),
        ("--preset", format!("{preset:?}")),
        ("--seed", format!("{seed:?}")),
        ("--alarm-budget", format!("{alarm_budget:?}")),
        ("--trial", format!("{trial:?}")),
        ("--on-drift", format!("{on_drift:?}")),
        (
            "the language model",
            format!("{:08x}", crc32fast::hash(format!("{model:?}").as_bytes())),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    // What a run of an older version did not know is not told where it is as it was.
    .chain((!columns.usual()).then(|| ("--columns".to_owned(), columns.to_string())))
}

/// A sum of a file, or of its first line, at most so many bytes.
fn sum(file: &Path, first: Option<u64>) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let mut open = File::open(file)?;
    match first {
        Some(most) => {
            open.take(most).read_to_end(&mut bytes)?;
            let line = bytes.iter().position(|byte| *byte == b'\n');
            bytes.truncate(line.unwrap_or(bytes.len()));
        }
        None => {
            open.read_to_end(&mut bytes)?;
        }
    }
    Ok(format!("{:08x}", crc32fast::hash(&bytes)))
}
