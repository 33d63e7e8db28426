//! What is written, told to whoever listens in this process.

use std::sync::Arc;

use hearth_operators::words::Epoch;
use tokio::sync::{broadcast, watch};

use super::{Durable, Positions, Sink, SinkError};
use crate::outputs::{Model, Names, Rows, Stream};

/// Lines that a listener may be behind before it misses some.
const BEHIND: usize = 16 * 1024;

/// A line of a stream, whose epoch is complete.
#[derive(Clone, Debug)]
pub struct Told {
    /// Of which stream.
    pub stream: Stream,
    /// Of which epoch.
    pub epoch: Epoch,
    /// As in the stream's file, without line end.
    pub line: Arc<str>,
}

/// How far cuts have the streams in their files. What lies before is never written anew, whoever dies.
#[derive(Clone, Debug, Default)]
pub struct Cuts {
    /// Where the process found the streams, once it did.
    pub began: Option<Positions>,
    /// Where the newest cut has them.
    pub newest: Positions,
    /// Whether the run is over: there is no newer cut.
    pub over: bool,
}

/// Lines on their way to listeners; clones share it.
#[derive(Clone, Debug)]
pub struct Feed {
    lines: broadcast::Sender<Told>,
    cuts: watch::Sender<Cuts>,
}

impl Default for Feed {
    fn default() -> Self {
        Feed {
            lines: broadcast::channel(BEHIND).0,
            cuts: watch::Sender::default(),
        }
    }
}

impl Feed {
    /// Listens from now on. A listener that is slow misses lines, which it is told.
    pub fn listen(&self) -> broadcast::Receiver<Told> {
        self.lines.subscribe()
    }

    /// Tells a line.
    pub fn tell(&self, told: Told) {
        // Whoever listened may have gone since.
        let _ = self.lines.send(told);
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.lines.receiver_count() > 0
    }

    /// How far cuts have the streams.
    pub fn cuts(&self) -> watch::Receiver<Cuts> {
        self.cuts.subscribe()
    }

    /// A replay begins there: with nothing, or with what a cut has.
    pub fn begin(&self, positions: &Positions) {
        self.cuts.send_modify(|cuts| {
            cuts.began.get_or_insert_with(|| positions.clone());
            cuts.newest = positions.clone();
        });
    }

    /// A cut was taken: it is whole, and outlives a power failure.
    pub fn cut(&self, positions: &Positions) {
        self.cuts
            .send_modify(|cuts| cuts.newest = positions.clone());
    }

    /// The run is over.
    pub fn end(&self) {
        self.cuts.send_modify(|cuts| cuts.over = true);
    }

    /// A sink that tells what it hands on to another, of these streams.
    pub fn before<S: Sink>(&self, sink: S, streams: &'static [Stream]) -> Telling<S> {
        Telling {
            sink,
            feed: self.clone(),
            streams,
            line: Vec::new(),
        }
    }
}

/// See [`Feed::before`].
pub struct Telling<S> {
    sink: S,
    feed: Feed,
    streams: &'static [Stream],
    line: Vec<u8>,
}

impl<S: Sink> Sink for Telling<S> {
    fn write(&mut self, epoch: Epoch, rows: &dyn Rows, names: &Names) -> Result<(), SinkError> {
        self.sink.write(epoch, rows, names)?;
        let stream = rows.stream();
        if !self.feed.is_heard() || !self.streams.contains(&stream) {
            return Ok(());
        }
        for index in 0..rows.len() {
            self.line.clear();
            // The sink before has written it, so it can be written.
            if rows.line(index, epoch, names, &mut self.line).is_ok() {
                let line = Arc::from(String::from_utf8_lossy(&self.line));
                self.feed.tell(Told {
                    stream,
                    epoch,
                    line,
                });
            }
        }
        Ok(())
    }

    fn save(&mut self, model: &Model, names: &Names) -> Result<(), SinkError> {
        self.sink.save(model, names)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.sink.flush()
    }

    fn cut(&mut self) -> Result<(Positions, Durable), SinkError> {
        self.sink.cut()
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.sink.finish()
    }
}
