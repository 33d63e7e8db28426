//! The way of a synthesis: request → reply → candidates → verdicts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ActionId, Foundation, Regime, Sequence, ShiftKey, Weekday};

/// One request of a shift: a weekday bucket, or a part of it where it holds too many representatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestKey {
    /// The home and the regime that ended.
    pub shift: ShiftKey,
    /// Weekday of the representatives' first behaviours.
    pub weekday: Weekday,
    /// Part of the bucket, from 0.
    pub part: u16,
}

/// Top-k successors of each action (GSS), by action, with their counts, most frequent first, ties by action id.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hints(pub Vec<(ActionId, Vec<(ActionId, u32)>)>);

/// What a synthesizer is asked: behaviour for the new context, from the old.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Which one.
    pub key: RequestKey,
    /// How many parts the weekday's bucket was split into.
    pub parts: u16,
    /// How many requests the shift has in all.
    pub requests: u16,
    /// The kept segments of this part, in event-time order: start of the segment and its sequence.
    pub representatives: Vec<Sequence>,
    /// The graph of the source regime.
    pub hints: Arc<Hints>,
    /// The whole source regime.
    pub regime: Arc<Regime>,
}

/// A word of a reply: taken as it comes, checked against the closed vocabulary by `validate`.
pub type Word = String;

/// A generated behaviour before validation: weekday, hours, device, action.
pub type Row = [Word; 4];

/// A sequence of a reply before validation: its behaviours, or why what was written cannot be read as behaviours.
pub type Written = Result<Vec<Row>, String>;

/// A synthesizer's answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reply {
    /// What was asked.
    pub request: Arc<Request>,
    /// The sequences in the order in which they were written, or why there are none.
    pub outcome: Result<Vec<Written>, String>,
}

/// A generated sequence that passed validation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Candidate {
    /// The request it answers.
    pub request: RequestKey,
    /// Position in the reply.
    pub position: u32,
    /// The sequence.
    pub sequence: Sequence,
}

/// All candidates of a shift, in order of request and position.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Candidates {
    /// The home and the regime that ended.
    pub key: ShiftKey,
    /// The regime that ended.
    pub regime: Arc<Regime>,
    /// The candidates.
    pub candidates: Vec<Candidate>,
    /// The cohort's models that adaptation starts from.
    pub foundation: Arc<Foundation>,
}

/// The Two-stage Outlier Filter's word on a candidate, with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was judged.
    pub candidate: Candidate,
    /// Whether it is retained.
    pub retain: bool,
    /// The stage that decided: 1 (no outlier) or 2 (outlier, tried).
    pub stage: u8,
    /// Stage 1: the loss that it judges by; the filter says of what.
    pub loss: f32,
    /// Stage 1: above this a candidate is an outlier: Q3 + 1.5·IQR of all candidates' losses, or less, where the filter says so.
    pub bound: f32,
    /// Stage 2: what the trial may be at most, a loss.
    pub baseline: Option<f32>,
    /// Stage 2: the loss that decides; the filter says of what.
    pub trial: Option<f32>,
}

/// A shift's candidates after the filter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Filtered {
    /// The home and the regime that ended.
    pub key: ShiftKey,
    /// The regime that ended.
    pub regime: Arc<Regime>,
    /// One verdict a candidate, in the candidates' order.
    pub verdicts: Vec<Verdict>,
    /// The cohort's models that adaptation starts from.
    pub foundation: Arc<Foundation>,
}
