//! Alarms of all homes in the order in which they were raised and withdrawn, for whoever listens and comes back; and the last
//! requests.

use std::collections::{BTreeMap, VecDeque};
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use super::line;
use crate::outputs::{AlarmLine, RequestLine, ShiftLine, Stamp, Stream, VerdictLine};
use crate::sinks::feed::Told;

/// What was raised or withdrawn and can still be told to who comes back.
const RUNG: usize = 2_000;

/// Requests that are kept.
const REQUESTS: usize = 200;

/// What is known of a request.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// Its name.
    pub request: String,
    /// Whose it is.
    pub home: String,
    /// The epoch in which it was made.
    pub epoch: u64,
    /// The shift that it is for.
    pub shift: ShiftLine<'static>,
    /// Weekday of its representatives.
    pub weekday: String,
    /// How many of them it shows.
    pub representatives: usize,
    /// Sequences of the answer that were let through, and those that were not; none where no answer was judged yet.
    pub retained: u32,
    /// See `retained`.
    pub deleted: u32,
}

/// An alarm that was raised, or withdrawn.
#[derive(Clone, Debug)]
pub struct Rung {
    /// Its place in the order.
    pub place: Place,
    /// Whether it was raised: else it was withdrawn.
    pub raised: bool,
    /// The line of an alarm that was raised; of one that was withdrawn only which it is, for what it told may have been erased.
    pub line: Arc<str>,
    home: Arc<str>,
    alarm: Stamp,
}

/// A place in the order: which run of the server counts, how far, and in which epoch of the dataflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    boot: u64,
    number: u64,
    epoch: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}-{}-{}", self.boot, self.number, self.epoch)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.trim().splitn(3, '-');
        let mut part = || parts.next().ok_or(());
        Ok(Place {
            boot: u64::from_str_radix(part()?, 16).map_err(|_| ())?,
            number: part()?.parse().map_err(|_| ())?,
            epoch: part()?.parse().map_err(|_| ())?,
        })
    }
}

/// What came behind a place.
#[derive(Clone, Debug)]
pub struct Since {
    /// In their order.
    pub rung: Vec<Rung>,
    /// Whether something before them is not known any more.
    pub missing: bool,
    /// The newest place.
    pub newest: Place,
}

/// See [the module](self).
#[derive(Debug)]
pub(super) struct Bell {
    rung: VecDeque<Rung>,
    newest: Place,
    requests: VecDeque<Asked>,
    wake: watch::Sender<u64>,
}

impl Default for Bell {
    fn default() -> Self {
        Bell {
            rung: VecDeque::new(),
            newest: Place {
                boot: rand::random::<u64>() | 1,
                ..Place::default()
            },
            requests: VecDeque::new(),
            wake: watch::channel(0).0,
        }
    }
}

impl Bell {
    /// Forgets what was rung and asked; the order goes on.
    pub fn clear(&mut self) {
        self.rung.clear();
        self.requests.clear();
    }

    /// Takes a line of any stream.
    pub fn hear(&mut self, told: &Told, home: &str) {
        match told.stream {
            Stream::Alarms => self.ring(told),
            Stream::Requests => self.ask(told),
            Stream::Verdicts => self.answer(told),
            Stream::Erasures => self.forget(told, home),
            _ => {}
        }
    }

    fn ring(&mut self, told: &Told) {
        let (Ok(alarm), Some((diff, rest))) = (
            serde_json::from_str::<AlarmLine<'_>>(&told.line),
            line::change(&told.line),
        ) else {
            return;
        };
        self.newest.number += 1;
        self.newest.epoch = told.epoch;
        let mut line = told.line.clone();
        if diff < 0 {
            let same = |it: &Rung| line::change(&it.line).is_some_and(|(_, its)| its == rest);
            self.rung.retain(|it| !(it.raised && same(it)));
            let withdrawn = serde_json::json!({
                "epoch": told.epoch, "diff": diff, "alarm": alarm.alarm, "home": alarm.home
            });
            line = Arc::from(withdrawn.to_string());
        }
        self.rung.push_back(Rung {
            place: self.newest,
            raised: diff > 0,
            line,
            home: Arc::from(&*alarm.home),
            alarm: alarm.alarm,
        });
        if self.rung.len() > RUNG {
            self.rung.pop_front();
        }
        self.wake.send_replace(self.newest.number);
    }

    fn ask(&mut self, told: &Told) {
        let Ok(line) = serde_json::from_str::<RequestLine<'_>>(&told.line) else {
            return;
        };
        self.requests.push_back(Asked {
            request: line.request.into_owned(),
            home: line.home.into_owned(),
            epoch: line.epoch,
            shift: ShiftLine {
                kind: line.shift.kind,
                from: line.shift.from.into_owned().into(),
                to: line.shift.to.into_owned().into(),
                time: line.shift.time,
            },
            weekday: line.weekday.into_owned(),
            representatives: line.representatives.len(),
            retained: 0,
            deleted: 0,
        });
        if self.requests.len() > REQUESTS {
            self.requests.pop_front();
        }
    }

    fn answer(&mut self, told: &Told) {
        let Ok(line) = serde_json::from_str::<VerdictLine<'_>>(&told.line) else {
            return;
        };
        let mut requests = self.requests.iter_mut().rev();
        if let Some(asked) = requests.find(|asked| asked.request == line.request) {
            match line.verdict {
                crate::outputs::Judgement::Retain => asked.retained += 1,
                crate::outputs::Judgement::Delete => asked.deleted += 1,
            }
        }
    }

    /// Of a home that is erased nothing is told any more. Of a part of its past, alarms are withdrawn one by one.
    fn forget(&mut self, told: &Told, home: &str) {
        let Ok(line) = serde_json::from_str::<crate::outputs::ErasureLine<'_>>(&told.line) else {
            return;
        };
        if line.from.is_none() && line.to.is_none() && line.device.is_none() {
            self.rung.retain(|it| &*it.home != home);
            self.requests.retain(|asked| asked.home != home);
        }
    }

    /// The last that stand, the newest first.
    pub fn standing(&self, most: usize) -> Vec<Arc<str>> {
        // An alarm that changes within its segment is withdrawn and raised anew: each stands once.
        let mut seen: BTreeMap<(&str, Stamp), ()> = BTreeMap::new();
        let raised = self.rung.iter().rev().filter(|it| it.raised);
        let first = raised.filter(|it| seen.insert((&it.home, it.alarm), ()).is_none());
        first.take(most).map(|it| it.line.clone()).collect()
    }

    /// The last ones, the newest first.
    pub fn requests(&self, most: usize) -> Vec<Asked> {
        self.requests.iter().rev().take(most).cloned().collect()
    }

    /// What came behind a place. Of a place that another run of the server named, all of its epoch is told again.
    pub fn since(&self, behind: &Place) -> Since {
        let came = |it: &&Rung| match behind.boot == self.newest.boot {
            true => it.place.number > behind.number,
            false => it.place.epoch >= behind.epoch,
        };
        let first = self.rung.front().map(|it| it.place);
        let missing = first.is_some_and(|first| match behind.boot == self.newest.boot {
            true => behind.number + 1 < first.number && self.rung.len() >= RUNG,
            false => behind.epoch < first.epoch,
        });
        Since {
            rung: self.rung.iter().filter(came).cloned().collect(),
            missing,
            newest: self.newest,
        }
    }

    /// The newest place.
    pub fn newest(&self) -> Place {
        self.newest
    }

    /// Wakes when something is rung.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }
}
