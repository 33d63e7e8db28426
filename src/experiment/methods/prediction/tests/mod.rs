//! Laws that every predictor keeps.

mod real;

use hearth_operators::words::{ActionId, Catalog, DeviceId, Quadruple, Sequence};
use rand::Rng;

use super::network::{Model, Network};
use super::*;
use crate::catalog::catalog_of;
use crate::experiment::methods::{Given, TrainingData};
use crate::models::{Columns, ModelError, Source, Vocabulary, WINDOW, generator, windows};

/// Five devices of three actions each.
fn catalog() -> Catalog {
    let actions: &[&str] = &["on", "off", "dim"];
    catalog_of(&["Fan", "Heater", "Light", "Lock", "Television"].map(|name| (name, actions)))
}

const ACTIONS: usize = 15;

/// Mornings and evenings of a home: two routines, cut off anywhere, a tenth of their behaviours anything at all.
fn days(count: usize, seed: u64) -> Vec<Sequence> {
    let mut rng = generator(seed, 9);
    let routine = |i: usize| {
        if i.is_multiple_of(2) {
            (2, [6u16, 0, 9, 7, 1, 10])
        } else {
            (6, [12u16, 6, 3, 13, 4, 7])
        }
    };
    let day = |i: usize| {
        let (hours, actions) = routine(i);
        let length = rng.random_range(2..=actions.len());
        let steps = actions[..length]
            .iter()
            .enumerate()
            .map(|(place, &action)| {
                let action = if rng.random_bool(0.1) {
                    rng.random_range(0..ACTIONS as u16)
                } else {
                    action
                };
                Quadruple {
                    weekday: (i % 7) as u8,
                    hours: hours + u8::from(place > 2),
                    action: ActionId(action),
                }
            });
        Sequence(steps.collect())
    };
    (0..count).map(day).collect()
}

fn data<'a>(
    catalog: &'a Catalog,
    train: &'a [Sequence],
    held: &'a [Sequence],
    seed: u64,
) -> TrainingData<'a> {
    TrainingData {
        catalog,
        train,
        held,
        life: None,
        columns: Columns::All,
        seed,
    }
}

/// The share of behaviours whose action comes first.
fn hits(ranker: &dyn super::super::Ranker, sequences: &[Sequence]) -> f64 {
    let (mut hits, mut all) = (0, 0);
    for s in sequences {
        for (i, q) in s.0.iter().enumerate() {
            let scores = ranker.rank(&s.0[..i], &Given::default()).unwrap();
            let own = scores[usize::from(q.action.0)];
            hits += usize::from(scores.iter().filter(|s| **s >= own).count() == 1);
            all += 1;
        }
    }
    f64::from(hits as u32) / f64::from(all)
}

/// Each method that is no constant beats the constant by far.
#[test]
fn each_learns_what_a_constant_cannot() {
    let catalog = catalog();
    let all_days = days(400, 0);
    let (train, rest) = all_days.split_at(240);
    let (held, test) = rest.split_at(60);
    let data = data(&catalog, train, held, 0);
    let of = |method: &dyn Prediction| hits(&*method.fit(&data).unwrap(), test);
    let constant = of(&MostFrequent);
    for method in all(Preset::Small) {
        let found = of(&*method);
        match method.name() {
            "most frequent" => {}
            // Without a device it is one.
            "count table" => assert_eq!(found, constant),
            name => assert!(
                found > constant + 0.35,
                "{name}: {found:.3} against {constant:.3}"
            ),
        }
    }
}

/// Probabilities are finite and sum to 1 for any past and whatever is given, and a device that is given restricts
/// them to its actions.
#[test]
fn answers_are_probabilities_and_keep_to_the_device() {
    let catalog = catalog();
    let (train, held) = (days(60, 1), days(20, 2));
    let data = data(&catalog, &train, &held, 1);
    let long = Sequence(days(30, 3).into_iter().flat_map(|s| s.0).collect());
    for method in all(Preset::Small) {
        let name = method.name();
        let ranker = method.fit(&data).unwrap();
        for before in [&[][..], &long.0[..3], &long.0] {
            let free = ranker.rank(before, &Given::default()).unwrap();
            for (weekday, hours, device) in [
                (None, None, None),
                (Some(3), Some(6), None),
                (None, Some(0), Some(DeviceId(2))),
                (Some(6), None, Some(DeviceId(4))),
            ] {
                let given = Given {
                    weekday,
                    hours,
                    device,
                };
                let p = ranker.rank(before, &given).unwrap();
                assert_eq!(p.len(), ACTIONS);
                assert!(
                    p.iter().all(|p| p.is_finite() && *p >= 0.0),
                    "{name}: {p:?}"
                );
                assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{name}");
                if let (Some(device), true) = (device, name != "most frequent") {
                    for (p, action) in p.iter().zip(catalog.action_ids()) {
                        assert_eq!(*p > 0.0, catalog.device_of(action) == device, "{name}");
                    }
                }
            }
            let again = ranker.rank(before, &Given::default()).unwrap();
            assert_eq!(free, again, "{name}");
        }
        let anomalous = Quadruple {
            weekday: 0,
            hours: 0,
            action: ActionId(ACTIONS as u16),
        };
        if name != "most frequent" {
            let refused = ranker.rank(&[anomalous], &Given::default());
            assert!(matches!(refused, Err(ModelError::Unknown { .. })), "{name}");
        }
    }
}

/// What is told of the time changes the answers of those that have a place for it.
#[test]
fn the_time_is_read_where_there_is_a_place_for_it() {
    let catalog = catalog();
    let (train, held) = (days(200, 1), days(20, 2));
    let data = data(&catalog, &train, &held, 1);
    let at = |hours| Given {
        hours: Some(hours),
        ..Given::default()
    };
    for method in all(Preset::Small) {
        if ["HMM", "CARNN", "SmartGen", "n-gram"].contains(&method.name()) {
            let ranker = method.fit(&data).unwrap();
            let first = |hours| {
                let p = ranker.rank(&[], &at(hours)).unwrap();
                (0..ACTIONS).max_by(|&a, &b| p[a].total_cmp(&p[b]))
            };
            // Mornings begin with 6, evenings with 12.
            assert_eq!(
                (first(2), first(6)),
                (Some(6), Some(12)),
                "{}",
                method.name()
            );
        }
    }
}

#[test]
fn a_seed_decides_every_bit() {
    let catalog = catalog();
    let (train, held) = (days(60, 1), days(20, 2));
    for method in all(Preset::Small) {
        let answer = |seed| {
            let ranker = method.fit(&data(&catalog, &train, &held, seed)).unwrap();
            ranker.rank(&train[0].0[..1], &Given::default()).unwrap()
        };
        assert_eq!(answer(1), answer(1), "{}", method.name());
        let counted = ["Hearth", "most frequent", "count table", "bigram", "n-gram"];
        if counted.contains(&method.name()) {
            assert_eq!(answer(1), answer(2), "{}", method.name());
        } else {
            assert_ne!(answer(1), answer(2), "{}", method.name());
        }
    }
}

#[test]
fn nothing_teaches_nothing() {
    let catalog = catalog();
    let anomalous = [Sequence(vec![Quadruple {
        weekday: 7,
        hours: 0,
        action: ActionId(0),
    }])];
    let known = days(2, 1);
    for method in all(Preset::Small) {
        let fit = |train, held| method.fit(&data(&catalog, train, held, 1)).err();
        assert!(matches!(fit(&[], &[]), Some(ModelError::NoData)));
        assert!(matches!(
            fit(&anomalous, &[]),
            Some(ModelError::Unknown { .. })
        ));
        assert!(matches!(
            fit(&known, &anomalous),
            Some(ModelError::Unknown { .. })
        ));
        assert!(fit(&known, &[]).is_none(), "{}", method.name());
    }
}

fn network<N: Network>(seed: u64) -> Model<N> {
    let mut rng = generator(seed, 0);
    let source = Source::fresh(N::NAME.to_owned(), &mut rng);
    let vocabulary = Vocabulary::new(&catalog(), Columns::All);
    Model::build(source, vocabulary, 16).unwrap()
}

/// Every variable receives a gradient that is not zero, and a window's scores are the same alone as beside a longer one.
fn learns_everywhere<N: Network>() {
    let model = network::<N>(3);
    let sequences = days(40, 1);
    let windows = windows(&sequences, WINDOW);
    let loss = model.objective(&windows, &mut generator(1, 1)).unwrap();
    let gradients = loss.backward().unwrap();
    for (name, var) in model.parameters().iter() {
        let gradient = gradients.get(var.as_tensor());
        let gradient = gradient.unwrap_or_else(|| panic!("{}: `{name}` has none", N::NAME));
        let sum = gradient.abs().unwrap().sum_all().unwrap();
        assert!(
            sum.to_scalar::<f32>().unwrap() > 0.0,
            "{}: `{name}` stays",
            N::NAME
        );
    }

    let mut windows = windows;
    windows.sort_by_key(|w| w.len());
    let (short, long) = (windows[0], windows[windows.len() - 1]);
    assert!(short.len() < long.len());
    let scores = |windows: &[&[Quadruple]], row: usize| {
        let all = model.untold(windows).unwrap().get(row).unwrap();
        all.narrow(0, 0, short.len())
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
    };
    let (alone, beside) = (scores(&[short], 0), scores(&[long, short], 1));
    assert!(
        alone.iter().zip(&beside).all(|(a, b)| (a - b).abs() < 1e-4),
        "{}",
        N::NAME
    );
}

#[test]
fn every_variable_of_every_network_learns_and_padding_changes_nothing() {
    learns_everywhere::<fpmc::Fpmc>();
    learns_everywhere::<lstm::Lstm>();
    learns_everywhere::<carnn::Carnn>();
    learns_everywhere::<caser::Caser>();
    learns_everywhere::<siar::Siar>();
}
