//! Verdicts: what becomes of each sequence that a synthesizer wrote.

use std::borrow::Cow;

use hearth_operators::validate::Invalid;
use hearth_operators::words::{Epoch, HomeId, Quadruple, RequestKey, Verdict};
use serde::{Deserialize, Serialize};

use super::ids::request_id;
use super::parts::{QuadrupleLine, Word4, hours, weekday};
use super::{Names, Record, Stream, Tally};

/// What the filter says of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The models learn from it.
    Retain,
    /// It is dropped.
    Delete,
}

/// `verdicts.jsonl`: what became of each sequence that a synthesizer wrote.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerdictLine<'a> {
    /// See [the module](super).
    pub epoch: u64,
    /// The request that it answers, see [`request_id`].
    #[serde(borrow)]
    pub request: Cow<'a, str>,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// Position in the reply, from 0.
    pub position: u32,
    /// The sequence; empty where the request was not answered at all.
    #[serde(borrow)]
    pub sequence: Vec<QuadrupleLine<'a>>,
    /// The verdict.
    pub verdict: Judgement,
    /// What decided: 0 validation (see `reason`), 1 no outlier, 2 an outlier that was tried.
    pub stage: u8,
    /// Stage 1: the loss that it judges by.
    pub loss: Option<f32>,
    /// Stage 1: losses above this are outliers.
    pub bound: Option<f32>,
    /// Stage 2: what the trial may be at most.
    pub baseline: Option<f32>,
    /// Stage 2: the loss that decides.
    pub trial: Option<f32>,
    /// Stage 0: why the sequence, or the whole reply, is invalid.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
}

/// A sequence, or a whole reply, about which something was said.
#[derive(Clone, Debug)]
pub enum Judged {
    /// By the filter.
    Filtered(Verdict),
    /// By validation: deleted at stage 0. A reply that could not be had is a line with an empty sequence.
    Invalid(Invalid),
}

impl Record for Judged {
    const STREAM: Stream = Stream::Verdicts;

    fn line(&self, epoch: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            Judged::Filtered(verdict) => filtered(epoch, verdict, names, line),
            Judged::Invalid(Invalid::Reply { request, reason }) => {
                invalid(epoch, request, (0, &[]), reason, names, line)
            }
            Judged::Invalid(Invalid::Sequence {
                request,
                position,
                rows,
                reason,
            }) => invalid(epoch, request, (*position, rows), reason, names, line),
        }
    }

    fn count(&self, tally: &mut Tally) {
        let counts = &mut tally.counts;
        match self {
            Judged::Filtered(verdict) => {
                counts.candidates += 1;
                let judged = match verdict.retain {
                    true => &mut counts.retained,
                    false => &mut counts.deleted,
                };
                *judged.entry(verdict.stage).or_default() += 1;
            }
            Judged::Invalid(Invalid::Reply { .. }) => counts.failures += 1,
            Judged::Invalid(Invalid::Sequence { .. }) => *counts.deleted.entry(0).or_default() += 1,
        }
    }
}

fn filtered(
    epoch: Epoch,
    verdict: &Verdict,
    names: &Names,
    line: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let candidate = &verdict.candidate;
    let id = candidate.request.shift.home;
    let home = names.home(id);
    let sequence = candidate.sequence.0.iter();
    let value = VerdictLine {
        epoch,
        request: request_id(&home, &candidate.request).into(),
        home: Cow::Borrowed(&home),
        position: candidate.position,
        sequence: sequence.map(|q| quadruple(id, q, names)).collect(),
        verdict: match verdict.retain {
            true => Judgement::Retain,
            false => Judgement::Delete,
        },
        stage: verdict.stage,
        loss: Some(verdict.loss),
        bound: Some(verdict.bound),
        baseline: verdict.baseline,
        trial: verdict.trial,
        reason: None,
    };
    serde_json::to_writer(line, &value)
}

fn invalid(
    epoch: Epoch,
    key: &RequestKey,
    (position, sequence): (u32, &[Word4]),
    reason: &str,
    names: &Names,
    line: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let home = names.home(key.shift.home);
    let value = VerdictLine {
        epoch,
        request: request_id(&home, key).into(),
        home: Cow::Borrowed(&home),
        position,
        sequence: sequence.iter().map(as_written).collect(),
        verdict: Judgement::Delete,
        stage: 0,
        loss: None,
        bound: None,
        baseline: None,
        trial: None,
        reason: Some(reason.into()),
    };
    serde_json::to_writer(line, &value)
}

fn quadruple<'a>(home: HomeId, q: &Quadruple, names: &'a Names) -> QuadrupleLine<'a> {
    QuadrupleLine {
        weekday: weekday(q.weekday),
        hours: hours(q.hours),
        device: names.device(home, q.action).into(),
        action: names.action(home, q.action),
    }
}

fn as_written([weekday, hours, device, action]: &Word4) -> QuadrupleLine<'_> {
    QuadrupleLine {
        weekday: weekday.into(),
        hours: hours.into(),
        device: device.into(),
        action: action.into(),
    }
}
