//! An interpolated n-gram (Witten and Bell's smoothing), and what becomes of it if it learns now and then instead of always.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use hearth_operators::words::Time;

use super::super::log::{Action, Behavior, Home, Segment};
use super::chain::chain;
use super::counts::{Counts, Pooled};
use super::places::{Context, Place};
use super::{Opening, Predictor};

const WEEK: i64 = 7 * Time::DAY;

/// What a model knows of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// All of it, always.
    Everything,
    /// The home's first seven days.
    FirstWeek,
    /// The last seven days.
    LastWeek,
    /// All of it until last midnight.
    Daily,
}

/// What a segment adds to the counts.
struct Learnt {
    /// When the segment began.
    began: i64,
    /// Its last behaviour's local day.
    day: i64,
    counted: Vec<(Vec<Context>, Action)>,
}

/// A home's own counts.
pub(super) struct Ngram {
    name: &'static str,
    memory: Memory,
    counts: Counts,
    /// Where the memory has an end: segments that are learnt (or, daily, that wait to be), oldest first.
    kept: HashMap<Home, VecDeque<Learnt>, RandomState>,
    /// When each home's first segment began.
    began: HashMap<Home, i64, RandomState>,
}

impl Ngram {
    pub fn new(name: &'static str, memory: Memory) -> Self {
        Ngram {
            name,
            memory,
            counts: Counts::default(),
            kept: HashMap::default(),
            began: HashMap::default(),
        }
    }

    fn count(&mut self, home: Home, learnt: &Learnt) {
        for (contexts, action) in &learnt.counted {
            for context in contexts {
                self.counts.learn(home, context.clone(), *action);
            }
        }
    }

    fn forget(&mut self, home: Home, learnt: &Learnt) {
        for (contexts, action) in &learnt.counted {
            for context in contexts {
                self.counts.take_back(home, context, *action);
            }
        }
    }
}

impl Predictor for Ngram {
    fn name(&self) -> &'static str {
        self.name
    }

    fn begin(&mut self, segment: &Opening) {
        let &Opening {
            home, time, day, ..
        } = segment;
        self.began.entry(home).or_insert(time);
        let ripe = |learnt: &Learnt| match self.memory {
            Memory::LastWeek => learnt.began < time - WEEK,
            Memory::Daily => learnt.day < day,
            Memory::Everything | Memory::FirstWeek => false,
        };
        let kept = self.kept.entry(home).or_default();
        let count = kept.iter().take_while(|learnt| ripe(learnt)).count();
        let ripe: Vec<Learnt> = kept.drain(..count).collect();
        for learnt in &ripe {
            if self.memory == Memory::Daily {
                self.count(home, learnt);
            } else {
                self.forget(home, learnt);
            }
        }
    }

    fn predict(&mut self, place: &Place<'_>, scores: &mut [f64]) {
        scores.fill(1.0 / scores.len() as f64);
        self.counts.smooth(place.home, &chain(place), scores);
    }

    fn learn(&mut self, segment: &Segment, earlier: Option<&Behavior>) {
        let home = segment.home;
        let places = Place::of(segment, earlier);
        let learnt = Learnt {
            began: segment.first().time,
            day: segment.last().day,
            counted: places
                .map(|(place, action)| (chain(&place), action))
                .collect(),
        };
        match self.memory {
            Memory::Everything => self.count(home, &learnt),
            Memory::FirstWeek => {
                let began = self.began.get(&home).copied().unwrap_or(learnt.began);
                if segment.last().time < began + WEEK {
                    self.count(home, &learnt);
                }
            }
            Memory::LastWeek => {
                self.count(home, &learnt);
                self.kept.entry(home).or_default().push_back(learnt);
            }
            Memory::Daily => self.kept.entry(home).or_default().push_back(learnt),
        }
    }
}

/// The cohort's chain of counts, and a home's own over it.
#[derive(Default)]
pub(super) struct OverCohort {
    home: Counts,
    cohort: Pooled,
}

impl Predictor for OverCohort {
    fn name(&self) -> &'static str {
        "n-gram, home over cohort, online"
    }

    fn begin(&mut self, segment: &Opening) {
        self.cohort.enter(segment.epoch);
    }

    fn predict(&mut self, place: &Place<'_>, scores: &mut [f64]) {
        let chain = chain(place);
        scores.fill(1.0 / scores.len() as f64);
        self.cohort.smooth(&chain, scores);
        self.home.smooth(place.home, &chain, scores);
    }

    fn learn(&mut self, segment: &Segment, earlier: Option<&Behavior>) {
        for (place, action) in Place::of(segment, earlier) {
            for context in chain(&place) {
                self.cohort.learn(context.clone(), action);
                self.home.learn(segment.home, context, action);
            }
        }
    }
}
