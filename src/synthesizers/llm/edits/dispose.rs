//! Judges the edits that a model proposes by the home's own past, and carries out those that stand.

use std::collections::{BTreeMap, BTreeSet};

use hearth_operators::words::{ActionId, Hours, Sequence, ShiftKey};
use rand_chacha::ChaCha8Rng;

use super::proposal::{MAX_EDITS, Proposal, Target};
use super::read::Proposed;
use crate::synthesizers::edit::{Addition, Edit, every_hour};
use crate::synthesizers::sampling::rng_of_edit;
use crate::synthesizers::schedule::{moved_each, timeline};
use crate::synthesizers::vocabulary::{Used, Vocabulary};

/// Of a hundred behaviours of the source at least so many must be left: no shift ends a whole life.
const LEFT: usize = 10;

/// What became of proposals.
pub(super) struct Disposed {
    /// By sequence of the source: what is left of it.
    pub sequences: Vec<Sequence>,
    /// Positions of the edits that were carried out.
    pub standing: Vec<usize>,
    /// Why the others were not.
    pub refused: Vec<String>,
}

/// Carries edits out, one after the other, each on what the ones before it have left. One that is refused leaves no trace.
pub(super) fn dispose(
    proposed: &[Proposed],
    vocabulary: &Vocabulary,
    source: &[Sequence],
    shift: ShiftKey,
    seed: u64,
) -> Disposed {
    let mut past = Past {
        vocabulary,
        sequences: source.to_vec(),
        min_behaviors: (behaviors(source) * LEFT).div_ceil(100),
        used: Used::count(source),
        ended: BTreeMap::new(),
        begun: BTreeMap::new(),
        moved: Vec::new(),
    };
    let (mut standing, mut refused) = (Vec::new(), Vec::new());
    for (position, Proposed { written, proposal }) in proposed.iter().take(MAX_EDITS).enumerate() {
        let outcome = proposal
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|proposal| {
                let rng = rng_of_edit(seed, shift, position);
                past.carry_out(position + 1, proposal, rng)
            });
        match outcome {
            Ok(()) => standing.push(position),
            Err(why) => refused.push(format!("edit {} `{written}`: {why}", position + 1)),
        }
    }
    if let Some(excess) = proposed.len().checked_sub(MAX_EDITS).filter(|&n| n > 0) {
        refused.push(format!(
            "there are more than {MAX_EDITS} edits; the other {excess} were left out"
        ));
    }
    Disposed {
        sequences: past.sequences,
        standing,
        refused,
    }
}

/// A home's past while edits are carried out. Edits are numbered from 1, as people count.
struct Past<'a> {
    vocabulary: &'a Vocabulary,
    sequences: Vec<Sequence>,
    /// So many behaviours must be left.
    min_behaviors: usize,
    /// How often each action occurs now.
    used: Used,
    /// What is not done any more, by the edit that ended it.
    ended: BTreeMap<ActionId, usize>,
    /// What is done anew, by the edit that brought it.
    begun: BTreeMap<ActionId, usize>,
    /// What was moved, from which hours, by which edit.
    moved: Vec<(Target, BTreeSet<Hours>, usize)>,
}

impl Past<'_> {
    /// Carries an edit out, or says why not.
    fn carry_out(
        &mut self,
        number: usize,
        proposal: &Proposal,
        mut rng: ChaCha8Rng,
    ) -> Result<(), String> {
        match *proposal {
            Proposal::Drop { what } => self.end(number, what, &mut rng),
            Proposal::Replace {
                action,
                by,
                ref hours,
            } => self.replace(number, action, by, hours, &mut rng),
            Proposal::Add {
                action,
                ref hours,
                ref weekdays,
                share,
                after,
            } => {
                let addition = Addition {
                    pair: self.vocabulary.begun_by(action, &self.used),
                    hours: hours.clone(),
                    weekdays: weekdays.clone(),
                    after,
                    share,
                    besides: Vec::new(),
                    same: BTreeSet::from([action]),
                };
                self.add(number, action, addition, &mut rng)
            }
            Proposal::Move {
                what,
                ref hours,
                by,
            } => self.shift(number, what, hours, by),
        }
    }

    fn end(&mut self, number: usize, what: Target, rng: &mut ChaCha8Rng) -> Result<(), String> {
        let gone = what.actions(&self.vocabulary.catalog);
        self.not_begun(&gone)?;
        let edit = Edit {
            gone: gone.clone(),
            ..Edit::default()
        };
        self.take(self.edited(&edit, rng))?;
        self.ended.extend(gone.into_iter().map(|a| (a, number)));
        Ok(())
    }

    fn replace(
        &mut self,
        number: usize,
        action: ActionId,
        by: ActionId,
        hours: &BTreeSet<Hours>,
        rng: &mut ChaCha8Rng,
    ) -> Result<(), String> {
        if action == by {
            return Err("it replaces an action by itself".to_owned());
        }
        self.not_begun(&BTreeSet::from([action]))?;
        self.not_ended(by)?;
        let pair = self.vocabulary.begun_by(by, &self.used);
        let edit = Edit {
            gone: BTreeSet::from([action]),
            spared: &every_hour() - hours,
            instead: BTreeMap::from([(action, vec![(pair, hours.clone())])]),
            additions: Vec::new(),
        };
        self.take(self.edited(&edit, rng))?;
        if edit.spared.is_empty() {
            self.ended.insert(action, number);
        }
        self.begun.insert(by, number);
        Ok(())
    }

    fn add(
        &mut self,
        number: usize,
        action: ActionId,
        mut addition: Addition,
        rng: &mut ChaCha8Rng,
    ) -> Result<(), String> {
        self.not_ended(action)?;
        let close = addition.pair.close;
        addition.pair.close = close.filter(|close| !self.ended.contains_key(close));
        self.has_place(&addition)?;
        let edit = Edit {
            additions: vec![addition],
            ..Edit::default()
        };
        self.take(self.edited(&edit, rng))?;
        self.begun.insert(action, number);
        Ok(())
    }

    fn shift(
        &mut self,
        number: usize,
        what: Target,
        hours: &BTreeSet<Hours>,
        by: i64,
    ) -> Result<(), String> {
        let mut earlier = self.moved.iter();
        let again = earlier.find(|(w, h, _)| *w == what && !h.is_disjoint(hours));
        if let Some((_, _, earlier)) = again {
            return Err(format!("edit {earlier} moves it already"));
        }
        let sequences = self.sequences.iter();
        let moved = sequences.map(|s| moved_each(s, &self.moves(s, what, hours, by)));
        self.take(moved.collect())?;
        self.moved.push((what, hours.clone(), number));
        Ok(())
    }

    fn edited(&self, edit: &Edit, rng: &mut ChaCha8Rng) -> Vec<Sequence> {
        let sequences = self.sequences.iter();
        let edited = sequences.map(|sequence| edit.apply(self.vocabulary, sequence, rng));
        edited.collect()
    }

    /// Takes sequences for the past, if anything is different in them and enough is left.
    fn take(&mut self, sequences: Vec<Sequence>) -> Result<(), String> {
        if sequences == self.sequences {
            return Err("it touches nothing".to_owned());
        }
        let left = behaviors(&sequences);
        if left < self.min_behaviors {
            return Err(format!(
                "it would leave {left} of {} behaviours; at least {LEFT} % of the past must stay",
                behaviors(&self.sequences)
            ));
        }
        self.used = Used::count(&sequences);
        self.sequences = sequences;
        Ok(())
    }

    fn not_begun(&self, actions: &BTreeSet<ActionId>) -> Result<(), String> {
        let begun = actions.iter().find_map(|action| self.begun.get(action));
        begun.map_or(Ok(()), |number| {
            Err(format!("it contradicts edit {number}, which brings it"))
        })
    }

    fn not_ended(&self, action: ActionId) -> Result<(), String> {
        self.ended.get(&action).map_or(Ok(()), |number| {
            Err(format!("it contradicts edit {number}, which ends it"))
        })
    }

    /// Whether something can be added anywhere: beside behaviours, because where a home does nothing nobody is there.
    fn has_place(&self, addition: &Addition) -> Result<(), String> {
        if let Some(after) = addition.after
            && self.used.times(after) == 0
        {
            let after = self.vocabulary.catalog.full_name(after);
            return Err(format!("`{after}`, which it is to follow, does not occur"));
        }
        let places = |sequence: &&Sequence| sequence.0.iter().any(|q| addition.fits(q));
        let mut places = self.sequences.iter().filter(places).peekable();
        if places.peek().is_none() {
            return Err("nothing happens where it is to go".to_owned());
        }
        let done =
            |sequence: &Sequence| sequence.0.iter().any(|q| addition.same.contains(&q.action));
        match places.all(done) {
            true => Err("wherever it could go it is done already".to_owned()),
            false => Ok(()),
        }
    }

    /// By behaviour of a sequence: by how many buckets it moves. What closes something moves with it, unless itself is what is
    /// to move, and then never before it.
    fn moves(
        &self,
        sequence: &Sequence,
        what: Target,
        hours: &BTreeSet<Hours>,
        by: i64,
    ) -> Vec<i64> {
        let catalog = &self.vocabulary.catalog;
        let times = timeline(&sequence.0);
        let mut moves: Vec<i64> = Vec::with_capacity(times.len());
        let mut open: BTreeMap<ActionId, usize> = BTreeMap::new();
        for (i, behavior) in sequence.0.iter().enumerate() {
            let closes = catalog.closes(behavior.action).iter();
            let closed = closes.filter_map(|action| open.remove(action)).max();
            let meant = what.covers(catalog, behavior.action) && hours.contains(&behavior.hours);
            let own = if meant { by } else { 0 };
            moves.push(match closed {
                Some(opened) if what == Target::Action(behavior.action) => {
                    own.max(times[opened] + moves[opened] - times[i])
                }
                Some(opened) => moves[opened],
                None => own,
            });
            open.insert(behavior.action, i);
        }
        moves
    }
}

fn behaviors(sequences: &[Sequence]) -> usize {
    sequences.iter().map(|sequence| sequence.0.len()).sum()
}
