//! What each worker of a replay does: the first feeds the dataflow, all run it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use hearth_operators::split::Notice;
use hearth_operators::words::{Behavior, Epoch, Shift};
use timely::dataflow::InputHandleVec;
use timely::worker::Worker;

use super::progress::Position;
use crate::dataflow::{self, Dataflow};
use crate::outputs::Rejection;
use crate::pool::Stop;
use crate::services::{Services, Workload};
use crate::sinks::RowSender;
use crate::sources::Rejected;

/// Epochs that may be ahead of the segments: bounds what waits inside the dataflow.
const AHEAD: Epoch = 8;

/// How long a worker sleeps at most before it looks whether it should stop.
const NAP: Duration = Duration::from_millis(20);

/// What a batch of lines came to.
pub struct Batch {
    /// How many they were.
    pub lines: u64,
    /// How far the log is read with them, in bytes before decompression.
    pub bytes: u64,
    /// Events, in order of ingestion.
    pub behaviors: Vec<Behavior>,
    /// Lines that are none.
    pub rejected: Vec<Rejected>,
}

/// What each worker runs.
pub struct Driver {
    /// What the dataflow is built with.
    pub settings: dataflow::Settings,
    /// What it asks for.
    pub services: Arc<Services>,
    /// Where its rows go.
    pub rows: RowSender,
    /// Batches from the reader, until the log ends.
    pub decoded: Receiver<Batch>,
    /// All declared shifts.
    pub shifts: Arc<Vec<Shift>>,
    /// Whether to stop.
    pub stop: Stop,
    /// What was fed; lines that were only read do not count.
    pub position: Arc<Position>,
    /// What is open beside the dataflow.
    pub workload: Workload,
    /// Events that were fed while requests were open.
    pub during_adaptation: Arc<AtomicU64>,
    /// When the run began.
    pub began: Instant,
    /// Microseconds after `began` at which the last event was accounted for.
    pub ingested_at: Arc<AtomicU64>,
}

impl Driver {
    /// Builds the dataflow on a worker, feeds it (on the first one) and runs it until everything is out, or the run is stopped.
    pub fn drive(&self, worker: &mut Worker) {
        let dataflow = worker.next_dataflow_index();
        let Dataflow {
            mut behaviors,
            mut notices,
            ingested,
            done,
        } = worker
            .dataflow(|scope| dataflow::build(scope, &self.settings, &self.services, &self.rows));
        if worker.index() == 0 {
            for shift in self.shifts.iter() {
                notices.send(Notice::Shift(shift.clone()));
            }
            let mut epoch: Epoch = 0;
            loop {
                match self.decoded.recv_timeout(NAP) {
                    Ok(batch) => {
                        self.feed(epoch, batch, &mut behaviors);
                        epoch += 1;
                        behaviors.advance_to(epoch);
                        notices.advance_to(epoch);
                        worker.step();
                        while ingested.less_than(&epoch.saturating_sub(AHEAD)) {
                            worker.step_or_park(Some(NAP));
                        }
                    }
                    // The reader may wait for input for ever.
                    Err(RecvTimeoutError::Timeout) if self.stop.is_stopped() => break,
                    Err(RecvTimeoutError::Timeout) => {
                        worker.step();
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            // Also where the run is stopped: what was read is brought to its end, as if the log ended here.
            notices.send(Notice::LogEnd);
        }
        drop((behaviors, notices));
        while !ingested.done() {
            worker.step_or_park(Some(NAP));
        }
        let now = self.began.elapsed().as_micros() as u64;
        self.ingested_at.fetch_max(now, Ordering::Relaxed);
        while !done.done() && !self.stop.is_stopped() {
            worker.step_or_park(Some(NAP));
        }
        if !done.done() {
            // Nobody will answer what is still open.
            worker.drop_dataflow(dataflow);
        }
    }

    fn feed(&self, epoch: Epoch, batch: Batch, behaviors: &mut InputHandleVec<Epoch, Behavior>) {
        self.position.advance(batch.lines, batch.bytes);
        if self.workload.open_requests() > 0 {
            let read = batch.behaviors.len() as u64;
            self.during_adaptation.fetch_add(read, Ordering::Relaxed);
        }
        // Before the input passes the epoch, and so before it can be closed.
        let rejected = batch.rejected.into_iter().map(|r| Rejection::Line {
            line: r.line,
            source: r.source,
            reason: r.reason,
        });
        self.rows.write(epoch, rejected.collect());
        let mut batch = batch.behaviors;
        behaviors.send_batch(&mut batch);
    }
}
