//! The lines of the output files: one struct a stream, written by [`Writer`](super::Writer) and read by `hearth show`.
//!
//! Every file is JSON Lines. What holds for all of them:
//! - `epoch` is the number of the ingested batch at which the line became true, from 0;
//! - `diff` counts: +1 adds the rest of the line to the collection, -1 takes it back, larger numbers do so several
//!   times at once. The sum of the `diff`s of equal lines is what the collection holds, and never negative;
//! - times are RFC 3339 with the offset of the input, actions `Device:action`;
//! - losses and probabilities are JSON numbers, or `null` where a model gave no finite number.

use std::borrow::Cow;

use hearth_operators::words::{RequestKey, ShiftKey, ShiftKind, Time, WEEKDAYS, Word};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An event time with the minutes east of UTC that its clock showed; RFC 3339 in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// The instant.
    pub time: Time,
    /// Minutes east of UTC.
    pub offset: i16,
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::time::format(self.time, self.offset))
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let (time, offset) = crate::time::parse(&text, &jiff::tz::TimeZone::UTC)
            .map_err(serde::de::Error::custom)?;
        Ok(Stamp { time, offset })
    }
}

/// A behaviour inside another line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BehaviorLine<'a> {
    /// When.
    pub time: Stamp,
    /// The device's name.
    #[serde(borrow)]
    pub device: Cow<'a, str>,
    /// `Device:action`.
    #[serde(borrow)]
    pub action: Cow<'a, str>,
}

/// `segments.jsonl`, a collection: the behaviour sequences that the split cut.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SegmentLine<'a> {
    /// See the module.
    pub epoch: u64,
    /// See the module.
    pub diff: i64,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// Time of the first behaviour.
    pub start: Stamp,
    /// Time of the last behaviour.
    pub end: Stamp,
    /// The behaviours in order of time.
    #[serde(borrow)]
    pub behaviors: Vec<BehaviorLine<'a>>,
}

/// `transitions.jsonl`, a collection: `to` followed `from` in a segment, `diff` times more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TransitionLine<'a> {
    /// See the module.
    pub epoch: u64,
    /// Change of the count.
    pub diff: i64,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// The earlier action, `Device:action`.
    #[serde(borrow)]
    pub from: Cow<'a, str>,
    /// The later action, `Device:action`.
    #[serde(borrow)]
    pub to: Cow<'a, str>,
}

/// `representatives.jsonl`, a collection: the segments that compression kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RepresentativeLine<'a> {
    /// See the module.
    pub epoch: u64,
    /// See the module.
    pub diff: i64,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// How many of the home's shifts lie at or before the segment's start.
    pub regime: u32,
    /// Weekday of the first behaviour, such as `Monday`.
    #[serde(borrow)]
    pub weekday: Cow<'a, str>,
    /// Time of the first behaviour.
    pub start: Stamp,
    /// The behaviours in order of time.
    #[serde(borrow)]
    pub behaviors: Vec<BehaviorLine<'a>>,
}

/// A shift inside another line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShiftLine<'a> {
    /// `season`, `schedule`, `occupancy` or `text`.
    pub kind: ShiftKind,
    /// The context that ended.
    #[serde(borrow)]
    pub from: Cow<'a, str>,
    /// The context that began.
    #[serde(borrow)]
    pub to: Cow<'a, str>,
    /// From when on.
    pub time: Stamp,
}

/// The two messages of a request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PromptLine {
    /// The system message.
    pub system: String,
    /// The user message.
    pub user: String,
}

/// Top-k successors of each action with their counts, most frequent first: an object of objects.
#[derive(Clone, Debug, Default)]
pub struct HintsLine(pub Vec<(String, Vec<(String, u32)>)>);

impl Serialize for HintsLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Successors<'a>(&'a [(String, u32)]);
        impl Serialize for Successors<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(action, count)| (action, count)))
            }
        }
        serializer.collect_map(self.0.iter().map(|(from, to)| (from, Successors(to))))
    }
}

/// `requests.jsonl`: what a synthesizer was asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestLine<'a> {
    /// See the module.
    pub epoch: u64,
    /// Its name, see [`request_id`].
    #[serde(borrow)]
    pub request: Cow<'a, str>,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// The shift that it is for.
    #[serde(borrow)]
    pub shift: ShiftLine<'a>,
    /// Weekday of the representatives' first behaviours.
    #[serde(borrow)]
    pub weekday: Cow<'a, str>,
    /// The representatives as quadruples `["Monday","(6~9)","Light","switch on"]`.
    pub representatives: Vec<Vec<Word4>>,
    /// The graph of the regime that ended. Not read back.
    #[serde(skip_deserializing)]
    pub hints: HintsLine,
    /// The messages.
    pub prompt: PromptLine,
}

/// Weekday, hours, device and action as words.
pub type Word4 = [Word; 4];

/// A behaviour of a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuadrupleLine<'a> {
    /// Such as `Monday`; in an invalid candidate whatever the synthesizer wrote, as are the other three.
    #[serde(borrow)]
    pub weekday: Cow<'a, str>,
    /// Such as `(6~9)`.
    #[serde(borrow)]
    pub hours: Cow<'a, str>,
    /// The device's name.
    #[serde(borrow)]
    pub device: Cow<'a, str>,
    /// `Device:action`.
    #[serde(borrow)]
    pub action: Cow<'a, str>,
}

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
    /// See the module.
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
    /// Stage 1: reconstruction loss.
    pub loss: Option<f32>,
    /// Stage 1: losses above this are outliers.
    pub bound: Option<f32>,
    /// Stage 2: held-out loss of the model without the candidate.
    pub baseline: Option<f32>,
    /// Stage 2: held-out loss of the model with it.
    pub trial: Option<f32>,
    /// Stage 0: why the sequence, or the whole reply, is invalid.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
}

/// `adaptations.jsonl`: what became of a model version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdaptationLine<'a> {
    /// See the module.
    pub epoch: u64,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// The shift that caused it.
    #[serde(borrow)]
    pub shift: ShiftLine<'a>,
    /// `detector` (anomaly detection) or `predictor` (behaviour prediction).
    #[serde(borrow)]
    pub task: Cow<'a, str>,
    /// The kind of model: `autoencoder` or `sasrec` (which counts stand beside).
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    /// The version that this is about: 0 is the cohort's.
    pub version: u32,
    /// `promoted`, `kept` or `rolled_back`.
    #[serde(borrow)]
    pub event: Cow<'a, str>,
    /// Mean loss of the version before.
    pub before: Option<f32>,
    /// Mean loss of this version, on the same data.
    pub after: Option<f32>,
    /// What was compared.
    #[serde(borrow)]
    pub evidence: Cow<'a, str>,
}

/// An action that the predictor thought of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PredictionLine<'a> {
    /// `Device:action`.
    #[serde(borrow)]
    pub action: Cow<'a, str>,
    /// From 0 to 1.
    pub probability: Option<f32>,
}

/// The versions that gave a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionsLine {
    /// The detector's: 0 is the cohort's.
    pub detector: u32,
    /// The predictor's.
    pub predictor: u32,
}

/// `scores.jsonl`: what the home's live models say of a behaviour. A behaviour whose segment is revised is scored
/// again: the line of the highest epoch holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScoreLine<'a> {
    /// See the module.
    pub epoch: u64,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// The behaviour's time.
    pub time: Stamp,
    /// The behaviour's action, `Device:action`.
    #[serde(borrow)]
    pub action: Cow<'a, str>,
    /// The detector's loss: higher is stranger.
    pub score: Option<f32>,
    /// At or above this it is an anomaly.
    pub threshold: Option<f32>,
    /// Whether it is one.
    pub anomaly: bool,
    /// Most probable actions at this place given those before it in the segment, best first.
    #[serde(borrow)]
    pub predictions: Vec<PredictionLine<'a>>,
    /// Which versions said so.
    pub versions: VersionsLine,
}

/// `late.jsonl` and `rejected.jsonl`: input that was not applied.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefusedLine<'a> {
    /// The input line; for one that was already decoded, its event as JSON.
    #[serde(borrow)]
    pub line: Cow<'a, str>,
    /// `file:line`.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    /// Why.
    #[serde(borrow)]
    pub reason: Cow<'a, str>,
}

/// The name of a request, `home/regime/weekday/part`: `h-17/0/Mon/0`.
pub fn request_id(home: &str, key: &RequestKey) -> String {
    let day = WEEKDAYS
        .get(usize::from(key.weekday))
        .map_or("?", |name| &name[..3]);
    format!("{}/{day}/{}", shift_id(home, key.shift), key.part)
}

/// The name of a shift, `home/regime`: `h-17/0`.
pub fn shift_id(home: &str, shift: ShiftKey) -> String {
    format!("{home}/{}", shift.regime)
}

/// The name of the shift that a request of this name is of; of any other text, itself.
pub fn shift_of(request: &str) -> &str {
    request.rsplitn(3, '/').nth(2).unwrap_or(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Years 1900 to 2200, every offset that clocks show, microseconds kept.
        #[test]
        fn a_stamp_reads_what_it_writes(
            micros in -2_208_988_800_000_000_i64..7_258_118_400_000_000,
            offset in -14 * 60_i16..=14 * 60,
        ) {
            let stamp = Stamp { time: Time(micros), offset };
            let text = serde_json::to_string(&stamp).unwrap();
            prop_assert_eq!(serde_json::from_str::<Stamp>(&text).unwrap(), stamp);
        }

        #[test]
        fn any_name_survives(home: String, from: String, to: String, diff: i64) {
            let [home, from, to] = [home, from, to].map(Cow::Owned);
            let line = TransitionLine { epoch: 0, diff, home, from, to };
            let text = serde_json::to_string(&line).unwrap();
            prop_assert!(!text.contains('\n'));
            let read: TransitionLine<'_> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(
                (read.diff, read.home, read.from, read.to),
                (line.diff, line.home, line.from, line.to)
            );
        }
    }
}
