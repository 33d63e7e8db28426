//! `hearth replay`: logs through the dataflow into an output folder.
//!
//! A reader thread decodes lines; the first worker feeds them, an epoch a batch; the workers run the dataflow; the
//! pool answers what they ask; the writer's thread writes. Everything is joined before the summary is made.

mod driver;
mod progress;
mod synthesis;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::bounded;
use hearth_operators::compress::Alpha;
use hearth_operators::split::{self, Rules};
use hearth_operators::warm_up::Enough;
use hearth_operators::words::{Catalogs, Shift};

use crate::cli::ReplayArgs;
use crate::config::{Checker, Config, UsageError};
use crate::dataflow;
use crate::fleet::{Fleet, Given};
use crate::notes::Notes;
use crate::pool::{Pool, Stop};
use crate::services::{Services, Workload};
use crate::sinks::{Jobs, Names, Row, Run, Stream, Summary, Timings, Writer};
use crate::sources::{self, EventLog, Options, Rejected, SourceError};
use crate::synthesizers::llm::{self, Prompts};
use crate::trainer;
use driver::{Batch, Driver};
use progress::{Position, Progress};
use synthesis::{Begun, Chosen};

/// Batches that may be decoded ahead of the first worker.
const DECODED: usize = 4;

/// Questions of each kind that a worker has out at a time, for each thread of the pool.
const QUESTIONS: usize = 4;

/// Everything that was checked and loaded before any work.
struct Input {
    log: EventLog,
    fleet: Fleet,
    shifts: Vec<Shift>,
    rejected_contexts: Vec<Rejected>,
    synthesizer: Chosen,
    prompts: Arc<Prompts>,
    /// Keeps spooled standard input until the end.
    _spooled: Option<tempfile::TempPath>,
}

/// Runs logs through the dataflow and prints a summary.
///
/// # Errors
/// A file, an option or the output folder cannot be used ([`UsageError`], before any work); the input breaks off; a
/// line is rejected under `--strict`; a model or the disk fails; the accounting does not agree.
pub fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let config = &args.config;
    let Input {
        mut log,
        fleet:
            Fleet {
                homes,
                catalogs,
                cohorts,
                ..
            },
        shifts,
        rejected_contexts,
        synthesizer,
        prompts,
        _spooled,
    } = open(args)?;
    let files = (0..args.logs.len()).map(|f| log.file_name(f as u32).to_owned());
    let names = Names {
        homes: homes.clone(),
        catalogs: catalogs.clone(),
        cohorts,
        detector: config.preset.detector_name(),
        files: files.collect(),
        prompt: Arc::new(move |request| prompts.shown(request)),
    };
    if let Some(first) = rejected_contexts.first().filter(|_| config.strict) {
        anyhow::bail!("{}: {} (--strict)", first.source, first.reason);
    }
    let (writer, rows) = Writer::open(&args.out, names)?;
    let stop = Stop::default();
    let interrupted = on_interrupt(&stop)?;

    let began = Instant::now();
    let workload = Workload::default();
    let pool = Pool::new(config.threads.get(), stop.clone())?;
    let settings = trainer::Settings {
        preset: config.preset,
        seed: config.seed,
    };
    let quoted = synthesizer.quoted();
    let notes = Notes::new(homes.clone());
    let known = (&homes, &catalogs);
    let Begun { answers, llm } =
        synthesizer.begin(config, known, &args.out, &pool, &workload, &stop)?;
    let services = Services::new(&pool, &workload, &catalogs, &notes, settings, answers);
    let position = Arc::new(Position::default());
    let progress = Progress::start(
        position.clone(),
        log.bytes_total(),
        workload.clone(),
        homes.clone(),
    );

    let (batches, decoded) = bounded::<Batch>(DECODED);
    let reader = {
        let (stop, notes) = (stop.clone(), notes.clone());
        let (epoch_events, strict) = (config.epoch_events.get(), config.strict);
        std::thread::Builder::new()
            .name("reader".into())
            .spawn(move || {
                let read = read(&mut log, epoch_events, strict, &stop, |batch| {
                    batches.send(batch).is_ok()
                });
                if log.is_utc() {
                    notes.utc();
                }
                read
            })?
    };
    let _ = rows.send(rejected_contexts.into_iter().map(context_row).collect());

    let during_adaptation = Arc::new(AtomicU64::new(0));
    let ingested_at = Arc::new(AtomicU64::new(0));
    let driver = Driver {
        settings: dataflow_settings(config, &catalogs),
        services: Arc::new(services),
        rows: rows.clone(),
        decoded,
        shifts: Arc::new(shifts),
        stop: stop.clone(),
        position: position.clone(),
        workload: workload.clone(),
        during_adaptation: during_adaptation.clone(),
        began,
        ingested_at: ingested_at.clone(),
    };
    drop(rows);
    let workers = timely::Config::process(config.workers.get());
    let guards = timely::execute(workers, move |worker| driver.drive(worker))
        .map_err(|e| anyhow::anyhow!("the workers cannot start: {e}"))?;
    for outcome in guards.join() {
        if let Err(panic) = outcome {
            stop.fail(format!("a worker panicked: {panic}"));
        }
    }
    let read = if stop.is_stopped() && !reader.is_finished() {
        // It may wait for input that never comes; whatever it still reads is not counted.
        Ok(())
    } else {
        let panicked = |_| Err(anyhow::anyhow!("the reader panicked"));
        reader.join().unwrap_or_else(panicked)
    };
    drop(pool);
    let counts = writer.finish();
    progress.finish();
    let counts = counts?;

    let work = workload.all().map(|(name, work)| {
        let cpu = work.cpu_micros.load(Ordering::Relaxed) as f64 / 1e6;
        (
            name,
            Jobs {
                jobs: work.done.load(Ordering::Relaxed),
                cpu_seconds: cpu,
            },
        )
    });
    let run = Run {
        read: position.lines(),
        elapsed: began.elapsed(),
        seed: config.seed,
        workers: config.workers.get(),
        interrupted: interrupted.is_stopped(),
        timings: Timings {
            ingest_seconds: ingested_at.load(Ordering::Relaxed) as f64 / 1e6,
            events_during_adaptation: during_adaptation.load(Ordering::Relaxed),
            work: work.into_iter().collect(),
        },
    };
    let mut summary = Summary::new(&counts, &run, llm.map(|llm| llm.summary()));
    summary.notes = notes.all();
    summary.write(&args.out)?;
    println!("{summary}");
    if let Some(failure) = stop.failure() {
        anyhow::bail!(
            "{failure}; what was done until then is in {}",
            args.out.display()
        );
    }
    read?;
    if !summary.balanced() {
        anyhow::bail!("the accounting does not agree: events were lost; this is a bug in Hearth");
    }
    if run.interrupted {
        anyhow::bail!(
            "interrupted; what was done until then is in {}",
            args.out.display()
        );
    }
    if let Some(reason) = summary.llm.as_ref().and_then(|llm| llm.refused.as_ref()) {
        anyhow::bail!(
            "no language model: {reason}; the requests without an answer are in verdicts.jsonl"
        );
    }
    if let Some(quoted) = quoted {
        quoted.tell(config, &args.out)?;
    }
    // What a line alone does not show: a clock that no other event confirms, a shift that comes too late.
    let refused = counts.rejected + counts.rejected_contexts;
    if config.strict && refused > 0 {
        let told = Stream::Rejected.path(&args.out);
        anyhow::bail!(
            "rejected lines: {refused} (--strict); {} tells which and why",
            told.display()
        );
    }
    Ok(())
}

/// Checks and loads what a replay needs.
fn open(args: &ReplayArgs) -> anyhow::Result<Input> {
    let config = &args.config;
    let mut logs: Vec<PathBuf> = args.logs.clone();
    let mut spooled = None;
    if logs.iter().filter(|log| log.as_os_str() == "-").count() > 1 {
        return Err(refused(&SourceError::StdinTwice));
    }
    // Also where some homes of the homes file have none.
    if args.catalog.is_none()
        && let Some(stdin) = logs.iter_mut().find(|log| log.as_os_str() == "-")
    {
        // The catalog is inferred in a first pass, and standard input can be read once.
        let path = sources::spool(std::io::stdin().lock())
            .map_err(|e| UsageError(format!("standard input cannot be kept: {e}")))?;
        *stdin = path.to_path_buf();
        spooled = Some(path);
    }
    let fleet = Fleet::open(&Given {
        logs: &logs,
        catalog: args.catalog.as_deref(),
        homes: args.homes.as_deref(),
        timezone: config.timezone.clone(),
    })?;
    let (homes, catalogs) = (&fleet.homes, &fleet.catalogs);
    let prompts = Arc::new(llm::prompts(&config.llm, catalogs, homes)?);
    let synthesizer = synthesis::choose(config, catalogs, &prompts, [args.dry_run, args.explain])?;
    let options = Options {
        catalogs: catalogs.clone(),
        homes: homes.clone(),
        zones: fleet.zones.clone(),
    };
    let log = EventLog::open(&logs, options).map_err(|error| refused(&error))?;
    let (shifts, rejected_contexts) = match &args.contexts {
        Some(file) => {
            let read = sources::read_contexts(file, homes, &fleet.zones);
            read.map_err(|error| refused(&error))?
        }
        None => Default::default(),
    };
    Ok(Input {
        log,
        fleet,
        shifts,
        rejected_contexts,
        synthesizer,
        prompts,
        _spooled: spooled,
    })
}

/// A source that cannot be used is refused before any work.
fn refused(error: &SourceError) -> anyhow::Error {
    UsageError(error.to_string()).into()
}

/// Lets Ctrl-C end the run: once cleanly, twice at once. What is returned tells whether it did.
fn on_interrupt(stop: &Stop) -> anyhow::Result<Stop> {
    let interrupted = Stop::default();
    let (stop, told) = (stop.clone(), interrupted.clone());
    ctrlc::set_handler(move || {
        if told.is_stopped() {
            std::process::exit(1);
        }
        told.stop();
        stop.stop();
    })?;
    Ok(interrupted)
}

/// Decodes batches of lines until the log ends, `give` has no taker, or the run is stopped.
fn read(
    log: &mut EventLog,
    epoch_events: usize,
    strict: bool,
    stop: &Stop,
    mut give: impl FnMut(Batch) -> bool,
) -> anyhow::Result<()> {
    let mut broken = None;
    while !stop.is_stopped() {
        let (mut behaviors, mut rejected) = (Vec::with_capacity(epoch_events), Vec::new());
        match log.read(epoch_events, &mut behaviors, &mut rejected) {
            Ok(0) => break,
            Ok(count) => {
                let first = rejected
                    .first()
                    .filter(|_| strict)
                    .map(|r| (r.source.clone(), r.reason.clone()));
                let taken = give(Batch {
                    lines: count as u64,
                    bytes: log.bytes_read(),
                    behaviors,
                    rejected,
                });
                if let Some((source, reason)) = first {
                    stop.fail(format!("{source}: {reason} (--strict)"));
                }
                if !taken {
                    break;
                }
            }
            // The rest of that file is lost, and said to be; further files are read.
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    broken.map_or(Ok(()), |error| Err(error.into()))
}

fn context_row(rejected: Rejected) -> Row {
    let Rejected {
        line,
        source,
        reason,
    } = rejected;
    Row::RejectedContext {
        line,
        source,
        reason,
    }
}

/// What the dataflow is built with where this is configured.
pub(crate) fn dataflow_settings(config: &Config, catalogs: &Arc<Catalogs>) -> dataflow::Settings {
    let rules = Rules {
        max_gap: config.max_gap.micros(),
        max_span: config.max_span.micros(),
        lateness: config.lateness.micros(),
        max_jump: config.max_jump.micros(),
        checker: match config.checker {
            Checker::Paired => split::Checker::Paired,
            Checker::Closing => split::Checker::Closing,
            Checker::Off => split::Checker::Off,
        },
        catalogs: catalogs.clone(),
    };
    dataflow::Settings {
        rules,
        top_k: config.top_k.get(),
        alpha: match config.representatives {
            Some(most) => Alpha::Budget(most),
            None => Alpha::Above(config.similarity),
        },
        warm_up: Enough {
            behaviors: config.warm_up.get(),
            span: config.warm_up_span.micros(),
        },
        trial: u32::try_from(config.trial.get()).unwrap_or(u32::MAX),
        limit: config.threads.get() * QUESTIONS,
        requests: (config.threads.get() * QUESTIONS).max(config.llm.llm_concurrency.get() * 2),
    }
}
