//! What the engine's handle and its workers tell each other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use hearth_operators::dataflow::{Gate, State as Held};
use hearth_operators::words::Epoch;

use super::{Reached, Resumed};
use crate::cluster::Share;
use crate::sources::Position;
use crate::stop::Stop;

/// How long the workers of a stopped run go on, to bring to an end what was read.
const PATIENCE: Duration = Duration::from_millis(1000);

/// How often a process looks whether its workers have come so far as the others'.
const LOOK: Duration = Duration::from_micros(200);

/// What the first worker is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Feed until so many epochs are fed, counted from the start.
    Feed(Epoch),
    /// Take the dataflow down as it is, and what it holds out of it.
    Suspend,
    /// Take the dataflow down, hand over what it holds, and build it again once told to.
    Cut,
    /// Feed the rest, end the log, and run until everything is out. Behind the log's end a cut may still come.
    Finish,
}

/// Shared by the handle, the workers and the reader.
#[derive(Default)]
pub struct Control {
    state: Mutex<State>,
    /// Something about the state is new.
    news: Condvar,
    /// The workers' threads, once they run.
    threads: Vec<OnceLock<Thread>>,
    /// All workers are to leave, whatever they are doing.
    left: AtomicBool,
    /// When a worker first saw that the run is stopped.
    stopped: OnceLock<Instant>,
    /// What each worker begins with.
    dealt: Mutex<Vec<Option<Held>>>,
    /// Epochs that were fed before this engine.
    before: Epoch,
    /// Whether the log's end was told before it.
    closed: bool,
    /// Where the source stood then.
    position: Position,
    /// Whether the dataflow is being suspended.
    suspends: AtomicBool,
    /// Where the workers wait for each other then.
    pub gate: Gate,
    /// What they held.
    taken: Mutex<Vec<Held>>,
    /// The cut that is being taken.
    cut: Mutex<Cut>,
    /// Something about the cut is new.
    cuts: Condvar,
}

/// Sees what a worker's operators hold.
pub type See = Arc<dyn Fn(usize, &mut Held) + Send + Sync>;

/// A cut: workers hand over what they hold, then wait until they may go on.
#[derive(Default)]
struct Cut {
    /// `None`: none is being taken.
    see: Option<See>,
    /// Workers that have handed over.
    seen: usize,
    /// How many cuts are over.
    over: u64,
}

#[derive(Default)]
struct State {
    order: Option<Order>,
    reached: Reached,
    /// The first worker comes no further.
    over: bool,
    /// The first worker has seen everything out, so no cut is taken any more.
    out: bool,
    /// When the first worker stopped feeding for a cut, until it feeds again.
    stands: Option<Instant>,
    /// How long it did so for the newest one.
    stood: Duration,
    ingested: Duration,
    /// Some worker saw everything out, the end of the log included.
    whole: bool,
    /// Epochs of which everything is out.
    complete: Epoch,
}

impl Control {
    /// Of an engine that goes on from there, with the workers of a process.
    pub fn new(resumed: Resumed, share: Share) -> Self {
        let workers = share.workers();
        let (dealt, gate) = match share.is_whole() {
            true => (Held::deal(resumed.states, workers), Gate::default()),
            false => {
                let first = share.first_worker();
                let own = first..first + workers;
                let dealt = Held::deal_among(resumed.states, own, share.peers());
                (dealt, Gate::among(workers))
            }
        };
        let dealt = dealt.into_iter().map(Some);
        let control = Control {
            threads: vec![OnceLock::new(); workers.max(1)],
            dealt: Mutex::new(dealt.collect()),
            before: resumed.epochs,
            closed: resumed.closed,
            position: resumed.position,
            gate,
            ..Control::default()
        };
        control.state().reached = control.begin();
        control
    }

    /// Where the first worker begins.
    pub fn begin(&self) -> Reached {
        Reached {
            epochs: self.before,
            out: self.before,
            ended: self.closed,
            closed: self.closed,
            position: self.position,
            ..Reached::default()
        }
    }

    /// What a worker's operators begin with.
    pub fn dealt(&self, worker: usize) -> Held {
        let mut dealt = self.dealt.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = dealt.get_mut(worker).and_then(Option::take);
        mine.unwrap_or_default()
    }

    /// All workers are to take out what their operators hold.
    pub fn suspend(&self) {
        self.suspends.store(true, Ordering::SeqCst);
    }

    /// Whether they are.
    pub fn is_suspended(&self) -> bool {
        self.suspends.load(Ordering::SeqCst)
    }

    /// Keeps what a worker's operators held.
    pub fn keep(&self, held: Held) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.push(held);
    }

    /// A cut is to be taken: each worker shows what it holds, and waits.
    pub fn begin_cut(&self, see: See) {
        let mut cut = self.cut();
        cut.see = Some(see);
        cut.seen = 0;
        drop(cut);
        self.order(Order::Cut);
    }

    /// Among other processes: waits until this one's workers have come to the gate, meets the others, and lets them through.
    /// Whether all met, and went through.
    pub fn all_through(&self, meets: impl FnOnce(&Reached) -> bool, stop: &Stop) -> bool {
        let goes_on = || !self.is_left() && !self.is_over() && !stop.is_stopped();
        while !self.gate.is_full() && goes_on() {
            std::thread::sleep(LOOK);
        }
        if goes_on() && meets(&self.reached()) {
            self.gate.admit();
            while !self.is_all_seen() && goes_on() {
                std::thread::sleep(LOOK);
            }
        }
        let through = self.is_all_seen();
        if !through {
            self.gate.give_up();
            self.leave();
        }
        through
    }

    fn is_all_seen(&self) -> bool {
        self.cut().seen == self.threads.len()
    }

    /// Waits until all workers have shown what they hold; false if one will not, for it has failed or everything is out.
    pub fn all_seen(&self) -> bool {
        let workers = self.threads.len();
        let waits = |cut: &mut Cut| cut.seen < workers && !self.is_left() && !self.is_over();
        let cut = self.cuts.wait_while(self.cut(), waits);
        cut.unwrap_or_else(PoisonError::into_inner).seen == workers
    }

    /// The workers may go on.
    pub fn end_cut(&self) {
        self.suspends.store(false, Ordering::SeqCst);
        self.gate.shut();
        let reached = self.reached();
        self.state().order = Some(match reached.closed {
            true => Order::Finish,
            false => Order::Feed(reached.epochs),
        });
        let mut cut = self.cut();
        cut.see = None;
        cut.over += 1;
        self.cuts.notify_all();
    }

    /// A worker shows what it holds, where a cut is being taken, and waits until it may go on; false if it may not.
    pub fn show(&self, worker: usize, held: &mut Held) -> bool {
        let Some(see) = self.cut().see.clone() else {
            return false;
        };
        see(worker, held);
        let mut cut = self.cut();
        cut.seen += 1;
        self.cuts.notify_all();
        let this = cut.over;
        let waits = |cut: &mut Cut| cut.over == this && !self.is_left();
        drop(self.cuts.wait_while(cut, waits));
        !self.is_left()
    }

    /// Whether a cut is being taken.
    pub fn is_cut(&self) -> bool {
        self.cut().see.is_some()
    }

    fn cut(&self) -> MutexGuard<'_, Cut> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What all held, where the dataflow was suspended.
    pub fn resumed(&self) -> Option<Resumed> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = self.reached();
        self.is_suspended().then(|| Resumed {
            epochs: reached.epochs + Epoch::from(reached.closed),
            closed: reached.closed,
            position: reached.position,
            states: std::mem::take(&mut taken),
        })
    }

    /// What all held in the end, where everything came out.
    pub fn left(&self) -> Vec<Held> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut taken)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the first worker what to do.
    pub fn order(&self, order: Order) {
        self.state().order = Some(order);
        self.wake();
    }

    /// What to do; at first, nothing.
    pub fn ordered(&self) -> Order {
        self.state().order.unwrap_or(Order::Feed(self.before))
    }

    /// The calling thread is that worker's.
    pub fn attend(&self, worker: usize) {
        if let Some(thread) = self.threads.get(worker) {
            // Each worker has one thread.
            let _ = thread.set(std::thread::current());
        }
    }

    /// Wakes the first worker, for there is something new.
    pub fn wake(&self) {
        self.threads.iter().take(1).for_each(unpark);
    }

    /// Wakes the other workers.
    pub fn wake_others(&self) {
        self.threads.iter().skip(1).for_each(unpark);
    }

    /// How far it has come.
    pub fn reached(&self) -> Reached {
        self.state().reached
    }

    /// The first worker has come so far.
    pub fn publish(&self, reached: Reached) {
        self.state().reached = reached;
        self.news.notify_all();
    }

    /// The first worker stops feeding for a cut.
    pub fn stands(&self) {
        self.state().stands.get_or_insert_with(Instant::now);
    }

    /// It can feed again.
    pub fn goes_on(&self) {
        let mut state = self.state();
        if let Some(since) = state.stands.take() {
            state.stood = since.elapsed();
        }
        drop(state);
        self.news.notify_all();
    }

    /// For how long nothing was fed for the newest cut: waits until that is over.
    pub fn stood(&self) -> Duration {
        let waits = |state: &mut State| !state.over && state.stands.is_some();
        let waited = self.news.wait_while(self.state(), waits);
        waited.unwrap_or_else(PoisonError::into_inner).stood
    }

    /// The first worker comes no further.
    pub fn over(&self) {
        self.state().over = true;
        self.news.notify_all();
        // Whoever waits for a cut sees it: nobody is between its look and its sleep.
        drop(self.cut());
        self.cuts.notify_all();
    }

    /// Whether the first worker comes no further.
    pub fn is_over(&self) -> bool {
        self.state().over
    }

    /// The first worker has seen everything out: all may end.
    pub fn all_out(&self) {
        self.state().out = true;
        self.wake_others();
    }

    /// Whether it has.
    pub fn is_out(&self) -> bool {
        self.state().out
    }

    /// Waits until enough is reached, or the first worker goes no further, or so long.
    pub fn wait(&self, most: Duration, enough: impl Fn(&Reached) -> bool) -> Reached {
        let waits = |state: &mut State| !state.over && !enough(&state.reached);
        let waited = self.news.wait_timeout_while(self.state(), most, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.reached
    }

    /// A worker has all accounts; the last one's word counts.
    pub fn ingested(&self, after: Duration) {
        let mut state = self.state();
        state.ingested = state.ingested.max(after);
    }

    /// How much a worker knows to be out as it ends: all, or the first epochs. What any of them knows is so.
    pub fn complete(&self, epochs: Option<Epoch>) {
        let mut state = self.state();
        match epochs {
            None => state.whole = true,
            Some(epochs) => state.complete = state.complete.max(epochs),
        }
    }

    /// When everything was accounted for, and which epochs are complete, if not all.
    pub fn ended(&self) -> (Duration, Option<Epoch>) {
        let state = self.state();
        let complete = (!state.whole).then_some(state.complete);
        (state.ingested, complete)
    }

    /// Lets all workers, and the reader, leave.
    pub fn leave(&self) {
        self.left.store(true, Ordering::SeqCst);
        // Whoever waits in a cut sees it: nobody is between its look and its sleep.
        drop(self.cut());
        self.cuts.notify_all();
    }

    /// Whether to leave.
    pub fn is_left(&self) -> bool {
        self.left.load(Ordering::SeqCst)
    }

    /// Whether to go on with what was begun: a stopped run does so for a moment only.
    pub fn patient(&self, stop: &Stop) -> bool {
        if self.is_left() {
            return false;
        }
        if !stop.is_stopped() {
            return true;
        }
        self.stopped.get_or_init(Instant::now).elapsed() < PATIENCE
    }
}

fn unpark(thread: &OnceLock<Thread>) {
    if let Some(thread) = thread.get() {
        thread.unpark();
    }
}
