//! The slow twin of a home's habits: what every expert counts, by plain loops over lists of segments, mixed in double
//! precision; and the property tests that hold [`Habits`] to it.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use super::expert::{EXPERTS, Expert};
use super::experts::{ALONE, IMAGINED, LATELY, LOOKED_AT};
use super::mixing::{self, Class};
use super::places::Clock;
use super::{Context, Contribution, Habits, Judged, Pooled, PooledChanges, Vocabulary};
use crate::words::{
    Action, ActionId, Catalog, Catalogs, Device, HomeId, Moment, Quadruple, Segment, Sequence,
    Shift, ShiftKind, Time,
};

/// All that a judgement depends on.
struct Known<'a> {
    words: Vocabulary<'a>,
    /// The home's, in order of time.
    segments: Vec<Segment>,
    /// Of all homes.
    pooled: Vec<(Segment, Context)>,
    imagined: Vec<Sequence>,
    regime: Option<(Time, Context)>,
}

/// By expert and action: how often.
type Counts = Vec<Vec<f64>>;

/// A behaviour with what was before it: the actions of its segment, the last one first (`None`: its start), and when the last
/// behaviour was.
struct Seen {
    action: ActionId,
    before: Vec<Option<ActionId>>,
    clock: Option<Clock>,
    of_regime: bool,
}

fn before(moments: &[Moment]) -> Vec<Option<ActionId>> {
    let back = moments.iter().rev().map(|moment| Some(moment.action));
    back.chain([None]).collect()
}

/// How many of six actions before agree.
fn agreeing(here: &[Option<ActionId>], there: &[Option<ActionId>]) -> usize {
    let pairs = here.iter().zip(there).take(6);
    pairs.take_while(|(here, there)| here == there).count()
}

fn minutes_apart(one: Clock, other: Clock) -> f64 {
    let apart = (f64::from(one.minute) - f64::from(other.minute)).abs();
    apart.min(1440.0 - apart)
}

impl Known<'_> {
    /// Where a segment lies among the home's.
    fn place(&self, segment: &Segment) -> usize {
        let earlier = |known: &&Segment| {
            (known.start(), known.end(), *known) < (segment.start(), segment.end(), segment)
        };
        self.segments.iter().take_while(earlier).count()
    }

    fn counts(&self, segment: &Segment, n: usize) -> Counts {
        let mut counts = vec![vec![0.0; self.words.actions()]; EXPERTS];
        let here = before(&segment.moments[..n]);
        let last = match n {
            0 => self.segments[..self.place(segment)].last(),
            _ => Some(segment),
        };
        let clock = last.map(|last| match n {
            0 => Clock::of(&last.moments[last.moments.len() - 1]),
            _ => Clock::of(&last.moments[n - 1]),
        });
        let regime = self.regime.filter(|(begun, _)| *begun <= segment.start());
        self.home(&here, clock, regime.map(|(begun, _)| begun), &mut counts);
        let context = regime.map(|(_, context)| context).unwrap_or_default();
        self.cohort(&here, clock.filter(|_| n > 0), context, &mut counts);
        if regime.is_some() {
            self.imagined(&here, clock, &mut counts);
        }
        counts
    }

    fn seen(&self, regime: Option<Time>) -> Vec<Seen> {
        let mut clock = None;
        let mut seen = Vec::new();
        for segment in &self.segments {
            for (n, moment) in segment.moments.iter().enumerate() {
                seen.push(Seen {
                    action: moment.action,
                    before: before(&segment.moments[..n]),
                    clock,
                    of_regime: regime.is_some_and(|begun| segment.start() >= begun),
                });
                clock = Some(Clock::of(moment));
            }
        }
        seen
    }

    fn home(
        &self,
        here: &[Option<ActionId>],
        clock: Option<Clock>,
        regime: Option<Time>,
        counts: &mut Counts,
    ) {
        let mut add = |expert: Expert, action: ActionId, n: f64| {
            counts[expert as usize][usize::from(action.0)] += n;
        };
        let mut after_last = 0;
        let lone = 1.0 - self.others() > ALONE && here.len() > 1;
        for (back, seen) in self.seen(regime).iter().rev().enumerate() {
            if lone && back < LATELY {
                add(Expert::Any, seen.action, 1.0);
            }
            let agreeing = agreeing(here, &seen.before);
            let both = (here.len() == 1) == (seen.before.len() == 1);
            after_last += usize::from(agreeing > 0);
            let looked_at = agreeing > 0 && after_last <= LOOKED_AT;
            // All starts are lately, as far as they are looked at.
            let lately = if here.len() == 1 {
                looked_at
            } else {
                back < LATELY
            };
            for (expert, least) in [(Expert::Last, 1), (Expert::Two, 2), (Expert::Three, 3)] {
                if looked_at && agreeing >= least {
                    add(expert, seen.action, 1.0);
                }
            }
            let (Some(clock), Some(there)) = (clock, seen.clock) else {
                continue;
            };
            let apart = minutes_apart(clock, there);
            let near = (-apart / 45.0).exp();
            if looked_at && near > 0.02 {
                add(Expert::LastNear, seen.action, near);
            }
            if both && lately && seen.of_regime && near > 0.02 {
                add(Expert::Regime, seen.action, near);
            }
            let days = f64::from(clock.day.abs_diff(there.day));
            let alike = (agreeing as f64 - apart / 90.0 - days / 15.0).exp();
            let near_enough = agreeing == 0 && both && lately && near > 0.1;
            if (looked_at || near_enough) && days < 64.0 && alike > 0.01 {
                add(Expert::Alike, seen.action, alike);
            }
        }
    }

    fn cohort(
        &self,
        here: &[Option<ActionId>],
        clock: Option<Clock>,
        context: Context,
        counts: &mut Counts,
    ) {
        for (segment, of) in &self.pooled {
            for (n, moment) in segment.moments.iter().enumerate() {
                let there = before(&segment.moments[..n]);
                let then = n
                    .checked_sub(1)
                    .map(|last| Clock::of(&segment.moments[last]));
                let last = here[0] == there[0];
                let hour = clock.map(Clock::hour) == then.map(Clock::hour);
                let hours = clock.map(Clock::hours) == then.map(Clock::hours);
                let same = context != Context::default() && context == *of;
                // Behind a start there is nothing.
                let two = here.get(1).copied().flatten() == there.get(1).copied().flatten();
                for (expert, counted) in [
                    (Expert::CohortLast, last),
                    (Expert::CohortTwo, last && two),
                    (Expert::CohortHour, hour),
                    (Expert::CohortHoursLast, hours && last),
                    (Expert::ContextHours, same && hours),
                    (Expert::ContextHoursLast, same && hours && last),
                ] {
                    if counted {
                        counts[expert as usize][usize::from(moment.action.0)] += 1.0;
                    }
                }
            }
        }
        for expert in &mut counts[Expert::CohortLast as usize..=Expert::ContextHoursLast as usize] {
            let total: f64 = expert.iter().sum();
            for n in expert.iter_mut().filter(|n| **n * 300.0 < total) {
                *n = 0.0;
            }
        }
    }

    fn imagined(&self, here: &[Option<ActionId>], clock: Option<Clock>, counts: &mut Counts) {
        for sequence in &self.imagined {
            for (n, quadruple) in sequence.0.iter().enumerate() {
                let back = sequence.0[..n].iter().rev().map(|q| Some(q.action));
                let there: Vec<_> = back.chain([None]).collect();
                if (n == 0) != (here.len() == 1) {
                    continue;
                }
                let hours = n
                    .checked_sub(1)
                    .map(|last| u16::from(sequence.0[last].hours));
                let same = n == 0 || hours == clock.map(Clock::hours);
                let agreeing = agreeing(here, &there);
                let alike = (agreeing as f64).exp() * if same { 1.0 } else { 0.2 };
                for (expert, n) in [
                    (Expert::ImaginedHours, f64::from(u8::from(same))),
                    (
                        Expert::ImaginedHoursLast,
                        f64::from(u8::from(same && agreeing > 0)),
                    ),
                    (
                        Expert::ImaginedAlike,
                        if same || agreeing > 0 { alike } else { 0.0 },
                    ),
                ] {
                    counts[expert as usize][usize::from(quadruple.action.0)] += n;
                }
            }
        }
    }

    fn others(&self) -> f32 {
        let all: usize = self.pooled.iter().map(|(s, _)| s.moments.len()).sum();
        let own: usize = self.segments.iter().map(|s| s.moments.len()).sum();
        if all == 0 {
            0.0
        } else {
            (1.0 - own as f32 / all as f32).max(0.0)
        }
    }

    /// ln of how much likelier the cohort finds an action than any other of its device, after what the device did last.
    fn of_device(&self, segment: &Segment, n: usize, action: ActionId) -> f64 {
        let device = self.words.device_of(action);
        let of_device = |moment: &&Moment| self.words.device_of(moment.action) == device;
        let earlier = self.segments[..self.place(segment)].iter();
        let earlier = earlier.flat_map(|segment| &segment.moments);
        let all: Vec<_> = earlier.chain(&segment.moments[..n]).collect();
        let last = all
            .iter()
            .rev()
            .find(|moment| of_device(moment))
            .map(|m| m.action);
        let (mut times, mut total) = (0.0, 0.0);
        for (segment, _) in &self.pooled {
            let acts: Vec<_> = segment.moments.iter().filter(of_device).collect();
            for (n, act) in acts.iter().enumerate() {
                if n.checked_sub(1).map(|last| acts[last].action) == last {
                    total += 1.0;
                    times += f64::from(u8::from(act.action == action));
                }
            }
        }
        let actions = self.words.catalog().devices()[usize::from(device.0)]
            .actions
            .len() as f64;
        (1.0 + times * actions).ln() - (1.0_f64 + total).ln()
    }

    /// The probability of each action at a place of a segment, and how much more each expert said of what happened than of what
    /// was expected.
    fn judge(&self, segment: &Segment, n: usize, learnt: &Contribution) -> (Vec<f64>, Vec<f64>) {
        let counts = self.counts(segment, n);
        let actions = self.words.actions();
        let mut totals = [0.0; EXPERTS];
        let mut said = vec![vec![0.0; actions]; EXPERTS];
        let spoken = |action: usize| counts.iter().any(|counts| counts[action] > 0.0);
        for (expert, counts) in counts.iter().enumerate() {
            totals[expert] = counts.iter().sum::<f64>() as f32;
            let different = counts.iter().filter(|n| **n > 0.0).count().max(1) as f64;
            for (said, n) in said[expert].iter_mut().zip(counts) {
                *said = (1.0 + n * actions as f64 / different).ln();
            }
        }
        totals[Expert::Device as usize] = 1.0;
        for action in (0..actions).filter(|action| spoken(*action)) {
            let of_device = self.of_device(segment, n, ActionId(action as u16));
            said[Expert::Device as usize][action] = of_device;
        }
        let class = Class {
            first: n == 0,
            age: mixing::age(self.regime.map(|(begun, _)| begun), segment.start()),
            others: self.others(),
        };
        let weights = mixing::weights(&totals, class, learnt);
        let mixed = |imagining: bool| -> Vec<f64> {
            let sum = |action: usize| -> f64 {
                let parts = weights.iter().zip(&said).enumerate();
                parts
                    .filter(|(expert, _)| imagining || !mixing::IMAGINING.contains(expert))
                    .map(|(_, (weight, said))| f64::from(*weight) * said[action])
                    .sum()
            };
            let powers: Vec<f64> = (0..actions).map(|action| sum(action).exp()).collect();
            let total: f64 = powers.iter().sum();
            powers.iter().map(|power| power / total).collect()
        };
        let happened = usize::from(segment.moments[n].action.0);
        // Only those that imagine learn from what all expected.
        let (q, without) = (mixed(true), mixed(false));
        let advantage = said.iter().enumerate().map(|(expert, said)| {
            let imagines = mixing::IMAGINING.contains(&expert);
            let q = if imagines { &q } else { &without };
            said[happened] - said.iter().zip(q).map(|(s, q)| s * q).sum::<f64>()
        });
        let advantage = advantage.collect();
        (q, advantage)
    }
}

fn catalogs() -> Arc<Catalogs> {
    let device = |(n, actions): (usize, u16)| {
        let actions = (0..actions).map(|a| Action::new(a.to_string()));
        Device::new(n.to_string(), actions.collect())
    };
    let devices = [3, 2, 4, 1, 6].into_iter().enumerate().map(device);
    Catalogs::shared(Arc::new(Catalog::new(devices.collect()).unwrap()))
}

fn context(to: &str) -> Context {
    Context::of(&Shift {
        home: None,
        time: Time(0),
        offset: 0,
        kind: ShiftKind::Season,
        from: String::new(),
        to: to.to_owned(),
    })
}

/// Segments apart from each other, in order; few actions are frequent.
fn segments(most: usize) -> impl Strategy<Value = Vec<Segment>> {
    let action = prop_oneof![3 => 0u16..4, 1 => 0u16..16];
    // Never on the edge of a minute where times are compared.
    let moment = (prop_oneof![3 => 1i64..20, 1 => 1i64..400], action);
    let segment = (1i64..40, prop::collection::vec(moment, 1..24));
    prop::collection::vec(segment, 0..most).prop_map(|segments| {
        let mut minute = 0;
        let segment = |(pause, moments): (i64, Vec<(i64, u16)>)| {
            minute += pause * 60;
            let moments = moments.into_iter().map(|(step, action)| {
                minute += step;
                Moment {
                    time: Time(minute * 60 * Time::SECOND),
                    action: ActionId(action),
                    offset: 60,
                }
            });
            Segment {
                home: HomeId(0),
                moments: moments.collect(),
            }
        };
        segments.into_iter().map(segment).collect()
    })
}

fn sequences() -> impl Strategy<Value = Vec<Sequence>> {
    let quadruple = (0u8..8, 0u16..8).prop_map(|(hours, action)| Quadruple {
        weekday: 0,
        hours,
        action: ActionId(action),
    });
    let sequence = prop::collection::vec(quadruple, 1..30).prop_map(Sequence);
    prop::collection::vec(sequence, 0..8)
}

/// Learns all of them with a regime, by the cohort's counts.
fn learn(known: &Known<'_>, pooled: &Pooled, habits: &mut Habits) {
    if let Some((begun, context)) = known.regime {
        habits.shift(begun, context);
        habits.imagine(&known.imagined);
    }
    for segment in &known.segments {
        let judged = habits.judge(&known.words, pooled, segment);
        habits.learn(&known.words, segment, &judged);
    }
}

fn pool(words: &Vocabulary<'_>, segments: &[(Segment, Context)]) -> Pooled {
    let (mut pooled, mut changes) = (Pooled::default(), PooledChanges::default());
    for (segment, context) in segments {
        changes.add(words, segment, *context, 1);
    }
    changes.consolidate();
    pooled.apply(&changes);
    pooled
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A judgement is what plain counting says, wherever in time the segment lies.
    #[test]
    fn judges_as_plain_counting_does(
        all in segments(40), others in segments(40), imagined in sequences(),
        judged in any::<Index>(), place in any::<Index>(), begun in prop::option::of(any::<Index>()),
    ) {
        prop_assume!(!all.is_empty());
        let catalogs = catalogs();
        let words = Vocabulary::new(&catalogs, HomeId(0));
        let mut segments = all;
        let regime = begun.map(|at| (at.get(&segments).start(), context("summer")));
        let segment = segments.remove(judged.index(segments.len()));
        let contexts = [context("summer"), context("winter"), Context::default()];
        let pooled: Vec<_> = others.into_iter().zip(contexts.into_iter().cycle()).collect();
        let known = Known { words, segments, pooled, imagined, regime };
        let pooled = pool(&words, &known.pooled);
        let mut habits = Habits::default();
        learn(&known, &pooled, &mut habits);
        let judged = habits.judge(&words, &pooled, &segment);
        if known.segments.iter().all(|other| other.start() != segment.start()) {
            // Read in two goes, it is the same.
            let read = place.index(segment.moments.len()) + 1;
            let moments = segment.moments[..read].to_vec();
            let begun = Segment { moments, ..segment };
            let none = Contribution::default();
            let first = habits.read_on(&words, &pooled, &begun, 0, none);
            let rest = habits.read_on(&words, &pooled, &segment, read, first.contribution);
            prop_assert_eq!([&first.steps[..], &rest.steps].concat(), &judged.steps[..]);
            prop_assert_eq!(rest.contribution, judged.contribution);
            let after = rest.steps.first().map(|step| &step.predictions);
            prop_assert!(after.is_none_or(|after| *after == first.next));
        }
        let mut advantages = [0.0; EXPERTS];
        for (n, (step, moment)) in judged.steps.iter().zip(&segment.moments).enumerate() {
            // What the behaviours before taught counts already.
            let mut learnt = *habits.learnt();
            if n > 0 {
                let moments = segment.moments[..n].to_vec();
                let earlier = Segment { moments, ..segment };
                learnt.add(&habits.judge(&words, &pooled, &earlier).contribution);
            }
            let (q, advantage) = known.judge(&segment, n, &learnt);
            if known.segments.iter().all(|other| other.start() != segment.start()) {
                let moments = &segment.moments[..n];
                let expected = habits.expected(&words, &pooled, segment.start(), moments);
                for (found, q) in expected.iter().zip(&q) {
                    prop_assert!((f64::from(*found) - q).abs() < 1e-3, "{n}: {found} {q}");
                }
            }
            let surprisal = -q[usize::from(moment.action.0)].ln();
            prop_assert!((surprisal - f64::from(step.surprisal)).abs() < 1e-3, "{n}: {surprisal} {step:?}");
            let mut sorted = q.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            prop_assert_eq!(step.predictions.len(), 5);
            for ((action, p), best) in step.predictions.iter().zip(sorted) {
                prop_assert!((f64::from(*p) - best).abs() < 1e-3);
                prop_assert!((f64::from(*p) - q[usize::from(action.0)]).abs() < 1e-3);
            }
            for (sum, advantage) in advantages.iter_mut().zip(advantage) {
                *sum += advantage.clamp(-4.0, 4.0);
            }
        }
        for (sum, learnt) in advantages.iter().zip(judged.contribution.steps()) {
            prop_assert!((sum - learnt).abs() < 1e-2 * segment.moments.len() as f64, "{sum} {learnt}");
        }
    }

    /// Whatever comes, goes, comes late, is final or was laid aside meanwhile: what stands is what counts.
    #[test]
    fn what_stands_is_what_counts(
        all in segments(24), order in any::<u64>(), gone in prop::collection::vec(any::<Index>(), 0..6),
        settled in any::<Index>(), asleep in any::<Index>(),
    ) {
        prop_assume!(!all.is_empty());
        let catalogs = catalogs();
        let words = Vocabulary::new(&catalogs, HomeId(0));
        let pooled = Pooled::default();
        let mut habits = Habits::default();
        let mut shuffled: Vec<_> = all.iter().collect();
        shuffled.sort_by_key(|segment| (segment.start().0 as u64).wrapping_mul(order | 1));
        let mut evidence: Vec<(&Segment, Judged)> = Vec::new();
        for (n, segment) in shuffled.into_iter().enumerate() {
            let judged = habits.judge(&words, &pooled, segment);
            habits.learn(&words, segment, &judged);
            evidence.push((segment, judged));
            if n == asleep.index(all.len()) {
                habits = bincode::deserialize(&bincode::serialize(&habits).unwrap()).unwrap();
            }
        }
        let before = settled.get(&all).start();
        habits.settle(before);
        // Into the last one that starts before, an action that closes may still come.
        let last = all.iter().map(Segment::start).filter(|start| *start < before).max();
        for gone in gone {
            let segment = gone.get(&all);
            let known = evidence.iter().position(|(known, _)| *known == segment);
            let open = last.is_none_or(|last| segment.start() >= last);
            prop_assert_eq!(habits.retract(&words, segment), open && known.is_some());
            if let Some(known) = known.filter(|_| open) {
                evidence.remove(known);
            }
        }
        evidence.sort_by_key(|(segment, _)| segment.start());
        let mut anew = Habits::default();
        for (segment, judged) in &evidence {
            anew.learn(&words, segment, judged);
        }
        // Which segments are final no longer differs once all of them are, but for a newest one.
        let mut newest = all[0].clone();
        newest.moments[0].time = Time(1000 * Time::DAY);
        newest.moments.truncate(1);
        let judged = habits.judge(&words, &pooled, &newest);
        prop_assert_eq!(&judged, &anew.judge(&words, &pooled, &newest));
        for habits in [&mut habits, &mut anew] {
            habits.learn(&words, &newest, &judged);
            habits.settle(Time(i64::MAX));
        }
        prop_assert_eq!(&habits, &anew);
    }

    /// What came and went leaves no trace in the cohort's counts.
    #[test]
    fn pooled_counts_are_taken_back(all in segments(8), stays in segments(4)) {
        let catalogs = catalogs();
        let words = Vocabulary::new(&catalogs, HomeId(0));
        let within = context("summer");
        let stays: Vec<_> = stays.into_iter().map(|segment| (segment, within)).collect();
        let expected = pool(&words, &stays);
        let mut pooled = expected.clone();
        let (mut come, mut go) = (PooledChanges::default(), PooledChanges::default());
        for segment in &all {
            come.add(&words, segment, within, 1);
            go.add(&words, segment, within, -1);
        }
        pooled.apply(&come);
        prop_assert_eq!(pooled == expected, all.is_empty());
        pooled.apply(&go);
        prop_assert_eq!(&pooled, &expected);
        come.merge(&go);
        come.consolidate();
        prop_assert!(come.is_empty());
    }
}

/// What is kept is bounded, by what is final alone; sequences that are imagined are bounded, too.
#[test]
fn old_segments_go() {
    let catalogs = catalogs();
    let words = Vocabulary::new(&catalogs, HomeId(0));
    let segment = |n: i64| Segment {
        home: HomeId(0),
        moments: (0..100)
            .map(|minute| Moment {
                time: Time(n * Time::DAY + minute * 60 * Time::SECOND),
                action: ActionId((minute % 16) as u16),
                offset: 0,
            })
            .collect(),
    };
    let (mut often, mut once) = (Habits::default(), Habits::default());
    let pooled = Pooled::default();
    let judged = often.judge(&words, &pooled, &segment(0));
    for n in 0..200 {
        often.learn(&words, &segment(n), &judged);
        often.settle(Time((n - 3) * Time::DAY));
        once.learn(&words, &segment(n), &judged);
    }
    once.settle(Time((199 - 3) * Time::DAY));
    assert_eq!(often, once);
    assert_eq!(often.behaviors(), super::home::KEPT / 100 * 100 + 500);
    let judged = often.judge(&words, &pooled, &segment(200));
    assert!(
        judged.steps[50].surprisal < 0.1,
        "{}",
        judged.steps[50].surprisal
    );

    let sequence = Sequence(vec![
        Quadruple {
            weekday: 0,
            hours: 0,
            action: ActionId(0)
        };
        IMAGINED
    ]);
    once.shift(Time(0), context("summer"));
    once.imagine(std::slice::from_ref(&sequence));
    let mut twice = once.clone();
    twice.imagine(&[sequence.clone(), sequence]);
    assert_eq!(once, twice);
}
