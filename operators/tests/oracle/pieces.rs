//! States as they would lie on a disk: everything once, and after that what changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hearth_operators::dataflow::State;
use hearth_operators::state::{HomeState, Homes, Plain, Scribe, Visit};
use hearth_operators::words::HomeId;
use serde::Serialize;
use serde::de::DeserializeOwned;

type Name = &'static str;

/// What was written last of each home, and of what is of none.
#[derive(Default)]
pub struct Pieces {
    homes: Arc<Mutex<BTreeMap<(Name, u32), Vec<u8>>>>,
    /// By worker.
    rests: BTreeMap<(usize, Name), Vec<u8>>,
    workers: usize,
}

impl Pieces {
    /// Writes what changed since the states were read; all of it, where they were not.
    pub fn write(&mut self, states: &mut [State]) {
        self.rests.clear();
        self.workers = states.len();
        for (worker, state) in states.iter_mut().enumerate() {
            state.visit(&mut Write { to: self, worker });
        }
    }

    /// The states of so many workers.
    pub fn read(&self, workers: usize) -> Vec<State> {
        let mut rests: Vec<State> = Vec::new();
        rests.resize_with(self.workers, State::default);
        for (worker, state) in rests.iter_mut().enumerate() {
            let of = (worker, 0);
            state.visit(&mut Read { from: self, of });
        }
        let mut states = State::deal(rests, workers);
        for (worker, state) in states.iter_mut().enumerate() {
            let of = (worker, workers);
            state.visit(&mut Read { from: self, of });
        }
        states
    }

    /// How many workers have written.
    pub fn workers(&self) -> usize {
        self.workers
    }
}

struct Write<'a> {
    to: &'a mut Pieces,
    worker: usize,
}

impl Visit for Write<'_> {
    fn rest<S: Plain>(&mut self, operator: Name, rest: &mut S) {
        let bytes = bincode::serialize(rest).expect("states are plain data");
        self.to.rests.insert((self.worker, operator), bytes);
    }

    fn homes<H>(&mut self, operator: Name, homes: &mut Homes<H>)
    where
        H: HomeState + Serialize + DeserializeOwned + 'static,
    {
        let to = self.to.homes.clone();
        homes.cut(Box::new(Each { operator, to }));
        assert!(homes.write(&mut || true));
    }
}

/// Writes an operator's homes.
struct Each {
    operator: Name,
    to: Arc<Mutex<BTreeMap<(Name, u32), Vec<u8>>>>,
}

impl<H: HomeState + Serialize> Scribe<H> for Each {
    fn write(&mut self, home: HomeId, state: &H) {
        let mut to = self.to.lock().expect("nobody panicked");
        let key = (self.operator, home.0);
        match state.is_blank() {
            true => drop(to.remove(&key)),
            false => {
                let bytes = bincode::serialize(state).expect("states are plain data");
                to.insert(key, bytes);
            }
        }
    }

    fn done(self: Box<Self>) {}
}

struct Read<'a> {
    from: &'a Pieces,
    /// The worker, and how many there are; none: rests alone.
    of: (usize, usize),
}

impl Visit for Read<'_> {
    fn rest<S: Plain>(&mut self, operator: Name, rest: &mut S) {
        if self.of.1 == 0 {
            let bytes = &self.from.rests[&(self.of.0, operator)];
            *rest = bincode::deserialize(bytes).expect("what was written is read");
        }
    }

    fn homes<H>(&mut self, operator: Name, homes: &mut Homes<H>)
    where
        H: HomeState + Serialize + DeserializeOwned + 'static,
    {
        let (worker, workers) = self.of;
        if workers == 0 {
            return;
        }
        homes.settle(worker, workers);
        let all = self.from.homes.lock().expect("nobody panicked");
        for ((_, home), bytes) in all.range((operator, 0)..=(operator, u32::MAX)) {
            if HomeId(*home).worker(workers) == worker {
                let state = bincode::deserialize(bytes).expect("what was written is read");
                homes.put(HomeId(*home), state);
            }
        }
    }
}
