//! `hearth replay`: logs through the dataflow into an output folder.
//!
//! The engine reads and computes; the pool answers what the dataflow asks; the writer's thread writes. Everything is joined
//! before the summary is made, but for what a stopped run abandons.

mod achieved;
mod agreed;
mod among;
mod args;
mod checkpointing;
mod feeding;
mod following;
mod input;
mod live;
mod pause;
mod progress;
mod synthesis;
mod tending;
mod together;
mod watch;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use hearth_operators::dataflow::Services;
use hearth_operators::kept::Kept;
use hearth_operators::words::{Catalogs, HomeId};

use crate::checkpoint::Found;
use crate::cluster::{Cluster, Share};
use crate::config::{Checkpointing, Config};
use crate::disk::Disk;
use crate::engine::{Engine, Epochs, Outcome};
use crate::erase;
use crate::fleet::Fleet;
use crate::kept;
use crate::notes::Notes;
use crate::outputs::{Counts, Names, Stream, Undone};
use crate::pool::Pool;
use crate::services::{Workload, services};
use crate::settings::settings;
use crate::sinks::files::{Folder, Form};
use crate::sinks::{Shown, Writer};
use crate::sources::{Files, Manner, Source, Told};
use crate::stop::Stop;
use crate::summary::{Cuts, Jobs, Run, Summary, Timings};
use crate::synthesizers::Synthesizer;
use crate::synthesizers::llm::Llm;
use crate::trainer;
use achieved::Declared;
pub use args::{ClusterArgs, ReplayArgs};
use checkpointing::{Before, Begin, Keeping};
use input::{Again, Input};
pub(crate) use live::{Ends, live, live_among};
pub use pause::Pause;
use pause::{Past, Start};
use progress::Progress;
use synthesis::{Begun, Chosen, Quoted};
pub(crate) use tending::{Live, Role};
pub(crate) use together::{meet_live, of_process};
pub use watch::BACK_AFTER;
use watch::Fed;

/// Runs logs through the dataflow and prints a summary. Where the output folder holds the whole of that already, it says so.
///
/// # Errors
/// A file, an option or the output folder cannot be used ([`UsageError`](crate::config::UsageError), before any work); the input
/// breaks off; a line is rejected under `--strict`; a model or the disk fails; the run is stopped; the accounting does not
/// agree.
pub fn run(args: &ReplayArgs, stop: &Stop) -> anyhow::Result<()> {
    let Some(ended) = through(args, &[], stop, &Ground::default())? else {
        writeln!(
            io::stdout(),
            "{} holds the whole of this run already; --fresh does it again",
            args.out.display()
        )?;
        return Ok(());
    };
    writeln!(io::stdout(), "{}", ended.summary)?;
    ended.told(args)
}

/// Does what [`run`] does, always anew, but is suspended on the way and gone on with, and gives the summary instead of printing it.
/// The outputs are those of a run without a pause.
///
/// # Errors
/// As [`run`]; or there is a pause and the log cannot be read again.
pub fn run_with_pauses(
    args: &ReplayArgs,
    pauses: &[Pause],
    stop: &Stop,
) -> anyhow::Result<Summary> {
    anew(args, pauses, stop, &Ground::default())
}

/// Does what [`run`] does, always anew and without checkpoints, where another synthesizer answers; given are the catalogs of the homes.
///
/// # Errors
/// As [`run`].
pub fn run_with_synthesizer(
    args: &ReplayArgs,
    synthesizer: &dyn Fn(&Arc<Catalogs>) -> Arc<dyn Synthesizer>,
    stop: &Stop,
) -> anyhow::Result<Summary> {
    let mut args = args.clone();
    args.config.checkpoint_every = Checkpointing::Off;
    let ground = Ground {
        synthesizer: Some(synthesizer),
        ..Ground::default()
    };
    anew(&args, &[], stop, &ground)
}

/// Begins anew, and gives the summary.
fn anew(
    args: &ReplayArgs,
    pauses: &[Pause],
    stop: &Stop,
    ground: &Ground<'_>,
) -> anyhow::Result<Summary> {
    let anew = ReplayArgs {
        fresh: true,
        ..args.clone()
    };
    match through(&anew, pauses, stop, ground)? {
        Some(ended) => {
            let summary = ended.summary.clone();
            ended.told(&anew).map(|()| summary)
        }
        None => anyhow::bail!("a run that begins anew was not begun; this is a bug in Hearth"),
    }
}

/// What a run stands on: the system's disk and what it is made of, but in tests.
pub(crate) struct Ground<'a> {
    pub disk: Disk,
    /// Who answers requests, in place of whom the configuration names.
    pub synthesizer: Option<&'a dyn Fn(&Arc<Catalogs>) -> Arc<dyn Synthesizer>>,
    /// What the dataflow asks, in place of what the run would.
    pub services: &'a dyn Fn(Services) -> Services,
    /// After how many epochs a checkpoint is taken; `None`: by the clock.
    pub each: Option<u64>,
    /// What surrounds it, where it is a live run.
    pub live: Option<&'a Live>,
}

impl Default for Ground<'_> {
    fn default() -> Self {
        Ground {
            disk: Disk::real(),
            synthesizer: None,
            services: &|services| services,
            each: None,
            live: None,
        }
    }
}

/// Does what [`run`] does on other ground, and prints nothing.
#[cfg(test)]
pub(crate) fn run_on(ground: &Ground<'_>, args: &ReplayArgs, stop: &Stop) -> anyhow::Result<()> {
    match through(args, &[], stop, ground)? {
        Some(ended) => ended.told(args),
        None => Ok(()),
    }
}

/// From the arguments to everything that a run writes; `None`: it is there.
fn through(
    args: &ReplayArgs,
    pauses: &[Pause],
    stop: &Stop,
    ground: &Ground<'_>,
) -> anyhow::Result<Option<Ended>> {
    // Others are told; a lone process has nothing to bring to an end before its outputs are begun.
    let _heeded = args.cluster.hosts.is_some().then(|| stop.heed());
    let (args, state) = (&together::of_process(args), args.config.state.as_deref());
    if !pauses.is_empty() && args.cluster.hosts.is_some() {
        anyhow::bail!("a run that pauses has one process");
    }
    let Some(mut cluster) = together::meet(args, stop)? else {
        return alone(args, pauses, stop, ground, None);
    };
    let ended = alone(args, pauses, stop, ground, Some((&mut cluster, state)));
    if let Err(error) = &ended
        && !stop.is_stopped()
    {
        // The others are told why.
        stop.fail(format!("{error:#}"));
    }
    ended
}

/// The same by this process, whoever else is there.
fn alone(
    args: &ReplayArgs,
    pauses: &[Pause],
    stop: &Stop,
    ground: &Ground<'_>,
    among: Option<(&mut Cluster, Option<&str>)>,
) -> anyhow::Result<Option<Ended>> {
    let began = Instant::now();
    let (cluster, state) = among.unzip();
    let mut input = Input::open(args, &ground.disk, None)?;
    if let Some(cluster) = &cluster {
        input = input.shared(cluster.share());
    }
    if !pauses.is_empty() {
        input.again_or_refuse()?;
    }
    if let Some(synthesizer) = ground.synthesizer {
        input.synthesizer = Chosen::Embedded(synthesizer(&input.fleet.catalogs));
    }
    let _heeded = stop.heed();
    let inputs = args.logs.iter().chain(&args.contexts).chain(&args.catalog);
    let inputs = inputs.chain(&args.feedback).chain(&args.erasures);
    let folder = Folder::claim(&ground.disk, &args.out, inputs.map(PathBuf::as_path))?;
    let mut keeping = Keeping::new(args, &input, &folder, None)?
        .with_each(ground.each)
        .with_others(cluster.as_deref(), state.flatten());
    let found = match keeping.before(args.fresh)? {
        Before::Complete => return Ok(None),
        Before::Found(found) => Some((*found, began)),
        Before::Nothing => None,
    };
    keeping.try_place()?;
    let first_pass = input.fleet.first_pass.take();
    let first_pass = first_pass.filter(|_| input.fleet.has_read);
    let part = keeping.member().map(|member| together::part(args, member));
    let part = part.transpose()?;
    let mut replay = Replay::begin(args, input, (&folder, ground), (stop, cluster), found)?;
    keeping.begin(first_pass.as_ref(), part.as_ref())?;
    for &pause in pauses {
        replay = replay.pause(pause)?;
    }
    replay.feed(&keeping);
    let mut ended = replay.finish()?;
    ended.summary.part = part;
    if stop.is_stopped() {
        ended.kept = keeping.any();
    }
    ended.trouble = ended.judge(args, stop).err();
    match &ended.trouble {
        None => {
            if args.compact {
                // Of files that are being rewritten nothing goes on; whoever is killed meanwhile begins anew.
                keeping.clear()?;
                let gone = erase::compact(&args.out)?;
                let notes = &mut ended.summary.notes;
                notes.retain(|note| !erase::names_any(note, &gone));
                ended.summary.lines = erase::lines_of(&args.out)?;
            }
            let run = keeping.finish(args.compact)?;
            // What is asked of a dry run is told each time.
            ended.summary.run = run.filter(|_| ended.quoted.is_none());
        }
        Some(_) if stop.is_stopped() => {}
        // The same command would come to the same.
        Some(_) => keeping.clear()?,
    }
    ended.summary.write(&folder)?;
    Ok(Some(ended))
}

/// A replay under way.
struct Replay<'a> {
    disk: Disk,
    args: &'a ReplayArgs,
    /// Which homes this process has.
    share: Share,
    stop: &'a Stop,
    began: Instant,
    engine: Engine,
    start: Start,
    past: Past,
    again: Again,
    /// What people say, behind the log.
    told: Told,
    pool: Pool,
    writer: Writer,
    progress: Progress,
    fed: Arc<Fed>,
    /// For how long each checkpoint had the dataflow stand still.
    still: Vec<Duration>,
    /// Bytes that were written for checkpoints.
    kept_bytes: u64,
    workload: Workload,
    notes: Notes,
    /// How the log is written.
    manner: Manner,
    /// Whether anybody said where the homes are.
    placed: bool,
    declared: Declared,
    /// Homes of the homes file, as far as they are of this process.
    listed: Vec<HomeId>,
    /// Whether anybody answers requests.
    answered: bool,
    homes: kept::Homes,
    terms: kept::Terms,
    llm: Option<Arc<Llm>>,
    quoted: Option<Quoted>,
    live: Option<tending::Tending<'a>>,
}

/// A replay at its end.
struct Ended {
    summary: Summary,
    counts: Counts,
    declared: Declared,
    outcome: Outcome,
    quoted: Option<Quoted>,
    /// Whether the same command goes on with it.
    kept: bool,
    /// What did not go as it should.
    trouble: Option<anyhow::Error>,
}

impl<'a> Replay<'a> {
    /// Opens the output folder and starts all threads.
    fn begin(
        args: &'a ReplayArgs,
        input: Input,
        (folder, ground): (&Folder, &Ground<'a>),
        (stop, cluster): (&'a Stop, Option<&mut Cluster>),
        found: Option<(Found, Instant)>,
    ) -> anyhow::Result<Self> {
        let config = &args.config;
        let Input {
            log,
            again,
            files,
            fleet,
            contexts,
            told,
            synthesizer,
            prompts,
        } = input;
        let (homes, catalogs) = (&fleet.homes, &fleet.catalogs);
        let names = names(config, &fleet, files).with_prompt(move |request| prompts.shown(request));
        let notes = Notes::new(homes.clone());
        notes.measured(&fleet.measured);
        if let Some(repeats) = fleet.repeats {
            notes.repeats(repeats);
        }
        let share = match &cluster {
            Some(cluster) => cluster.share(),
            None => Share::whole(config.workers.get()),
        };
        let links = cluster.and_then(Cluster::links);
        let declared = Declared::of(&contexts.shifts, share);
        let mut listed = fleet.listed.clone();
        listed.retain(|home| share.place(*home).is_some());
        let began = Instant::now();
        let workload = Workload::default();
        let pool = Pool::new(config.threads.get(), stop.clone())?;
        let quoted = synthesizer.quoted();
        let of = (homes, catalogs);
        let begun = synthesizer.begin(config, of, folder, &pool, &workload, stop)?;
        let Begun { answers, llm } = begun;
        let answered = answers.is_some();
        let (found, since) = found.unzip();
        // One that has learnt something goes on in the same process, all the time: that is no news.
        let since = since.filter(|_| !ground.live.is_some_and(Live::has_begun));
        // Nothing can refuse the run any more.
        let form = Form {
            packing: config.output_packing,
            roll: config.output_roll,
        };
        let shown = ground.live.map(|live| live.shown(fleet.zones.clone()));
        let fails = stop.clone();
        let shown = Shown {
            // At once, so that others who share the run are told before this process leaves them.
            failed: Box::new(move |error| fails.fail(error.to_string())),
            ..shown.unwrap_or_default()
        };
        let outputs = (folder, names, form, shown);
        let Begin {
            source,
            manner,
            past,
            resumed,
            writer,
            rows,
        } = Begin::new(found, (log, contexts), &again, outputs, ground.live)?;
        let source = source.with_told(told.clone());
        let placed = !fleet.zones.is_empty();
        let shared = ground.live.and_then(Live::shared);
        let fed = fed(config, &workload, stop, since).shared_by(shared);
        let fed = Arc::new(fed);
        let live = ground.live.map(|live| live.tended(again.learnt()));
        let bytes = source.bytes_total();
        // A live run has its measures for that.
        let shown = (bytes, live.is_none());
        let progress = Progress::start(fed.clone(), shown, workload.clone(), homes.clone());
        let training = training(config);
        let start = Start {
            dataflow: settings(config, catalogs),
            services: (ground.services)(services(
                &pool, &workload, catalogs, &notes, training, answers,
            )),
            rows: rows.closed_by(share.first_worker()),
            epochs: epochs(config, &source),
            stop: stop.clone(),
            fed: fed.clone(),
        };
        Ok(Replay {
            disk: folder.disk().clone(),
            args,
            share,
            stop,
            began,
            engine: start.engine(config.workers, resumed, source, links)?,
            terms: kept::Terms::of(&start.dataflow),
            start,
            past,
            again,
            told,
            pool,
            writer,
            progress,
            fed,
            still: Vec::new(),
            kept_bytes: 0,
            workload,
            notes,
            manner,
            placed,
            declared,
            listed,
            answered,
            homes: kept::Homes::of(fleet),
            llm,
            quoted,
            live,
        })
    }

    /// Feeds some epochs, suspends the engine, and goes on from there with another one.
    ///
    /// # Errors
    /// A worker has failed; the log cannot be opened any more; the system gives no more threads.
    fn pause(mut self, pause: Pause) -> anyhow::Result<Self> {
        self.engine.step(pause.epochs.get());
        self.hand_over(pause.workers)?;
        Ok(self)
    }

    /// Has another engine, with so many workers, go on from what this one holds.
    ///
    /// # Errors
    /// A worker has failed; the log cannot be opened any more; the system gives no more threads.
    fn hand_over(&mut self, workers: NonZeroUsize) -> anyhow::Result<()> {
        let past = std::mem::take(&mut self.past);
        let mut outcome = past.then(self.engine.suspend());
        let Some(resumed) = outcome.resumed.take() else {
            let failure = self.stop.failure().unwrap_or_default();
            anyhow::bail!("the run could not be suspended: {failure}");
        };
        self.past = Past::of(outcome);
        let log = self.again.at(self.past.position, self.manner.clone())?;
        // The declared shifts were fed with the first epoch.
        let mut source = self.again.source(log, Default::default())?;
        if !self.past.ended {
            source = source.with_told(self.told.clone());
        }
        self.engine = self.start.engine(workers, resumed, source, None)?;
        self.share = Share::whole(workers.get());
        Ok(())
    }

    /// Runs to the end of the log, or until stopped; a live run has none, and stays as its last cut has it.
    ///
    /// # Errors
    /// The output folder could not be written.
    fn finish(mut self) -> anyhow::Result<Ended> {
        let outcome = match self.live {
            Some(_) => self.engine.suspend(),
            None => self.engine.finish(),
        };
        let mut outcome = self.past.then(outcome);
        // The pool and the writer end when nobody can reach them any more.
        drop(self.start);
        drop(self.pool);
        let counts = self.writer.finish();
        self.progress.finish();
        let counts = counts?;
        let config = &self.args.config;
        let left = match outcome.resumed.take() {
            Some(resumed) => resumed.states,
            None => std::mem::take(&mut outcome.left),
        };
        let kept = Kept::of(left);
        let grows = self.live.as_ref().is_some_and(tending::Tending::is_lacking);
        if !kept.homes.is_empty() && !grows {
            let out = &self.args.out;
            kept::write(&self.disk, out, &self.homes, self.terms, kept)
                .with_context(|| format!("cannot write {}", kept::path(out).display()))?;
        }
        let work = self.workload.all().map(|(name, work)| {
            let cpu = work.cpu_micros.load(Ordering::Relaxed) as f64 / 1e6;
            let jobs = work.done.load(Ordering::Relaxed);
            let cpu_seconds = cpu;
            (name, Jobs { jobs, cpu_seconds })
        });
        let run = Run {
            read: outcome.reached.lines - outcome.reached.told,
            elapsed: self.began.elapsed(),
            seed: config.seed,
            workers: self.share.workers(),
            interrupted: self.stop.is_interrupted(),
            undone: match self.live {
                Some(_) => waiting(&outcome, &counts),
                None => outcome
                    .complete
                    .map(|_| undone(&outcome, &counts, &self.workload, self.answered)),
            },
            timings: Timings {
                ingest_seconds: outcome.ingested.as_secs_f64(),
                events_during_adaptation: self.fed.during_adaptation(),
                work: work.into_iter().collect(),
                checkpoints: Cuts::of(self.still, self.kept_bytes),
            },
        };
        self.notes.manner(&self.manner, self.placed);
        self.notes.unmet(&self.declared.unmet(&counts), &counts.met);
        if run.read == 0 && self.live.is_none() && self.share.is_whole() {
            self.notes.nothing();
        }
        self.notes.refused(counts.rejected, run.read);
        self.notes.duplicates(counts.duplicate, run.read);
        // To a live run homes may come later.
        if self.live.is_none() {
            let unmet = achieved::unmet(&self.listed, &counts);
            self.notes.unlisted(&unmet, &counts.met);
        }
        // What was refused is told as such.
        if outcome.reached.closed && counts.rejected_contexts == 0 {
            self.notes.unasked(&self.declared.unasked(&counts));
        }
        self.notes.late(counts.late, run.read);
        self.notes.late_homes(&counts.late_homes);
        let max_gap = config.max_gap.to_string();
        self.notes
            .segments(counts.segments, counts.transitions, &max_gap);
        let mut summary = Summary::new(&counts, &run, self.llm.map(|llm| llm.summary()));
        summary.notes = self.notes.all();
        summary.notes.extend(self.fed.waited());
        Ok(Ended {
            summary,
            counts,
            declared: self.declared,
            outcome,
            quoted: self.quoted,
            kept: false,
            trouble: None,
        })
    }
}

/// Who watches what is fed; `since`: when a run began that goes on.
fn fed(config: &Config, workload: &Workload, stop: &Stop, since: Option<Instant>) -> Fed {
    let strict = config.strict.then(|| stop.clone());
    let fed = Fed::new(workload.clone(), strict, config.max_memory);
    if let Some(since) = since {
        fed.goes_on(since);
    }
    fed
}

/// The names behind the ids of a run's rows.
fn names(config: &Config, fleet: &Fleet, files: Vec<String>) -> Names {
    let (homes, catalogs) = (fleet.homes.clone(), fleet.catalogs.clone());
    Names::new(homes, catalogs, config.preset.model_names(), files)
        .with_cohorts(fleet.cohorts.clone())
}

fn training(config: &Config) -> trainer::Settings {
    trainer::Settings {
        preset: config.preset,
        seed: config.seed,
    }
}

fn epochs(config: &Config, source: &Files) -> Epochs {
    Epochs {
        lines: config.epoch_events.get(),
        interval: config.epoch_interval.of(source.trickles()),
    }
}

/// Events of a live run that are neither taken nor refused yet: a clock that jumped, and nothing that confirms it.
fn waiting(outcome: &Outcome, counts: &Counts) -> Option<Undone> {
    let lines = (outcome.reached.lines - outcome.reached.told).saturating_sub(counts.events());
    (lines > 0).then(|| Undone {
        lines,
        ..Undone::default()
    })
}

/// What a run left that was stopped.
fn undone(outcome: &Outcome, counts: &Counts, workload: &Workload, answered: bool) -> Undone {
    let requests = workload.synthesize.done.load(Ordering::Relaxed);
    let jobs = workload.all().map(|(kind, work)| (kind, work.open()));
    Undone {
        lines: (outcome.reached.lines - outcome.reached.told).saturating_sub(counts.events()),
        requests: match answered {
            true => counts.requests.saturating_sub(requests),
            false => 0,
        },
        shifts: match answered {
            true => counts.waiting,
            false => 0,
        },
        jobs: jobs.into_iter().filter(|(_, open)| *open > 0).collect(),
    }
}

impl Ended {
    /// Whether all went as it should.
    ///
    /// # Errors
    /// What did not.
    fn judge(&mut self, args: &ReplayArgs, stop: &Stop) -> anyhow::Result<()> {
        let (summary, out) = (&self.summary, args.out.display());
        if let Some(failure) = stop.failure() {
            anyhow::bail!("{failure}; what was done until then is in {out}");
        }
        std::mem::replace(&mut self.outcome.source, Ok(()))?;
        // What one of several processes has taken in may come to its end on another: of these the whole is checked.
        if summary.part.is_none() && !summary.balanced() {
            anyhow::bail!(
                "the accounting does not agree: events were lost; this is a bug in Hearth"
            );
        }
        if summary.interrupted {
            let again = if self.kept {
                "; the same command goes on with it"
            } else {
                ""
            };
            anyhow::bail!("interrupted; what was done until then is in {out}{again}");
        }
        if let Some(reason) = summary.llm.as_ref().and_then(|llm| llm.refused.as_ref()) {
            anyhow::bail!(
                "no language model: {reason}; the requests without an answer are in verdicts.jsonl"
            );
        }
        // What a line alone does not show: a clock that no other event confirms, a shift that comes too late.
        let told = self.counts.feedback.rejected + self.counts.erasures.rejected;
        let refused = self.counts.rejected + self.counts.rejected_contexts + told;
        if args.config.strict && refused > 0 {
            let told = Stream::Rejected.found(&args.out);
            anyhow::bail!(
                "rejected lines: {refused} (--strict); {} tells which and why",
                told.display()
            );
        }
        if self.summary.part.is_some() {
            // What a process did alone says little of all.
            return Ok(());
        }
        match achieved::nothing(summary, &self.counts, &self.declared, &args.out) {
            Some(reason) => anyhow::bail!("{reason}"),
            None => Ok(()),
        }
    }

    /// Tells what a person asked for beside the outputs.
    ///
    /// # Errors
    /// What did not go as it should.
    fn told(self, args: &ReplayArgs) -> anyhow::Result<()> {
        match (self.trouble, self.quoted) {
            (Some(trouble), _) => Err(trouble),
            (None, Some(quoted)) => quoted.tell(&args.config, &args.out),
            (None, None) => Ok(()),
        }
    }
}
