//! What each worker does: the first feeds the dataflow, all run it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use hearth_operators::dataflow::{Holds, Inputs, build, suspend};
use hearth_operators::split::Notice;
use hearth_operators::words::Epoch;
use timely::dataflow::ProbeHandle;
use timely::worker::Worker;

use super::control::{Control, Order};
use super::{Probes, Reached, Setup};
use crate::sources::Batch;

/// Epochs that may be ahead of the segments: bounds what waits inside the dataflow.
const AHEAD: Epoch = 8;

/// How long a worker sleeps at most before it looks whether it should stop.
const NAP: Duration = Duration::from_millis(20);

/// What each worker runs.
pub struct Driver {
    pub setup: Setup,
    /// Epochs from the reader, until the source ends.
    pub decoded: Receiver<Batch>,
    pub control: Arc<Control>,
    /// When the engine was started.
    pub began: Instant,
}

impl Driver {
    /// Builds the dataflow on a worker, feeds it (on the first one) and runs it until everything is out, it is suspended, or
    /// the run is stopped.
    pub fn drive(&self, worker: &mut Worker) {
        let _over = Over {
            control: &self.control,
            first: worker.index() == 0,
        };
        let index = worker.next_dataflow_index();
        let holds = Holds::new(self.control.dealt(worker.index()));
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
        let kept = if worker.index() == 0 {
            self.control.lead();
            let feed = Feed {
                driver: self,
                worker,
                inputs,
                ingested: &probes.ingested,
                reached: self.control.begin(),
            };
            feed.drive()
        } else {
            drop(inputs);
            None
        };
        self.run_out(worker, &probes);
        let complete = probes.complete();
        if self.control.is_suspended() {
            let held = suspend(worker, kept, &holds, &self.control.gate);
            self.control.keep(held);
        } else if complete.is_some() {
            // Nobody will answer what is still open.
            worker.drop_dataflow(index);
        }
        self.control.complete(complete);
    }

    /// Runs the dataflow until everything is out, or it is to be suspended. A stopped run waits for accounts alone.
    fn run_out(&self, worker: &mut Worker, Probes { ingested, done }: &Probes) {
        let (control, stop) = (&self.control, &self.setup.stop);
        let goes_on = || !control.is_suspended() && !control.is_left();
        while !ingested.done() && goes_on() && control.patient(stop) {
            worker.step_or_park(Some(NAP));
        }
        control.ingested(self.began.elapsed());
        while !done.done() && goes_on() && !stop.is_stopped() {
            worker.step_or_park(Some(NAP));
        }
    }
}

/// The first worker, while it feeds.
struct Feed<'a> {
    driver: &'a Driver,
    worker: &'a mut Worker,
    inputs: Inputs,
    ingested: &'a ProbeHandle<Epoch>,
    reached: Reached,
}

impl Feed<'_> {
    /// Feeds as ordered. The inputs, where the dataflow is to be suspended: they stay open until every worker knows.
    fn drive(mut self) -> Option<Inputs> {
        let epoch = self.reached.epochs;
        self.inputs.behaviors.advance_to(epoch);
        self.inputs.notices.advance_to(epoch);
        let order = self.run();
        let Driver { setup, control, .. } = self.driver;
        if order == Order::Suspend {
            self.settle();
            if !control.is_left() {
                control.suspend();
            }
            return Some(self.inputs);
        }
        self.inputs.notices.send(Notice::LogEnd);
        let Feed {
            driver,
            worker,
            inputs,
            ingested,
            mut reached,
        } = self;
        drop(inputs);
        while !ingested.done() && control.patient(&setup.stop) {
            worker.step_or_park(Some(NAP));
            out(driver, ingested, &mut reached);
        }
        None
    }

    /// Feeds as ordered, until the dataflow is to end in one way or the other.
    fn run(&mut self) -> Order {
        let Driver {
            setup,
            decoded,
            control,
            ..
        } = self.driver;
        loop {
            let order = control.ordered();
            let most = match order {
                Order::Suspend => return order,
                Order::Finish if self.reached.ended => return order,
                Order::Finish => Epoch::MAX,
                Order::Feed(most) => most,
            };
            if control.is_left() {
                return Order::Suspend;
            }
            if setup.stop.is_stopped() {
                if order != Order::Finish {
                    control.over();
                    self.turn();
                    continue;
                }
                // What was read by then is brought to its end, as if the log ended there; after a failure, what was fed.
                if !setup.stop.is_interrupted() || !control.patient(&setup.stop) {
                    return order;
                }
            }
            if self.reached.epochs < most && !self.reached.ended {
                match decoded.try_recv() {
                    Ok(batch) => {
                        self.feed(batch);
                        continue;
                    }
                    Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => {
                        self.reached.ended = true;
                        continue;
                    }
                }
            }
            // Whoever gives an order or an epoch wakes it.
            self.turn();
        }
    }

    /// Feeds an epoch, and waits while too many are on their way.
    fn feed(&mut self, batch: Batch) {
        let Driver { setup, control, .. } = self.driver;
        setup.watch.feeds(self.reached.epochs, &batch);
        self.reached.lines += batch.lines() as u64;
        self.reached.position = batch.position;
        self.reached.epochs += 1;
        let epoch = self.reached.epochs;
        let Batch {
            mut behaviors,
            rejected,
            shifts,
            rejected_contexts,
            ..
        } = batch;
        // Before the input passes the epoch, and so before it can be closed.
        if !(rejected.is_empty() && rejected_contexts.is_empty()) {
            setup.outlet.refuse(epoch - 1, rejected, rejected_contexts);
        }
        let Inputs {
            behaviors: input,
            notices,
        } = &mut self.inputs;
        for shift in shifts {
            notices.send(Notice::Shift(shift));
        }
        input.send_batch(&mut behaviors);
        input.advance_to(epoch);
        notices.advance_to(epoch);
        self.worker.step();
        self.tell();
        let ahead = epoch.saturating_sub(AHEAD);
        while self.ingested.less_than(&ahead) && control.patient(&setup.stop) {
            self.turn();
        }
    }

    /// Waits until what was fed is accounted for.
    fn settle(&mut self) {
        let Driver { setup, control, .. } = self.driver;
        let epoch = self.reached.epochs;
        while self.ingested.less_than(&epoch) && control.patient(&setup.stop) {
            self.turn();
        }
    }

    /// Works, or sleeps where there is nothing to do.
    fn turn(&mut self) {
        self.worker.step_or_park(Some(NAP));
        self.tell();
    }

    /// Says which epochs are out.
    fn tell(&mut self) {
        out(self.driver, self.ingested, &mut self.reached);
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
