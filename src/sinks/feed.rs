//! What is written, told to whoever listens in this process.

use std::sync::Arc;

use hearth_operators::words::Epoch;
use tokio::sync::broadcast;

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

/// Lines on their way to listeners; clones share it.
#[derive(Clone, Debug)]
pub struct Feed(broadcast::Sender<Told>);

impl Default for Feed {
    fn default() -> Self {
        Feed(broadcast::channel(BEHIND).0)
    }
}

impl Feed {
    /// Listens from now on. A listener that is slow misses lines, which it is told.
    pub fn listen(&self) -> broadcast::Receiver<Told> {
        self.0.subscribe()
    }

    /// Tells a line.
    pub fn tell(&self, told: Told) {
        // Whoever listened may have gone since.
        let _ = self.0.send(told);
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.0.receiver_count() > 0
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
