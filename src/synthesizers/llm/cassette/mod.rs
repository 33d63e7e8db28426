//! Answers are kept as they arrive: what was paid for is never paid for twice, and a run can be repeated with no server.
//!
//! A folder with one file a call, `<key>.json.gz`: the call, its completion, when and by whom it was recorded, and which
//! requests used it (`zcat` shows it). The key is a digest of the [`Call`], which is everything that shapes an answer. Where
//! it was asked and for which home is not part of it, so homes that ask the same share an answer.

mod changed;
mod file;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Call, CallError, Completion};
use crate::config::CassetteMode;
use crate::disk::{Disk, Kind};
use file::Recording;

pub use file::{CassetteError, Key};

/// An answer, and how it was come by.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The answer itself.
    pub completion: Completion,
    /// Whether it was recorded before: then nothing was asked.
    pub recorded: bool,
    /// What differs from the call that was recorded for the same request, where it was asked anew for that.
    pub changed: Option<String>,
}

/// A folder of recorded answers.
#[derive(Clone)]
pub struct Cassette(Arc<Shared>);

struct Shared {
    disk: Disk,
    folder: PathBuf,
    mode: CassetteMode,
    /// What this run has recorded: equal calls share an answer even where all is asked anew, else a replay would differ.
    recorded: Mutex<HashSet<Key>>,
    /// Which call was recorded last for a request: read from the folder the first time that somebody wants to know. About a
    /// hundred bytes a label.
    labels: Mutex<Option<HashMap<String, Latest>>>,
    /// Calls under way. Who holds a key's lock asks; the others wait for the recording.
    flights: Mutex<HashMap<Key, Line>>,
}

/// The last recording for a label.
struct Latest {
    key: Key,
    recorded_at: String,
}

impl Cassette {
    /// Opens a folder of recordings. It is made where it may be written to.
    ///
    /// # Errors
    /// There is none to replay, or it cannot be made.
    pub fn open(disk: &Disk, folder: &Path, mode: CassetteMode) -> Result<Self, CassetteError> {
        match mode {
            CassetteMode::Replay if disk.kind(folder) != Some(Kind::Folder) => {
                return Err(CassetteError::Missing(folder.to_owned()));
            }
            CassetteMode::Replay => {}
            CassetteMode::Record | CassetteMode::Auto => {
                disk.create_folder(folder)
                    .map_err(|e| CassetteError::io(folder, e))?;
            }
        }
        Ok(Cassette(Arc::new(Shared {
            disk: disk.clone(),
            folder: folder.to_owned(),
            mode,
            recorded: Mutex::default(),
            labels: Mutex::default(),
            flights: Mutex::default(),
        })))
    }

    /// The answer to a call, recorded or asked for and then recorded.
    ///
    /// Equal calls under way are asked once. If that fails, the next in the line asks itself: a failure is not an answer,
    /// and what ended the run of requests ends them all anyway. `label` names the request (`h-3/0/Mon/0`) or the shift (`h-3/0`),
    /// `url` is who would be asked.
    ///
    /// A damaged recording is an error also where it could be asked for anew: it was paid for, and only its owner may decide
    /// to pay again (by removing the file).
    ///
    /// # Errors
    /// What `ask` fails with; [`CallError::Failed`] where there is no recording to replay, saying what has changed since, or
    /// where it is damaged; [`CallError::Refused`] where an answer cannot be kept, so that no more are paid for.
    pub async fn once<F>(
        &self,
        label: &str,
        url: &str,
        call: &Call,
        ask: impl FnOnce() -> F,
    ) -> Result<Answer, CallError>
    where
        F: Future<Output = Result<Completion, CallError>>,
    {
        let flight = Flight::new(&self.0, Key::of(call));
        let _turn = flight.turn.lock().await;
        let found = {
            let (label, call) = (label.to_owned(), call.clone());
            self.aside(move |cassette| cassette.find(&label, &call))
                .await
        };
        let changed = match found.map_err(CallError::Failed)? {
            Found::Recorded(completion) => {
                return Ok(Answer {
                    completion,
                    recorded: true,
                    changed: None,
                });
            }
            Found::Nothing { changed } => changed,
        };
        let completion = ask().await?;
        let stored = {
            let (label, url) = (label.to_owned(), url.to_owned());
            let (call, completion) = (call.clone(), completion.clone());
            self.aside(move |cassette| {
                let stored = cassette.store(&label, &url, &call, &completion);
                stored.map_err(|error| format!("{error}. Nothing more is asked"))
            })
            .await
        };
        stored.map_err(CallError::Refused)?;
        Ok(Answer {
            completion,
            recorded: false,
            changed,
        })
    }

    /// Reads and writes files where that holds up no other call.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Cassette) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let cassette = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&cassette)).await;
        done.unwrap_or_else(|error| Err(format!("the cassette's thread is gone: {error}")))
    }

    fn find(&self, label: &str, call: &Call) -> Result<Found, String> {
        let recorded = self.lookup(label, call);
        if let Some(completion) = recorded.map_err(|error| error.to_string())? {
            return Ok(Found::Recorded(completion));
        }
        match self.0.mode {
            CassetteMode::Record => Ok(Found::Nothing { changed: None }),
            CassetteMode::Auto => Ok(Found::Nothing {
                changed: self.changed(label, call),
            }),
            CassetteMode::Replay => Err(match self.changed(label, call) {
                Some(changed) => format!("no recording fits `{label}`: {changed}"),
                None => format!(
                    "nothing was recorded for `{label}` in `{}`",
                    self.0.folder.display()
                ),
            }),
        }
    }

    /// The recorded answer to a call, used by the request `label`. When all is asked anew, only what this run has recorded
    /// counts.
    ///
    /// # Errors
    /// There is a recording, but it cannot be read.
    pub fn lookup(&self, label: &str, call: &Call) -> Result<Option<Completion>, CassetteError> {
        let key = Key::of(call);
        if self.0.mode == CassetteMode::Record && !lock(&self.0.recorded).contains(&key) {
            return Ok(None);
        }
        let Some(mut recording) = Recording::read(&self.0.disk, &self.0.folder, key)? else {
            return Ok(None);
        };
        if self.0.mode != CassetteMode::Replay && recording.add(label) {
            recording.write(&self.0.disk, &self.0.folder, key)?;
            self.note(label, key, &recording);
        }
        Ok(Some(recording.completion))
    }

    /// Keeps an answer, whole or cut: it was paid for, and would be cut again. A credential inside the URL is not kept.
    ///
    /// # Errors
    /// The folder is for replay only, or the file cannot be written.
    pub fn store(
        &self,
        label: &str,
        url: &str,
        call: &Call,
        completion: &Completion,
    ) -> Result<(), CassetteError> {
        if self.0.mode == CassetteMode::Replay {
            return Err(CassetteError::ReadOnly(self.0.folder.clone()));
        }
        let key = Key::of(call);
        let recording = Recording::new(label, url, call, completion);
        recording.write(&self.0.disk, &self.0.folder, key)?;
        lock(&self.0.recorded).insert(key);
        self.note(label, key, &recording);
        Ok(())
    }

    /// Remembers the last recording of a label, if that is remembered at all.
    fn note(&self, label: &str, key: Key, recording: &Recording) {
        if let Some(labels) = &mut *lock(&self.0.labels) {
            let recorded_at = recording.recorded_at.clone();
            labels.insert(label.to_owned(), Latest { key, recorded_at });
        }
    }

    /// What differs from the call that was last recorded for the same request; `None` where nothing was.
    pub fn changed(&self, label: &str, call: &Call) -> Option<String> {
        let key = {
            let mut labels = lock(&self.0.labels);
            let labels = labels.get_or_insert_with(|| index(&self.0.disk, &self.0.folder));
            labels.get(label)?.key
        };
        let recording = Recording::read(&self.0.disk, &self.0.folder, key).ok()??;
        Some(format!(
            "it was recorded on {} as another call ({}):\n{}",
            recording.recorded_at,
            key.file(),
            changed::between(&recording.call, call)
        ))
    }
}

/// What there is before anything is asked.
enum Found {
    Recorded(Completion),
    Nothing { changed: Option<String> },
}

/// The last recording of each label. Damaged files are passed over: they are an error to whom they would answer.
fn index(disk: &Disk, folder: &Path) -> HashMap<String, Latest> {
    let mut labels: HashMap<String, Latest> = HashMap::new();
    for key in Key::all(disk, folder) {
        let Ok(Some(recording)) = Recording::read(disk, folder, key) else {
            continue;
        };
        for label in recording.labels {
            let latest = labels.get(&label);
            if latest.is_none_or(|latest| latest.recorded_at < recording.recorded_at) {
                let recorded_at = recording.recorded_at.clone();
                labels.insert(label, Latest { key, recorded_at });
            }
        }
    }
    labels
}

/// Those who want the same answer.
#[derive(Default)]
struct Line {
    turn: Arc<tokio::sync::Mutex<()>>,
    waiting: usize,
}

/// A place in a line.
struct Flight<'a> {
    shared: &'a Shared,
    key: Key,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<'a> Flight<'a> {
    fn new(shared: &'a Shared, key: Key) -> Self {
        let mut flights = lock(&shared.flights);
        let line = flights.entry(key).or_default();
        line.waiting += 1;
        let turn = Arc::clone(&line.turn);
        Flight { shared, key, turn }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flights = lock(&self.shared.flights);
        if let Some(line) = flights.get_mut(&self.key) {
            line.waiting -= 1;
            if line.waiting == 0 {
                flights.remove(&self.key);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is whole before anything could panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
