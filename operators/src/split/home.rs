//! The split of one home: what is retained of its behaviours, and how new ones change its segments.

mod erase;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use differential_dataflow::consolidation::consolidate;
use serde::{Deserialize, Serialize};

use super::{Account, Checker, Fate, Rules, Settled};
use crate::words::{ActionId, Behavior, Erased, Erasure, HomeId, Line, Moment, Segment, Time};

/// So many unconfirmed jumps wait at most; beyond, the furthest ahead is rejected.
const MAX_WAITING: usize = 64;

/// What an epoch changed, over the homes of a worker.
#[derive(Default)]
pub(super) struct Updates {
    pub segments: Vec<(Arc<Segment>, i64)>,
    pub accounts: Vec<Account>,
    pub settled: Vec<Settled>,
    pub applied: u64,
    pub duplicate: u64,
    /// Homes whose segments an erasure changed.
    pub revised: Vec<HomeId>,
}

impl Updates {
    /// Takes out the accounts, the counts of what was applied among them.
    pub fn accounts(&mut self) -> impl Iterator<Item = Account> {
        let applied = std::mem::take(&mut self.applied);
        let duplicate = std::mem::take(&mut self.duplicate);
        let counted = Account::Counted { applied, duplicate };
        let counted = (applied + duplicate > 0).then_some(counted);
        self.accounts.drain(..).chain(counted)
    }

    /// Accounts for erasures of what was never there.
    pub fn nothing_erased(&mut self, erasures: &[Erasure]) {
        let nothing = erasures.iter().map(|&erasure| Erased {
            erasure,
            applied: 0,
            waiting: 0,
        });
        self.accounts.extend(nothing.map(Account::Erased));
    }
}

/// A retained behaviour; `named` where it has an id, which then is its identity.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    time: Time,
    action: ActionId,
    offset: i16,
    named: bool,
    /// Whether a segment starts with it.
    starts: bool,
}

impl Entry {
    fn new(moment: &Moment, named: bool) -> Self {
        Entry {
            time: moment.time,
            action: moment.action,
            offset: moment.offset,
            named,
            starts: false,
        }
    }

    pub fn moment(&self) -> Moment {
        Moment {
            time: self.time,
            action: self.action,
            offset: self.offset,
        }
    }
}

/// One home's state: plain data.
///
/// An event that follows its home's newest is appended at once, which is all that a log in order asks for. The others
/// wait for the end of the epoch: late ones to be merged, those far ahead to be confirmed. What changed is handed
/// over at the end of the epoch too, so that nothing of it cancels.
/// Each event is for another home, whose memory is not in the processor's cache: what an event in order asks for is kept
/// here and not looked for in `entries`, which are only written to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HomeSplit {
    /// Behaviours in order.
    entries: Vec<Entry>,
    /// The first that counts: it starts the segment that holds the last one before the horizon. Those before it are
    /// forgotten, and go when their room is needed.
    first: u32,
    /// Where the last segment starts: it can still grow.
    last: u32,
    /// Segments that start before this are handed over.
    unsent: u32,
    /// Where the segment after the first one starts; 0 where there is none.
    second: u32,
    /// The last entry's moment.
    newest: Moment,
    /// When the first segment starts.
    began: Time,
    /// When the last segment starts.
    start: Time,
    /// When the segment after the first one starts; the end of time where there is none.
    due: Time,
    /// Events before it are late. Moves at the end of an epoch.
    horizon: Time,
    /// How far the finality of this home was told.
    pub settled: Time,
    /// What most homes do not have.
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Rare {
    /// Ids of behaviours at or after the horizon, and of some before it.
    ids: BTreeMap<Box<str>, Moment>,
    /// How many there were when those before the horizon were last removed.
    ids_kept: usize,
    /// Accepted behaviours of the open epoch that are older than the newest one.
    late: Vec<Entry>,
    /// Behaviours that lie far ahead, in event-time order, and those of the open epoch that came after them.
    waiting: Vec<Behavior>,
}

impl Default for HomeSplit {
    fn default() -> Self {
        HomeSplit {
            entries: Vec::new(),
            first: 0,
            last: 0,
            unsent: 0,
            second: 0,
            newest: Moment {
                time: Time(i64::MIN),
                action: ActionId(0),
                offset: 0,
            },
            began: Time(i64::MAX),
            start: Time(i64::MIN),
            due: Time(i64::MAX),
            horizon: Time(i64::MIN),
            settled: Time(i64::MIN),
            rare: None,
        }
    }
}

impl HomeSplit {
    /// Whether any event of this home was seen; of one that was erased the horizon stays.
    pub fn met(&self) -> bool {
        !self.entries.is_empty() || self.rare.is_some() || self.horizon > Time(i64::MIN)
    }

    /// Reads the state.
    pub fn touch(&self) -> i64 {
        self.horizon.0 ^ self.newest.time.0 ^ i64::from(self.unsent)
    }

    /// Reads where the next event will be written.
    pub fn touch_last(&self) -> i64 {
        self.entries.last().map_or(0, |entry| entry.time.0)
    }

    /// Takes in an event, in the order of ingestion. What becomes of it; of one that waits the end of the epoch may say more.
    pub fn take(&mut self, behavior: &Behavior, rules: &Rules, updates: &mut Updates) -> Fate {
        let moment = &behavior.moment;
        if moment.time < self.horizon {
            updates.accounts.push(Account::Late(behavior.clone()));
            return Fate::Late;
        }
        let newest = (!self.entries.is_empty()).then_some(self.newest);
        let waiting = self.rare.as_ref().is_some_and(|r| !r.waiting.is_empty());
        let follows = !(waiting || self.ended())
            && newest.is_some_and(|newest| {
                newest < *moment && moment.time.0 - newest.time.0 <= rules.max_lead
            });
        let new = match &behavior.id {
            Some(id) => {
                let horizon = self.horizon;
                self.rare_mut().remember(id, *moment, horizon)
            }
            // What comes after everything that was accepted is new.
            None if follows && newest.is_some_and(|n| !same(&n, moment)) => true,
            None => !self.holds(moment),
        };
        if !new {
            updates.duplicate += 1;
            Fate::Duplicate
        } else if follows {
            updates.applied += 1;
            let entry = Entry::new(moment, behavior.id.is_some());
            self.append(behavior.home, entry, rules);
            Fate::Applied
        } else if !waiting && newest.is_some_and(|newest| *moment <= newest) {
            let entry = Entry::new(moment, behavior.id.is_some());
            self.rare_mut().late.push(entry);
            Fate::Applied
        } else {
            self.rare_mut().waiting.push(behavior.clone());
            Fate::Waiting
        }
    }

    /// Whether the event of this line waits for another one.
    pub fn waits(&self, line: Line) -> bool {
        let rare = self.rare.as_deref();
        rare.is_some_and(|rare| rare.waiting.iter().any(|waits| waits.line == line))
    }

    /// The epoch is complete: merges what waited for that, hands over what changed, and moves the horizon.
    pub fn finish(&mut self, home: HomeId, rules: &Rules, updates: &mut Updates) {
        self.merge_waiting(home, rules, updates);
        self.hand_over(home, self.last, updates);
        self.advance(rules);
    }

    /// The log has ended: nothing waits any more, and the last segment is complete.
    pub fn end(&mut self, home: HomeId, rules: &Rules, updates: &mut Updates) {
        let mut newest = self.newest();
        if let Some(rare) = &mut self.rare {
            for behavior in std::mem::take(&mut rare.waiting) {
                // A home of which nothing was ever confirmed has a lone first event, not a broken clock.
                let last = *newest.get_or_insert(behavior.moment.time);
                if behavior.moment.time.0.saturating_sub(last.0) <= rules.max_jump {
                    newest = Some(behavior.moment.time);
                    rare.late
                        .push(Entry::new(&behavior.moment, behavior.id.is_some()));
                } else {
                    updates.accounts.push(Account::Rejected(behavior));
                }
            }
        }
        self.merge_late(home, rules, updates);
        self.hand_over(home, self.entries.len() as u32, updates);
    }

    /// All segments that start before this are final.
    pub fn final_until(&self) -> Time {
        match self.ended() {
            true => Time(i64::MAX),
            false => self.began.min(self.horizon),
        }
    }

    /// Up to which time shifts are asked about by what is known: at least as far as that is final.
    pub fn asking(&self, rules: &Rules) -> Time {
        let known = rules.ask_after.zip(self.newest());
        let asking = known.map(|(after, newest)| Time(newest.0.saturating_sub(after)));
        self.final_until().max(asking.unwrap_or(Time(i64::MIN)))
    }

    /// Newest accepted event time, but for what waits for the end of the epoch.
    fn newest(&self) -> Option<Time> {
        (!self.entries.is_empty()).then_some(self.newest.time)
    }

    /// Whether the log has ended: only then the last segment is handed over.
    fn ended(&self) -> bool {
        self.unsent > self.last
    }

    /// The last segment, which still grows; nothing where there is none.
    pub fn open(&self) -> &[Entry] {
        match self.ended() {
            true => &[],
            false => &self.entries[self.last as usize..],
        }
    }

    /// The last segment as it stands; there must be one.
    pub fn open_segment(&self, home: HomeId) -> Arc<Segment> {
        segment(home, self.open())
    }

    /// The `length` behaviours before the last so many ones.
    pub fn moments_before(&self, last: usize, length: usize) -> Vec<Moment> {
        let until = self.entries.len() - last;
        let before = &self.entries[until - length..until];
        before.iter().map(Entry::moment).collect()
    }

    /// Whether something waits to be merged with what is there.
    pub fn merges(&self) -> bool {
        let waits = |rare: &Rare| !(rare.late.is_empty() && rare.waiting.is_empty());
        self.rare.as_deref().is_some_and(waits)
    }

    /// The entries that count.
    pub fn retained(&self) -> &[Entry] {
        &self.entries[self.first as usize..]
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Whether the same time and action (without an id) is retained or waits.
    fn holds(&self, moment: &Moment) -> bool {
        let key = |e: &Entry| (e.time, e.action);
        let wanted = (moment.time, moment.action);
        let entries = self.retained();
        let from = entries.partition_point(|e| key(e) < wanted);
        let mut equal = entries[from..].iter().take_while(|e| key(e) == wanted);
        equal.any(|e| !e.named)
            || self.rare.as_ref().is_some_and(|rare| {
                let mut late = rare.late.iter();
                let mut waiting = rare.waiting.iter();
                late.any(|e| key(e) == wanted && !e.named)
                    || waiting.any(|b| same(&b.moment, moment) && b.id.is_none())
            })
    }

    /// Appends a behaviour that follows all others.
    fn append(&mut self, home: HomeId, mut entry: Entry, rules: &Rules) {
        let length = self.entries.len();
        if length == self.entries.capacity() && self.first as usize * 4 >= length {
            self.forget();
        }
        let far = is_far(self.start, self.newest.time, entry.time, rules);
        if far && !belongs(home, &self.entries[self.last as usize..], &entry, rules) {
            entry.starts = true;
            self.last = self.entries.len() as u32;
            self.start = entry.time;
            if self.second == 0 {
                (self.second, self.due) = (self.last, entry.time);
            }
        }
        self.newest = entry.moment();
        self.entries.push(entry);
    }

    /// Removes the entries before the first that counts.
    fn forget(&mut self) {
        self.entries.drain(..self.first as usize);
        self.last -= self.first;
        self.unsent -= self.first;
        self.second = self.second.saturating_sub(self.first);
        self.first = 0;
    }

    /// Merges what is late or confirmed, and leaves waiting what is not.
    fn merge_waiting(&mut self, home: HomeId, rules: &Rules, updates: &mut Updates) {
        let newest = self.newest();
        let Some(rare) = &mut self.rare else { return };
        if !rare.waiting.is_empty() {
            rare.admit(newest, rules, updates);
        }
        self.merge_late(home, rules, updates);
    }

    /// Merges `late` into the entries and emits how the segments change that were handed over.
    fn merge_late(&mut self, home: HomeId, rules: &Rules, updates: &mut Updates) {
        let Some(rare) = &mut self.rare else { return };
        let mut accepted = std::mem::take(&mut rare.late);
        accepted.sort_by_key(Entry::moment);
        let Some(earliest) = accepted.first().map(Entry::moment) else {
            return;
        };
        updates.applied += accepted.len() as u64;
        // The boundary before a behaviour depends on earlier ones alone: what comes before the segment of the
        // first new one's predecessor stays as it is.
        let entries = self.retained();
        let before = entries.partition_point(|e| e.moment() <= earliest);
        let touched = entries[..before].iter().rposition(|e| e.starts);
        let from = self.first as usize + touched.unwrap_or(0);
        let from = from.min(self.unsent as usize);
        let ended = self.ended();
        let old = self.entries.split_off(from);

        let mut new = accepted.iter().peekable();
        // How many of the old ones are through; what is left when the boundaries have met stays as it was.
        let mut met = 0;
        let mut current = from;
        loop {
            let (mut entry, is_old) = match (old.get(met), new.peek()) {
                (Some(old), Some(new)) if new.moment() < old.moment() => (**new, false),
                (Some(old), _) => (*old, true),
                (None, Some(new)) => (**new, false),
                (None, None) => break,
            };
            let starts = starts_new(home, &self.entries[current..], &entry, rules);
            if starts && is_old && entry.starts && new.peek().is_none() {
                break;
            }
            if is_old {
                met += 1;
            } else {
                new.next();
            }
            if starts {
                current = self.entries.len();
            }
            entry.starts = starts;
            self.entries.push(entry);
        }
        let end = self.entries.len();
        let added = accepted.len();
        let sent = self.unsent as usize - from;
        let have_met = met < old.len();
        self.entries.extend_from_slice(&old[met..]);

        let mut changes = Vec::new();
        for range in segments(&old[..met]).take_while(|range| range.start < sent) {
            changes.push((segment(home, &old[range]), -1));
        }
        let whole = match have_met || ended {
            true => end,
            false => current,
        };
        let region = &self.entries[from..whole];
        changes.extend(segments(region).map(|range| (segment(home, &region[range]), 1)));
        consolidate(&mut changes);
        updates.segments.append(&mut changes);

        if have_met {
            self.last += added as u32;
            self.unsent = whole.max(from + sent + added) as u32;
        } else {
            self.last = current as u32;
            self.unsent = whole as u32;
        }
        if let Some(newest) = self.entries.last() {
            self.newest = newest.moment();
        }
        self.began = self.entries[self.first as usize].time;
        self.start = self.entries[self.last as usize].time;
        self.find_second();
    }

    /// Emits the segments before `until` that were not handed over.
    fn hand_over(&mut self, home: HomeId, until: u32, updates: &mut Updates) {
        if self.unsent < until {
            let entries = &self.entries[self.unsent as usize..until as usize];
            let whole = segments(entries).map(|range| (segment(home, &entries[range]), 1));
            updates.segments.extend(whole);
            self.unsent = until;
        }
    }

    /// Finds the segment after the first one.
    fn find_second(&mut self) {
        let after = self.retained().get(1..).unwrap_or_default();
        let next = after.iter().zip(1..).find(|(e, _)| e.starts);
        (self.second, self.due) = match next {
            Some((entry, distance)) => (self.first + distance, entry.time),
            None => (0, Time(i64::MAX)),
        };
    }

    /// Moves the horizon and forgets what is final.
    fn advance(&mut self, rules: &Rules) {
        let Some(newest) = self.newest() else {
            return;
        };
        let horizon = Time(newest.0.saturating_sub(rules.lateness)).max(self.horizon);
        self.horizon = horizon;
        self.forget_final();
        if let Some(rare) = &mut self.rare
            && rare.forget(horizon)
        {
            self.rare = None;
        }
    }

    /// Leaves behind the segments that are final.
    fn forget_final(&mut self) {
        while self.due < self.horizon {
            (self.first, self.began) = (self.second, self.due);
            self.find_second();
        }
    }
}

impl Rare {
    /// Keeps an id. Whether it is new: one from before the horizon is forgotten.
    fn remember(&mut self, id: &str, moment: Moment, horizon: Time) -> bool {
        match self.ids.get_mut(id) {
            Some(known) if known.time >= horizon => return false,
            Some(known) => *known = moment,
            None => {
                self.ids.insert(id.into(), moment);
            }
        }
        true
    }

    /// Takes from the waiting, in event-time order, all up to the last that lies at most `max_lead` ahead of the newest
    /// accepted event, or that the next one, at most `max_jump` behind it, confirms.
    fn admit(&mut self, mut newest: Option<Time>, rules: &Rules, updates: &mut Updates) {
        self.waiting.sort_by_key(|b| b.moment);
        let near = |from: Time, to: Time, most: i64| to.0.saturating_sub(from.0) <= most;
        let mut admitted = 0;
        for (index, behavior) in self.waiting.iter().enumerate() {
            let time = behavior.moment.time;
            let next = self.waiting.get(index + 1);
            let confirmed = next.is_some_and(|next| near(time, next.moment.time, rules.max_jump));
            if confirmed || newest.is_some_and(|newest| near(newest, time, rules.max_lead)) {
                newest = newest.max(Some(time));
                admitted = index + 1;
            }
        }
        let accepted = self.waiting.drain(..admitted);
        self.late
            .extend(accepted.map(|b| Entry::new(&b.moment, b.id.is_some())));
        for behavior in self.waiting.split_off(self.waiting.len().min(MAX_WAITING)) {
            updates.accounts.push(Account::Rejected(behavior));
        }
    }

    /// Forgets ids from before the horizon once they are many. Whether nothing is left.
    fn forget(&mut self, horizon: Time) -> bool {
        if self.ids.len() > 2 * self.ids_kept + 8 {
            self.ids.retain(|_, moment| moment.time >= horizon);
            self.ids_kept = self.ids.len();
        }
        self.ids.is_empty() && self.waiting.is_empty()
    }
}

/// Whether the behaviour starts a new segment after the current one (Algorithm 1; an empty one ends before any).
fn starts_new(home: HomeId, current: &[Entry], entry: &Entry, rules: &Rules) -> bool {
    let (Some(first), Some(last)) = (current.first(), current.last()) else {
        return true;
    };
    is_far(first.time, last.time, entry.time, rules) && !belongs(home, current, entry, rules)
}

/// Whether the clock says that a time lies beyond the segment from `start` to `last`.
fn is_far(start: Time, last: Time, time: Time, rules: &Rules) -> bool {
    time.0 - last.0 > rules.max_gap || time.0 - start.0 > rules.max_span
}

/// The semantic checker: whether the behaviour belongs to the current segment whatever the clock says. Asked only where
/// the clock says no, so it reads back in the segment instead of keeping track of what is open.
fn belongs(home: HomeId, current: &[Entry], entry: &Entry, rules: &Rules) -> bool {
    let catalog = rules.catalogs.of(home);
    let closes = |action: ActionId| catalog.closes(action);
    match rules.checker {
        Checker::Off => false,
        Checker::Closing => !closes(entry.action).is_empty(),
        Checker::Paired => closes(entry.action).iter().any(|opened| {
            let latest = current.iter().rev().find_map(|e| {
                let again = e.action == *opened;
                (again || closes(e.action).contains(opened)).then_some(again)
            });
            latest == Some(true)
        }),
    }
}

/// Where segments lie in entries, the first of which starts one.
fn segments(entries: &[Entry]) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let (_, rest) = entries.get(from..)?.split_first()?;
        let length = rest.iter().position(|e| e.starts).unwrap_or(rest.len());
        let range = from..from + 1 + length;
        from = range.end;
        Some(range)
    })
}

fn segment(home: HomeId, entries: &[Entry]) -> Arc<Segment> {
    let moments = entries.iter().map(Entry::moment).collect();
    Arc::new(Segment { home, moments })
}

/// Whether two behaviours without ids are one.
fn same(one: &Moment, other: &Moment) -> bool {
    (one.time, one.action) == (other.time, other.action)
}
