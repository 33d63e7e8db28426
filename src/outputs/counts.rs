//! What was written, counted.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use foldhash::fast::RandomState;
use hearth_operators::words::{HomeId, ShiftKey};
use serde::{Deserialize, Serialize};

use super::Stream;

/// What a run's outputs hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events that took part. On one of several processes it may be negative: what is erased may have been taken in by another one.
    pub applied: i64,
    /// Events that were there already.
    pub duplicate: u64,
    /// Events from before their home's horizon.
    pub late: u64,
    /// Lines that are no event, or one that cannot be true.
    pub rejected: u64,
    /// Events that were taken in and erased.
    pub erased: u64,
    /// Of these, events that had been applied: those are no longer among `applied`.
    pub taken: u64,
    /// Declared shifts that could not be used.
    pub rejected_contexts: u64,
    /// Feedback to alarms.
    pub feedback: Sayings,
    /// Erasures.
    pub erasures: Sayings,
    /// Homes with at least one segment: a home that only a context or a refused event names is none.
    pub homes: u64,
    /// These homes, sorted.
    #[serde(skip)]
    pub met: Vec<HomeId>,
    /// Homes of which something was asked about a shift, sorted.
    #[serde(skip)]
    pub asked: Vec<HomeId>,
    /// Homes with late events, and how many this process met; sorted.
    #[serde(skip)]
    pub late_homes: Vec<(HomeId, u64)>,
    /// Segments that hold, revisions settled.
    pub segments: i64,
    /// Transitions that hold.
    pub transitions: i64,
    /// Representatives that hold.
    pub representatives: i64,
    /// Requests made.
    pub requests: u64,
    /// Requests that got no answer.
    pub failures: u64,
    /// Shifts of homes with requests and no adaptation.
    pub waiting: u64,
    /// Generated sequences that passed validation.
    pub candidates: u64,
    /// Candidates retained, by the stage that decided.
    pub retained: BTreeMap<u8, u64>,
    /// Sequences deleted, by the stage that decided; 0 is validation.
    pub deleted: BTreeMap<u8, u64>,
    /// Versions that went live.
    pub promoted: u64,
    /// Versions that proved better than the one before.
    pub kept: u64,
    /// Versions that proved worse and were taken back.
    pub rolled_back: u64,
    /// Homes with at least one new version.
    pub adapted_homes: u64,
    /// Scores written, repeated ones included.
    pub scores: u64,
    /// Scores that call an anomaly.
    pub anomalies: u64,
    /// Alarms that stand.
    pub alarms: i64,
    /// Shifts found that nobody declared.
    pub drifts: u64,
    /// Those of them that ended a regime.
    pub drifts_adapted: u64,
    /// Lines by stream.
    pub lines: BTreeMap<Stream, u64>,
}

/// What became of lines that people wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sayings {
    /// Lines that meant something.
    pub applied: u64,
    /// Feedback to an alarm that does not stand.
    pub unknown: u64,
    /// Erasures of what was never there.
    pub nothing: u64,
    /// Lines that cannot be used.
    pub rejected: u64,
}

impl Sayings {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.applied + self.unknown + self.nothing + self.rejected
    }

    fn add(&mut self, other: Sayings) {
        self.applied += other.applied;
        self.unknown += other.unknown;
        self.nothing += other.nothing;
        self.rejected += other.rejected;
    }
}

impl Counts {
    /// Lines that are accounted for as events.
    pub fn events(&self) -> u64 {
        let others = self.duplicate + self.late + self.rejected + self.erased;
        others.saturating_add_signed(self.applied)
    }
}

/// Counts in the making: homes are counted once, however often they are met.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// All but what [`Tally::counts`] adds.
    pub(super) counts: Counts,
    homes: HashSet<HomeId, RandomState>,
    adapted: HashSet<HomeId, RandomState>,
    #[serde(skip)]
    late: BTreeMap<HomeId, u64>,
    /// Shifts with requests.
    asked: HashSet<ShiftKey, RandomState>,
    /// Shifts with an adaptation.
    answered: HashSet<ShiftKey, RandomState>,
}

impl Tally {
    /// Events that leave no line of their own.
    pub fn events(&mut self, applied: u64, duplicate: u64) {
        self.counts.applied += applied.cast_signed();
        self.counts.duplicate += duplicate;
    }

    /// What is counted.
    pub fn counts(&self) -> Counts {
        Counts {
            waiting: self.asked.difference(&self.answered).count() as u64,
            asked: {
                let homes: BTreeSet<HomeId> = self.asked.iter().map(|key| key.home).collect();
                homes.into_iter().collect()
            },
            ..self.so_far()
        }
    }

    /// What is counted, but for the shifts that wait: cheap enough for each epoch.
    pub fn so_far(&self) -> Counts {
        Counts {
            homes: self.homes.len() as u64,
            met: {
                let mut met: Vec<HomeId> = self.homes.iter().copied().collect();
                met.sort_unstable();
                met
            },
            late_homes: self.late.iter().map(|(home, n)| (*home, *n)).collect(),
            adapted_homes: self.adapted.len() as u64,
            applied: self.counts.applied - self.counts.taken.cast_signed(),
            ..self.counts.clone()
        }
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: Tally) {
        // By name, so that a count that is added above cannot be forgotten here.
        let Counts {
            applied,
            duplicate,
            late,
            rejected,
            erased,
            taken,
            rejected_contexts,
            feedback,
            erasures,
            segments,
            transitions,
            representatives,
            requests,
            failures,
            candidates,
            promoted,
            kept,
            rolled_back,
            scores,
            anomalies,
            alarms,
            drifts,
            drifts_adapted,
            retained,
            deleted,
            lines,
            homes: _,
            met: _,
            asked: _,
            late_homes: _,
            adapted_homes: _,
            waiting: _,
        } = other.counts;
        let counts = &mut self.counts;
        counts.applied += applied;
        counts.duplicate += duplicate;
        counts.late += late;
        counts.rejected += rejected;
        counts.erased += erased;
        counts.taken += taken;
        counts.rejected_contexts += rejected_contexts;
        counts.feedback.add(feedback);
        counts.erasures.add(erasures);
        counts.segments += segments;
        counts.transitions += transitions;
        counts.representatives += representatives;
        counts.requests += requests;
        counts.failures += failures;
        counts.candidates += candidates;
        counts.promoted += promoted;
        counts.kept += kept;
        counts.rolled_back += rolled_back;
        counts.scores += scores;
        counts.anomalies += anomalies;
        counts.alarms += alarms;
        counts.drifts += drifts;
        counts.drifts_adapted += drifts_adapted;
        add_each(&mut counts.retained, retained);
        add_each(&mut counts.deleted, deleted);
        add_each(&mut counts.lines, lines);
        self.homes.extend(other.homes);
        self.adapted.extend(other.adapted);
        add_each(&mut self.late, other.late);
        self.asked.extend(other.asked);
        self.answered.extend(other.answered);
    }

    /// What is counted by home, of these homes.
    #[must_use]
    pub fn of_homes(&self, own: &dyn Fn(HomeId) -> bool) -> Tally {
        let homes =
            |all: &HashSet<HomeId, _>| all.iter().copied().filter(|home| own(*home)).collect();
        let shifts = |all: &HashSet<ShiftKey, _>| {
            let all = all.iter().copied();
            all.filter(|shift| own(shift.home)).collect()
        };
        Tally {
            homes: homes(&self.homes),
            adapted: homes(&self.adapted),
            asked: shifts(&self.asked),
            answered: shifts(&self.answered),
            ..Tally::default()
        }
    }

    /// All but what is counted by home.
    #[must_use]
    pub fn sums(self) -> Tally {
        Tally {
            counts: self.counts,
            ..Tally::default()
        }
    }

    /// A home with a segment.
    pub(super) fn home(&mut self, home: HomeId) {
        self.homes.insert(home);
    }

    /// An event of a home came too late.
    pub(super) fn late(&mut self, home: HomeId) {
        self.counts.late += 1;
        *self.late.entry(home).or_default() += 1;
    }

    /// A home with a new version of a model.
    pub(super) fn adapted(&mut self, home: HomeId) {
        self.adapted.insert(home);
    }

    /// A shift with a request.
    pub(super) fn asked(&mut self, shift: ShiftKey) {
        self.asked.insert(shift);
    }

    /// A shift with an adaptation.
    pub(super) fn answered(&mut self, shift: ShiftKey) {
        self.answered.insert(shift);
    }

    /// Lines of a stream.
    pub(super) fn lines(&mut self, stream: Stream, lines: u64) {
        *self.counts.lines.entry(stream).or_default() += lines;
    }
}

fn add_each<K: Ord>(to: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *to.entry(key).or_default() += count;
    }
}
