//! A home's model on new events: they are split as a replay splits them, and each segment is judged, then learnt, in memory.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use hearth_operators::dataflow::{Services, Settings, Streams};
use hearth_operators::habits::Vocabulary;
use hearth_operators::kept::{Heard, Use};
use hearth_operators::models::Maintenance;
use hearth_operators::shift::Placed;
use hearth_operators::split::Account;
use hearth_operators::words::{self, Epoch};
use timely::dataflow::operators::{Inspect, Probe};

use super::{models, refused, writer};
use crate::config::{Config, Keys, UsageError};
use crate::engine::{self, Epochs, Outlet, Probes, Resumed, Setup};
use crate::home_names::HomeNames;
use crate::kept::{HOME, Opened, Terms};
use crate::outputs::{Names, Record, ScoreLine};
use crate::settings::{PORTION, settings};
use crate::sources::{Batch, EventLog, Files, Flow, Options, Rejected, Source, SourceError};
use crate::stop::Stop;
use crate::zones::Zones;

/// Judge new events of a home by its model
///
/// The log is split into segments with the limits of the replay that made the model. Each segment is judged by all that was
/// known before it, then learnt: in memory, the file of models stays as it is. Events of other homes are left out. Scores go to
/// the standard output, as a replay's scores are; what came of it is said on the standard error.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth model apply out --home h-17 tomorrow.jsonl > scores.jsonl
  hearth model apply out --home h-17 tomorrow.csv.gz --frozen --csv --out scores.csv")]
pub struct ApplyArgs {
    /// Output folder of the replay that made the model
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Event logs, in any form that replay takes
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,

    /// The home
    #[arg(long, value_name = "NAME")]
    pub home: String,

    /// What the fields of an event are called in the logs, as for replay: home=home_id,time=ts
    #[arg(
        long,
        env = "HEARTH_COLUMNS",
        hide_env_values = true,
        value_name = "FIELD=COLUMN,...",
        default_value = ""
    )]
    pub columns: Keys,

    /// Learn nothing: each segment is judged by the model as it is in the file
    #[arg(long)]
    pub frozen: bool,

    /// Scores as CSV, with the most probable action in the place of all
    #[arg(long)]
    pub csv: bool,

    /// File for the scores; the standard output where none is named
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Judges a log, writes the scores and says what came of it.
pub(super) fn run(arguments: &ApplyArgs, stop: &Stop) -> anyhow::Result<()> {
    let (told, accounts) = score(arguments, stop)?;
    told.tell(&arguments.home, &accounts);
    if accounts.events() == 0 {
        anyhow::bail!(
            "there is no event of `{}` that could be judged: --home must name the home as the log does, --columns what the log calls \
             the fields",
            arguments.home
        );
    }
    Ok(())
}

/// Judges a log and writes the scores.
pub(super) fn score(arguments: &ApplyArgs, stop: &Stop) -> anyhow::Result<(Told, Accounts)> {
    let models = models(&arguments.dir)?;
    let opened = models
        .home(&arguments.home)
        .map_err(|error| refused(&error))?;
    let names = HomeNames::default();
    names.intern(&arguments.home);
    let split = split(arguments, &opened, models.terms(), &names, stop)?;
    let mut scores = Scores {
        out: writer(arguments.out.as_deref())?,
        names: Names::new(names, opened.catalogs.clone(), ["habits"; 2], Vec::new()),
        csv: arguments.csv,
        line: Vec::new(),
    };
    scores.head()?;
    let mut told = Told::default();
    let (terms, frozen) = (models.terms(), arguments.frozen);
    judge(opened, terms, split.segments, frozen, |epoch, heard| {
        told.add(&heard);
        scores.write(epoch, &heard)
    })?;
    scores.out.flush()?;
    Ok((told, split.accounts))
}

/// Judges segments, an epoch after the other.
fn judge(
    opened: Opened,
    terms: &Terms,
    segments: BTreeMap<Epoch, Vec<Placed>>,
    frozen: bool,
    mut take: impl FnMut(Epoch, Heard) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Opened {
        mut model,
        mut cohort,
        catalogs,
        ..
    } = opened;
    let maintenance = Maintenance {
        catalogs: catalogs.clone(),
        lateness: terms.rules(catalogs.clone()).lateness,
        trial: terms.trial,
        scores: words::Scores::Aligned,
        memory: usize::MAX,
        portion: PORTION,
    };
    let by = Use {
        words: &Vocabulary::new(&catalogs, HOME),
        budget: terms.budget,
        maintenance: &maintenance,
    };
    for (epoch, placed) in segments {
        let heard = match frozen {
            true => {
                let comes = placed.into_iter().filter(|placed| placed.diff > 0);
                model.judge(&cohort, &by, comes.collect())
            }
            false => model.learn(&mut cohort, &by, placed),
        };
        take(epoch, heard)?;
    }
    Ok(())
}

/// What becomes of a log.
#[derive(Default)]
struct Segmented {
    /// By the epoch in which they come and go.
    segments: BTreeMap<Epoch, Vec<Placed>>,
    accounts: Accounts,
}

#[derive(Default)]
pub(super) struct Accounts {
    applied: u64,
    duplicate: u64,
    late: u64,
    /// Events that jump.
    rejected: u64,
    /// Lines that are no event of the home.
    lines: u64,
    /// The first of these.
    first: Option<Rejected>,
}

impl Accounts {
    /// How many events of the home there were.
    fn events(&self) -> u64 {
        self.applied + self.duplicate + self.late + self.rejected
    }
}

/// Splits the home's events of a log.
fn split(
    arguments: &ApplyArgs,
    opened: &Opened,
    terms: &Terms,
    names: &HomeNames,
    stop: &Stop,
) -> anyhow::Result<Segmented> {
    let options = Options {
        catalogs: opened.catalogs.clone(),
        homes: names.clone(),
        zones: Zones::new(opened.entry.zone()),
        keys: arguments.columns.clone(),
    };
    let log =
        EventLog::open(&arguments.logs, options).map_err(|error| UsageError(error.to_string()))?;
    let segmented = Arc::new(Mutex::new(Segmented::default()));
    let dataflow = Settings {
        learn: false,
        rules: terms.rules(opened.catalogs.clone()),
        ..settings(&Config::default(), &opened.catalogs)
    };
    let setup = Setup {
        workers: 1,
        dataflow,
        services: Services::nobody(),
        outlet: Arc::new(Collected(segmented.clone())),
        resumed: Resumed::default(),
        // So that a segment is judged by all before it, its cohort's counts too.
        epochs: Epochs {
            lines: 1,
            interval: None,
        },
        stop: stop.clone(),
        watch: Arc::new(()),
    };
    let _heeded = stop.heed();
    let source = OfHome(Files::new(log, Default::default())?);
    let outcome = engine::start(setup, source)?.finish();
    if let Some(failure) = stop.failure() {
        anyhow::bail!("{failure}");
    }
    outcome.source?;
    let mut segmented = segmented.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut segmented))
}

/// The home's events of a log.
struct OfHome(Files);

impl Source for OfHome {
    fn read(
        &mut self,
        limit: usize,
        deadline: Instant,
        batch: &mut Batch,
    ) -> Result<Flow, SourceError> {
        let flow = self.0.read(limit, deadline, batch)?;
        batch.behaviors.retain(|behavior| behavior.home == HOME);
        Ok(flow)
    }

    fn trickles(&self) -> bool {
        self.0.trickles()
    }

    fn bytes_total(&self) -> Option<u64> {
        self.0.bytes_total()
    }
}

/// Keeps what leaves the dataflow.
struct Collected(Arc<Mutex<Segmented>>);

impl Outlet for Collected {
    fn connect(&self, streams: Streams<'_>) -> Probes {
        let probes = Probes::default();
        let (segments, accounts) = (self.0.clone(), self.0.clone());
        let ingested = streams.ingested;
        ingested
            .placed
            .inspect_core(move |event| {
                let Ok((stamp, placed)) = event else { return };
                let Some(&epoch) = stamp.least() else { return };
                let mut all = segments.lock().unwrap_or_else(PoisonError::into_inner);
                let here = all.segments.entry(epoch).or_default();
                here.extend_from_slice(placed);
            })
            .probe_with(&probes.ingested)
            .probe_with(&probes.done);
        ingested
            .accounts
            .inspect(move |account| {
                let mut all = accounts.lock().unwrap_or_else(PoisonError::into_inner);
                let accounts = &mut all.accounts;
                match account {
                    Account::Counted { applied, duplicate } => {
                        accounts.applied += applied;
                        accounts.duplicate += duplicate;
                    }
                    Account::Late(_) => accounts.late += 1,
                    Account::Rejected(_) => accounts.rejected += 1,
                    // A log of events alone is read, and nobody asks for single ones.
                    Account::Erased(_) | Account::Told(..) => {}
                }
            })
            .probe_with(&probes.ingested)
            .probe_with(&probes.done);
        probes
    }

    fn refuse(&self, _: Epoch, lines: Vec<Rejected>, _: Vec<Rejected>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.accounts.lines += lines.len() as u64;
        let first = lines.into_iter().next();
        all.accounts.first = all.accounts.first.take().or(first);
    }
}

/// Where scores go.
struct Scores {
    out: Box<dyn Write>,
    names: Names,
    csv: bool,
    line: Vec<u8>,
}

impl Scores {
    fn head(&mut self) -> anyhow::Result<()> {
        if self.csv {
            writeln!(
                self.out,
                "home,time,action,score,threshold,anomaly,predicted,probability"
            )?;
        }
        Ok(())
    }

    fn write(&mut self, epoch: Epoch, heard: &Heard) -> anyhow::Result<()> {
        for score in &heard.scores {
            self.line.clear();
            score.line(epoch, &self.names, &mut self.line)?;
            if self.csv {
                let line: ScoreLine<'_> = serde_json::from_slice(&self.line)?;
                row(&mut self.out, &line)?;
            } else {
                self.line.push(b'\n');
                self.out.write_all(&self.line)?;
            }
        }
        Ok(())
    }
}

fn row(out: &mut impl Write, line: &ScoreLine<'_>) -> anyhow::Result<()> {
    let number = |number: Option<f32>| number.map_or_else(String::new, |n| n.to_string());
    let best = line.predictions.first();
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record([
        line.home.as_ref(),
        &crate::time::format(line.time.time, line.time.offset),
        &line.action,
        &number(line.score),
        &number(line.threshold),
        &line.anomaly.to_string(),
        best.map_or("", |best| best.action.as_ref()),
        &number(best.and_then(|best| best.probability)),
    ])?;
    Ok(rows.flush()?)
}

/// What is said in the end.
#[derive(Default)]
pub(super) struct Told {
    behaviors: u64,
    anomalies: u64,
    hits: u64,
    alarms: i64,
}

impl Told {
    fn add(&mut self, heard: &Heard) {
        for score in &heard.scores {
            self.behaviors += 1;
            self.anomalies += u64::from(score.anomaly());
            let best = score.predictions.first();
            self.hits += u64::from(best.is_some_and(|(a, _)| *a == score.moment.action));
        }
        self.alarms += heard.alarms.iter().map(|(_, diff)| diff).sum::<i64>();
    }

    fn tell(&self, home: &str, accounts: &Accounts) {
        let Accounts {
            applied,
            duplicate,
            late,
            rejected,
            lines,
            first,
        } = accounts;
        eprintln!(
            "{home}: {applied} events, {duplicate} duplicates, {late} late, {rejected} rejected; \
             {lines} lines that are no events of this home's catalog"
        );
        if let Some(Rejected { source, reason, .. }) = first {
            eprintln!("the first such line: {source}: {reason}");
        }
        let share = 100.0 * self.hits as f64 / self.behaviors.max(1) as f64;
        eprintln!(
            "{} behaviors judged, {} of them anomalies, {} alarms; {share:.0} % were the action that was thought most probable",
            self.behaviors, self.anomalies, self.alarms
        );
    }
}
