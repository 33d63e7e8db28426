//! Edits of a home's past that a language model proposes and that past judges: one call a shift in place of one a weekday.
//!
//! Where a model writes whole sequences, most of its words repeat what the shift leaves alone, and what it forgets is lost.
//! Here it says only what the shift changes, in a few edits of four kinds. Each is
//!
//! 1. *read* in the closed vocabulary (`read`): strictly, and total on whatever a model writes;
//! 2. *judged* against the home's own past (`dispose`): what touches nothing, has no place to go, contradicts an earlier edit or
//!    would empty the past is refused with its reason;
//! 3. *carried out* on the whole source regime, as the embedded synthesizer carries out its own knowledge.
//!
//! Every request of the shift gets its weekday's share of the edited past.

mod dispose;
mod proposal;
mod read;
#[cfg(test)]
mod tests;

use hearth_operators::words::{Request, Sequence, Written};

use super::pseudonyms::Pseudonyms;
use crate::synthesizers::rows;
use crate::synthesizers::sampling::{is_routine, rng_of_request, sample};
use crate::synthesizers::vocabulary::Vocabulary;
pub use proposal::{EVERYTHING, FARTHEST, MAX_EDITS};
use read::Reader;

/// Turns a model's edits into the sequences of a shift.
pub struct Editor {
    reader: Reader,
    vocabulary: Vocabulary,
    seed: u64,
}

/// A home's past after a shift's edits.
#[derive(Clone, Debug, PartialEq)]
pub struct Edited {
    /// By sequence of the source regime, in its order: what is left of it; empty if nothing is.
    pub sequences: Vec<Sequence>,
    /// Why edits were refused, one sentence each.
    pub refused: Vec<String>,
}

impl Editor {
    /// For the homes of a catalog, in the pseudonyms that the model was given. What is drawn depends on the seed and the shift
    /// alone.
    pub fn new(pseudonyms: &Pseudonyms, seed: u64) -> Self {
        Editor {
            reader: Reader::new(pseudonyms.catalog().clone()),
            vocabulary: Vocabulary::new(pseudonyms.own_catalog().clone()),
            seed,
        }
    }

    /// The past of a request's shift as the model's words change it; the same for all requests of the shift. `asked` are the
    /// messages that were sent: edits that the reply repeats from them are no answer.
    ///
    /// # Errors
    /// A sentence saying that the reply holds no list of edits, or that none of them stands.
    pub fn edit(&self, request: &Request, reply: &str, asked: &[&str]) -> Result<Edited, String> {
        let proposed = self.reader.read(reply, asked)?;
        let source = &request.regime.source;
        let shift = request.key.shift;
        let disposed = dispose::dispose(&proposed, &self.vocabulary, source, shift, self.seed);
        if disposed.standing.is_empty() && !disposed.refused.is_empty() {
            let reasons = disposed.refused.join("; ");
            return Err(format!("no edit of the answer stands: {reasons}"));
        }
        Ok(Edited {
            sequences: disposed.sequences,
            refused: disposed.refused,
        })
    }

    /// A request's share of an edited past, in the house's own names: at most
    /// [`MAX_SEQUENCES`](crate::synthesizers::MAX_SEQUENCES) sequences, in event-time order of their sources. What was refused of
    /// the edits is told behind the sequences of the shift's first request.
    pub fn answer(&self, request: &Request, edited: &Edited) -> Vec<Written> {
        let source = &request.regime.source;
        let routines: Vec<&Sequence> = source
            .iter()
            .zip(&edited.sequences)
            .filter(|(source, _)| is_routine(source, request))
            .map(|(_, edited)| edited)
            .collect();
        let mut rng = rng_of_request(self.seed, request.key);
        let share = sample(&routines, request, &mut rng);
        let left = share.into_iter().filter(|sequence| !sequence.0.is_empty());
        let catalog = &self.vocabulary.catalog;
        let written = left.map(|sequence| Ok(rows(catalog, sequence)));
        // Each weekday of the source has a request: its first segment is always kept.
        let weekdays = source.iter().filter(|s| !s.0.is_empty());
        let first = weekdays.map(Sequence::weekday).min();
        let refused = match first == Some(request.key.weekday) && request.key.part == 0 {
            true => edited.refused.as_slice(),
            false => &[],
        };
        written.chain(refused.iter().cloned().map(Err)).collect()
    }
}
