//! The synthesizer that needs no network and no key: rules over the home's own past.
//!
//! It takes the home's source regime (all its segments of the request's weekday, not the representatives alone), keeps
//! what the shift leaves alone, edits what it changes by a [`Knowledge`] table, and walks the home's graph where
//! something new is needed. What it cannot read it refuses; it invents nothing.

mod change;
mod drift;
mod graph;
mod occupancy;
mod season;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hearth_operators::words::{Catalog, Catalogs, Request, Sequence, ShiftKind, Written};
use rand_chacha::ChaCha8Rng;

use super::knowledge::Knowledge;
use super::per_catalog::Each;
use super::sampling::{MAX_SEQUENCES, is_routine, part, rng_of_request, sample};
use super::vocabulary::{BEGINS, Used, Vocabulary};
use super::{Synthesizer, rows, schedule};
use crate::phrases::Phrase;
use change::Change;
use drift::Difference;
use occupancy::Household;
use season::Usages;

/// As flags and messages call it.
const NAME: &str = "embedded";

/// The embedded synthesizer for homes of one catalog.
pub struct Embedded {
    vocabulary: Vocabulary,
    knowledge: Arc<Knowledge>,
    usages: Usages,
    begins: Vec<Phrase>,
    seed: u64,
}

impl Embedded {
    /// For the homes of a catalog. Answers depend on the seed and the request alone.
    pub fn new(catalog: Arc<Catalog>, knowledge: impl Into<Arc<Knowledge>>, seed: u64) -> Self {
        let knowledge = knowledge.into();
        let vocabulary = Vocabulary::new(catalog);
        Embedded {
            usages: Usages::new(knowledge.usages.clone(), &vocabulary),
            begins: BEGINS.iter().copied().filter_map(Phrase::new).collect(),
            vocabulary,
            knowledge,
            seed,
        }
    }

    /// For homes with catalogs of their own.
    pub fn of_each(catalogs: Arc<Catalogs>, knowledge: Knowledge, seed: u64) -> impl Synthesizer {
        let knowledge = Arc::new(knowledge);
        let known = catalogs.clone();
        let of = move |home| Embedded::new(known.of(home).clone(), knowledge.clone(), seed);
        Each::new(NAME, catalogs, of)
    }

    /// The sequences for the new context, as ids: at most [`MAX_SEQUENCES`](super::MAX_SEQUENCES), in event-time order of their
    /// sources, none empty.
    ///
    /// # Errors
    /// A sentence saying what of the shift cannot be read.
    pub(super) fn sequences(&self, request: &Request) -> Result<Vec<Sequence>, String> {
        let regime = &request.regime;
        if regime.shift.kind == ShiftKind::Drift {
            return Ok(self.drifted(request));
        }
        let changes = change::read(&regime.shift, &self.knowledge, &self.vocabulary)?;
        let mut rng = rng_of_request(self.seed, request.key);
        let used = Used::count(&regime.source);
        let routines: Vec<&Sequence> = regime
            .source
            .iter()
            .filter(|sequence| is_routine(sequence, request))
            .collect();
        let share = sample(&routines, request, &mut rng);
        let mut sequences: Vec<Sequence> = share.into_iter().cloned().collect();
        for change in changes {
            self.carry_out(&change, &mut sequences, request, &routines, &used, &mut rng);
        }
        sequences.retain(|sequence| !sequence.0.is_empty());
        Ok(sequences)
    }

    /// What of a weekday's routines is left by a shift that nobody declared, and what happened on that weekday since.
    fn drifted(&self, request: &Request) -> Vec<Sequence> {
        let (regime, catalog) = (&request.regime, &self.vocabulary.catalog);
        let mut rng = rng_of_request(self.seed, request.key);
        let difference = Difference::of(regime, catalog);
        let of_weekday = |sequences: &[Sequence]| -> Vec<Sequence> {
            let own = sequences.iter().filter(|s| is_routine(s, request));
            own.cloned().collect()
        };
        let share = sample(&of_weekday(&regime.source), request, &mut rng);
        let left = share.iter();
        let left = left.map(|sequence| difference.apply(sequence, catalog, &mut rng));
        let mut sequences: Vec<_> = left.filter(|sequence| !sequence.0.is_empty()).collect();
        sequences.extend_from_slice(part(&of_weekday(&regime.target), request));
        sequences.truncate(MAX_SEQUENCES);
        sequences
    }

    fn carry_out(
        &self,
        change: &Change,
        sequences: &mut [Sequence],
        request: &Request,
        routines: &[&Sequence],
        used: &Used,
        rng: &mut ChaCha8Rng,
    ) {
        let vocabulary = &self.vocabulary;
        let edit = match change {
            Change::Joined | Change::Left => {
                let household = Household::new(
                    vocabulary,
                    &request.hints,
                    routines.to_vec(),
                    used,
                    &self.knowledge.occupancy,
                    &self.begins,
                );
                for sequence in sequences {
                    *sequence = match change {
                        Change::Joined => household.joined(sequence, rng),
                        _ => household.thinned(sequence, rng),
                    };
                }
                return;
            }
            Change::Schedule(buckets) => {
                for sequence in sequences {
                    *sequence = schedule::moved(sequence, buckets);
                }
                return;
            }
            Change::Season { from, to } => self.usages.edit(vocabulary, used, from.as_deref(), to),
            Change::Gone(devices) => season::devices_gone(vocabulary, devices),
            Change::New(devices) => season::devices_new(vocabulary, devices, &self.begins, used),
        };
        for sequence in sequences {
            *sequence = edit.apply(vocabulary, sequence, rng);
        }
    }
}

impl Synthesizer for Embedded {
    fn synthesize(&self, request: &Request) -> Result<Vec<Written>, String> {
        let sequences = self.sequences(request)?;
        Ok(sequences
            .iter()
            .map(|sequence| Ok(rows(&self.vocabulary.catalog, sequence)))
            .collect())
    }

    fn name(&self) -> &str {
        NAME
    }
}
