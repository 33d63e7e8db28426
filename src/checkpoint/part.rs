//! A part of a checkpoint: sections of what operators held, as far as they changed, or all.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::pieces::{self, Of, Section, Sections};
use super::spread;
use super::store::{Opened, Store};
use crate::codec::{self, Part, Reader, STATE, Seal, Unusable, Writer};

/// A section in a part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Whose it is.
    pub operator: String,
    /// What it is of.
    pub of: Of,
    /// Of how many homes.
    pub homes: u32,
    /// Where it lies.
    pub part: Part,
}

/// A part that can be read.
pub struct Stored {
    reader: Reader<Opened>,
    entries: Vec<Entry>,
}

impl Stored {
    /// Opens one.
    ///
    /// # Errors
    /// It is not there, something else, or damaged.
    pub fn open(store: &dyn Store, name: &str) -> Result<Self, Unusable> {
        let (reader, entries) = Reader::open(store.open(name)?, &STATE)?;
        Ok(Stored { reader, entries })
    }

    /// What tells it from others.
    pub fn seal(&self) -> Seal {
        self.reader.seal()
    }

    /// Adds its sections to those of older parts. What is not by home is written whole each time, so that of the newest counts.
    ///
    /// # Errors
    /// A section cannot be read, or is damaged.
    pub fn read(&self, into: &mut Sections) -> Result<(), Unusable> {
        into.retain(|(_, of), _| matches!(of, Of::Homes(_)));
        let packed = self.entries.iter().map(|entry| {
            let key = (entry.operator.clone(), entry.of);
            (key, entry.part, self.reader.packed(entry.part))
        });
        let unpacked =
            |(key, part, packed): (_, _, Result<_, _>)| Ok((key, codec::unpacked(packed?, part)?));
        for (key, bytes) in spread::over(spread::hands(), packed, unpacked)? {
            into.entry(key).or_default().push(bytes);
        }
        Ok(())
    }

    /// How many bytes each operator has in it, unpacked.
    pub fn held(&self) -> BTreeMap<String, u64> {
        let mut held = BTreeMap::new();
        for entry in &self.entries {
            *held.entry(entry.operator.clone()).or_default() += entry.part.unpacked;
        }
        held
    }

    /// Whether every byte is sound.
    ///
    /// # Errors
    /// What is not.
    pub fn verify(&self) -> Result<(), Unusable> {
        let parts = self.entries.iter().map(|entry| entry.part);
        if !self.reader.is_covered(parts) {
            return Err(Unusable::Damaged("some of it belongs to no section"));
        }
        self.entries
            .iter()
            .try_for_each(|entry| self.reader.bytes(entry.part).map(drop))
    }
}

/// Writes sections as a part.
///
/// # Errors
/// It cannot be written.
pub fn write(out: &mut dyn Write, sections: &[Section]) -> io::Result<Seal> {
    let mut file = Writer::new(out, &STATE)?;
    let mut entries = Vec::new();
    for section in sections {
        entries.push(Entry {
            operator: section.operator.to_owned(),
            of: section.of,
            homes: section.homes,
            part: file.add_bytes(&section.bytes)?,
        });
    }
    Ok(file.finish(&entries)?.1)
}

/// Where a section is, until it is written.
enum Place<'a> {
    Old(&'a Stored, &'a Entry),
    New(&'a Section),
}

impl Place<'_> {
    fn bytes(&self) -> Result<std::borrow::Cow<'_, [u8]>, Unusable> {
        Ok(match self {
            Place::Old(stored, entry) => stored.reader.bytes(entry.part)?.into(),
            Place::New(section) => (&section.bytes).into(),
        })
    }
}

/// Writes older parts, the newest last, and sections that are newer still, as one part that rests on no other. One bucket is in
/// memory at a time, and what did not change is copied as it lies.
///
/// # Errors
/// It cannot be written, or an older part cannot be read.
pub fn merge(out: &mut dyn Write, old: &[Stored], new: &[Section]) -> Result<Seal, Unusable> {
    let mut places: BTreeMap<(&str, Of), Vec<Place<'_>>> = BTreeMap::new();
    for (at, stored) in old.iter().enumerate() {
        let stays = |entry: &&Entry| match entry.of {
            Of::Rest(_) => new.is_empty() && at + 1 == old.len(),
            Of::Homes(_) => true,
        };
        for entry in stored.entries.iter().filter(stays) {
            let place = places.entry((&entry.operator, entry.of)).or_default();
            place.push(Place::Old(stored, entry));
        }
    }
    for section in new {
        let place = places.entry((section.operator, section.of)).or_default();
        place.push(Place::New(section));
    }
    let mut file = Writer::new(out, &STATE)?;
    let mut entries = Vec::new();
    for ((operator, of), places) in places {
        let (homes, part) = match (of, &places[..]) {
            (Of::Homes(_), [Place::Old(stored, entry)]) if std::ptr::eq(*stored, &old[0]) => {
                (entry.homes, file.copy(&stored.reader, entry.part)?)
            }
            (Of::Homes(bucket), places) => {
                let bytes: Vec<_> = places.iter().map(Place::bytes).collect::<Result<_, _>>()?;
                let mut homes = pieces::newest(bucket, bytes.iter().map(AsRef::as_ref))?;
                homes.retain(|(_, state)| !state.is_empty());
                if homes.is_empty() {
                    continue;
                }
                let count = homes.len() as u32;
                (count, file.add_bytes(&pieces::join(homes))?)
            }
            (Of::Rest(_), places) => match places.last() {
                Some(place) => (0, file.add_bytes(&place.bytes()?)?),
                None => continue,
            },
        };
        let operator = operator.to_owned();
        entries.push(Entry {
            operator,
            of,
            homes,
            part,
        });
    }
    Ok(file.finish(&entries)?.1)
}

#[cfg(test)]
mod tests {
    use hearth_operators::words::HomeId;
    use proptest::prelude::*;

    use super::*;
    use crate::checkpoint::store::Folder;
    use crate::disk::Disk;

    /// What changed of an operator's homes: a state, or none any more; and the operator's rest.
    type Change = (BTreeMap<u32, Option<Vec<u8>>>, Vec<u8>);

    /// As two workers would write it.
    fn sections(change: &Change) -> Vec<Section> {
        let (homes, rest) = change;
        let mut sections = Vec::new();
        for worker in 0..2u32 {
            let own = homes.iter().filter(|(home, _)| *home % 2 == worker);
            let mut buckets: BTreeMap<u32, Vec<pieces::Record<'_>>> = BTreeMap::new();
            for (home, state) in own {
                let state = state.as_deref().unwrap_or_default();
                buckets
                    .entry(home / 1024)
                    .or_default()
                    .push((HomeId(*home), state));
            }
            for (bucket, homes) in buckets {
                sections.push(Section {
                    operator: "split",
                    of: Of::Homes(bucket),
                    homes: homes.len() as u32,
                    at_once: true,
                    bytes: pieces::join(homes),
                });
            }
            sections.push(Section {
                operator: "split",
                of: Of::Rest(worker),
                homes: 0,
                at_once: false,
                bytes: rest.clone(),
            });
        }
        sections
    }

    /// What a state of parts says: homes that are not blank, and the rests.
    fn said(parts: &[Stored]) -> (BTreeMap<u32, Vec<u8>>, Vec<Vec<u8>>) {
        let mut sections = Sections::new();
        parts
            .iter()
            .for_each(|part| part.read(&mut sections).unwrap());
        let (mut homes, mut rests) = (BTreeMap::new(), Vec::new());
        for ((_, of), all) in &sections {
            match *of {
                Of::Rest(_) => rests.extend(all.clone()),
                Of::Homes(bucket) => {
                    let newest = pieces::newest(bucket, all.iter().map(Vec::as_slice)).unwrap();
                    let there = newest.into_iter().filter(|(_, state)| !state.is_empty());
                    homes.extend(there.map(|(home, state)| (home.0, state.to_vec())));
                }
            }
        }
        (homes, rests)
    }

    fn changes() -> impl Strategy<Value = Vec<Change>> {
        let home = prop_oneof![0u32..9, 1020u32..1030, Just(70_000)];
        let state = prop::option::of(prop::collection::vec(any::<u8>(), 1..40));
        let homes = prop::collection::btree_map(home, state, 0..12);
        prop::collection::vec((homes, prop::collection::vec(any::<u8>(), 0..9)), 1..6)
    }

    proptest! {
        /// However many parts it lies in, and wherever they were made into one: a state is what was written last of each home.
        #[test]
        fn parts_say_what_was_written_last(changes in changes(), merged: [bool; 6]) {
            let dir = tempfile::tempdir().unwrap();
            let store = Folder::new(&Disk::real(), dir.path().join("state"));
            let (mut parts, mut twin) = (Vec::new(), BTreeMap::new());
            for (number, change) in changes.iter().enumerate() {
                let (name, new) = (format!("part-{number}"), sections(change));
                let merges = merged[number];
                store.put(&name, &mut |out| {
                    match merges {
                        true => drop(merge(out, &parts, &new).unwrap()),
                        false => drop(write(out, &new)?),
                    }
                    Ok(())
                }).unwrap();
                if merges {
                    parts.clear();
                }
                parts.push(Stored::open(&store, &name).unwrap());
                prop_assert!(parts.iter().all(|part| part.verify().is_ok()));
                for (home, state) in &change.0 {
                    match state {
                        Some(state) => drop(twin.insert(*home, state.clone())),
                        None => drop(twin.remove(home)),
                    }
                }
                let (homes, rests) = said(&parts);
                prop_assert_eq!(&homes, &twin);
                prop_assert_eq!(&rests, &vec![change.1.clone(); 2]);
                if merges {
                    let homes: usize = twin.values().map(|state| 8 + state.len()).sum();
                    let least = (homes + 2 * change.1.len()) as u64;
                    // What did not change is copied as it lies, with the homes that became blank.
                    let blank = 8 * changes.iter().map(|(homes, _)| homes.len() as u64).sum::<u64>();
                    let held = parts[0].held()["split"];
                    prop_assert!((least..=least + blank).contains(&held), "{} of {}", held, least);
                }
            }
        }
    }
}
