//! What operators hold, as bytes: a section for each bucket of homes of an operator, and one for the rest of each.
//!
//! A section of homes holds `id (u32) │ length (u32) │ bincode of the state` for each of its homes, in any order; a length of
//! nothing says that the home is blank from then on. Homes are bucketed by their ids, whatever worker they live on, so that any
//! number of workers finds its own.

use std::collections::BTreeMap;

use hearth_operators::dataflow::State;
use hearth_operators::state::{HomeState, Homes, Visit};
use hearth_operators::words::HomeId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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
}

/// Writes what a worker's operators hold.
///
/// # Errors
/// It cannot be written as bytes: a fault of Hearth.
pub fn write(worker: usize, state: &mut State, which: Which) -> bincode::Result<Vec<Section>> {
    let mut written = Written {
        worker: worker as u32,
        which,
        sections: Vec::new(),
        failed: None,
    };
    state.visit(&mut written);
    match written.failed {
        Some(error) => Err(error),
        None => Ok(written.sections),
    }
}

struct Written {
    worker: u32,
    which: Which,
    sections: Vec<Section>,
    failed: Option<bincode::Error>,
}

impl Visit for Written {
    fn rest<S: Serialize + DeserializeOwned>(&mut self, operator: &'static str, rest: &mut S) {
        match bincode::serialize(rest) {
            Ok(bytes) => self.sections.push(Section {
                operator,
                of: Of::Rest(self.worker),
                homes: 0,
                bytes,
            }),
            Err(error) => self.failed = Some(error),
        }
    }

    fn homes<H>(&mut self, operator: &'static str, homes: &mut Homes<H>)
    where
        H: HomeState + Serialize + DeserializeOwned,
    {
        if self.which == Which::All {
            homes.change_all();
        }
        let changed = homes.take_changed();
        for bucket in changed.chunk_by(|a, b| a.0 / BUCKET == b.0 / BUCKET) {
            let mut section = Section {
                operator,
                of: Of::Homes(bucket[0].0 / BUCKET),
                homes: 0,
                bytes: Vec::new(),
            };
            for &home in bucket {
                let state = homes.get(home).filter(|state| !state.is_blank());
                if state.is_none() && self.which == Which::All {
                    continue;
                }
                section.homes += 1;
                if let Err(error) = append(&mut section.bytes, home, state) {
                    self.failed = Some(error);
                }
            }
            if section.homes > 0 {
                self.sections.push(section);
            }
        }
    }
}

fn append(
    bytes: &mut Vec<u8>,
    home: HomeId,
    state: Option<&impl Serialize>,
) -> bincode::Result<()> {
    bytes.extend(home.0.to_le_bytes());
    bytes.extend([0; 4]);
    let begin = bytes.len();
    if let Some(state) = state {
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

/// The homes of a bucket in order, blank ones too, as the newest of these sections that has each says; the newest section is the last.
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
    // In order already, but for where one section follows on another.
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

/// Sections that make up a state, the newest of each bucket last.
pub type Sections = BTreeMap<(String, Of), Vec<Vec<u8>>>;

/// Puts together what `workers` workers' operators begin with.
///
/// # Errors
/// A section makes no sense, or is of an operator that this version does not know.
pub fn read(sections: &Sections, workers: usize) -> Result<Vec<State>, Unusable> {
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
    let states = State::deal(rests.into_values().collect(), workers);
    let homes = |(worker, mut state): (usize, State)| {
        let mut own = Own {
            sections,
            worker,
            workers,
            failed: None,
        };
        state.visit(&mut own);
        own.failed.map_or(Ok(state), Err)
    };
    std::thread::scope(|scope| {
        let states = states.into_iter().enumerate();
        let threads: Vec<_> = states
            .map(|state| scope.spawn(move || homes(state)))
            .collect();
        let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .map(|state| state.unwrap_or(Err(Unusable::Damaged("a state makes no sense"))))
            .collect()
    })
}

/// Puts in what operators held that is of no home.
struct Rest<'a> {
    sections: &'a Sections,
    worker: u32,
    failed: bool,
    known: Vec<&'static str>,
}

impl Visit for Rest<'_> {
    fn rest<S: Serialize + DeserializeOwned>(&mut self, operator: &'static str, rest: &mut S) {
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
        H: HomeState + Serialize + DeserializeOwned,
    {
    }
}

/// Puts in a worker's homes.
struct Own<'a> {
    sections: &'a Sections,
    worker: usize,
    workers: usize,
    failed: Option<Unusable>,
}

impl Own<'_> {
    fn take<H>(&self, operator: &'static str, homes: &mut Homes<H>) -> Result<(), Unusable>
    where
        H: HomeState + DeserializeOwned,
    {
        homes.settle(self.worker, self.workers);
        let key = |of| (operator.to_owned(), of);
        let buckets = key(Of::Homes(0))..=key(Of::Homes(u32::MAX));
        for ((_, of), sections) in self.sections.range(buckets) {
            let Of::Homes(bucket) = *of else { continue };
            for (home, bytes) in newest(bucket, sections.iter().map(Vec::as_slice))? {
                if home.worker(self.workers) == self.worker && !bytes.is_empty() {
                    let state = bincode::deserialize(bytes);
                    let senseless = |_| Unusable::Damaged("a home's state makes no sense");
                    homes.put(home, state.map_err(senseless)?);
                }
            }
        }
        Ok(())
    }
}

impl Visit for Own<'_> {
    fn rest<S: Serialize + DeserializeOwned>(&mut self, _operator: &'static str, _rest: &mut S) {}

    fn homes<H>(&mut self, operator: &'static str, homes: &mut Homes<H>)
    where
        H: HomeState + Serialize + DeserializeOwned,
    {
        if let Err(error) = self.take(operator, homes) {
            self.failed = Some(error);
        }
    }
}
