//! The thread that hands rows to a sink.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use hearth_operators::portrait::Answered;
use hearth_operators::split::Fate;
use hearth_operators::words::{Epoch, HomeId, Line};
use serde::{Deserialize, Serialize};

use super::open_rows::{IN_MEMORY, Open, OpenRows};
use super::{Durable, Positions, Sink, SinkError};
use crate::outputs::{Counts, Model, Names, Record, Rows, Stream, Tally};

/// Messages that may wait for the writer before a worker does.
const MESSAGES: usize = 64;

/// When others see what is written.
pub struct Shown {
    /// So long after their epoch was closed at the latest rows are with others, however few they are; what writing itself takes comes
    /// on top.
    pub after: Duration,
    /// Is told what is counted whenever they see more.
    pub counts: Box<dyn Fn(&Tally) + Send>,
    /// Is told what became of events that somebody asked for.
    pub fates: Box<dyn Fn(Vec<(Line, Fate)>) + Send>,
    /// Is told what homes' models know that somebody asked for.
    pub portraits: Box<dyn Fn(Vec<Answered>, &Names) + Send>,
    /// Is told at once where writing fails.
    pub failed: Box<dyn Fn(&SinkError) + Send>,
}

impl Default for Shown {
    /// Within a second, as is promised.
    fn default() -> Self {
        Shown {
            after: Duration::from_millis(500),
            counts: Box::new(|_| {}),
            fates: Box::new(drop),
            portraits: Box::new(|_, _| {}),
            failed: Box::new(|_| {}),
        }
    }
}

/// What the writer is told.
enum Message {
    /// Rows of an epoch.
    Rows(Epoch, Box<dyn Rows>),
    /// No more rows of the stream come up to and including this epoch.
    Close(Stream, Epoch),
    /// Events that leave no line of their own.
    Events { applied: u64, duplicate: u64 },
    /// What became of events that somebody asked for.
    Fates(Vec<(Line, Fate)>),
    /// What homes' models know that somebody asked for.
    Portraits(Vec<Answered>),
    /// A model to be saved.
    Model(Model),
    /// How far everything up to here is written.
    Cut(Sender<(Written, Durable)>),
    /// Of each stream, the first epoch that is open.
    Open(Sender<Vec<Epoch>>),
}

/// How far outputs are written: what a restart goes on from.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Written {
    /// Where each stream stands.
    pub positions: Positions,
    /// Rows that are not written, for their epochs are open.
    open: Vec<Open>,
    tally: Tally,
}

impl Written {
    /// What process `process` of `processes` goes on with of what others had written before, by their numbers: every so many-th one's
    /// sums and rows that wait, into files that stand at `positions`. What is counted by home is counted where the home is the process's
    /// `own`.
    pub fn dealt(
        before: Vec<Written>,
        positions: Positions,
        (process, processes): (usize, usize),
        own: &dyn Fn(HomeId) -> bool,
    ) -> Written {
        let (mut tally, mut opens) = (Tally::default(), Vec::new());
        for (number, written) in before.into_iter().enumerate() {
            let taken = number % processes == process;
            tally.add(written.tally.of_homes(own));
            if taken {
                tally.add(written.tally.sums());
            }
            opens.push((written.open, taken));
        }
        let open = Open::join(opens, own, &mut tally);
        Written {
            positions,
            open,
            tally,
        }
    }
}

/// The way to the writer; clones share it. The writer takes messages until the last one is dropped; only its panic ends it
/// sooner, which [`Writer::finish`] reports, so sending itself has no error.
#[derive(Clone)]
pub struct RowSender {
    to: Sender<Message>,
    /// The worker that says when epochs are closed.
    closer: usize,
}

impl RowSender {
    /// To nobody.
    pub fn nowhere() -> Self {
        RowSender {
            to: crossbeam_channel::bounded(0).0,
            closer: 0,
        }
    }

    /// The same, where another worker than the first of all says when epochs are closed: each process has a writer of its own.
    #[must_use]
    pub fn closed_by(self, closer: usize) -> Self {
        RowSender { closer, ..self }
    }

    /// The worker that says so.
    pub(super) fn closer(&self) -> usize {
        self.closer
    }

    /// Rows of an epoch that is not closed.
    pub fn write<R: Record>(&self, epoch: Epoch, rows: Vec<R>) {
        if !rows.is_empty() {
            let _ = self.to.send(Message::Rows(epoch, Box::new(rows)));
        }
    }

    /// Every row of the stream up to and including this epoch was sent, whoever sent it.
    pub fn close(&self, stream: Stream, epoch: Epoch) {
        let _ = self.to.send(Message::Close(stream, epoch));
    }

    /// Events that leave no line of their own.
    pub fn events(&self, applied: u64, duplicate: u64) {
        let _ = self.to.send(Message::Events { applied, duplicate });
    }

    /// What became of events that somebody asked for.
    pub fn fates(&self, fates: Vec<(Line, Fate)>) {
        if !fates.is_empty() {
            let _ = self.to.send(Message::Fates(fates));
        }
    }

    /// What homes' models know that somebody asked for.
    pub fn portraits(&self, portraits: Vec<Answered>) {
        if !portraits.is_empty() {
            let _ = self.to.send(Message::Portraits(portraits));
        }
    }

    /// A model to be saved.
    pub fn save(&self, model: Model) {
        let _ = self.to.send(Message::Model(model));
    }

    /// Of each stream, the first epoch that is open; `None` if writing has failed.
    pub fn open(&self) -> Option<Vec<Epoch>> {
        let (reply, open) = crossbeam_channel::bounded(1);
        let _ = self.to.send(Message::Open(reply));
        open.recv().ok()
    }

    /// Each stream is complete up to its epoch of these, as [`RowSender::open`] gives them.
    pub fn open_from(&self, open: &[Epoch]) {
        for (stream, next) in Stream::ALL.into_iter().zip(open) {
            if let Some(last) = next.checked_sub(1) {
                self.close(stream, last);
            }
        }
    }

    /// Asks how far everything that was sent until now is written.
    pub fn cut(&self) -> Asked {
        let (reply, written) = crossbeam_channel::bounded(1);
        let _ = self.to.send(Message::Cut(reply));
        Asked(written)
    }
}

/// What will be said of a moment that may be long over by then.
pub struct Asked(Receiver<(Written, Durable)>);

impl Asked {
    /// How far everything is written that was sent until then, and what has it outlive a power failure; `None` if writing has failed.
    pub fn written(self) -> Option<(Written, Durable)> {
        self.0.recv().ok()
    }
}

/// The thread that writes.
#[derive(Debug)]
pub struct Writer {
    thread: JoinHandle<Result<Counts, SinkError>>,
}

impl Writer {
    /// Starts it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        sink: impl Sink + 'static,
        names: Names,
    ) -> Result<(Writer, RowSender), SinkError> {
        Self::begin(None, sink, names, Shown::default())
    }

    /// Starts it; where an earlier run had written something, it goes on with that, into a sink that was put back there.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn begin(
        written: Option<Written>,
        sink: impl Sink + 'static,
        names: Names,
        shown: Shown,
    ) -> Result<(Writer, RowSender), SinkError> {
        let (held, tally) = match written {
            Some(Written { open, tally, .. }) => (OpenRows::back_to(open, IN_MEMORY), tally),
            None => (OpenRows::new(IN_MEMORY), Tally::default()),
        };
        let (sender, receiver) = crossbeam_channel::bounded(MESSAGES);
        let desk = WriterThread {
            sink,
            names,
            held,
            tally,
            flush_at: None,
            shown,
        };
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || desk.work(&receiver))
            .map_err(SinkError::Start)?;
        let rows = RowSender {
            to: sender,
            closer: 0,
        };
        Ok((Writer { thread }, rows))
    }

    /// Waits until every sender is dropped and every row of an epoch that was closed is written; counts these. Rows of other
    /// epochs are dropped: a part of an epoch is nothing that a later run could go on from.
    ///
    /// # Errors
    /// The sink's first failure, wherever it occurred.
    pub fn finish(self) -> Result<Counts, SinkError> {
        self.thread.join().unwrap_or(Err(SinkError::Stopped))
    }
}

/// What the writer's thread works with.
struct WriterThread<S> {
    sink: S,
    names: Names,
    held: OpenRows,
    tally: Tally,
    /// When the sink is to be flushed; `None` if nothing was written since it was.
    flush_at: Option<Instant>,
    shown: Shown,
}

impl<S: Sink> WriterThread<S> {
    fn work(mut self, receiver: &Receiver<Message>) -> Result<Counts, SinkError> {
        let written = self.write(receiver);
        if let Err(error) = &written {
            (self.shown.failed)(error);
        }
        // After a failure rows are still taken: a full channel would block the workers for ever.
        receiver.iter().for_each(drop);
        written?;
        Ok(self.tally.counts())
    }

    fn write(&mut self, receiver: &Receiver<Message>) -> Result<(), SinkError> {
        loop {
            let message = match self.flush_at {
                Some(at) => receiver.recv_deadline(at),
                None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match message {
                Ok(message) => self.take(message)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.sink.finish(),
            }
            // Not only where nothing comes for so long: a deadline does not pass while messages wait.
            if self.flush_at.is_some_and(|at| at <= Instant::now()) {
                self.sink.flush()?;
                (self.shown.counts)(&self.tally);
                self.flush_at = None;
            }
        }
    }

    fn take(&mut self, message: Message) -> Result<(), SinkError> {
        match message {
            Message::Rows(epoch, rows) => self.held.hold(epoch, rows, &self.names),
            Message::Close(stream, epoch) => self.close(stream, epoch),
            Message::Events { applied, duplicate } => {
                self.tally.events(applied, duplicate);
                Ok(())
            }
            Message::Fates(fates) => {
                (self.shown.fates)(fates);
                Ok(())
            }
            Message::Portraits(portraits) => {
                (self.shown.portraits)(portraits, &self.names);
                Ok(())
            }
            Message::Model(model) => self.sink.save(&model, &self.names),
            Message::Cut(reply) => self.cut(&reply),
            Message::Open(reply) => {
                // Whoever asked may have been told to stop.
                let _ = reply.send(self.held.next());
                Ok(())
            }
        }
    }

    fn cut(&mut self, reply: &Sender<(Written, Durable)>) -> Result<(), SinkError> {
        let (positions, durable) = self.sink.cut()?;
        let open = self.held.show(&self.names)?;
        let tally = self.tally.clone();
        // Whoever asked may have been told to stop.
        let written = Written {
            positions,
            open,
            tally,
        };
        let _ = reply.send((written, durable));
        Ok(())
    }

    fn close(&mut self, stream: Stream, epoch: Epoch) -> Result<(), SinkError> {
        let (sink, names, tally) = (&mut self.sink, &self.names, &mut self.tally);
        let mut any = false;
        self.held.close(stream, epoch, |epoch, rows| {
            sink.write(epoch, rows, names)?;
            rows.count(tally);
            any = true;
            Ok(())
        })?;
        if any && self.flush_at.is_none() {
            self.flush_at = Some(Instant::now() + self.shown.after);
        }
        Ok(())
    }
}
