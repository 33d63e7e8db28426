//! What each worker does: the first feeds the dataflow, all run it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use hearth_operators::split::Notice;
use hearth_operators::words::{Behavior, Epoch};
use timely::dataflow::{InputHandleVec, ProbeHandle};
use timely::worker::Worker;

use super::control::{Control, Order};
use super::{Reached, Setup};
use crate::dataflow::{self, Dataflow};
use crate::sinks::Row;
use crate::sources::{Batch, Rejected};

/// Epochs that may be ahead of the segments: bounds what waits inside the dataflow.
const AHEAD: Epoch = 8;

/// How long a worker sleeps at most before it looks whether it should stop.
const NAP: Duration = Duration::from_millis(20);

/// What each worker runs.
pub struct Driver {
    pub setup: Setup,
    /// Where rows go.
    pub rows: Sender<Vec<Row>>,
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
        let Dataflow {
            behaviors,
            notices,
            ingested,
            done,
        } = worker.dataflow(|scope| {
            let services = self.setup.services.as_deref();
            dataflow::build(scope, &self.setup.dataflow, services, &self.rows)
        });
        if worker.index() == 0 {
            self.control.lead();
            let mut feed = Feed {
                driver: self,
                worker,
                behaviors,
                notices,
                ingested: &ingested,
                reached: Reached::default(),
            };
            match feed.run() {
                Order::Suspend => {
                    feed.settle();
                    // Here every operator's state is that of the last epoch, which is where it can be taken out.
                    self.control.leave();
                }
                Order::Finish | Order::Feed(_) => {
                    feed.notices.send(Notice::LogEnd);
                    feed.close();
                }
            }
        } else {
            drop((behaviors, notices));
        }
        self.run_out(worker, &ingested, &done);
        if done.done() {
            self.control.complete(None);
        } else {
            // Nobody will answer what is still open.
            let epochs = done.with_frontier(|frontier| frontier.first().copied());
            self.control.complete(Some(epochs.unwrap_or(0)));
            worker.drop_dataflow(index);
        }
    }

    /// Runs the dataflow, whose inputs are closed, until everything is out. A stopped run waits for accounts alone.
    fn run_out(
        &self,
        worker: &mut Worker,
        ingested: &ProbeHandle<Epoch>,
        done: &ProbeHandle<Epoch>,
    ) {
        let (control, stop) = (&self.control, &self.setup.stop);
        while !ingested.done() && control.patient(stop) {
            worker.step_or_park(Some(NAP));
        }
        control.ingested(self.began.elapsed());
        while !done.done() && !stop.is_stopped() && !control.is_left() {
            worker.step_or_park(Some(NAP));
        }
    }
}

/// The first worker, while it feeds.
struct Feed<'a> {
    driver: &'a Driver,
    worker: &'a mut Worker,
    behaviors: InputHandleVec<Epoch, Behavior>,
    notices: InputHandleVec<Epoch, Notice>,
    ingested: &'a ProbeHandle<Epoch>,
    reached: Reached,
}

impl Feed<'_> {
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
        self.refuse(rejected, rejected_contexts);
        for shift in shifts {
            self.notices.send(Notice::Shift(shift));
        }
        self.behaviors.send_batch(&mut behaviors);
        self.behaviors.advance_to(epoch);
        self.notices.advance_to(epoch);
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

    /// Ends the inputs and sees what was fed out.
    fn close(self) {
        let Feed {
            driver,
            worker,
            behaviors,
            notices,
            ingested,
            mut reached,
        } = self;
        drop((behaviors, notices));
        while !ingested.done() && driver.control.patient(&driver.setup.stop) {
            worker.step_or_park(Some(NAP));
            out(driver, ingested, &mut reached);
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

    /// Writes lines that are nothing to be fed.
    fn refuse(&self, lines: Vec<Rejected>, contexts: Vec<Rejected>) {
        let lines = lines.into_iter().map(|r| Row::Rejected {
            line: r.line,
            source: r.source,
            reason: r.reason,
        });
        let contexts = contexts.into_iter().map(|r| Row::RejectedContext {
            line: r.line,
            source: r.source,
            reason: r.reason,
        });
        let rows: Vec<Row> = contexts.chain(lines).collect();
        if !rows.is_empty() {
            // As in the dataflow: only the writer's panic could refuse them.
            let _ = self.driver.rows.send(rows);
        }
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
        }
        if panics || self.first {
            self.control.over();
        }
    }
}
