//! Edits carried out one at a time by plain functions: what [`dispose`] has to come to.

use hearth_operators::words::HOURS;
use proptest::prelude::*;

use super::super::dispose::dispose;
use super::super::proposal::{Proposal, Target};
use super::*;
use crate::synthesizers::edit::{every_day, every_hour};

/// Actions of the catalog.
const ACTIONS: u16 = 11;

/// A home's sequences; in each, days go forward.
pub(super) fn sources() -> impl Strategy<Value = Vec<Sequence>> {
    let behavior = (0..2_u8, 0..8_u8, 0..ACTIONS);
    let sequence = (0..7_u8, prop::collection::vec(behavior, 1..10));
    prop::collection::vec(sequence, 1..20).prop_map(|all| {
        let sequence = |(first, behaviors): (u8, Vec<(u8, u8, u16)>)| {
            let mut weekday = first;
            let behaviors = behaviors.into_iter().map(|(on, hours, action)| {
                weekday = (weekday + on) % 7;
                Quadruple {
                    weekday,
                    hours,
                    action: ActionId(action),
                }
            });
            Sequence(behaviors.collect())
        };
        all.into_iter().map(sequence).collect()
    })
}

fn hours() -> impl Strategy<Value = std::collections::BTreeSet<u8>> {
    prop_oneof![
        Just(every_hour()),
        prop::collection::btree_set(0..8_u8, 1..4)
    ]
}

/// Edits without chance in them.
fn certain() -> impl Strategy<Value = Proposal> {
    let target = prop_oneof![
        (0..5_u16).prop_map(|d| Target::Device(hearth_operators::words::DeviceId(d))),
        (0..ACTIONS).prop_map(|a| Target::Action(ActionId(a))),
    ];
    let movable = prop_oneof![1 => Just(Target::Everything), 4 => target.clone()];
    prop_oneof![
        target.prop_map(|what| Proposal::Drop { what }),
        (0..ACTIONS, 0..ACTIONS, hours()).prop_map(|(action, by, hours)| Proposal::Replace {
            action: ActionId(action),
            by: ActionId(by),
            hours,
        }),
        (movable, hours(), 1..8_i64, any::<bool>()).prop_map(|(what, hours, by, back)| {
            Proposal::Move {
                what,
                hours,
                by: if back { -by } else { by },
            }
        }),
    ]
}

fn proposed(proposals: Vec<Proposal>) -> Vec<Proposed> {
    let proposed = |proposal| Proposed {
        written: String::new(),
        proposal: Ok(proposal),
    };
    proposals.into_iter().map(proposed).collect()
}

/// By action: the one that closes it, as [`catalog`] has it.
fn closer(action: ActionId) -> Option<ActionId> {
    let catalog = catalog();
    let mut all = catalog.action_ids();
    all.find(|&other| catalog.closes(other).contains(&action))
}

fn meant(what: Target, q: &Quadruple) -> bool {
    what.covers(&catalog(), q.action)
}

/// The latest behaviour before the `i`th that it closes.
fn closed(sequence: &[Quadruple], i: usize) -> Option<usize> {
    (0..i).rfind(|&j| closer(sequence[j].action) == Some(sequence[i].action))
}

/// Which behaviours go: those that are `hit`, and those that close one that goes.
fn gone(sequence: &[Quadruple], hit: &dyn Fn(&Quadruple) -> bool) -> Vec<bool> {
    let mut gone: Vec<bool> = Vec::new();
    for (i, q) in sequence.iter().enumerate() {
        gone.push(hit(q) || closed(sequence, i).is_some_and(|j| gone[j]));
    }
    gone
}

fn replaced(
    sequence: &[Quadruple],
    action: ActionId,
    by: ActionId,
    hit: &dyn Fn(&Quadruple) -> bool,
) -> Vec<Quadruple> {
    let gone = gone(sequence, hit);
    let (mut after, mut open) = (Vec::new(), false);
    for (q, gone) in sequence.iter().zip(gone) {
        if !gone {
            after.push(*q);
        } else if open && closer(action) == Some(q.action) {
            open = false;
            after.extend(closer(by).map(|action| Quadruple { action, ..*q }));
        } else if hit(q) && !open {
            open = true;
            after.push(Quadruple { action: by, ..*q });
        }
    }
    after
}

fn moved(sequence: &[Quadruple], what: Target, own: &dyn Fn(&Quadruple) -> i64) -> Vec<Quadruple> {
    let mut day = i64::from(sequence.first().map_or(0, |q| q.weekday));
    let mut at: Vec<(i64, i64, Quadruple)> = Vec::new();
    for (i, q) in sequence.iter().enumerate() {
        while day % 7 != i64::from(q.weekday) {
            day += 1;
        }
        let was = day * 8 + i64::from(q.hours);
        // Each occurrence is closed once.
        let opened = closed(sequence, i);
        let opened = opened.filter(|&j| (j + 1..i).all(|k| sequence[k].action != q.action));
        let is = match opened {
            Some(j) if what == Target::Action(q.action) => at[j].1.max(was + own(q)),
            Some(j) => was + at[j].1 - at[j].0,
            None => was + own(q),
        };
        at.push((was, is, *q));
    }
    let torn = at.windows(2).any(|w| w[0].0 <= w[1].0 && w[0].1 > w[1].1);
    if torn {
        at.sort_by_key(|&(_, is, _)| is);
    }
    let when = |(_, is, q): (i64, i64, Quadruple)| Quadruple {
        weekday: (is.div_euclid(8)).rem_euclid(7) as u8,
        hours: is.rem_euclid(8) as u8,
        ..q
    };
    at.into_iter().map(when).collect()
}

/// One edit of one sequence.
fn naive(proposal: &Proposal, Sequence(sequence): &Sequence) -> Sequence {
    Sequence(match *proposal {
        Proposal::Drop { what } => {
            let gone = gone(sequence, &|q| meant(what, q));
            let kept = sequence.iter().zip(gone).filter(|(_, gone)| !gone);
            kept.map(|(q, _)| *q).collect()
        }
        Proposal::Replace {
            action,
            by,
            ref hours,
        } => replaced(sequence, action, by, &|q| {
            q.action == action && hours.contains(&q.hours)
        }),
        Proposal::Move {
            what,
            ref hours,
            by,
        } => moved(sequence, what, &|q| {
            by * i64::from(meant(what, q) && hours.contains(&q.hours))
        }),
        Proposal::Add { .. } => unreachable!("chance is in it"),
    })
}

fn count(sequences: &[Sequence]) -> usize {
    sequences.iter().map(|s| s.0.len()).sum()
}

const SHIFT: ShiftKey = ShiftKey {
    home: HomeId(0),
    regime: 0,
};

proptest! {
    #[test]
    fn edits_are_carried_out_as_one_after_the_other(
        source in sources(),
        proposals in prop::collection::vec(certain(), 1..8),
    ) {
        let vocabulary = Vocabulary::new(catalog());
        let all = proposed(proposals.clone());
        let disposed = dispose(&all, &vocabulary, &source, SHIFT, 1);
        prop_assert_eq!(disposed.standing.len() + disposed.refused.len(), proposals.len());
        let mut past = source.clone();
        for (i, proposal) in proposals.iter().enumerate() {
            let next: Vec<Sequence> = past.iter().map(|s| naive(proposal, s)).collect();
            if disposed.standing.contains(&i) {
                prop_assert_ne!(&next, &past, "{:?} touches nothing", proposal);
                prop_assert!(count(&next) * 10 >= count(&source));
                past = next;
                continue;
            }
            let start = format!("edit {} ", i + 1);
            let reason = disposed.refused.iter().find(|r| r.starts_with(&start)).unwrap();
            let right = match reason {
                r if r.contains("touches nothing") => next == past,
                r if r.contains("would leave") => count(&next) * 10 < count(&source),
                r if r.contains("by itself") => matches!(proposal, Proposal::Replace { action, by, .. } if action == by),
                r if r.contains("moves it already") => matches!(proposal, Proposal::Move { .. }),
                r => r.contains("contradicts") && !matches!(proposal, Proposal::Move { .. }),
            };
            prop_assert!(right, "{:?}: {}", proposal, reason);
        }
        prop_assert_eq!(disposed.sequences, past);
    }

    #[test]
    fn additions_go_where_they_may_and_nowhere_else(
        source in sources(),
        (action, after) in (0..ACTIONS, prop::option::of(0..ACTIONS)),
        hours in hours(),
        weekdays in prop_oneof![Just(every_day()), prop::collection::btree_set(0..7_u8, 1..3)],
        (share, seed) in (prop_oneof![Just(1.0), 0.1..1.0], any::<u64>()),
    ) {
        let (action, after) = (ActionId(action), after.map(ActionId));
        let vocabulary = Vocabulary::new(catalog());
        let add = proposed(vec![Proposal::Add { action, hours: hours.clone(), weekdays: weekdays.clone(), share, after }]);
        let disposed = dispose(&add, &vocabulary, &source, SHIFT, seed);
        prop_assert_eq!(&dispose(&add, &vocabulary, &source, SHIFT, seed).sequences, &disposed.sequences);
        let place = |q: &Quadruple| {
            hours.contains(&q.hours) && weekdays.contains(&q.weekday) && after.is_none_or(|a| a == q.action)
        };
        let mut added = 0;
        for (before, after) in source.iter().zip(&disposed.sequences) {
            let open = before.0.iter().any(place) && before.0.iter().all(|q| q.action != action);
            if before == after {
                prop_assert!(!open || share < 1.0);
                continue;
            }
            added += 1;
            prop_assert!(open);
            // Without what was added it is as before.
            let at = after.0.iter().position(|q| q.action == action).unwrap();
            prop_assert!(at > 0 && place(&after.0[at - 1]));
            prop_assert_eq!((after.0[at].weekday, after.0[at].hours), (after.0[at - 1].weekday, after.0[at - 1].hours));
            let mut rest = after.0.clone();
            rest.remove(at);
            if let Some(close) = closer(action) {
                prop_assert_eq!(rest.len(), before.0.len() + 1);
                let ends = (at..rest.len()).filter(|&i| rest[i].action == close);
                let without = |i: usize| [&rest[..i], &rest[i + 1..]].concat();
                prop_assert!(ends.map(without).any(|left| left == before.0));
            } else {
                prop_assert_eq!(&rest, &before.0);
            }
        }
        prop_assert_eq!(added > 0, disposed.refused.is_empty());
    }
}

#[test]
fn a_share_is_about_as_many_sequences() {
    let day = sequence(
        0,
        &[
            (2, "Light:switch on"),
            (HOURS.len() as u8 - 1, "Light:switch off"),
        ],
    );
    let source = vec![day; 2_000];
    let reply = json!({"edits": [{"edit": "add", "action": "Fan:switch on", "hours": ["(21~24)"], "share": 0.3}]});
    let edited = editor().edit(&request(source.clone(), 0), &reply.to_string(), &[]);
    let edited = edited.unwrap().sequences;
    let with = edited.iter().zip(&source).filter(|(a, b)| a != b).count();
    // Six standard deviations either way.
    assert!((480..=720).contains(&with), "{with} of 2000, expected 600");
}
