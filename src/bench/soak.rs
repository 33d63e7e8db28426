//! `hearth bench soak`: whether memory grows while homes live on.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use hearth_operators::dataflow::{Services, Settings};
use hearth_operators::words::{Behavior, Catalogs, HomeId, Line, Moment, Time};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;

use super::values::{count, homes};
use super::workload::{self, BEGIN, Choice};
use crate::config::{Config, Span};
use crate::engine::{self, Epochs, Resumed, Setup};
use crate::home_names::HomeNames;
use crate::memory::rss;
use crate::notes::Notes;
use crate::pool::{Pool, cpu_micros_of_process};
use crate::services::{Workload, services};
use crate::settings::settings;
use crate::sinks::RowSender;
use crate::sources::{Batch, Flow, Source, SourceError};
use crate::stop::Stop;
use crate::trainer;

/// Measure whether memory grows while homes live on
///
/// Homes act at a steady rate, day after day of their own time; each falls silent for two weeks of every four, and comes back;
/// one event in a hundred comes late. What comes of it is dropped. Memory is read every few seconds; its slope after the warm-up is that of
/// a straight line through twenty means, with an interval of 95 %.
///
/// What a home did is kept, so memory grows with what happens until a home is as old as --keep is long; with --learn models learn, too.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth bench soak --duration 5m
  hearth bench soak --homes 10k --rate 10000 --duration 1h --json soak.json
  hearth bench soak --keep 14d --duration 1h
  hearth bench soak --learn --keep 14d --rate 1000 --duration 1h")]
pub struct SoakArgs {
    /// Homes
    #[arg(long, value_name = "NUMBER", default_value = "10k", value_parser = homes)]
    pub homes: u32,

    /// Events a second of the clock
    #[arg(long, value_name = "NUMBER", default_value = "10k", value_parser = count)]
    pub rate: u64,

    /// How long
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub duration: Span,

    /// How long memory is read before it counts; none: a quarter of the duration
    #[arg(long, value_name = "DURATION")]
    pub warm_up: Option<Span>,

    /// How often memory is read
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub every: Span,

    /// Forget what a home did longer ago than this; none: nothing
    #[arg(long, value_name = "DURATION")]
    pub keep: Option<Span>,

    /// Let models learn
    #[arg(long)]
    pub learn: bool,

    /// Worker threads of the dataflow
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = count)]
    pub workers: u64,

    /// Where all chance comes from
    #[arg(long, value_name = "SEED", default_value = "2024")]
    pub seed: u64,

    /// Write all that was read as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// What was read at a moment.
#[derive(Clone, Copy, Debug, Serialize)]
struct Sample {
    seconds: f64,
    rss_bytes: u64,
    events: u64,
    cpu_seconds: f64,
}

/// Runs the command.
///
/// # Errors
/// The engine fails, or the report cannot be written.
pub fn run(args: &SoakArgs, stop: &Stop) -> anyhow::Result<()> {
    let _heeded = stop.heed();
    let samples = measure(args, stop)?;
    let warm = args
        .warm_up
        .map_or(args.duration.duration() / 4, Span::duration);
    let counted = samples
        .iter()
        .filter(|sample| sample.seconds >= warm.as_secs_f64());
    let counted: Vec<Sample> = counted.copied().collect();
    if let (Some(first), Some(last)) = (counted.first(), counted.last()) {
        let hours = (last.seconds - first.seconds) / 3600.0;
        println!(
            "{} homes, {} events in {:.0} s, {:.1} % of a core; memory {} MiB at the end of the warm-up, {} MiB at the end",
            args.homes,
            last.events,
            last.seconds,
            100.0 * last.cpu_seconds / last.seconds,
            first.rss_bytes >> 20,
            last.rss_bytes >> 20,
        );
        match slope(&counted) {
            Some(Slope { slope, within }) => println!(
                "slope {:+.0} ± {:.0} KiB an hour (95 %), over {hours:.2} hours; {:+.2} bytes an event",
                slope * 3600.0 / 1024.0,
                within * 3600.0 / 1024.0,
                slope * (last.seconds - first.seconds) / (last.events - first.events).max(1) as f64,
            ),
            None => println!("too few readings for a slope; run for longer"),
        }
    }
    args.json
        .as_deref()
        .map_or(Ok(()), |file| write(file, &samples))
}

fn write(file: &Path, samples: &[Sample]) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(samples)?;
    std::fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
}

/// Runs the engine, and reads its memory on the way.
fn measure(args: &SoakArgs, stop: &Stop) -> anyhow::Result<Vec<Sample>> {
    let names = HomeNames::default();
    for home in 0..args.homes {
        names.intern(&format!("h-{home}"));
    }
    let config = Config {
        keep: args.keep,
        ..Config::default()
    };
    let catalogs = Catalogs::shared(Arc::new(workload::catalog()?));
    let pool = Pool::new(1, stop.clone())?;
    let training = trainer::Settings {
        preset: config.preset,
        seed: args.seed,
    };
    let notes = Notes::new(names);
    let services = match args.learn {
        true => services(
            &pool,
            &Workload::default(),
            &catalogs,
            &notes,
            training,
            None,
        ),
        false => Services::nobody(),
    };
    let setup = Setup {
        workers: usize::try_from(args.workers)?,
        dataflow: Settings {
            learn: args.learn,
            ..settings(&config, &catalogs)
        },
        services,
        outlet: Arc::new(RowSender::nowhere()),
        resumed: Resumed::default(),
        epochs: Epochs {
            lines: config.epoch_events.get(),
            interval: Some(Duration::from_secs(1)),
        },
        stop: stop.clone(),
        watch: Arc::new(()),
    };
    let mut engine = engine::start(setup, Lives::new(args))?;
    let (began, mut samples) = (Instant::now(), Vec::new());
    while began.elapsed() < args.duration.duration() && !stop.is_stopped() {
        let reached = engine.run(args.every.duration());
        samples.push(Sample {
            seconds: began.elapsed().as_secs_f64(),
            rss_bytes: rss().unwrap_or(0),
            events: reached.lines,
            cpu_seconds: cpu_micros_of_process() as f64 / 1e6,
        });
    }
    drop(engine);
    match stop.failure() {
        Some(failure) => anyhow::bail!(failure),
        None => Ok(samples),
    }
}

/// A silence, and as long a time of life before it.
const SILENCE: i64 = 14 * 24 * Time::HOUR;
/// Mean pause between two events of a home that is not silent.
const PAUSE: f64 = 72.0 * 60.0 * Time::SECOND as f64;

/// Homes that act at a steady rate of the clock.
struct Lives {
    began: Instant,
    rate: f64,
    given: u64,
    chance: ChaCha8Rng,
    choice: Choice,
    /// When each home acts next.
    next: BinaryHeap<Reverse<(i64, u32)>>,
}

impl Lives {
    fn new(args: &SoakArgs) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(args.seed);
        let next = (0..args.homes).map(|home| {
            let first = BEGIN + chance.random_range(0..24 * Time::HOUR);
            Reverse((first, home))
        });
        Lives {
            next: next.collect(),
            began: Instant::now(),
            rate: args.rate as f64,
            given: 0,
            chance,
            choice: Choice::new(),
        }
    }

    fn give(&mut self) -> Option<Behavior> {
        let Reverse((now, home)) = self.next.pop()?;
        self.given += 1;
        let late = self.chance.random_bool(0.01);
        let before = i64::from(late) * self.chance.random_range(0..12 * Time::HOUR);
        let pause = -(1.0 - self.chance.random::<f64>()).ln() * PAUSE;
        let then = awake(now + pause as i64, home);
        self.next.push(Reverse((then, home)));
        Some(Behavior {
            home: HomeId(home),
            moment: Moment {
                time: Time((now - before) / Time::SECOND * Time::SECOND),
                action: self.choice.action(&mut self.chance),
                offset: 0,
            },
            id: None,
            line: Line {
                file: 0,
                line: self.given,
            },
        })
    }
}

/// The first instant from then on at which the home is not silent. Silences of homes are spread over time.
fn awake(then: i64, home: u32) -> i64 {
    let shifted = then + i64::from(home).wrapping_mul(7 * Time::HOUR + 11 * Time::SECOND);
    let within = shifted.rem_euclid(2 * SILENCE);
    match within < SILENCE {
        true => then,
        false => then + 2 * SILENCE - within,
    }
}

impl Source for Lives {
    fn read(
        &mut self,
        limit: usize,
        deadline: Instant,
        batch: &mut Batch,
    ) -> Result<Flow, SourceError> {
        let due = (self.began.elapsed().as_secs_f64() * self.rate) as u64;
        let count = due.saturating_sub(self.given).min(limit as u64);
        if count == 0 {
            let wait = deadline.saturating_duration_since(Instant::now());
            std::thread::sleep(wait.min(Duration::from_millis(100)));
        }
        for _ in 0..count {
            batch.behaviors.extend(self.give());
        }
        batch.position.line = self.given;
        Ok(Flow::Open)
    }

    fn trickles(&self) -> bool {
        true
    }
}

/// How quickly memory grows, in bytes a second, and within which distance of that it truly does, by 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Slope {
    slope: f64,
    within: f64,
}

/// Means that a line is laid through: neighbouring readings are alike, means of many are hardly.
const MEANS: usize = 20;
/// Student's t for two less, both sides, 95 %.
const STUDENT: f64 = 2.101;

/// The slope of a straight line through means; `None` where there are too few readings.
fn slope(samples: &[Sample]) -> Option<Slope> {
    let each = samples.len() / MEANS;
    if each == 0 {
        return None;
    }
    let mean = |of: &[Sample]| {
        let number = of.len() as f64;
        let time = of.iter().map(|sample| sample.seconds).sum::<f64>();
        let bytes = of.iter().map(|sample| sample.rss_bytes as f64).sum::<f64>();
        (time / number, bytes / number)
    };
    // The oldest ones that do not fill a mean are left out.
    let rest = samples.len() - each * MEANS;
    let means: Vec<(f64, f64)> = samples[rest..].chunks(each).map(mean).collect();
    let number = means.len() as f64;
    let x = means.iter().map(|(x, _)| x).sum::<f64>() / number;
    let y = means.iter().map(|(_, y)| y).sum::<f64>() / number;
    let across = means.iter().map(|(at, _)| (at - x).powi(2)).sum::<f64>();
    let slope = means
        .iter()
        .map(|(at, of)| (at - x) * (of - y))
        .sum::<f64>()
        / across;
    let off = means
        .iter()
        .map(|(at, of)| (of - y - slope * (at - x)).powi(2));
    let within = STUDENT * (off.sum::<f64>() / (number - 2.0) / across).sqrt();
    Some(Slope { slope, within })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(bytes: impl Fn(f64) -> f64) -> Vec<Sample> {
        let sample = |n: u32| {
            let seconds = f64::from(n) * 5.0;
            Sample {
                seconds,
                rss_bytes: bytes(seconds) as u64,
                events: 0,
                cpu_seconds: 0.0,
            }
        };
        (0..405).map(sample).collect()
    }

    #[test]
    fn a_slope_is_found_within_its_interval() {
        let straight = slope(&samples(|seconds| 1e9 + 250.0 * seconds)).unwrap();
        assert!((straight.slope - 250.0).abs() < 0.1, "{straight:?}");
        assert!(straight.within < 0.1, "{straight:?}");
        let wave = slope(&samples(|seconds| 1e9 + 1e6 * (seconds / 70.0).sin())).unwrap();
        assert!(wave.slope.abs() < wave.within, "{wave:?}");
        assert_eq!(slope(&samples(|_| 1e9)[..19]), None);
    }

    #[test]
    fn homes_are_silent_half_of_the_time_and_come_back() {
        let mut chance = ChaCha8Rng::seed_from_u64(1);
        let mut silent = 0;
        for _ in 0..10_000 {
            let then = BEGIN + chance.random_range(0..1000 * Time::HOUR);
            let home = chance.random_range(0..10_000);
            let awake_at = awake(then, home);
            assert!((then..=then + SILENCE).contains(&awake_at));
            assert_eq!(awake(awake_at, home), awake_at);
            silent += usize::from(awake_at > then);
        }
        assert!((4500..5500).contains(&silent), "{silent}");
    }
}
