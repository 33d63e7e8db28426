//! What each worker does: the first says which epochs are fed, each feeds its own homes' part of them and runs the dataflow.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use hearth_operators::dataflow::{Holds, Inputs, State, build, suspend};
use hearth_operators::split::Notice;
use hearth_operators::words::Epoch;
use timely::dataflow::ProbeHandle;
use timely::worker::Worker;

use super::control::{Control, Order};
use super::deal::{Dealt, Part};
use super::{Probes, Reached, Setup};
use crate::cluster::Share;

/// Epochs that may be ahead of the segments: bounds what waits inside the dataflow.
const AHEAD: Epoch = 8;

/// Epochs that may be ahead of the alarms, for which workers wait for each other once an epoch: a cut waits until they are out.
const UNJUDGED: Epoch = 64;

/// Epochs that the others may be given before the first worker feeds them: it may have more to do than they.
const GIVEN: usize = 4;

/// How long a worker sleeps at most before it looks whether it should stop.
const NAP: Duration = Duration::from_millis(20);

/// For how long a cut is written at a time, at least: what comes in between waits for so long.
const STROKE: Duration = Duration::from_micros(200);

/// While a cut is written, it takes one part of so many of a worker's time, where there is work to do.
pub const SHARE: u32 = 5;

/// What each worker runs.
pub struct Driver {
    pub setup: Setup,
    /// Which homes this process has.
    pub share: Share,
    /// By worker, until it takes it.
    pub places: Mutex<Vec<Option<Place>>>,
    pub control: Arc<Control>,
    /// When the engine was started.
    pub began: Instant,
}

/// Where a worker's input comes from.
pub enum Place {
    /// The first one's: epochs from the reader, until the source ends; and where the others get their parts.
    First(Receiver<Dealt>, Vec<Sender<Part>>),
    /// Another's: its part of each epoch, until no more are fed.
    Other(Receiver<Part>),
    /// From nowhere: the end of the log was told.
    Closed,
}

impl Place {
    /// Of all workers.
    pub fn all(decoded: Receiver<Dealt>, workers: usize, closed: bool) -> Mutex<Vec<Option<Self>>> {
        if closed {
            return Mutex::new((0..workers).map(|_| Some(Place::Closed)).collect());
        }
        // What lies in these is bounded by what the first worker gives before it feeds.
        let (others, parts): (Vec<_>, Vec<_>) = (1..workers).map(|_| unbounded()).unzip();
        let first = std::iter::once(Place::First(decoded, others));
        let all = first.chain(parts.into_iter().map(Place::Other));
        Mutex::new(all.map(Some).collect())
    }
}

impl Driver {
    /// Which of this process's workers it is.
    fn place(&self, worker: &Worker) -> usize {
        self.share.local(worker.index())
    }

    /// Builds the dataflow on a worker, feeds it and runs it until everything is out, it is suspended, or the run is stopped;
    /// after a cut, again.
    pub fn drive(&self, worker: &mut Worker) {
        let _over = Over {
            control: &self.control,
            first: self.place(worker) == 0,
        };
        let index = self.place(worker);
        self.control.attend(index);
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mut place = places.get_mut(index).and_then(Option::take);
        drop(places);
        let mut state = self.control.dealt(index);
        let mut reached = self.control.begin();
        while let Some(now) = place.take() {
            let (held, kept) = self.run(worker, state, now, reached);
            let Some(mut held) = held else { return };
            // Before any of them goes on, for then it is further.
            reached = self.control.reached();
            if kept.is_none() || !self.control.show(index, &mut held) {
                self.control.keep(held);
                return;
            }
            (place, state) = (kept, held);
        }
    }

    /// From one building of the dataflow to its end. What it held, where it was suspended, and where more input comes from.
    fn run(
        &self,
        worker: &mut Worker,
        state: State,
        place: Place,
        reached: Reached,
    ) -> (Option<State>, Option<Place>) {
        let index = worker.next_dataflow_index();
        let holds = Holds::new(state);
        let Setup {
            dataflow,
            services,
            outlet,
            ..
        } = &self.setup;
        let (inputs, probes) = worker.dataflow(|scope| {
            let (inputs, streams) = build(scope, dataflow, services, &holds);
            (inputs, outlet.connect(streams))
        });
        if self.place(worker) == 0 {
            self.control.goes_on();
        }
        let began_closed = matches!(place, Place::Closed);
        let mut turns = Turns {
            worker,
            holds: &holds,
        };
        let (kept, place) = self
            .feed(&mut turns, inputs, &probes, place, reached)
            .unzip();
        self.run_out(&mut turns, &probes, began_closed);
        let complete = probes.complete();
        let mut held = None;
        // Processes are suspended together, for a cut, or not at all.
        let together = self.share.is_whole() || self.control.is_cut();
        if self.control.is_suspended() && together {
            held = Some(suspend(worker, kept, &holds, &self.control.gate));
            if self.control.gate.is_given_up() {
                worker.drop_dataflow(index);
                held = None;
            }
        } else if complete.is_some() {
            // Nobody will answer what is still open.
            worker.drop_dataflow(index);
        } else {
            self.control.keep(holds.take());
        }
        if held.is_none() || !self.control.is_cut() {
            self.control.complete(complete);
        }
        let place = place.or(held.is_some().then_some(Place::Closed));
        (held, place)
    }

    /// Feeds a worker. The inputs, where the dataflow is to be suspended: they stay open until every worker knows; and where
    /// more comes from.
    fn feed(
        &self,
        turns: &mut Turns<'_>,
        inputs: Inputs,
        probes: &Probes,
        place: Place,
        reached: Reached,
    ) -> Option<(Inputs, Place)> {
        let mut feed = Feed {
            driver: self,
            turns,
            inputs,
            probes,
            // The log's end had an epoch of its own.
            epoch: reached.epochs + Epoch::from(reached.closed),
        };
        feed.advance();
        match place {
            Place::Closed => None,
            Place::Other(parts) => {
                let inputs = feed.follow(&parts)?;
                Some((inputs, Place::Other(parts)))
            }
            Place::First(decoded, others) => {
                let lead = Lead {
                    feed,
                    decoded,
                    others,
                    given: VecDeque::new(),
                    reached,
                };
                lead.drive()
            }
        }
    }

    /// Runs the dataflow until everything is out, or it is to be suspended. A stopped run waits for accounts alone. The first
    /// worker says which of these it is, for all must agree.
    fn run_out(&self, turns: &mut Turns<'_>, probes: &Probes, closed: bool) {
        let Probes { ingested, done, .. } = probes;
        let (control, stop) = (&self.control, &self.setup.stop);
        let first = self.place(turns.worker) == 0;
        let goes_on = || !control.is_suspended() && !control.is_left();
        while !ingested.done() && goes_on() && control.patient(stop) {
            turns.turn();
        }
        if !closed {
            control.ingested(self.began.elapsed());
        }
        while goes_on() && !stop.is_stopped() && !(done.done() && (first || control.is_out())) {
            if first && ingested.done() && control.ordered() == Order::Cut {
                control.stands();
                return control.suspend();
            }
            turns.turn();
        }
        if first && done.done() {
            control.all_out();
        }
        if goes_on() {
            // A cut may wait for it.
            turns.holds.write(&mut || true);
        }
    }
}

/// A worker's turns: it runs the dataflow and, after a cut, goes on with writing what the cut has.
struct Turns<'a> {
    worker: &'a mut Worker,
    holds: &'a Holds,
}

impl Turns<'_> {
    /// Works, or sleeps where there is nothing to do.
    fn turn(&mut self) {
        if self.holds.is_written() {
            self.worker.step_or_park(Some(NAP));
        } else {
            self.step();
        }
    }

    /// Works once.
    fn step(&mut self) {
        if self.holds.is_written() {
            self.worker.step();
            return;
        }
        let began = Instant::now();
        self.worker.step();
        let worked = began.elapsed();
        let most = worked + STROKE.max(worked / (SHARE - 1));
        self.holds.write(&mut || began.elapsed() < most);
    }
}

/// A worker, while it feeds.
struct Feed<'a, 't> {
    driver: &'a Driver,
    turns: &'a mut Turns<'t>,
    inputs: Inputs,
    probes: &'a Probes,
    /// The next epoch that it feeds.
    epoch: Epoch,
}

impl Feed<'_, '_> {
    /// Says that all before the next epoch is fed.
    fn advance(&mut self) {
        self.inputs.behaviors.advance_to(self.epoch);
        self.inputs.notices.advance_to(self.epoch);
    }

    /// Feeds the worker's part of an epoch.
    fn feed(&mut self, part: Part) {
        for mut message in part {
            self.inputs.behaviors.send_batch(&mut message);
        }
        self.epoch += 1;
        self.advance();
        self.turns.step();
    }

    /// Whether so many epochs are on their way that no more should be fed.
    fn is_ahead(&self) -> bool {
        let before = |most| self.epoch.saturating_sub(most);
        let Probes {
            ingested, judged, ..
        } = self.probes;
        let ahead = ingested.less_than(&before(AHEAD)) || judged.less_than(&before(UNJUDGED));
        ahead && self.driver.control.patient(&self.driver.setup.stop)
    }

    /// Feeds what the first worker gives, until that is all.
    fn follow(mut self, parts: &Receiver<Part>) -> Option<Inputs> {
        let control = &self.driver.control;
        loop {
            // Before the look at what was given: all was given before the dataflow is to be suspended.
            let ends = control.is_suspended() || control.is_left();
            match parts.try_recv() {
                Ok(part) => {
                    self.feed(part);
                    while self.is_ahead() {
                        self.turns.turn();
                    }
                }
                Err(TryRecvError::Empty) if ends => return Some(self.inputs),
                // Whoever gives something wakes it.
                Err(TryRecvError::Empty) => self.turns.turn(),
                // The first worker went no further; why, it said before.
                Err(TryRecvError::Disconnected) => {
                    return control.is_suspended().then_some(self.inputs);
                }
            }
        }
    }
}

/// The first worker, while epochs are fed: it says which.
struct Lead<'a, 't> {
    feed: Feed<'a, 't>,
    decoded: Receiver<Dealt>,
    others: Vec<Sender<Part>>,
    /// Epochs of which the others have their parts already.
    given: VecDeque<(Dealt, Part)>,
    reached: Reached,
}

impl Lead<'_, '_> {
    /// Feeds as ordered. The inputs, where the dataflow is to be suspended, and where more comes from.
    fn drive(mut self) -> Option<(Inputs, Place)> {
        let order = self.run();
        let Driver { setup, control, .. } = self.feed.driver;
        if matches!(order, Order::Suspend | Order::Cut) {
            control.stands();
            self.settle();
            if !control.is_left() {
                control.suspend();
            }
            return Some((self.feed.inputs, Place::First(self.decoded, self.others)));
        }
        // One process tells all.
        if self.feed.driver.share.is_first() {
            self.feed.inputs.notices.send(Notice::LogEnd);
        }
        self.reached.closed = true;
        let Lead {
            feed,
            others,
            mut reached,
            ..
        } = self;
        drop(others);
        control.wake_others();
        let Feed {
            driver,
            turns,
            inputs,
            probes: Probes { ingested, .. },
            ..
        } = feed;
        drop(inputs);
        while !ingested.done() && control.patient(&setup.stop) {
            turns.turn();
            out(driver, ingested, &mut reached);
        }
        driver.control.publish(reached);
        None
    }

    /// Feeds as ordered, until the dataflow is to end in one way or the other.
    fn run(&mut self) -> Order {
        let Driver { setup, control, .. } = self.feed.driver;
        loop {
            let order = control.ordered();
            self.give(self.most(order));
            // What the others were given is fed, whatever is ordered.
            if let Some((dealt, own)) = self.given.pop_front() {
                self.feed(dealt, own);
                continue;
            }
            let stopped = setup.stop.is_stopped();
            match order {
                Order::Suspend | Order::Cut if stopped || !self.is_torn() => return order,
                _ if control.is_left() => return Order::Suspend,
                Order::Finish if self.reached.ended => return order,
                Order::Finish if stopped && !self.brings_to_an_end() => return order,
                Order::Feed(_) if stopped => control.over(),
                _ => {}
            }
            // Whoever gives an order or an epoch wakes it.
            self.turn();
        }
    }

    /// Up to which epoch may be fed.
    fn most(&self, order: Order) -> Epoch {
        let Driver { setup, control, .. } = self.feed.driver;
        let runs = !control.is_left() && !setup.stop.is_stopped();
        match order {
            Order::Feed(most) if runs => most,
            Order::Finish if runs || self.brings_to_an_end() => Epoch::MAX,
            // What was read at once is fed at once, and nothing behind it.
            Order::Suspend | Order::Cut if runs && self.is_torn() => {
                self.reached.epochs + self.given.len() as Epoch + 1
            }
            Order::Feed(_) | Order::Finish | Order::Suspend | Order::Cut => 0,
        }
    }

    /// Whether the last epoch that was given was read at once with the next one, which is to come.
    fn is_torn(&self) -> bool {
        let last = self.given.back().map(|(dealt, _)| dealt.torn);
        last.unwrap_or(self.reached.torn) && !self.reached.ended
    }

    /// Of a stopped run: whether what was read by then is brought to its end, as if the log ended there; after a failure, only
    /// what was fed is.
    fn brings_to_an_end(&self) -> bool {
        let Driver { setup, control, .. } = self.feed.driver;
        // Processes are not interrupted at the same line.
        self.feed.driver.share.is_whole()
            && setup.stop.is_interrupted()
            && control.patient(&setup.stop)
    }

    /// Gives the others their parts of epochs that have come, of those before `most`.
    fn give(&mut self, most: Epoch) {
        let Driver { setup, control, .. } = self.feed.driver;
        let room = if self.others.is_empty() { 1 } else { GIVEN };
        while !self.reached.ended && self.given.len() < room {
            let epoch = self.reached.epochs + self.given.len() as Epoch;
            if epoch >= most || setup.stop.is_stopped() && !setup.stop.is_interrupted() {
                return;
            }
            match self.decoded.try_recv() {
                Ok(mut dealt) => {
                    setup.watch.feeds(epoch, &dealt);
                    let mut parts = std::mem::take(&mut dealt.parts).into_iter();
                    let own = parts.next().unwrap_or_default();
                    for (other, part) in self.others.iter().zip(parts) {
                        // One that panicked takes nothing; it takes the others along.
                        let _ = other.send(part);
                    }
                    control.wake_others();
                    self.given.push_back((dealt, own));
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => self.reached.ended = true,
            }
        }
    }

    /// Feeds an epoch, and waits while too many are on their way.
    fn feed(&mut self, dealt: Dealt, own: Part) {
        let setup = &self.feed.driver.setup;
        let epoch = self.reached.epochs;
        self.reached.lines += dealt.lines() as u64;
        self.reached.told += dealt.told.lines as u64;
        self.reached.position = dealt.position;
        self.reached.ended |= dealt.last;
        self.reached.torn = dealt.torn;
        self.reached.epochs += 1;
        let Dealt {
            rejected,
            shifts,
            rejected_contexts,
            told,
            ..
        } = dealt;
        // Before the input passes the epoch, and so before it can be closed.
        if !(rejected.is_empty() && rejected_contexts.is_empty()) {
            setup.outlet.refuse(epoch, rejected, rejected_contexts);
        }
        if !told.refused.is_empty() {
            setup.outlet.mishear(epoch, told.refused);
        }
        for notice in told.notices {
            self.feed.inputs.notices.send(notice);
        }
        for shift in shifts {
            self.feed.inputs.notices.send(Notice::Shift(shift));
        }
        self.feed.feed(own);
        self.tell();
        while self.feed.is_ahead() {
            self.turn();
        }
    }

    /// Waits until what was fed is accounted for.
    fn settle(&mut self) {
        let Driver { setup, control, .. } = self.feed.driver;
        let epoch = self.reached.epochs;
        while self.feed.probes.ingested.less_than(&epoch) && control.patient(&setup.stop) {
            self.turn();
        }
    }

    /// Works, or sleeps where there is nothing to do.
    fn turn(&mut self) {
        self.feed.turns.turn();
        self.tell();
    }

    /// Says which epochs are out.
    fn tell(&mut self) {
        out(
            self.feed.driver,
            &self.feed.probes.ingested,
            &mut self.reached,
        );
    }
}

/// Says how far epochs are fed and out.
fn out(driver: &Driver, ingested: &ProbeHandle<Epoch>, reached: &mut Reached) {
    while reached.out < reached.epochs && !ingested.less_equal(&reached.out) {
        driver.setup.watch.out(reached.out);
        reached.out += 1;
    }
    driver.control.publish(*reached);
}

/// Once the first worker ends nobody is to wait for it; one that panics takes the others along.
struct Over<'a> {
    control: &'a Control,
    first: bool,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        let panics = std::thread::panicking();
        if panics {
            self.control.leave();
            self.control.gate.open();
        }
        if panics || self.first {
            self.control.over();
        }
    }
}
