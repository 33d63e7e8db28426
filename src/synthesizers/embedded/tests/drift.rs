//! What is answered where a shift was found and nobody says what it means.

use super::*;

/// What is answered on Mondays for a home that lived by `winter_home` and since then by these sequences.
fn answered(catalog: &Arc<Catalog>, since: Vec<Sequence>) -> Vec<Sequence> {
    let figures = shift(ShiftKind::Drift, "Heater 3.0", "Heater 0.1");
    let mut request = request(winter_home(catalog), 0, figures);
    Arc::make_mut(&mut request.regime).target = since;
    let answer = embedded(catalog).sequences(&request).unwrap();
    assert_eq!(embedded(catalog).sequences(&request).unwrap(), answer);
    answer
}

/// How many behaviours of a device there are.
fn uses(catalog: &Catalog, sequences: &[Sequence], device: &str) -> usize {
    let all = sequences.iter().flat_map(|s| &s.0);
    let of = |q: &&Quadruple| catalog.device_name(q.action) == device;
    all.filter(of).count()
}

/// The days of `winter_home`, all behaviours of a device left out, by hours later, on a weekday.
fn days(catalog: &Catalog, weekday: u8, without: &str, later: u8) -> Vec<Sequence> {
    let day = |sequence: Sequence| {
        let own = sequence.0.into_iter();
        let stays = own.filter(|q| catalog.device_name(q.action) != without);
        let moved = stays.map(|q| Quadruple {
            hours: (q.hours + later) % 8,
            weekday,
            ..q
        });
        Sequence(moved.collect())
    };
    let days = winter_home(catalog).into_iter().map(day);
    days.filter(|sequence| !sequence.0.is_empty()).collect()
}

#[test]
fn what_went_on_is_left_alone() {
    let catalog = catalog_of(&DEVICES);
    // On another weekday, so that nothing of it is answered itself.
    let same = answered(&catalog, days(&catalog, 2, "nothing", 0));
    assert_eq!(same, winter_home(&catalog));
    // Of a shift of which nothing is known nothing is said.
    assert_eq!(answered(&catalog, Vec::new()), winter_home(&catalog));
}

#[test]
fn a_device_leaves_as_far_as_it_left() {
    let catalog = catalog_of(&DEVICES);
    let before = winter_home(&catalog);
    let since = answered(&catalog, days(&catalog, 2, "Heater", 0));
    let share = |device| {
        let of = |sequences: &[Sequence]| uses(&catalog, sequences, device) as f64;
        of(&since) / of(&before)
    };
    assert!(share("Heater") < 0.5, "{}", share("Heater"));
    for device in ["Light", "Television", "CoffeeMachine"] {
        assert_eq!(share(device), 1.0, "{device}");
    }
    // What is begun in a sequence ends in it.
    let on = catalog.lookup("Heater", "switch on").unwrap();
    let off = catalog.lookup("Heater", "switch off").unwrap();
    for sequence in &since {
        let has = |action| sequence.0.iter().any(|q| q.action == action);
        assert!(!has(on) || has(off));
    }
}

#[test]
fn days_that_moved_are_moved() {
    let catalog = catalog_of(&DEVICES);
    let night = answered(&catalog, days(&catalog, 2, "nothing", 4));
    for (before, after) in winter_home(&catalog).iter().zip(&night) {
        let hours = |s: &Sequence| s.0.iter().map(|q| q.hours).collect::<Vec<_>>();
        let later: Vec<_> = hours(before).iter().map(|h| (h + 4) % 8).collect();
        assert_eq!(hours(after), later);
    }
}

#[test]
fn what_happened_on_the_weekday_since_is_answered_too() {
    let catalog = catalog_of(&DEVICES);
    let new = sequence(
        &catalog,
        0,
        &[(3, "fan.ceiling_fan:on"), (4, "fan.ceiling_fan:off")],
    );
    let answer = answered(&catalog, vec![new.clone()]);
    assert_eq!(answer.last(), Some(&new));
}
