//! Checkpoints: what a run that is killed goes on from.
//!
//! A cut is of an epoch: what every operator holds once it has taken in all before it, where the source stands behind these
//! lines, and how far the outputs are written. It rests on [parts](part): one that holds everything, and those that hold what
//! changed from cut to cut since. A part is written first, then the cut that names it and those before it, each under another
//! name and renamed when all of it is on the disk; so what bears its name is whole. The last few stay, should the newest be
//! damaged, and with them the parts that they rest on. Every few cuts what they rest on becomes one part again.

mod error;
#[cfg(test)]
mod fuzz;
mod look;
mod member;
mod moment;
mod part;
mod pieces;
mod place;
mod spread;
mod store;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hearth_operators::dataflow::State;
use serde::{Deserialize, Serialize};

use crate::codec::{CUT, Reader, Seal, Unusable, Writer};
use crate::disk::Disk;
pub use error::CheckpointError;
pub use look::{Compacted, Shown, ShownOperator, Verified};
pub use member::Member;
pub use moment::{Identity, Moment};
use part::Stored;
use pieces::{Sections, Spare, Taken, Which};
pub use place::Place;
use store::Store;

/// Whole cuts that stay.
const KEPT: usize = 3;

/// Parts that a cut rests on at most: with more, they become one.
const PARTS: usize = 8;

/// By how much less a cut's writing matters than all else: a third of a core is left to it where both want one.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// A part that a cut rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rests {
    name: String,
    seal: Seal,
}

/// What a cut's own file holds.
#[derive(Serialize, Deserialize)]
struct Manifest<M> {
    /// Where the run was.
    moment: M,
    /// What it rests on, the newest last.
    parts: Vec<Rests>,
}

/// The checkpoints of a run.
#[derive(Debug)]
pub struct Checkpoints {
    store: Box<dyn Store>,
    line: Mutex<Line>,
}

/// What the next cut follows on.
#[derive(Debug, Default)]
struct Line {
    /// What the newest cut rests on; nothing, where the next one must hold everything.
    parts: Vec<Rests>,
    /// Whether a cut came to nothing since.
    torn: bool,
    /// Cuts that were found to be damaged: they go when there is a newer one.
    damaged: Vec<u64>,
    /// What the cuts that stay rest on, as far as that is known.
    kept: BTreeMap<u64, Vec<String>>,
    /// Where the last one lay in memory.
    spare: Spare,
    /// Of what the newest cut rests on, by name: how many bytes each operator has in it.
    held: BTreeMap<String, BTreeMap<String, u64>>,
}

/// What was found.
pub struct Found {
    /// Where the run was.
    pub moment: Moment,
    /// What its operators held, by worker.
    pub states: Vec<State>,
    /// What is wrong with newer cuts, which were passed over.
    pub damaged: Vec<CheckpointError>,
}

/// A cut that is being taken: what changed, in memory.
pub struct Cut {
    /// What the one before rests on, of which a run that does not come to [`Checkpoints::end`] knows nothing any more.
    parts: Vec<Rests>,
    which: Which,
    taken: Arc<Taken>,
}

impl Cut {
    /// Has what a worker's operators hold written, as far as it changed since the cut before: what is of no home at once, homes
    /// while the dataflow goes on.
    pub fn keep(&self, worker: usize, state: &mut State) {
        pieces::write(worker, state, self.which, &self.taken);
    }

    /// Waits until all workers have written what they have. Whether they have: one may have failed on the way.
    pub fn all_written(&self) -> bool {
        self.taken.all_written()
    }
}

/// What the names of whole cuts begin with; a number follows.
const CUTS: &str = "cut-";

/// What the names of parts begin with; the number of the cut follows that they were written with.
const PARTS_OF: &str = "part-";

/// What is put there to see whether that goes: should it stay, it goes like a part that nothing rests on.
const TRIED: &str = "part-tried";

fn cut_name(number: u64) -> String {
    format!("{CUTS}{number:012}")
}

fn part_name(number: u64) -> String {
    format!("{PARTS_OF}{number:012}")
}

/// What is said of a part that is whole, and in the place of another.
const ANOTHER: &str = "it is not the one that the checkpoint rests on";

/// Which cut it is, if it is a whole one.
fn number(name: &str) -> Option<u64> {
    name.strip_prefix(CUTS)?.parse().ok()
}

/// Whether it is part of any checkpoint, whole or not.
fn is_ours(name: &str) -> bool {
    name.starts_with(CUTS) || name.starts_with(PARTS_OF)
}

fn names(parts: &[Rests]) -> Vec<String> {
    parts.iter().map(|rests| rests.name.clone()).collect()
}

/// Whether what a cut would rest on is to become one part: it is many, or what changed is more than what it changed.
fn is_due(parts: &[Rests]) -> bool {
    let Some((first, changes)) = parts.split_first() else {
        return false;
    };
    let changed: u64 = changes.iter().map(|part| part.seal.bytes).sum();
    parts.len() >= PARTS || changed > first.seal.bytes
}

/// Does something that nobody waits for: workers come first, where there are not cores enough for all.
fn politely<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let work = || {
        // On Linux it is said of the thread alone. Where it may not be, the work is done all the same.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::nice(NICE);
        work()
    };
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Checkpoints {
    /// Those that lie there.
    ///
    /// # Errors
    /// What is known of a bucket is not enough to reach it.
    pub fn at_place(disk: &Disk, place: &Place) -> Result<Self, CheckpointError> {
        Ok(Checkpoints {
            store: place.open(disk)?,
            line: Mutex::default(),
        })
    }

    /// Whether where they lie may be out of reach for a while, and then come back.
    pub fn are_remote(&self) -> bool {
        self.store.is_remote()
    }

    /// How a person is told where they lie.
    pub fn place(&self) -> String {
        self.store.path("")
    }

    /// Puts something there and takes it away: a place that takes nothing is noticed before there is something to lose. One that may come
    /// back is not tried.
    ///
    /// # Errors
    /// Nothing can be put there.
    pub fn try_place(&self) -> Result<(), CheckpointError> {
        if self.are_remote() {
            return Ok(());
        }
        self.store
            .put(TRIED, &mut |_| Ok(()))
            .and_then(|()| self.store.remove(TRIED))
            .map_err(self.at(""))
    }

    /// Whether there are any, whole or not.
    ///
    /// # Errors
    /// What the system says.
    pub fn exist(&self) -> Result<bool, CheckpointError> {
        let names = self.store.list().map_err(self.at(""))?;
        Ok(names.iter().any(|name| is_ours(name)))
    }

    /// The names of all homes of the newest cut that can be read, in the order of their ids; none, where it was of a run that
    /// knew some before it read any line.
    pub fn homes(&self) -> Vec<String> {
        let whole = self.whole().unwrap_or_default();
        let newest = whole.into_iter().rev();
        let mut moments = newest.filter_map(|number| self.manifest::<Moment>(number).ok());
        let moment = moments.next().map(|manifest| manifest.moment);
        let of_all = moment.filter(|moment| moment.known == 0);
        of_all.map_or_else(Vec::new, |moment| moment.homes)
    }

    /// How much of a log that grows all whole cuts have read, in bytes; nothing, where that is not known of each.
    pub fn all_behind(&self) -> Option<u64> {
        let whole = self.whole().ok()?.into_iter();
        let offsets = whole.map(|number| {
            let manifest = self.manifest::<Moment>(number).ok()?;
            Some(manifest.moment.source.position.offset)
        });
        offsets.collect::<Option<Vec<u64>>>()?.into_iter().min()
    }

    /// Removes all.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self) -> Result<(), CheckpointError> {
        *self.line() = Line::default();
        let names = self.store.list().map_err(self.at(""))?;
        let (cuts, others): (Vec<_>, Vec<_>) = names
            .into_iter()
            .filter(|name| is_ours(name))
            .partition(|name| name.starts_with(CUTS));
        // What is left when it is killed on the way rests on nothing that is gone.
        let mut all = cuts.iter().rev().chain(&others);
        all.try_for_each(|name| self.store.remove(name).map_err(self.at(name)))?;
        self.store.leave().map_err(self.at(""))
    }

    /// The newest cut that is sound and of a run that does not differ, for so many workers.
    ///
    /// # Errors
    /// All are of other runs, or none can be read.
    pub fn newest(
        &self,
        differences: impl Fn(&Moment) -> Vec<String>,
        workers: usize,
    ) -> Result<Option<Found>, CheckpointError> {
        let (mut damaged, mut passed, mut another) = (Vec::new(), Vec::new(), None);
        for number in self.whole()?.into_iter().rev() {
            let read = self.manifest::<Moment>(number).and_then(|manifest| {
                let differences = differences(&manifest.moment);
                if differences.is_empty() {
                    let states = self.states(&manifest.parts, workers)?;
                    return Ok((manifest, states));
                }
                let path = self.store.path("");
                Err(CheckpointError::Another { path, differences })
            });
            match read {
                Ok((Manifest { moment, parts }, states)) => {
                    let mut line = self.line();
                    line.kept.insert(number, names(&parts));
                    line.parts = parts;
                    // Of a shorter log's end: they go when there is a newer one, too.
                    line.damaged.append(&mut passed);
                    return Ok(Some(Found {
                        moment,
                        states,
                        damaged,
                    }));
                }
                Err(error @ CheckpointError::Another { .. }) => {
                    passed.push(number);
                    another.get_or_insert(error);
                }
                Err(error) => {
                    self.line().damaged.push(number);
                    damaged.push(error);
                }
            }
        }
        // Nothing to go on from, though there was something: a person should know before it is written over.
        let in_the_way = another.or(damaged.into_iter().next());
        in_the_way.map_or(Ok(None), Err)
    }

    /// Of a run that is complete: leaves the newest cut that a longer log can go on from.
    ///
    /// # Errors
    /// What the system says, or a cut cannot be read.
    pub fn trim(&self) -> Result<(), CheckpointError> {
        let open = self
            .whole()?
            .into_iter()
            .rposition(|number| self.is_open(number));
        let Some(open) = open else {
            return self.clear();
        };
        let mut others = self.whole()?;
        others.remove(open);
        self.line().damaged = others;
        self.tidy(true)
    }

    /// Begins a cut: what each worker has goes into it.
    pub fn begin(&self) -> Cut {
        let mut line = self.line();
        let parts = std::mem::take(&mut line.parts);
        let which = match (parts.is_empty(), std::mem::take(&mut line.torn)) {
            (true, _) => Which::All,
            (false, true) => Which::ChangedBefore,
            (false, false) => Which::Changed,
        };
        let taken = Arc::new(Taken::into_spare(std::mem::take(&mut line.spare)));
        Cut {
            parts,
            which,
            taken,
        }
    }

    /// Gives up a cut: the next one follows on the one before.
    pub fn put_back(&self, cut: &Cut) {
        let mut line = self.line();
        line.parts.clone_from(&cut.parts);
        line.torn = true;
    }

    /// Has the next cut rest on none before it, and hold everything.
    pub fn begin_anew(&self) {
        self.line().parts.clear();
    }

    /// Ends a cut that all workers have done with: what changed is written, and from then on it is one. Older ones go. The bytes
    /// that were written.
    ///
    /// # Errors
    /// A part of it, or this, cannot be written.
    pub fn end(&self, cut: &Cut, moment: &Moment) -> Result<u64, CheckpointError> {
        politely(|| self.write(cut, moment))
    }

    fn write(&self, cut: &Cut, moment: &Moment) -> Result<u64, CheckpointError> {
        let mut parts = cut.parts.clone();
        let sections = cut.taken.take();
        let number = self.whole()?.last().map_or(0, |before| before + 1);
        let name = part_name(number);
        let sections = sections.map_err(io::Error::other).map_err(self.at(&name))?;
        let seal = if is_due(&parts) {
            let old = self.open(&parts)?;
            parts.clear();
            self.put(&name, |out| part::merge(out, &old, &sections))?
        } else {
            self.put(&name, |out| Ok(part::write(out, &sections)?))?
        };
        let spare = pieces::spare(sections);
        parts.push(Rests { name, seal });
        let bytes = seal.bytes + self.put_cut(number, moment, &parts)?.bytes;
        let mut line = self.line();
        line.kept.insert(number, names(&parts));
        line.parts = parts;
        line.spare = spare;
        drop(line);
        self.tidy(moment.closed)?;
        Ok(bytes)
    }

    /// How many bytes each operator has in what the newest cut rests on, unpacked: a home that changed since counts as often as it
    /// was written.
    ///
    /// # Errors
    /// A part cannot be read.
    pub fn held(&self) -> Result<BTreeMap<String, u64>, CheckpointError> {
        let mut line = self.line();
        let Line { parts, held, .. } = &mut *line;
        held.retain(|name, _| parts.iter().any(|rests| rests.name == *name));
        let mut sums = BTreeMap::new();
        for Rests { name, .. } in parts.iter() {
            if !held.contains_key(name) {
                let part = Stored::open(&*self.store, name).map_err(self.not_sound(name))?;
                held.insert(name.clone(), part.held());
            }
            for (operator, bytes) in &held[name] {
                *sums.entry(operator.clone()).or_default() += bytes;
            }
        }
        Ok(sums)
    }

    /// Writes a cut that rests on these parts.
    fn put_cut(
        &self,
        number: u64,
        moment: &Moment,
        parts: &[Rests],
    ) -> Result<Seal, CheckpointError> {
        let parts = parts.to_vec();
        let manifest = Manifest { moment, parts };
        self.put(&cut_name(number), |out| {
            Ok(Writer::new(out, &CUT)?.finish(&manifest)?.1)
        })
    }

    /// Removes cuts that are old or damaged, and what no cut rests on.
    ///
    /// `closed`: the newest one is of no use to a longer log.
    fn tidy(&self, closed: bool) -> Result<(), CheckpointError> {
        let mut line = self.line();
        let mut whole = self.whole()?;
        whole.retain(|number| !line.damaged.contains(number));
        let mut kept = whole.split_off(whole.len().saturating_sub(KEPT));
        if closed && !kept.iter().any(|number| self.is_open(*number)) {
            // What a longer log can go on from.
            let open = whole.iter().rposition(|number| self.is_open(*number));
            kept.extend(open.map(|open| whole.remove(open)));
        }
        let Line {
            kept: known,
            damaged,
            ..
        } = &mut *line;
        for old in whole.into_iter().chain(damaged.drain(..)) {
            let name = cut_name(old);
            self.store.remove(&name).map_err(self.at(&name))?;
        }
        known.retain(|number, _| kept.contains(number));
        for number in kept {
            if let std::collections::btree_map::Entry::Vacant(place) = known.entry(number) {
                // One that cannot be read is as good as gone.
                let manifest = self.manifest::<Moment>(number);
                place.insert(manifest.map_or_else(|_| Vec::new(), |m| names(&m.parts)));
            }
        }
        let names = self.store.list().map_err(self.at(""))?;
        let rested = |name: &String| known.values().any(|parts| parts.contains(name));
        let idle = |name: &&String| is_ours(name) && number(name).is_none() && !rested(name);
        let mut idle = names.iter().filter(idle);
        idle.try_for_each(|name| self.store.remove(name).map_err(self.at(name)))
    }

    /// Whether a longer log can go on from a cut.
    fn is_open(&self, number: u64) -> bool {
        let manifest = self.manifest::<Moment>(number);
        manifest.is_ok_and(|manifest| !manifest.moment.closed)
    }

    /// The numbers of the whole cuts, oldest first.
    fn whole(&self) -> Result<Vec<u64>, CheckpointError> {
        let names = self.store.list().map_err(self.at(""))?;
        Ok(names.iter().filter_map(|name| number(name)).collect())
    }

    fn manifest<M: for<'de> Deserialize<'de>>(
        &self,
        number: u64,
    ) -> Result<Manifest<M>, CheckpointError> {
        let name = cut_name(number);
        let opened = self.store.open(&name).map_err(Unusable::from);
        let read = opened.and_then(|source| Reader::open(source, &CUT));
        let (_, manifest) = read.map_err(self.not_sound(&name))?;
        Ok(manifest)
    }

    /// Opens what a cut rests on.
    fn open(&self, parts: &[Rests]) -> Result<Vec<Stored>, CheckpointError> {
        let open = |rests: &Rests| {
            let stored = Stored::open(&*self.store, &rests.name);
            let stored = stored.and_then(|stored| match stored.seal() == rests.seal {
                true => Ok(stored),
                false => Err(Unusable::Damaged(ANOTHER)),
            });
            stored.map_err(self.not_sound(&rests.name))
        };
        parts.iter().map(open).collect()
    }

    fn states(&self, parts: &[Rests], workers: usize) -> Result<Vec<State>, CheckpointError> {
        let newest = parts.last().map_or("", |rests| &rests.name);
        let sections = self.sections(parts)?;
        pieces::read(&sections, workers).map_err(self.not_sound(newest))
    }

    fn sections(&self, parts: &[Rests]) -> Result<Sections, CheckpointError> {
        let mut sections = Sections::new();
        for (stored, rests) in self.open(parts)?.iter().zip(parts) {
            let read = stored.read(&mut sections);
            read.map_err(self.not_sound(&rests.name))?;
        }
        Ok(sections)
    }

    fn put(
        &self,
        name: &str,
        fill: impl Fn(&mut dyn io::Write) -> Result<Seal, Unusable>,
    ) -> Result<Seal, CheckpointError> {
        // What cannot be put need not come to be filled.
        let mut filled = None;
        let put = self.store.put(name, &mut |out| {
            let filled = filled.insert(fill(out));
            match filled {
                Ok(_) => Ok(()),
                // That of the disk is told as it is.
                Err(Unusable::Read(error)) => {
                    Err(std::mem::replace(error, io::ErrorKind::Other.into()))
                }
                Err(why) => Err(io::Error::other(why.to_string())),
            }
        });
        match (put, filled) {
            (Ok(()), Some(filled)) => filled.map_err(self.not_sound(name)),
            (Ok(()), None) => Err(self.not_sound(name)(Unusable::Damaged(
                "nothing was written",
            ))),
            (Err(source), None | Some(Ok(_) | Err(Unusable::Read(_)))) => {
                Err(self.at(name)(source))
            }
            (Err(_), Some(Err(why))) => Err(self.not_sound(name)(why)),
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, name: &str) -> impl Fn(io::Error) -> CheckpointError {
        let path = self.store.path(name);
        move |source| CheckpointError::File {
            path: path.clone(),
            source,
        }
    }

    fn not_sound(&self, name: &str) -> impl Fn(Unusable) -> CheckpointError {
        let path = self.store.path(name);
        move |why| CheckpointError::Unusable {
            path: path.clone(),
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_place_that_cannot_be_written_the_reason_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let place = Place::Folder(file.join("state"));
        let checkpoints = Checkpoints::at_place(&Disk::real(), &place).unwrap();
        let put = checkpoints.put("part-1", |_| unreachable!());
        for error in [put.unwrap_err(), checkpoints.try_place().unwrap_err()] {
            let error = error.to_string();
            assert!(error.contains("os error"), "{error}");
            assert!(!error.contains("damaged"), "{error}");
        }
    }
}
