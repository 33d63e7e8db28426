//! Validation of replies: only the closed vocabulary passes, and every row that does not has a reason.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::words::{
    Candidate, Catalog, Catalogs, Epoch, HOURS, Quadruple, Reply, Request, RequestKey, Row,
    Sequence, WEEKDAYS,
};

/// A candidate holds at most so many behaviours, where it is not made of longer ones.
pub const MAX_LENGTH: usize = 256;

/// Nor more than this, whatever it is made of.
const LONGEST: usize = 16_384;

/// How long an answer's sequences may be: up to twice as long as the longest that was given as an example.
pub fn longest(request: &Request) -> usize {
    let examples = request.representatives.iter();
    let longest = examples.map(|example| example.0.len()).max();
    (2 * longest.unwrap_or(0)).clamp(MAX_LENGTH, LONGEST)
}

/// A reply after validation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Answered {
    /// What was asked.
    pub request: Arc<Request>,
    /// The sequences that passed.
    pub candidates: Vec<Candidate>,
}

/// What did not pass, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Invalid {
    /// The whole reply: the synthesizer could not answer.
    Reply {
        /// The request.
        request: RequestKey,
        /// The synthesizer's reason.
        reason: String,
    },
    /// One sequence of it.
    Sequence {
        /// The request.
        request: RequestKey,
        /// Position in the reply.
        position: u32,
        /// The sequence as written; empty where it cannot be read as behaviours.
        rows: Vec<Row>,
        /// The first thing that is wrong with it.
        reason: String,
    },
}

/// Validates replies.
pub trait Validate<'s> {
    /// Turns each reply's rows into candidates of its home's own vocabulary. A sequence passes whole or not at all.
    ///
    /// No state. Cost: a look-up per behaviour.
    ///
    /// # Examples
    /// ```
    /// use hearth_operators::validate::check;
    /// use hearth_operators::words::*;
    ///
    /// let catalog = Catalog::new(vec![Device::new("Fan", vec![Action::new("switch on")])]).unwrap();
    /// let row = |action: &str| ["Monday", "(6~9)", "Fan", action].map(String::from);
    /// assert_eq!(check(&[row("switch on")], &catalog).unwrap().0.len(), 1);
    /// assert_eq!(check(&[row("fly")], &catalog).unwrap_err(), "behaviour 1: device `Fan` has no action `fly`");
    /// ```
    fn validate(
        self,
        catalogs: Arc<Catalogs>,
    ) -> (
        StreamVec<'s, Epoch, Answered>,
        StreamVec<'s, Epoch, Invalid>,
    );
}

/// Checks a generated sequence against the catalog.
///
/// # Errors
/// A sentence about the first thing that is wrong: it is empty or too long, or a behaviour has an unknown weekday,
/// hour bucket, device, or an action that is not its device's.
pub fn check(rows: &[Row], catalog: &Catalog) -> Result<Sequence, String> {
    check_within(rows, catalog, MAX_LENGTH)
}

/// The same, of at most so many behaviours.
///
/// # Errors
/// As [`check`].
pub fn check_within(rows: &[Row], catalog: &Catalog, most: usize) -> Result<Sequence, String> {
    match rows.len() {
        0 => return Err("the sequence is empty".to_owned()),
        n if n > most => return Err(format!("{n} behaviours are more than {most}")),
        _ => {}
    }
    let mut sequence = Vec::with_capacity(rows.len());
    for (i, [weekday, hours, device, action]) in rows.iter().enumerate() {
        let wrong = |what: String| format!("behaviour {}: {what}", i + 1);
        let position = |names: &[&str], name: &str| names.iter().position(|n| *n == name);
        let Some(weekday) = position(&WEEKDAYS, weekday) else {
            return Err(wrong(format!("`{}` is no weekday", shorten(weekday))));
        };
        let Some(hours) = position(&HOURS, hours) else {
            return Err(wrong(format!(
                "`{}` is no three-hour bucket",
                shorten(hours)
            )));
        };
        let Some(id) = catalog.lookup(device, action) else {
            return Err(wrong(if catalog.has_device(device) {
                format!("device `{device}` has no action `{}`", shorten(action))
            } else {
                format!("the catalog has no device `{}`", shorten(device))
            }));
        };
        sequence.push(Quadruple {
            weekday: weekday as u8,
            hours: hours as u8,
            action: id,
        });
    }
    Ok(Sequence(sequence))
}

/// At most 60 characters of a text from outside, for messages.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl<'s> Validate<'s> for StreamVec<'s, Epoch, Reply> {
    fn validate(
        self,
        catalogs: Arc<Catalogs>,
    ) -> (
        StreamVec<'s, Epoch, Answered>,
        StreamVec<'s, Epoch, Invalid>,
    ) {
        let mut builder = OperatorBuilder::new("Validate".to_owned(), self.scope());
        let mut replies = builder.new_input(self, Pipeline);
        let (output, answered) = builder.new_output::<Vec<_>>();
        let mut answered_out = OutputBuilder::from(output);
        let (output, invalid) = builder.new_output::<Vec<_>>();
        let mut invalid_out = OutputBuilder::from(output);
        builder.build(move |_capabilities| {
            move |_frontiers| {
                let mut answered = answered_out.activate();
                let mut invalid = invalid_out.activate();
                replies.for_each_stamp(|capability, data| {
                    let mut answered = answered.session(&capability);
                    let mut invalid = invalid.session(&capability);
                    for Reply { request, outcome } in data.flat_map(std::mem::take) {
                        let key = request.key;
                        let sequences = outcome.unwrap_or_else(|reason| {
                            invalid.give(Invalid::Reply {
                                request: key,
                                reason,
                            });
                            Vec::new()
                        });
                        let catalog = catalogs.of(key.shift.home);
                        let most = longest(&request);
                        let mut candidates = Vec::new();
                        for (position, written) in (0u32..).zip(sequences) {
                            let checked = match written {
                                Ok(rows) => check_within(&rows, catalog, most)
                                    .map_err(|reason| (rows, reason)),
                                Err(reason) => Err((Vec::new(), reason)),
                            };
                            match checked {
                                Ok(sequence) => candidates.push(Candidate {
                                    request: key,
                                    position,
                                    sequence,
                                }),
                                Err((rows, reason)) => invalid.give(Invalid::Sequence {
                                    request: key,
                                    position,
                                    rows,
                                    reason,
                                }),
                            }
                        }
                        answered.give(Answered {
                            request,
                            candidates,
                        });
                    }
                });
            }
        });
        (answered, invalid)
    }
}
