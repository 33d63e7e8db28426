//! What belongs to a cut that several processes take together: each has a part of it, where it keeps its own.

use std::collections::BTreeMap;
use std::ops::Range;

use hearth_operators::dataflow::State;
use hearth_operators::words::HomeId;
use serde::{Deserialize, Serialize};

use super::pieces::{self, Sections};
use super::{CheckpointError, Checkpoints, Identity, Manifest, Moment, cut_name};
use crate::cluster::WholeCut;
use crate::sinks::Positions;

/// Under what name a cut says whose part it is.
const NAME: &str = "the processes that share the run";

/// Whose part of a cut it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which process took it, from 0.
    pub process: usize,
    /// How many there were.
    pub processes: usize,
    /// Workers of each.
    pub workers: usize,
    /// In which life of the run.
    pub life: u64,
    /// Of a live run: which of that life's cuts.
    #[serde(default)]
    pub number: u64,
    /// How far the outputs of processes are of the run that it had earlier, and has no more.
    pub resting: BTreeMap<usize, Positions>,
}

impl Member {
    /// Of a run that had one process, which knew of no others.
    fn alone() -> Self {
        Member {
            processes: 1,
            ..Member::default()
        }
    }

    /// The cut behind so many epochs of which it is a part.
    pub fn cut(&self, epochs: u64) -> WholeCut {
        WholeCut {
            epochs,
            processes: self.processes,
            workers: self.workers,
            life: self.life,
            number: self.number,
        }
    }
}

impl Identity {
    /// The same, of one among several processes.
    #[must_use]
    pub fn of_member(&self, member: &Member) -> Self {
        let mut identity = self.clone();
        // As text, for what identifies a run is names and texts, in a form that is read for ever.
        let text = serde_json::to_string(member).unwrap_or_default();
        identity.traits.push((NAME.to_owned(), text));
        identity
    }

    /// Whose part of a cut it is of; and of which run, whoever takes part in it.
    pub fn apart(&self) -> (Member, Identity) {
        let (own, traits): (Vec<_>, Vec<_>) = self
            .traits
            .iter()
            .cloned()
            .partition(|(name, _)| name == NAME);
        let member = own.first().map(|(_, text)| serde_json::from_str(text));
        let member = member.and_then(Result::ok).unwrap_or_else(Member::alone);
        (member, Identity { traits })
    }
}

impl Checkpoints {
    /// The parts of cuts that lie here, of a run that does not differ and whose log had not ended: behind how many epochs each is, and
    /// whose, as far as that can be told without what they rest on.
    ///
    /// # Errors
    /// What the system says.
    pub fn parts_of_cuts(
        &self,
        differences: impl Fn(&Moment) -> Vec<String>,
    ) -> Result<Vec<(u64, Member)>, CheckpointError> {
        let read = |number| self.manifest::<Moment>(number).ok();
        let moments = self.whole()?.into_iter().filter_map(read);
        // Only a run that knows of no others keeps what is behind the log's end.
        let open = moments.filter(|manifest| !manifest.moment.closed);
        let of_run = open.filter(|manifest| differences(&manifest.moment).is_empty());
        let whose =
            |Manifest { moment, .. }: Manifest<Moment>| (moment.epochs, moment.identity.apart().0);
        Ok(of_run.map(whose).collect())
    }

    /// A process's part of a cut: where the run was, and what its operators held, of homes only what is of `own` ones; `None`: it does
    /// not lie here.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn part_of(
        &self,
        cut: WholeCut,
        process: usize,
        own: &dyn Fn(HomeId) -> bool,
    ) -> Result<Option<(Moment, Sections)>, CheckpointError> {
        for number in self.whole()?.into_iter().rev() {
            let Ok(Manifest { moment, parts }) = self.manifest::<Moment>(number) else {
                continue;
            };
            let (member, _) = moment.identity.apart();
            if member.process == process && member.cut(moment.epochs) == cut {
                let mut sections = self.sections(&parts)?;
                let left = pieces::leave(&mut sections, own);
                left.map_err(self.not_sound(&cut_name(number)))?;
                return Ok(Some((moment, sections)));
            }
        }
        Ok(None)
    }

    /// What the workers `own` of all `peers` go on with, given the parts of all processes of a cut, in order.
    ///
    /// # Errors
    /// A part makes no sense.
    pub fn dealt(
        &self,
        parts: &[Sections],
        own: Range<usize>,
        peers: usize,
    ) -> Result<Vec<State>, CheckpointError> {
        pieces::read_among(parts, own, peers).map_err(self.not_sound(""))
    }

    /// Removes what lies here of newer cuts than one that the run goes on from: what was written behind it is written anew, so they are
    /// of nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn forget_behind(&self, cut: WholeCut) -> Result<(), CheckpointError> {
        for number in self.whole()?.into_iter().rev() {
            let Ok(Manifest { moment, .. }) = self.manifest::<Moment>(number) else {
                continue;
            };
            let of = moment.identity.apart().0.cut(moment.epochs);
            if of != cut && of.epochs >= cut.epochs {
                let name = cut_name(number);
                self.store.remove(&name).map_err(self.at(&name))?;
            }
        }
        Ok(())
    }
}
