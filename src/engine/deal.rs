//! The lines of an epoch, dealt to the workers on which their homes live.

use hearth_operators::words::{Behavior, Shift};

use crate::cluster::Share;
use crate::sources::{Batch, Position, Rejected, Told};

/// Behaviours of a message: enough that a message costs nothing, few enough that its memory serves again without a word to the
/// system.
pub const MESSAGE: usize = 1024;

/// What a worker is fed of an epoch: messages, in order of ingestion.
pub type Part = Vec<Vec<Behavior>>;

/// An epoch that is about to be fed.
#[derive(Debug, Default)]
pub struct Dealt {
    /// How many of its lines are events of this process's homes.
    pub events: usize,
    /// Lines that other processes answer for.
    pub elsewhere: usize,
    /// Lines that are none.
    pub rejected: Vec<Rejected>,
    /// Declared shifts.
    pub shifts: Vec<Shift>,
    /// Lines of contexts that declare none.
    pub rejected_contexts: Vec<Rejected>,
    /// What people say. Erasures come in epochs without events, so that they concern all that was read before them.
    pub told: Told,
    /// Where the source stands behind the last line.
    pub position: Position,
    /// Whether nothing comes behind it.
    pub last: bool,
    /// Whether its position lies behind the epoch that follows: the two were read at once.
    pub torn: bool,
    /// Whether it was said where it ends: then it is an epoch also if nothing of it is read here.
    pub closes: bool,
    /// By worker.
    pub(super) parts: Vec<Part>,
    /// Whose they are; `None`: nobody else is there.
    share: Option<Share>,
}

impl Dealt {
    /// Nothing yet, for the workers of a process.
    pub(super) fn new(share: Share) -> Self {
        let mut parts = Vec::new();
        parts.resize_with(share.workers(), Part::new);
        Dealt {
            parts,
            share: Some(share).filter(|share| !share.is_whole()),
            ..Dealt::default()
        }
    }

    /// Its lines that this process answers for: each is an event, rejected, or what people say.
    pub fn lines(&self) -> usize {
        self.events + self.rejected.len() + self.told.lines
    }

    /// All its lines, of whatever home: in a cluster an epoch is the same lines on every process.
    pub(super) fn read(&self) -> usize {
        self.lines() + self.elsewhere
    }

    /// Whether nothing was read.
    pub(super) fn is_empty(&self) -> bool {
        self.read() == 0
            && !self.closes
            && self.shifts.is_empty()
            && self.rejected_contexts.is_empty()
            && self.told.is_empty()
    }

    /// Takes the erasures out, where there is something before them, into an epoch of their own.
    pub(super) fn split_erasures(&mut self) -> Option<Dealt> {
        let before = self.read() > self.told.lines;
        self.torn = before && self.told.erases();
        self.torn.then(|| Dealt {
            told: self.told.split_erasures(),
            position: self.position,
            share: self.share,
            parts: self.parts.iter().map(|_| Part::new()).collect(),
            ..Dealt::default()
        })
    }

    /// In a cluster what is told to all workers is told by the first process.
    pub(super) fn leave_to_first(&mut self) {
        if self.share.is_none_or(Share::is_first) {
            return;
        }
        self.elsewhere += self.told.lines;
        self.rejected_contexts.clear();
        self.shifts.clear();
        self.told = Told::default();
    }

    /// Takes in what was read, and leaves `batch` empty.
    pub(super) fn take(&mut self, batch: &mut Batch) {
        self.elsewhere += std::mem::take(&mut batch.elsewhere);
        self.rejected.append(&mut batch.rejected);
        self.shifts.append(&mut batch.shifts);
        self.rejected_contexts.append(&mut batch.rejected_contexts);
        self.told.append(&mut batch.told);
        self.position = batch.position;
        self.closes |= std::mem::take(&mut batch.closes);
        let workers = self.parts.len();
        if let [only] = &mut self.parts[..]
            && self.share.is_none()
            && batch.behaviors.len() == MESSAGE
        {
            self.events += MESSAGE;
            let room = Vec::with_capacity(MESSAGE);
            only.push(std::mem::replace(&mut batch.behaviors, room));
            return;
        }
        for behavior in batch.behaviors.drain(..) {
            let place = match self.share {
                None => Some(behavior.home.worker(workers)),
                Some(share) => share.place(behavior.home),
            };
            let Some(place) = place else {
                self.elsewhere += 1;
                continue;
            };
            self.events += 1;
            let part = &mut self.parts[place];
            match part.last_mut() {
                Some(message) if message.len() < MESSAGE => message.push(behavior),
                _ => {
                    let mut message = Vec::with_capacity(MESSAGE);
                    message.push(behavior);
                    part.push(message);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hearth_operators::words::{ActionId, HomeId, Line, Moment, Time};

    use super::*;

    fn behavior(home: u32, line: u64) -> Behavior {
        let moment = Moment {
            time: Time(0),
            action: ActionId(0),
            offset: 0,
        };
        Behavior {
            home: HomeId(home),
            moment,
            id: None,
            line: Line { file: 0, line },
        }
    }

    /// However it was read, each worker gets its homes' behaviours, all of them, in their order, in messages of no more than
    /// that.
    #[test]
    fn each_worker_gets_its_homes() {
        const LINES: u64 = 3000;
        for (workers, read) in [(1, 1), (1, MESSAGE), (1, 1000), (3, MESSAGE), (3, 17)] {
            let all: Vec<_> = (1..=LINES)
                .map(|line| behavior((line * line % 11) as u32, line))
                .collect();
            let (mut dealt, mut batch) = (Dealt::new(Share::whole(workers)), Batch::default());
            for some in all.chunks(read) {
                batch.behaviors.extend_from_slice(some);
                dealt.take(&mut batch);
                assert!(batch.is_empty());
            }
            assert_eq!((dealt.events, dealt.lines()), (all.len(), all.len()));
            for (worker, part) in dealt.parts.iter().enumerate() {
                assert!(part.iter().all(|message| message.len() <= MESSAGE));
                let own = all.iter().filter(|b| b.home.worker(workers) == worker);
                assert!(part.iter().flatten().eq(own));
            }
        }
    }
}
