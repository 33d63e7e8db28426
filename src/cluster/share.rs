//! Which homes a process has.

use hearth_operators::words::HomeId;

/// A process among those that share the homes of a run, each with as many workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    process: usize,
    processes: usize,
    workers: usize,
}

impl Share {
    /// Of the only process.
    pub fn whole(workers: usize) -> Self {
        Share::of(0, 1, workers)
    }

    /// Of one of some processes.
    pub fn of(process: usize, processes: usize, workers: usize) -> Self {
        Share {
            process,
            processes: processes.max(1),
            workers: workers.max(1),
        }
    }

    /// Which process it is, from 0.
    pub fn process(self) -> usize {
        self.process
    }

    /// How many processes there are.
    pub fn processes(self) -> usize {
        self.processes
    }

    /// Whether there is no other process.
    pub fn is_whole(self) -> bool {
        self.processes == 1
    }

    /// Whether it speaks for all: what concerns no home, or every home, is said by one process alone.
    pub fn is_first(self) -> bool {
        self.process == 0
    }

    /// Whether it is for this process to read a partition that all could read.
    pub fn reads(self, partition: usize) -> bool {
        partition % self.processes == self.process
    }

    /// Workers of this process.
    pub fn workers(self) -> usize {
        self.workers
    }

    /// Workers of all processes.
    pub fn peers(self) -> usize {
        self.processes * self.workers
    }

    /// The first of this process's workers, among all.
    pub fn first_worker(self) -> usize {
        self.process * self.workers
    }

    /// Which of this process's workers a worker is that is one of it.
    pub fn local(self, worker: usize) -> usize {
        worker % self.workers
    }

    /// The worker of this process on which a home lives; `None`: it lives on another process.
    #[inline]
    pub fn place(self, home: HomeId) -> Option<usize> {
        let worker = home.worker(self.peers());
        let place = worker.wrapping_sub(self.first_worker());
        (place < self.workers).then_some(place)
    }
}
