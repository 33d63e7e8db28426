//! From where a run goes on that several processes share: from a cut that all have, whichever processes took it.
//!
//! Where these were as many, each goes on with its own part. Where they were others, each reads the parts of all, which lie in
//! one place then, and takes what is of its homes; outputs stay where they are: a process goes on in the folder of the one that
//! had its number before, and a folder whose process is no more *rests*, at a position that each later cut remembers.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::{BuildHasher, RandomState};

use anyhow::Context;

use super::among::place_of;
use super::checkpointing::{Before, Keeping, refused};
use crate::checkpoint::{Checkpoints, Found, Member, Moment, Place};
use crate::cluster::{Agreed, Had, Share, WholeCut};
use crate::config::{Checkpointing, UsageError};
use crate::finished::Finished;
use crate::sinks::{Positions, Written};

impl Keeping {
    /// What there is of the run already, where other processes share it: they begin anew, or go on from a cut that all have.
    ///
    /// # Errors
    /// What there is is of another run that is not complete, or cannot be read.
    pub(super) fn before_all(&mut self, fresh: bool) -> anyhow::Result<Before> {
        let own = match fresh {
            true => self.had_nothing(),
            false => self.had()?,
        };
        let Some(among) = &mut self.among else {
            return Ok(Before::Nothing);
        };
        let agreed = among.peers.agree(own);
        let (agreed, life) =
            agreed.context("the run ends before it is known what it goes on from")?;
        among.member.life = life;
        match agreed {
            Agreed::Complete => Ok(Before::Complete),
            Agreed::Apart => {
                let problem = "the processes know other devices and actions, for the log was longer when some of them began; --fresh, given \
                               to all, begins anew";
                Err(UsageError(problem.to_owned()).into())
            }
            Agreed::Cut(cut) => self.back_to(cut),
            Agreed::Nothing => {
                if !fresh && self.any() {
                    tracing::warn!(
                        "no checkpoint is there of which all have their parts; the run begins anew"
                    );
                }
                self.clear()?;
                Ok(Before::Nothing)
            }
        }
    }

    fn had_nothing(&self) -> Had {
        Had {
            catalogs: self.sums.last().copied().unwrap_or(0),
            life: RandomState::new().hash_one(std::process::id()),
            ..Had::default()
        }
    }

    /// What this process has of the run, or reaches.
    fn had(&self) -> anyhow::Result<Had> {
        let mut own = self.had_nothing();
        if self.every == Checkpointing::Off {
            return Ok(own);
        }
        let finished = Finished::in_folder(&self.disk, &self.out);
        let same = finished.as_ref().filter(|run| run.of == self.sum());
        let grown = same.map(|run| run.log.has_grown(&self.files, None));
        own.complete = grown == Some(Ok(false));
        own.cuts = self.cuts()?;
        if finished.is_none() && own.cuts.is_empty() && self.checkpoints.exist()? {
            self.refuse_another()?;
        }
        Ok(own)
    }

    /// The cuts that this process can go on from: those of which it has its own part, and those of other processes of which it
    /// reaches all parts.
    fn cuts(&self) -> anyhow::Result<Vec<WholeCut>> {
        let Some(among) = &self.among else {
            return Ok(Vec::new());
        };
        let differences = |moment: &Moment| self.differences(moment);
        let lie_in = |checkpoints: &Checkpoints| checkpoints.parts_of_cuts(differences);
        let of = |parts: Vec<(u64, Member)>, process: usize| -> Vec<WholeCut> {
            let own = parts.iter().filter(|(_, member)| member.process == process);
            own.map(|(epochs, member)| member.cut(*epochs)).collect()
        };
        let own = of(lie_in(&self.checkpoints)?, among.member.process);
        let mut cuts: Vec<WholeCut> = own.into_iter().filter(|cut| among.took(*cut)).collect();
        if among.place.is_none() {
            return Ok(cuts);
        }
        let first = of(lie_in(&self.checkpoints_of(0)?)?, 0);
        let mut others: BTreeMap<usize, Vec<WholeCut>> = BTreeMap::new();
        for cut in first.into_iter().filter(|cut| !among.took(*cut)) {
            let mut is_whole = true;
            for process in 1..cut.processes {
                let lie = match others.entry(process) {
                    Entry::Occupied(lie) => lie.into_mut(),
                    Entry::Vacant(place) => {
                        place.insert(of(lie_in(&self.checkpoints_of(process)?)?, process))
                    }
                };
                is_whole &= lie.contains(&cut);
            }
            cuts.extend(is_whole.then_some(cut));
        }
        Ok(cuts)
    }

    /// The checkpoints of a process, where all keep them in one place.
    fn checkpoints_of(&self, process: usize) -> anyhow::Result<Checkpoints> {
        let place = self.among.as_ref().and_then(|among| among.place.as_ref());
        let place = place.context("the processes keep their checkpoints each in its own folder")?;
        let place = Place::named(&place_of(place, process));
        Checkpoints::at_place(&self.disk, &place).map_err(|error| refused(&error))
    }

    /// Refuses what lies there of another run, or of other processes whose parts this one does not reach. What is of this run,
    /// but whole nowhere, is nothing.
    fn refuse_another(&self) -> anyhow::Result<()> {
        let differences = |moment: &Moment| self.differences(moment);
        let parts = self.checkpoints.parts_of_cuts(differences)?;
        let (Some((_, member)), Some(among)) = (parts.last(), &self.among) else {
            let another = self.checkpoints.newest(differences, self.workers);
            return another.map(drop).map_err(|error| refused(&error));
        };
        if among.place.is_some() {
            return Ok(());
        }
        let problem = format!(
            "the checkpoint in {} is of process {} of {} with {} workers; others go on from one that all of them reach: move each process's \
             into a folder of one place, as DIR/process-0, DIR/process-1 and so on, and give all --state DIR; or --fresh begins anew",
            self.checkpoints.place(),
            member.process,
            member.processes,
            member.workers
        );
        Err(UsageError(problem).into())
    }

    /// Goes on from a cut that all have.
    fn back_to(&mut self, cut: WholeCut) -> anyhow::Result<Before> {
        // Before anything of the outputs behind it is written anew: from then on these are parts of nothing.
        self.checkpoints.forget_behind(cut)?;
        let took = self.among.as_ref().is_some_and(|among| among.took(cut));
        let (found, resting) = match took {
            true => self.own_part(cut)?,
            false => self.deal(cut)?,
        };
        self.restore(&found.moment)?;
        if let Some(among) = &mut self.among {
            among.member.resting = resting;
        }
        Ok(Before::Found(Box::new(found)))
    }

    /// This process's own part of a cut, and which outputs rest.
    fn own_part(&self, cut: WholeCut) -> anyhow::Result<(Found, Resting)> {
        let another = |moment: &Moment| {
            let (member, _) = moment.identity.apart();
            let newer = (member.cut(moment.epochs) != cut).then(|| "when it was taken".to_owned());
            self.differences(moment).into_iter().chain(newer).collect()
        };
        let found = self.checkpoints.newest(another, self.workers);
        let found = found.map_err(|error| refused(&error))?;
        let found = found.with_context(|| gone(cut))?;
        let resting = found.moment.identity.apart().0.resting;
        Ok((found, resting))
    }

    /// What this process goes on with of what other processes have kept, and which outputs rest then.
    fn deal(&self, cut: WholeCut) -> anyhow::Result<(Found, Resting)> {
        let among = self.among.as_ref().context("the run has one process")?;
        let (mut moments, mut parts) = (Vec::new(), Vec::new());
        let own = |home| among.share.place(home).is_some();
        for process in 0..cut.processes {
            let part = self.checkpoints_of(process)?.part_of(cut, process, &own);
            let part = part.map_err(|error| refused(&error))?;
            let (moment, sections) = part.with_context(|| gone(cut))?;
            moments.push(moment);
            parts.push(sections);
        }
        let first = among.share.first_worker();
        let own = first..first + among.share.workers();
        let states = self.checkpoints.dealt(&parts, own, among.share.peers());
        let states = states.map_err(|error| refused(&error))?;
        tracing::info!(
            "goes on as process {} of {} from what {} had kept",
            among.member.process,
            among.member.processes,
            cut.processes
        );
        let (moment, resting) = dealt(moments, among.share).with_context(|| gone(cut))?;
        let found = Found {
            moment,
            states,
            damaged: Vec::new(),
        };
        Ok((found, resting))
    }

    /// Removes what processes kept that the run had earlier, now that it is complete: nobody goes on from it, if there is
    /// something newer.
    pub(super) fn clear_resting(&self) -> anyhow::Result<()> {
        let Some(among) = self.among.as_ref().filter(|a| a.share.is_first()) else {
            return Ok(());
        };
        let parts = self.checkpoints.parts_of_cuts(|_| Vec::new())?;
        if parts
            .iter()
            .all(|(_, member)| member.life != among.member.life)
        {
            return Ok(());
        }
        for &process in among.member.resting.keys() {
            if among.place.is_some() {
                self.checkpoints_of(process)?.clear()?;
            }
        }
        Ok(())
    }
}

/// How far outputs are of the run whose processes it has no more.
type Resting = BTreeMap<usize, Positions>;

fn gone(cut: WholeCut) -> String {
    format!(
        "the checkpoint behind epoch {} is gone; --fresh begins anew",
        cut.epochs
    )
}

/// Where a process stands that goes on from where others stood, by their numbers; and which outputs rest then.
fn dealt(moments: Vec<Moment>, share: Share) -> Option<(Moment, Resting)> {
    let (process, processes) = (share.process(), share.processes());
    let mut others = moments.into_iter().enumerate();
    let (_, mut moment) = others.next()?;
    let mut outputs = moment.identity.apart().0.resting;
    let mut written = vec![std::mem::take(&mut moment.written)];
    if process > 0 {
        (moment.lines, moment.told) = (0, 0);
    }
    for (number, other) in others {
        moment.manner.add(&other.manner);
        if other.homes.len() > moment.homes.len() {
            // All know the same homes; who has read a little further knows some more.
            moment.homes = other.homes;
        }
        if number % processes == process {
            moment.lines += other.lines;
            moment.told += other.told;
        }
        written.push(other.written);
    }
    for (number, written) in written.iter().enumerate() {
        outputs.insert(number, written.positions.clone());
    }
    // A process that had none before begins a folder.
    let positions = outputs.remove(&process).unwrap_or_default();
    let resting = outputs.split_off(&processes);
    let own = |home| share.place(home).is_some();
    moment.written = Written::dealt(written, positions, (process, processes), &own);
    Some((moment, resting))
}
