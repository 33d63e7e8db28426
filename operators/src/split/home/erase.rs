//! What of a home is to be as if it had never come: what an erasure names, and what is not kept.

use std::sync::Arc;

use differential_dataflow::consolidation::consolidate;

use super::{Entry, HomeSplit, Updates, segment, segments, starts_new};
use crate::split::{Account, Rules};
use crate::state::History;
use crate::words::{Erased, Erasure, HomeId, Line, Moment, Segment, Time};

impl HomeSplit {
    /// Takes out the segments that are not kept, of those that are left behind; `past`: those that were handed over. From when on
    /// segments stay, if any goes.
    pub fn outlived(
        &self,
        home: HomeId,
        past: Option<&History>,
        rules: &Rules,
        updates: &mut Updates,
    ) -> Option<Time> {
        let (past, kept) = (past?, rules.kept_from(home, self.horizon)?);
        let mut until = kept.min(self.began);
        if past.oldest()? >= until {
            return None;
        }
        let mut gone = past.between(Time(i64::MIN), until);
        let stays = past.between(until, self.began);
        until = stays.first().map_or(self.began, |stays| stays[0].time);
        // What happens at the very time at which the next one starts goes with that.
        while let Some(moments) = gone.pop_if(|m| m.last().is_some_and(|m| m.time >= until)) {
            until = moments[0].time;
        }
        if gone.is_empty() {
            return None;
        }
        let mut applied = 0;
        for moments in gone {
            applied += moments.len() as u64;
            let segment = Arc::new(Segment { home, moments });
            updates.segments.push((segment, -1));
        }
        let erasure = Erasure {
            home,
            from: None,
            to: Some(until),
            device: None,
            line: Line::default(),
        };
        updates.accounts.push(Account::Erased(Erased {
            erasure,
            applied,
            waiting: 0,
        }));
        updates.revised.push(home);
        Some(until)
    }

    /// Takes out what some erasures of this home hit; `past`: its segments that were handed over, those from some time on. Whether
    /// segments changed.
    pub fn erase(
        &mut self,
        erasures: &[Erasure],
        (past, since): (Option<&History>, Time),
        rules: &Rules,
        updates: &mut Updates,
    ) -> bool {
        let mut taken = Taken::new(erasures, rules);
        if let Some(rare) = &mut self.rare {
            rare.waiting.retain(|b| !taken.waiting(&b.moment));
            rare.ids.retain(|_, moment| taken.by(moment).is_none());
            if rare.ids.is_empty() && rare.waiting.is_empty() {
                self.rare = None;
            }
        }
        let until = if self.entries.is_empty() {
            Time(i64::MAX)
        } else {
            self.began
        };
        let before = past.map(|past| past.between(since, until));
        let mut all = entries(before.unwrap_or_default());
        let retained = all.len();
        let mut sent = retained + (self.unsent - self.first) as usize;
        all.extend_from_slice(self.retained());
        let first = all.iter().position(|e| taken.by(&e.moment()).is_some());
        let mut changes = Vec::new();
        if let Some(first) = first {
            // The first one that stays may belong to the segment before the one that is touched; and what is retained stays so.
            let start = |until: usize| all[..until].iter().rposition(|e| e.starts).unwrap_or(0);
            let from = start(start(first + 1)).min(retained);
            sent = sent.saturating_sub(from);
            changes = self.split_anew(erasures[0].home, &all[from..], sent, &mut taken, rules);
        }
        updates.accounts.extend(taken.accounts());
        consolidate(&mut changes);
        let changed = !changes.is_empty();
        updates.segments.append(&mut changes);
        changed
    }

    /// Splits what stays of a home's last segments, of which so many behaviours were handed over. How the segments change.
    fn split_anew(
        &mut self,
        home: HomeId,
        region: &[Entry],
        sent: usize,
        taken: &mut Taken<'_>,
        rules: &Rules,
    ) -> Vec<(Arc<Segment>, i64)> {
        let old = segments(region).take_while(|range| range.start < sent);
        let mut changes: Vec<_> = old.map(|r| (segment(home, &region[r]), -1)).collect();
        let ended = self.ended();
        *self = HomeSplit {
            horizon: self.horizon,
            settled: self.settled,
            rare: self.rare.take(),
            ..HomeSplit::default()
        };
        let mut last = 0;
        for entry in region.iter().filter(|e| !taken.applied(&e.moment())) {
            let mut entry = *entry;
            entry.starts = starts_new(home, &self.entries[last..], &entry, rules);
            if entry.starts {
                last = self.entries.len();
            }
            self.entries.push(entry);
        }
        let Some(newest) = self.entries.last() else {
            return changes;
        };
        self.newest = newest.moment();
        self.last = last as u32;
        let whole = if ended { self.entries.len() } else { last };
        self.unsent = whole as u32;
        self.began = self.entries[0].time;
        self.start = self.entries[last].time;
        let new = segments(&self.entries[..whole]);
        changes.extend(new.map(|r| (segment(home, &self.entries[r]), 1)));
        self.find_second();
        self.forget_final();
        changes
    }
}

/// Counts what some erasures of a home take; what several hit is the first one's.
struct Taken<'a> {
    erasures: Vec<Erased>,
    rules: &'a Rules,
}

impl<'a> Taken<'a> {
    fn new(erasures: &[Erasure], rules: &'a Rules) -> Self {
        let none = |&erasure| Erased {
            erasure,
            applied: 0,
            waiting: 0,
        };
        Taken {
            erasures: erasures.iter().map(none).collect(),
            rules,
        }
    }

    /// Which of them hits a behaviour.
    fn by(&self, moment: &Moment) -> Option<usize> {
        let catalogs = &self.rules.catalogs;
        let mut all = self.erasures.iter();
        all.position(|erased| erased.erasure.hits(catalogs, moment))
    }

    /// Whether a behaviour that was applied goes: counted.
    fn applied(&mut self, moment: &Moment) -> bool {
        let by = self.by(moment);
        by.inspect(|by| self.erasures[*by].applied += 1).is_some()
    }

    /// Whether one that waits goes: counted.
    fn waiting(&mut self, moment: &Moment) -> bool {
        let by = self.by(moment);
        by.inspect(|by| self.erasures[*by].waiting += 1).is_some()
    }

    fn accounts(self) -> impl Iterator<Item = Account> {
        self.erasures.into_iter().map(Account::Erased)
    }
}

/// Segments as entries; what was final has no id that anything could repeat.
fn entries(segments: Vec<Vec<Moment>>) -> Vec<Entry> {
    let segment = |moments: Vec<Moment>| {
        let numbered = moments.into_iter().enumerate();
        numbered.map(|(n, moment)| Entry {
            starts: n == 0,
            ..Entry::new(&moment, false)
        })
    };
    segments.into_iter().flat_map(segment).collect()
}
