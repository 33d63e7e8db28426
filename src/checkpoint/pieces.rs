//! What operators hold, as bytes: a section for each bucket of homes of an operator, and one for the rest of each.
//!
//! A section of homes holds `id (u32) │ length (u32) │ bincode of the state` for each of its homes, in any order; a length of
//! nothing says that the home is blank from then on. Homes are bucketed by their ids, whatever worker they live on, so that any
//! number of workers finds its own.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use hearth_operators::dataflow::State;
use hearth_operators::state::{HomeState, Homes, Plain, Scribe, Visit};
use hearth_operators::words::HomeId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::spread;
use crate::codec::Unusable;

/// Homes with neighbouring ids that lie in a section.
const BUCKET: u32 = 1024;

/// Bytes before a home's state.
const HEAD: usize = 8;

/// What a section is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Of {
    /// What an operator of a worker holds that is of no home.
    Rest(u32),
    /// A bucket of homes.
    Homes(u32),
}

/// A section of a state.
#[derive(Debug)]
pub struct Section {
    /// Whose.
    pub operator: &'static str,
    /// What it is of.
    pub of: Of,
    /// Of how many homes.
    pub homes: u32,
    /// Whether workers wrote it, not somebody beside the dataflow.
    pub at_once: bool,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Which homes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All that are not blank.
    All,
    /// Those that changed since the last time, blank ones too.
    Changed,
    /// Those that changed since the time before, blank ones too: of the last time nothing came.
    ChangedBefore,
}

/// Has what a worker's operators hold go into `taken`: what is of no home at once, homes as [`Homes::write`] comes to them.
pub fn write(worker: usize, state: &mut State, which: Which, taken: &Arc<Taken>) {
    state.visit(&mut Written {
        worker: worker as u32,
        which,
        taken,
    });
}

/// Memory for sections, by operator and bucket. What the system has to clear first, or is to be moved since it is too little, holds
/// up the dataflow longer than the writing itself.
pub type Spare = BTreeMap<(&'static str, u32), Vec<Vec<u8>>>;

/// Memory for what workers write of a cut like the one of these sections, or half as large again: what is new of it is cleared now.
pub fn spare(sections: Vec<Section>) -> Spare {
    let mut spare = Spare::new();
    for Section {
        operator,
        of,
        at_once,
        mut bytes,
        ..
    } in sections
    {
        if let (Of::Homes(bucket), true) = (of, at_once) {
            let most = bytes.len() + bytes.len() / 2;
            if bytes.capacity() < most {
                // No zeros: these would be had from the system as memory that it clears later.
                bytes = vec![1; most];
            }
            bytes.clear();
            spare.entry((operator, bucket)).or_default().push(bytes);
        }
    }
    spare
}

/// What is taken down for a cut, by all workers.
pub struct Taken {
    state: Mutex<Taking>,
    /// The last one who writes has done.
    news: Condvar,
}

/// Gives the bytes of what an operator held.
type Writes = Box<dyn FnOnce() -> bincode::Result<Section> + Send>;

#[derive(Default)]
struct Taking {
    later: Vec<Writes>,
    sections: Vec<Section>,
    spare: Spare,
    failed: Option<bincode::Error>,
    /// Those who still write.
    open: usize,
    /// Of these, one has gone without having done.
    lost: bool,
}

impl Taken {
    /// Nothing yet; it goes where an earlier cut lay.
    pub fn into_spare(spare: Spare) -> Self {
        let state = Mutex::new(Taking {
            spare,
            ..Taking::default()
        });
        let news = Condvar::new();
        Taken { state, news }
    }

    /// Waits until all of those who began have done, or one has gone without; false then.
    pub fn all_written(&self) -> bool {
        let waits = |taking: &mut Taking| taking.open > 0 && !taking.lost;
        let waited = self.news.wait_while(self.lock(), waits);
        !waited.unwrap_or_else(PoisonError::into_inner).lost
    }

    /// What was written; nothing of it stays.
    ///
    /// # Errors
    /// Something cannot be written as bytes: a fault of Hearth.
    pub fn take(&self) -> bincode::Result<Vec<Section>> {
        let mut taking = self.lock();
        if let Some(error) = taking.failed.take() {
            return Err(error);
        }
        let later = std::mem::take(&mut taking.later);
        let sections = std::mem::take(&mut taking.sections);
        taking.spare.clear();
        drop(taking);
        let later = later.into_iter().map(|write| write());
        later.chain(sections.into_iter().map(Ok)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Taking> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Written<'a> {
    worker: u32,
    which: Which,
    taken: &'a Arc<Taken>,
}

impl Visit for Written<'_> {
    fn rest<S: Plain>(&mut self, operator: &'static str, rest: &mut S) {
        let (worker, rest) = (self.worker, rest.clone());
        self.taken.lock().later.push(Box::new(move || {
            Ok(Section {
                operator,
                of: Of::Rest(worker),
                homes: 0,
                at_once: false,
                bytes: bincode::serialize(&rest)?,
            })
        }));
    }

    fn homes<H>(&mut self, operator: &'static str, homes: &mut Homes<H>)
    where
        H: HomeState + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        match self.which {
            Which::All => homes.change_all(),
            Which::Changed => {}
            Which::ChangedBefore => homes.undo_cut(),
        }
        self.taken.lock().open += 1;
        homes.cut(Box::new(ByBucket {
            operator,
            blank: self.which != Which::All,
            sections: BTreeMap::new(),
            cloned: BTreeMap::new(),
            failed: None,
            taken: self.taken.clone(),
            done: false,
        }));
    }
}

/// The homes of an operator of a worker, as they are written.
struct ByBucket<H> {
    operator: &'static str,
    /// Whether blank homes are written too.
    blank: bool,
    sections: BTreeMap<u32, Section>,
    /// Those that are made bytes later, by bucket.
    cloned: BTreeMap<u32, Vec<(HomeId, H)>>,
    failed: Option<bincode::Error>,
    taken: Arc<Taken>,
    done: bool,
}

impl<H> Scribe<H> for ByBucket<H>
where
    H: HomeState + Serialize + Send + Sync + 'static,
{
    fn write(&mut self, home: HomeId, state: &H) {
        if state.is_blank() && !self.blank {
            return;
        }
        let (operator, bucket) = (self.operator, home.0 / BUCKET);
        if let Some(state) = state.cloned() {
            self.cloned.entry(bucket).or_default().push((home, state));
            return;
        }
        let section = self.sections.entry(bucket).or_insert_with(|| {
            let mut taking = self.taken.lock();
            let spare = taking.spare.get_mut(&(operator, bucket));
            Section {
                operator,
                of: Of::Homes(bucket),
                homes: 0,
                at_once: true,
                bytes: spare.and_then(Vec::pop).unwrap_or_default(),
            }
        });
        section.homes += 1;
        if let Err(error) = append(&mut section.bytes, home, state) {
            self.failed = Some(error);
        }
    }

    fn done(mut self: Box<Self>) {
        let mut taking = self.taken.lock();
        taking.failed = taking.failed.take().or(self.failed.take());
        taking
            .sections
            .extend(std::mem::take(&mut self.sections).into_values());
        for (bucket, homes) in std::mem::take(&mut self.cloned) {
            let operator = self.operator;
            let writes = Box::new(move || section(operator, bucket, homes));
            taking.later.push(writes);
        }
        drop(taking);
        self.done = true;
    }
}

impl<H> Drop for ByBucket<H> {
    fn drop(&mut self) {
        let mut taking = self.taken.lock();
        taking.open -= 1;
        taking.lost |= !self.done;
        self.taken.news.notify_all();
    }
}

/// A bucket of homes that were taken down as they are.
fn section<H: HomeState + Serialize>(
    operator: &'static str,
    bucket: u32,
    homes: Vec<(HomeId, H)>,
) -> bincode::Result<Section> {
    let mut section = Section {
        operator,
        of: Of::Homes(bucket),
        homes: homes.len() as u32,
        at_once: false,
        bytes: Vec::new(),
    };
    for (home, state) in homes {
        append(&mut section.bytes, home, &state)?;
    }
    Ok(section)
}

fn append(
    bytes: &mut Vec<u8>,
    home: HomeId,
    state: &(impl HomeState + Serialize),
) -> bincode::Result<()> {
    bytes.extend(home.0.to_le_bytes());
    bytes.extend([0; 4]);
    let begin = bytes.len();
    if !state.is_blank() {
        bincode::serialize_into(&mut *bytes, state)?;
    }
    let length = u32::try_from(bytes.len() - begin);
    let length = length.map_err(|_| bincode::ErrorKind::SizeLimit)?;
    bytes[begin - 4..begin].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// A home of a section, with the bytes of its state; nothing, where it is blank.
pub type Record<'a> = (HomeId, &'a [u8]);

/// The homes of a section.
///
/// # Errors
/// It makes no sense.
pub fn records(bucket: u32, mut bytes: &[u8]) -> Result<Vec<Record<'_>>, Unusable> {
    let senseless = || Unusable::Damaged("a section makes no sense");
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at_checked(HEAD).ok_or_else(senseless)?;
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (home, length) = (number(0), number(4) as usize);
        let (state, rest) = rest.split_at_checked(length).ok_or_else(senseless)?;
        if home / BUCKET != bucket {
            return Err(senseless());
        }
        records.push((HomeId(home), state));
        bytes = rest;
    }
    Ok(records)
}

/// The homes of a bucket in order, blank ones too, as the newest of these sections that has each says; the newest section is the
/// last.
///
/// # Errors
/// A section makes no sense.
pub fn newest<'a>(
    bucket: u32,
    sections: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<Record<'a>>, Unusable> {
    let mut homes = Vec::new();
    for section in sections {
        homes.append(&mut records(bucket, section)?);
    }
    homes.sort_by_key(|(home, _)| *home);
    homes.dedup_by(|later, before| {
        let same = later.0 == before.0;
        if same {
            *before = *later;
        }
        same
    });
    Ok(homes)
}

/// A section of homes that are to be written as they are.
pub fn join<'a>(homes: impl IntoIterator<Item = Record<'a>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (home, state) in homes {
        bytes.extend(home.0.to_le_bytes());
        bytes.extend((state.len() as u32).to_le_bytes());
        bytes.extend(state);
    }
    bytes
}

/// Leaves out of sections the homes that are nobody's `own`.
///
/// # Errors
/// A section makes no sense.
pub fn leave(sections: &mut Sections, own: &dyn Fn(HomeId) -> bool) -> Result<(), Unusable> {
    for ((_, of), all) in sections {
        let Of::Homes(bucket) = *of else { continue };
        for section in all {
            let homes = records(bucket, section)?.into_iter();
            let left = join(homes.filter(|(home, _)| own(*home)));
            *section = left;
        }
    }
    Ok(())
}

/// Sections that make up a state, the newest of each bucket last.
pub type Sections = BTreeMap<(String, Of), Vec<Vec<u8>>>;

/// Puts together what `workers` workers' operators begin with.
///
/// # Errors
/// A section makes no sense, or is of an operator that this version does not know.
pub fn read(sections: &Sections, workers: usize) -> Result<Vec<State>, Unusable> {
    read_among(std::slice::from_ref(sections), 0..workers, workers)
}

/// The same of what several processes wrote, for the workers `own` of all `peers`. In order, so that each of these is dealt what no
/// other one is.
///
/// # Errors
/// As [`read`].
pub fn read_among(
    parts: &[Sections],
    own: Range<usize>,
    peers: usize,
) -> Result<Vec<State>, Unusable> {
    let mut held = Vec::new();
    for sections in parts {
        held.append(&mut rests(sections)?);
    }
    let states = State::deal(held, peers).into_iter().enumerate();
    let states = states.filter(|(worker, _)| own.contains(worker));
    let homes = |(worker, mut state): (usize, State)| {
        let mut own = Own {
            parts,
            worker,
            workers: peers,
            failed: None,
        };
        state.visit(&mut own);
        own.failed.map_or(Ok(state), Err)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = states
            .map(|state| scope.spawn(move || homes(state)))
            .collect();
        let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .map(|state| state.unwrap_or(Err(Unusable::Damaged("a state makes no sense"))))
            .collect()
    })
}

/// What the workers of a process held that is of no home.
fn rests(sections: &Sections) -> Result<Vec<State>, Unusable> {
    let mut rests: BTreeMap<u32, State> = BTreeMap::new();
    for (_, of) in sections.keys() {
        if let Of::Rest(worker) = of {
            rests.entry(*worker).or_default();
        }
    }
    for (worker, state) in &mut rests {
        let mut rest = Rest {
            sections,
            worker: *worker,
            failed: false,
            known: Vec::new(),
        };
        state.visit(&mut rest);
        if rest.failed {
            return Err(Unusable::Damaged("a state makes no sense"));
        }
        let known = |operator: &String| rest.known.contains(&operator.as_str());
        if !sections.keys().all(|(operator, _)| known(operator)) {
            return Err(Unusable::Damaged(
                "it has an operator that this Hearth does not know",
            ));
        }
    }
    Ok(rests.into_values().collect())
}

/// Puts in what operators held that is of no home.
struct Rest<'a> {
    sections: &'a Sections,
    worker: u32,
    failed: bool,
    known: Vec<&'static str>,
}

impl Visit for Rest<'_> {
    fn rest<S: Plain>(&mut self, operator: &'static str, rest: &mut S) {
        self.known.push(operator);
        let key = (operator.to_owned(), Of::Rest(self.worker));
        let Some(bytes) = self.sections.get(&key).and_then(|all| all.last()) else {
            return;
        };
        match bincode::deserialize(bytes) {
            Ok(state) => *rest = state,
            Err(_) => self.failed = true,
        }
    }

    fn homes<H>(&mut self, _operator: &'static str, _homes: &mut Homes<H>)
    where
        H: HomeState + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
    }
}

/// Puts in a worker's homes.
struct Own<'a> {
    parts: &'a [Sections],
    worker: usize,
    workers: usize,
    failed: Option<Unusable>,
}

impl Own<'_> {
    fn take<H>(&self, operator: &'static str, homes: &mut Homes<H>) -> Result<(), Unusable>
    where
        H: HomeState + DeserializeOwned + Send,
    {
        homes.settle(self.worker, self.workers);
        let key = |of| (operator.to_owned(), of);
        let buckets = || key(Of::Homes(0))..=key(Of::Homes(u32::MAX));
        let all = self.parts.iter();
        let all = all.flat_map(|sections| sections.range(buckets()));
        let states = |((_, of), sections): (&(String, Of), &Vec<Vec<u8>>)| {
            let Of::Homes(bucket) = *of else {
                return Ok(Vec::new());
            };
            let all = newest(bucket, sections.iter().map(Vec::as_slice))?;
            let own = all.into_iter().filter(|(home, bytes)| {
                home.worker(self.workers) == self.worker && !bytes.is_empty()
            });
            let read = |(home, bytes)| {
                let state = bincode::deserialize(bytes);
                let senseless = |_| Unusable::Damaged("a home's state makes no sense");
                Ok((home, state.map_err(senseless)?))
            };
            own.map(read).collect::<Result<Vec<(HomeId, H)>, _>>()
        };
        let hands = spread::hands().div_ceil(self.workers);
        for states in spread::over(hands, all, states)? {
            for (home, state) in states {
                homes.put(home, state);
            }
        }
        Ok(())
    }
}

impl Visit for Own<'_> {
    fn rest<S: Plain>(&mut self, _operator: &'static str, _rest: &mut S) {}

    fn homes<H>(&mut self, operator: &'static str, homes: &mut Homes<H>)
    where
        H: HomeState + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        if let Err(error) = self.take(operator, homes) {
            self.failed = Some(error);
        }
    }
}
