//! Homes that are unlike others.

use proptest::prelude::*;

use super::home::HomeDrift;
use super::*;
use crate::words::{Action, ActionId, Device, Moment};

const HOME: HomeId = HomeId(0);

fn alertness(lateness: i64) -> Alertness {
    let devices = ["Lamp", "Heater", "Fan"].map(|name| {
        let actions = ["on", "off"].map(Action::new);
        Device::new(name, actions.to_vec())
    });
    Alertness {
        catalogs: Catalogs::shared(Arc::new(Catalog::new(devices.to_vec()).unwrap())),
        lateness,
        strictness: Strictness::default(),
        adapts: false,
    }
}

fn moment(minutes: i64, action: u16) -> Moment {
    Moment {
        time: Time(minutes * Time::HOUR / 60),
        action: ActionId(action),
        offset: 0,
    }
}

/// A segment that comes (1) or goes (-1).
fn update(moments: Vec<Moment>, diff: i64) -> (Arc<Segment>, i64) {
    let home = HOME;
    (Arc::new(Segment { home, moments }), diff)
}

const DAY: i64 = 24 * 60;

/// Lamp and heater in the morning, from day `change` on lamp and fan in the evening; somewhat irregular.
fn day(number: i64, change: i64) -> Vec<Moment> {
    let (hour, other) = if number < change { (8, 2) } else { (20, 4) };
    let at = number * DAY + hour * 60 + number * 7 % 40;
    let mut moments = vec![moment(at, 0), moment(at + 3, other), moment(at + 9, 1)];
    if number % 3 != 0 {
        moments.push(moment(at + 30, other + 1));
    }
    moments
}

type Updates = Vec<(Arc<Segment>, i64)>;

fn found(updates: impl IntoIterator<Item = Updates>) -> Vec<Drift> {
    found_beside(updates.into_iter().map(|updates| (updates, None)))
}

/// What is found, where shifts may be declared from an epoch on.
fn found_beside(epochs: impl IntoIterator<Item = (Updates, Option<Time>)>) -> Vec<Drift> {
    let (mut home, alertness) = (HomeDrift::default(), alertness(Time::DAY));
    let mut drifts = Vec::new();
    for (epoch, shift) in epochs {
        drifts.extend(home.update(HOME, &epoch, shift.into_iter(), &alertness));
    }
    drifts
}

#[test]
fn a_shift_is_found_once_and_says_what_changed() {
    let days = |change| (0..60).map(move |n| vec![update(day(n, change), 1)]);
    assert_eq!(found(days(99)), []);
    let found = found(days(30));
    assert_eq!(found.len(), 1);
    let days = |time: Time| (time.0 - 4 * Time::HOUR) / Time::DAY;
    assert!((31..=35).contains(&days(found[0].time)), "{:?}", found[0]);
    let devices: Vec<_> = found[0].changes.devices.iter().map(|(d, _)| d.0).collect();
    assert_eq!(devices[..2], [1, 2]);
}

#[test]
fn a_declared_shift_is_not_found_again() {
    let shift = Time(30 * Time::DAY + 4 * Time::HOUR);
    // From the start, or two days late.
    for known in [0, 32] {
        let days = (0..60).map(|n| {
            let shift = (n >= known).then_some(shift);
            (vec![update(day(n, 30), 1)], shift)
        });
        assert_eq!(found_beside(days), []);
    }
}

#[test]
fn odd_homes_are_left_in_peace() {
    // One event.
    assert_eq!(found([vec![update(vec![moment(0, 0)], 1)]]), []);
    // A year of silence.
    let silent = (0..400).filter(|n| !(20..385).contains(n));
    assert_eq!(found(silent.map(|n| vec![update(day(n, 999), 1)])), []);
    // The ends of time.
    let ends = [i64::MIN, i64::MAX].map(|time| Moment {
        time: Time(time),
        ..moment(0, 0)
    });
    assert_eq!(found([vec![update(ends.to_vec(), 1)]]), []);
}

#[test]
fn what_is_erased_leaves_the_days() {
    let (mut home, alertness) = (HomeDrift::default(), alertness(Time::DAY));
    let none = std::iter::empty;
    for n in 0..20 {
        home.update(HOME, &[update(day(n, 99), 1)], none(), &alertness);
    }
    let erased: Vec<_> = (0..20).map(|n| update(day(n, 99), -1)).collect();
    home.update(HOME, &erased, none(), &alertness);
    assert!(home.is_clean(), "{home:?}");
}

proptest! {
    /// Nothing panics whatever clocks say, and it does not matter how segments come together in epochs.
    #[test]
    fn clocks_may_go_back(
        events in prop::collection::vec((0i64..40, 0i64..DAY, 0u16..6, -800i16..800), 1..150),
        cuts in prop::collection::vec(1usize..20, 150),
    ) {
        let mut moments: Vec<_> = events
            .into_iter()
            .map(|(day, minute, action, offset)| Moment {
                offset,
                ..moment(day * DAY + minute, action)
            })
            .collect();
        moments.sort();
        let segments = moments.chunks(3).map(|m| update(m.to_vec(), 1));
        let one_each = segments.clone().map(|segment| vec![segment]);
        let (mut epochs, mut rest) = (Vec::new(), segments.collect::<Vec<_>>());
        for cut in cuts {
            let later = rest.split_off(cut.min(rest.len()));
            epochs.push(std::mem::replace(&mut rest, later));
        }
        prop_assert_eq!(found(one_each), found(epochs));
    }
}
