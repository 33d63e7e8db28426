//! What the embedded synthesizer promises, on small homes; on random ones in `laws`, on real ones in `real`.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::synthesizers::MAX_SEQUENCES;
use hearth_operators::words::{
    Action, ActionId, Device, DeviceId, Hints, HomeId, Quadruple, Regime, RequestKey, Shift,
    ShiftKey, ShiftKind, Time,
};

mod drift;
mod laws;
mod real;

/// Devices as the simulator, SmartThings and Home Assistant name them.
const DEVICES: [(&str, &[&str]); 14] = [
    ("Heater", &["switch on", "switch off", "setHeatingSetpoint"]),
    (
        "AirConditioner",
        &["switch on", "switch off", "setAirConditionerMode"],
    ),
    ("climate.hvac", &["heat", "cool", "heat_cool", "off"]),
    ("fan.ceiling_fan", &["on", "off"]),
    ("humidifier.bedroom", &["on", "off"]),
    ("cover.kitchen_window", &["open", "close"]),
    ("Blind", &["windowShade open", "windowShade close"]),
    ("Water heater", &["turn on", "turn off"]),
    ("Light", &["switch on", "switch off", "setLevel"]),
    ("Television", &["switch on", "switch off", "setVolume"]),
    ("CoffeeMachine", &["start", "stop"]),
    ("Front door", &["OPEN", "CLOSE"]),
    ("SmartLock", &["lock", "unlock"]),
    ("加湿器", &["开", "关"]),
];

fn catalog_of(devices: &[(&str, &[&str])]) -> Arc<Catalog> {
    let device = |(name, actions): &(&str, &[&str])| {
        let closers = |a: &str| {
            let a = a.to_lowercase();
            a.ends_with("off") || a.ends_with("close") || a == "stop" || a == "unlock"
        };
        let opened: Vec<String> = ["on", "open", "start", "heat", "cool", "lock"]
            .iter()
            .flat_map(|end| {
                actions
                    .iter()
                    .filter(move |a| a.to_lowercase().ends_with(end))
            })
            .filter(|a| !closers(a))
            .map(|a| (*a).to_owned())
            .collect();
        let actions = actions.iter().map(|a| Action {
            closes: if closers(a) {
                opened.clone()
            } else {
                Vec::new()
            },
            ..Action::new(*a)
        });
        Device::new(*name, actions.collect())
    };
    Arc::new(Catalog::new(devices.iter().map(device).collect()).unwrap())
}

fn shift(kind: ShiftKind, from: &str, to: &str) -> Shift {
    Shift {
        home: Some(HomeId(7)),
        time: Time(1_654_041_600 * Time::SECOND),
        offset: 120,
        kind,
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

/// The request for one weekday of a home, its hints counted plainly.
fn request(source: Vec<Sequence>, weekday: u8, shift: Shift) -> Request {
    let mut counts = BTreeMap::<ActionId, BTreeMap<ActionId, u32>>::new();
    for pair in source.iter().flat_map(|s| s.0.windows(2)) {
        let next = counts.entry(pair[0].action).or_default();
        *next.entry(pair[1].action).or_default() += 1;
    }
    let hints = counts.into_iter().map(|(a, next)| {
        let mut next: Vec<_> = next.into_iter().collect();
        next.sort_by_key(|&(b, count)| (std::cmp::Reverse(count), b));
        next.truncate(5);
        (a, next)
    });
    Request {
        key: RequestKey {
            shift: ShiftKey {
                home: HomeId(7),
                regime: 0,
            },
            weekday,
            part: 0,
        },
        parts: 1,
        requests: 1,
        representatives: source.iter().take(2).cloned().collect(),
        hints: Arc::new(Hints(hints.collect())),
        regime: Arc::new(Regime {
            shift,
            source,
            target: Vec::new(),
        }),
    }
}

/// A sequence written as `hours device:action`, on a weekday.
fn sequence(catalog: &Catalog, weekday: u8, behaviors: &[(u8, &str)]) -> Sequence {
    let quadruple = |&(hours, name): &(u8, &str)| {
        let (device, action) = name.split_once(':').unwrap();
        Quadruple {
            weekday,
            hours,
            action: catalog.lookup(device, action).unwrap(),
        }
    };
    Sequence(behaviors.iter().map(quadruple).collect())
}

fn names(catalog: &Catalog, sequence: &Sequence) -> Vec<String> {
    sequence
        .0
        .iter()
        .map(|q| catalog.full_name(q.action))
        .collect()
}

fn embedded(catalog: &Arc<Catalog>) -> Embedded {
    Embedded::new(catalog.clone(), Knowledge::builtin(), 11)
}

fn is_subsequence(part: &[Quadruple], whole: &[Quadruple]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|q| whole.any(|other| other == q))
}

fn devices(catalog: &Catalog, sequences: &[Sequence]) -> BTreeSet<u16> {
    let behaviors = sequences.iter().flat_map(|s| &s.0);
    behaviors.map(|q| catalog.device_of(q.action).0).collect()
}

/// A home that heats, watches television and makes coffee, the same every Monday.
fn winter_home(catalog: &Catalog) -> Vec<Sequence> {
    let morning = [
        (2, "Heater:switch on"),
        (2, "Light:switch on"),
        (2, "CoffeeMachine:start"),
        (3, "Light:switch off"),
        (3, "Heater:switch off"),
    ];
    let evening = [
        (6, "Television:switch on"),
        (6, "Light:switch on"),
        (7, "Light:switch off"),
        (7, "Television:switch off"),
    ];
    let cold_night = [(7, "Heater:setHeatingSetpoint"), (7, "Heater:switch off")];
    let days = [&morning[..], &evening[..], &cold_night[..]];
    let week = days.iter().map(|day| sequence(catalog, 0, day));
    week.cycle().take(30).collect()
}

#[test]
fn a_season_ends_what_is_its_own_and_leaves_the_rest() {
    // Nothing here that a spring brings, so that what is left alone can be seen whole.
    let catalog = catalog_of(&[DEVICES[0], DEVICES[7], DEVICES[8], DEVICES[9], DEVICES[10]]);
    let source = winter_home(&catalog);
    let asked = request(
        source.clone(),
        0,
        shift(ShiftKind::Season, "winter", "spring"),
    );
    let answer = embedded(&catalog).sequences(&asked).unwrap();
    // The nights were heating alone: nothing is left of them.
    assert_eq!(answer.len(), 20);
    let morning = ["Light:switch on", "CoffeeMachine:start", "Light:switch off"];
    for pair in answer.chunks(2) {
        assert_eq!(names(&catalog, &pair[0]), morning);
        assert_eq!(pair[1], source[1]);
    }
}

#[test]
fn a_summer_takes_its_own_means_at_the_homes_own_times() {
    let catalog = catalog_of(&DEVICES);
    let asked = request(
        winter_home(&catalog),
        0,
        shift(ShiftKind::Season, "winter", "summer"),
    );
    let answer = embedded(&catalog).sequences(&asked).unwrap();
    let all: Vec<_> = answer.iter().flat_map(|s| names(&catalog, s)).collect();
    assert!(all.iter().all(|n| !n.starts_with("Heater:")));
    // Mornings are no time for an air conditioner: the fan's hours are earlier, and airing's the earliest.
    let of = |name: &str| all.iter().filter(|n| n.as_str() == name).count();
    assert!(of("cover.kitchen_window:open") >= 10, "{all:?}");
    assert_eq!(
        of("cover.kitchen_window:open"),
        of("cover.kitchen_window:close")
    );
    assert!(of("AirConditioner:switch on") + of("climate.hvac:cool") > 0);
    let cools = |q: &&Quadruple| {
        ["AirConditioner", "climate.hvac"].contains(&catalog.device_name(q.action))
    };
    let behaviors = answer.iter().flat_map(|s| &s.0);
    assert!(behaviors.filter(cools).all(|q| q.hours >= 4));
    assert_eq!(of("climate.hvac:heat"), 0);
}

#[test]
fn modes_of_one_device_have_seasons_of_their_own() {
    let catalog = catalog_of(&[DEVICES[2], DEVICES[8]]);
    let day = sequence(
        &catalog,
        0,
        &[
            (5, "climate.hvac:heat_cool"),
            (6, "climate.hvac:heat"),
            (6, "Light:switch on"),
            (7, "climate.hvac:off"),
        ],
    );
    let asked = request(
        vec![day; 8],
        0,
        shift(ShiftKind::Season, "winter", "summer"),
    );
    let expected = [
        "climate.hvac:heat_cool",
        "climate.hvac:cool",
        "Light:switch on",
        "climate.hvac:off",
    ];
    for answer in embedded(&catalog).sequences(&asked).unwrap() {
        assert_eq!(names(&catalog, &answer), expected);
    }
}

#[test]
fn devices_are_known_by_the_names_of_many_systems() {
    let on: &[&str] = &["on", "off"];
    let ends_in_summer = [
        "ElectricBlanket",
        "Kitchen radiator",
        "humidifier.hygrostat",
        "floor_heating_bath",
    ];
    let goes_on = [
        "water_heater.demo_water_heater",
        "humidifier.dehumidifier",
        "switch.ac",
        "Reheating oven",
        "fan.living_room_fan",
    ];
    for (name, survives) in ends_in_summer
        .map(|name| (name, false))
        .into_iter()
        .chain(goes_on.map(|name| (name, true)))
    {
        let catalog = catalog_of(&[(name, on), ("Light", on)]);
        let day = Sequence(
            [0, 2, 3, 1]
                .map(|action| Quadruple {
                    weekday: 0,
                    hours: 1,
                    action: ActionId(action),
                })
                .to_vec(),
        );
        let asked = request(
            vec![day.clone()],
            0,
            shift(ShiftKind::Season, "winter", "summer"),
        );
        let answer = embedded(&catalog).sequences(&asked).unwrap();
        let expected = if survives { &day.0[..] } else { &day.0[1..3] };
        assert_eq!(answer[0].0, expected, "{name}");
    }
}

#[test]
fn a_night_schedule_moves_hours_and_keeps_the_order() {
    let catalog = catalog_of(&DEVICES);
    let source = winter_home(&catalog);
    let asked = request(
        source.clone(),
        0,
        shift(ShiftKind::Schedule, "daytime", "Night"),
    );
    let answer = embedded(&catalog).sequences(&asked).unwrap();
    assert_eq!(answer.len(), source.len());
    for (before, after) in source.iter().zip(&answer) {
        assert_eq!(names(&catalog, before), names(&catalog, after));
        for (b, a) in before.0.iter().zip(&after.0) {
            assert_eq!(a.hours, (b.hours + 4) % 8);
            assert_eq!(a.weekday, if b.hours >= 4 { 1 } else { 0 });
        }
    }
}

#[test]
fn a_second_person_adds_and_takes_nothing() {
    let catalog = catalog_of(&DEVICES);
    let mut source = winter_home(&catalog);
    source.push(sequence(
        &catalog,
        3,
        &[(2, "Front door:OPEN"), (2, "Front door:CLOSE")],
    ));
    let asked = request(
        source.clone(),
        0,
        shift(ShiftKind::Occupancy, "single", "multiple"),
    );
    let answer = embedded(&catalog).sequences(&asked).unwrap();
    assert_eq!(answer.len(), 30);
    let mut variety = [0, 0];
    for (before, after) in source.iter().zip(&answer) {
        assert!(is_subsequence(&before.0, &after.0));
        assert!(
            after.0.windows(2).all(|w| w[0].hours <= w[1].hours),
            "{after:?}"
        );
        variety[0] += devices(&catalog, std::slice::from_ref(before)).len();
        variety[1] += devices(&catalog, std::slice::from_ref(after)).len();
    }
    assert!(variety[1] * 2 > variety[0] * 3, "{variety:?}");

    let back = request(
        source.clone(),
        0,
        shift(ShiftKind::Occupancy, "multiple", "single"),
    );
    let answer = embedded(&catalog).sequences(&back).unwrap();
    let length = |s: &[Sequence]| s.iter().map(|s| s.0.len()).sum::<usize>();
    assert!(length(&answer) < length(&source[..30]));
    for (before, after) in source.iter().zip(&answer) {
        assert!(is_subsequence(&after.0, &before.0) && !after.0.is_empty());
        let count = |name| names(&catalog, after).iter().filter(|n| *n == name).count();
        assert_eq!(count("Light:switch on"), count("Light:switch off"));
    }
}

#[test]
fn parts_share_the_weekday_and_a_long_source_is_sampled() {
    let catalog = catalog_of(&DEVICES);
    let action = |i: u16| ActionId(i % catalog.actions() as u16);
    let source: Vec<Sequence> = (0..200_u16)
        .map(|i| {
            Sequence(vec![
                Quadruple {
                    weekday: (i % 2) as u8,
                    hours: 2,
                    action: action(i)
                };
                2
            ])
        })
        .collect();
    let mut asked = request(
        source.clone(),
        1,
        shift(ShiftKind::Season, "winter", "winter"),
    );
    let odd: Vec<_> = source.iter().skip(1).step_by(2).cloned().collect();
    let embedded = embedded(&catalog);
    let answer = embedded.sequences(&asked).unwrap();
    assert_eq!(answer.len(), MAX_SEQUENCES);
    let mut rest = odd.iter();
    assert!(
        answer.iter().all(|s| rest.any(|other| other == s)),
        "order kept"
    );
    asked.parts = 3;
    let parts: Vec<Sequence> = (0..3)
        .flat_map(|part| {
            asked.key.part = part;
            embedded.sequences(&asked).unwrap()
        })
        .collect();
    assert_eq!(parts, odd);
}

#[test]
fn free_text_is_read_or_refused() {
    let catalog = catalog_of(&DEVICES);
    let vocabulary = Vocabulary::new(catalog.clone());
    let knowledge = Knowledge::builtin();
    let read =
        |text: &str| change::read(&shift(ShiftKind::Text, "", text), &knowledge, &vocabulary);
    let device = |name: &str| {
        let place = catalog
            .devices()
            .iter()
            .position(|d| d.name == name)
            .unwrap();
        BTreeSet::from([DeviceId(place as u16)])
    };
    let season = |to: &str| Change::Season {
        from: None,
        to: to.to_owned(),
    };
    for (text, expected) in [
        (
            "No more heater, please",
            vec![Change::Gone(device("Heater"))],
        ),
        (
            "the ceiling fan broke",
            vec![Change::Gone(device("fan.ceiling_fan"))],
        ),
        (
            "We bought an air conditioner",
            vec![Change::New(device("AirConditioner"))],
        ),
        (
            "we got rid of our old television",
            vec![Change::Gone(device("Television"))],
        ),
        ("She works nights now", vec![Change::Schedule([4; 8])]),
        ("He no longer works nights", vec![Change::Schedule([-4; 8])]),
        ("My grandmother moved in", vec![Change::Joined]),
        ("Our roommate moved out", vec![]),
        ("a baby was born", vec![Change::Joined]),
        (
            "It's summer and a guest is here",
            vec![Change::Joined, season("summer")],
        ),
        ("There are no more guests", vec![Change::Left]),
    ] {
        match read(text) {
            Ok(changes) => assert_eq!(changes, expected, "{text}"),
            // A roommate who moved out is two readings: refused rather than guessed.
            Err(_) => assert!(expected.is_empty(), "{text}"),
        }
    }
    for text in [
        "",
        "we feel different",
        "from winter to summer",
        "no guests this summer",
        "no new heater",
        "we sold the sauna",
        "not summer",
        "the television is new and the television broke",
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains("nothing was invented"), "{text}: {error}");
        assert!(
            error.starts_with(&format!("cannot read `{text}`")),
            "{error}"
        );
    }
}

#[test]
fn a_general_name_means_all_such_devices_and_no_other() {
    let on: &[&str] = &["on", "off"];
    let catalog = catalog_of(&[
        ("Kitchen heater", on),
        ("Bath heater", on),
        ("Water heater", on),
    ]);
    let vocabulary = Vocabulary::new(catalog.clone());
    let knowledge = Knowledge::builtin();
    let read =
        |text: &str| change::read(&shift(ShiftKind::Text, "", text), &knowledge, &vocabulary);
    let gone = |ids: &[u16]| {
        let ids = ids.iter().copied().map(DeviceId);
        Ok(vec![Change::Gone(ids.collect())])
    };
    assert_eq!(read("no more heaters"), gone(&[0, 1]));
    assert_eq!(read("the bath heater broke"), gone(&[1]));
    assert_eq!(read("no more water heater"), gone(&[2]));
}

#[test]
fn unknown_contexts_are_refused_with_the_known_ones() {
    let catalog = catalog_of(&DEVICES);
    for (kind, from, to, says) in [
        (
            ShiftKind::Season,
            "winter",
            "monsoon",
            "season `monsoon` (known: autumn, spring",
        ),
        (ShiftKind::Season, "", "summer", "season ``"),
        (
            ShiftKind::Schedule,
            "daytime",
            "dusk",
            "schedule `dusk` (known: daytime, night)",
        ),
        (
            ShiftKind::Occupancy,
            "single",
            "crowd",
            "(known: single, multiple)",
        ),
    ] {
        let asked = request(winter_home(&catalog), 0, shift(kind, from, to));
        let error = embedded(&catalog).synthesize(&asked).unwrap_err();
        assert!(error.contains(says), "{error}");
        assert!(error.ends_with("nothing was invented"), "{error}");
    }
}

#[test]
fn a_users_knowledge_reaches_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let mine = "[seasons.monsoon]\nwords = [\"rains\"]\n\n[[usage]]\nname = \"coffee\"\n\
                devices = [\"coffee machine\"]\nseasons = [\"winter\"]\n";
    std::fs::write(&path, mine).unwrap();
    let catalog = catalog_of(&DEVICES);
    let knowledge = Knowledge::load(&path).unwrap();
    let asked = request(
        winter_home(&catalog),
        0,
        shift(ShiftKind::Season, "winter", "rains"),
    );
    let answer = Embedded::new(catalog.clone(), knowledge, 1)
        .sequences(&asked)
        .unwrap();
    let all: Vec<_> = answer.iter().flat_map(|s| names(&catalog, s)).collect();
    assert!(
        all.iter()
            .all(|n| !n.starts_with("Coffee") && !n.starts_with("Heater"))
    );
}

#[test]
fn answers_depend_on_seed_and_request_alone() {
    let catalog = catalog_of(&DEVICES);
    let asked = |weekday: u8| {
        let source = winter_home(&catalog).into_iter().map(|mut s| {
            s.0.iter_mut().for_each(|q| q.weekday = weekday);
            s
        });
        request(
            source.collect(),
            weekday,
            shift(ShiftKind::Occupancy, "single", "multiple"),
        )
    };
    let of = |seed, weekday| {
        let embedded = Embedded::new(catalog.clone(), Knowledge::builtin(), seed);
        let sequences = embedded.sequences(&asked(weekday)).unwrap();
        let all: Vec<_> = sequences.iter().map(|s| names(&catalog, s)).collect();
        all
    };
    assert_eq!(of(1, 0), of(1, 0));
    assert_ne!(of(1, 0), of(2, 0));
    assert_ne!(of(1, 0), of(1, 1));
}
