//! What a replay cut: the segments that hold in the end, in the order in which they were known.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use hearth_operators::words::{Hours, Time};

use crate::evaluate::{Interner, Places};
use crate::outputs::read::{each, line};
use crate::outputs::{SegmentLine, Stamp, Stream};

/// A home, by the place of its name in the alphabet.
pub(super) type Home = u32;
/// An action (`Device:action`), by the place of its name in the alphabet.
pub(super) type Action = u32;
/// Home, time in microseconds, action: the identity of a behaviour.
pub(super) type Key = (Home, i64, Action);

/// A behaviour of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Behavior {
    /// Microseconds since 1970.
    pub time: i64,
    pub action: Action,
    /// Three-hour bucket of the local clock.
    pub hours: Hours,
    /// Saturday or Sunday.
    pub weekend: bool,
    /// Local days since 1970.
    pub day: i64,
}

impl Behavior {
    pub fn new(stamp: Stamp, action: Action) -> Self {
        let Stamp { time, offset } = stamp;
        let (weekday, hours) = time.local(offset);
        let local = time.0 + i64::from(offset) * 60 * Time::SECOND;
        Behavior {
            time: time.0,
            action,
            hours,
            weekend: weekday >= 5,
            day: local.div_euclid(Time::DAY),
        }
    }
}

/// Behaviours that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Since when it is as it stands.
    pub epoch: u64,
    pub home: Home,
    /// In order of time; never none.
    pub behaviors: Vec<Behavior>,
}

impl Segment {
    pub fn first(&self) -> &Behavior {
        &self.behaviors[0]
    }

    pub fn last(&self) -> &Behavior {
        &self.behaviors[self.behaviors.len() - 1]
    }

    pub fn keys(&self) -> impl Iterator<Item = Key> {
        let key = |b: &Behavior| (self.home, b.time, b.action);
        self.behaviors.iter().map(key)
    }
}

/// The segments of a run. Nothing in it depends on the order of lines within an epoch.
pub(super) struct Log {
    homes: Places,
    actions: Places,
    /// In order of epochs, then homes, then time.
    pub segments: Vec<Segment>,
}

impl Log {
    /// Reads the segments of an output folder.
    ///
    /// # Errors
    /// The file cannot be read, holds a damaged line, or takes back what was never there.
    pub fn read(dir: &Path) -> Result<Self> {
        let (mut homes, mut actions) = (Interner::default(), Interner::default());
        // How often each segment is there, and since when.
        let mut held: BTreeMap<(Home, Vec<Behavior>), (i64, u64)> = BTreeMap::new();
        each(dir, Stream::Segments, |text| {
            let line: SegmentLine<'_> = line(text)?;
            let home = homes.intern(&line.home);
            let behavior = |b: &crate::outputs::BehaviorLine<'_>| {
                Behavior::new(b.time, actions.intern(&b.action))
            };
            let behaviors: Vec<Behavior> = line.behaviors.iter().map(behavior).collect();
            let (count, since) = held.entry((home, behaviors)).or_default();
            *count += line.diff;
            if line.diff > 0 {
                *since = (*since).max(line.epoch);
            }
            Ok(())
        })?;
        if held.values().any(|(count, _)| *count < 0) {
            bail!(
                "{}: a segment is taken back that was never there: the file is incomplete",
                Stream::Segments.found(dir).display()
            );
        }
        let (homes, actions) = (homes.places(), actions.places());
        let standing = held
            .into_iter()
            .filter(|((_, b), (count, _))| *count > 0 && !b.is_empty());
        let mut segments: Vec<Segment> = standing
            .map(|((home, mut behaviors), (_, epoch))| {
                for behavior in &mut behaviors {
                    behavior.action = actions.renamed(behavior.action);
                }
                Segment {
                    epoch,
                    home: homes.renamed(home),
                    behaviors,
                }
            })
            .collect();
        segments.sort_unstable_by_key(|s| (s.epoch, s.home, s.first().time));
        Ok(Log {
            homes,
            actions,
            segments,
        })
    }

    /// How many homes there are.
    pub fn homes(&self) -> usize {
        self.homes.len()
    }

    /// How many different actions there are, of all homes.
    pub fn actions(&self) -> usize {
        self.actions.len()
    }

    /// All behaviours, in the order of the segments.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.segments.iter().flat_map(Segment::keys)
    }

    pub fn home(&self, name: &str) -> Option<Home> {
        self.homes.place(name)
    }

    pub fn action(&self, name: &str) -> Option<Action> {
        self.actions.place(name)
    }

    /// A behaviour by its names, where the run knows both.
    pub fn key(&self, home: &str, time: i64, action: &str) -> Option<Key> {
        Some((self.home(home)?, time, self.action(action)?))
    }
}
