//! Scores as they come to the disk.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::log::key;
use super::{histogram, micros};

/// How often it is looked for new lines: what is measured is longer by half of that, in the mean.
const LOOKS: Duration = Duration::from_millis(1);

/// Events whose scores are waited for.
pub(super) struct Scores {
    state: Arc<Mutex<State>>,
    ends: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

struct State {
    /// When each was due that is not scored yet.
    waiting: HashMap<String, Instant>,
    times: Histogram<u64>,
    last: Instant,
}

impl Scores {
    /// Reads the file from where it ends now.
    pub fn follow(path: &Path) -> anyhow::Result<Scores> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(0))?;
        let state = Arc::new(Mutex::new(State {
            waiting: HashMap::new(),
            times: histogram(),
            last: Instant::now(),
        }));
        let ends = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (state, ends) = (state.clone(), ends.clone());
            move || read(&mut file, &state, &ends)
        });
        Ok(Scores {
            state,
            ends,
            thread,
        })
    }

    /// Waits for an event that is due then.
    pub fn wait(&self, key: String, due: Instant) {
        lock(&self.state).waiting.insert(key, due);
    }

    /// When the last one came, how long each took, and of how many none came in that time.
    pub fn end(self, patience: Duration) -> (Instant, Histogram<u64>, u64) {
        let began = Instant::now();
        while began.elapsed() < patience && !lock(&self.state).waiting.is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.ends.store(true, Ordering::Relaxed);
        // Its panic is seen by what is missing.
        let _ = self.thread.join();
        let state = lock(&self.state);
        let unscored = state.waiting.len() as u64;
        (state.last, state.times.clone(), unscored)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(file: &mut File, state: &Mutex<State>, ends: &AtomicBool) {
    let mut bytes = Vec::new();
    while !ends.load(Ordering::Relaxed) {
        let Ok(read) = file.read_to_end(&mut bytes) else {
            return;
        };
        if read == 0 {
            std::thread::sleep(LOOKS);
            continue;
        }
        let now = Instant::now();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |end| end + 1);
        let keys = bytes[..whole].split(|byte| *byte == b'\n');
        let keys: Vec<String> = keys
            .filter_map(|line| key(std::str::from_utf8(line).ok()?))
            .collect();
        let mut state = lock(state);
        for key in keys {
            if let Some(due) = state.waiting.remove(&key) {
                let took = now.saturating_duration_since(due);
                state.times.saturating_record(micros(took));
                state.last = now;
            }
        }
        bytes.drain(..whole);
    }
}
