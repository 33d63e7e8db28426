//! What the contrast synthesizer promises, by a judge that is a table; with a real model in `llm/gguf/tests`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hearth_operators::validate::check;
use hearth_operators::words::{
    Action, ActionId, Catalog, Device, Hints, HomeId, Quadruple, Regime, Request, RequestKey,
    Sequence, Shift, ShiftKey, ShiftKind, Time,
};
use proptest::prelude::*;

use super::ratios::{Judge, Ratios};
use super::sentences::{Asked, HOUR_WORDS};
use super::{Contrast, plain};
use crate::synthesizers::{Blend, Embedded, Knowledge, Synthesizer};

/// Says that fans and midnight are likelier in a text that speaks of summer or of work at night, heaters and the morning less;
/// one way of asking has a liking for lamps. Counts how often it is asked.
#[derive(Default)]
struct Table(AtomicUsize);

impl Judge for Table {
    fn log_likelihoods(&self, text: &str, words: &[String]) -> Result<Vec<f64>, String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let new = text.contains("summer") || text.contains("work at night");
        let odd = text.ends_with("often switch on the");
        let of = |word: &String| match (word.as_str(), new) {
            ("fan", true) => -1.0,
            ("fan", false) => -4.0,
            ("heater", true) => -9.0,
            ("heater", false) => -2.0,
            ("lamp", true) if odd => -2.0,
            ("one in the morning" | "ten in the evening", true) => -2.0,
            ("ten in the morning" | "one in the afternoon", true) => -7.0,
            _ => -5.0,
        };
        // All are less likely behind one of the contexts.
        let less = if new { 1.0 } else { 0.0 };
        Ok(words.iter().map(|word| of(word) - less).collect())
    }
}

const DEVICES: [&str; 6] = [
    "Heater",
    "Fan",
    "Lamp 2",
    "Door",
    "Sofa_Speaker",
    "fan.ceiling",
];

fn catalog() -> Arc<Catalog> {
    let device = |name: &&str| {
        let off = Action {
            closes: vec!["switch on".to_owned()],
            ..Action::new("switch off")
        };
        Device::new(*name, vec![Action::new("switch on"), off])
    };
    Arc::new(Catalog::new(DEVICES.iter().map(device).collect()).unwrap())
}

fn shift(kind: ShiftKind, from: &str, to: &str) -> Shift {
    Shift {
        home: None,
        time: Time(0),
        offset: 0,
        kind,
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

fn request(source: Vec<Sequence>, shift: Shift) -> Request {
    Request {
        key: RequestKey {
            shift: ShiftKey {
                home: HomeId(3),
                regime: 0,
            },
            weekday: 0,
            part: 0,
        },
        parts: 1,
        requests: 1,
        representatives: Vec::new(),
        hints: Arc::new(Hints(Vec::new())),
        regime: Arc::new(Regime {
            shift,
            source,
            target: Vec::new(),
        }),
    }
}

/// A sequence of devices that are switched on and off in an hour.
fn uses(hours: u8, devices: &[u16]) -> Sequence {
    let at = |action| Quadruple {
        weekday: 0,
        hours,
        action: ActionId(action),
    };
    let on_off = devices
        .iter()
        .flat_map(|device| [at(2 * device), at(2 * device + 1)]);
    Sequence(on_off.collect())
}

fn answer(contrast: &Contrast, request: &Request) -> Vec<Sequence> {
    let written = contrast.synthesize(request).unwrap().into_iter();
    let catalog = catalog();
    written
        .map(|rows| check(&rows.unwrap(), &catalog).unwrap())
        .collect()
}

fn contrast(seed: u64) -> (Contrast, Arc<Table>) {
    let table = Arc::new(Table::default());
    let ratios = Arc::new(Ratios::new(table.clone()));
    (Contrast::new(catalog(), ratios, seed), table)
}

#[test]
fn what_differs_is_found_and_what_is_not_agreed_on_counts_less() {
    let ratios = Ratios::new(Arc::new(Table::default()));
    let words = ["fan", "heater", "lamp", "door", "sofa"].map(str::to_owned);
    let summer = shift(ShiftKind::Season, "winter", "summer");
    let more = ratios.of(&summer, Asked::Devices, &words).unwrap();
    assert_eq!((more[0], more[1], more[3], more[4]), (3.0, -7.0, 0.0, 0.0));
    assert!((0.0..1.0).contains(&more[2]), "{more:?}");
}

#[test]
fn a_word_is_asked_once_a_shift() {
    let (first, table) = contrast(0);
    let summer = shift(ShiftKind::Season, "winter", "summer");
    let asked = || table.0.load(Ordering::Relaxed);
    answer(&first, &request(vec![uses(3, &[0, 1])], summer.clone()));
    let once = asked();
    assert!(once > 0);
    answer(&first, &request(vec![uses(3, &[2])], summer));
    assert_eq!(asked(), once);
    let autumn = shift(ShiftKind::Season, "summer", "autumn");
    answer(&first, &request(vec![uses(3, &[2])], autumn));
    assert_eq!(asked(), 2 * once);
}

#[test]
fn heaters_stop_and_fans_begin_in_summer() {
    let source: Vec<Sequence> = (0..50)
        .map(|n| uses(2 + n % 4, &[0, 2, 3, u16::from(n % 5 == 0)]))
        .collect();
    let summer = shift(ShiftKind::Season, "winter", "summer");
    let asked = request(source.clone(), summer);
    let new = answer(&contrast(0).0, &asked);
    let times = |of: &[Sequence], device: u16| {
        let all = of.iter().flat_map(|s| &s.0);
        all.filter(|q| q.action.0 / 2 == device).count()
    };
    assert!(3 * times(&new, 0) < times(&source, 0), "{}", times(&new, 0));
    assert!(times(&new, 1) > times(&source, 1));
    // One that the home never had, and what is as likely as ever.
    assert!(times(&new, 5) == 0 && times(&new, 3) == times(&source, 3));
    assert_eq!(new, answer(&contrast(0).0, &asked));
    assert_ne!(new, answer(&contrast(1).0, &asked));
}

#[test]
fn a_day_moves_to_where_it_is_likelier() {
    let source: Vec<Sequence> = (0..20).map(|n| uses(3 + n % 2, &[2, 3])).collect();
    let night = shift(ShiftKind::Schedule, "daytime", "night");
    let new = answer(&contrast(0).0, &request(source, night));
    let mut hours: Vec<u8> = new.iter().flat_map(|s| &s.0).map(|q| q.hours).collect();
    hours.sort_unstable();
    hours.dedup();
    assert!(
        hours.iter().all(|hours| [7, 0].contains(hours)),
        "{hours:?}"
    );
}

#[test]
fn a_shift_that_has_no_words_is_refused() {
    let found = shift(ShiftKind::Drift, "before", "after");
    let refused = contrast(0)
        .0
        .synthesize(&request(vec![uses(3, &[1])], found));
    assert!(refused.unwrap_err().contains("no words"));
}

/// A table that holds nothing likelier than anything else.
struct Undecided;

impl Judge for Undecided {
    fn log_likelihoods(&self, _text: &str, words: &[String]) -> Result<Vec<f64>, String> {
        Ok(vec![-5.0; words.len()])
    }
}

#[test]
fn a_blend_is_the_table_of_knowledge_weighed_by_the_model() {
    let source: Vec<Sequence> = (0..50)
        .map(|n| uses(2 + n % 4, &[0, 2, 3, u16::from(n % 5 == 0)]))
        .collect();
    let blend = |judge: Arc<dyn Judge>| {
        let ratios = Arc::new(Ratios::new(judge));
        Blend::new(catalog(), Knowledge::builtin(), ratios, 0)
    };
    let decided: Arc<dyn Judge> = Arc::<Table>::default();
    let table = Embedded::new(catalog(), Knowledge::builtin(), 0);
    let summer = request(source.clone(), shift(ShiftKind::Season, "winter", "summer"));
    let by_table = table.synthesize(&summer).unwrap();
    assert_eq!(
        blend(Arc::new(Undecided)).synthesize(&summer).unwrap(),
        by_table
    );
    assert_ne!(
        blend(decided.clone()).synthesize(&summer).unwrap(),
        by_table
    );
    // What the table knows nothing of is the model's alone.
    let words = shift(ShiftKind::Text, "as always", "we are on a diet");
    let words = request(source.clone(), words);
    assert!(table.synthesize(&words).is_err());
    let alone = contrast(0).0.synthesize(&words).unwrap();
    assert_eq!(blend(decided.clone()).synthesize(&words).unwrap(), alone);
    // And the other way round.
    let found = request(source, shift(ShiftKind::Drift, "before", "after"));
    let by_table = table.synthesize(&found).unwrap();
    assert_eq!(blend(decided).synthesize(&found).unwrap(), by_table);
}

#[test]
fn names_are_told_in_plain_words() {
    for (name, told) in [
        ("AirConditioner 2", "air conditioner"),
        ("fan.ceiling_fan", "fan ceiling fan"),
        ("Lamp", "lamp"),
        ("42", "42"),
    ] {
        assert_eq!(plain(name), told);
    }
    assert_eq!(HOUR_WORDS.len(), hearth_operators::words::HOURS.len());
}

proptest! {
    /// Whatever a home did: what comes of it is of the catalog, in the order of time, and closes nothing that was not opened.
    #[test]
    fn what_comes_of_any_past_is_sound(
        source in prop::collection::vec((0u8..8, prop::collection::vec(0u16..6, 1..6)), 1..30),
        seed in any::<u64>(),
        night in any::<bool>(),
    ) {
        let source: Vec<Sequence> = source.iter().map(|(at, devices)| uses(*at, devices)).collect();
        let shift = match night {
            true => shift(ShiftKind::Schedule, "daytime", "night"),
            false => shift(ShiftKind::Season, "winter", "summer"),
        };
        let new = answer(&contrast(seed).0, &request(source.clone(), shift));
        prop_assert!(new.len() <= source.len());
        for sequence in new {
            let mut open = 0i32;
            for quadruple in sequence.0 {
                open += if quadruple.action.0 % 2 == 0 { 1 } else { -1 };
                prop_assert!(open >= 0);
            }
        }
    }
}

/// Of what most people would name, how much a model has in its top and bottom quarters:
/// `HEARTH_GGUF=model.gguf cargo test --release --lib contrast::tests::free -- --ignored --nocapture`
#[test]
#[ignore = "it takes minutes, and a model file that HEARTH_GGUF names"]
fn free_words_say_what_people_would() {
    let file = std::env::var_os("HEARTH_GGUF").expect("HEARTH_GGUF names a model file");
    let model = crate::synthesizers::llm::LocalModel::load(file.as_ref()).unwrap();
    let ratios = Ratios::new(Arc::new(model));
    let names = |list: &str| -> Vec<String> {
        list.split(',').map(|name| name.trim().to_owned()).collect()
    };
    let lines = include_str!("contexts.txt").lines();
    let mut lines = lines.filter(|line| !line.starts_with('#'));
    let devices = names(lines.next().unwrap().trim_start_matches('*'));
    let (mut found, mut all) = (0, 0);
    for line in lines {
        let (context, expected) = line.split_once(" + ").unwrap();
        let (up, down) = expected.split_once(" - ").unwrap_or((expected, ""));
        let shift = shift(ShiftKind::Text, "everything is as always", context);
        let said = ratios.of(&shift, Asked::Devices, &devices).unwrap();
        let mut order: Vec<(f64, &String)> = said.iter().copied().zip(&devices).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let quarter = devices.len() / 4;
        let (top, rest) = order.split_at(quarter);
        let bottom = &rest[rest.len() - quarter..];
        let mut count = |expected: &str, part: &[(f64, &String)]| {
            for name in names(expected).into_iter().filter(|name| !name.is_empty()) {
                assert!(devices.contains(&name), "{name}");
                all += 1;
                found += usize::from(part.iter().any(|(_, known)| **known == name));
            }
        };
        count(up, top);
        count(down, bottom);
        let told = |part: &[(f64, &String)]| {
            let told = part.iter().map(|(more, name)| format!("{name} {more:+.1}"));
            told.collect::<Vec<_>>().join(", ")
        };
        eprintln!("{context}\n  + {}\n  - {}", told(top), told(bottom));
    }
    eprintln!("{found} of {all}");
    // By chance a quarter would be.
    assert!(3 * found > all, "{found} of {all}");
}
