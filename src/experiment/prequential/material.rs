//! A log that was replayed, with everything that is known of it, and which of its behaviours count.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use hearth_operators::words::Time;

use super::draws::Draws;
use super::log::{Home, Key, Log};
use super::scores::{Alarm, Scores};
use super::shifts::Shifts;

/// How long a home is only learnt.
const FIRST: i64 = 7 * Time::DAY;

/// A replay by Hearth.
pub(super) struct Replayed {
    /// Its name in tables.
    pub name: &'static str,
    pub scores: Scores,
    /// Where it writes alarms.
    pub alarms: Option<Vec<Alarm>>,
}

/// Behaviours.
pub(super) type Behaviors = HashSet<Key, RandomState>;

/// A log, and what replays said of it.
pub(super) struct Material {
    pub log: Log,
    pub replays: Vec<Replayed>,
    pub shifts: Shifts,
    /// What does not belong, where that is known.
    pub planted: Option<Behaviors>,
    /// By home: the times of the first and the last behaviour that counts.
    spans: Vec<Option<(i64, i64)>>,
}

impl Material {
    pub fn new(
        log: Log,
        replays: Vec<Replayed>,
        shifts: Shifts,
        planted: Option<Behaviors>,
    ) -> Self {
        let mut material = Material {
            spans: vec![None; log.homes()],
            log,
            replays,
            shifts,
            planted,
        };
        material.spans = material.spans();
        material
    }

    /// From when on a home counts: seven days after its first behaviour, or where every replay has begun to score, whichever is
    /// later. Behaviours after that without a score count for nobody.
    fn spans(&self) -> Vec<Option<(i64, i64)>> {
        let homes = self.log.homes();
        let mut begun = vec![i64::MAX; homes];
        let mut scored = vec![vec![i64::MAX; homes]; self.replays.len()];
        for key in self.log.keys() {
            let (home, time, _) = key;
            let home = home as usize;
            begun[home] = begun[home].min(time);
            for (replay, first) in self.replays.iter().zip(&mut scored) {
                if replay.scores.contains_key(&key) {
                    first[home] = first[home].min(time);
                }
            }
        }
        let from = |home: usize| {
            let first = scored.iter().map(|first| first[home]).max();
            begun[home]
                .saturating_add(FIRST)
                .max(first.unwrap_or(i64::MIN))
        };
        let from: Vec<i64> = (0..homes).map(from).collect();
        let mut spans: Vec<Option<(i64, i64)>> = vec![None; homes];
        for key in self.log.keys() {
            let (home, time, _) = key;
            if time >= from[home as usize] && self.is_scored(&key) {
                let (first, last) = spans[home as usize].get_or_insert((time, time));
                (*first, *last) = (time.min(*first), time.max(*last));
            }
        }
        spans
    }

    fn is_scored(&self, key: &Key) -> bool {
        self.replays
            .iter()
            .all(|replay| replay.scores.contains_key(key))
    }

    /// Whether a behaviour counts, for all methods alike.
    pub fn counts(&self, key: &Key) -> bool {
        let (home, time, _) = key;
        self.spans[*home as usize].is_some_and(|(first, _)| *time >= first) && self.is_scored(key)
    }

    pub fn is_planted(&self, key: &Key) -> bool {
        self.planted
            .as_ref()
            .is_some_and(|planted| planted.contains(key))
    }

    /// From the first to the last behaviour of a home that counts.
    pub fn span(&self, home: Home) -> Option<(i64, i64)> {
        self.spans[home as usize]
    }

    /// Homes with anything that counts, drawn within those of the same kind of shift.
    pub fn draws(&self, seed: u64) -> Draws {
        let mut groups: std::collections::BTreeMap<Option<usize>, Vec<Home>> = Default::default();
        for home in (0..self.log.homes() as Home).filter(|home| self.span(*home).is_some()) {
            groups
                .entry(self.shifts.first(home))
                .or_default()
                .push(home);
        }
        let groups: Vec<Vec<Home>> = groups.into_values().collect();
        Draws::new(self.log.homes(), &groups, seed)
    }
}
