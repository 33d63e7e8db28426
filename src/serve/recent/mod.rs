//! What of each home is shown: a view of the last lines of the outputs, bounded by home and altogether.
//!
//! The operators hold all of it, too, and could be asked by queries that flow through the dataflow. But a page is looked at by
//! whoever likes, and as often: its questions would wait for epochs, and would be asked on the workers of all homes. What people
//! look at is recent, and has passed by here anyway.

mod bell;
mod home;
mod line;
mod load;
mod shifts;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::error::RecvError;

use crate::desk::Desk;
use crate::outputs::Stream;
use crate::sinks::feed::Told;
use bell::Bell;
pub use bell::{Asked, Place, Rung};
use home::Erased;
pub use home::{Entry, Glance, Home};
use load::{Loaded, Placed};
pub use shifts::{Histogram, Shift};

/// Memory of homes' lines above which those of homes that were neither heard of nor looked at for longest are let go, in bytes.
const MEMORY: usize = 256 << 20;

/// Erasures behind which what comes late is not shown.
const ERASURES: usize = 100;

/// Homes that are known at all.
const HOMES: usize = 200_000;

/// What of each home is shown; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Recent(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    glances: BTreeMap<Arc<str>, Glance>,
    homes: HashMap<Arc<str>, Warm>,
    bell: Bell,
    /// The last erasures, by home: what comes behind them may be of before.
    erased: VecDeque<(Arc<str>, Erased)>,
    counts: Counts,
    /// Grows with everything that is touched.
    clock: u64,
    bytes: usize,
    memory: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Kept {
            glances: BTreeMap::new(),
            homes: HashMap::new(),
            bell: Bell::default(),
            erased: VecDeque::new(),
            counts: Counts::default(),
            clock: 0,
            bytes: 0,
            memory: MEMORY,
        }
    }
}

/// A home with its lines.
#[derive(Debug, Default)]
struct Warm {
    home: Home,
    touched: u64,
}

/// What is known of the view itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Homes that are known.
    pub homes: usize,
    /// Homes of which lines are kept.
    pub warm: usize,
    /// Memory of these, in bytes.
    pub bytes: usize,
    /// The newest epoch of a line that came.
    pub epoch: u64,
    /// Lines that came.
    pub lines: u64,
    /// Lines that were missed, because they came faster than they could be read, or were not as their stream has them.
    pub missed: u64,
}

impl Recent {
    /// Follows what a run writes until it ends: what is in its folder first, then what it is told. A run that goes on from before
    /// what is known has put its files back: they are read anew.
    pub(super) async fn follow(self, desk: Desk) {
        let mut feed = desk.feed.listen();
        let mut loaded = self.load(&desk).await;
        // What was told while files were read.
        let mut early = feed.len();
        loop {
            let told = tokio::select! {
                told = feed.recv() => told,
                () = desk.ending() => return,
            };
            match told {
                Ok(told) => match (loaded.place(&told), early) {
                    (Placed::New, _) => self.take(&told),
                    (Placed::Known, _) | (Placed::Before, 1..) => {}
                    (Placed::Before, 0) => {
                        self.lock().clear();
                        loaded = self.load(&desk).await;
                        early = feed.len() + 1;
                        if loaded.place(&told) == Placed::New {
                            self.take(&told);
                        }
                    }
                },
                Err(RecvError::Lagged(lines)) => self.lock().counts.missed += lines,
                Err(RecvError::Closed) => return,
            }
            early = early.saturating_sub(1);
        }
    }

    async fn load(&self, desk: &Desk) -> Loaded {
        let (recent, folder) = (self.clone(), desk.out.clone());
        let loaded = tokio::task::spawn_blocking(move || load::load(&recent, &folder)).await;
        loaded.unwrap_or_default()
    }

    /// Takes a line.
    pub fn take(&self, told: &Told) {
        let mut kept = self.lock();
        let kept = &mut *kept;
        kept.counts.lines += 1;
        kept.counts.epoch = kept.counts.epoch.max(told.epoch);
        if matches!(
            told.stream,
            Stream::Representatives | Stream::Late | Stream::Rejected
        ) {
            return;
        }
        if !kept.line(told) {
            kept.counts.missed += 1;
        }
        kept.bound();
    }

    /// What is kept of a home; nothing if it is not known. One of which no line is kept any more has its glance alone.
    pub fn home(&self, name: &str) -> Option<(Glance, Home)> {
        let mut kept = self.lock();
        let glance = *kept.glances.get(name)?;
        kept.clock += 1;
        let clock = kept.clock;
        let warm = kept.homes.get_mut(name);
        let home = warm.map(|warm| {
            warm.touched = clock;
            warm.home.clone()
        });
        Some((glance, home.unwrap_or_default()))
    }

    /// What is kept of a home, without that counting as a look at it.
    pub fn peek(&self, name: &str) -> Option<Home> {
        self.lock().homes.get(name).map(|warm| warm.home.clone())
    }

    /// Homes by name, behind the one of this name, at most so many of those whose names hold a text.
    pub fn homes(
        &self,
        behind: Option<&str>,
        holding: &str,
        most: usize,
    ) -> Vec<(Arc<str>, Glance)> {
        let kept = self.lock();
        let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
        let homes = kept.glances.range::<str, _>((from, Bound::Unbounded));
        let homes = homes.filter(|(name, _)| holding.is_empty() || name.contains(holding));
        let homes = homes.map(|(name, glance)| (name.clone(), *glance));
        homes.take(most).collect()
    }

    /// The last alarms of all homes that stand, the newest first.
    pub fn alarms(&self, most: usize) -> Vec<Arc<str>> {
        self.lock().bell.standing(most)
    }

    /// The last requests, the newest first.
    pub fn requests(&self, most: usize) -> Vec<Asked> {
        self.lock().bell.requests(most)
    }

    /// Alarms that were raised and withdrawn behind a place in their order, and what wakes when more are.
    pub fn rung(&self, behind: &Place) -> (bell::Since, tokio::sync::watch::Receiver<u64>) {
        let kept = self.lock();
        (kept.bell.since(behind), kept.bell.listen())
    }

    /// The newest place in their order.
    pub fn newest(&self) -> Place {
        self.lock().bell.newest()
    }

    /// What is known of the view itself.
    pub fn counts(&self) -> Counts {
        let kept = self.lock();
        Counts {
            homes: kept.glances.len(),
            warm: kept.homes.len(),
            bytes: kept.bytes,
            ..kept.counts
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Forgets everything; who listens for alarms listens on.
    fn clear(&mut self) {
        self.glances.clear();
        self.homes.clear();
        self.bell.clear();
        self.erased.clear();
        self.bytes = 0;
    }

    /// Takes a line of a home. Says whether it is as its stream has it.
    fn line(&mut self, told: &Told) -> bool {
        let Some(name) = line::home(&told.line) else {
            return false;
        };
        let of_home = self.erased.iter().filter(|(home, _)| **home == *name);
        let mut erased = of_home.map(|(_, erased)| erased);
        if erased.any(|erased| erased.holds(told.stream, told.epoch, &told.line)) {
            return true;
        }
        if told.stream == Stream::Erasures {
            let Ok(erased) = Erased::read(&told.line) else {
                return false;
            };
            self.erased.push_back((Arc::from(&*name), erased));
            if self.erased.len() > ERASURES {
                self.erased.pop_front();
            }
        }
        self.bell.hear(told, &name);
        // What is taken back of a home that nothing is known of was let go before.
        let takes = told.stream == Stream::Erasures
            || line::change(&told.line).is_some_and(|(diff, _)| diff < 0);
        if !self.homes.contains_key(&*name) {
            if takes || !self.glances.contains_key(&*name) && self.glances.len() >= HOMES {
                return true;
            }
            let name: Arc<str> = Arc::from(&*name);
            self.glances.entry(name.clone()).or_default();
            self.homes.insert(name, Warm::default());
        }
        self.clock += 1;
        let (Some(warm), Some(glance)) = (self.homes.get_mut(&*name), self.glances.get_mut(&*name))
        else {
            return false;
        };
        let before = warm.home.bytes;
        warm.touched = self.clock;
        let taken = warm.home.take(told.stream, &told.line, glance);
        self.bytes = (self.bytes + warm.home.bytes).saturating_sub(before);
        if warm.home.is_gone() {
            self.homes.remove(&*name);
            self.glances.remove(&*name);
        }
        taken.is_ok()
    }

    /// Lets the lines of a tenth of the homes go where all take too much.
    fn bound(&mut self) {
        if self.bytes <= self.memory {
            return;
        }
        let mut touched: Vec<u64> = self.homes.values().map(|warm| warm.touched).collect();
        touched.sort_unstable();
        let Some(&until) = touched.get(touched.len() / 10) else {
            return;
        };
        self.homes.retain(|_, warm| warm.touched > until);
        self.bytes = self.homes.values().map(|warm| warm.home.bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(stream: Stream, epoch: u64, line: &str) -> Told {
        Told {
            stream,
            epoch,
            line: line.into(),
        }
    }

    fn score(epoch: u64, device: &str) -> Told {
        let line = format!(
            r#"{{"epoch":{epoch},"home":"h","time":"2025-01-01T10:00:00Z","action":"{device}:on","score":1.0,"threshold":2.0,"anomaly":false,"predictions":[],"versions":[0,0]}}"#
        );
        told(Stream::Scores, epoch, &line)
    }

    fn erasure(epoch: u64, device: Option<&str>) -> Told {
        let device = serde_json::to_string(&device).unwrap();
        let line = format!(
            r#"{{"epoch":{epoch},"home":"h","from":null,"to":null,"device":{device},"events":1,"source":"inbox:1"}}"#
        );
        told(Stream::Erasures, epoch, &line)
    }

    fn shown(recent: &Recent) -> usize {
        recent.peek("h").map_or(0, |home| home.scores.len())
    }

    /// A stream may be behind that of the erasures.
    #[test]
    fn what_was_erased_does_not_come_back_behind_the_erasure() {
        for device in [None, Some("TV")] {
            let recent = Recent::default();
            recent.take(&score(1, "TV"));
            recent.take(&erasure(5, device));
            assert_eq!((shown(&recent), recent.counts().missed), (0, 0));
            recent.take(&score(4, "TV"));
            assert_eq!(shown(&recent), 0);
            recent.take(&score(4, "Lamp"));
            assert_eq!(shown(&recent), usize::from(device.is_some()));
            recent.take(&score(6, "TV"));
            assert_eq!(shown(&recent), 1 + usize::from(device.is_some()));
        }
    }
}
