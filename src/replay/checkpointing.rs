//! A replay that keeps what it can go on from, and one that goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hearth_operators::words::Epoch;

use super::ReplayArgs;
use super::among::Among;
use super::input::{Again, Input};
use super::pause::Past;
use super::tending::{Live, Role};
use crate::catalog::FirstPass;
use crate::checkpoint::{CheckpointError, Checkpoints, Found, Identity, Member, Moment, Place};
use crate::cluster::{Cluster, Peers};
use crate::config::{Checkpointing, Config, Scores, UsageError};
use crate::disk::Disk;
use crate::engine::Resumed;
use crate::finished::Finished;
use crate::first_pass;
use crate::growing::{Growing, Reach};
use crate::home_names::HomeNames;
use crate::outputs::{Names, Stream, grouped};
use crate::sinks::files::{Files, Folder, Form};
use crate::sinks::{RowSender, Shown, Sink, Writer};
use crate::sources::{self, Contexts, EventLog, Manner, Position, Stood};
use crate::summary::Part;

/// The checkpoints of a run.
pub struct Keeping {
    place: Place,
    pub(super) checkpoints: Checkpoints,
    identity: Identity,
    pub(super) every: Checkpointing,
    pub(super) workers: usize,
    each: Option<Epoch>,
    /// The other processes, where the run is shared.
    pub(super) among: Option<Among>,
    pub(super) disk: Disk,
    pub(super) out: PathBuf,
    /// The log as it is when the run begins, if it can be read again.
    log: Stood,
    /// Of one that is appended to.
    growing: Option<Growing>,
    /// Whether the first process has it, and this one what it reads of it.
    mirrors: bool,
    pub(super) files: Vec<PathBuf>,
    /// What else a whole output follows from, which does not concern a run that goes on.
    left: String,
    pub(super) homes: HomeNames,
    /// Homes that are known before any line is read.
    pub(super) known: usize,
    /// Sums of what their catalogs grew from, and of them, the last.
    pub(super) sums: Vec<u32>,
}

/// In what a cut behind the end of a log differs from one of a longer log.
const GROWN: &str = "the log has grown since its end was told";

/// When it is asked what a shift brings, where that is not once all is final.
const ASK_AFTER: &str = "--ask-after";

/// What there is of a run already.
pub enum Before {
    /// Nothing that serves.
    Nothing,
    /// A cut that it goes on from.
    Found(Box<Found>),
    /// All of it.
    Complete,
}

impl Keeping {
    /// In an output folder, where the run can read its logs again.
    ///
    /// # Errors
    /// A file that the run reads cannot be read.
    pub fn new(
        args: &ReplayArgs,
        input: &Input,
        folder: &Folder,
        live: Option<&Live>,
    ) -> anyhow::Result<Self> {
        // What came by standard input or a pipe cannot be asked for again.
        let stays = |log: &PathBuf| log.as_os_str() != "-" && (log.is_file() || log.is_dir());
        let here = args.logs.iter().all(stays) && input.again_or_refuse().is_ok();
        let every = match live.is_some() || here {
            true => args.config.checkpoint_every,
            false => Checkpointing::Off,
        };
        let files = input.again.files().to_vec();
        let (identity, log) = match every {
            Checkpointing::Off => Default::default(),
            Checkpointing::Every(_) => (identity(args)?, stood(&files, live)?),
        };
        let place = Place::of_run(folder.path(), args.config.state.as_deref());
        let checkpoints = Checkpoints::at_place(folder.disk(), &place);
        Ok(Keeping {
            place,
            checkpoints: checkpoints.map_err(|error| refused(&error))?,
            identity,
            every,
            workers: args.config.workers.get(),
            each: None,
            among: None,
            disk: folder.disk().clone(),
            out: folder.path().to_owned(),
            log,
            growing: live.map(|live| live.growing.clone()),
            mirrors: live.is_some_and(|live| matches!(live.role, Role::Other(_))),
            files,
            left: left(args)?,
            // Which homes a live run knows before it reads on depends on when it was begun.
            known: live.map_or(input.fleet.homes.len(), |_| 0),
            homes: input.fleet.homes.clone(),
            sums: input.fleet.sums.clone(),
        })
    }

    /// Has them be taken together with other processes, which keep theirs in the place `state`, if that is one for all: of each cut each
    /// has its own part.
    pub fn with_others(mut self, cluster: Option<&Cluster>, state: Option<&str>) -> Self {
        self.among = cluster.map(|cluster| Among::of(cluster, state));
        self
    }

    /// The other processes, where cuts are taken together with them.
    pub(super) fn peers(&self) -> Option<&Arc<Peers>> {
        let among = self.among.as_ref()?;
        (self.every != Checkpointing::Off).then_some(&among.peers)
    }

    /// Has them be taken after so many epochs, where that is said.
    pub fn with_each(self, each: Option<Epoch>) -> Self {
        Keeping { each, ..self }
    }

    /// The time between two checkpoints, when the last one took so long; `None`: there are none.
    pub(super) fn wait(&self, took: Duration) -> Option<Duration> {
        match self.each {
            // Behind the log's end.
            Some(_) => Some(took),
            None => self.every.wait(took),
        }
    }

    /// The time until the first checkpoint of a run behind so many epochs; `None`: there are none. What is said of a log that is not
    /// there whole cannot be made again, so there is one before much is said.
    pub(super) fn first_wait(&self, epochs: Epoch) -> Option<Duration> {
        let wait = self.wait(Duration::ZERO)?;
        let is_behind = epochs == 0 && self.gone().lines > 0;
        Some(if is_behind { Duration::ZERO } else { wait })
    }

    /// How many epochs are fed before the next one is due, whatever the clock says.
    pub(super) fn goal(&self, epochs: Epoch) -> Option<Epoch> {
        // In a live run the first process says behind which epoch, at any time.
        let others = self.peers().filter(|_| self.growing.is_none());
        let each = self.each.or(others.map(|_| TOGETHER));
        each.map(|each| epochs + each)
    }

    /// What there is of the run already. Where that is nothing, what an earlier one kept is gone.
    ///
    /// # Errors
    /// What there is is of another run that is not complete, or cannot be read.
    pub fn before(&mut self, fresh: bool) -> anyhow::Result<Before> {
        if self.among.is_some() {
            return self.before_all(fresh);
        }
        if self.every != Checkpointing::Off && !fresh {
            let finished = Finished::in_folder(&self.disk, &self.out);
            let same = finished.as_ref().filter(|run| run.of == self.sum());
            let grown = same.map(|run| run.log.has_grown(&self.files, self.growing.as_ref()));
            if grown == Some(Ok(false)) {
                return Ok(Before::Complete);
            }
            if finished.is_some() && grown != Some(Ok(true)) {
                // What a complete run left is written over, whatever it was of.
                self.clear()?;
                return Ok(Before::Nothing);
            }
            match self
                .checkpoints
                .newest(|moment| self.differences(moment), self.workers)
            {
                Ok(Some(found)) => {
                    for damaged in &found.damaged {
                        tracing::warn!("{damaged}; the one before is used");
                    }
                    self.restore(&found.moment)?;
                    return Ok(Before::Found(Box::new(found)));
                }
                Ok(None) => {}
                // It is done again.
                Err(_) if finished.is_some() => {}
                Err(CheckpointError::Another { differences, .. }) if differences == [GROWN] => {
                    tracing::info!("{GROWN}; the run begins anew");
                }
                Err(error) => return Err(refused(&error)),
            }
        }
        self.clear()?;
        Ok(Before::Nothing)
    }

    /// Refuses a place that somebody named and that takes nothing: else it would be noticed when a checkpoint is due.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn try_place(&self) -> anyhow::Result<()> {
        let is_named = self.place != Place::of_run(&self.out, None);
        if !is_named || self.every == Checkpointing::Off {
            return Ok(());
        }
        let tried = self.checkpoints.try_place();
        tried.map_err(|error| {
            UsageError(format!(
                "{error}; --state must name a place that can be written"
            ))
            .into()
        })
    }

    /// In what a cut is of another run.
    pub(super) fn differences(&self, moment: &Moment) -> Vec<String> {
        let mut differences = match &self.among {
            None => moment.identity.differences(&self.identity),
            // Whoever took it.
            Some(_) => moment.identity.apart().1.differences(&self.identity),
        };
        if self.growing.is_some() {
            // A live run goes on with another one, for it concerns the shifts that are still to come.
            differences.retain(|name| name != ASK_AFTER);
        }
        // The first process has the inbox, and looks whether its own cuts are of it.
        let is_elsewhere = self.growing.is_some() && moment.identity.apart().0.process > 0;
        if !self.mirrors && !is_elsewhere {
            self.differences_of_log(moment, &mut differences);
        }
        let gone = self.gone();
        if !self.sums.contains(&moment.catalogs) {
            differences.push(match gone.lines {
                0 => "devices and actions".to_owned(),
                lines => format!(
                    "devices and actions ({} does not have those of the first {lines} lines of the inbox, which are gone)",
                    first_pass::path(&self.out).display()
                ),
            });
        }
        differences
    }

    /// In what the log is not the one that a cut is of.
    fn differences_of_log(&self, moment: &Moment, differences: &mut Vec<String>) {
        let mut source = moment.source.clone();
        // What is not read on serves a longer log as little as a line that may have been cut.
        let whole = moment.closed || source.position.unended;
        if moment.closed {
            source.position = Position::default();
        }
        match source.has_grown(&self.files, self.growing.as_ref()) {
            Ok(grown) if !grown || !whole => {}
            Ok(_) => differences.push(GROWN.to_owned()),
            Err(difference) => differences.push(difference),
        }
        let gone = self.gone();
        if source.position.offset < gone.bytes {
            let read = source.position.offset;
            differences.push(format!(
                "the inbox (it was read up to byte {read}, and what it held before byte {} is gone)",
                gone.bytes
            ));
        }
    }

    /// What the log held and does not any more.
    fn gone(&self) -> Reach {
        let growing = self.growing.as_ref();
        growing.map_or_else(Reach::default, Growing::begins)
    }

    /// Of a log that is not there whole: the run begins with what is, if nothing goes by that.
    ///
    /// # Errors
    /// There are outputs, which would go.
    pub fn begins_behind(&self, folder: &Folder) -> anyhow::Result<()> {
        let Reach { bytes, lines } = self.gone();
        if lines == 0 {
            return Ok(());
        }
        let gone =
            format!("the first {lines} lines of the inbox ({bytes} bytes) are gone (--inbox-keep)");
        let out = self.out.display();
        if folder.has_outputs()? {
            return Err(UsageError(format!(
                "there is no checkpoint that the run could go on from, and {gone}: what {out} says of them cannot be made again; to \
                 begin with what is left, take inbox*.jsonl to another folder and name that with --out"
            ))
            .into());
        }
        tracing::warn!("{gone}: the run begins behind them, and knows nothing of them");
        Ok(())
    }

    /// Gives homes the ids that they had.
    pub(super) fn restore(&self, moment: &Moment) -> anyhow::Result<()> {
        for (name, id) in moment.homes.iter().zip(moment.known..) {
            if self.homes.intern(name).0 as usize != id {
                let difference = format!("the homes (`{name}` is not where it was)");
                return Err(refused(&CheckpointError::Another {
                    path: self.checkpoints.place(),
                    differences: vec![difference],
                }));
            }
        }
        Ok(())
    }

    /// A sum of all that a whole output follows from, but for the log.
    pub(super) fn sum(&self) -> String {
        let share = self.among.as_ref().map(|among| among.share);
        let of = format!("{:?} {share:?} {}", self.identity, self.left);
        format!("{:08x}", crc32fast::hash(of.as_bytes()))
    }

    /// The run is complete: what a longer log could go on from stays. What its summary is to say of it.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(&self, compacted: bool) -> anyhow::Result<Option<Finished>> {
        if self.every == Checkpointing::Off || compacted {
            // Of files that were rewritten nothing goes on.
            self.clear()?;
        } else {
            self.checkpoints.trim()?;
            self.clear_resting()?;
        }
        Ok((self.every != Checkpointing::Off).then(|| Finished {
            of: self.sum(),
            log: self.log.clone(),
        }))
    }

    /// Which of several processes that share the run this is.
    pub fn member(&self) -> Option<&Member> {
        self.among.as_ref().map(|among| &among.member)
    }

    /// The run begins: where it keeps what it can go on from is noted, and the first pass over the log kept, if one was made, so that it
    /// is not made again.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin(&self, pass: Option<&FirstPass>, part: Option<&Part>) -> anyhow::Result<()> {
        self.place.note(&self.disk, &self.out)?;
        let noted = part.map_or(Ok(()), |part| part.note(&self.disk, &self.out));
        noted.with_context(|| format!("cannot write into {}", self.out.display()))?;
        match pass {
            Some(pass) if self.every != Checkpointing::Off => {
                let written = first_pass::write(&self.disk, &self.out, pass);
                written.with_context(|| first_pass::path(&self.out).display().to_string())
            }
            _ => Ok(()),
        }
    }

    /// Of which run a cut is, and whose part.
    pub(super) fn identity(&self) -> Identity {
        match &self.among {
            None => self.identity.clone(),
            Some(among) => {
                // Processes that replay a log are not all at its end at the same time, but never behind one epoch twice.
                let number = self.growing.as_ref().map_or(0, |_| among.begun.get());
                self.identity.of_member(&Member {
                    number,
                    ..among.member.clone()
                })
            }
        }
    }

    /// Another cut is taken.
    pub(super) fn begins_cut(&self) {
        if let Some(among) = &self.among {
            among.begun.update(|begun| begun + 1);
        }
    }

    /// The names of homes that a cut says: of those behind what is known of before any line is read, the ones before `all`.
    pub(super) fn homes_before(&self, all: usize) -> Vec<String> {
        let mut homes = self.homes.behind(self.known);
        homes.truncate(all.saturating_sub(self.known));
        homes
    }

    /// The log up to a position. What it held long before may be gone when it is read on, so of one that grows what is known is what
    /// lies before that.
    pub(super) fn stood(&self, position: Position) -> std::io::Result<Stood> {
        match (&self.growing, &self.files[..]) {
            (Some(growing), [inbox]) => Stood::in_growing(inbox, growing, Some(position)),
            _ => Ok(Stood {
                position,
                files: self.log.files.clone(),
            }),
        }
    }

    /// Removes what was kept: another run begins.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self) -> anyhow::Result<()> {
        Ok(self.checkpoints.clear()?)
    }

    /// Whether a run that is stopped can be gone on with.
    pub fn any(&self) -> bool {
        self.every != Checkpointing::Off && self.checkpoints.exist().is_ok_and(|any| any)
    }
}

/// The log as it is.
fn stood(files: &[PathBuf], live: Option<&Live>) -> std::io::Result<Stood> {
    match (live, files) {
        (Some(live), [inbox]) => Stood::in_growing(inbox, &live.growing, None),
        _ => Stood::at_its_beginning(files),
    }
}

pub(super) fn refused(error: &CheckpointError) -> anyhow::Error {
    UsageError(error.to_string()).into()
}

/// Epochs between two that processes may take a cut behind: they wait for each other there.
pub(super) const TOGETHER: Epoch = 16;

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
        (log, contexts): (EventLog, Contexts),
        again: &Again,
        (folder, names, form, shown): (&Folder, Names, Form, Shown),
        live: Option<&Live>,
    ) -> anyhow::Result<Self> {
        let Some(Found { moment, states, .. }) = found else {
            if let Some(live) = live {
                live.feed.begin(&Default::default());
            }
            let sink = sink(Files::create(folder, form)?, live);
            let (writer, rows) = Writer::begin(None, sink, names, shown)?;
            let (past, resumed) = Default::default();
            return Ok(Begin {
                manner: log.manner(),
                source: again.source(log, contexts)?,
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
            source: Stood { position, .. },
            manner,
            written,
            ..
        } = moment;
        let share = log
            .bytes_total()
            .map(|all| 100 * position.bytes / all.max(1));
        let share = share.map(|share| format!(", {share} % of the input"));
        let (at, share) = (grouped(epochs), share.unwrap_or_default());
        match live.is_some_and(Live::has_begun) {
            // In the same process, for something was learnt.
            true => tracing::debug!("goes on at epoch {at}"),
            false => tracing::info!("goes on at epoch {at}{share}"),
        }
        let log = again.at(position, manner)?;
        let sink = match written.positions.is_empty() {
            // A process that is new among those that share the run.
            true => Files::create(folder, form)?,
            false => Files::back_to(folder, form, &written.positions)?,
        };
        if let Some(live) = live {
            live.feed.begin(&written.positions);
        }
        let sink = self::sink(sink, live);
        let (writer, rows) = Writer::begin(Some(written), sink, names, shown)?;
        Ok(Begin {
            manner: log.manner(),
            // The declared shifts were fed with the first epoch.
            source: again.source(log, Default::default())?,
            past: Past::behind(lines, told, closed, position),
            resumed: Resumed {
                epochs,
                closed,
                position,
                states,
            },
            writer,
            rows,
        })
    }
}

/// Where rows go: into files, and to whoever listens to a live run.
fn sink(files: Files, live: Option<&Live>) -> Box<dyn Sink> {
    match live {
        Some(live) => Box::new(live.feed.before(files, &Stream::ALL)),
        None => Box::new(files),
    }
}

/// What outputs follow from, but for the log and what is in it. Workers and threads are not in it, nor is how quickly the run goes.
pub(super) fn identity(args: &ReplayArgs) -> anyhow::Result<Identity> {
    // What an older version wrote in this form is read for ever.
    let mut traits = vec![("version".to_owned(), crate::codec::VERSION.to_string())];
    let quoted = args.dry_run || args.explain;
    traits.push(("--dry-run".to_owned(), quoted.to_string()));
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
        let content = file.as_deref().map(sum).transpose()?;
        traits.push((name.to_owned(), format!("{content:?}")));
    }
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
        max_memory: _,
        state: _,
        output_packing: _,
        output_roll: _,
        log_level: _,
        log_format: _,
        model_memory: _,
        knowledge: _,
        lateness,
        keep,
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
        ask_after,
        on_drift,
        scores,
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
    // What a run of an older version did not know is not told where it is as it was: checkpoints from before there was a choice
    // are of the usual columns, and aligned.
    .chain((!columns.usual()).then(|| ("--columns".to_owned(), columns.to_string())))
    .chain(keep.map(|keep| ("--keep".to_owned(), format!("{keep:?}"))))
    .chain(
        ask_after
            .micros()
            .map(|after| (ASK_AFTER.to_owned(), format!("{after:?}"))),
    )
    .chain((*scores == Scores::Eager).then(|| ("--scores".to_owned(), format!("{scores:?}"))))
}

/// What concerns a whole output alone: how it is left, and how a language model was asked.
fn left(args: &ReplayArgs) -> anyhow::Result<String> {
    let Config {
        llm,
        output_packing,
        output_roll,
        ..
    } = &args.config;
    let mut texts = Vec::new();
    if let Some(folder) = &llm.llm_templates {
        for entry in std::fs::read_dir(folder)? {
            texts.extend(Some(entry?.path()).filter(|text| text.is_file()));
        }
    }
    texts.sort();
    let texts: Vec<String> = texts
        .iter()
        .map(|text| sum(text))
        .collect::<Result<_, _>>()?;
    // Of a run that an older version left nothing is known of it.
    let roll = output_roll.map_or_else(String::new, |roll| format!(" {roll:?}"));
    let compact = args.compact;
    Ok(format!(
        "{compact} {output_packing:?} {llm:?} {texts:?}{roll}"
    ))
}

/// A sum of a file.
fn sum(file: &Path) -> anyhow::Result<String> {
    Ok(format!("{:08x}", crc32fast::hash(&std::fs::read(file)?)))
}
