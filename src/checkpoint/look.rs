//! What checkpoints hold, whether they are sound, and how they become one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::part::{self, Stored};
use super::pieces::{self, Of, Sections};
use super::{
    ANOTHER, CheckpointError, Checkpoints, Manifest, Moment, Rests, cut_name, is_ours, names,
    number, part_name,
};
use crate::codec::{CUT, Reader, Unusable};

/// The checkpoints of a run.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// Where they lie.
    pub place: String,
    /// The cuts, the newest last.
    pub cuts: Vec<ShownCut>,
    /// What the newest one holds.
    pub operators: Vec<ShownOperator>,
}

/// A cut.
#[derive(Debug, Serialize)]
pub struct ShownCut {
    /// What it is called.
    pub cut: String,
    /// Epochs that were fed before it.
    pub epochs: u64,
    /// Lines that were fed before it.
    pub lines: u64,
    /// What it rests on, the newest last.
    pub parts: Vec<ShownPart>,
}

/// A part.
#[derive(Debug, Serialize)]
pub struct ShownPart {
    /// What it is called.
    pub part: String,
    /// Its length.
    pub bytes: u64,
}

/// What an operator holds.
#[derive(Debug, Default, Serialize)]
pub struct ShownOperator {
    /// Which.
    pub operator: String,
    /// Of how many homes.
    pub homes: u64,
    /// How much of them.
    pub home_bytes: u64,
    /// How much that is of no home.
    pub other_bytes: u64,
}

/// Whether checkpoints are sound.
#[derive(Debug, Default, Serialize)]
pub struct Verified {
    /// Cuts that were looked at.
    pub cuts: usize,
    /// Parts that these rest on.
    pub parts: usize,
    /// Bytes of the parts.
    pub bytes: u64,
    /// What is wrong.
    pub damaged: Vec<Damaged>,
    /// What no cut rests on: a run that was killed left it, and the next one removes it.
    pub idle: Vec<String>,
}

/// Something that is not sound.
#[derive(Debug, Serialize)]
pub struct Damaged {
    /// Which.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What became of checkpoints that were made into one.
#[derive(Debug, Serialize)]
pub struct Compacted {
    /// The cut that stays.
    pub cut: String,
    /// The bytes that lay there, cuts themselves not counted.
    pub before: u64,
    /// Those that lie there now.
    pub after: u64,
}

impl Checkpoints {
    /// What there is.
    ///
    /// # Errors
    /// Something of it cannot be read.
    pub fn show(&self) -> Result<Shown, CheckpointError> {
        let mut shown = Shown {
            place: self.store.path(""),
            cuts: Vec::new(),
            operators: Vec::new(),
        };
        let mut newest = Vec::new();
        for number in self.whole()? {
            let Manifest { moment, parts } = self.manifest::<Moment>(number)?;
            shown.cuts.push(ShownCut {
                cut: cut_name(number),
                epochs: moment.epochs,
                lines: moment.lines,
                parts: parts.iter().map(ShownPart::of).collect(),
            });
            newest = parts;
        }
        let sections = self.sections(&newest)?;
        let last = newest.last().map_or("", |rests| &rests.name);
        shown.operators = operators(&sections).map_err(self.not_sound(last))?;
        Ok(shown)
    }

    /// Looks at every byte.
    ///
    /// # Errors
    /// The place cannot be read.
    pub fn verify(&self) -> Result<Verified, CheckpointError> {
        let mut verified = Verified::default();
        let mut parts: BTreeMap<String, Result<Stored, Unusable>> = BTreeMap::new();
        for number in self.whole()? {
            verified.cuts += 1;
            let rests = match self.cut_is_sound(number) {
                Ok(rests) => rests,
                Err(why) => {
                    verified.add(self.store.path(&cut_name(number)), &why);
                    continue;
                }
            };
            let mut sound = true;
            for Rests { name, seal } in &rests {
                let known = parts.contains_key(name);
                let stored = parts.entry(name.clone()).or_insert_with(|| {
                    let stored = Stored::open(&*self.store, name)?;
                    stored.verify().map(|()| stored)
                });
                let why = match stored {
                    Ok(stored) if stored.seal() == *seal => continue,
                    Ok(_) => Unusable::Damaged(ANOTHER),
                    Err(_) if known => continue,
                    Err(why) => std::mem::replace(why, Unusable::Damaged("it is damaged")),
                };
                sound = false;
                verified.add(self.store.path(name), &why);
            }
            if sound && let Err(error) = self.states(&rests, 1) {
                verified.damaged.push(Damaged {
                    path: self.store.path(&cut_name(number)),
                    why: error.to_string(),
                });
            }
        }
        let sound = parts.values().flatten();
        verified.bytes = sound.map(|stored| stored.seal().bytes).sum();
        verified.parts = parts.len();
        let there = self.store.list().map_err(self.at(""))?;
        let idle =
            |name: &String| is_ours(name) && number(name).is_none() && !parts.contains_key(name);
        verified.idle = there.into_iter().filter(idle).collect();
        Ok(verified)
    }

    /// Whether a cut's own file is sound; what it rests on.
    fn cut_is_sound(&self, number: u64) -> Result<Vec<Rests>, Unusable> {
        let opened = self.store.open(&cut_name(number))?;
        let (reader, manifest) = Reader::open::<Manifest<Moment>>(opened, &CUT)?;
        match reader.is_covered([]) {
            true => Ok(manifest.parts),
            false => Err(Unusable::Damaged("some of it belongs to nothing")),
        }
    }

    /// Has the newest sound cut rest on one part, and removes all others. `None`: there is no cut.
    ///
    /// # Errors
    /// None is sound, or the place cannot be read or written.
    pub fn compact(&self) -> Result<Option<Compacted>, CheckpointError> {
        let mut failed = None;
        let whole = self.whole()?;
        let Some(&last) = whole.last() else {
            return Ok(None);
        };
        let before = self.bytes()?;
        for &number in whole.iter().rev() {
            let sound = self.manifest::<Moment>(number).and_then(|manifest| {
                self.states(&manifest.parts, 1)?;
                Ok(manifest)
            });
            match sound {
                Ok(manifest) => {
                    let stays = self.alone(number, last + 1, manifest)?;
                    return Ok(Some(Compacted {
                        cut: cut_name(stays),
                        before,
                        after: self.bytes()?,
                    }));
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// Has a cut rest on one part, as cut `next` where it does not yet, and removes all others. Which one stays.
    fn alone(
        &self,
        number: u64,
        next: u64,
        Manifest { moment, mut parts }: Manifest<Moment>,
    ) -> Result<u64, CheckpointError> {
        let mut stays = number;
        if parts.len() > 1 {
            stays = next;
            let name = part_name(next);
            let old = self.open(&parts)?;
            let seal = self.put(&name, |out| part::merge(out, &old, &[]))?;
            parts = vec![Rests { name, seal }];
            self.put_cut(next, &moment, &parts)?;
        }
        let mut line = self.line();
        line.damaged = self
            .whole()?
            .into_iter()
            .filter(|cut| *cut != stays)
            .collect();
        line.kept = [(stays, names(&parts))].into();
        drop(line);
        self.tidy(true)?;
        Ok(stays)
    }

    /// The bytes of all parts that a cut rests on.
    fn bytes(&self) -> Result<u64, CheckpointError> {
        let mut parts = BTreeMap::new();
        for number in self.whole()? {
            // What is damaged will go.
            if let Ok(manifest) = self.manifest::<Moment>(number) {
                parts.extend(
                    manifest
                        .parts
                        .into_iter()
                        .map(|rests| (rests.name, rests.seal.bytes)),
                );
            }
        }
        Ok(parts.values().sum())
    }
}

impl ShownPart {
    fn of(rests: &Rests) -> Self {
        ShownPart {
            part: rests.name.clone(),
            bytes: rests.seal.bytes,
        }
    }
}

impl Verified {
    fn add(&mut self, path: String, why: &Unusable) {
        let why = why.to_string();
        self.damaged.push(Damaged { path, why });
    }
}

/// What each operator holds.
fn operators(sections: &Sections) -> Result<Vec<ShownOperator>, Unusable> {
    let mut operators: Vec<ShownOperator> = Vec::new();
    for ((operator, of), sections) in sections {
        if operators
            .last()
            .is_none_or(|last| last.operator != *operator)
        {
            operators.push(ShownOperator {
                operator: operator.clone(),
                ..ShownOperator::default()
            });
        }
        let Some(shown) = operators.last_mut() else {
            continue;
        };
        match *of {
            Of::Rest(_) => {
                shown.other_bytes += sections.iter().map(|s| s.len() as u64).sum::<u64>();
            }
            Of::Homes(bucket) => {
                let homes = pieces::newest(bucket, sections.iter().map(Vec::as_slice))?;
                for (_, state) in homes.iter().filter(|(_, state)| !state.is_empty()) {
                    shown.homes += 1;
                    shown.home_bytes += state.len() as u64;
                }
            }
        }
    }
    Ok(operators)
}
