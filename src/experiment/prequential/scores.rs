//! What a replay said of each behaviour, and whom it called.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result};
use foldhash::fast::RandomState;
use serde::Deserialize;

use super::log::{Key, Log};
use crate::outputs::read::{add, each, each_line, line};
use crate::outputs::{BehaviorLine, ScoreLine, Stream};

/// What a replay said of a behaviour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scored {
    epoch: u64,
    /// The higher, the stranger.
    pub score: f64,
    /// Whether it is above its own threshold.
    pub called: bool,
    /// Place of the action in the list of predictions, from 1; 0 where it is not in it.
    pub rank: u8,
    /// What the list gives the action; 0 where it is not in it.
    pub probability: f64,
    /// What the list leaves to others, and how many actions it names.
    pub left: f64,
    pub named: u8,
}

/// By behaviour.
pub(super) type Scores = HashMap<Key, Scored, RandomState>;

/// Reads the scores of an output folder: the last of each behaviour that holds in the end.
///
/// # Errors
/// The file cannot be read or holds a damaged line.
pub(super) fn read(dir: &Path, log: &Log) -> Result<Scores> {
    let mut scores = Scores::default();
    each(dir, Stream::Scores, |text| {
        let line: ScoreLine<'_> = line(text)?;
        let Some(key) = log.key(&line.home, line.time.time.0, &line.action) else {
            return Ok(());
        };
        let scored = Scored::of(&line);
        let last = scores.entry(key).or_insert(scored);
        if scored.epoch >= last.epoch {
            *last = scored;
        }
        Ok(())
    })?;
    Ok(scores)
}

impl Scored {
    fn of(line: &ScoreLine<'_>) -> Self {
        let predictions = &line.predictions[..line.predictions.len().min(usize::from(u8::MAX))];
        let place = predictions.iter().position(|p| p.action == line.action);
        let probability =
            |p: &crate::outputs::PredictionLine<'_>| f64::from(p.probability.unwrap_or(0.0));
        let sum: f64 = predictions.iter().map(probability).sum();
        // A loss that was no number is written as null; the call tells on which side of the threshold it was.
        let beyond = match line.anomaly {
            true => f64::INFINITY,
            false => f64::NEG_INFINITY,
        };
        Scored {
            epoch: line.epoch,
            score: line.score.map_or(beyond, f64::from),
            called: line.anomaly,
            rank: place.map_or(0, |place| place as u8 + 1),
            probability: place.map_or(0.0, |place| probability(&predictions[place])),
            left: (1.0 - sum).max(0.0),
            named: predictions.len() as u8,
        }
    }
}

/// What a person is told of: its behaviours, but for those that do not hold in the end.
pub(super) type Alarm = Vec<Key>;

/// A line of `alarms.jsonl`, a collection, as far as it matters here.
#[derive(Deserialize)]
struct AlarmLine<'a> {
    diff: i64,
    alarm: serde_json::Value,
    #[serde(borrow)]
    home: Cow<'a, str>,
    #[serde(borrow)]
    behaviors: Vec<BehaviorLine<'a>>,
}

/// Reads the alarms of an output folder that hold in the end, where it has such a file.
///
/// # Errors
/// The file cannot be read or holds a damaged line.
pub(super) fn alarms(dir: &Path, log: &Log) -> Result<Option<Vec<Alarm>>> {
    let path = dir.join("alarms.jsonl");
    if !path.is_file() {
        return Ok(None);
    }
    let mut held: BTreeMap<(String, String, Alarm), i64> = BTreeMap::new();
    each_line(&path, |text| {
        let line: AlarmLine<'_> =
            serde_json::from_str(text).context("not an alarm as hearth replay writes it")?;
        let key = |b: &BehaviorLine<'_>| log.key(&line.home, b.time.time.0, &b.action);
        let behaviors = line.behaviors.iter().filter_map(key).collect();
        let home = line.home.clone().into_owned();
        add(
            &mut held,
            (home, line.alarm.to_string(), behaviors),
            line.diff,
        );
        Ok(())
    })?;
    let alarms = held.into_iter().filter(|(_, count)| *count > 0);
    Ok(Some(
        alarms.map(|((_, _, behaviors), _)| behaviors).collect(),
    ))
}
