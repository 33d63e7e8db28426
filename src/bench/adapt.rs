//! `hearth bench adapt`: what a home's adaptation costs, by stage.
//!
//! Simulated homes go through the dataflow of a replay, models and synthesizer on the pool as there; only scores are left
//! out, which are no part of an adaptation. Each job counts the CPU time of its thread for its home.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use hearth_operators::dataflow::Services;
use hearth_operators::outside::{Answer, Outside};
use hearth_operators::score::{Judgement, ToScore};
use hearth_operators::words::{
    Behavior, Candidates, Catalog, Catalogs, Filtered, HomeId, Line, Reply, Request, Shift,
};

use super::adaptations::{Adaptation, Share};
use super::measure::cpu_seconds;
use super::report::Report;
use super::values::count;
use crate::config::Config;
use crate::engine::{self, Epochs, Resumed, Setup};
use crate::models::Preset;
use crate::notes::Notes;
use crate::pool::{Pool, Urgency, cpu_micros};
use crate::services::{self, Workload};
use crate::settings::settings;
use crate::simulate::{self, Event, PlantedShift, Sink};
use crate::sinks::RowSender;
use crate::sources::{Batch, Flow, Source, SourceError};
use crate::stop::Stop;
use crate::synthesizers::{Embedded, Knowledge, Synthesizer};
use crate::{filter, trainer};

/// Measure what a home's adaptation costs, by stage, and how many homes are adapted a CPU minute
///
/// Simulates homes with a shift each and runs them as a replay does: requests, the embedded synthesizer, both stages of the
/// outlier filter, and in the preset `paper` the new detector and predictor (otherwise models are maintained with every segment, and an
/// adaptation is what synthesis and filter take). Scores are left out. Each job counts the CPU seconds of its own thread;
/// the table gives median, ninth decile and mean over the homes. What is done once for all homes stands apart.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth bench adapt
  hearth bench adapt --homes 20 --preset paper --json adapt.json
  hearth bench adapt --homes 1k --threads 4 --svg adapt.svg")]
pub struct AdaptArgs {
    /// Homes, each with a shift
    #[arg(long, value_name = "NUMBER", default_value = "200", value_parser = number)]
    pub homes: NonZeroU32,

    /// Days that a home lives; the shift is about the middle
    #[arg(long, value_name = "DAYS", default_value = "30")]
    pub days: simulate::Days,

    /// Sizes of the models
    #[arg(long, value_enum, default_value_t)]
    pub preset: Preset,

    /// Threads that train; CPU seconds hardly depend on their number, the time does
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    pub threads: NonZeroUsize,

    /// Where all chance comes from
    #[arg(long, value_name = "SEED", default_value = "2024")]
    pub seed: u64,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Draw the stages
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

fn number(text: &str) -> Result<NonZeroU32, String> {
    let homes = u32::try_from(count(text)?).map_err(|_| format!("`{text}` homes are too many"))?;
    NonZeroU32::new(homes).ok_or_else(|| "give at least one home".to_owned())
}

/// A stage of adaptation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Synthesis,
    FilterFirst,
    FilterSecond,
    Training,
}

impl Stage {
    const ALL: [Stage; 4] = [
        Stage::Synthesis,
        Stage::FilterFirst,
        Stage::FilterSecond,
        Stage::Training,
    ];

    fn name(self) -> &'static str {
        match self {
            Stage::Synthesis => "embedded synthesis",
            Stage::FilterFirst => "filter, stage 1",
            Stage::FilterSecond => "filter, stage 2",
            Stage::Training => "detector and predictor",
        }
    }
}

/// CPU microseconds by home and stage.
#[derive(Clone, Default)]
struct Meter(Arc<Mutex<BTreeMap<HomeId, BTreeMap<Stage, u64>>>>);

impl Meter {
    /// Does some work of a home, on this thread, and counts what it takes.
    fn time<T>(&self, home: HomeId, stage: Stage, work: impl FnOnce() -> T) -> T {
        let began = cpu_micros();
        let done = work();
        let spent = cpu_micros().saturating_sub(began);
        let mut homes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *homes.entry(home).or_default().entry(stage).or_default() += spent;
        done
    }

    /// By stage, and in all.
    fn shares(&self) -> (usize, Vec<Share>) {
        let homes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = |micros: u64| micros as f64 / 1e6;
        let of = |stage: Stage| {
            let each = homes.values();
            let each = each.map(|home| seconds(home.get(&stage).copied().unwrap_or(0)));
            Share::new(stage.name(), each.collect())
        };
        let mut shares: Vec<Share> = Stage::ALL.map(of).into();
        let all = homes.values().map(|home| seconds(home.values().sum()));
        shares.push(Share::new("in all", all.collect()));
        (homes.len(), shares)
    }
}

/// Runs the command.
///
/// # Errors
/// The homes cannot be simulated, a model fails, or the report cannot be written.
pub fn run(args: &AdaptArgs) -> anyhow::Result<()> {
    let mut report = Report::new();
    let catalog = Arc::new(simulate::catalog()?);
    let log = Log::simulated(args)?;
    let training = trainer::Settings {
        preset: args.preset,
        seed: args.seed,
    };
    let (stop, workload, meter) = (Stop::default(), Workload::default(), Meter::default());
    let pool = Pool::new(args.threads.get(), stop.clone())?;
    let services = metered_services(&pool, &workload, &catalog, training, &meter);
    let began = Instant::now();
    let spent = cpu_seconds();
    run_engine(log, services, &catalog, args.preset, &stop)?;
    drop(pool);
    // What the process took beside its jobs.
    let jobs = workload
        .all()
        .map(|(_, work)| work.cpu_micros.load(Ordering::Relaxed));
    let dataflow = cpu_seconds() - spent - jobs.iter().sum::<u64>() as f64 / 1e6;
    if let Some(failure) = stop.failure() {
        anyhow::bail!(failure);
    }
    let (homes, stages) = meter.shares();
    anyhow::ensure!(
        homes > 0,
        "no home was adapted: the simulation is too short to train first models on; give more --days or --homes"
    );
    let seconds = |micros: u64| micros as f64 / 1e6;
    let encode = workload.encode.cpu_micros.load(Ordering::Relaxed);
    report.adaptations.push(Adaptation {
        preset: args.preset,
        homes,
        threads: args.threads.get(),
        stages,
        foundation_cpu_seconds: seconds(workload.foundation.cpu_micros.load(Ordering::Relaxed)),
        requests_cpu_seconds: dataflow.max(0.0) + seconds(encode),
        wall_seconds: began.elapsed().as_secs_f64(),
    });
    report.publish(args.json.as_deref(), args.svg.as_deref())
}

/// Simulated homes, in memory.
#[derive(Default)]
struct Log {
    behaviors: VecDeque<Behavior>,
    shifts: Vec<Shift>,
}

impl Log {
    fn simulated(args: &AdaptArgs) -> anyhow::Result<Self> {
        let settings = simulate::Settings {
            homes: args.homes,
            days: args.days,
            seed: args.seed,
            ..simulate::Settings::default()
        };
        let folder = tempfile::tempdir().context("cannot make a folder for the simulation")?;
        let mut log = Log::default();
        simulate::simulate(&settings, &folder.path().join("spool"), &mut log)?;
        Ok(log)
    }
}

impl Sink for Log {
    fn shift(&mut self, shift: &PlantedShift) -> io::Result<()> {
        self.shifts.push(Shift {
            home: Some(HomeId(shift.home)),
            time: shift.time,
            offset: shift.offset,
            kind: shift.kind,
            from: shift.from.to_owned(),
            to: shift.to.to_owned(),
        });
        Ok(())
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.behaviors.push_back(Behavior {
            home: HomeId(event.home),
            moment: event.moment,
            id: None,
            line: Line {
                file: 0,
                line: self.behaviors.len() as u64 + 1,
            },
        });
        Ok(())
    }
}

/// The services of a replay, those of a home's adaptation metered, and nobody to score.
fn metered_services(
    pool: &Pool,
    workload: &Workload,
    catalog: &Arc<Catalog>,
    settings: trainer::Settings,
    meter: &Meter,
) -> Services {
    let catalogs = Catalogs::shared(catalog.clone());
    let mut services =
        services::services(pool, workload, &catalogs, &Notes::default(), settings, None);
    let synthesizer = Embedded::new(catalog.clone(), Knowledge::builtin(), settings.seed);
    services.synthesizer = Some(pool.offer(Urgency::Patient, workload.synthesize.clone(), {
        let meter = meter.clone();
        move |request: Arc<Request>| {
            let outcome = meter.time(request.key.shift.home, Stage::Synthesis, || {
                synthesizer.synthesize(&request)
            });
            Ok(Reply { request, outcome })
        }
    }));
    services.filter = pool.offer(Urgency::Patient, workload.filter.clone(), {
        let (meter, catalog) = (meter.clone(), catalog.clone());
        move |candidates: Candidates| {
            let home = candidates.key.home;
            let sifted = meter.time(home, Stage::FilterFirst, || {
                filter::first_stage(&catalog, &candidates, &settings)
            });
            meter
                .time(home, Stage::FilterSecond, || sifted?.second_stage())
                .map_err(|error| format!("filtering candidates failed: {error}"))
        }
    });
    services.trainer = pool.offer(Urgency::Patient, workload.train.clone(), {
        let (meter, catalog) = (meter.clone(), catalog.clone());
        move |filtered: Filtered| {
            meter
                .time(filtered.key.home, Stage::Training, || {
                    trainer::adapt(&catalog, &filtered, &settings)
                })
                .map_err(|error| format!("adapting a home failed: {error}"))
        }
    });
    let nobody = |_: ToScore, _: Answer<Judgement>| {};
    services.models = Arc::new(nobody) as Arc<dyn Outside<ToScore, Judgement>>;
    services
}

/// Runs a log through the dataflow, until everything is out.
fn run_engine(
    log: Log,
    services: Services,
    catalog: &Arc<Catalog>,
    preset: Preset,
    stop: &Stop,
) -> anyhow::Result<()> {
    let config = Config {
        preset,
        ..Config::default()
    };
    let setup = Setup {
        workers: 1,
        dataflow: settings(&config, &Catalogs::shared(catalog.clone())),
        services,
        outlet: Arc::new(RowSender::nowhere()),
        resumed: Resumed::default(),
        epochs: Epochs {
            lines: config.epoch_events.get(),
            interval: None,
        },
        stop: stop.clone(),
        watch: Arc::new(()),
    };
    let outcome = engine::start(setup, log)?.finish();
    Ok(outcome.source?)
}

impl Source for Log {
    fn read(&mut self, limit: usize, _: Instant, batch: &mut Batch) -> Result<Flow, SourceError> {
        batch.shifts.append(&mut self.shifts);
        let count = limit.min(self.behaviors.len());
        batch.behaviors.extend(self.behaviors.drain(..count));
        batch.position.line += count as u64;
        Ok(match self.behaviors.is_empty() {
            true => Flow::Ended,
            false => Flow::Open,
        })
    }
}
