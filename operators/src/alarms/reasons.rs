//! Why a behaviour is surprising, in figures that can be counted in the home's own segments.

use serde::{Deserialize, Serialize};

use crate::habits::Vocabulary;
use crate::surprise::{Counts, Detector, Part, Situation, Surprise, Trait, pause_from};
use crate::words::{ActionId, Segment};

/// Reasons that a behaviour has at most.
const MOST: usize = 3;
/// What has fewer nats is no reason, unless it is the greatest.
const LEAST: f32 = 2.0;

/// A reason: a true statement about the home's segments that stood when the behaviour was judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Position of the behaviour in its segment.
    pub behavior: usize,
    /// What it is surprising by.
    pub part: Part,
    /// In nats.
    pub surprise: f32,
    /// What is surprising.
    pub fact: Fact,
    /// How often that was seen so far.
    pub seen: u32,
    /// Among how many.
    pub times: u32,
}

/// Hours of the day, local: from the one until the other, which is the smaller (or the same) where midnight lies between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Between {
    /// 0 to 21.
    pub from: u8,
    /// 3 to 24.
    pub to: u8,
}

/// How long a pause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// So many seconds at least.
    pub least: i64,
    /// And less than so many, where there is a limit.
    pub below: Option<i64>,
}

/// What is surprising about a behaviour, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The home did this never before (`times`: what its device did).
    New,
    /// It comes right after this (none: it begins a segment), which came `times` times; most often came `usual`.
    After {
        /// What came before it.
        before: Option<ActionId>,
        /// What came there most often, and how often.
        usual: Option<(ActionId, u32)>,
    },
    /// It comes right before this (none: it ends a segment), which came `times` times; most often came `usual`.
    Before {
        /// What came after it.
        after: Option<ActionId>,
        /// What came there most often, and how often.
        usual: Option<(ActionId, u32)>,
    },
    /// The action came `times` times, `seen` of them between these hours.
    Hours {
        /// The hours.
        between: Between,
        /// Between which it came most often, and how often.
        usual: (Between, u32),
    },
    /// The last that its device did was this; after that it did something `times` times in the same segment, `seen` times the
    /// same as now; most often `usual`.
    State {
        /// What the device did last.
        last: ActionId,
        /// What it did then most often, and how often.
        usual: Option<(ActionId, u32)>,
    },
    /// The action is the so-manieth in a row; of the `times` times that it came, `seen` were at least the so-manieth.
    Row {
        /// Counted from 1; 6 stands for all beyond it, too.
        place: u32,
    },
    /// So many behaviours in a row, the action being the last, did what the one two before each had done; of the `times` times that it came,
    /// `seen` were the last of at least as many.
    Turns {
        /// 5 stands for all beyond it, too.
        row: u32,
    },
    /// The pause before the action; of the `times` times that it came, `seen` were with such a pause.
    PauseBefore {
        /// Such; none: there is no pause, the segment begins.
        length: Option<Pause>,
    },
    /// The pause after the action, likewise.
    PauseAfter {
        /// Such; none: there is no pause, the segment ends.
        length: Option<Pause>,
    },
}

/// The reasons of a segment's behaviours at these positions, the greatest of each first. The detector must be as it was when
/// it judged the segment.
pub fn reasons(
    words: &Vocabulary<'_>,
    detector: &Detector,
    segment: &Segment,
    surprises: &[Surprise],
    behaviors: &[usize],
) -> Vec<Reason> {
    let situations = detector.situations(words, segment);
    let each = behaviors.iter().map(|&at| {
        let (situation, surprise) = (&situations[at], &surprises[at]);
        reasons_of(words, detector, at, situation, surprise)
    });
    each.flatten().collect()
}

/// The reasons of behaviours, each with its position and surprise, of a segment that is open.
pub fn open_reasons(
    words: &Vocabulary<'_>,
    detector: &Detector,
    segment: &Segment,
    behaviors: &[(usize, Surprise)],
) -> Vec<Reason> {
    let Some(&(first, _)) = behaviors.first() else {
        return Vec::new();
    };
    let situations = detector.open_situations(words, segment, first);
    let each = behaviors.iter().map(|(at, surprise)| {
        let situation = &situations[at - first];
        reasons_of(words, detector, *at, situation, surprise)
    });
    each.flatten().collect()
}

fn reasons_of(
    words: &Vocabulary<'_>,
    detector: &Detector,
    behavior: usize,
    situation: &Situation,
    surprise: &Surprise,
) -> Vec<Reason> {
    let counts = detector.counts();
    let mut reasons = Vec::new();
    let mut parts = Part::ALL.map(|part| (part, surprise.of(part)));
    parts.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let new = counts.times(situation.action) == 0;
    let most = if new { 1 } else { MOST };
    let telling = parts.iter().take(most).enumerate();
    for (_, (part, nats)) in telling.filter(|(i, (_, nats))| *i == 0 || *nats >= LEAST) {
        let found = if new {
            Some(never(words, counts, situation))
        } else {
            explain(counts, situation, *part)
        };
        reasons.extend(found.map(|(fact, seen, times)| Reason {
            behavior,
            part: *part,
            surprise: *nats,
            fact,
            seen,
            times,
        }));
    }
    reasons
}

type Found = (Fact, u32, u32);

fn never(words: &Vocabulary<'_>, counts: &Counts, s: &Situation) -> Found {
    let device = words.device_of(s.action);
    let siblings = words.catalog().action_ids();
    let siblings = siblings.filter(|action| words.device_of(*action) == device);
    let times = siblings.map(|action| counts.times(action)).sum();
    (Fact::New, 0, times)
}

fn explain(counts: &Counts, s: &Situation, part: Part) -> Option<Found> {
    Some(match part {
        Part::Order => order(counts, s),
        Part::Hour => hours(counts, s),
        Part::State => {
            let last = s.device?;
            let share = counts.device(last, s.action);
            let usual = counts.usual_of_device(last);
            (Fact::State { last, usual }, share.seen, share.times)
        }
        Part::Repetition => repetition(counts, s),
        Part::Pace => pace(counts, s),
    })
}

/// The rarer of both sides, where both are known.
fn order(counts: &Counts, s: &Situation) -> Found {
    let ahead = counts.after(s.before, Some(s.action));
    let back = counts.before(s.after, Some(s.action));
    // a/b < c/d as a·d < c·b; nothing seen at all says nothing.
    let rarer = u64::from(ahead.seen) * u64::from(back.times)
        <= u64::from(back.seen) * u64::from(ahead.times);
    if s.open || back.times == 0 || (rarer && ahead.times > 0) {
        let (before, usual) = (s.before, counts.usual_after(s.before));
        (Fact::After { before, usual }, ahead.seen, ahead.times)
    } else {
        let (after, usual) = (s.after, counts.usual_before(s.after));
        (Fact::Before { after, usual }, back.seen, back.times)
    }
}

/// Where the action never came in its three hours, as many hours around them as it never came in.
fn hours(counts: &Counts, s: &Situation) -> Found {
    let bins = counts.bins(s.action, Trait::Hours);
    let bin = usize::from(s.bin(Trait::Hours));
    let (all, times) = (bins.len(), bins.iter().sum());
    let seen = bins[bin];
    let (mut from, mut to) = (bin, bin + 1);
    if seen == 0 && times > 0 {
        while bins[(from + all - 1) % all] == 0 {
            from = (from + all - 1) % all;
        }
        while bins[to % all] == 0 {
            to += 1;
        }
    }
    let most = (0..all).max_by_key(|i| (bins[*i], std::cmp::Reverse(*i)));
    let most = most.unwrap_or(0);
    let clock = |from: usize, to: usize| Between {
        from: 3 * from as u8,
        to: 3 * ((to - 1) % all + 1) as u8,
    };
    let usual = (clock(most, most + 1), bins[most]);
    let between = clock(from, to);
    (Fact::Hours { between, usual }, seen, times)
}

fn repetition(counts: &Counts, s: &Situation) -> Found {
    let [run, turns] = [Trait::Run, Trait::Turns].map(|of| {
        let bins = counts.bins(s.action, of);
        let bin = usize::from(s.bin(of));
        (bin as u32, bins[bin..].iter().sum(), bins.iter().sum())
    });
    if run.1 <= turns.1 {
        (Fact::Row { place: run.0 + 1 }, run.1, run.2)
    } else {
        (Fact::Turns { row: turns.0 }, turns.1, turns.2)
    }
}

fn pace(counts: &Counts, s: &Situation) -> Found {
    let [before, after] = [Trait::PauseBefore, Trait::PauseAfter].map(|of| {
        let bins = counts.bins(s.action, of);
        let bin = s.bin(of);
        let (border, endless) = (bins.len() - 1, bins.len() - 2);
        let length = (usize::from(bin) != border).then(|| Pause {
            least: pause_from(bin),
            below: (usize::from(bin) != endless).then(|| pause_from(bin + 1)),
        });
        (length, bins[usize::from(bin)], bins.iter().sum())
    });
    if s.open || before.1 <= after.1 {
        (Fact::PauseBefore { length: before.0 }, before.1, before.2)
    } else {
        (Fact::PauseAfter { length: after.0 }, after.1, after.2)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::words::{Action, Catalog, Catalogs, Device, HomeId, Moment, Time};

    fn catalogs() -> Arc<Catalogs> {
        let device = |name| Device::new(name, ["on", "off"].map(Action::new).into());
        let devices = ["Heater", "Lamp", "Door"].map(device);
        Catalogs::shared(Arc::new(Catalog::new(devices.into()).unwrap()))
    }

    /// A segment on a day, of actions with their hours.
    fn segment(day: i64, behaviors: &[(u16, i64)]) -> Segment {
        let moment = |&(action, hour): &(u16, i64)| Moment {
            time: Time(day * Time::DAY + hour * Time::HOUR),
            action: ActionId(action),
            offset: 0,
        };
        Segment {
            home: HomeId(0),
            moments: behaviors.iter().map(moment).collect(),
        }
    }

    fn why(known: &[Segment], odd: &Segment) -> Vec<Reason> {
        let catalogs = catalogs();
        let words = Vocabulary::new(&catalogs, HomeId(0));
        let mut detector = Detector::default();
        for segment in known {
            detector.learn(&words, segment, 0);
        }
        let surprises = detector.judge(&words, &Counts::default(), odd, 0);
        let all: Vec<usize> = (0..odd.moments.len()).collect();
        reasons(&words, &detector, odd, &surprises, &all)
    }

    #[test]
    fn a_heater_at_night_after_the_door() {
        let day = [(4, 7), (5, 7), (0, 8), (1, 9), (2, 19), (0, 20), (1, 23)];
        let known: Vec<Segment> = (0..61).map(|n| segment(n, &day)).collect();
        let reasons = why(&known, &segment(61, &[(4, 3), (0, 3)]));
        let heater: Vec<&Reason> = reasons.iter().filter(|r| r.behavior == 1).collect();
        let hours = heater.iter().find(|r| r.part == Part::Hour).unwrap();
        let between = Fact::Hours {
            between: Between { from: 21, to: 6 },
            usual: (Between { from: 6, to: 9 }, 61),
        };
        assert_eq!((&hours.fact, hours.seen, hours.times), (&between, 0, 122));
        let order = heater.iter().find(|r| r.part == Part::Order).unwrap();
        let after = Fact::After {
            before: Some(ActionId(4)),
            usual: Some((ActionId(5), 61)),
        };
        assert_eq!((&order.fact, order.seen, order.times), (&after, 0, 61));
    }

    #[test]
    fn what_was_never_done_says_no_more() {
        let known: Vec<Segment> = (0..9).map(|n| segment(n, &[(0, 7), (2, 8)])).collect();
        let reasons = why(&known, &segment(9, &[(0, 7), (3, 8), (4, 8)]));
        let of = |behavior| reasons.iter().filter(move |r| r.behavior == behavior);
        let said: Vec<_> = (1..3)
            .flat_map(of)
            .map(|r| (&r.fact, r.seen, r.times))
            .collect();
        assert_eq!(said, [(&Fact::New, 0, 9), (&Fact::New, 0, 0)]);
    }

    fn any_segments(most: usize) -> impl Strategy<Value = Vec<Segment>> {
        let behaviors = prop::collection::vec((0_u16..6, 0_i64..2), 1..9);
        prop::collection::vec((behaviors, 0_i64..8), 1..most).prop_map(|days| {
            let segments = (0..).zip(days).map(|(day, (behaviors, mut hour))| {
                let behaviors = behaviors.iter().map(|(action, later)| {
                    hour += later;
                    (*action, hour)
                });
                segment(day, &behaviors.collect::<Vec<_>>())
            });
            segments.collect()
        })
    }

    /// All behaviours of some segments: segment and position.
    fn places(known: &[Segment]) -> impl Iterator<Item = (&[Moment], usize)> + Clone {
        let each = |s: &'_ Segment| 0..s.moments.len();
        known
            .iter()
            .flat_map(move |s| each(s).map(move |i| (&s.moments[..], i)))
    }

    fn before(s: &[Moment], i: usize) -> Option<ActionId> {
        i.checked_sub(1).map(|i| s[i].action)
    }

    fn after(s: &[Moment], i: usize) -> Option<ActionId> {
        s.get(i + 1).map(|m| m.action)
    }

    fn turns(s: &[Moment], i: usize) -> usize {
        let taken = |at: &usize| s[*at].action == s[at - 2].action;
        (2..=i).rev().take_while(taken).count()
    }

    fn row(s: &[Moment], i: usize) -> usize {
        let same = s[..i].iter().rev().take_while(|m| m.action == s[i].action);
        1 + same.count()
    }

    /// What of a device comes next after a behaviour in its segment.
    fn next_of_device(s: &[Moment], i: usize) -> Option<ActionId> {
        let device = |m: &Moment| m.action.0 / 2;
        let mut later = s[i + 1..].iter();
        later.find(|m| device(m) == device(&s[i])).map(|m| m.action)
    }

    /// (seen, times) of a reason, counted by hand.
    fn counted(known: &[Segment], action: ActionId, fact: &Fact) -> (usize, usize) {
        let count = |met: &dyn Fn(&[Moment], usize) -> bool| {
            places(known).filter(|(s, i)| met(s, *i)).count()
        };
        let own = |s: &[Moment], i: usize| s[i].action == action;
        let of_device = |s: &[Moment], i: usize| s[i].action.0 / 2 == action.0 / 2;
        match fact {
            Fact::New => (0, count(&of_device)),
            Fact::After {
                before: Some(b), ..
            } => (
                count(&|s, i| own(s, i) && before(s, i) == Some(*b)),
                count(&|s, i| s[i].action == *b),
            ),
            Fact::After { before: None, .. } => (count(&|s, i| own(s, i) && i == 0), known.len()),
            Fact::Before { after: Some(a), .. } => (
                count(&|s, i| own(s, i) && after(s, i) == Some(*a)),
                count(&|s, i| s[i].action == *a),
            ),
            Fact::Before { after: None, .. } => (
                count(&|s, i| own(s, i) && after(s, i).is_none()),
                known.len(),
            ),
            Fact::Hours { between, .. } => {
                let within = |hour: u8| {
                    let Between { from, to } = *between;
                    if from < to {
                        (from..to).contains(&hour)
                    } else {
                        hour >= from || hour < to
                    }
                };
                let hour = |m: &Moment| (m.time.0 % Time::DAY / Time::HOUR) as u8;
                (count(&|s, i| own(s, i) && within(hour(&s[i]))), count(&own))
            }
            Fact::State { last, .. } => (
                count(&|s, i| s[i].action == *last && next_of_device(s, i) == Some(action)),
                count(&|s, i| s[i].action == *last && next_of_device(s, i).is_some()),
            ),
            Fact::Row { place } => (
                count(&|s, i| own(s, i) && row(s, i) >= *place as usize),
                count(&own),
            ),
            Fact::Turns { row } => (
                count(&|s, i| own(s, i) && turns(s, i) >= *row as usize),
                count(&own),
            ),
            Fact::PauseBefore { length } => {
                let pause = |s: &[Moment], i: usize| {
                    i.checked_sub(1)
                        .map(|b| (s[i].time.0 - s[b].time.0) / Time::SECOND)
                };
                (
                    count(&|s, i| own(s, i) && fits(length, pause(s, i))),
                    count(&own),
                )
            }
            Fact::PauseAfter { length } => {
                let pause = |s: &[Moment], i: usize| {
                    let after = s.get(i + 1)?;
                    Some((after.time.0 - s[i].time.0) / Time::SECOND)
                };
                (
                    count(&|s, i| own(s, i) && fits(length, pause(s, i))),
                    count(&own),
                )
            }
        }
    }

    fn fits(length: &Option<Pause>, pause: Option<i64>) -> bool {
        match (length, pause) {
            (Some(length), Some(pause)) => {
                pause >= length.least && length.below.is_none_or(|below| pause < below)
            }
            (length, pause) => length.is_none() && pause.is_none(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Whatever is said can be counted in the segments that stand.
        #[test]
        fn reasons_are_true(mut known in any_segments(12)) {
            let odd = known.pop().unwrap();
            for reason in why(&known, &odd) {
                let action = odd.moments[reason.behavior].action;
                let expected = counted(&known, action, &reason.fact);
                let said = (reason.seen as usize, reason.times as usize);
                prop_assert_eq!(said, expected, "{:?} of {:?}", reason.fact, action);
            }
        }
    }
}
