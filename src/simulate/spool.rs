//! An external merge sort: events come home by home and leave in the order of the log, in a fixed amount of memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};

use crossbeam_channel::Sender;

/// An event on its way into the log. Fields stand in the order of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    /// When it is written: seconds of event time on the simulation's axis.
    pub written: u32,
    /// The home.
    pub home: u32,
    /// When it happened, on the same axis.
    pub time: u32,
    /// Its number within its home.
    pub ordinal: u32,
    /// The action.
    pub action: u16,
    /// The home's minutes east of UTC.
    pub offset: i16,
    /// What the sink must know beyond that.
    pub mark: u8,
}

/// Bytes of a record on disk.
const BYTES: usize = 21;
/// Records that are sorted in memory at once (about 30 MB).
const RUN: usize = 1 << 20;
/// Records that are read of a run at once (about 10 kB).
const BLOCK: usize = 512;
/// Records that are merged before they are given away, and how often that may be before they are taken.
const MERGED: usize = 1 << 13;
const AHEAD: usize = 4;

impl Record {
    fn encode(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[0..4].copy_from_slice(&self.written.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.home.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.time.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.ordinal.to_le_bytes());
        bytes[16..18].copy_from_slice(&self.action.to_le_bytes());
        bytes[18..20].copy_from_slice(&self.offset.to_le_bytes());
        bytes[20] = self.mark;
        bytes
    }

    fn decode(b: &[u8; BYTES]) -> Self {
        Record {
            written: u32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            home: u32::from_le_bytes([b[4], b[5], b[6], b[7]]),
            time: u32::from_le_bytes([b[8], b[9], b[10], b[11]]),
            ordinal: u32::from_le_bytes([b[12], b[13], b[14], b[15]]),
            action: u16::from_le_bytes([b[16], b[17]]),
            offset: i16::from_le_bytes([b[18], b[19]]),
            mark: b[20],
        }
    }
}

/// Takes records in any order. The file exists only when they are more than memory holds, and only as long as this.
pub(super) struct Spool {
    path: PathBuf,
    file: Option<File>,
    /// Lengths of the sorted runs on disk, one after the other, in records.
    runs: Vec<usize>,
    /// What is not on disk yet.
    memory: Vec<Record>,
    /// Records that memory may hold.
    capacity: usize,
}

impl Spool {
    /// A spool that overflows into the file `path`.
    pub fn new(path: &Path) -> Self {
        Self::with_capacity(path, RUN)
    }

    fn with_capacity(path: &Path, capacity: usize) -> Self {
        Spool {
            path: path.to_owned(),
            file: None,
            runs: Vec::new(),
            memory: Vec::new(),
            capacity,
        }
    }

    /// Takes a record.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn push(&mut self, record: Record) -> io::Result<()> {
        if self.memory.len() == self.capacity {
            self.spill()?;
        }
        self.memory.push(record);
        Ok(())
    }

    /// How many records it holds.
    pub fn len(&self) -> u64 {
        (self.runs.iter().sum::<usize>() + self.memory.len()) as u64
    }

    /// Hands every record to `each`, in order, and is empty then. They are merged on a thread of their own.
    ///
    /// # Errors
    /// The file cannot be read back, or what `each` says.
    pub fn drain<E: From<io::Error>>(
        mut self,
        mut each: impl FnMut(&Record) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.runs.is_empty() {
            self.memory.sort_unstable();
            return self.memory.iter().try_for_each(each);
        }
        self.spill()?;
        self.memory = Vec::new();
        let (give, merged) = crossbeam_channel::bounded(AHEAD);
        std::thread::scope(|scope| {
            let merging = scope.spawn(move || self.merge(&give));
            let handed = merged.iter().flatten().try_for_each(|record| each(&record));
            // Where nobody takes more, it ends.
            drop(merged);
            let read = merging.join().unwrap_or_else(|panic| resume_unwind(panic));
            handed.and(read.map_err(E::from))
        })
    }

    /// Reads the runs as one, and gives it away some records at a time, for as long as they are taken.
    fn merge(&mut self, give: &Sender<Vec<Record>>) -> io::Result<()> {
        let Some(file) = self.file.as_mut() else {
            return Ok(());
        };
        let mut start = 0;
        let mut readers = Vec::with_capacity(self.runs.len());
        for &length in &self.runs {
            readers.push(Run {
                at: start,
                left: length,
                block: Vec::new(),
            });
            start += (length * BYTES) as u64;
        }
        let mut heads = BinaryHeap::with_capacity(readers.len());
        for (number, run) in readers.iter_mut().enumerate() {
            if let Some(record) = run.next(file)? {
                heads.push(Reverse((record, number)));
            }
        }
        let mut merged = Vec::with_capacity(MERGED);
        while let Some(mut head) = heads.peek_mut() {
            let Reverse((record, number)) = *head;
            merged.push(record);
            match readers[number].next(file)? {
                // It sinks to its place: half the work of taking one out and putting another in.
                Some(next) => *head = Reverse((next, number)),
                None => drop(PeekMut::pop(head)),
            }
            if merged.len() == MERGED {
                let full = std::mem::replace(&mut merged, Vec::with_capacity(MERGED));
                if give.send(full).is_err() {
                    return Ok(());
                }
            }
        }
        let _ = give.send(merged);
        Ok(())
    }

    /// Moves what is in memory to the file, as a sorted run.
    fn spill(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(true);
            self.file = Some(options.open(&self.path)?);
        }
        let Some(file) = self.file.as_mut() else {
            return Ok(());
        };
        self.memory.sort_unstable();
        let mut bytes = Vec::with_capacity(BLOCK * BYTES);
        for block in self.memory.chunks(BLOCK) {
            bytes.clear();
            for record in block {
                bytes.extend_from_slice(&record.encode());
            }
            file.write_all(&bytes)?;
        }
        self.runs.push(self.memory.len());
        self.memory.clear();
        Ok(())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Nothing depends on it any more; a leftover is overwritten by the next simulation.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A sorted run on disk, read block by block.
struct Run {
    /// Where its unread part begins in the file.
    at: u64,
    /// Records not read yet.
    left: usize,
    /// Records read, the next one last.
    block: Vec<Record>,
}

impl Run {
    fn next(&mut self, file: &mut File) -> io::Result<Option<Record>> {
        if self.block.is_empty() && self.left > 0 {
            let count = self.left.min(BLOCK);
            let mut bytes = vec![0; count * BYTES];
            file.seek(SeekFrom::Start(self.at))?;
            file.read_exact(&mut bytes)?;
            let (records, _) = bytes.as_chunks::<BYTES>();
            self.block.extend(records.iter().rev().map(Record::decode));
            self.at += bytes.len() as u64;
            self.left -= count;
        }
        Ok(self.block.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> impl Strategy<Value = Record> {
        let numbers = (0..50_u32, any::<u32>(), any::<u32>(), any::<u32>());
        let rest = (any::<u16>(), any::<i16>(), any::<u8>());
        (numbers, rest).prop_map(|((written, home, time, ordinal), (action, offset, mark))| {
            Record {
                written,
                home,
                time,
                ordinal,
                action,
                offset,
                mark,
            }
        })
    }

    proptest! {
        #[test]
        fn any_capacity_gives_the_order_of_a_sort(
            records in proptest::collection::vec(record(), 0..2_000),
            capacity in 1..700_usize,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("spool");
            let mut spool = Spool::with_capacity(&path, capacity);
            for &record in &records {
                spool.push(record).unwrap();
            }
            prop_assert_eq!(spool.len(), records.len() as u64);
            let mut drained = Vec::new();
            spool
                .drain(|&record| {
                    drained.push(record);
                    io::Result::Ok(())
                })
                .unwrap();
            let mut sorted = records;
            sorted.sort_unstable();
            prop_assert_eq!(drained, sorted);
            prop_assert!(!path.exists());
        }
    }
}
