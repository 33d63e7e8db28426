//! Checkpoints of a measured path, into a folder of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_operators::dataflow::State;
use hearth_operators::words::Epoch;
use tempfile::TempDir;

use crate::checkpoint::{Checkpoints, Moment, Place};
use crate::config::Checkpointing;
use crate::disk::Disk;
use crate::engine::{self, Engine};

/// Takes them as a replay does, without outputs and names to keep beside the state.
pub struct Cuts {
    checkpoints: Checkpoints,
    every: Checkpointing,
    /// Removed with all that is in it.
    _folder: TempDir,
}

impl Cuts {
    /// None yet.
    ///
    /// # Errors
    /// There is no place for temporary files.
    pub fn new(every: Checkpointing) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("hearth-bench-").tempdir()?;
        let place = Place::Folder(folder.path().to_owned());
        Ok(Cuts {
            checkpoints: Checkpoints::at_place(&Disk::real(), &place)?,
            every,
            _folder: folder,
        })
    }

    /// Feeds an engine to its source's end, and tells how many were taken on the way.
    ///
    /// # Errors
    /// One cannot be written.
    pub fn feed(&self, engine: &mut Engine) -> anyhow::Result<u64> {
        let mut taken = 0;
        let mut wait = self.every.wait(Duration::ZERO);
        while !engine.run(wait.unwrap_or(Duration::MAX)).ended {
            let Some(took) = self.take(engine)? else {
                break;
            };
            taken += 1;
            wait = self.every.wait(took);
        }
        Ok(taken)
    }

    /// Takes one, and tells for how long the path was held up by it; `None` if it goes no further.
    fn take(&self, engine: &mut Engine) -> anyhow::Result<Option<Duration>> {
        let cut = Arc::new(self.checkpoints.begin());
        let parts = cut.clone();
        let see = move |worker: usize, state: &mut State| parts.keep(worker, state);
        let Some(reached) = engine.cut(see) else {
            return Ok(None);
        };
        engine.go_on();
        if !reached.ended {
            engine.feed(Epoch::MAX);
        }
        let (stood, began) = (engine.stood(), Instant::now());
        if !cut.all_written() {
            return Ok(None);
        }
        let took = stood + began.elapsed() / engine::SHARE;
        let began = Instant::now();
        let moment = Moment {
            epochs: reached.epochs,
            ..Moment::default()
        };
        self.checkpoints.end(&cut, &moment)?;
        Ok(Some(took + began.elapsed()))
    }
}
