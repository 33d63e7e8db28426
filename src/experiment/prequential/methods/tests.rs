//! Each method against its definition, told the slow way; and that none looks ahead.

use hearth_operators::words::Time;
use proptest::prelude::*;

use super::super::log::Action;
use super::ngram::Memory;
use super::*;

/// Actions of the logs here.
const ACTIONS: usize = 5;

fn behavior(minute: i64, action: Action) -> Behavior {
    let time = Time(minute * 60 * Time::SECOND);
    Behavior::new(crate::outputs::Stamp { time, offset: 0 }, action)
}

fn segment(epoch: u64, home: Home, from: i64, actions: &[Action]) -> Segment {
    let behaviors = actions
        .iter()
        .zip(from..)
        .map(|(a, minute)| behavior(minute, *a));
    Segment {
        epoch,
        home,
        behaviors: behaviors.collect(),
    }
}

/// Segments of two homes, eight hours apart, some of an epoch.
fn any_log() -> impl Strategy<Value = Vec<Segment>> {
    let actions = prop::collection::vec(0..ACTIONS as Action, 1..8);
    let one = (0u32..2, 0u64..2, actions);
    prop::collection::vec(one, 1..45).prop_map(|log| {
        let mut epoch = 0;
        let segments = log
            .into_iter()
            .enumerate()
            .map(|(i, (home, step, actions))| {
                epoch += step;
                segment(epoch, home, i as i64 * 8 * 60, &actions)
            });
        segments.collect()
    })
}

/// What a method gives at each place of a log.
fn through(method: &mut dyn Predictor, log: &[Segment]) -> Vec<Vec<f64>> {
    let mut given = Vec::new();
    let mut latest: [Option<Behavior>; 2] = [None; 2];
    for segment in log {
        method.begin(&Opening::of(segment));
        let earlier = latest[segment.home as usize];
        for (place, _) in Place::of(segment, earlier.as_ref()) {
            let mut scores = vec![f64::NAN; ACTIONS];
            method.predict(&place, &mut scores);
            given.push(scores);
        }
        method.learn(segment, earlier.as_ref());
        latest[segment.home as usize] = Some(*segment.last());
    }
    given
}

fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9)
}

/// A place as it is counted: epoch, home, when the segment began and ended, hours before, the last actions, and what came.
struct Seen {
    epoch: u64,
    segment: usize,
    home: Home,
    began: i64,
    ended_day: i64,
    ended: i64,
    hours: u8,
    last: Vec<Option<Action>>,
    action: Action,
}

fn places(log: &[Segment]) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut latest: [Option<Behavior>; 2] = [None; 2];
    for (number, segment) in log.iter().enumerate() {
        for (i, b) in segment.behaviors.iter().enumerate() {
            let before = match i {
                0 => latest[segment.home as usize],
                _ => Some(segment.behaviors[i - 1]),
            };
            let back = segment.behaviors[..i].iter().rev();
            seen.push(Seen {
                epoch: segment.epoch,
                segment: number,
                home: segment.home,
                began: segment.first().time,
                ended_day: segment.last().day,
                ended: segment.last().time,
                hours: before.map_or(8, |b| b.hours),
                last: back.map(|b| Some(b.action)).chain([None]).collect(),
                action: b.action,
            });
        }
        latest[segment.home as usize] = Some(*segment.last());
    }
    seen
}

/// Witten and Bell's smoothing by its definition, over the outcomes of what `is_there` says lies in a context.
fn smoothed(p: &[f64], outcomes: &[Action]) -> Vec<f64> {
    let mut kinds = outcomes.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    if outcomes.is_empty() {
        return p.to_vec();
    }
    let (n, k) = (outcomes.len() as f64, kinds.len() as f64);
    let times = |x: usize| outcomes.iter().filter(|o| **o as usize == x).count() as f64;
    (0..p.len())
        .map(|x| (times(x) + k * p[x]) / (n + k))
        .collect()
}

/// The interpolated n-gram at a place, from the places that it knows.
fn interpolated(p: &[f64], known: &[&Seen], at: &Seen) -> Vec<f64> {
    let same = |n: usize| {
        move |s: &&&Seen| s.last.len() >= n && at.last.len() >= n && s.last[..n] == at.last[..n]
    };
    let of = |is_there: &dyn Fn(&&&Seen) -> bool| -> Vec<Action> {
        known.iter().filter(is_there).map(|s| s.action).collect()
    };
    let p = smoothed(p, &of(&|_| true));
    let p = smoothed(&p, &of(&|s| s.hours == at.hours));
    let p = smoothed(&p, &of(&same(1)));
    let p = smoothed(&p, &of(&same(2)));
    let p = smoothed(&p, &of(&same(3)));
    smoothed(&p, &of(&|s| s.hours == at.hours && s.last[0] == at.last[0]))
}

fn even() -> Vec<f64> {
    vec![1.0 / ACTIONS as f64; ACTIONS]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What is said of a place depends on nothing that comes later, and not on what comes there.
    #[test]
    fn nobody_looks_ahead(log in any_log(), other in 0..ACTIONS as Action) {
        let mut cut = log.clone();
        let last = cut.last_mut().unwrap();
        let length = last.behaviors.len();
        last.behaviors[length - 1].action = other;
        let shorter = &log[..log.len() - 1];
        let names = predictors(ACTIONS);
        let methods = predictors(ACTIONS).into_iter().zip(predictors(ACTIONS)).zip(predictors(ACTIONS));
        for (((mut a, mut b), mut c), method) in methods.zip(names) {
            let (whole, changed) = (through(a.as_mut(), &log), through(b.as_mut(), &cut));
            prop_assert_eq!(&whole, &changed, "{}", method.name());
            let before = through(c.as_mut(), shorter);
            prop_assert_eq!(&whole[..before.len()], &before[..], "{}", method.name());
        }
    }

    /// Every distribution is one.
    #[test]
    fn probabilities_sum_to_one(log in any_log()) {
        for mut method in predictors(ACTIONS) {
            let given = through(method.as_mut(), &log);
            prop_assert!(given.iter().flatten().all(|p| *p >= 0.0 && *p <= 1.0 + 1e-12));
            // Active LeZi knows nothing of actions before the first.
            let known = given.iter().filter(|p| p.iter().any(|p| *p > 0.0));
            for p in known.filter(|_| method.is_distribution()) {
                prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{} {p:?}", method.name());
            }
        }
    }

    /// The n-gram with each memory, counted anew at each place.
    #[test]
    fn ngrams_keep_to_their_definition(log in any_log()) {
        let places = places(&log);
        const WEEK: i64 = 7 * Time::DAY;
        for memory in [Memory::Everything, Memory::FirstWeek, Memory::LastWeek, Memory::Daily] {
            let given = through(&mut ngram::Ngram::new("", memory), &log);
            for (at, given) in places.iter().zip(given) {
                let began = places.iter().find(|s| s.home == at.home).map_or(0, |s| s.began);
                let day = at.began.div_euclid(Time::DAY);
                let known = places.iter().filter(|s| s.home == at.home && s.segment < at.segment);
                let known: Vec<&Seen> = known
                    .filter(|s| match memory {
                        Memory::Everything => true,
                        Memory::FirstWeek => s.ended < began + WEEK,
                        Memory::LastWeek => s.began >= at.began - WEEK,
                        Memory::Daily => s.ended_day < day,
                    })
                    .collect();
                let expected = interpolated(&even(), &known, at);
                prop_assert!(close(&given, &expected), "{memory:?} {given:?} {expected:?}");
            }
        }
    }

    #[test]
    fn a_home_lies_over_its_cohort(log in any_log()) {
        let places = places(&log);
        let given = through(&mut ngram::OverCohort::default(), &log);
        for (at, given) in places.iter().zip(given) {
            let cohort: Vec<&Seen> = places.iter().filter(|s| s.epoch < at.epoch).collect();
            let home = places.iter().filter(|s| s.home == at.home && s.segment < at.segment);
            let home: Vec<&Seen> = home.collect();
            let expected = interpolated(&interpolated(&even(), &cohort, at), &home, at);
            prop_assert!(close(&given, &expected), "{given:?} {expected:?}");
        }
    }

    /// Surprises that are summed by hand from all places of a home.
    #[test]
    fn habits_keep_to_their_definition(log in any_log()) {
        let log: Vec<Segment> = log.into_iter().map(|s| Segment { home: 0, ..s }).collect();
        let mut habits = habits::Habits::alone(ACTIONS);
        for (number, segment) in log.iter().enumerate() {
            let scores = habits.judge(segment);
            habits.learn(segment);
            for (i, score) in scores.into_iter().enumerate() {
                let expected = surprise(&log[..number], segment, i);
                prop_assert!((score - expected).abs() < 1e-9, "{score} {expected}");
            }
        }
    }
}

/// A behaviour among its segment's, with its own hours.
fn told(segment: &Segment, i: usize, backwards: bool) -> Seen {
    let actions = segment.behaviors.iter().map(|b| Some(b.action));
    let mut actions: Vec<Option<Action>> = match backwards {
        true => actions.skip(i + 1).collect(),
        false => actions
            .take(i)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect(),
    };
    actions.push(None);
    Seen {
        epoch: 0,
        segment: 0,
        home: 0,
        began: 0,
        ended_day: 0,
        ended: 0,
        hours: segment.behaviors[i].hours,
        last: actions,
        action: segment.behaviors[i].action,
    }
}

fn surprise(known: &[Segment], segment: &Segment, i: usize) -> f64 {
    let all = || {
        known
            .iter()
            .flat_map(|s| (0..s.behaviors.len()).map(move |i| (s, i)))
    };
    let b = segment.behaviors[i];
    let way = |backwards| {
        let seen: Vec<Seen> = all().map(|(s, i)| told(s, i, backwards)).collect();
        let at = told(segment, i, backwards);
        interpolated(&even(), &seen.iter().collect::<Vec<_>>(), &at)[b.action as usize]
    };
    let hours_before = |s: &Segment, i: usize| match i {
        0 => 8,
        _ => s.behaviors[i - 1].hours,
    };
    let of = |is_there: &dyn Fn(&Segment, usize) -> bool,
              of: &dyn Fn(&Segment, usize) -> Action| {
        let there = all().filter(|(s, i)| is_there(s, *i));
        there.map(|(s, i)| of(s, i)).collect::<Vec<Action>>()
    };
    let hours_of = |s: &Segment, i: usize| Action::from(s.behaviors[i].hours);
    let before = hours_before(segment, i);
    let hours = smoothed(&[0.125; 8], &of(&|_, _| true, &hours_of));
    let hours = smoothed(&hours, &of(&|s, i| hours_before(s, i) == before, &hours_of));
    let there =
        |s: &Segment, i: usize| hours_before(s, i) == before && s.behaviors[i].action == b.action;
    let hours = smoothed(&hours, &of(&there, &hours_of))[usize::from(b.hours)];
    // Segments here are shorter than ten behaviours. Outcome 0 never comes.
    let times = |s: &Segment, i: usize| {
        let so_far = &s.behaviors[..=i];
        so_far
            .iter()
            .filter(|other| other.action == s.behaviors[i].action)
            .count() as Action
    };
    let repeats: Vec<f64> = [0.0].into_iter().chain([0.1; 10]).collect();
    let repeats = smoothed(&repeats, &of(&|_, _| true, &times));
    let same = |s: &Segment, i: usize| s.behaviors[i].action == b.action;
    let repeats = smoothed(&repeats, &of(&same, &times));
    let often: f64 = repeats[times(segment, i) as usize..].iter().sum();
    -(f64::midpoint(way(false).ln(), way(true).ln()) + hours.ln() + often.min(1.0).ln())
}

/// Two places of a home: what a method gives after `learnt`, in a segment that begins with `before`.
fn after(method: &mut dyn Predictor, learnt: &[&[Action]], before: &[Action]) -> Vec<f64> {
    let mut log: Vec<Segment> = learnt
        .iter()
        .enumerate()
        .map(|(i, actions)| segment(i as u64, 0, i as i64 * 600, actions))
        .collect();
    let asked: Vec<Action> = before.iter().copied().chain([0]).collect();
    log.push(segment(99, 0, learnt.len() as i64 * 600, &asked));
    through(method, &log).pop().unwrap()
}

#[test]
fn ppm_by_hand() {
    // After 0 came 1 twice and 2 once; after the beginning 0 three times.
    let learnt: [&[Action]; 3] = [&[0, 1], &[0, 1], &[0, 2]];
    let given = after(&mut ppm::Ppm::default(), &learnt, &[0]);
    // After "beginning, 0": n = 3, k = 2, so 2/5, 1/5, and 2/5 is left. After 0 the same are excluded, and nothing is new.
    // Anything: 0 alone is new, three times: 3/4 and 1/4 of what is left; two others share the rest.
    let left = 2.0 / 5.0;
    let rest = left / 4.0 / 2.0;
    assert!(
        close(&given, &[left * 3.0 / 4.0, 0.4, 0.2, rest, rest]),
        "{given:?}"
    );
}

#[test]
fn ppm_without_anything_to_escape_to() {
    let given = after(&mut ppm::Ppm::default(), &[&[0, 1, 2, 3, 4]], &[4]);
    // After 4 nothing came; all five are named by the shortest context: n = k = 5, and the half that escapes is theirs.
    assert!(close(&given, &even()), "{given:?}");
}

#[test]
fn trivial_answers_by_hand() {
    let learnt: [&[Action]; 2] = [&[0, 1, 0, 2], &[3, 0]];
    let given = after(&mut trivial::MostFrequent::default(), &learnt, &[]);
    assert!(
        close(
            &given,
            &[4.0 / 11.0, 2.0 / 11.0, 2.0 / 11.0, 2.0 / 11.0, 1.0 / 11.0]
        ),
        "{given:?}"
    );
    // 1, then 2 followed 0; and 3 followed the 2 of the segment before.
    let given = after(&mut trivial::LastFollower::default(), &learnt, &[0]);
    assert_eq!((given[2], given[0]), (1.0, 4.0 / 11.0));
    let given = after(&mut trivial::LastFollower::default(), &learnt, &[2]);
    assert_eq!(given[3], 1.0);
    let mut rarity = trivial::Rarity::new(ACTIONS);
    rarity.learn(&segment(0, 0, 0, &[0, 0, 1]));
    let scores = rarity.judge(&segment(0, 0, 60, &[0, 1, 4]));
    assert!(
        close(&scores, &[3.0, 2.0, 1.0].map(|n: f64| -(n / 8.0).ln())),
        "{scores:?}"
    );
}

#[test]
fn the_mixture_by_hand() {
    // One behaviour is known, of the home and of all: of every context that holds here, 1/2 + 1/2/5 for it.
    let learnt: [&[Action]; 1] = [&[3]];
    let given = after(&mut mixture::Mixture::new(ACTIONS), &learnt, &[]);
    // At the second beginning: any, the beginning (as last one to four), the set of nothing; hours before: none then, now 0.
    // The weights of that class (once seen, once seen, hours with last never) have not moved: 1/19 each.
    let known = 2.0 * 6.0 / 19.0;
    let expected = known * (0.5 + 0.5 / 5.0) + (1.0 - known) / 5.0;
    assert!((given[3] - expected).abs() < 1e-12, "{given:?} {expected}");
}

#[test]
fn chance_repeats_itself() {
    let judge = |seed| trivial::Random::new(seed).judge(&segment(0, 0, 0, &[0, 0, 0]));
    assert_eq!(judge(1), judge(1));
    assert_ne!(judge(1), judge(2));
}
