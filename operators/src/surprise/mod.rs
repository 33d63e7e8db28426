//! Surprise: how far a behaviour is from what its home is in the habit of doing. The home's detector.
//!
//! A segment is judged whole, when it is closed: what comes after a behaviour in it says as much as what came before. A
//! behaviour's surprise, in nats, is a sum of [parts](Part):
//!
//! - *order*: half the surprise of the action after what came before it, half that of it before what comes after it, and half
//!   of how much worse what comes after it fits with it than without it (an action that does not belong breaks its
//!   neighbours apart); after a shift also by how much seldomer (or oftener) the action comes since then,
//! - *hour*: its three-hour bucket, given the action; after a shift by what happened since then over what was known before,
//! - *state*: the action, given the last one of its device: nothing is switched off that is not on,
//! - *repetition*: how often the action was repeated right before, and half of how long each behaviour has done what the one two
//!   before it did: what is too ordinary, nothing but the most frequent action or a device that goes on and off, is no more usual
//!   than what is rare,
//! - *pace*: half the surprise of the pause before it, half that of the pause after it, given the action.
//!
//! Of the last behaviour of a segment that is still open nobody knows what comes after it: then the halves that look back are all there is.
//!
//! Each is minus the logarithm of a probability by Witten and Bell: the home's counts over those of its cohort, the particular
//! over the general. The counts are a function of the segments that stand, whatever the order in which they came and went:
//! a segment that is taken back leaves nothing behind.
//!
//! A behaviour costs about a microsecond to judge and as much to learn; a home takes some two hundred bytes an action that it
//! has and a few a pair of actions that followed each other.

mod counts;
mod devices;
mod lately;
mod situation;
mod table;

use serde::{Deserialize, Serialize};

use counts::Whose;
pub use counts::{Changes, Counts};
pub use situation::{Situation, Trait, pause_from};
pub use table::Share;

use crate::habits::Vocabulary;
use crate::words::{ActionId, Segment, Time};
use devices::Devices;
use lately::{BINS, Lately, Regime};

/// What a behaviour can be surprising by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Part {
    /// What it does, between what came before it and what comes after it.
    Order,
    /// When it happens.
    Hour,
    /// What it does, given what its device did last.
    State,
    /// How often it is repeated.
    Repetition,
    /// The pauses around it.
    Pace,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 5] = [
        Part::Order,
        Part::Hour,
        Part::State,
        Part::Repetition,
        Part::Pace,
    ];
}

/// How surprising a behaviour is, in nats, by [`Part`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Surprise([f32; Part::ALL.len()]);

impl Surprise {
    /// Of these parts.
    pub fn new(parts: [f32; Part::ALL.len()]) -> Self {
        Surprise(parts)
    }

    /// One part of it.
    pub fn of(&self, part: Part) -> f32 {
        self.0[part as usize]
    }

    /// All of it: the behaviour's anomaly score.
    pub fn total(&self) -> f32 {
        self.0.iter().sum()
    }
}

/// What a home is in the habit of doing, as its detector knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detector {
    counts: Counts,
    lately: Lately,
    devices: Devices,
    /// When the first final segment that is counted started.
    since: Option<Time>,
}

/// How much how often an action comes since a shift tells.
const CHANGED: f32 = 1.5;

/// What a home's counts hold at most of final segments (some 300 KiB). What has more is no habit: it is counted anew.
const MOST: usize = 1 << 15;

impl Detector {
    /// Judges a segment's behaviours by what is known, in a regime (0: the home's first); learns nothing.
    pub fn judge(
        &self,
        words: &Vocabulary<'_>,
        cohort: &Counts,
        segment: &Segment,
        regime: u32,
    ) -> Vec<Surprise> {
        let over = Over {
            words,
            home: &self.counts,
            lately: self.lately.current(regime),
            cohort,
        };
        let situations = self.situations(words, segment);
        situations.iter().map(|s| over.surprise(s)).collect()
    }

    /// Judges the behaviours of a segment that is open, from a position on, by what is known: what will come after the last one is not, so
    /// that is no part of its surprise. Of regimes the newest is meant that has a segment. Costs a look back for what each one's
    /// device did last.
    pub fn judge_open(
        &self,
        words: &Vocabulary<'_>,
        cohort: &Counts,
        segment: &Segment,
        from: usize,
    ) -> Vec<Surprise> {
        let over = Over {
            words,
            home: &self.counts,
            lately: self.lately.newest(),
            cohort,
        };
        let situations = self.open_situations(words, segment, from);
        situations.iter().map(|s| over.surprise(s)).collect()
    }

    /// The behaviours of a segment that is open where they stand, from a position on.
    pub fn open_situations(
        &self,
        words: &Vocabulary<'_>,
        segment: &Segment,
        from: usize,
    ) -> Vec<Situation> {
        let situations = Situation::since(words.catalog(), &segment.moments, from, true);
        self.with_devices(words, segment, situations)
    }

    /// A segment's behaviours where they stand, with the last action of each one's device also from before the segment.
    pub fn situations(&self, words: &Vocabulary<'_>, segment: &Segment) -> Vec<Situation> {
        let situations = Situation::all(words.catalog(), &segment.moments);
        self.with_devices(words, segment, situations)
    }

    fn with_devices(
        &self,
        words: &Vocabulary<'_>,
        segment: &Segment,
        mut situations: Vec<Situation>,
    ) -> Vec<Situation> {
        for s in situations.iter_mut().filter(|s| s.device.is_none()) {
            let device = words.device_of(s.action);
            s.device = self.devices.last(segment.start(), device);
        }
        situations
    }

    /// Learns a segment, in a regime.
    pub fn learn(&mut self, words: &Vocabulary<'_>, segment: &Segment, regime: u32) {
        self.count(words, segment, regime, 1);
        self.devices.add(words.catalog(), segment, regime);
    }

    /// Takes back what learning a segment did; false if it is not there, or final.
    pub fn retract(&mut self, words: &Vocabulary<'_>, segment: &Segment) -> bool {
        let regime = self.devices.remove(segment);
        if let Some(regime) = regime {
            self.count(words, segment, regime, -1);
        }
        regime.is_some()
    }

    /// A segment that was learnt, final or not, leaves a regime (`diff` -1), or comes into one (1): a shift was declared after it.
    pub fn relabel(&mut self, segment: &Segment, regime: u32, diff: i32) {
        self.lately.count(segment, regime, diff);
        if diff > 0 {
            self.devices.relabel(segment, regime);
        }
    }

    /// The segments whose next one starts before are final. A home in which too many different things happened is counted anew, from its
    /// segments that are not: whether it is follows from the final ones alone.
    pub fn settle(&mut self, words: &Vocabulary<'_>, before: Time) {
        let Some((first, regime)) = self.devices.settle(before) else {
            return;
        };
        self.since = self.since.or(Some(first));
        self.lately.settle(regime);
        if self.counts.size() > MOST {
            self.count_open(words, -1);
            if self.counts.size() > MOST {
                (self.counts, self.lately, self.since) = Default::default();
            }
            self.count_open(words, 1);
        }
    }

    fn count_open(&mut self, words: &Vocabulary<'_>, diff: i32) {
        let open: Vec<_> = self.devices.open().map(|(s, of)| (s.clone(), of)).collect();
        for (segment, regime) in &open {
            self.count(words, segment, *regime, diff);
        }
    }

    fn count(&mut self, words: &Vocabulary<'_>, segment: &Segment, regime: u32, diff: i32) {
        self.counts.count(words, segment, diff);
        self.lately.count(segment, regime, diff);
    }

    /// When the first segment that is counted started.
    pub fn since(&self) -> Option<Time> {
        let open = || {
            self.devices
                .open()
                .next()
                .map(|(segment, _)| segment.start())
        };
        self.since.or_else(open)
    }

    /// Bytes that it takes beside itself, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.counts.bytes() + self.lately.bytes() + self.devices.bytes()
    }

    /// What is counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// A home's counts over its cohort's.
struct Over<'a> {
    words: &'a Vocabulary<'a>,
    home: &'a Counts,
    /// The current regime's, after a shift.
    lately: Option<&'a Regime>,
    cohort: &'a Counts,
}

impl Over<'_> {
    fn surprise(&self, s: &Situation) -> Surprise {
        let action = Some(s.action);
        let ahead = self.after(s.before, action);
        let bin = |of: Trait| -self.bin(of, s).ln();
        let (order, pace) = match s.open {
            true => (-ahead.ln() / 2.0, bin(Trait::PauseBefore) / 2.0),
            false => (self.order(s, ahead), self.pace(s)),
        };
        Surprise([
            order - CHANGED * self.change(s.action).ln(),
            -self.hours(s).ln(),
            -self.state(s).ln(),
            bin(Trait::Run) + bin(Trait::Turns) / 2.0,
            pace,
        ])
    }

    /// `ahead`: the probability of the action after what came before it.
    fn order(&self, s: &Situation, ahead: f32) -> f32 {
        let action = Some(s.action);
        let back = self.before(s.after, action);
        let apart = self.after(s.before, s.after) / self.after(action, s.after);
        (apart / (ahead * back)).ln() / 2.0
    }

    /// How many times as often as before the shift the action comes since then.
    fn change(&self, action: ActionId) -> f32 {
        self.lately.map_or(1.0, |lately| {
            let known = self.home.any(Some(action));
            lately.change(action, (known.seen, known.times))
        })
    }

    fn pace(&self, s: &Situation) -> f32 {
        let bin = |of: Trait| -self.bin(of, s).ln();
        f32::midpoint(bin(Trait::PauseBefore), bin(Trait::PauseAfter))
    }

    fn named(&self, action: Option<ActionId>) -> Option<ActionId> {
        action.map(|action| self.words.to_cohort(action))
    }

    /// The probability of an action, or the end, right after another one, or the beginning.
    fn after(&self, before: Option<ActionId>, action: Option<ActionId>) -> f32 {
        let [b, a] = [before, action].map(|action| self.named(action));
        let general = self.cohort.any(a).over(self.guess());
        let general = self.cohort.after(b, a).over(general);
        let general = self.home.any(action).over(general);
        self.home.after(before, action).over(general)
    }

    /// The same backwards.
    fn before(&self, after: Option<ActionId>, action: Option<ActionId>) -> f32 {
        let [b, a] = [after, action].map(|action| self.named(action));
        let general = self.cohort.any(a).over(self.guess());
        let general = self.cohort.before(b, a).over(general);
        let general = self.home.any(action).over(general);
        self.home.before(after, action).over(general)
    }

    /// An action or a border, where nothing is known.
    fn guess(&self) -> f32 {
        1.0 / (self.words.actions() + 1) as f32
    }

    /// The probability of a bin, given the action.
    fn bin(&self, of: Trait, s: &Situation) -> f32 {
        let bin = s.bin(of);
        let general = self.cohort.bin_of_all(of, bin);
        let general = general.over(1.0 / of.bins() as f32);
        let named = self.words.to_cohort(s.action);
        let general = self.cohort.bin(named, of, bin).over(general);
        self.home.bin(s.action, of, bin).over(general)
    }

    /// The probability of its hours, given the action.
    fn hours(&self, s: &Situation) -> f32 {
        let Some(lately) = self.lately else {
            return self.bin(Trait::Hours, s);
        };
        let named = self.words.to_cohort(s.action);
        let (of, all) = (Trait::Hours, self.home.bins_of_all(Trait::Hours));
        let general = over(&self.cohort.bins_of_all(of), [1.0 / BINS as f32; BINS]);
        let general = over(&self.cohort.bins(named, of), general);
        let known = over(&self.home.bins(s.action, of), general);
        lately.hours(s.action, known, &all)[usize::from(s.bin(of))]
    }

    /// The probability of an action among those of its device, given the last one of it.
    fn state(&self, s: &Situation) -> f32 {
        let device = self.words.catalog().devices();
        let device = &device[usize::from(self.words.device_of(s.action).0)];
        let guess = 1.0 / device.actions.len() as f32;
        let share = |counts: &Counts, whose: Whose| {
            let action = whose.action(self.words, s.action);
            match s.device {
                Some(last) => counts.device(whose.action(self.words, last), action),
                None => counts.first(whose.device(self.words, s.action), action),
            }
        };
        let general = share(self.cohort, Whose::Cohort).over(guess);
        share(self.home, Whose::Home).over(general)
    }
}

/// The probabilities of bins as [`Share::over`] has each of them; no bins where nothing was seen.
fn over(bins: &[u32], general: [f32; BINS]) -> [f32; BINS] {
    let times = bins.iter().sum();
    let kinds = bins.iter().filter(|n| **n > 0).count() as u32;
    std::array::from_fn(|bin| {
        let seen = bins.get(bin).copied().unwrap_or(0);
        Share { seen, times, kinds }.over(general[bin])
    })
}

#[cfg(test)]
mod tests;
