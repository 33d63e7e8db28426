//! Reading what a language model wrote.
//!
//! Models are asked for JSON by a schema, or for the paper's `<seq [[…]] seq>`, and write something like it: fenced, with
//! prose around it, nested one level more or less, in another order, cut. [`Reader::read`] understands what is
//! unambiguous and gives a reason for everything else; it never fails, whatever the text.
//!
//! 1. *Lists* (`text`): all bracketed lists of the text, JSON or Python, whole or not.
//! 2. *The answer*. Lists with the same mark and no prose between them are one answer; the last answer of a text counts,
//!    because a model thinks, drafts and repeats its instructions before it answers. Marked answers go before mere
//!    brackets, those with a known behaviour before those without. What stands in the prompt as it is, is no answer, and
//!    `[['...']]` neither.
//! 3. *Sequences* (`shape`): nesting, order of fields.
//! 4. *Names* (`names`): small differences in spelling.
//!
//! Only the closed vocabulary passes, but that is not decided here: every sequence goes through
//! [`hearth_operators::validate::check`] afterwards. A sequence passes whole or not at all.
//!
//! Time and memory are linear in the text, which is read up to [`MAX_TEXT`]. What comes out has at most as many words as
//! the text, [`MAX_SEQUENCES`] sequences and one reason more, each reason at most [`MAX_REASON`] bytes.

mod limits;
pub(super) mod names;
mod shape;
#[cfg(test)]
mod tests;
mod text;

use std::collections::HashSet;
use std::sync::Arc;

use hearth_operators::words::{Catalog, Written};

pub(super) use limits::excerpt;
pub use limits::{MAX_REASON, MAX_SEQUENCES, MAX_TEXT};
use names::Names;
use shape::{Found, sequences};
use text::{Mark, Piece, answers};

/// Reads replies in the vocabulary of a catalog.
pub struct Reader {
    names: Names,
}

impl Reader {
    /// A reader of replies about the catalog's devices.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Reader {
            names: Names::new(catalog),
        }
    }

    /// The sequences that a reply means, in its order; in the place of one that cannot be read, why not. `asked` are the
    /// messages that were sent: what the reply repeats of their lists is no answer.
    ///
    /// # Errors
    /// A sentence saying that the reply holds no sequence at all, with its beginning.
    ///
    /// # Examples
    /// ```
    /// use hearth::synthesizers::llm::reply::Reader;
    /// use hearth_operators::words::{Action, Catalog, Device};
    ///
    /// let catalog = Catalog::new(vec![Device::new("Fan", vec![Action::new("switch on")])]).unwrap();
    /// let reader = Reader::new(catalog.into());
    /// let text = "Here you are: <seq [['Mon', '(6-9)', 'fan', 'Fan:switch on'], ['Mon', '(6~9)";
    /// let read = reader.read(text, &[]).unwrap();
    /// assert_eq!(read[0], Ok(vec![["Monday", "(6~9)", "Fan", "switch on"].map(String::from)]));
    /// assert_eq!(read[1], Err("it is cut short: `['Mon', '(6~9)`".into()));
    /// ```
    pub fn read(&self, text: &str, asked: &[&str]) -> Result<Vec<Written>, String> {
        self.measured(text, asked).0
    }

    /// [`Reader::read`], and how many steps it took: characters looked at and behaviours tried.
    fn measured(&self, text: &str, asked: &[&str]) -> (Result<Vec<Written>, String>, u64) {
        let read = text
            .get(..text.floor_char_boundary(MAX_TEXT))
            .unwrap_or(text);
        let mut steps = 0;
        let mut echoes = HashSet::new();
        for message in asked {
            let (answers, looks) = answers(message);
            steps += looks;
            let pieces = answers.into_iter().flat_map(|answer| answer.pieces);
            echoes.extend(pieces.map(|piece| piece.fingerprint));
        }
        let (answers, looks) = answers(read);
        steps += looks;
        let mut best: Option<((bool, bool), Found)> = None;
        for mut answer in answers {
            let marked = answer.mark != Mark::None;
            let repeated = |piece: &Piece| echoes.contains(&piece.fingerprint);
            // A sequence among others may be the same as before the change; what is marked in the prompt is an example.
            if marked {
                answer.pieces.retain(|piece| !repeated(piece));
            }
            if answer.pieces.iter().all(repeated) {
                continue;
            }
            let found = sequences(answer, &self.names, read);
            steps += found.tried;
            let rank = (marked, found.known);
            let counts = !found.written.is_empty() && (marked || found.known);
            if counts && best.as_ref().is_none_or(|(best, _)| rank >= *best) {
                best = Some((rank, found));
            }
        }
        let outcome = match best {
            Some((_, found)) => {
                let mut written = found.written;
                if read.len() < text.len() {
                    written.push(Err(format!(
                        "the reply is longer than {MAX_TEXT} bytes; the rest was not read"
                    )));
                }
                Ok(written)
            }
            None if text.trim().is_empty() => Err("the reply is empty".to_owned()),
            None => Err(format!("the reply holds no sequence: `{}`", excerpt(read))),
        };
        (outcome, steps)
    }
}
