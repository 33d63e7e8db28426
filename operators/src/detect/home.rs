//! What one home's detector holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::quiet::Quiet;
use super::{Detected, Looked, Maintained, Raised};
use crate::alarms::{self, Alarms, Budget, TailChanges, Tails, Verdict, reasons};
use crate::habits::Vocabulary;
use crate::shift::{Placed, Standing};
use crate::state::Shelved;
use crate::surprise::{Counts, Detector, Surprise};
use crate::words::{Segment, Time};

/// What an alarm takes with its segment, roughly.
const ALARM: usize = 1024;

/// One home's state: plain data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HomeDetector {
    detector: Detector,
    alarms: Alarms,
    /// The end of the newest segment.
    newest: Option<Time>,
    /// The alarms that stand, by their segments' start: they are few, and any may have to be withdrawn.
    raised: BTreeMap<Time, Arc<Raised>>,
    /// What its segments added to the cohort's tails.
    told: TailChanges,
}

/// What is known besides the home.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    pub words: &'a Vocabulary<'a>,
    /// The cohort's counts.
    pub counts: &'a Counts,
    /// The cohort's tails.
    pub tails: &'a Tails,
    pub budget: Budget,
    /// When the home is.
    pub quiet: &'a Quiet,
    /// How far behind its newest behaviour the home may still change.
    pub lateness: i64,
}

/// What comes of an epoch's segments.
#[derive(Default)]
pub struct Said {
    pub judged: Vec<Maintained>,
    pub looked: Vec<Looked>,
    pub alarms: Vec<(Arc<Raised>, i64)>,
    pub tails: TailChanges,
}

impl Shelved for HomeDetector {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.detector.bytes() + ALARM * self.raised.len()
    }
}

impl HomeDetector {
    /// Its counts.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// How its alarms stand at the end of its newest segment.
    pub fn standing(&self, tails: &Tails, budget: Budget) -> alarms::Standing {
        self.alarms
            .standing(tails, budget, self.newest.unwrap_or_default())
    }

    /// The alarms of closed segments.
    pub fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// Judges what comes in an epoch, learns it, and takes back what goes.
    pub fn update(&mut self, around: &Around<'_>, mut updates: Vec<Maintained>, said: &mut Said) {
        self.settle_by(around);
        updates.sort_by(|a, b| a.placed.segment.cmp(&b.placed.segment));
        let is_same = |a: &Maintained, b: &Maintained| a.placed.segment == b.placed.segment;
        // What goes in one regime and comes in another is the same segment still.
        let (moved, changed): (Vec<_>, Vec<_>) =
            updates.chunk_by(is_same).partition(|same| same.len() > 1);
        for Maintained { placed, .. } in moved.iter().copied().flatten() {
            let (segment, diff) = (&placed.segment, placed.diff.signum() as i32);
            self.detector.relabel(segment, placed.key.regime, diff);
        }
        said.judged.extend(moved.into_iter().flatten().cloned());
        let changed = || changed.iter().copied().flatten();
        for update in changed().filter(|update| update.placed.diff < 0) {
            self.retract(around, &update.placed.segment, said);
            said.judged.push(update.clone());
        }
        for update in changed().filter(|update| update.placed.diff > 0) {
            let detected = self.judge(around, &update.placed, said);
            said.judged.push(Maintained {
                detected: Some(Arc::new(detected)),
                ..update.clone()
            });
        }
    }

    /// Learns all anew from the segments that stand, after something was erased. Those that came in this epoch are judged in their place;
    /// of the others nothing is said again. Alarms whose segments are gone are withdrawn; those that stand count as they did.
    pub fn anew(
        &mut self,
        around: &Around<'_>,
        standing: &Standing,
        mut updates: Vec<Maintained>,
        said: &mut Said,
    ) {
        updates.sort_by(|a, b| a.placed.segment.cmp(&b.placed.segment));
        let mut new = BTreeMap::new();
        for same in updates.chunk_by(|a, b| a.placed.segment == b.placed.segment) {
            match same {
                [only] if only.placed.diff > 0 => {
                    new.insert(only.placed.segment.clone(), only);
                }
                gone_or_moved => said.judged.extend_from_slice(gone_or_moved),
            }
        }
        let mut old = std::mem::take(self);
        let segments = standing.segments.iter().map(|placed| &placed.segment);
        let stand: BTreeMap<Time, _> = segments.map(|s| (s.start(), s)).collect();
        let stands = |raised: &Raised| stand.get(&raised.segment.start()) == Some(&&raised.segment);
        let withdrawn = old.raised.extract_if(.., |_, raised| !stands(raised));
        said.alarms
            .extend(withdrawn.map(|(_, raised)| (raised, -1)));
        said.tails.take_back(&old.told);
        let tails = around.tails.without(&old.told);
        let around = &Around {
            tails: &tails,
            ..*around
        };
        self.alarms = old.alarms.anew(|start| old.raised.contains_key(&start));
        self.raised = old.raised;
        for placed in &standing.segments {
            self.settle_by(around);
            match new.get(&placed.segment) {
                Some(update) => {
                    let detected = self.judge(around, placed, said);
                    said.judged.push(Maintained {
                        detected: Some(Arc::new(detected)),
                        ..Maintained::clone(update)
                    });
                }
                None => self.recall(around, placed, said),
            }
        }
    }

    /// Whether there is nothing left of it.
    pub fn is_blank(&self) -> bool {
        self.newest.is_none()
    }

    /// A person says that an alarm was fine; false if it does not stand, or is long ago.
    pub fn fine(&mut self, start: Time) -> bool {
        self.raised.contains_key(&start) && self.alarms.fine(start)
    }

    /// Learns a segment of which all was said.
    fn recall(&mut self, around: &Around<'_>, placed: &Placed, said: &mut Said) {
        let segment = &placed.segment;
        let (_, verdict) = self.verdict(around, placed);
        verdict.tell(&mut said.tails);
        verdict.tell(&mut self.told);
        let raised = self.raised.contains_key(&segment.start());
        self.alarms.learn_again(&verdict, raised);
        let regime = placed.key.regime;
        self.detector.learn(around.words, segment, regime);
        self.newest = self.newest.max(Some(segment.end()));
    }

    fn verdict(&self, around: &Around<'_>, placed: &Placed) -> (Vec<Surprise>, Verdict) {
        let (segment, regime) = (&placed.segment, placed.key.regime);
        let surprises = self
            .detector
            .judge(around.words, around.counts, segment, regime);
        let mut verdict = self
            .alarms
            .judge(around.tails, around.budget, segment, &surprises);
        if around.quiet.is_at(segment.start()) {
            verdict.hush();
        }
        (surprises, verdict)
    }

    fn judge(&mut self, around: &Around<'_>, placed: &Placed, said: &mut Said) -> Detected {
        let (words, segment) = (around.words, &placed.segment);
        let (surprises, verdict) = self.verdict(around, placed);
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
            self.raised.insert(segment.start(), raised.clone());
            said.alarms.push((raised, 1));
        }
        verdict.tell(&mut said.tails);
        verdict.tell(&mut self.told);
        self.alarms.learn(&verdict);
        self.detector.learn(words, segment, placed.key.regime);
        self.newest = self.newest.max(Some(segment.end()));
        detected
    }

    fn retract(&mut self, around: &Around<'_>, segment: &Segment, said: &mut Said) {
        self.detector.retract(around.words, segment);
        let mut changes = TailChanges::default();
        self.alarms.retract(segment, &mut changes);
        said.tails.merge(&changes);
        self.told.merge(&changes);
        let raised = self.raised.remove(&segment.start());
        said.alarms.extend(raised.map(|raised| (raised, -1)));
    }

    fn settle_by(&mut self, around: &Around<'_>) {
        if let Some(newest) = self.newest {
            let before = Time(newest.0.saturating_sub(around.lateness));
            self.detector.settle(around.words, before);
            self.alarms.settle(before);
        }
    }
}
