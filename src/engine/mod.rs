//! One way to run the dataflow: a source is read, cut into epochs, fed and computed, whoever wants to know what comes of it.
//!
//! ```text
//! source ─(reader thread)─> epochs, dealt ─> first worker ─┐
//!                              └─ as it says ─> others ────┴─ the dataflow ─> rows
//! ```
//!
//! An [`Engine`] does nothing until it is told to: [`step`](Engine::step) feeds some epochs and comes back,
//! [`suspend`](Engine::suspend) takes the dataflow down without saying to it that the log has ended,
//! [`finish`](Engine::finish) feeds the rest, says so, and waits until everything is out.

mod control;
mod deal;
mod driver;
mod outlet;
mod reader;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use hearth_operators::dataflow::{Services, Settings, State};
use hearth_operators::words::Epoch;
use timely::communication::WorkerGuards;
use timely::execute::execute_from;
use timely::worker::Worker;

use crate::cluster::{Links, Share, Wires};
use crate::sources::{Position, Source, SourceError};
use crate::stop::Stop;
use control::{Control, Order};
pub use deal::Dealt;
pub use driver::SHARE;
use driver::{Driver, Place};
pub use outlet::{Outlet, Probes};
use reader::Reader;

/// Epochs that may wait for the first worker.
const DECODED: usize = 4;

/// How long a reader may take to end once nobody takes what it reads.
const READER_ENDS: Duration = Duration::from_millis(300);

/// What an engine is started with.
pub struct Setup {
    /// Threads that share the homes.
    pub workers: usize,
    /// What the dataflow is built with.
    pub dataflow: Settings,
    /// What it asks for.
    pub services: Services,
    /// Takes what it gives.
    pub outlet: Arc<dyn Outlet>,
    /// What it goes on from; nothing, to begin.
    pub resumed: Resumed,
    /// When an epoch closes.
    pub epochs: Epochs,
    /// Ends the run early.
    pub stop: Stop,
    /// Who is told how it goes.
    pub watch: Arc<dyn Watch>,
}

/// When an epoch closes: at whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs {
    /// So many lines are in it.
    pub lines: usize,
    /// Its first line is so old by the clock. `None`: lines alone count, so that equal inputs have equal epochs.
    pub interval: Option<Duration>,
}

impl Epochs {
    /// Where the source says it.
    const AS_SAID: Epochs = Epochs {
        lines: usize::MAX,
        interval: None,
    };
}

/// Is told by the first worker, as it happens, and asked by the reader; they go on when the call returns.
pub trait Watch: Send + Sync {
    /// An epoch is about to be fed.
    fn feeds(&self, _epoch: Epoch, _dealt: &Dealt) {}

    /// Whether no more is to be read for the moment; asked by the reader, before each epoch and while it waits.
    fn holds_back(&self) -> bool {
        false
    }

    /// All segments, transitions and accounts of an epoch are out. Epochs come in order.
    fn out(&self, _epoch: Epoch) {}
}

/// Nobody is told.
impl Watch for () {}

/// Where a suspended engine was.
#[derive(Default)]
pub struct Resumed {
    /// Epochs that were fed.
    pub epochs: Epoch,
    /// Whether the dataflow was told that the log has ended: then nothing is read any more.
    pub closed: bool,
    /// Where the source stood.
    pub position: Position,
    /// What the operators held, by worker.
    pub states: Vec<State>,
}

/// How far an engine has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Epochs that were fed.
    pub epochs: Epoch,
    /// Of these, epochs whose segments, transitions and accounts are out: the first so many.
    pub out: Epoch,
    /// Lines that were fed.
    pub lines: u64,
    /// Of these, what people say.
    pub told: u64,
    /// Where the source stands behind them.
    pub position: Position,
    /// Whether the source has ended.
    pub ended: bool,
    /// Whether that position lies behind an epoch that is still to be fed.
    pub torn: bool,
    /// Whether the dataflow was told that the log has ended.
    pub closed: bool,
}

impl Reached {
    /// Whether so many epochs are out, or all that there are.
    pub fn is_at(&self, goal: Epoch) -> bool {
        self.out == self.epochs && (self.epochs >= goal || self.ended)
    }
}

/// What an engine has done when it is no more.
pub struct Outcome {
    /// How far it came.
    pub reached: Reached,
    /// When everything fed was accounted for, after the start.
    pub ingested: Duration,
    /// Epochs of which everything is out, adaptations and scores included: the first so many. `None`: all, and what the end of
    /// the log brought.
    pub complete: Option<Epoch>,
    /// What became of the source. All that it gave was fed, whatever is said here.
    pub source: Result<(), SourceError>,
    /// What the operators held, where the engine was suspended: what another one goes on from.
    pub resumed: Option<Resumed>,
    /// What they held in the end, by worker, where everything is out.
    pub left: Vec<State>,
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
#[error(
    "the engine cannot start: {0}; more threads may be allowed, or fewer workers asked for with --workers"
)]
pub struct StartError(String);

/// A running dataflow. Dropping it is suspending it.
pub struct Engine {
    control: Arc<Control>,
    stop: Stop,
    reader: Option<JoinHandle<Result<(), SourceError>>>,
    workers: Option<WorkerGuards<()>>,
    /// Of a cluster: what goes to other processes, and comes from them.
    wires: Option<Wires>,
}

/// Starts the threads and builds the dataflow.
///
/// # Errors
/// The system gives no more threads.
pub fn start(setup: Setup, source: impl Source + 'static) -> Result<Engine, StartError> {
    start_among(setup, source, None)
}

/// The same as a part of a cluster, if there are links to other processes: each of them reads the same source, and feeds what is
/// of its own homes.
///
/// # Errors
/// The system gives no more threads.
pub fn start_among(
    mut setup: Setup,
    source: impl Source + 'static,
    links: Option<Links>,
) -> Result<Engine, StartError> {
    let closed = setup.resumed.closed;
    let share = match &links {
        Some(links) => links.share(),
        None => Share::whole(setup.workers),
    };
    let control = Arc::new(Control::new(std::mem::take(&mut setup.resumed), share));
    let stop = setup.stop.clone();
    let (give, decoded) = bounded::<Dealt>(DECODED);
    let reader = Reader {
        source,
        epochs: setup.epochs,
        share,
        stop: stop.clone(),
        control: control.clone(),
        watch: setup.watch.clone(),
        give,
    };
    let reader = std::thread::Builder::new()
        .name("reader".into())
        .spawn(move || reader.run())
        .map_err(|error| StartError(error.to_string()))?;
    let timely::Config {
        communication,
        worker,
    } = timely::Config::process(setup.workers);
    let (builders, wires) = match links {
        None => {
            let (builders, _) = communication.try_build().map_err(StartError)?;
            (builders, None)
        }
        Some(links) => {
            let (builders, wires) = links.build().map_err(|e| StartError(e.to_string()))?;
            (builders, Some(wires))
        }
    };
    let driver = Driver {
        places: Place::all(decoded, setup.workers, closed),
        setup,
        share,
        control: control.clone(),
        began: Instant::now(),
    };
    let drive = move |worker: &mut Worker| driver.drive(worker);
    let workers = execute_from(builders, Box::new(()), worker, drive).map_err(StartError)?;
    Ok(Engine {
        control,
        stop,
        reader: Some(reader),
        workers: Some(workers),
        wires,
    })
}

impl Engine {
    /// Feeds that many more epochs, or what there is until the source ends, and waits until their segments and transitions
    /// are out. Comes back sooner if the run is stopped.
    pub fn step(&mut self, epochs: Epoch) -> Reached {
        let goal = self.control.reached().epochs.saturating_add(epochs);
        self.reach(goal)
    }

    /// The same, until so many epochs are fed, counted from the start of the log.
    pub fn reach(&mut self, goal: Epoch) -> Reached {
        self.reach_within(goal, Duration::MAX)
    }

    /// The same, but comes back after so long at the latest; it goes on feeding then.
    pub fn reach_within(&mut self, goal: Epoch, time: Duration) -> Reached {
        self.feed(goal);
        self.control.wait(time, |reached| reached.is_at(goal))
    }

    /// Has epochs be fed until there are so many of them, counted from the start of the log.
    pub fn feed(&mut self, goal: Epoch) {
        self.control.order(Order::Feed(goal));
    }

    /// Feeds what there is for so long, or until the source ends or the run is stopped. It goes on feeding afterwards.
    pub fn run(&mut self, time: Duration) -> Reached {
        self.feed(Epoch::MAX);
        self.control.wait(time, |reached| reached.ended)
    }

    /// Feeds the rest, tells the dataflow that the log has ended, and runs it for so long. Whether everything is out by then, or
    /// it goes no further; else it goes on running afterwards.
    pub fn end(&mut self, time: Duration) -> bool {
        self.control.order(Order::Finish);
        self.control.wait(time, |_| false);
        self.control.is_over()
    }

    /// Takes a cut: waits until what was fed is accounted for, shows to `see` what each worker's operators hold (all workers at
    /// the same time), and has them stand still until [`Engine::go_on`]. All rows of what was fed until then have been sent,
    /// and no others. `None` if the run comes no further: a worker has failed, or everything is out.
    pub fn cut(
        &mut self,
        see: impl Fn(usize, &mut State) + Send + Sync + 'static,
    ) -> Option<Reached> {
        self.control.begin_cut(Arc::new(see));
        self.control.all_seen().then(|| self.control.reached())
    }

    /// The same where other processes share the run, which all take a cut behind the same epoch: `meets` is told which, waits until
    /// the workers of all have done with what is before it, and says whether they have.
    pub fn cut_among(
        &mut self,
        see: impl Fn(usize, &mut State) + Send + Sync + 'static,
        meets: impl FnOnce(&Reached) -> bool,
    ) -> Option<Reached> {
        self.control.begin_cut(Arc::new(see));
        let through = self.control.all_through(meets, &self.stop);
        through.then(|| self.control.reached())
    }

    /// Takes the dataflow down for good, as all processes that share the run do: once `meets` says that all have come so far. What it
    /// held is what is [left](Outcome::left). Nothing more is fed.
    pub fn end_among(&mut self, meets: impl FnOnce(&Reached) -> bool) {
        self.control.begin_cut(Arc::new(|_, _| {}));
        self.control.all_through(meets, &self.stop);
        self.control.leave();
    }

    /// Goes on after a cut: the dataflow is built again, with what it held. What `see` has left to be written of homes
    /// ([`Homes::cut`](hearth_operators::state::Homes::cut)) is written meanwhile.
    pub fn go_on(&mut self) {
        self.control.end_cut();
    }

    /// For how long nothing was fed for the newest cut.
    pub fn stood(&self) -> Duration {
        self.control.stood()
    }

    /// How far it has come.
    pub fn reached(&self) -> Reached {
        self.control.reached()
    }

    /// Feeds nothing more, waits until segments and transitions of what was fed are out, and takes the dataflow down. To
    /// the dataflow the log has not ended: nothing is brought to an end that more of the log could change. What is open beside it
    /// is part of what the operators hold, and is asked again by the engine that goes on. This one does nothing more.
    pub fn suspend(&mut self) -> Outcome {
        self.join(Order::Suspend)
    }

    /// Feeds what is left of the source, tells the dataflow that the log has ended, and waits until everything is out. If the run
    /// is stopped, what was read until then is brought to its end as if the log ended there, and what is open
    /// beside the dataflow is left.
    pub fn finish(mut self) -> Outcome {
        self.join(Order::Finish)
    }

    fn join(&mut self, order: Order) -> Outcome {
        // Should a cut not have been ended, for something failed in between, the workers go on all the same.
        if self.control.is_cut() {
            self.control.end_cut();
        }
        self.control.order(order);
        let workers = self.workers.take().into_iter();
        for worker in workers.flat_map(WorkerGuards::join) {
            if let Err(panic) = worker {
                self.stop.fail(format!("a worker panicked: {panic}"));
            }
        }
        if let Some(wires) = self.wires.take() {
            wires.close(|| self.stop.is_stopped());
        }
        // Nobody takes batches any more, so the reader ends; one that is stuck in its source is left to itself.
        self.control.leave();
        let source = match self.reader.take() {
            Some(reader) if ends(&reader) => reader.join().unwrap_or(Err(SourceError::Stopped)),
            _ => Ok(()),
        };
        let (ingested, complete) = self.control.ended();
        let resumed = self.control.resumed();
        Outcome {
            reached: self.control.reached(),
            ingested,
            complete,
            source,
            resumed,
            left: self.control.left(),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.workers.is_some() {
            self.join(Order::Suspend);
        }
    }
}

/// Whether the reader is at its end, or soon.
fn ends(reader: &JoinHandle<Result<(), SourceError>>) -> bool {
    let began = Instant::now();
    while !reader.is_finished() && began.elapsed() < READER_ENDS {
        std::thread::sleep(Duration::from_millis(1));
    }
    reader.is_finished()
}
