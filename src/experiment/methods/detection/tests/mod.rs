//! Laws that every detection method keeps, and that each finds what it can find.

mod real;

use hearth_operators::words::{ActionId, Catalog, Quadruple, Sequence};
use rand::Rng;
use rand::seq::SliceRandom;

use super::features::{Features, Points};
use super::reconstruction::Network;
use super::*;
use crate::catalog::catalog_of;
use crate::evaluate::statistics::auroc;
use crate::models::{Columns, Learner, ModelError, WINDOW, fit, generator, windows};

/// Seven devices of three actions each.
fn catalog() -> Catalog {
    let actions: &[&str] = &["on", "off", "dim"];
    catalog_of(
        &[
            "Blind",
            "Heater",
            "Kettle",
            "Light",
            "Lock",
            "Oven",
            "Television",
        ]
        .map(|name| (name, actions)),
    )
}

/// Morning, noon and evening, each in its three hours: `(hours, actions)`. The heater and some actions have no part in them.
const ROUTINES: [(u8, &[u16]); 3] = [
    (2, &[9, 6, 0, 7, 10, 13]),
    (4, &[15, 6, 16, 7]),
    (6, &[12, 9, 18, 1, 19, 10]),
];

/// So many days' routines, each step left out now and then.
fn routines(count: usize, seed: u64) -> Vec<Sequence> {
    let mut rng = generator(seed, 0);
    let mut sequences = Vec::new();
    while sequences.len() < count {
        let (hours, actions) = ROUTINES[rng.random_range(0..ROUTINES.len())];
        let weekday = rng.random_range(0..7);
        let steps = actions.iter().filter(|_| rng.random::<f32>() < 0.85);
        let behaviors = steps.map(|&action| Quadruple {
            weekday,
            hours,
            action: ActionId(action),
        });
        let sequence = Sequence(behaviors.collect());
        if !sequence.0.is_empty() {
            sequences.push(sequence);
        }
    }
    sequences
}

/// Routines with one action swapped for any other, and routines of the small hours, in which nothing else happens.
fn anomalies(count: usize, seed: u64) -> Vec<Sequence> {
    let mut rng = generator(seed, 1);
    let mut sequences = routines(count, seed);
    for (i, sequence) in sequences.iter_mut().enumerate() {
        if i % 2 == 0 {
            let place = rng.random_range(0..sequence.0.len());
            let other = rng.random_range(1..21);
            let action = &mut sequence.0[place].action.0;
            *action = (*action + other) % 21;
        } else {
            for q in &mut sequence.0 {
                q.hours = 0;
            }
        }
    }
    sequences
}

fn data<'a>(catalog: &'a Catalog, train: &'a [Sequence], seed: u64) -> TrainingData<'a> {
    TrainingData {
        catalog,
        train,
        held: &[],
        life: None,
        columns: Columns::All,
        seed,
    }
}

fn scores(scorer: &dyn Scorer, sequences: &[Sequence]) -> Vec<f32> {
    sequences.iter().map(|s| scorer.score(s).unwrap()).collect()
}

/// How well anomalies are told from what is normal.
fn skill(scorer: &dyn Scorer, normal: &[Sequence], anomalous: &[Sequence]) -> f64 {
    let normal = scores(scorer, normal).into_iter().map(|s| (s, false));
    let anomalous = scores(scorer, anomalous).into_iter().map(|s| (s, true));
    let judged = normal
        .chain(anomalous)
        .map(|(s, anomaly)| (f64::from(s), anomaly));
    auroc(&judged.collect::<Vec<_>>()).unwrap()
}

/// The paper's presets differ in sizes, and take minutes; what their deep models are made of is tested below.
fn small() -> Vec<Box<dyn Detection>> {
    all(Preset::Small)
}

/// Sixty points on three waves, with these weights.
pub(super) fn cloud(weight: fn(usize) -> u32) -> Points {
    let train = routines(1, 1);
    let mut points = Points::of(&data(&catalog(), &train, 1), Features::Ids).unwrap();
    let wave = |i: usize| {
        let x = i as f64;
        let point = [
            3.0 * (1.7 * x).sin(),
            2.0 * (2.3 * x * x).cos(),
            (0.9 * x + x * x).sin(),
        ];
        point.map(|x| x as f32).to_vec()
    };
    points.points = (0..60).map(wave).collect();
    points.weights = (0..60).map(weight).collect();
    points
}

#[test]
fn every_method_finds_what_a_constant_cannot() {
    let catalog = catalog();
    let (train, normal, anomalous) = (routines(150, 100), routines(100, 200), anomalies(100, 300));
    for method in small() {
        let scorer = method.fit(&data(&catalog, &train, 0)).unwrap();
        let skill = skill(&*scorer, &normal, &anomalous);
        if method.name() == "flag all" {
            assert_eq!(skill, 0.5);
        } else {
            assert!(skill > 0.55, "{}: {skill:.3}", method.name());
        }
    }
}

/// What a method with one column to read finds, it finds in that column.
#[test]
fn one_column_is_all_that_is_read() {
    let catalog = catalog();
    let train = routines(64, 5);
    let plain = &train[..16];
    let changed = |change: fn(&mut Quadruple)| -> Vec<Sequence> {
        let mut sequences = plain.to_vec();
        sequences.iter_mut().flat_map(|s| &mut s.0).for_each(change);
        sequences
    };
    let later = changed(|q| q.hours = (q.hours + 1) % 8);
    let other = changed(|q| q.action.0 = (q.action.0 + 3) % 21);
    let next_day = changed(|q| q.weekday = (q.weekday + 1) % 7);
    let within = changed(|q| q.action.0 = q.action.0 / 3 * 3 + (q.action.0 + 1) % 3);
    let cases = [
        (Columns::Hours, &later, &other),
        (Columns::Action, &other, &later),
        (Columns::Weekday, &next_day, &later),
        (Columns::Device, &other, &within),
    ];
    // The trivial answers read what they are named after.
    for method in all(Preset::Small).into_iter().take(8) {
        for (columns, seen, unseen) in &cases {
            let data = TrainingData {
                columns: *columns,
                ..data(&catalog, &train, 1)
            };
            let scorer = method.fit(&data).unwrap();
            let before = scores(&*scorer, plain);
            let name = method.name();
            assert_eq!(before, scores(&*scorer, unseen), "{name} {columns:?}");
            assert_ne!(before, scores(&*scorer, seen), "{name} {columns:?}");
        }
    }
}

#[test]
fn a_seed_decides_every_bit_and_the_order_of_scoring_nothing() {
    let catalog = catalog();
    let train = routines(16, 7);
    let test = anomalies(30, 8);
    let mut turned = test.clone();
    turned.reverse();
    for method in small() {
        let fit = |seed| method.fit(&data(&catalog, &train, seed)).unwrap();
        let (scorer, again, other) = (fit(1), fit(1), fit(2));
        let before = scores(&*scorer, &test);
        assert!(before.iter().all(|s| s.is_finite()), "{}", method.name());
        let mut backward = scores(&*again, &turned);
        backward.reverse();
        assert_eq!(before, backward, "{}", method.name());
        // A single one alone, after all others.
        assert_eq!(scorer.score(&test[0]).unwrap(), before[0]);
        assert_eq!(scorer.threshold(), again.threshold());
        let drawn = [
            "IF",
            "Autoencoder",
            "ARGUS",
            "TransAE",
            "SmartGen's network",
        ];
        let same = before == scores(&*other, &test);
        assert_eq!(same, !drawn.contains(&method.name()), "{}", method.name());
    }
}

#[test]
fn points_and_counts_ignore_the_order_of_training() {
    let catalog = catalog();
    let train = routines(120, 7);
    let mut shuffled = train.clone();
    shuffled.shuffle(&mut generator(9, 9));
    let test = anomalies(30, 8);
    // Networks, and what lives through its sequences in their order.
    let ordered = [
        "Autoencoder",
        "ARGUS",
        "TransAE",
        "SmartGen's network",
        "Hearth",
    ];
    let unordered = small().into_iter();
    for method in unordered.filter(|method| !ordered.contains(&method.name())) {
        let of = |train| {
            let scorer = method.fit(&data(&catalog, train, 1)).unwrap();
            (scores(&*scorer, &test), scorer.threshold())
        };
        assert_eq!(of(&train), of(&shuffled), "{}", method.name());
    }
}

#[test]
fn what_cannot_be_learnt_or_read_is_refused() {
    let catalog = catalog();
    let train = routines(20, 1);
    let foreign = Sequence(vec![Quadruple {
        weekday: 0,
        hours: 0,
        action: ActionId(21),
    }]);
    for method in small() {
        if method.name() != "flag all" {
            let error = method.fit(&data(&catalog, &[], 1)).err();
            assert!(
                matches!(error, Some(ModelError::NoData)),
                "{}",
                method.name()
            );
            let error = method
                .fit(&data(&catalog, std::slice::from_ref(&foreign), 1))
                .err();
            assert!(
                matches!(error, Some(ModelError::Unknown { .. })),
                "{}",
                method.name()
            );
        }
        // One sequence is little, yet something.
        let scorer = method.fit(&data(&catalog, &train[..1], 1)).unwrap();
        let error = scorer.score(&foreign).unwrap_err();
        assert!(
            matches!(error, ModelError::Unknown { .. }),
            "{}",
            method.name()
        );
        let error = scorer.score(&Sequence(Vec::new())).unwrap_err();
        assert!(matches!(error, ModelError::Empty), "{}", method.name());
        // One sequence is little, yet something.
        let scorer = method.fit(&data(&catalog, &train[..1], 1)).unwrap();
        assert!(
            scores(&*scorer, &train).iter().all(|s| s.is_finite()),
            "{}",
            method.name()
        );
    }
}

/// Every variable receives a gradient that is not zero.
fn all_variables_learn<N: Network>(model: &super::reconstruction::Reconstruction<N>, name: &str) {
    let train = routines(8, 3);
    let loss = model
        .objective(&windows(&train, WINDOW), &mut generator(1, 1))
        .unwrap();
    let gradients = loss.backward().unwrap();
    for (variable, var) in model.parameters().iter() {
        let gradient = gradients.get(var.as_tensor());
        let gradient =
            gradient.unwrap_or_else(|| panic!("{name}: `{variable}` receives no gradient"));
        let sum = gradient.abs().unwrap().sum_all().unwrap();
        assert!(
            sum.to_scalar::<f32>().unwrap() > 0.0,
            "{name}: `{variable}` stays"
        );
    }
}

/// A window's losses are the same alone as beside longer ones, whatever the columns.
fn padding_changes_nothing<N: Network>(
    model: &super::reconstruction::Reconstruction<N>,
    name: &str,
) {
    let mut sequences = anomalies(12, 4);
    sequences.sort_by_key(|s| s.0.len());
    let beside = model.scores(&windows(&sequences, WINDOW)).unwrap();
    assert!(beside[0].len() < beside[11].len());
    for (s, beside) in sequences.iter().zip(beside) {
        let alone = &model.scores(&windows([s], WINDOW)).unwrap()[0];
        assert_eq!(alone.len(), beside.len());
        let near = alone.iter().zip(&beside).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(near, "{name}: {alone:?} {beside:?}");
    }
}

#[test]
fn deep_models_learn_in_every_variable_and_never_see_padding() {
    let catalog = catalog();
    let each = [
        Columns::All,
        Columns::Weekday,
        Columns::Hours,
        Columns::Device,
        Columns::Action,
    ];
    for preset in [Preset::Small, Preset::Paper] {
        for columns in each {
            let data = TrainingData {
                columns,
                ..data(&catalog, &[], 3)
            };
            let model = autoencoder::Autoencoder(preset).fresh(&data).unwrap();
            all_variables_learn(&model, "Autoencoder");
            padding_changes_nothing(&model, "Autoencoder");
            let model = argus::Argus(preset).fresh(&data).unwrap();
            all_variables_learn(&model, "ARGUS");
            padding_changes_nothing(&model, "ARGUS");
            if preset == Preset::Small || columns == Columns::All {
                let model = transae::TransAe(preset).fresh(&data).unwrap();
                all_variables_learn(&model, "TransAE");
                padding_changes_nothing(&model, "TransAE");
            }
        }
    }
}

/// What was learnt is explained better than before, and better than what was not.
#[test]
fn the_authors_sizes_learn_too() {
    let catalog = catalog();
    let train = routines(64, 3);
    let read = windows(&train, WINDOW);
    let plan = crate::models::Plan {
        max_steps: 12,
        ..Preset::Paper.detector_plan()
    };
    fn loss<N: Network>(
        model: &super::reconstruction::Reconstruction<N>,
        read: &[&[Quadruple]],
    ) -> f32 {
        crate::models::mean(&model.scores(read).unwrap())
    }
    let data = data(&catalog, &train, 3);
    let model = autoencoder::Autoencoder(Preset::Paper)
        .fresh(&data)
        .unwrap();
    let before = loss(&model, &read);
    fit(&model, &read, &[], &plan, 3).unwrap();
    assert!(loss(&model, &read) < before * 0.8);
    let model = argus::Argus(Preset::Paper).fresh(&data).unwrap();
    let before = loss(&model, &read);
    fit(&model, &read, &[], &plan, 3).unwrap();
    assert!(loss(&model, &read) < before * 0.9);
    let model = transae::TransAe(Preset::Paper).fresh(&data).unwrap();
    let before = loss(&model, &read);
    fit(&model, &read, &[], &plan, 3).unwrap();
    assert!(loss(&model, &read) < before * 0.5);
}

#[test]
fn features_by_hand() {
    let catalog = catalog();
    let q = |weekday, hours, action| Quadruple {
        weekday,
        hours,
        action: ActionId(action),
    };
    let train = [Sequence(vec![q(6, 1, 5), q(6, 1, 3), q(0, 1, 5)])];
    let data = data(&catalog, &train, 1);
    let points = Points::of(&data, Features::Presence).unwrap();
    let mut expected = vec![0f32; 7 + 8 + 7 + 21];
    for column in [6, 0, 7 + 1, 7 + 8 + 1, 7 + 8 + 7 + 5, 7 + 8 + 7 + 3] {
        expected[column] = 1.0;
    }
    expected.push(3f32.ln());
    assert_eq!(points.points, [expected]);
    let points = Points::of(&data, Features::Ids).unwrap();
    let mut expected = vec![6.0, 1.0, 1.0, 5.0, 6.0, 1.0, 1.0, 3.0, 0.0, 1.0, 1.0, 5.0];
    expected.resize(40, -1.0);
    assert_eq!(points.points, [expected]);
    // Twins are one point.
    let twice = [
        train[0].clone(),
        routines(1, 1)[0].clone(),
        train[0].clone(),
    ];
    let points = Points::of(&self::data(&catalog, &twice, 1), Features::Ids).unwrap();
    assert_eq!(points.points.len(), 2);
    assert_eq!(points.weights.iter().sum::<u32>(), 3);
}
