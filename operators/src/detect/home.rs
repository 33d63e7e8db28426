//! What one home's detector holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Detected, Maintained, Raised};
use crate::alarms::{Alarms, Budget, Standing, TailChanges, Tails, reasons};
use crate::habits::Vocabulary;
use crate::surprise::{Counts, Detector};
use crate::words::{Segment, Time};

/// One home's state: plain data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HomeDetector {
    detector: Detector,
    alarms: Alarms,
    /// The end of the newest segment.
    newest: Option<Time>,
    /// The alarms of segments that are not final, by the segments' start.
    open: BTreeMap<Time, Arc<Raised>>,
}

/// What is known besides the home.
pub struct Around<'a> {
    pub words: &'a Vocabulary<'a>,
    /// The cohort's counts.
    pub counts: &'a Counts,
    /// The cohort's tails.
    pub tails: &'a Tails,
    pub budget: Budget,
    /// How far behind its newest behaviour the home may still change.
    pub lateness: i64,
}

/// What comes of an epoch's segments.
#[derive(Default)]
pub struct Said {
    pub judged: Vec<Maintained>,
    pub alarms: Vec<(Arc<Raised>, i64)>,
    pub tails: TailChanges,
}

impl HomeDetector {
    /// Its counts.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// How its alarms stand at the end of its newest segment.
    pub fn standing(&self, tails: &Tails, budget: Budget) -> Standing {
        self.alarms
            .standing(tails, budget, self.newest.unwrap_or_default())
    }

    /// Judges what comes in an epoch, learns it, and takes back what goes.
    pub fn update(&mut self, around: &Around<'_>, mut updates: Vec<Maintained>, said: &mut Said) {
        if let Some(newest) = self.newest {
            self.settle(around, Time(newest.0.saturating_sub(around.lateness)));
        }
        updates.sort_by(|a, b| a.placed.segment.cmp(&b.placed.segment));
        let is_same = |a: &Maintained, b: &Maintained| a.placed.segment == b.placed.segment;
        // What goes in one regime and comes in another is the same segment still.
        let (moved, changed): (Vec<_>, Vec<_>) =
            updates.chunk_by(is_same).partition(|same| same.len() > 1);
        said.judged.extend(moved.into_iter().flatten().cloned());
        let changed = || changed.iter().copied().flatten();
        for update in changed().filter(|update| update.placed.diff < 0) {
            self.retract(around, &update.placed.segment, said);
            said.judged.push(update.clone());
        }
        for update in changed().filter(|update| update.placed.diff > 0) {
            let detected = self.judge(around, &update.placed.segment, said);
            said.judged.push(Maintained {
                detected: Some(Arc::new(detected)),
                ..update.clone()
            });
        }
    }

    fn judge(&mut self, around: &Around<'_>, segment: &Arc<Segment>, said: &mut Said) -> Detected {
        let words = around.words;
        let surprises = self.detector.judge(words, around.counts, segment);
        let verdict = self
            .alarms
            .judge(around.tails, around.budget, segment, &surprises);
        let actions = segment.moments.iter().map(|moment| moment.action);
        let scores = actions
            .zip(&surprises)
            .map(|(a, s)| self.alarms.score(a, s));
        let detected = Detected {
            scores: scores.collect(),
            threshold: verdict.threshold,
        };
        if let Some(alarm) = &verdict.alarm {
            let behaviors = &alarm.behaviors;
            let raised = Arc::new(Raised {
                segment: segment.clone(),
                alarm: alarm.clone(),
                reasons: reasons(words, &self.detector, segment, &surprises, behaviors),
            });
            self.open.insert(segment.start(), raised.clone());
            said.alarms.push((raised, 1));
        }
        verdict.tell(&mut said.tails);
        self.alarms.learn(&verdict);
        self.detector.learn(words, segment);
        self.newest = self.newest.max(Some(segment.end()));
        detected
    }

    fn retract(&mut self, around: &Around<'_>, segment: &Segment, said: &mut Said) {
        self.detector.retract(around.words, segment);
        self.alarms.retract(segment, &mut said.tails);
        let raised = self.open.remove(&segment.start());
        said.alarms.extend(raised.map(|raised| (raised, -1)));
    }

    fn settle(&mut self, around: &Around<'_>, before: Time) {
        self.detector.settle(around.words, before);
        self.alarms.settle(before);
        let open = self.alarms.open();
        self.open
            .retain(|start, _| open.is_some_and(|first| *start >= first));
    }
}
