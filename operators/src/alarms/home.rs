//! The alarms of one home.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Budget;
use super::level::Level;
use super::tails::{Tail, TailChanges, Tails};
use crate::surprise::{Part, Surprise};
use crate::words::{ActionId, Segment, Time};

/// How long a home is learnt in silence, and how many days with segments that takes.
const LEARNING: i64 = 5 * Time::DAY;
const LEARNING_DAYS: usize = 5;
/// How many days with segments the level follows: the latest.
const DAYS: usize = 64;
/// A home in which nothing happens for longer is not there: no alarm was spared meanwhile.
const AWAY: i64 = 7 * Time::DAY;
/// How strongly alarms spent too early, or not at all, tell on how seldom the next must be: by a factor of e to so many
/// times the alarms, of which at most so many count.
const GAIN: f32 = 2.0;
const MOST_DEBT: f32 = 2.0;
/// As so much of an alarm counts that a young home's threshold rests on few days, so that the first one is not early.
const HEAD: f32 = 0.1;
/// A part of a behaviour's surprise that speaks for an alarm has at least so many nats.
const TELLING: f32 = 3.0;
/// How many alarms can still be called fine: the latest, and those that were.
const RAISED: usize = 64;

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Positions of the anomalous behaviours in their segment.
    pub behaviors: Vec<usize>,
    /// The greatest score among them.
    pub score: f32,
    /// What it is above.
    pub threshold: f32,
    /// In how many days such a score is reached once, in this home.
    pub once_in_days: f32,
    /// 1 (as rare as the budget asks for) to 3 (sixteen times as rare or more).
    pub severity: u8,
}

/// What is said of a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// A behaviour's [score](Alarms::score) above this is an anomaly; none while the home is being learnt.
    pub threshold: Option<f32>,
    /// The alarm, where there is one.
    pub alarm: Option<Alarm>,
    /// What the segment will add to what is known.
    record: Record,
    /// What is fine if the alarm is.
    telling: Vec<(ActionId, Part)>,
}

impl Verdict {
    /// Nobody is called.
    pub fn hush(&mut self) {
        self.alarm = None;
        self.telling.clear();
        self.record.alarm = false;
    }
}

/// What is kept of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    start: Time,
    end: Time,
    /// The local day on which it starts.
    day: i32,
    highest: f32,
    alarm: bool,
    tail: Option<Tail>,
}

/// An alarm that can be called fine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Raised {
    start: Time,
    telling: Vec<(ActionId, Part)>,
    /// How often it was called so.
    fine: u8,
}

/// What is known of some segments of a home.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Past {
    /// When the first one started.
    first: Option<Time>,
    /// The greatest score by day.
    days: BTreeMap<i32, f32>,
    alarms: u32,
    /// When the latest one ended.
    last: Option<Time>,
    /// For how long the home was [away](AWAY) between them, in µs.
    away: i64,
}

impl Past {
    fn add(&mut self, record: &Record) {
        self.first = Some(
            self.first
                .map_or(record.start, |first| first.min(record.start)),
        );
        let highest = self.days.entry(record.day).or_insert(record.highest);
        *highest = highest.max(record.highest);
        self.alarms += u32::from(record.alarm);
        self.away += self.away_until(record.start);
        self.last = self.last.max(Some(record.end));
    }

    /// For how long the home was away when it comes back then.
    fn away_until(&self, then: Time) -> i64 {
        let silence = self.last.map_or(0, |last| then.0 - last.0);
        if silence > AWAY { silence } else { 0 }
    }

    /// Only the latest days tell what is usual.
    fn prune(&mut self) {
        while self.days.len() > DAYS {
            self.days.pop_first();
        }
    }
}

/// What a home's alarms follow from: how surprising its segments were, when they came, and which alarms were raised.
///
/// # Examples
/// ```
/// use hearth_operators::alarms::{Alarms, Budget, Tails};
/// use hearth_operators::surprise::Surprise;
/// use hearth_operators::words::*;
///
/// let (mut alarms, tails) = (Alarms::default(), Tails::default());
/// let mut raised = Vec::new();
/// for day in 0..40 {
///     let moment = Moment { time: Time(day * Time::DAY), action: ActionId(0), offset: 0 };
///     let segment = Segment { home: HomeId(0), moments: vec![moment] };
///     let score = if day == 30 { 60.0 } else { 5.0 + (day % 3) as f32 };
///     let surprises = [Surprise::new([score, 0.0, 0.0, 0.0, 0.0])];
///     let verdict = alarms.judge(&tails, Budget::MONTHLY, &segment, &surprises);
///     raised.extend(verdict.alarm.as_ref().map(|_| day));
///     alarms.learn(&verdict);
/// }
/// assert_eq!(raised, [30]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alarms {
    /// Of segments that are final.
    settled: Past,
    /// Of the others, in order of start.
    open: Vec<Record>,
    /// In order of start.
    raised: Vec<Raised>,
    /// How often a person called fine that an action is surprising by a part.
    fine: BTreeMap<(ActionId, Part), u8>,
}

impl Alarms {
    /// How anomalous a behaviour is: its surprise, where what was called fine counts half, a quarter, …
    pub fn score(&self, action: ActionId, surprise: &Surprise) -> f32 {
        let parts = Part::ALL.iter().map(|&part| {
            let fine = self.fine.get(&(action, part)).copied().unwrap_or(0);
            surprise.of(part) * 0.5_f32.powi(i32::from(fine))
        });
        parts.sum()
    }

    /// Judges a segment (with its behaviours' surprises) by what is known of those that start before it; learns nothing.
    pub fn judge(
        &self,
        tails: &Tails,
        budget: Budget,
        segment: &Segment,
        surprises: &[Surprise],
    ) -> Verdict {
        let actions = segment.moments.iter().map(|moment| moment.action);
        let scores = actions.zip(surprises).map(|(a, s)| self.score(a, s));
        let scores: Vec<f32> = scores.collect();
        let highest = scores.iter().copied().fold(f32::MIN, f32::max);
        let past = self.before(segment.start());
        let level = Level::of(past.days.values().copied().collect(), tails);
        let day = day_of(segment);
        let mut verdict = Verdict {
            threshold: None,
            alarm: None,
            record: Record {
                start: segment.start(),
                end: segment.end(),
                day,
                highest,
                alarm: false,
                tail: level.map(|level| {
                    let new = !past.days.contains_key(&day);
                    Tail::new(level.height(highest), level.excess(highest), new)
                }),
            },
            telling: Vec::new(),
        };
        let Some(bar) = Bar::of(level, tails, budget, &past, segment.end()) else {
            return verdict;
        };
        verdict.threshold = Some(bar.threshold);
        verdict.alarm = bar.alarm(scores.iter().copied().enumerate());
        if let Some(alarm) = &verdict.alarm {
            verdict.telling = telling(segment, surprises, &alarm.behaviors);
            verdict.record.alarm = true;
        }
        verdict
    }

    /// What is said of some behaviours of a segment that is open (position and surprise, in order): the threshold, and the alarm that they
    /// are, where they are one.
    pub fn look(
        &self,
        tails: &Tails,
        budget: Budget,
        segment: &Segment,
        behaviors: &[(usize, Surprise)],
    ) -> (Option<f32>, Option<Alarm>) {
        let past = self.before(segment.start());
        let level = Level::of(past.days.values().copied().collect(), tails);
        let Some(bar) = Bar::of(level, tails, budget, &past, segment.end()) else {
            return (None, None);
        };
        let scores = behaviors.iter().map(|(at, surprise)| {
            let action = segment.moments[*at].action;
            (*at, self.score(action, surprise))
        });
        (Some(bar.threshold), bar.alarm(scores))
    }

    /// How things stand at a time, after all that was learnt.
    pub fn standing(&self, tails: &Tails, budget: Budget, now: Time) -> Standing {
        let past = self.before(Time(i64::MAX));
        let level = Level::of(past.days.values().copied().collect(), tails);
        let armed = armed(&past, now);
        let known = level.as_ref().zip(armed);
        Standing {
            threshold: known.map(|(level, armed)| threshold(level, tails, budget, &past, armed)),
            raised: past.alarms,
            left: armed.map(|armed| budget.within(armed) - past.alarms as f32),
        }
    }

    /// What is known of the segments that start before.
    fn before(&self, start: Time) -> Past {
        let mut past = self.settled.clone();
        for record in self.open.iter().filter(|record| record.start < start) {
            past.add(record);
        }
        past.prune();
        past
    }

    /// Learns a segment that was judged.
    pub fn learn(&mut self, verdict: &Verdict) {
        let record = verdict.record;
        let key = |r: &Record| (r.start, r.end);
        let at = self.open.partition_point(|r| key(r) < key(&record));
        self.open.insert(at, record);
        if record.alarm {
            let at = self.raised.partition_point(|r| r.start < record.start);
            let telling = verdict.telling.clone();
            let start = record.start;
            let fine = 0;
            self.raised.insert(
                at,
                Raised {
                    start,
                    telling,
                    fine,
                },
            );
            let mut old = self.raised.len().saturating_sub(RAISED);
            self.raised.retain(|raised| {
                let goes = old > 0 && raised.fine == 0;
                old -= usize::from(goes);
                !goes
            });
        }
    }

    /// Learns a segment again that was learnt before, from what is said of it now; `raised`: whether it has an alarm that stands.
    pub fn learn_again(&mut self, verdict: &Verdict, raised: bool) {
        let alarm = raised;
        let record = Record {
            alarm,
            ..verdict.record
        };
        self.open.push(record);
    }

    /// What to begin with where all is learnt anew: the alarms that stand, and what was called fine of them.
    #[must_use]
    pub fn anew(&self, stands: impl Fn(Time) -> bool) -> Self {
        let raised = self.raised.iter().filter(|raised| stands(raised.start));
        let mut anew = Alarms {
            raised: raised.cloned().collect(),
            ..Alarms::default()
        };
        for raised in &anew.raised {
            for &like in &raised.telling {
                let times = anew.fine.entry(like).or_default();
                *times = times.saturating_add(raised.fine);
            }
        }
        anew.fine.retain(|_, times| *times > 0);
        anew
    }

    /// Takes back what learning a segment did, and adds to `changes` what that takes from its cohort; false if it is not
    /// there, or final.
    pub fn retract(&mut self, segment: &Segment, changes: &mut TailChanges) -> bool {
        let key = (segment.start(), segment.end());
        let Some(at) = self.open.iter().position(|r| (r.start, r.end) == key) else {
            return false;
        };
        let record = self.open.remove(at);
        if record.alarm {
            self.raised.retain(|raised| raised.start != record.start);
        }
        if let Some(tail) = record.tail {
            changes.add(tail, -1);
        }
        true
    }

    /// The segments whose next one starts before are final.
    pub fn settle(&mut self, before: Time) {
        let starts = |record: &Record| record.start < before;
        let last = self.open.partition_point(starts).saturating_sub(1);
        for record in self.open.drain(..last) {
            self.settled.add(&record);
        }
        self.settled.prune();
    }

    /// A person says that the alarm of the segment that starts at `start` was fine: what spoke for it counts half from now
    /// on. False if there is no such alarm, or it is long ago.
    pub fn fine(&mut self, start: Time) -> bool {
        let Ok(at) = self.raised.binary_search_by_key(&start, |r| r.start) else {
            return false;
        };
        let raised = &mut self.raised[at];
        raised.fine = raised.fine.saturating_add(1);
        for &like in &raised.telling {
            let times = self.fine.entry(like).or_default();
            *times = times.saturating_add(1);
        }
        true
    }
}

impl Verdict {
    /// Adds what learning the segment changes in its cohort.
    pub fn tell(&self, changes: &mut TailChanges) {
        if let Some(tail) = self.record.tail {
            changes.add(tail, 1);
        }
    }
}

/// How a home's alarms stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// A behaviour's score above this is an anomaly; none while the home is being learnt.
    pub threshold: Option<f32>,
    /// Alarms so far.
    pub raised: u32,
    /// How many more the budget allowed so far; fewer than none where there were too many.
    pub left: Option<f32>,
}

/// What an alarm must be above.
struct Bar<'a> {
    level: Level,
    tails: &'a Tails,
    budget: Budget,
    threshold: f32,
}

impl<'a> Bar<'a> {
    /// Of a home with this past, for a segment that ends then; none while it is being learnt.
    fn of(
        level: Option<Level>,
        tails: &'a Tails,
        budget: Budget,
        past: &Past,
        end: Time,
    ) -> Option<Self> {
        let (level, armed) = (level?, armed(past, end)?);
        Some(Bar {
            level,
            tails,
            budget,
            threshold: threshold(&level, tails, budget, past, armed),
        })
    }

    /// The alarm that behaviours are, each with its position and score; none where no score is above the threshold.
    fn alarm(&self, scores: impl Iterator<Item = (usize, f32)>) -> Option<Alarm> {
        let threshold = self.threshold;
        let above: Vec<(usize, f32)> = scores.filter(|(_, score)| *score > threshold).collect();
        let highest = above.iter().map(|(_, score)| *score).reduce(f32::max)?;
        let daily = self.level.daily(self.tails, highest);
        Some(Alarm {
            behaviors: above.into_iter().map(|(at, _)| at).collect(),
            score: highest,
            threshold,
            once_in_days: 1.0 / daily,
            severity: severity(self.budget.daily() / daily),
        })
    }
}

/// What is too seldom, where so much of the budget is spent.
fn threshold(level: &Level, tails: &Tails, budget: Budget, past: &Past, armed: i64) -> f32 {
    let debt = budget.within(armed) - past.alarms as f32 - HEAD;
    let daily = budget.daily() * (GAIN * debt.clamp(-MOST_DEBT, MOST_DEBT)).exp();
    level.threshold(tails, daily)
}

/// For how long alarms have been possible by `now`; none while the home is being learnt.
fn armed(past: &Past, now: Time) -> Option<i64> {
    let known = now.0 - past.first?.0 - past.away - past.away_until(now);
    (known >= LEARNING && past.days.len() >= LEARNING_DAYS).then_some(known - LEARNING)
}

fn severity(rarer: f32) -> u8 {
    match rarer {
        16.0.. => 3,
        4.0.. => 2,
        _ => 1,
    }
}

/// The local day on which a segment starts.
fn day_of(segment: &Segment) -> i32 {
    let first = segment.moments[0];
    let local = first.time.0 + i64::from(first.offset) * 60 * Time::SECOND;
    local.div_euclid(Time::DAY) as i32
}

/// What speaks for an alarm: of each of its behaviours the parts with many nats, and the greatest in any case.
fn telling(
    segment: &Segment,
    surprises: &[Surprise],
    behaviors: &[usize],
) -> Vec<(ActionId, Part)> {
    let mut telling = Vec::new();
    for &i in behaviors {
        let of = |part: &Part| surprises[i].of(*part);
        let greatest = Part::ALL.iter().max_by(|a, b| of(a).total_cmp(&of(b)));
        let many = Part::ALL.iter().filter(|part| of(part) >= TELLING);
        let action = segment.moments[i].action;
        telling.extend(many.chain(greatest).map(|part| (action, *part)));
    }
    telling.sort_unstable();
    telling.dedup();
    telling
}
