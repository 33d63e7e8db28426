//! Scores: what a home's live models say of its behaviour.

use std::borrow::Cow;

use hearth_operators::words::{ActionId, Epoch, Score};
use serde::{Deserialize, Serialize};

use super::parts::{Stamp, figures, stamp};
use super::{Names, Record, Stream, Tally};

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
/// again, and so is one of an open segment once that is closed: the line of the highest epoch holds. Figures have four digits: it is the largest stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScoreLine<'a> {
    /// See [the module](super).
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
    /// Whether its segment is open (`--scores eager`): once that is closed, it is scored again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Of the newest behaviour of an open segment: the most probable actions after it, best first.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<PredictionLine<'a>>,
}

impl Record for Score {
    const STREAM: Stream = Stream::Scores;

    fn line(&self, epoch: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let prediction = |&(action, probability): &(ActionId, f32)| PredictionLine {
            action: names.action(self.home, action),
            probability: Some(figures(probability)),
        };
        let value = ScoreLine {
            epoch,
            home: Cow::Borrowed(&names.home(self.home)),
            time: stamp(&self.moment),
            action: names.action(self.home, self.moment.action),
            score: Some(figures(self.score)),
            threshold: Some(figures(self.threshold)),
            anomaly: self.anomaly(),
            predictions: self.predictions.iter().map(prediction).collect(),
            versions: VersionsLine {
                detector: self.detector,
                predictor: self.predictor,
            },
            open: self.open,
            next: self.next.iter().map(prediction).collect(),
        };
        serde_json::to_writer(line, &value)
    }

    fn count(&self, tally: &mut Tally) {
        // A home's first segment may stay open for days.
        tally.home(self.home);
        // What is open is scored again.
        tally.counts.scores += u64::from(!self.open);
        tally.counts.anomalies += u64::from(self.anomaly() && !self.open);
    }
}
