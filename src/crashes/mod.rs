//! Every operation of a run on its disk is a point at which it can end, with what was not synced lost in any way. From each
//! the same command goes on, with another number of workers, and leaves what an undisturbed run leaves.
//!
//! A run is recorded once; what a point leaves is computed from its journal, so each point costs a restart and nothing else.
//! `HEARTH_CRASHES=6000 cargo test --release --lib crashes` goes through that many. What fails is printed with a command that
//! repeats it.

mod full;
mod household;
mod learnt;
mod mutated;
mod outputs;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../../tests/replay/llm/server.rs"]
mod server;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::disk::simulated::{Journal, Loss, Simulated};
use crate::replay::{self, Ground};
use crate::stop::Stop;
use household::{Household, built};
use learnt::Learnt;
use outputs::{Outputs, cuts, differ, is_complete, outputs, recorded, rolls, spent};

/// After how many epochs a checkpoint is taken, while the log is read.
const EACH: u64 = 4;

/// A run that was recorded.
#[derive(Serialize, Deserialize)]
struct Recorded {
    journal: Journal,
    /// Of the run itself.
    workers: usize,
    /// Calls that were made before it.
    calls: usize,
    port: u16,
    packs: bool,
}

/// Where a run ends.
#[derive(Clone, Copy, Debug)]
struct Point {
    /// Behind so many operations.
    operations: usize,
    loss: Loss,
    /// Workers of the run that goes on.
    workers: usize,
}

impl Point {
    /// The point of this number, if there are so many: all operations in turn, or as many as are wanted evenly.
    fn of(number: usize, wanted: usize, operations: usize) -> Self {
        let all = operations + 1;
        let (round, at) = match wanted < all {
            true => (number % 3, number * all / wanted),
            false => (number / all, number % all),
        };
        Point {
            operations: at,
            loss: match round {
                0 => Loss::All,
                1 => Loss::None,
                _ => Loss::Some(number as u64),
            },
            workers: 1 + (number + at) % 3,
        }
    }
}

/// A household with what an undisturbed run of it leaves.
struct Trial {
    household: Household,
    learnt: Learnt,
    expected: Outputs,
    answers: usize,
}

impl Trial {
    fn new(port: u16, packs: bool) -> Self {
        let household = Household::new(port, packs);
        let mut trial = Trial {
            household,
            learnt: Learnt::default(),
            expected: Outputs::new(),
            answers: 0,
        };
        let disk = Simulated::empty();
        trial.run(&disk, 1).unwrap();
        trial.expected = outputs(&disk);
        trial.answers = recorded(&disk);
        assert!(trial.answers > 5, "{} answers", trial.answers);
        assert!(rolls(&disk), "no stream is in several files");
        trial
    }

    /// Runs to the end.
    fn run(&self, disk: &Simulated, workers: usize) -> Result<(), String> {
        self.household.noted_by(disk);
        let arguments = self.household.arguments(workers);
        let services = |services| self.learnt.shared(services);
        let ground = Ground {
            disk: disk.disk(),
            services: &services,
            each: Some(EACH),
            ..Ground::default()
        };
        let ran = AssertUnwindSafe(|| replay::run_on(&ground, &arguments, &Stop::default()));
        match catch_unwind(ran) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("{error:#}")),
            Err(_) => Err("it panicked".to_owned()),
        }
    }

    /// Records an undisturbed run.
    fn record(&self, workers: usize) -> Recorded {
        let disk = Simulated::empty();
        self.run(&disk, workers).unwrap();
        differ(&self.expected, &outputs(&disk)).unwrap();
        Recorded {
            journal: disk.journal(),
            workers,
            calls: 0,
            port: self.household.port(),
            packs: self.household.packs(),
        }
    }

    /// Goes on from a point, and holds what comes of it to what is expected.
    fn go_on(&self, recorded_run: &Recorded, point: Point) -> Result<Recorded, String> {
        let Point {
            operations,
            loss,
            workers,
        } = point;
        let disk = recorded_run.journal.image(operations, loss).settled();
        if is_complete(&disk) {
            differ(&self.expected, &outputs(&disk))
                .map_err(|why| format!("it seemed complete, but {why}"))?;
        } else if operations == recorded_run.journal.operations() {
            return Err("it was complete, and is not any more".to_owned());
        }
        let known = recorded(&disk);
        let before = recorded_run.calls + recorded_run.journal.notes(operations);
        self.run(&disk, workers)?;
        let journal = disk.journal();
        let asked = journal.notes(journal.operations());
        differ(&self.expected, &outputs(&disk))?;
        let cuts = cuts(&disk);
        if cuts > 1 {
            return Err(format!("a complete run keeps {cuts} checkpoints"));
        }
        if asked + known != self.answers {
            let answers = self.answers;
            return Err(format!(
                "{asked} calls, where {known} of {answers} were recorded"
            ));
        }
        spent(&disk, before + asked)?;
        Ok(Recorded {
            journal,
            workers,
            calls: before,
            port: recorded_run.port,
            packs: recorded_run.packs,
        })
    }

    /// Goes through points of a run; of those that fail, what is to be told.
    fn points(&self, run: &Recorded, wanted: usize, failures: &mut Vec<String>) -> usize {
        let mut restarts = 0;
        for number in 0..wanted {
            let point = Point::of(number, wanted, run.journal.operations());
            restarts += 1;
            let again = match self.go_on(run, point) {
                Ok(again) => again,
                Err(why) => {
                    failures.push(told(run, point, &why));
                    continue;
                }
            };
            // The run that goes on may die as well.
            if number % 8 == 7 {
                let twice = Point {
                    operations: number * 37 % (again.journal.operations() + 1),
                    loss: Loss::Some(number as u64),
                    workers: 1 + number % 3,
                };
                restarts += 1;
                if let Err(why) = self.go_on(&again, twice) {
                    failures.push(told(&again, twice, &why));
                }
            }
        }
        restarts
    }
}

/// What went wrong, and how to see it again: the run is kept beside the build.
fn told(run: &Recorded, point: Point, why: &str) -> String {
    let folder = built();
    let bytes = bincode::serialize(run).unwrap();
    let file = folder.join(format!("{:08x}", crc32fast::hash(&bytes)));
    let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, bytes));
    let seed = match point.loss {
        Loss::All => "all".to_owned(),
        Loss::None => "none".to_owned(),
        Loss::Some(seed) => seed.to_string(),
    };
    let Point {
        operations,
        workers,
        ..
    } = point;
    format!(
        "{why}\n  of {} workers, behind operation {operations} ({}), {kept:?}\n  \
         HEARTH_CRASH={}:{operations}:{seed}:{workers} cargo test --release --lib crashes::one -- --ignored",
        run.workers,
        run.journal.describe(operations.saturating_sub(1)),
        file.display()
    )
}

fn number(variable: &str, default: usize) -> usize {
    let number = std::env::var(variable).ok();
    number.map_or(default, |number| number.parse().expect("a number"))
}

#[test]
fn from_every_point_it_goes_on_as_if_nothing_had_happened() {
    let wanted = number("HEARTH_CRASHES", 60).div_ceil(3);
    let began = Instant::now();
    let lane = |workers| {
        let trial = Trial::new(0, workers == 3);
        let run = trial.record(workers);
        let mut failures = Vec::new();
        let restarts = trial.points(&run, wanted, &mut failures);
        (run.journal.operations(), restarts, failures)
    };
    let lanes: Vec<_> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (1..=3)
            .map(|workers| scope.spawn(move || lane(workers)))
            .collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).collect()
    });
    let operations: Vec<usize> = lanes.iter().map(|lane| lane.0).collect();
    let restarts: usize = lanes.iter().map(|lane| lane.1).sum();
    let failures: Vec<String> = lanes.into_iter().flat_map(|lane| lane.2).collect();
    eprintln!(
        "{} points of runs of {operations:?} operations, {restarts} restarts, {:.1?}",
        3 * wanted,
        began.elapsed()
    );
    let shown = failures.len().min(12);
    assert!(
        failures.is_empty(),
        "{} points fail:\n{}",
        failures.len(),
        failures[..shown].join("\n")
    );
}

/// One point again, as a failure prints it: `HEARTH_CRASH=… cargo test --release --lib crashes::one -- --ignored --nocapture`.
#[test]
#[ignore = "it repeats what HEARTH_CRASH names"]
fn one() {
    let which = std::env::var("HEARTH_CRASH").expect("HEARTH_CRASH names a point");
    let parts: Vec<&str> = which.rsplitn(4, ':').collect();
    let [workers, seed, operations, file] = parts[..] else {
        panic!("HEARTH_CRASH is FILE:OPERATIONS:LOSS:WORKERS");
    };
    let run: Recorded = bincode::deserialize(&std::fs::read(Path::new(file)).unwrap()).unwrap();
    let point = Point {
        operations: operations.parse().unwrap(),
        loss: match seed {
            "all" => Loss::All,
            "none" => Loss::None,
            seed => Loss::Some(seed.parse().unwrap()),
        },
        workers: workers.parse().unwrap(),
    };
    let first = point.operations.saturating_sub(25);
    for number in first..point.operations {
        eprintln!("{number}: {}", run.journal.describe(number));
    }
    let image = run.journal.image(point.operations, point.loss);
    for (path, bytes) in image.files(Path::new("/")) {
        eprintln!("{}: {} bytes", path.display(), bytes.len());
    }
    if let Err(why) = Trial::new(run.port, run.packs).go_on(&run, point) {
        panic!("{why}");
    }
}
