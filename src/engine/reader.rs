//! Cuts a source into epochs and deals them to the workers, on a thread of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::control::Control;
use super::deal::{Dealt, MESSAGE};
use super::{Epochs, Watch};
use crate::cluster::Share;
use crate::sources::{Batch, Flow, Source, SourceError};
use crate::stop::Stop;

/// How often a reader that waits looks whether it should stop.
const LOOK: Duration = Duration::from_millis(100);

/// How often a reader that is held back asks whether it still is.
const HELD_BACK: Duration = Duration::from_millis(20);

pub struct Reader<S> {
    pub source: S,
    pub epochs: Epochs,
    /// The homes whose events are dealt to the workers.
    pub share: Share,
    pub stop: Stop,
    pub control: Arc<Control>,
    pub watch: Arc<dyn Watch>,
    pub give: Sender<Dealt>,
}

impl<S: Source> Reader<S> {
    /// Reads epochs until the source ends, nobody takes them, or the run is stopped.
    pub fn run(mut self) -> Result<(), SourceError> {
        let mut broken = Ok(());
        let mut flow = Flow::Open;
        let mut batch = Batch::default();
        while flow == Flow::Open && self.goes_on() {
            if self.watch.holds_back() {
                std::thread::sleep(HELD_BACK);
                continue;
            }
            let mut epoch = Dealt::new(self.share);
            match self.fill(&mut epoch, &mut batch) {
                Ok(next) => flow = next,
                // What lies behind it is read; the first error is told.
                Err(error) => broken = broken.and(Err(error)),
            }
            let mut erasures = epoch.split_erasures();
            erasures.as_mut().unwrap_or(&mut epoch).last = flow == Flow::Ended;
            for mut epoch in std::iter::once(epoch).chain(erasures) {
                if epoch.is_empty() {
                    continue;
                }
                epoch.leave_to_first();
                if self.give.send(epoch).is_err() {
                    flow = Flow::Ended;
                }
            }
            self.control.wake();
        }
        drop(self.give);
        self.control.wake();
        broken
    }

    fn goes_on(&self) -> bool {
        !self.stop.is_stopped() && !self.control.is_left()
    }

    /// Reads the lines of an epoch, by way of `batch`.
    fn fill(&mut self, epoch: &mut Dealt, batch: &mut Batch) -> Result<Flow, SourceError> {
        let Epochs { lines, interval } = match self.source.says_ends() {
            true => Epochs::AS_SAID,
            false => self.epochs,
        };
        let look = interval.map_or(LOOK, |interval| interval.min(LOOK));
        let mut closes: Option<Instant> = None;
        loop {
            let now = Instant::now();
            let deadline = closes.map_or(now + look, |closes| closes.min(now + look));
            let left = lines.saturating_sub(epoch.read());
            let flow = self.source.read(left.min(MESSAGE), deadline, batch);
            epoch.take(batch);
            let flow = flow?;
            let full = match self.source.says_ends() {
                true => epoch.closes,
                false => epoch.read() >= lines || epoch.told.erases(),
            };
            if flow == Flow::Ended || full || !self.goes_on() {
                return Ok(flow);
            }
            let Some(interval) = interval else { continue };
            let wait = match (epoch.read(), epoch.told.asks()) {
                (0, false) => continue,
                // Who asks waits for no lines.
                (0, true) => Duration::ZERO,
                _ => interval,
            };
            // Its first line has come since `now`.
            if *closes.get_or_insert(now + wait) <= Instant::now() {
                return Ok(flow);
            }
        }
    }
}
