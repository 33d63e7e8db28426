//! The plain loop: what a program without Hearth would be for a log that is in order, and what Hearth is measured against.
//!
//! One thread, one pass, a table by home. It has the incremental path's duties: it knows duplicates, splits by the same
//! rules, counts transitions, keeps each home's segments (a shift that is declared later asks for them) and hands
//! over each change. What it need not do, as the log is in order: keep a horizon's worth of behaviours, revise
//! segments, be told of the end of an epoch, share the work.
//!
//! It counts transitions in a table of each home, as such a program would. Hearth keeps none: it hands over how counts
//! change, and counts when a regime ends, in the segments that it keeps anyhow. A loop that has learnt this of Hearth is
//! measured too, so that nobody need guess what it gives.

use std::collections::{HashMap, HashSet};

use foldhash::fast::{FixedState, RandomState};
use hearth_operators::split::{Checker, Rules};
use hearth_operators::words::{ActionId, Behavior, HomeId, Moment, Time};

use super::totals::{Digest, Totals};

/// Edge, in one number, to count.
type Counts = HashMap<u32, i32, FixedState>;

/// The loop's state.
pub struct Plain {
    rules: Rules,
    /// Whether the counts of transitions are kept, and not just handed over.
    counting: bool,
    /// By [`HomeId`].
    homes: Vec<Home>,
    totals: Totals,
    digest: Option<Digest>,
}

#[derive(Default)]
struct Home {
    /// The segment that is being filled.
    current: Vec<Moment>,
    /// What happened without an id at the newest time.
    newest: Vec<ActionId>,
    segments: Vec<Box<[Moment]>>,
    counts: Counts,
    ids: HashSet<Box<str>, RandomState>,
}

impl Plain {
    /// A loop that has seen nothing; with `counting` it keeps the counts of transitions, with `digest` it also sums up
    /// what it hands over, to be compared.
    pub fn new(rules: Rules, counting: bool, digest: bool) -> Self {
        Plain {
            rules,
            counting,
            homes: Vec::new(),
            totals: Totals::default(),
            digest: digest.then(Digest::default),
        }
    }

    /// Takes in the next events of the log.
    ///
    /// # Errors
    /// One is older than its home's newest: this loop reads logs in order.
    pub fn take(&mut self, events: impl IntoIterator<Item = Behavior>) -> anyhow::Result<()> {
        for event in events {
            let index = event.home.0 as usize;
            if index >= self.homes.len() {
                self.homes.resize_with(index + 1, Home::default);
            }
            let home = &mut self.homes[index];
            let moment = event.moment;
            let last = home.current.last().map(|last| last.time);
            anyhow::ensure!(
                last <= Some(moment.time),
                "line {} is older than an earlier one of its home; the plain loop reads logs in order",
                event.line.line
            );
            if last < Some(moment.time) {
                home.newest.clear();
            }
            if home.duplicate(&moment, event.id) {
                self.totals.duplicate += 1;
                continue;
            }
            self.totals.applied += 1;
            if home.ends_before(event.home, &moment, &self.rules) {
                if self.counting {
                    home.count();
                }
                home.hand_over(event.home, &mut self.totals, self.digest.as_mut());
            }
            home.current.push(moment);
        }
        Ok(())
    }

    /// The log has ended. What was handed over, in all.
    pub fn finish(mut self) -> Totals {
        for (index, home) in self.homes.iter_mut().enumerate() {
            if !home.current.is_empty() {
                let id = HomeId(index as u32);
                if self.counting {
                    home.count();
                }
                home.hand_over(id, &mut self.totals, self.digest.as_mut());
            }
        }
        self.totals.digest = self.digest.map_or(0, Digest::value);
        self.totals
    }
}

impl Home {
    /// Whether the event was there already; if not, its identity is kept.
    fn duplicate(&mut self, moment: &Moment, id: Option<Box<str>>) -> bool {
        match id {
            Some(id) => !self.ids.insert(id),
            None if self.newest.contains(&moment.action) => true,
            None => {
                self.newest.push(moment.action);
                false
            }
        }
    }

    /// Whether the behaviour starts a new segment.
    fn ends_before(&self, id: HomeId, moment: &Moment, rules: &Rules) -> bool {
        let (Some(first), Some(last)) = (self.current.first(), self.current.last()) else {
            return false;
        };
        let far = |from: Time, limit: i64| moment.time.0 - from.0 > limit;
        (far(last.time, rules.max_gap) || far(first.time, rules.max_span))
            && !self.belongs(id, moment, rules)
    }

    fn belongs(&self, id: HomeId, moment: &Moment, rules: &Rules) -> bool {
        let catalog = rules.catalogs.of(id);
        let closes = catalog.closes(moment.action);
        match rules.checker {
            Checker::Off => false,
            Checker::Closing => !closes.is_empty(),
            Checker::Paired => closes.iter().any(|opened| {
                let since = self.current.iter().rev();
                let mut told = since.filter_map(|m| {
                    let again = m.action == *opened;
                    (again || catalog.closes(m.action).contains(opened)).then_some(again)
                });
                told.next() == Some(true)
            }),
        }
    }

    /// Counts the transitions of the current segment, which is complete.
    fn count(&mut self) {
        for pair in self.current.windows(2) {
            let key = u32::from(pair[0].action.0) << 16 | u32::from(pair[1].action.0);
            *self.counts.entry(key).or_default() += 1;
        }
    }

    /// The current segment is complete.
    fn hand_over(&mut self, id: HomeId, totals: &mut Totals, mut digest: Option<&mut Digest>) {
        let segment: Box<[Moment]> = self.current.as_slice().into();
        for pair in segment.windows(2) {
            let edge = (pair[0].action, pair[1].action);
            totals.transition(1);
            if let Some(digest) = &mut digest {
                digest.transition(id, edge, 1);
            }
        }
        totals.segment(1);
        if let Some(digest) = &mut digest {
            digest.segment(id, &segment, 1);
        }
        self.segments.push(segment);
        self.current.clear();
    }
}
