//! A log that may have nothing yet, read on a thread of its own that hands lines over one by one.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hearth_operators::words::Behavior;

use super::log::EventLog;
use super::{Rejected, SourceError};
use crate::sources::source::{Batch, Flow, Position, Told};

/// Lines that may wait to be taken.
const WAITING: usize = 16 * 1024;

/// The reading thread's other end. Once it is dropped that thread ends with the next line that comes, which may be never:
/// nobody waits for it.
pub struct Apart(Arc<Handover>);

#[derive(Default)]
struct Handover {
    tray: Mutex<Tray>,
    /// Something was put into the tray, or nothing more will be.
    put: Condvar,
    /// Something was taken out of it, or nothing more will be.
    taken: Condvar,
}

/// What a line is.
enum Read {
    Behavior(Behavior),
    Rejected(Rejected),
    Told(Told),
}

#[derive(Default)]
struct Tray {
    lines: VecDeque<(Read, Position)>,
    /// Met behind these lines.
    error: Option<SourceError>,
    ended: bool,
    abandoned: bool,
}

impl Tray {
    /// Whether the reader has to wait.
    fn full(&self) -> bool {
        !self.abandoned && (self.lines.len() >= WAITING || self.error.is_some())
    }

    /// Whether the taker has to.
    fn bare(&self) -> bool {
        self.lines.is_empty() && self.error.is_none() && !self.ended
    }
}

impl Apart {
    /// Begins to read.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn start(log: EventLog) -> io::Result<Self> {
        let desk = Arc::new(Handover::default());
        let other = desk.clone();
        let thread = std::thread::Builder::new().name("input".into());
        thread.spawn(move || other.fill(log))?;
        Ok(Apart(desk))
    }

    /// As [`Source::read`](crate::sources::Source::read).
    pub fn read(
        &self,
        limit: usize,
        deadline: Instant,
        batch: &mut Batch,
    ) -> Result<Flow, SourceError> {
        let desk = &self.0;
        let mut tray = desk.tray();
        let mut left = limit;
        loop {
            while left > 0
                && !batch.told.erases()
                && let Some((line, position)) = tray.lines.pop_front()
            {
                match line {
                    Read::Behavior(behavior) => batch.behaviors.push(behavior),
                    Read::Rejected(rejected) => batch.rejected.push(rejected),
                    Read::Told(mut told) => batch.told.append(&mut told),
                }
                batch.position = position;
                left -= 1;
            }
            desk.taken.notify_one();
            if left == 0 || batch.told.erases() {
                return Ok(Flow::Open);
            }
            if let Some(error) = tray.error.take() {
                return Err(error);
            }
            if tray.ended {
                return Ok(Flow::Ended);
            }
            let wait = deadline.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Ok(Flow::Open);
            }
            let waited = desk.put.wait_timeout_while(tray, wait, |tray| tray.bare());
            tray = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.0.tray().abandoned = true;
        self.0.taken.notify_one();
    }
}

impl Handover {
    fn tray(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the log to its end, or until nobody takes its lines any more.
    fn fill(&self, mut log: EventLog) {
        // However it ends, a panic included, nobody is left waiting.
        let _ended = Ended(self);
        let (mut behaviors, mut rejected) = (Vec::new(), Vec::new());
        loop {
            // Line by line: a second one may be long in coming.
            let read = log.read(1, &mut behaviors, &mut rejected);
            let position = log.position();
            let tray = self.tray();
            let waited = self.taken.wait_while(tray, |tray| tray.full());
            let mut tray = waited.unwrap_or_else(PoisonError::into_inner);
            if tray.abandoned {
                return;
            }
            let lines = behaviors.drain(..).map(Read::Behavior);
            let lines = lines.chain(rejected.drain(..).map(Read::Rejected));
            let told = Some(log.told()).filter(|told| !told.is_empty());
            let lines = lines.chain(told.map(Read::Told));
            tray.lines.extend(lines.map(|line| (line, position)));
            match read {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => tray.error = Some(error),
            }
            drop(tray);
            self.put.notify_one();
        }
    }
}

/// Says at its drop that nothing more will come.
struct Ended<'a>(&'a Handover);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut tray = self.0.tray();
        if std::thread::panicking() {
            tray.error = Some(SourceError::Stopped);
        }
        tray.ended = true;
        drop(tray);
        self.0.put.notify_one();
    }
}
