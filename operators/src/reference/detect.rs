//! Maintained detectors: all homes of a cohort, epoch by epoch, without workers, feedback edges or buffers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::life::{HomeLife, in_turn};
use crate::alarms::{Alarms, TailChanges, Tails, open_reasons, reasons};
use crate::detect::{Detected, Raised, Vigilance};
use crate::habits::Vocabulary;
use crate::shift::Placed;
use crate::surprise::{Counts, Detector, Surprise};
use crate::words::{Epoch, Feedback, Heard, HomeId, Mode, Moment, Open, Segment, Time};

/// What detectors say of the homes of one cohort.
#[derive(Debug, Default)]
pub struct Detections {
    /// Of each segment that came, by the epoch.
    pub detected: BTreeMap<(Epoch, Arc<Segment>), Detected>,
    /// Of what is new of each open segment, by the epoch.
    pub looked: BTreeMap<(Epoch, HomeId), Detected>,
    /// Alarms that were raised and withdrawn.
    pub alarms: Vec<(Epoch, Raised, i64)>,
    /// What became of feedback.
    pub heard: Vec<(Epoch, Heard)>,
}

#[derive(Default)]
struct Home {
    detector: Detector,
    alarms: Alarms,
    newest: Option<Time>,
    raised: BTreeMap<Time, Raised>,
    told: TailChanges,
    alert: Option<Alert>,
    /// Changes of its mode in the order in which they were told.
    modes: Vec<Mode>,
}

/// The alarm of an open segment.
#[derive(Clone)]
struct Alert {
    raised: Raised,
    above: Vec<(usize, Surprise)>,
    fine: u8,
}

/// What is known besides a home, in an epoch.
struct Around<'a> {
    watch: &'a Vigilance,
    epoch: Epoch,
    counts: &'a Counts,
    tails: &'a Tails,
}

/// As [`Detect`](crate::detect::Detect) promises; `counted`: the cohort's counts of all epochs before one.
pub fn detect(
    lives: &BTreeMap<HomeId, HomeLife>,
    (feedback, modes): (&[(Epoch, Feedback)], &[(Epoch, Mode)]),
    watch: &Vigilance,
    counted: impl Fn(Epoch) -> Counts,
) -> Detections {
    let mut homes: BTreeMap<HomeId, Home> = BTreeMap::new();
    let updated = lives.values();
    let updated = updated.flat_map(|life| life.updates.keys().chain(life.open.keys()));
    let mut epochs: BTreeSet<Epoch> = updated.copied().collect();
    epochs.extend(feedback.iter().map(|(epoch, _)| *epoch));
    epochs.extend(modes.iter().map(|(epoch, _)| *epoch));
    let (mut all, mut tails) = (Detections::default(), Tails::default());
    for epoch in epochs {
        let counts = counted(epoch);
        let rest = counted(epoch + 1);
        // What is reached in an epoch is known in the next.
        let mut reached = TailChanges::default();
        let mut around = Around {
            watch,
            epoch,
            counts: &counts,
            tails: &tails,
        };
        for (_, mode) in modes.iter().filter(|(e, _)| *e == epoch) {
            homes.entry(mode.home).or_default().modes.push(*mode);
        }
        for (home, life) in lives {
            let (updated, open) = (life.updates.contains_key(&epoch), life.open.get(&epoch));
            if !updated && open.is_none() {
                continue;
            }
            let state = homes.entry(*home).or_default();
            let stood = state.stand();
            let before = state.told.clone();
            around.counts = &counts;
            if life.erased.contains(&epoch) {
                around.counts = &rest;
                state.anew(&around, life, &mut all);
            } else if updated {
                state.update(&around, *home, life, &mut all);
            }
            if let Some(open) = open {
                state.look(&around, open, &mut all);
            }
            all.alarms
                .extend(differences(epoch, &stood, &state.stand()));
            reached.merge(&state.told);
            reached.take_back(&before);
        }
        tails.apply(&reached);
        for (_, feedback) in feedback.iter().filter(|(e, _)| *e == epoch) {
            let home = homes.get_mut(&feedback.home);
            let known = home.is_some_and(|home| home.fine(feedback.start));
            let feedback = *feedback;
            all.heard.push((epoch, Heard { feedback, known }));
        }
    }
    all
}

/// What is raised and withdrawn in an epoch.
fn differences(
    epoch: Epoch,
    before: &[Raised],
    after: &[Raised],
) -> impl Iterator<Item = (Epoch, Raised, i64)> {
    let only = move |one: &[Raised], other: &[Raised], diff| {
        let only = one.iter().filter(|raised| !other.contains(raised));
        let only: Vec<_> = only.map(|raised| (epoch, raised.clone(), diff)).collect();
        only
    };
    let gone = only(before, after, -1);
    gone.into_iter().chain(only(after, before, 1))
}

/// Which behaviours of its segment an alarm shows, and how severe it is.
fn shown(raised: &Raised) -> (Vec<(usize, Moment)>, u8) {
    let at = raised.alarm.behaviors.iter();
    let shown = at.map(|at| (*at, raised.segment.moments[*at]));
    (shown.collect(), raised.alarm.severity)
}

/// Whether an alarm that stands tells enough of what is to be told now.
fn is_told(stands: &Raised, now: &Raised) -> bool {
    let ((was, severity), (is, severity_now)) = (shown(stands), shown(now));
    let longer = now.segment.moments.len() >= stands.segment.moments.len();
    let half = 2 * was.len() > is.len();
    longer && half && severity == severity_now && was.iter().all(|shown| is.contains(shown))
}

impl Home {
    /// All alarms that stand.
    fn stand(&self) -> Vec<Raised> {
        let open = self.alert.iter().map(|alert| &alert.raised);
        self.raised.values().chain(open).cloned().collect()
    }

    /// Of the changes before a time the latest counts, and of two at once what was told last.
    fn is_quiet(&self, at: Time) -> bool {
        let before = self.modes.iter().filter(|mode| mode.time <= at);
        before
            .max_by_key(|mode| mode.time)
            .is_some_and(|mode| mode.quiet)
    }

    fn fine(&mut self, start: Time) -> bool {
        let open = self.alert.as_mut();
        if let Some(alert) = open.filter(|alert| alert.raised.segment.start() == start) {
            alert.fine += 1;
            return true;
        }
        self.raised.contains_key(&start) && self.alarms.fine(start)
    }

    /// Looks at the open segment: what is new of it, and the behaviour before that, are judged as they stand; the others as they were
    /// judged before.
    fn look(&mut self, around: &Around<'_>, open: &Open, all: &mut Detections) {
        let mut before = self.alert.take();
        // Closed, it has an alarm or has none.
        if let Some(alert) = &before {
            let start = alert.raised.segment.start();
            for _ in 0..alert.fine {
                let _ = self.raised.contains_key(&start) && self.alarms.fine(start);
            }
        }
        let Some(segment) = &open.segment else { return };
        let Around { watch, epoch, .. } = *around;
        let words = Vocabulary::new(&watch.catalogs, segment.home);
        before = before.filter(|alert| alert.raised.segment.start() == segment.start());
        let from = open.new.max(1) - 1;
        let whole = self.detector.judge_open(&words, around.counts, segment, 0);
        let mut above = before.iter().flat_map(|alert| &alert.above).copied();
        let mut above: Vec<_> = above.by_ref().filter(|(at, _)| *at < from).collect();
        above.extend(whole.iter().copied().enumerate().skip(from));
        let (threshold, alarm) = self
            .alarms
            .look(around.tails, watch.budget, segment, &above);
        let new = whole.iter().enumerate().skip(open.new);
        let scores = new.map(|(at, s)| self.alarms.score(segment.moments[at].action, s));
        let detected = Detected {
            scores: scores.collect(),
            threshold,
        };
        all.looked.insert((epoch, segment.home), detected);
        let Some(alarm) = alarm.filter(|_| !self.is_quiet(segment.start())) else {
            return;
        };
        above.retain(|(at, _)| alarm.behaviors.contains(at));
        let raised = Raised {
            segment: segment.clone(),
            reasons: open_reasons(&words, &self.detector, segment, &above),
            alarm,
        };
        let fine = before.as_ref().map_or(0, |alert| alert.fine);
        let stands = before.map(|alert| alert.raised);
        let stands = stands.filter(|stands| is_told(stands, &raised));
        self.alert = Some(Alert {
            raised: stands.unwrap_or(raised),
            above,
            fine,
        });
    }

    fn settle(&mut self, watch: &Vigilance, home: HomeId) {
        if let Some(newest) = self.newest {
            let before = Time(newest.0.saturating_sub(watch.lateness));
            let words = Vocabulary::new(&watch.catalogs, home);
            self.detector.settle(&words, before);
            self.alarms.settle(before);
        }
    }

    fn update(&mut self, around: &Around<'_>, home: HomeId, life: &HomeLife, all: &mut Detections) {
        self.settle(around.watch, home);
        let words = Vocabulary::new(&around.watch.catalogs, home);
        for (update, moved) in in_turn(&life.updates[&around.epoch]) {
            let segment = &update.segment;
            if moved {
                let diff = update.diff.signum() as i32;
                self.detector.relabel(segment, update.key.regime, diff);
            } else if update.diff > 0 {
                self.judge(around, update, true, all);
            } else {
                let known = self.detector.retract(&words, segment);
                let known = known && self.alarms.retract(segment, &mut self.told);
                assert!(known, "what goes is not final");
                self.raised.remove(&segment.start());
            }
        }
    }

    /// From nothing but the segments that stand, and the alarms of these.
    fn anew(&mut self, around: &Around<'_>, life: &HomeLife, all: &mut Detections) {
        let new = in_turn(&life.updates[&around.epoch]).into_iter();
        let new = new.filter(|(update, moved)| !moved && update.diff > 0);
        let new: Vec<_> = new.map(|(update, _)| update.segment.clone()).collect();
        let standing = life.standing(around.epoch);
        let mut anew = Home {
            alert: self.alert.take(),
            modes: std::mem::take(&mut self.modes),
            ..Home::default()
        };
        for (start, raised) in std::mem::take(&mut self.raised) {
            if standing
                .iter()
                .any(|placed| placed.segment == raised.segment)
            {
                anew.raised.insert(start, raised);
            }
        }
        anew.alarms = self.alarms.anew(|start| anew.raised.contains_key(&start));
        let around = &Around {
            tails: &around.tails.without(&self.told),
            ..*around
        };
        for placed in standing {
            let segment = &placed.segment;
            anew.settle(around.watch, segment.home);
            anew.judge(around, &placed, new.contains(segment), all);
        }
        // What is known of a home of which nothing is left goes with it.
        if anew.newest.is_none() {
            anew.modes.clear();
        }
        *self = anew;
    }

    /// Judges a segment and learns it; says so where it is new.
    fn judge(&mut self, around: &Around<'_>, placed: &Placed, is_new: bool, all: &mut Detections) {
        let Around { watch, epoch, .. } = *around;
        let (segment, regime) = (&placed.segment, placed.key.regime);
        let words = Vocabulary::new(&watch.catalogs, segment.home);
        let surprises = self.detector.judge(&words, around.counts, segment, regime);
        let mut verdict = self
            .alarms
            .judge(around.tails, watch.budget, segment, &surprises);
        if self.is_quiet(segment.start()) {
            verdict.hush();
        }
        let actions = segment.moments.iter().map(|moment| moment.action);
        let scores = actions
            .zip(&surprises)
            .map(|(a, s)| self.alarms.score(a, s));
        let detected = Detected {
            scores: scores.collect(),
            threshold: verdict.threshold,
        };
        verdict.tell(&mut self.told);
        if !is_new {
            let raised = self.raised.contains_key(&segment.start());
            self.alarms.learn_again(&verdict, raised);
        } else {
            all.detected.insert((epoch, segment.clone()), detected);
            if let Some(alarm) = verdict.alarm.clone() {
                let detector = &self.detector;
                let line = Raised {
                    segment: segment.clone(),
                    reasons: reasons(&words, detector, segment, &surprises, &alarm.behaviors),
                    alarm,
                };
                self.raised.insert(segment.start(), line);
            }
            self.alarms.learn(&verdict);
        }
        self.detector.learn(&words, segment, regime);
        self.newest = self.newest.max(Some(segment.end()));
    }
}
