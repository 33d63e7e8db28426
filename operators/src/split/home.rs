//! The split of one home: what is retained of its behaviours, and how new ones change its segments.

use std::collections::{BTreeMap, BTreeSet};

use differential_dataflow::consolidation::consolidate;
use serde::{Deserialize, Serialize};

use super::{Account, Checker, Rules};
use crate::words::{ActionId, Behavior, HomeId, Moment, Segment, Time};

/// So many unconfirmed jumps wait at most; beyond, the furthest ahead is rejected.
const MAX_WAITING: usize = 64;

/// What an epoch changed, over the homes of a worker.
#[derive(Default)]
pub(super) struct Updates {
    pub segments: Vec<(Segment, i64)>,
    pub accounts: Vec<Account>,
    pub applied: u64,
    pub duplicate: u64,
}

/// A retained behaviour; `named` where it has an id, which then is its identity.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Entry {
    moment: Moment,
    named: bool,
}

/// One home's state: plain data.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HomeSplit {
    /// Behaviours in order, from the start of the segment that holds the last one before the horizon.
    entries: Vec<Entry>,
    /// Where each segment starts in `entries`; the last one can still grow.
    starts: Vec<usize>,
    /// Ids of behaviours at or after the horizon.
    ids: BTreeMap<Box<str>, Time>,
    /// Behaviours that jumped ahead, in event-time order.
    waiting: Vec<Behavior>,
    /// Newest accepted event time.
    newest: Option<Time>,
    /// Events before it are late. Moves at the end of an epoch.
    horizon: Time,
    /// How far the finality of this home was told.
    pub settled: Time,
    /// Whether the log has ended.
    ended: bool,
}

impl Default for HomeSplit {
    fn default() -> Self {
        HomeSplit {
            entries: Vec::new(),
            starts: Vec::new(),
            ids: BTreeMap::new(),
            waiting: Vec::new(),
            newest: None,
            horizon: Time(i64::MIN),
            settled: Time(i64::MIN),
            ended: false,
        }
    }
}

impl HomeSplit {
    /// Takes in what one epoch brings for this home, in the order of ingestion.
    pub fn ingest(&mut self, batch: &[Behavior], rules: &Rules, updates: &mut Updates) {
        let unnamed = |b: &&Behavior| b.id.is_none();
        let key = |b: &Behavior| (b.moment.time, b.moment.action);
        let mut fresh: BTreeSet<_> = self.waiting.iter().filter(unnamed).map(key).collect();
        for behavior in batch {
            if behavior.moment.time < self.horizon {
                updates.accounts.push(Account::Late(behavior.clone()));
                continue;
            }
            let new = match &behavior.id {
                Some(id) if self.ids.contains_key(id) => false,
                Some(id) => {
                    self.ids.insert(id.clone(), behavior.moment.time);
                    true
                }
                None => !self.holds(&behavior.moment) && fresh.insert(key(behavior)),
            };
            if new {
                self.waiting.push(behavior.clone());
            } else {
                updates.duplicate += 1;
            }
        }
        let accepted = self.admit(rules, updates);
        self.apply(batch[0].home, &accepted, rules, updates);
        self.advance(rules);
    }

    /// The log has ended: nothing waits any more, and the last segment is complete.
    pub fn end(&mut self, home: HomeId, rules: &Rules, updates: &mut Updates) {
        let mut accepted = Vec::new();
        for behavior in std::mem::take(&mut self.waiting) {
            // A home of which nothing was ever confirmed has a lone first event, not a broken clock.
            let newest = *self.newest.get_or_insert(behavior.moment.time);
            if behavior.moment.time.0.saturating_sub(newest.0) <= rules.max_jump {
                self.newest = Some(behavior.moment.time);
                accepted.push(entry(&behavior));
            } else {
                updates.accounts.push(Account::Rejected(behavior));
            }
        }
        self.apply(home, &accepted, rules, updates);
        if let (false, Some(&last)) = (self.ended, self.starts.last()) {
            updates
                .segments
                .push((self.segment(home, last..self.entries.len()), 1));
        }
        self.ended = true;
    }

    /// All segments that start before this are final.
    pub fn final_until(&self) -> Time {
        match self.entries.first() {
            _ if self.ended => Time(i64::MAX),
            Some(first) => first.moment.time.min(self.horizon),
            None => self.horizon,
        }
    }

    /// Whether the same time and action (without an id) is retained.
    fn holds(&self, moment: &Moment) -> bool {
        let key = |e: &Entry| (e.moment.time, e.moment.action);
        let wanted = (moment.time, moment.action);
        let from = self.entries.partition_point(|e| key(e) < wanted);
        let equal = self.entries[from..].iter().take_while(|e| key(e) == wanted);
        equal.into_iter().any(|e| !e.named)
    }

    /// Takes from the waiting, in event-time order, all up to the last that lies at most `max_jump` ahead of the newest
    /// accepted event, or that the next one confirms.
    fn admit(&mut self, rules: &Rules, updates: &mut Updates) -> Vec<Entry> {
        self.waiting.sort_by_key(|b| b.moment);
        let near = |from: Time, to: Time| to.0.saturating_sub(from.0) <= rules.max_jump;
        let mut admitted = 0;
        for (index, behavior) in self.waiting.iter().enumerate() {
            let time = behavior.moment.time;
            let next = self.waiting.get(index + 1);
            let confirmed = next.is_some_and(|next| near(time, next.moment.time));
            if confirmed || self.newest.is_some_and(|newest| near(newest, time)) {
                self.newest = self.newest.max(Some(time));
                admitted = index + 1;
            }
        }
        let accepted = self.waiting.drain(..admitted).map(|b| entry(&b)).collect();
        for behavior in self.waiting.split_off(self.waiting.len().min(MAX_WAITING)) {
            updates.accounts.push(Account::Rejected(behavior));
        }
        accepted
    }

    /// Merges accepted behaviours (in order) and emits how the segments change.
    fn apply(&mut self, home: HomeId, accepted: &[Entry], rules: &Rules, updates: &mut Updates) {
        let (Some(first), Some(last)) = (accepted.first(), accepted.last()) else {
            return;
        };
        updates.applied += accepted.len() as u64;
        // The boundary before a behaviour depends on earlier ones alone: what comes before the segment of the
        // first new one's predecessor stays as it is.
        let position = self.entries.partition_point(|e| e.moment <= first.moment);
        let touched = self
            .starts
            .partition_point(|&s| s < position)
            .saturating_sub(1);
        let from = self.starts.get(touched).copied().unwrap_or(0);

        let old_entries = self.entries.split_off(from);
        let old_starts = self.starts.split_off(touched.min(self.starts.len()));
        let old_end = from + old_entries.len();
        self.entries.extend_from_slice(&old_entries);
        self.entries.extend_from_slice(accepted);
        // Stable, and nearly sorted: old and new are each in order already.
        self.entries[from..].sort_by_key(|b| b.moment);
        let past_last = self.entries.partition_point(|e| e.moment <= last.moment);

        let mut current = Current::default();
        let mut met = old_starts.len();
        for index in from..self.entries.len() {
            let moment = self.entries[index].moment;
            if current.ends_before(&moment, rules) {
                let was = index.checked_sub(accepted.len());
                if let (true, Some(was)) = (index >= past_last, was)
                    && let Ok(same) = old_starts.binary_search(&was)
                {
                    // From here on nothing is new and the boundaries have met: the rest stays as it was.
                    met = same;
                    break;
                }
                self.starts.push(index);
                current = Current::default();
            }
            current.append(&moment, rules);
        }
        let shift = accepted.len();
        let rest = old_starts[met..].iter().map(|start| start + shift);
        let new_starts_end = self.starts.len();
        self.starts.extend(rest);

        // The last segment of a home is not out yet, before the log has ended.
        let out = |count: usize| {
            if self.ended {
                count
            } else {
                count.saturating_sub(1)
            }
        };
        let mut changes = Vec::new();
        let old_out = out(old_starts.len()).min(met);
        for index in 0..old_out {
            let end = old_starts.get(index + 1).copied().unwrap_or(old_end);
            let moments = old_entries[old_starts[index] - from..end - from].iter();
            let moments = moments.map(|e| e.moment).collect();
            changes.push((Segment { home, moments }, -1));
        }
        for index in touched..out(self.starts.len()).min(new_starts_end) {
            let end = self
                .starts
                .get(index + 1)
                .copied()
                .unwrap_or(self.entries.len());
            changes.push((self.segment(home, self.starts[index]..end), 1));
        }
        consolidate(&mut changes);
        updates.segments.append(&mut changes);
    }

    /// Moves the horizon and forgets what is final.
    fn advance(&mut self, rules: &Rules) {
        let Some(newest) = self.newest else { return };
        let horizon = Time(newest.0.saturating_sub(rules.lateness)).max(self.horizon);
        self.horizon = horizon;
        let before = self.entries.partition_point(|e| e.moment.time < horizon);
        let segment = self
            .starts
            .partition_point(|&s| s < before)
            .saturating_sub(1);
        if segment > 0 {
            let cut = self.starts[segment];
            self.entries.drain(..cut);
            self.starts.drain(..segment);
            for start in &mut self.starts {
                *start -= cut;
            }
        }
        self.ids.retain(|_, time| *time >= horizon);
    }

    fn segment(&self, home: HomeId, range: std::ops::Range<usize>) -> Segment {
        let moments = self.entries[range].iter().map(|e| e.moment).collect();
        Segment { home, moments }
    }
}

fn entry(behavior: &Behavior) -> Entry {
    Entry {
        moment: behavior.moment,
        named: behavior.id.is_some(),
    }
}

/// The segment that is being filled.
#[derive(Default)]
struct Current {
    start: Time,
    last: Option<Time>,
    open: Vec<ActionId>,
}

impl Current {
    /// Whether the behaviour starts a new segment (Algorithm 1; an empty segment ends before any behaviour).
    fn ends_before(&self, moment: &Moment, rules: &Rules) -> bool {
        let Some(last) = self.last else { return true };
        let closes = rules.catalog.closes(moment.action);
        let belongs = match rules.checker {
            Checker::Paired => closes.iter().any(|a| self.open.contains(a)),
            Checker::Closing => !closes.is_empty(),
            Checker::Off => false,
        };
        !belongs
            && (moment.time.0 - last.0 > rules.max_gap
                || moment.time.0 - self.start.0 > rules.max_span)
    }

    fn append(&mut self, moment: &Moment, rules: &Rules) {
        if self.last.is_none() {
            self.start = moment.time;
        }
        self.last = Some(moment.time);
        let closes = rules.catalog.closes(moment.action);
        self.open
            .retain(|a| !closes.contains(a) && *a != moment.action);
        self.open.push(moment.action);
    }
}
