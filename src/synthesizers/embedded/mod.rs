//! The synthesizer that needs no network and no key: rules over the home's own past.
//!
//! It takes the home's source regime (all its segments of the request's weekday, not the representatives alone), keeps
//! what the shift leaves alone, edits what it changes by a [`Knowledge`] table, and walks the home's graph where
//! something new is needed. What it cannot read it refuses; it invents nothing.

mod change;
mod edit;
mod graph;
mod occupancy;
mod schedule;
mod season;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::sync::Arc;

use hearth_operators::words::{Catalog, Request, RequestKey, Sequence, Written};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::knowledge::Knowledge;
use super::phrases::Phrase;
use super::{Synthesizer, rows};
use change::Change;
use occupancy::Household;
use season::Usages;
use vocabulary::{Used, Vocabulary};

/// At most this many sequences a request: of a longer source a sample without replacement is taken, so that a home with
/// years of data asks no more of the filter and the trainer than one with months.
pub const CAP: usize = 60;

/// How the use of a device begins, where nothing is known of the device in particular.
const BEGINS: [&str; 8] = [
    "switch on",
    "turn on",
    "turned on",
    "on",
    "start",
    "play",
    "open",
    "run",
];

/// The embedded synthesizer of a cohort.
pub struct Embedded {
    vocabulary: Vocabulary,
    knowledge: Knowledge,
    usages: Usages,
    begins: Vec<Phrase>,
    seed: u64,
}

impl Embedded {
    /// For the homes of a catalog. Answers depend on the seed and the request alone.
    pub fn new(catalog: Arc<Catalog>, knowledge: Knowledge, seed: u64) -> Self {
        let vocabulary = Vocabulary::new(catalog);
        Embedded {
            usages: Usages::new(knowledge.usages.clone(), &vocabulary),
            begins: BEGINS.iter().copied().filter_map(Phrase::new).collect(),
            vocabulary,
            knowledge,
            seed,
        }
    }

    /// The sequences for the new context, as ids: at most [`CAP`], in event-time order of their sources, none empty.
    ///
    /// # Errors
    /// A sentence saying what of the shift cannot be read.
    fn sequences(&self, request: &Request) -> Result<Vec<Sequence>, String> {
        let regime = &request.regime;
        let changes = change::read(&regime.shift, &self.knowledge, &self.vocabulary)?;
        let mut rng = ChaCha8Rng::seed_from_u64(stable_seed(self.seed, request.key));
        let used = Used::count(&regime.source);
        let routines: Vec<&Sequence> = regime
            .source
            .iter()
            .filter(|s| s.weekday() == request.key.weekday && !s.0.is_empty())
            .collect();
        let part = part(&routines, request);
        let mut sequences: Vec<Sequence> = if part.len() > CAP {
            let mut sample = index::sample(&mut rng, part.len(), CAP).into_vec();
            sample.sort_unstable();
            sample.into_iter().map(|i| part[i].clone()).collect()
        } else {
            part.iter().map(|&s| s.clone()).collect()
        };
        for change in changes {
            self.carry_out(&change, &mut sequences, request, &routines, &used, &mut rng);
        }
        sequences.retain(|sequence| !sequence.0.is_empty());
        Ok(sequences)
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
        "embedded"
    }
}

/// The request's share of a weekday's routines: its parts are equal runs of them, in event-time order.
fn part<'a, 'b>(routines: &'b [&'a Sequence], request: &Request) -> &'b [&'a Sequence] {
    let parts = usize::from(request.parts.max(1));
    let part = usize::from(request.key.part).min(parts - 1);
    &routines[routines.len() * part / parts..routines.len() * (part + 1) / parts]
}

/// A seed that is the same on every machine and in every version.
fn stable_seed(seed: u64, key: RequestKey) -> u64 {
    let fields = [
        u64::from(key.shift.home.0),
        u64::from(key.shift.regime),
        u64::from(key.weekday),
        u64::from(key.part),
    ];
    fields
        .iter()
        .fold(split_mix(seed), |state, field| split_mix(state ^ field))
}

/// SplitMix64's step: every bit of the result depends on every bit of the input.
fn split_mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
