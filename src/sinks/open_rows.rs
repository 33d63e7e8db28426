//! Rows of epochs that are not complete yet.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use hearth_operators::words::{Epoch, HomeId};
use serde::{Deserialize, Serialize};

use super::SinkError;
use crate::outputs::{Names, Rows, Stream, Tally};

/// Rows of open epochs in memory at most, of all streams: a row takes some hundred bytes, so this is some 64 MiB. One
/// request that is not answered for hours keeps open every epoch since; further rows wait in a temporary file, already
/// formatted, and still leave in order.
pub(super) const IN_MEMORY: usize = 1 << 19;

/// Rows that wait until their epoch is complete.
pub(super) struct OpenRows {
    /// By stream.
    streams: [Waiting; Stream::ALL.len()],
    /// Rows in memory.
    rows: usize,
    /// As many are at most.
    in_memory: usize,
    spill: Spill,
}

/// Rows of one stream.
#[derive(Default)]
struct Waiting {
    open: BTreeMap<Epoch, Vec<Batch>>,
    /// The first epoch that is open.
    next: Epoch,
    /// Whether even the last one is closed.
    ended: bool,
}

enum Batch {
    Rows(Box<dyn Rows>),
    Spilled(Box<Spilled>),
}

impl OpenRows {
    pub(super) fn new(in_memory: usize) -> Self {
        OpenRows {
            streams: Default::default(),
            rows: 0,
            in_memory,
            spill: Spill::default(),
        }
    }

    /// Keeps rows of an epoch until it is closed.
    ///
    /// # Errors
    /// It was closed; or rows that have no place in memory find none on disk.
    pub(super) fn hold(
        &mut self,
        epoch: Epoch,
        rows: Box<dyn Rows>,
        names: &Names,
    ) -> Result<(), SinkError> {
        let stream = rows.stream();
        let waiting = &mut self.streams[stream as usize];
        if waiting.ended || epoch < waiting.next {
            return Err(SinkError::AfterClose {
                stream: stream.name(),
                epoch,
            });
        }
        let batches = waiting.open.entry(epoch).or_default();
        if self.rows + rows.len() <= self.in_memory {
            self.rows += rows.len();
            batches.push(Batch::Rows(rows));
        } else {
            let spilled = self.spill.write(epoch, &*rows, names);
            batches.push(Batch::Spilled(Box::new(spilled?)));
        }
        Ok(())
    }

    /// Shows what waits, formatted.
    ///
    /// # Errors
    /// Rows cannot be formatted, or spilled ones be read.
    pub(super) fn show(&mut self, names: &Names) -> Result<Vec<Open>, SinkError> {
        let mut shown = Vec::new();
        for stream in Stream::ALL {
            let waiting = &self.streams[stream as usize];
            let mut rows = Vec::new();
            for (epoch, batches) in &waiting.open {
                for batch in batches {
                    let lines = match batch {
                        Batch::Rows(rows) => Lines::format(*epoch, &**rows, names)?,
                        Batch::Spilled(spilled) => self.spill.lines(spilled)?,
                    };
                    rows.push((*epoch, lines));
                }
            }
            let Waiting { next, ended, .. } = *waiting;
            shown.push(Open {
                stream,
                next,
                ended,
                rows,
            });
        }
        Ok(shown)
    }

    /// Of each stream, the first epoch that is open.
    pub(super) fn next(&self) -> Vec<Epoch> {
        self.streams.iter().map(|waiting| waiting.next).collect()
    }

    /// Goes on with what was shown.
    pub(super) fn back_to(shown: Vec<Open>, in_memory: usize) -> Self {
        let mut held = OpenRows::new(in_memory);
        for Open {
            stream,
            next,
            ended,
            rows,
        } in shown
        {
            let waiting = &mut held.streams[stream as usize];
            (waiting.next, waiting.ended) = (next, ended);
            for (epoch, lines) in rows {
                held.rows += lines.len();
                let batches = waiting.open.entry(epoch).or_default();
                batches.push(Batch::Rows(Box::new(lines)));
            }
        }
        held
    }

    /// Hands the rows of a stream up to and including an epoch to `take`, in order of epochs.
    ///
    /// # Errors
    /// What `take` says, or spilled rows cannot be read.
    pub(super) fn close(
        &mut self,
        stream: Stream,
        epoch: Epoch,
        mut take: impl FnMut(Epoch, &dyn Rows) -> Result<(), SinkError>,
    ) -> Result<(), SinkError> {
        let waiting = &mut self.streams[stream as usize];
        let complete = match epoch.checked_add(1) {
            Some(next) => {
                let open = waiting.open.split_off(&next);
                waiting.next = waiting.next.max(next);
                std::mem::replace(&mut waiting.open, open)
            }
            None => {
                waiting.ended = true;
                std::mem::take(&mut waiting.open)
            }
        };
        for (epoch, batches) in complete {
            for batch in batches {
                match batch {
                    Batch::Rows(rows) => {
                        self.rows -= rows.len();
                        take(epoch, &*rows)?;
                    }
                    Batch::Spilled(spilled) => take(epoch, &self.spill.read(&spilled)?)?,
                }
            }
        }
        Ok(())
    }
}

/// Rows of a stream that wait, as a cut keeps them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Open {
    stream: Stream,
    next: Epoch,
    ended: bool,
    rows: Vec<(Epoch, Lines)>,
}

impl Open {
    /// Of every stream, all rows that wait of those that are `taken`, as a cut of several processes keeps them; what the rows say of
    /// `own` homes goes to the tally, as far as these are counted.
    pub(super) fn join(
        all: Vec<(Vec<Open>, bool)>,
        own: &dyn Fn(HomeId) -> bool,
        tally: &mut Tally,
    ) -> Vec<Open> {
        let mut joined = Stream::ALL.map(|stream| Open {
            stream,
            next: 0,
            ended: false,
            rows: Vec::new(),
        });
        for (opens, taken) in all {
            for Open {
                stream, next, rows, ..
            } in opens
            {
                let to = &mut joined[stream as usize];
                to.next = to.next.max(next);
                for (epoch, lines) in rows {
                    tally.add(lines.tally.of_homes(own));
                    if taken {
                        let tally = lines.tally.sums();
                        to.rows.push((epoch, Lines { tally, ..lines }));
                    }
                }
            }
        }
        joined.into()
    }
}

/// A temporary file of formatted rows.
#[derive(Default)]
struct Spill {
    file: Option<File>,
    end: u64,
    /// Batches in the file.
    batches: usize,
}

/// Where in the file rows are, and what is known of them.
struct Spilled {
    stream: Stream,
    at: u64,
    /// Where each line ends.
    ends: Vec<usize>,
    tally: Tally,
}

impl Spill {
    fn write(
        &mut self,
        epoch: Epoch,
        rows: &dyn Rows,
        names: &Names,
    ) -> Result<Spilled, SinkError> {
        let Lines {
            stream,
            text,
            ends,
            tally,
        } = Lines::format(epoch, rows, names)?;
        self.append(&text).map_err(SinkError::Spill)?;
        let at = self.end;
        self.end += text.len() as u64;
        self.batches += 1;
        Ok(Spilled {
            stream,
            at,
            ends,
            tally,
        })
    }

    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        file.seek(SeekFrom::Start(self.end))?;
        file.write_all(text)
    }

    fn lines(&mut self, spilled: &Spilled) -> Result<Lines, SinkError> {
        let mut text = vec![0; spilled.ends.last().copied().unwrap_or(0)];
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(spilled.at))
                .and_then(|_| file.read_exact(&mut text))
                .map_err(SinkError::Spill)?;
        }
        Ok(Lines {
            stream: spilled.stream,
            text,
            ends: spilled.ends.clone(),
            tally: spilled.tally.clone(),
        })
    }

    fn read(&mut self, spilled: &Spilled) -> Result<Lines, SinkError> {
        let lines = self.lines(spilled)?;
        self.batches -= 1;
        if self.batches == 0 {
            // Its place on the disk is given back.
            (self.file, self.end) = (None, 0);
        }
        Ok(lines)
    }
}

/// Rows that were formatted already.
#[derive(Debug, Serialize, Deserialize)]
struct Lines {
    stream: Stream,
    text: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
    tally: Tally,
}

impl Lines {
    fn format(epoch: Epoch, rows: &dyn Rows, names: &Names) -> Result<Self, SinkError> {
        let (mut text, mut ends) = (Vec::new(), Vec::with_capacity(rows.len()));
        for index in 0..rows.len() {
            rows.line(index, epoch, names, &mut text)
                .map_err(|error| SinkError::Spill(error.into()))?;
            ends.push(text.len());
        }
        let mut tally = Tally::default();
        rows.count(&mut tally);
        let stream = rows.stream();
        Ok(Lines {
            stream,
            text,
            ends,
            tally,
        })
    }
}

impl Rows for Lines {
    fn stream(&self) -> Stream {
        self.stream
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn line(
        &self,
        index: usize,
        _: Epoch,
        _: &Names,
        line: &mut Vec<u8>,
    ) -> serde_json::Result<()> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        line.extend_from_slice(&self.text[start..self.ends[index]]);
        Ok(())
    }

    fn count(&self, tally: &mut Tally) {
        tally.add(self.tally.clone());
    }
}
