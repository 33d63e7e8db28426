//! Why a behaviour is surprising, in figures that can be counted in the home's own segments.

use std::ops::Range;

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
    /// The action came `times` times, `seen` of them between these hours (local; past midnight `end` is the smaller).
    Hours {
        /// The hours.
        between: Range<u8>,
        /// Between which it came most often, and how often.
        usual: (Range<u8>, u32),
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
        /// Counted from 1.
        place: u32,
    },
    /// Among ten behaviours, the action is the so-manieth of its kind.
    Among {
        /// Counted from 1.
        place: u32,
    },
    /// The pause before the action; of the `times` times that it came, `seen` were with such a pause.
    PauseBefore {
        /// The seconds that it has at least, and less than which it has; none: there is no pause, the segment begins.
        seconds: Option<Range<i64>>,
    },
    /// The pause after the action, likewise.
    PauseAfter {
        /// As before.
        seconds: Option<Range<i64>>,
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
    let counts = detector.counts();
    let mut reasons = Vec::new();
    for &behavior in behaviors {
        let (situation, surprise) = (&situations[behavior], &surprises[behavior]);
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

/// The rarer of both sides.
fn order(counts: &Counts, s: &Situation) -> Found {
    let ahead = counts.after(s.before, Some(s.action));
    let back = counts.before(s.after, Some(s.action));
    // a/b < c/d as a·d < c·b; nothing seen at all says nothing.
    let rarer = u64::from(ahead.seen) * u64::from(back.times)
        <= u64::from(back.seen) * u64::from(ahead.times);
    if back.times == 0 || (rarer && ahead.times > 0) {
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
    let clock = |from: usize, to: usize| 3 * from as u8..3 * ((to - 1) % all + 1) as u8;
    let usual = (clock(most, most + 1), bins[most]);
    let between = clock(from, to);
    (Fact::Hours { between, usual }, seen, times)
}

fn repetition(counts: &Counts, s: &Situation) -> Found {
    let [run, often] = [Trait::Run, Trait::Often].map(|of| {
        let bins = counts.bins(s.action, of);
        let bin = usize::from(s.bin(of));
        (bin as u32 + 1, bins[bin..].iter().sum(), bins.iter().sum())
    });
    if run.1 <= often.1 {
        (Fact::Row { place: run.0 }, run.1, run.2)
    } else {
        (Fact::Among { place: often.0 }, often.1, often.2)
    }
}

fn pace(counts: &Counts, s: &Situation) -> Found {
    let [before, after] = [Trait::PauseBefore, Trait::PauseAfter].map(|of| {
        let bins = counts.bins(s.action, of);
        let bin = s.bin(of);
        let (border, endless) = (bins.len() - 1, bins.len() - 2);
        let seconds = (usize::from(bin) != border).then(|| {
            let end = if usize::from(bin) == endless {
                i64::MAX
            } else {
                pause_from(bin + 1)
            };
            pause_from(bin)..end
        });
        (seconds, bins[usize::from(bin)], bins.iter().sum())
    });
    if before.1 <= after.1 {
        (Fact::PauseBefore { seconds: before.0 }, before.1, before.2)
    } else {
        (Fact::PauseAfter { seconds: after.0 }, after.1, after.2)
    }
}
