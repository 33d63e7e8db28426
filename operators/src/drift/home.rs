//! What one home's drift detector holds: what is not final yet, the day that is open, the days before.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::day::Day;
use super::watch::{Strictness, Watch};
use super::{Alertness, Drift};
use crate::words::{Catalog, HomeId, Moment, Segment, Time};

/// One home's state: plain data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HomeDrift {
    /// The end of the newest segment.
    newest: Option<Time>,
    /// What lies before it is final and was taken in.
    horizon: Option<Time>,
    /// How many segments start when, from there on.
    starts: BTreeMap<Time, i64>,
    /// Behaviours that are not final, in order.
    waiting: Vec<Moment>,
    /// The day of the latest final behaviour.
    open: Option<Day>,
    watch: Watch,
    /// The latest declared shift that was taken in.
    shifted: Option<Time>,
    /// Those to come, in order.
    shifts: Vec<Time>,
}

impl HomeDrift {
    /// Takes in what comes and goes in an epoch, and the shifts that are declared, then judges the days that are final.
    pub fn update(
        &mut self,
        home: HomeId,
        updates: &[(Arc<Segment>, i64)],
        shifts: impl Iterator<Item = Time>,
        alertness: &Alertness,
    ) -> Vec<Drift> {
        let catalog = alertness.catalogs.of(home);
        shifts.for_each(|shift| self.declare(shift));
        // Net: a segment that is revised mostly keeps its behaviours.
        let mut changed: BTreeMap<Moment, i64> = BTreeMap::new();
        for (segment, diff) in updates {
            self.start(segment.start(), *diff);
            for moment in &segment.moments {
                *changed.entry(*moment).or_default() += diff;
            }
            if *diff > 0 {
                self.newest = self.newest.max(Some(segment.end()));
            }
        }
        self.merge(changed);
        let mut found = Vec::new();
        if let Some(newest) = self.newest {
            // The last segment before the lateness may still grow, and so go for a while: what is before it is final.
            let late = Time(newest.0.saturating_sub(alertness.lateness));
            let last = self.starts.range(..late).next_back();
            self.horizon = self.horizon.max(last.map(|(start, _)| *start));
            if let Some(horizon) = self.horizon {
                self.starts = self.starts.split_off(&horizon);
            }
            let first = self
                .waiting
                .partition_point(|m| Some(m.time) < self.horizon);
            for moment in self.waiting.drain(..first).collect::<Vec<_>>() {
                found.extend(self.take_in(home, &moment, alertness.strictness, catalog));
            }
        }
        found
    }

    fn start(&mut self, start: Time, diff: i64) {
        if Some(start) < self.horizon {
            return;
        }
        let segments = self.starts.entry(start).or_default();
        *segments += diff;
        if *segments == 0 {
            self.starts.remove(&start);
        }
    }

    fn merge(&mut self, changed: BTreeMap<Moment, i64>) {
        let mut erased = false;
        for (moment, diff) in changed {
            if Some(moment.time) < self.horizon {
                // Only erasure takes away what is final; what comes back so was never there for this home.
                for _ in diff..0 {
                    self.erase(&moment);
                    erased = true;
                }
                continue;
            }
            let first = self.waiting.partition_point(|m| *m < moment);
            if diff > 0 {
                let more = std::iter::repeat_n(moment, diff as usize);
                self.waiting.splice(first..first, more);
            } else {
                let there = self.waiting[first..].iter().take_while(|m| **m == moment);
                let gone = there.count().min(diff.unsigned_abs() as usize);
                self.waiting.drain(first..first + gone);
            }
        }
        if erased {
            self.watch.drop_empty();
        }
    }

    fn erase(&mut self, moment: &Moment) {
        let number = Day::of(moment);
        let open = self.open.as_mut().filter(|day| day.number == number);
        if let Some(day) = open.or_else(|| self.watch.day(number)) {
            day.remove(moment);
        }
    }

    /// Whether nothing of any behaviour is left.
    #[cfg(test)]
    pub fn is_clean(&self) -> bool {
        let open = self.open.as_ref().is_none_or(|day| day.behaviors == 0);
        open && self.waiting.is_empty() && self.watch.is_empty()
    }

    /// Whether all days before the one in which a time lies are judged.
    pub fn is_judged(&self, time: Time) -> bool {
        self.open.as_ref().is_some_and(|day| time < day.end())
    }

    /// A shift is declared.
    fn declare(&mut self, shift: Time) {
        if Some(shift) > self.shifted
            && let Err(place) = self.shifts.binary_search(&shift)
        {
            self.shifts.insert(place, shift);
            // Declared late, it may lie before days that were judged.
            self.pass_shifts();
        }
    }

    /// Starts anew with the shifts that lie before the open day.
    fn pass_shifts(&mut self) {
        let Some(open) = self.open.as_ref().map(Day::start) else {
            return;
        };
        let passed = self.shifts.partition_point(|shift| *shift <= open);
        for shift in self.shifts.drain(..passed) {
            self.shifted = self.shifted.max(Some(shift));
            self.watch.begin(shift);
        }
    }

    /// One more behaviour is final. The drift that the day before it shows.
    fn take_in(
        &mut self,
        home: HomeId,
        moment: &Moment,
        strictness: Strictness,
        catalog: &Catalog,
    ) -> Option<Drift> {
        let open = self.open.as_mut();
        // A clock that goes back does not go back to an earlier day.
        if let Some(open) = open.filter(|open| Day::of(moment) <= open.number) {
            open.add(moment);
            return None;
        }
        let day = self.open.replace(Day::begin(moment));
        let drift = day.and_then(|day| self.judge(home, day, moment.time, strictness, catalog));
        self.pass_shifts();
        drift
    }

    /// Judges a day that is complete; the next one began with what happened `next`.
    fn judge(
        &mut self,
        home: HomeId,
        day: Day,
        next: Time,
        strictness: Strictness,
        catalog: &Catalog,
    ) -> Option<Drift> {
        let (end, offset) = (day.end(), day.offset);
        // A day in which a shift lies is of neither regime.
        if self.shifts.first().is_some_and(|shift| *shift < end) || day.behaviors == 0 {
            return None;
        }
        let found = self.watch.judge(day, strictness, catalog)?;
        Some(Drift {
            home,
            time: end.min(next),
            offset,
            since: found.since,
            evidence: found.evidence,
            changes: found.changes,
            adapted: false,
        })
    }
}
