//! `hearth bench adapt`: what a home's adaptation costs, by stage.
//!
//! Simulated homes go through the dataflow of a replay, models and synthesizer on the pool as there; only scores are left
//! out, which are no part of an adaptation. Each job counts the CPU time of its thread for its home.

use std::collections::BTreeMap;
use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use hearth_operators::offload::{Answer, Outside};
use hearth_operators::score::{Judgement, ToScore};
use hearth_operators::split::Notice;
use hearth_operators::words::{
    Behavior, Candidates, Catalog, Catalogs, Filtered, HomeId, Line, Reply, Request, Shift,
};
use serde::Serialize;

use super::report::Report;
use super::{count, median};
use crate::config::Config;
use crate::dataflow::{self, Dataflow};
use crate::models::Preset;
use crate::notes::Notes;
use crate::pool::{Pool, Stop, Urgency, cpu_micros};
use crate::services::{Services, Workload};
use crate::simulate::{self, Event, PlantedShift, Sink};
use crate::sinks::grouped;
use crate::synthesizers::{Embedded, Knowledge, Synthesizer};
use crate::{filter, replay, trainer};

/// Measure what a home's adaptation costs, by stage, and how many homes are adapted a CPU minute
///
/// Simulates homes with a shift each and runs them as a replay does: requests, the embedded synthesizer, both stages of the
/// outlier filter, the new detector and predictor. Scores are left out. Each job counts the CPU seconds of its own thread;
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

/// What homes took, as the report has it.
#[derive(Clone, Debug, Serialize)]
pub struct Adaptation {
    /// Sizes of the models.
    pub preset: Preset,
    /// Homes that were adapted.
    pub homes: usize,
    /// Threads that trained.
    pub threads: usize,
    /// CPU seconds a home, by stage, and of all stages.
    pub stages: Vec<Share>,
    /// CPU seconds of what is done for all homes at once: the cohort's first models.
    pub foundation_cpu_seconds: f64,
    /// CPU seconds of the dataflow and of embedding, up to the requests.
    pub requests_cpu_seconds: f64,
    /// From the first event to the last adaptation.
    pub wall_seconds: f64,
}

/// CPU seconds a home.
#[derive(Clone, Debug, Serialize)]
pub struct Share {
    /// Of what.
    pub what: &'static str,
    /// Half of the homes take at most this.
    pub median: f64,
    /// Nine of ten homes take at most this.
    pub p90: f64,
    /// Over all homes.
    pub mean: f64,
}

impl Share {
    fn new(what: &'static str, mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let p90 = (seconds.len() * 9).div_ceil(10).saturating_sub(1);
        Share {
            what,
            p90: seconds.get(p90).copied().unwrap_or(0.0),
            mean: seconds.iter().sum::<f64>() / seconds.len().max(1) as f64,
            median: median(seconds),
        }
    }
}

impl Adaptation {
    /// Homes a CPU minute, their share of the dataflow and of the cohort's models included.
    pub fn homes_a_minute(&self) -> f64 {
        let homes = self.homes as f64;
        let own = self.stages.last().map_or(0.0, |all| all.mean) * homes;
        let cpu = own + self.foundation_cpu_seconds + self.requests_cpu_seconds;
        60.0 * homes / cpu.max(1e-9)
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
    let settings = trainer::Settings {
        preset: args.preset,
        seed: args.seed,
    };
    let (stop, workload, meter) = (Stop::default(), Workload::default(), Meter::default());
    let pool = Pool::new(args.threads.get(), stop.clone())?;
    let services = services(&pool, &workload, &catalog, settings, &meter);
    let began = Instant::now();
    let spent = cpu_micros();
    run_dataflow(log, services, &catalog);
    let dataflow = cpu_micros().saturating_sub(spent);
    drop(pool);
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
        requests_cpu_seconds: seconds(dataflow + encode),
        wall_seconds: began.elapsed().as_secs_f64(),
    });
    report.publish(args.json.as_deref(), args.svg.as_deref())
}

/// Simulated homes, in memory.
#[derive(Default)]
struct Log {
    behaviors: Vec<Behavior>,
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
        self.behaviors.push(Behavior {
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
fn services(
    pool: &Pool,
    workload: &Workload,
    catalog: &Arc<Catalog>,
    settings: trainer::Settings,
    meter: &Meter,
) -> Services {
    let catalogs = Catalogs::shared(catalog.clone());
    let mut services = Services::new(pool, workload, &catalogs, &Notes::default(), settings, None);
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

/// Runs a log through the dataflow on this thread, until everything is out.
fn run_dataflow(log: Log, services: Services, catalog: &Arc<Catalog>) {
    const NAP: Duration = Duration::from_millis(20);
    let config = Config::default();
    let settings = replay::dataflow_settings(&config, &Catalogs::shared(catalog.clone()));
    timely::execute_directly(move |worker| {
        // Nobody reads the rows; sending to nobody is no error.
        let (rows, _) = crossbeam_channel::unbounded();
        let Dataflow {
            mut behaviors,
            mut notices,
            done,
            ..
        } = worker.dataflow(|scope| dataflow::build(scope, &settings, &services, &rows));
        for shift in log.shifts {
            notices.send(Notice::Shift(shift));
        }
        for (epoch, batch) in (1..).zip(log.behaviors.chunks(config.epoch_events.get())) {
            behaviors.send_batch(&mut batch.to_vec());
            behaviors.advance_to(epoch);
            notices.advance_to(epoch);
            worker.step();
        }
        notices.send(Notice::LogEnd);
        drop((behaviors, notices));
        while !done.done() {
            worker.step_or_park(Some(NAP));
        }
    });
}

/// A line a stage, of each measurement.
pub(super) fn table(adaptations: &[Adaptation]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for adaptation in adaptations {
        let Adaptation {
            preset,
            homes,
            threads,
            stages,
            foundation_cpu_seconds: foundation,
            requests_cpu_seconds: requests,
            wall_seconds: wall,
        } = adaptation;
        let _ = writeln!(
            text,
            "{} homes, preset {preset:?}, {threads} threads; CPU seconds a home\n{:<28} {:>8} {:>8} {:>8}",
            grouped(*homes as u64),
            "",
            "median",
            "p90",
            "mean"
        );
        for Share {
            what,
            median,
            p90,
            mean,
        } in stages
        {
            let _ = writeln!(text, "{what:<28} {median:>8.3} {p90:>8.3} {mean:>8.3}");
        }
        let each = requests / (*homes).max(1) as f64;
        let _ = writeln!(
            text,
            "{:<28} {:>8} {:>8} {each:>8.3}\nfirst models of all homes, once: {foundation:.2} CPU s\n\
             {:.0} homes a CPU minute, everything included; {wall:.1} s by the clock",
            "dataflow up to the requests",
            "",
            "",
            adaptation.homes_a_minute()
        );
    }
    text
}
