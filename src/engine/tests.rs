//! The engine, without what is learnt: what it feeds, when, and what it says of it.

use std::collections::{BTreeMap, VecDeque};

use std::sync::{Mutex, PoisonError};

use hearth_operators::dataflow::Streams;
use hearth_operators::split::Account;
use hearth_operators::words::{
    Action, ActionId, Behavior, Catalog, Catalogs, Device, HomeId, Line, Moment, Time,
};
use timely::dataflow::operators::{Inspect, Probe};

use super::*;
use crate::config::Config;
use crate::settings::settings;
use crate::sources::{Batch, Flow, Rejected};

/// What a source gives, one after the other.
enum Step {
    /// An event of the first home.
    Line,
    /// An event of another one.
    Of(u32),
    Pause(Duration),
    Break,
}

/// A source that follows a script. Each line is an event so long after the one before that it closes a segment.
struct Script(VecDeque<Step>, u64);

impl Script {
    fn lines(count: usize) -> Self {
        Script((0..count).map(|_| Step::Line).collect(), 0)
    }

    /// Events of some homes in turn.
    fn homes(homes: u32, count: usize) -> Self {
        let homes = (0..homes).cycle().take(count);
        Script(homes.map(Step::Of).collect(), 0)
    }

    fn give(&mut self, home: HomeId, batch: &mut Batch) {
        self.1 += 1;
        batch.behaviors.push(behavior(home, self.1));
        batch.position.line = self.1;
    }
}

impl Source for Script {
    fn read(
        &mut self,
        limit: usize,
        deadline: Instant,
        batch: &mut Batch,
    ) -> Result<Flow, SourceError> {
        for _ in 0..limit {
            match self.0.front_mut() {
                None => return Ok(Flow::Ended),
                Some(Step::Pause(left)) => {
                    let now = Instant::now();
                    let most = deadline.saturating_duration_since(now).min(*left);
                    std::thread::sleep(most);
                    *left -= most;
                    if !left.is_zero() {
                        return Ok(Flow::Open);
                    }
                }
                Some(Step::Break) => {
                    self.0.pop_front();
                    return Err(SourceError::StdinTwice);
                }
                Some(Step::Line) => self.give(HomeId(0), batch),
                Some(&mut Step::Of(home)) => self.give(HomeId(home), batch),
            }
            self.0.pop_front();
        }
        Ok(Flow::Open)
    }
}

fn behavior(home: HomeId, line: u64) -> Behavior {
    Behavior {
        home,
        moment: Moment {
            time: Time(line as i64 * 10 * Time::HOUR),
            action: ActionId(0),
            offset: 0,
        },
        id: None,
        line: Line { file: 0, line },
    }
}

fn begin(
    script: impl Source + 'static,
    epochs: Epochs,
    watch: Arc<dyn Watch>,
) -> (Engine, Stop, Seen) {
    resume(script, epochs, watch, Resumed::default(), 2)
}

fn resume(
    script: impl Source + 'static,
    epochs: Epochs,
    watch: Arc<dyn Watch>,
    resumed: Resumed,
    workers: usize,
) -> (Engine, Stop, Seen) {
    let device = Device::new("Light", vec![Action::new("on")]);
    let catalogs = Catalogs::shared(Arc::new(Catalog::new(vec![device]).unwrap()));
    let seen = Seen::default();
    let stop = Stop::default();
    let setup = Setup {
        workers,
        dataflow: Settings {
            learn: false,
            ..settings(&Config::default(), &catalogs)
        },
        services: Services::nobody(),
        outlet: Arc::new(seen.clone()),
        resumed,
        epochs,
        stop: stop.clone(),
        watch,
    };
    (start(setup, script).unwrap(), stop, seen)
}

const THREE: Epochs = Epochs {
    lines: 3,
    interval: None,
};

/// What left the dataflow.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    segments: i64,
    applied: u64,
    lines: usize,
    contexts: usize,
}

impl Seen {
    fn add(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn take(&self) -> Counts {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Outlet for Seen {
    fn connect(&self, streams: Streams<'_>) -> Probes {
        let probes = Probes::default();
        let (seen, more) = (self.clone(), self.clone());
        let segments = streams.ingested.segments.inner;
        segments
            .inspect(move |(_, _, diff)| seen.add(|counts| counts.segments += diff))
            .probe_with(&probes.ingested)
            .probe_with(&probes.done);
        let accounts = streams.ingested.accounts;
        accounts
            .inspect(move |account| {
                if let Account::Counted { applied, .. } = account {
                    more.add(|counts| counts.applied += applied);
                }
            })
            .probe_with(&probes.ingested)
            .probe_with(&probes.done);
        probes
    }

    fn refuse(&self, _: Epoch, lines: Vec<Rejected>, contexts: Vec<Rejected>) {
        self.add(|counts| {
            counts.lines += lines.len();
            counts.contexts += contexts.len();
        });
    }
}

/// Segments and events that left since the last call.
fn held(seen: &Seen) -> (i64, u64) {
    let Counts {
        segments, applied, ..
    } = seen.take();
    (segments, applied)
}

#[test]
fn a_suspended_engine_goes_on_with_any_number_of_workers() {
    for workers in [1, 3] {
        let (mut engine, _, written) = begin(Script::lines(10), THREE, Arc::new(()));
        engine.step(2);
        let outcome = engine.suspend();
        let suspended = held(&written);
        let mut rest = Script::lines(10);
        rest.0.drain(..6);
        rest.1 = 6;
        let resumed = outcome.resumed.unwrap();
        assert_eq!((resumed.epochs, resumed.states.len()), (2, 2));
        let (engine, _, more) = resume(rest, THREE, Arc::new(()), resumed, workers);
        let outcome = engine.finish();
        assert_eq!(outcome.reached.epochs, 4);
        assert_eq!(outcome.complete, None);
        let finished = held(&more);
        assert_eq!(
            (suspended.0 + finished.0, suspended.1 + finished.1),
            (10, 10)
        );
    }
}

/// Each worker is fed what lives there, of every epoch, whoever has more to do; so nothing depends on how many there are.
/// Cuts on the way change nothing, and show what is held: another engine goes on from the last one as the same does.
#[test]
fn an_engine_goes_on_after_cuts_and_another_one_from_them() {
    let add = |a: (i64, u64), b: (i64, u64)| (a.0 + b.0, a.1 + b.1);
    let (engine, _stop, whole) = begin(Script::homes(5, 90), THREE, Arc::new(()));
    engine.finish();
    let whole = held(&whole);
    let (mut engine, _stop, written) = begin(Script::homes(5, 90), THREE, Arc::new(()));
    let shown: Arc<Mutex<BTreeMap<usize, Vec<u8>>>> = Arc::default();
    let (mut epochs, mut before) = (0, (0, 0));
    for steps in [1, 7, 0, 12] {
        epochs = engine.step(steps).epochs;
        let shown = shown.clone();
        let reached = engine.cut(move |worker, state| {
            let mut shown = shown.lock().unwrap();
            shown.insert(worker, bincode::serialize(state).unwrap());
        });
        assert_eq!(reached.unwrap().epochs, epochs);
        before = add(before, held(&written));
        engine.go_on();
    }
    let outcome = engine.finish();
    assert_eq!((outcome.reached.lines, outcome.complete), (90, None));
    assert_eq!(add(before, held(&written)), whole);
    let shown = shown.lock().unwrap();
    let states = shown
        .values()
        .map(|bytes| bincode::deserialize(bytes).unwrap());
    let resumed = Resumed {
        epochs,
        closed: false,
        position: Position::default(),
        states: states.collect(),
    };
    let mut rest = Script::homes(5, 90);
    rest.0.drain(..60);
    rest.1 = 60;
    let (engine, _stop, after) = resume(rest, THREE, Arc::new(()), resumed, 3);
    engine.finish();
    assert_eq!(add(before, held(&after)), whole);
}

/// Holds the reader back now and then.
struct Hesitant(std::sync::atomic::AtomicU64);

impl Watch for Hesitant {
    fn holds_back(&self) -> bool {
        !self
            .0
            .fetch_add(1, std::sync::atomic::Ordering::SeqCst)
            .is_multiple_of(3)
    }
}

#[test]
fn a_reader_that_is_held_back_loses_nothing() {
    let asked = Arc::new(Hesitant(0.into()));
    let (engine, _stop, seen) = begin(Script::lines(20), THREE, asked.clone());
    let outcome = engine.finish();
    assert_eq!((outcome.reached.lines, outcome.complete), (20, None));
    assert_eq!(seen.0.lock().unwrap().applied, 20);
    assert!(asked.0.load(std::sync::atomic::Ordering::SeqCst) > 7);
    // One that is held back for ever ends with the run.
    let (engine, stop, _) = begin(Script::lines(20), THREE, Arc::new(Never));
    stop.interrupt();
    assert_eq!(engine.finish().reached.lines, 0);
}

struct Never;

impl Watch for Never {
    fn holds_back(&self) -> bool {
        true
    }
}

#[test]
fn homes_are_fed_where_they_live() {
    const LINES: usize = 5000;
    let epochs = Epochs {
        lines: 700,
        interval: None,
    };
    for workers in 1..=4 {
        let nobody: Arc<dyn Watch> = Arc::new(());
        let all = Script::homes(7, LINES);
        let (mut engine, _, before) =
            resume(all, epochs, nobody.clone(), Resumed::default(), workers);
        let reached = engine.step(3);
        assert_eq!((reached.epochs, reached.out, reached.lines), (3, 3, 2100));
        let mut rest = Script::homes(7, LINES);
        rest.0.drain(..2100);
        rest.1 = 2100;
        let resumed = engine.suspend().resumed.unwrap();
        assert_eq!(resumed.states.len(), workers);
        let (engine, _, after) = resume(rest, epochs, nobody, resumed, 5 - workers);
        let outcome = engine.finish();
        assert_eq!((outcome.reached.epochs, outcome.complete), (8, None));
        // A home's events are days apart: until more came, its newest one waited for company, and the segment before was open.
        assert_eq!(held(&before), (2100 - 7 - 7, 2100 - 7));
        assert_eq!(held(&after), (2900 + 7 + 7, 2900 + 7));
    }
}

#[test]
fn nothing_happens_until_a_step_and_a_step_is_whole() {
    let (mut engine, _, written) = begin(Script::lines(10), THREE, Arc::new(()));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(engine.reached(), Reached::default());
    let reached = engine.step(2);
    assert_eq!((reached.epochs, reached.out), (2, 2));
    assert_eq!((reached.lines, reached.position.line), (6, 6));
    assert!(!reached.ended);
    // The sixth may still be followed by more of its segment; and the very first event of a home waits for a second one.
    assert_eq!(held(&written), (5, 6));
    let reached = engine.step(Epoch::MAX);
    assert_eq!((reached.epochs, reached.lines), (4, 10));
    assert!(reached.ended);
    assert_eq!(held(&written), (4, 4));
    let outcome = engine.finish();
    assert_eq!((outcome.complete, outcome.reached.lines), (None, 10));
    assert!(outcome.source.is_ok());
    assert_eq!(held(&written), (1, 0));
}

#[test]
fn a_suspended_dataflow_is_not_told_that_the_log_ended() {
    let (mut engine, _, written) = begin(Script::lines(10), THREE, Arc::new(()));
    engine.step(2);
    let outcome = engine.suspend();
    assert_eq!(
        (outcome.reached.epochs, outcome.reached.position.line),
        (2, 6)
    );
    assert!(outcome.complete.is_some_and(|epochs| epochs <= 2));
    // At the end of the log the sixth would have closed the last segment.
    assert_eq!(held(&written), (5, 6));
    // Nobody writes any more.
    assert_eq!(held(&written), (0, 0));
}

#[test]
fn an_engine_that_is_dropped_is_suspended() {
    let (engine, _, written) = begin(Script::lines(10), THREE, Arc::new(()));
    drop(engine);
    assert_eq!(held(&written), (0, 0));
}

#[test]
fn epochs_close_by_time() {
    let mut script = Script::lines(0);
    for _ in 0..4 {
        script.0.push_back(Step::Line);
        script.0.push_back(Step::Pause(Duration::from_millis(200)));
    }
    let epochs = Epochs {
        lines: 1000,
        interval: Some(Duration::from_millis(50)),
    };
    let (engine, _, written) = begin(script, epochs, Arc::new(()));
    let outcome = engine.finish();
    assert_eq!((outcome.reached.epochs, outcome.reached.lines), (4, 4));
    assert_eq!(held(&written), (4, 4));
}

#[test]
fn what_is_not_full_stays_open_without_an_interval() {
    let mut script = Script::lines(2);
    script.0.push_back(Step::Pause(Duration::from_millis(300)));
    script.0.push_back(Step::Line);
    let (engine, _, _written) = begin(script, THREE, Arc::new(()));
    assert_eq!(engine.finish().reached.epochs, 1);
}

#[test]
fn a_source_that_breaks_is_read_behind_the_damage_and_told_of() {
    let mut script = Script::lines(4);
    script.0.push_back(Step::Break);
    script.0.extend([Step::Line, Step::Line]);
    let (engine, stop, written) = begin(script, THREE, Arc::new(()));
    let outcome = engine.finish();
    assert!(matches!(outcome.source, Err(SourceError::StdinTwice)));
    assert_eq!((outcome.reached.epochs, outcome.reached.lines), (3, 6));
    assert!(!stop.is_stopped());
    assert_eq!(held(&written), (6, 6));
}

#[test]
fn an_interrupted_source_that_hangs_is_not_waited_for() {
    let mut script = Script::lines(5);
    script.0.push_back(Step::Pause(Duration::from_secs(1000)));
    let (engine, stop, written) = begin(script, THREE, Arc::new(()));
    let began = Instant::now();
    let stopper = std::thread::spawn({
        let stop = stop.clone();
        move || {
            std::thread::sleep(Duration::from_millis(300));
            stop.interrupt();
        }
    });
    let outcome = engine.finish();
    stopper.join().unwrap();
    assert!(began.elapsed() < Duration::from_secs(2));
    // What was read is fed and accounted for, though its epoch was not full.
    assert_eq!(outcome.reached.lines, 5);
    assert_eq!(held(&written), (5, 5));
}

#[test]
fn a_step_comes_back_when_the_run_is_stopped() {
    let mut script = Script::lines(1);
    script.0.push_back(Step::Pause(Duration::from_secs(1000)));
    let (mut engine, stop, _written) = begin(script, THREE, Arc::new(()));
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        stop.stop();
    });
    assert_eq!(engine.step(1).epochs, 0);
    stopper.join().unwrap();
}

/// Panics on the first worker.
struct Broken;

impl Watch for Broken {
    fn feeds(&self, _: Epoch, _: &Dealt) {
        panic!("meant to");
    }
}

#[test]
fn a_worker_that_panics_fails_the_run() {
    let (engine, stop, _written) = begin(Script::lines(5), THREE, Arc::new(Broken));
    engine.finish();
    let failure = stop.failure().unwrap();
    assert!(failure.contains("panicked"), "{failure}");
}

#[test]
fn no_cut_is_taken_where_a_worker_has_panicked() {
    let (mut engine, stop, _written) = begin(Script::lines(5), THREE, Arc::new(Broken));
    engine.run(Duration::from_secs(60));
    assert_eq!(engine.cut(|_, _| {}), None);
    engine.finish();
    assert!(stop.failure().unwrap().contains("panicked"));
}

#[test]
fn lines_that_are_no_events_are_written_and_count() {
    struct Nonsense(usize);
    impl Source for Nonsense {
        fn read(&mut self, _: usize, _: Instant, batch: &mut Batch) -> Result<Flow, SourceError> {
            self.0 += 1;
            let rejected = Rejected {
                line: "?".into(),
                source: format!("nonsense:{}", self.0),
                reason: "nonsense".into(),
            };
            batch.rejected.push(rejected.clone());
            batch.rejected_contexts.push(rejected);
            Ok(match self.0 {
                7 => Flow::Ended,
                _ => Flow::Open,
            })
        }
    }
    let (engine, _, written) = begin(Nonsense(0), THREE, Arc::new(()));
    assert_eq!(engine.finish().reached.lines, 7);
    let counts = written.take();
    assert_eq!((counts.lines, counts.contexts), (7, 7));
}
