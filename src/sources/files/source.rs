//! Files as a [`Source`]: an event log, and the declared contexts, all of which come before its first line.

use std::io;
use std::time::Instant;

use hearth_operators::words::Shift;

use super::apart::Apart;
use super::log::EventLog;
use super::{Rejected, SourceError};
use crate::sources::source::{Batch, Flow, Source};

/// Lines that are read between two looks at the clock.
const LOOK: usize = 4096;

/// An event log with its contexts.
pub struct Files {
    reading: Reading,
    shifts: Vec<Shift>,
    rejected_contexts: Vec<Rejected>,
    bytes_total: Option<u64>,
}

enum Reading {
    /// Files on a disk, which are always there.
    Here(Box<EventLog>),
    /// Standard input or a pipe, which may have nothing yet.
    Apart(Apart),
}

impl Files {
    /// A log, of which nothing was read yet, and what [`read_contexts`](super::read_contexts) gave. Where a part of it is no file on a disk,
    /// a thread of its own reads it, because that may wait for ever.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn new(
        log: EventLog,
        (shifts, rejected_contexts): (Vec<Shift>, Vec<Rejected>),
    ) -> io::Result<Self> {
        let bytes_total = log.bytes_total();
        let reading = match bytes_total {
            Some(_) => Reading::Here(Box::new(log)),
            None => Reading::Apart(Apart::start(log)?),
        };
        Ok(Files {
            reading,
            shifts,
            rejected_contexts,
            bytes_total,
        })
    }
}

impl Source for Files {
    fn read(
        &mut self,
        limit: usize,
        deadline: Instant,
        batch: &mut Batch,
    ) -> Result<Flow, SourceError> {
        batch.shifts.append(&mut self.shifts);
        batch.rejected_contexts.append(&mut self.rejected_contexts);
        match &mut self.reading {
            Reading::Here(log) => here(log, limit, deadline, batch),
            Reading::Apart(apart) => apart.read(limit, deadline, batch),
        }
    }

    fn trickles(&self) -> bool {
        matches!(self.reading, Reading::Apart(_))
    }

    fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }
}

fn here(
    log: &mut EventLog,
    limit: usize,
    deadline: Instant,
    batch: &mut Batch,
) -> Result<Flow, SourceError> {
    let mut left = limit;
    while left > 0 {
        let lines = left.min(LOOK);
        let read = log.read(lines, &mut batch.behaviors, &mut batch.rejected)?;
        batch.position = log.position();
        left -= read;
        if read == 0 {
            return Ok(Flow::Ended);
        }
        if left > 0 && Instant::now() >= deadline {
            break;
        }
    }
    Ok(Flow::Open)
}
