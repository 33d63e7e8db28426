use std::sync::Arc;

use hearth_operators::words::{
    ActionId, Candidate, Catalog, Filtered, Foundation, HomeId, Outcome, Quadruple, Regime,
    RequestKey, Sequence, Shift, ShiftKey, ShiftKind, Task, Time, Verdict, Version,
};

use super::held_out::{cross_fitted, split};
use super::*;
use crate::catalog::catalog_of;
use crate::models::{ModelError, Preset};

const SETTINGS: Settings = Settings {
    preset: Preset::Small,
    seed: 4,
};

fn catalog() -> Catalog {
    let actions: &[&str] = &["on", "off"];
    catalog_of(&["Fan", "Heater", "Light"].map(|name| (name, actions)))
}

/// `count` evenings: the light, then the device of the season, then off in the same order.
fn evenings(count: usize, season: u16) -> Vec<Sequence> {
    let evening = |i: usize| {
        let step = |hours, action| Quadruple {
            weekday: (i % 7) as u8,
            hours,
            action: ActionId(action),
        };
        Sequence(vec![
            step(6, 4),
            step(6, season),
            step(7, 5),
            step(7, season + 1),
        ])
    };
    (0..count).map(evening).collect()
}

const FAN: u16 = 0;
const HEATER: u16 = 2;

fn filtered(foundation: Foundation, retained: usize, deleted: usize, target: usize) -> Filtered {
    let key = ShiftKey {
        home: HomeId(1),
        regime: 2,
    };
    let request = RequestKey {
        shift: key,
        weekday: 0,
        part: 0,
    };
    let sequences = evenings(retained + deleted, FAN).into_iter().enumerate();
    let verdicts = sequences.map(|(i, sequence)| Verdict {
        candidate: Candidate {
            request,
            position: i as u32,
            sequence,
        },
        retain: i < retained,
        stage: 1,
        loss: 0.0,
        bound: 0.0,
        baseline: None,
        trial: None,
    });
    Filtered {
        key,
        regime: Arc::new(Regime {
            shift: Shift {
                home: None,
                time: Time(0),
                offset: 0,
                kind: ShiftKind::Season,
                from: "winter".into(),
                to: "summer".into(),
            },
            source: evenings(30, HEATER),
            target: evenings(target, FAN),
        }),
        verdicts: verdicts.collect(),
        foundation: Arc::new(foundation),
    }
}

/// A foundation with first models, as homes have it whose models are trained.
fn trained(catalog: &Catalog, sequences: &[Sequence]) -> Foundation {
    let parts = split(sequences.iter().collect(), 1);
    let models = foundation::first_models(catalog, &parts, &SETTINGS).unwrap();
    let cohort = super::foundation(catalog, sequences, &SETTINGS).unwrap();
    Foundation {
        models: Some(models),
        ..cohort
    }
}

#[test]
fn a_home_learns_what_begins_and_its_detector_forgets_what_ended() {
    let catalog = catalog();
    let cohort = trained(&catalog, &evenings(60, HEATER));
    let filtered = filtered(cohort.clone(), 25, 3, 5);
    let adaptation = adapt(&catalog, &filtered, &SETTINGS).unwrap();
    let [(detector, line), (predictor, other)] = adaptation.versions.as_slice() else {
        panic!("two tasks: {:?}", adaptation.versions.len());
    };
    for (line, task) in [(line, Task::Detector), (other, Task::Predictor)] {
        assert_eq!(line.task, task);
        assert_eq!(line.outcome, Outcome::Promoted);
        assert_eq!(line.version, 3);
        assert!(line.after < line.before / 2.0, "{line:?}");
        assert!(
            line.evidence
                .starts_with("mean loss a behaviour of 6 held-out")
        );
    }
    assert_eq!((detector.number, predictor.number), (3, 3));

    let first = cohort.models.as_ref().unwrap();
    let worst = |version: &Version, season| {
        let model = crate::models::Detector::load(&catalog, Preset::Small, &version.weights);
        let losses = model.unwrap().losses(&evenings(1, season)[0]).unwrap();
        losses.into_iter().fold(0.0, f32::max)
    };
    assert!(worst(&first.detector, FAN) >= first.detector.threshold);
    assert!(worst(detector, FAN) < worst(&first.detector, FAN) / 2.0);
    assert!(worst(detector, HEATER) >= detector.threshold);

    // The predictor still knows the heater, because the source was learnt too.
    let model = crate::models::Predictor::load(&catalog, Preset::Small, &predictor.weights);
    let next = &model.unwrap().predict(&evenings(1, FAN)[0]).unwrap()[1];
    assert!(
        next[usize::from(FAN)] > 0.1 && next[usize::from(HEATER)] > 0.1,
        "{next:?}"
    );

    let again = adapt(&catalog, &filtered, &SETTINGS).unwrap();
    assert_eq!(again, adaptation);
}

#[test]
fn too_little_data_leaves_the_cohorts_models() {
    let catalog = catalog();
    let cohort = trained(&catalog, &evenings(10, HEATER));
    let first = cohort.models.clone().unwrap();
    let filtered = filtered(cohort, 3, 9, 1);
    let adaptation = adapt(&catalog, &filtered, &SETTINGS).unwrap();
    for ((version, line), old) in adaptation
        .versions
        .iter()
        .zip([&first.detector, &first.predictor])
    {
        assert_eq!(version, old);
        assert_eq!((line.outcome, line.version), (Outcome::Kept, 0));
        assert!(line.evidence.starts_with("4 sequences"));
    }
}

#[test]
fn a_foundation_needs_data_of_its_catalog_and_its_seed_decides_it() {
    let catalog = catalog();
    let train = |data: &[Sequence], seed| {
        let settings = Settings { seed, ..SETTINGS };
        foundation(&catalog, data, &settings)
    };
    assert!(matches!(train(&[], 1), Err(ModelError::NoData)));
    assert!(matches!(
        train(&[Sequence(Vec::new())], 1),
        Err(ModelError::NoData)
    ));
    let unknown = train(&evenings(9, 40), 1);
    assert!(matches!(unknown, Err(ModelError::Unknown { .. })));
    let data = evenings(1, FAN);
    assert_eq!(train(&data, 1).unwrap(), train(&data, 1).unwrap());
    assert_ne!(train(&data, 1).unwrap(), train(&data, 2).unwrap());
}

#[test]
fn a_fifth_is_held_out_and_nothing_is_lost() {
    let sequences = evenings(11, FAN);
    let parts = split(sequences.iter().collect(), 1);
    assert_eq!((parts.train.len(), parts.held.len()), (8, 3));
    let mut all: Vec<_> = parts.train.iter().chain(&parts.held).copied().collect();
    all.sort();
    let mut expected: Vec<_> = sequences.iter().collect();
    expected.sort();
    assert_eq!(all, expected);
}

/// Each sequence is judged by a model that learnt all but one part of them, and not it; the last model has learnt all.
#[test]
fn each_is_judged_by_what_has_not_learnt_it() {
    for (count, folds) in [(2, 2), (7, 7), (103, 20), (500, 8), (3003, 5)] {
        let sequences: Vec<Sequence> = (0..count)
            .map(|n| {
                Sequence(vec![Quadruple {
                    weekday: 0,
                    hours: 0,
                    action: ActionId(n as u16),
                }])
            })
            .collect();
        let all: Vec<&Sequence> = sequences.iter().collect();
        let learn = |known: &[&Sequence]| Ok(known.iter().map(|s| (*s).clone()).collect());
        let judge = |known: &Vec<Sequence>, s: &Sequence| {
            assert!(!known.contains(s));
            let part = count - known.len();
            assert!(
                part == count / folds || part == count.div_ceil(folds),
                "{part} of {count}"
            );
            Ok(s.clone())
        };
        let (whole, judged) = cross_fitted(&all, learn, judge).unwrap();
        assert_eq!((&whole, &judged), (&sequences, &sequences));
    }
    let one = evenings(1, FAN);
    let alone = cross_fitted(&[&one[0]], |known| Ok(known.len()), |known, _| Ok(*known));
    assert_eq!(alone.unwrap(), (1, vec![1]));
}
