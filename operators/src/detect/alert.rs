//! The alarm of a home's open segment: raised at once, revised as the segment grows, and replaced when it is closed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Around, Detected, HomeDetector, Looked, Raised, Said};
use crate::alarms::open_reasons;
use crate::state::{Homes, Stateful, Visit};
use crate::surprise::Surprise;
use crate::words::{HomeId, Open, Segment, Time};

/// An alarm of a segment that is open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Alert {
    raised: Arc<Raised>,
    /// Its behaviours, by position, as they were judged last.
    behaviors: Vec<(usize, Surprise)>,
    /// How often a person called it fine.
    fine: u8,
}

/// The alarms of homes' open segments: few homes have one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AlertState {
    pub(super) homes: Homes<Option<Box<Alert>>>,
}

impl Stateful for AlertState {
    fn visit(&mut self, operator: &'static str, visitor: &mut impl Visit) {
        visitor.in_pieces(operator, self, |state| &mut state.homes);
    }
}

impl AlertState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        self.homes
            .deal(to.iter_mut().map(|worker| &mut worker.homes));
    }

    /// Looks at what is new of a home's `open` segment, once its closed ones are judged, and has its alarm take the place of the one before.
    pub(super) fn look(
        &mut self,
        detector: &HomeDetector,
        around: &Around<'_>,
        open: Open,
        said: &mut Said,
    ) {
        let home = open.home;
        let before = self.homes.get(home).cloned().flatten();
        let stood = before.as_ref().map(|alert| alert.raised.clone());
        let mut now = None;
        let mut detected = Detected::default();
        if let Some(segment) = &open.segment {
            let own = before.filter(|alert| alert.start() == segment.start());
            let (alert, found) = Alert::of(detector, around, segment, open.new, own);
            (now, detected) = (alert.map(Box::new), found);
        }
        said.looked.push(Looked { open, detected });
        if let Some(stood) = &stood {
            change(&mut said.alarms, stood, -1);
        }
        if let Some(alert) = &now {
            change(&mut said.alarms, &alert.raised, 1);
        }
        // Most have none, and are not to count as changed.
        if stood.is_some() || now.is_some() {
            *self.homes.of(home) = now;
        }
    }

    /// Segments of the home were closed: what was called fine of one counts from now on, if it has an alarm still.
    pub(super) fn close(&self, home: HomeId, detector: &mut HomeDetector) {
        if let Some(Some(alert)) = self.homes.get(home) {
            for _ in 0..alert.fine {
                detector.fine(alert.start());
            }
        }
    }

    /// A person says that the alarm was fine; false if it does not stand.
    pub(super) fn fine(&mut self, home: HomeId, start: Time) -> bool {
        let known = self.homes.get(home).and_then(Option::as_ref);
        if known.is_none_or(|alert| alert.start() != start) {
            return false;
        }
        if let Some(alert) = self.homes.of(home) {
            alert.fine = alert.fine.saturating_add(1);
        }
        true
    }
}

impl Alert {
    fn start(&self) -> Time {
        self.raised.segment.start()
    }

    /// The alarm of a segment, if it is one, of which the behaviours from `new` on are new; `before`: as it stood. And what is said of these.
    fn of(
        detector: &HomeDetector,
        around: &Around<'_>,
        segment: &Arc<Segment>,
        new: usize,
        before: Option<Box<Alert>>,
    ) -> (Option<Alert>, Detected) {
        // Only now it is known what comes after the one before.
        let from = new.saturating_sub(1);
        let habits = detector.detector();
        let surprises = habits.judge_open(around.words, around.counts, segment, from);
        let judged = (from..).zip(surprises);
        let fresh = judged.clone().skip(new - from).map(|(at, surprise)| {
            let action = segment.moments[at].action;
            detector.alarms().score(action, &surprise)
        });
        let scores = fresh.collect();
        let known = before.iter().flat_map(|alert| &alert.behaviors).copied();
        let all = known.take_while(|(at, _)| *at < from).chain(judged);
        let mut all: Vec<(usize, Surprise)> = all.collect();
        let alarms = detector.alarms();
        let (threshold, alarm) = alarms.look(around.tails, around.budget, segment, &all);
        let alarm = alarm.filter(|_| !around.quiet.is_at(segment.start()));
        let alert = alarm.map(|alarm| {
            all.retain(|(at, _)| alarm.behaviors.contains(at));
            let raised = Raised {
                segment: segment.clone(),
                alarm,
                reasons: Vec::new(),
            };
            let (fine, stands) = match before {
                Some(before) => (before.fine, Some(before.raised)),
                None => (0, None),
            };
            let stands = stands.filter(|stands| is_same(stands, &raised));
            let raised = stands.unwrap_or_else(|| {
                let reasons = open_reasons(around.words, habits, segment, &all);
                Arc::new(Raised { reasons, ..raised })
            });
            let behaviors = all;
            Alert {
                raised,
                behaviors,
                fine,
            }
        });
        (alert, Detected { scores, threshold })
    }
}

/// Whether an alarm need not be told anew: all that it shows is still so, it is as severe, and there is not twice as much by now (so a long
/// row of anomalies is told a few times, not once each).
fn is_same(before: &Raised, now: &Raised) -> bool {
    let (was, is) = (&before.alarm, &now.alarm);
    let stands = |at: &usize| {
        let same = before.segment.moments[*at] == now.segment.moments[*at];
        same && is.behaviors.binary_search(at).is_ok()
    };
    was.severity == is.severity
        && is.behaviors.len() < 2 * was.behaviors.len()
        && before.segment.moments.len() <= now.segment.moments.len()
        && was.behaviors.iter().all(stands)
}

/// Adds a change of an epoch, unless it undoes another one.
fn change(alarms: &mut Vec<(Arc<Raised>, i64)>, raised: &Arc<Raised>, diff: i64) {
    let undone = alarms
        .iter()
        .position(|(other, d)| *d == -diff && other == raised);
    match undone {
        Some(at) => drop(alarms.swap_remove(at)),
        None => alarms.push((raised.clone(), diff)),
    }
}
