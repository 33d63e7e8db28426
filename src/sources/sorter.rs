//! Events into the order of time, however many: an external merge sort in a fixed amount of memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use hearth_operators::words::Time;
use serde::{Deserialize, Serialize};

use super::files::{Event, How};

/// Bytes of events that are held in memory.
const MEMORY: usize = 64 << 20;

/// Bytes that an event takes beside its own.
const OVERHEAD: usize = 40;

/// Takes events in any order and gives them back in the order of time; those of one time as they came.
pub(crate) struct Sorter {
    /// Time, number, and the event as bytes.
    held: Vec<(i64, u64, Box<[u8]>)>,
    bytes: usize,
    most: usize,
    taken: u64,
    runs: Vec<File>,
}

#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    home: &'a str,
    offset: i16,
    device: Option<&'a str>,
    action: &'a str,
    id: Option<&'a str>,
}

impl Default for Sorter {
    fn default() -> Self {
        Sorter::within(MEMORY)
    }
}

impl Sorter {
    fn within(most: usize) -> Self {
        Sorter {
            held: Vec::new(),
            bytes: 0,
            most,
            taken: 0,
            runs: Vec::new(),
        }
    }

    /// Takes an event.
    ///
    /// # Errors
    /// The folder for temporary files fails.
    pub fn push(&mut self, event: &Event<'_>) -> io::Result<()> {
        let kept = Kept {
            home: &event.home,
            offset: event.offset,
            device: event.device.as_deref(),
            action: &event.action,
            id: event.id.as_deref(),
        };
        let bytes = bincode::serialize(&kept).map_err(io::Error::other)?;
        self.bytes += bytes.len() + OVERHEAD;
        self.held.push((event.time.0, self.taken, bytes.into()));
        self.taken += 1;
        match self.bytes < self.most {
            true => Ok(()),
            false => self.spill(),
        }
    }

    /// Writes what is held to a file, in order.
    fn spill(&mut self) -> io::Result<()> {
        self.held.sort_unstable();
        let mut out = BufWriter::new(tempfile::tempfile()?);
        for (time, number, bytes) in self.held.drain(..) {
            out.write_all(&time.to_le_bytes())?;
            out.write_all(&number.to_le_bytes())?;
            out.write_all(&(bytes.len() as u32).to_le_bytes())?;
            out.write_all(&bytes)?;
        }
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.runs.push(file);
        self.bytes = 0;
        Ok(())
    }

    /// Gives each event to `each`, in the order of time.
    ///
    /// # Errors
    /// A temporary file fails, or what `each` says.
    pub fn drain<E: From<io::Error>>(
        mut self,
        mut each: impl FnMut(&Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.held.sort_unstable();
        let mut runs: Vec<Run> = self.runs.into_iter().map(Run::of).collect();
        let mut heads = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            heads.extend(run.next()?.map(|head| Reverse((head, number))));
        }
        let mut held = self.held.into_iter().peekable();
        loop {
            let disk = heads.peek().map(|Reverse((head, _))| (head.0, head.1));
            let memory = held.peek().map(|head| (head.0, head.1));
            let from_disk = match (disk, memory) {
                (None, None) => return Ok(()),
                (Some(disk), Some(memory)) => disk < memory,
                (disk, _) => disk.is_some(),
            };
            let next = match from_disk {
                true => {
                    let head = heads.pop();
                    if let Some(Reverse((_, number))) = &head {
                        heads.extend(runs[*number].next()?.map(|next| Reverse((next, *number))));
                    }
                    head.map(|Reverse((head, _))| head)
                }
                false => held.next(),
            };
            if let Some((time, _, bytes)) = next {
                each(&event(time, &bytes)?)?;
            }
        }
    }
}

/// The event that was kept.
fn event(time: i64, bytes: &[u8]) -> io::Result<Event<'_>> {
    let kept: Kept = bincode::deserialize(bytes).map_err(io::Error::other)?;
    Ok(Event {
        home: kept.home.into(),
        time: Time(time),
        offset: kept.offset,
        device: kept.device.map(Into::into),
        action: kept.action.into(),
        id: kept.id.map(Into::into),
        how: How::default(),
    })
}

/// A sorted run on disk.
struct Run(BufReader<File>);

impl Run {
    fn of(file: File) -> Self {
        Run(BufReader::with_capacity(1 << 16, file))
    }

    fn next(&mut self) -> io::Result<Option<(i64, u64, Box<[u8]>)>> {
        if io::BufRead::fill_buf(&mut self.0)?.is_empty() {
            return Ok(None);
        }
        let (mut time, mut number, mut length) = ([0; 8], [0; 8], [0; 4]);
        self.0.read_exact(&mut time)?;
        self.0.read_exact(&mut number)?;
        self.0.read_exact(&mut length)?;
        let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
        self.0.read_exact(&mut bytes)?;
        let (time, number) = (i64::from_le_bytes(time), u64::from_le_bytes(number));
        Ok(Some((time, number, bytes.into())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In memory or on disk, it sorts as a stable sort does.
        #[test]
        fn sorts_as_a_stable_sort(times in prop::collection::vec(0_i64..9, 0..60), most in 1_usize..2_000) {
            let mut sorter = Sorter::within(most);
            for (number, time) in times.iter().enumerate() {
                let event = Event {
                    home: "h".into(),
                    time: Time(*time),
                    offset: 60,
                    device: (number % 2 == 0).then(|| "lamp".into()),
                    action: number.to_string().into(),
                    id: None,
                    how: How::default(),
                };
                sorter.push(&event).unwrap();
            }
            let mut expected: Vec<(i64, String)> =
                times.iter().enumerate().map(|(n, time)| (*time, n.to_string())).collect();
            expected.sort_by_key(|(time, _)| *time);
            let mut sorted = Vec::new();
            sorter.drain(|event| {
                sorted.push((event.time.0, event.action.to_string()));
                Ok::<_, io::Error>(())
            }).unwrap();
            prop_assert_eq!(sorted, expected);
        }
    }
}
