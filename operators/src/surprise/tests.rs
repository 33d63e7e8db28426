//! The detector against its definition, by plain loops over the segments that stand.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::state::Packing;
use crate::words::{Action, Catalog, Catalogs, CohortId, Device, DeviceId, HomeId, Moment, Own};

const ACTIONS: u16 = 6;

fn catalogs() -> Arc<Catalogs> {
    let device = |name| Device::new(name, ["on", "off"].map(Action::new).into());
    let devices = ["Fan", "Lamp", "Door"].map(device);
    Catalogs::shared(Arc::new(Catalog::new(devices.into()).unwrap()))
}

/// A segment that starts on a day, of actions with the seconds before them.
fn segment(day: i64, behaviors: &[(u16, i64)]) -> Segment {
    let mut time = day * Time::DAY;
    let moments = behaviors.iter().map(|&(action, seconds)| {
        time += seconds * Time::SECOND;
        Moment {
            time: Time(time),
            action: ActionId(action),
            offset: 60,
        }
    });
    Segment {
        home: HomeId(0),
        moments: moments.collect(),
    }
}

fn any_segments(most: usize) -> impl Strategy<Value = Vec<Segment>> {
    let seconds = prop::sample::select(vec![0, 1, 5, 70, 900, 9_000]);
    let behaviors = prop::collection::vec((0..ACTIONS, seconds), 1..9);
    let days = prop::collection::vec(behaviors, 1..most);
    days.prop_map(|days| {
        let days = (0..).zip(&days);
        days.map(|(day, behaviors)| segment(day, behaviors))
            .collect()
    })
}

/// Each behaviour of some segments with its context and outcome, as `facts` has them.
fn share<F>(segments: &[Segment], facts: F, context: &str, outcome: &str) -> Share
where
    F: Fn(&[Moment], usize) -> Option<(String, String)>,
{
    let places = segments
        .iter()
        .flat_map(|s| (0..=s.moments.len()).map(move |i| (s, i)));
    let met = places.filter_map(|(s, i)| facts(&s.moments, i));
    let mut here: Vec<String> = met.filter(|(c, _)| c == context).map(|(_, o)| o).collect();
    let (seen, times) = (here.iter().filter(|o| *o == outcome).count(), here.len());
    here.sort();
    here.dedup();
    Share {
        seen: seen as u32,
        times: times as u32,
        kinds: here.len() as u32,
    }
}

fn name(moment: Option<&Moment>) -> String {
    moment.map_or("border".into(), |m| m.action.0.to_string())
}

fn before(s: &[Moment], i: usize) -> Option<&Moment> {
    i.checked_sub(1).map(|i| &s[i])
}

fn pause(s: &[Moment], i: usize) -> String {
    match (before(s, i), s.get(i)) {
        (Some(a), Some(b)) => match (b.time.0 - a.time.0) / Time::SECOND {
            0 => "0".into(),
            seconds => format!("1{}", (1..40).filter(|n| 4_i64.pow(*n) <= seconds).count()),
        },
        _ => "none".into(),
    }
}

fn run(s: &[Moment], i: usize) -> usize {
    let same = s[..i].iter().rev().take_while(|m| m.action == s[i].action);
    same.count().min(5)
}

fn turns(s: &[Moment], i: usize) -> usize {
    let taken = |n: &usize| n + 1 < i && s[i - n].action == s[i - n - 2].action;
    (0..5).take_while(taken).count()
}

/// A trait of a behaviour in words.
fn bin(s: &[Moment], i: usize, of: Trait) -> String {
    match of {
        Trait::Hours => s[i].time.local(s[i].offset).1.to_string(),
        Trait::PauseBefore => pause(s, i),
        Trait::PauseAfter => pause(s, i + 1),
        Trait::Run => run(s, i).to_string(),
        Trait::Turns => turns(s, i).to_string(),
    }
}

fn device(m: &Moment) -> DeviceId {
    DeviceId(m.action.0 / 2)
}

/// The last action of a behaviour's device before it in its segment.
fn last(s: &[Moment], i: usize) -> Option<ActionId> {
    let mut earlier = s[..i].iter().rev();
    earlier
        .find(|m| device(m) == device(&s[i]))
        .map(|m| m.action)
}

/// The surprise of a behaviour by its definition, in a home's first regime or, after a shift, by the regime's own segments.
fn defined(
    (home, lately): (&[Segment], Option<&[Segment]>),
    cohort: &[Segment],
    probe: &Segment,
    i: usize,
) -> [f32; 5] {
    let s = &probe.moments[..];
    let any = |s: &[Moment], i: usize| Some((String::new(), name(s.get(i))));
    let ahead = |s: &[Moment], i: usize| Some((name(before(s, i)), name(s.get(i))));
    let back = |s: &[Moment], i: usize| Some((name(s.get(i)), name(before(s, i))));
    let over = |facts: &dyn Fn(&[Moment], usize) -> Option<(String, String)>, a: &str, b: &str| {
        let general = share(cohort, any, "", b).over(1.0 / 7.0);
        let general = share(cohort, facts, a, b).over(general);
        let general = share(home, any, "", b).over(general);
        share(home, facts, a, b).over(general)
    };
    let (here, prior, next) = (name(s.get(i)), name(before(s, i)), name(s.get(i + 1)));
    let order =
        over(&ahead, &prior, &here) * over(&back, &next, &here) * over(&ahead, &here, &next)
            / over(&ahead, &prior, &next);
    let by_trait = |of: Trait| {
        let all = |s: &[Moment], i: usize| (i < s.len()).then(|| (String::new(), bin(s, i, of)));
        let own = |s: &[Moment], i: usize| (i < s.len()).then(|| (name(s.get(i)), bin(s, i, of)));
        let found = bin(s, i, of);
        let general = share(cohort, all, "", &found).over(1.0 / of.bins() as f32);
        let general = share(cohort, own, &here, &found).over(general);
        -share(home, own, &here, &found).over(general).ln()
    };
    let hours = |all: &[Segment], action: Option<ActionId>, bin: usize| {
        let all = all.iter().flat_map(|s| &s.moments);
        let of = all.filter(|m| action.is_none_or(|action| m.action == action));
        let there = of.filter(|m| usize::from(m.time.local(m.offset).1) == bin);
        there.count() as f32
    };
    let sum = |all: &[Segment], action| (0..8).map(|bin| hours(all, action, bin)).sum::<f32>();
    let action = Some(s[i].action);
    let mut hour = by_trait(Trait::Hours);
    let mut order = order.ln() / 2.0;
    if let Some(lately) = lately {
        let turned = |bin: usize| {
            let before = (hours(home, None, bin) + 1.0) / (sum(home, None) + 8.0);
            let now = (hours(lately, None, bin) + 8.0 * before) / (sum(lately, None) + 8.0);
            let moments = vec![Moment {
                time: Time((bin as i64 * 3 - 1) * Time::HOUR),
                ..s[i]
            }];
            let there = |found: &str| {
                let all = |s: &[Moment], i: usize| {
                    (i < s.len()).then(|| (String::new(), self::bin(s, i, Trait::Hours)))
                };
                let own = |s: &[Moment], i: usize| {
                    (i < s.len()).then(|| (name(s.get(i)), self::bin(s, i, Trait::Hours)))
                };
                let general = share(cohort, all, "", found).over(1.0 / 8.0);
                let general = share(cohort, own, &here, found).over(general);
                share(home, own, &here, found).over(general)
            };
            there(&self::bin(&moments, 0, Trait::Hours)) * now / before
        };
        let bin = usize::from(s[i].time.local(s[i].offset).1);
        let general = turned(bin) / (0..8).map(turned).sum::<f32>();
        let own = hours(lately, action, bin) + 8.0 * general;
        hour = -(own / (sum(lately, action) + 8.0)).ln();
        let known = share(home, any, "", &here);
        let before = (known.seen as f32 + 0.5) / (known.times as f32 + 1.0);
        let now = (sum(lately, action) + 50.0 * before) / (sum(lately, None) + 50.0);
        order += 1.5 * (now / before).ln();
    }
    let mut ever = home.iter().filter(|other| other.start() < probe.start());
    let ever = ever.by_ref().flat_map(|other| &other.moments);
    let ever = ever.filter(|m| device(m) == device(&s[i])).last();
    let state = |m: &Moment, last: Option<ActionId>| match last {
        Some(last) => format!("after {}", last.0),
        None => format!("first of {}", device(m).0),
    };
    let states =
        |s: &[Moment], i: usize| (i < s.len()).then(|| (state(&s[i], last(s, i)), name(s.get(i))));
    let context = state(&s[i], last(s, i).or(ever.map(|m| m.action)));
    let general = share(cohort, states, &context, &here).over(0.5);
    [
        -order,
        hour,
        -share(home, states, &context, &here).over(general).ln(),
        by_trait(Trait::Run) + by_trait(Trait::Turns) / 2.0,
        f32::midpoint(by_trait(Trait::PauseBefore), by_trait(Trait::PauseAfter)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever came and went again, in whatever order, and what is final: judged is by the segments that stand.
    #[test]
    fn a_behaviour_is_as_surprising_as_its_definition_says(
        mut segments in any_segments(12),
        other in any_segments(5),
        order in any::<prop::sample::Index>(),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        final_before in 0_i64..8,
        shift in 0_i64..14,
        moved in 0_i64..4,
    ) {
        let catalogs = catalogs();
        let words = Vocabulary::new(&catalogs, HomeId(0));
        let probe = segments.pop().unwrap();
        let (mut detector, mut cohort, mut changes) = Default::default();
        let (detector, changes): (&mut Detector, &mut Changes) = (&mut detector, &mut changes);
        let first = order.index(segments.len().max(1));
        let (late, early) = segments.split_at(first.min(segments.len()));
        // What lies behind the shift is in another regime; of some this is said later.
        let regime = |s: &Segment, shift: i64| u32::from(s.start().0 >= shift * Time::DAY);
        for s in early.iter().chain(late) {
            detector.learn(&words, s, regime(s, shift + moved));
        }
        for at in gone {
            if !segments.is_empty() {
                let s = segments.remove(at.index(segments.len()));
                prop_assert!(detector.retract(&words, &s));
                prop_assert!(!detector.retract(&words, &s));
            }
        }
        let relabelled = |s: &&Segment| regime(s, shift) != regime(s, shift + moved);
        for s in segments.iter().filter(relabelled) {
            detector.relabel(s, 0, -1);
            detector.relabel(s, 1, 1);
        }
        let horizon = Time(final_before * Time::DAY);
        detector.settle(&words, horizon);
        // Into the last one that starts before, an action that closes may still come.
        let last = segments.iter().map(Segment::start).filter(|start| *start < horizon).max();
        for s in &other {
            changes.add(&words, s, 1);
        }
        changes.consolidate();
        Counts::apply(&mut cohort, changes);
        let since: Vec<Segment> = segments.iter().filter(|s| regime(s, shift) == 1).cloned().collect();
        let of = regime(&probe, shift);
        let lately = (of == 1 && !since.is_empty()).then_some(&since[..]);
        let found = detector.judge(&words, &cohort, &probe, of);
        for (i, found) in found.iter().enumerate() {
            let expected = defined((&segments, lately), &other, &probe, i);
            for (part, expected) in Part::ALL.into_iter().zip(expected) {
                let found = found.of(part);
                prop_assert!((found - expected).abs() < 1e-3, "{part:?} of {i}: {found} {expected}");
            }
        }
        let mut again = Detector::default();
        for s in &segments {
            again.learn(&words, s, regime(s, shift));
        }
        if last.is_none() {
            prop_assert_eq!(&detector.lately, &again.lately);
        }
        prop_assert_eq!(detector.counts(), again.counts());
        let mut settled = Detector::default();
        for s in &segments {
            if last.is_none_or(|last| s.start() >= last) {
                prop_assert!(detector.retract(&words, s));
            } else {
                prop_assert!(!detector.retract(&words, s));
                settled.learn(&words, s, regime(s, shift));
            }
        }
        prop_assert_eq!(detector.counts(), settled.counts());
    }

    /// Changes may be grouped and sent as one likes, and what is taken back is as if it had never been.
    #[test]
    fn changes_sum(segments in any_segments(6), gone in any_segments(4)) {
        let catalogs = catalogs();
        let words = Vocabulary::new(&catalogs, HomeId(0));
        let (mut one, mut whole) = (Changes::default(), Counts::default());
        for s in segments.iter().chain(&gone) {
            one.add(&words, s, 1);
            let mut changes = Changes::default();
            changes.add(&words, s, 1);
            whole.apply(&changes);
        }
        let mut back = Changes::default();
        for s in &gone {
            back.add(&words, s, -1);
        }
        one.merge(&back);
        one.consolidate();
        whole.apply(&back);
        let mut at_once = Counts::default();
        at_once.apply(&one);
        prop_assert_eq!(&at_once, &whole);
        prop_assert_eq!(Counts::unpack(&whole.pack()), Some(whole));
        for s in &segments {
            one.add(&words, s, -1);
        }
        one.consolidate();
        prop_assert!(one.is_empty());
    }
}

#[test]
fn homes_that_name_their_devices_differently_share_what_they_know() {
    let own = |home, name: &str| {
        let action = |own: &str| Action {
            meaning: Some(own.into()),
            ..Action::new(format!("{name} {own}"))
        };
        let lamp = Device {
            kind: Some("Light".into()),
            ..Device::new(name, ["on", "off"].map(action).into())
        };
        let catalog = Arc::new(Catalog::new(vec![lamp]).unwrap());
        Own {
            home: HomeId(home),
            cohort: CohortId(0),
            catalog,
        }
    };
    let catalogs = Catalogs::new(vec![own(0, "0x17"), own(1, "desk lamp")], None).unwrap();
    let [first, second] = [0, 1].map(|home| Vocabulary::new(&catalogs, HomeId(home)));
    let action = |words: &Vocabulary<'_>, name: &str| {
        let ids = words.catalog().action_ids();
        let mut named = ids.filter(|id| words.catalog().action_name(*id).ends_with(name));
        named.next().unwrap().0
    };
    let (mut cohort, mut changes) = (Counts::default(), Changes::default());
    for day in 0..20 {
        let usual = [(action(&first, "on"), 60), (action(&first, "off"), 60)];
        changes.add(&first, &segment(day, &usual), 1);
    }
    cohort.apply(&changes);
    let odd = [(action(&second, "on"), 60), (action(&second, "on"), 60)];
    let odd = Detector::default().judge(&second, &cohort, &segment(30, &odd), 0);
    let usual = [(action(&second, "on"), 60), (action(&second, "off"), 60)];
    let usual = Detector::default().judge(&second, &cohort, &segment(30, &usual), 0);
    for part in [Part::Order, Part::State, Part::Repetition] {
        assert!(odd[1].of(part) > usual[1].of(part) + 1.0, "{part:?}");
    }
}

#[test]
fn nothing_but_the_most_frequent_action_is_surprising() {
    let catalogs = catalogs();
    let words = Vocabulary::new(&catalogs, HomeId(0));
    let mut detector = Detector::default();
    let usual: Vec<_> = [0, 2, 0, 3, 0, 4, 0, 5].map(|action| (action, 60)).into();
    for day in 0..30 {
        detector.learn(&words, &segment(day, &usual), 0);
    }
    let scores = |behaviors: &[(u16, i64)]| {
        let judged = detector.judge(&words, &Counts::default(), &segment(40, behaviors), 0);
        judged.iter().map(Surprise::total).fold(f32::MIN, f32::max)
    };
    assert!(scores(&[(0, 60); 8]) > scores(&usual) + 10.0);
}

#[test]
fn a_home_without_habits_is_counted_anew() {
    let actions = (0..300).map(|n| Action::new(n.to_string()));
    let catalog = Catalog::new(vec![Device::new("Meter", actions.collect())]).unwrap();
    let catalogs = Catalogs::shared(Arc::new(catalog));
    let words = Vocabulary::new(&catalogs, HomeId(0));
    // All pairs of actions, a thousand a day.
    let pairs = (0..300).flat_map(|a| (0..300).map(move |b| [(a, 1), (b, 1)]));
    let pairs: Vec<(u16, i64)> = pairs.flatten().collect();
    let days: Vec<Segment> = (0..)
        .zip(pairs.chunks(2_000))
        .map(|(n, b)| segment(n, b))
        .collect();
    let mut detector = Detector::default();
    let mut anew = 0;
    for (n, day) in days.iter().enumerate() {
        let since = detector.since();
        detector.learn(&words, day, 0);
        detector.settle(&words, day.start());
        anew += usize::from(since.is_some() && detector.since() != since);
        let mut again = Counts::default();
        for known in &days[..=n] {
            if known.start() >= detector.since().unwrap() {
                again.count(&words, known, 1);
            }
        }
        if n % 10 == 0 {
            assert_eq!(*detector.counts(), again);
        }
        assert!(detector.counts().size() < MOST + 8_000);
    }
    assert!(anew > 1, "{anew}");
}
