//! Laws that every model keeps.

use std::sync::Arc;

use hearth_operators::words::{ActionId, Catalog, HOURS, Quadruple, Sequence, WEEKDAYS, Weights};
use proptest::prelude::*;

use super::layers::Measures;
use super::{
    Autoencoder, Columns, Detector, Embedder, Habits, Learner, Mixture, ModelError, Ngram, Plan,
    Predictor, Preset, SasRec, WINDOW, autoencoder, fit, generator, mean, sasrec, windows,
};
use crate::catalog::catalog_of;

/// Four devices of three actions each.
fn catalog() -> Catalog {
    let actions: &[&str] = &["on", "off", "dim"];
    catalog_of(&["Heater", "Light", "Lock", "Television"].map(|name| (name, actions)))
}

fn sequence(behaviors: &[(u8, u8, u16)]) -> Sequence {
    let quadruple = |&(weekday, hours, action): &(u8, u8, u16)| Quadruple {
        weekday,
        hours,
        action: ActionId(action),
    };
    Sequence(behaviors.iter().map(quadruple).collect())
}

/// Two routines whose order matters, one of the morning and one of the evening.
fn routines() -> Vec<Sequence> {
    vec![
        sequence(&[(0, 2, 0), (0, 2, 3), (0, 3, 6), (0, 3, 1)]),
        sequence(&[(4, 6, 9), (4, 6, 5), (4, 7, 10), (4, 7, 4), (4, 7, 7)]),
    ]
}

/// Any sequence of the catalog.
fn any_sequence(length: usize) -> impl Strategy<Value = Sequence> {
    let behavior = (0..WEEKDAYS.len() as u8, 0..HOURS.len() as u8, 0..12u16);
    prop::collection::vec(behavior, 1..=length).prop_map(|b| sequence(&b))
}

const PLAN: Plan = Plan {
    epochs: 150,
    min_steps: 0,
    max_steps: 150,
    batch: 8,
    rate: 5e-3,
    falling: true,
    betas: (0.9, 0.98),
};

fn autoencoder(columns: Columns, seed: u64) -> Autoencoder {
    let shape = autoencoder::Shape {
        columns,
        ..Preset::Small.detector()
    };
    Autoencoder::fresh(&catalog(), shape, &mut generator(seed, 0)).unwrap()
}

fn predictor(aim: sasrec::Aim, seed: u64) -> SasRec {
    let shape = sasrec::Shape {
        aim,
        ..Preset::Small.predictor()
    };
    SasRec::fresh(&catalog(), shape, &mut generator(seed, 0)).unwrap()
}

/// A network beside the counts of the routines, as stored.
fn mixed(network: SasRec) -> Weights {
    let sequences = routines();
    let counts = Ngram::learn(12, &sequences.iter().collect::<Vec<_>>(), false);
    Mixture::new(network, counts, [0.5; 2]).weights().unwrap()
}

const ALL_COLUMNS: [Columns; 5] = [
    Columns::All,
    Columns::Weekday,
    Columns::Hours,
    Columns::Device,
    Columns::Action,
];

/// Every variable of the model receives a gradient that is not zero.
fn all_variables_learn(model: &impl Learner) {
    let sequences = routines();
    let windows = windows(&sequences, WINDOW);
    let loss = model.objective(&windows, &mut generator(1, 1)).unwrap();
    let gradients = loss.backward().unwrap();
    for (name, var) in model.parameters().iter() {
        let gradient = gradients.get(var.as_tensor());
        let gradient = gradient.unwrap_or_else(|| panic!("`{name}` receives no gradient"));
        let sum = gradient.abs().unwrap().sum_all().unwrap();
        assert!(sum.to_scalar::<f32>().unwrap() > 0.0, "`{name}` stays");
    }
}

#[test]
fn every_variable_of_every_model_learns() {
    for columns in ALL_COLUMNS {
        all_variables_learn(&autoencoder(columns, 3));
    }
    all_variables_learn(&predictor(sasrec::Aim::Softmax, 3));
    all_variables_learn(&predictor(sasrec::Aim::Sampled, 3));
    // More than one block and head, with dropout, as in the preset `paper`.
    let measures = Measures {
        width: 16,
        heads: 4,
        inner: 16,
        dropout: 0.1,
    };
    let shape = autoencoder::Shape {
        measures,
        blocks: 2,
        columns: Columns::All,
    };
    all_variables_learn(&Autoencoder::fresh(&catalog(), shape, &mut generator(3, 0)).unwrap());
    let shape = sasrec::Shape {
        measures,
        blocks: 2,
        ..Preset::Paper.predictor()
    };
    all_variables_learn(&SasRec::fresh(&catalog(), shape, &mut generator(3, 0)).unwrap());
}

/// The weights after a short training with one seed.
fn trained(model: &impl Learner, seed: u64) -> Weights {
    let sequences = routines();
    let plan = Plan {
        max_steps: 10,
        ..PLAN
    };
    fit(model, &windows(&sequences, WINDOW), &[], &plan, seed).unwrap();
    model.parameters().weights().unwrap()
}

#[test]
fn a_seed_decides_every_bit() {
    let of = |seed| trained(&autoencoder(Columns::All, seed), seed);
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
    for aim in [sasrec::Aim::Softmax, sasrec::Aim::Sampled] {
        let of = |seed| trained(&predictor(aim, seed), seed);
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }
}

/// Training on a few sequences explains them far better than any constant answer could.
#[test]
fn a_few_sequences_are_learnt_by_heart() {
    let sequences = routines();
    let windows = windows(&sequences, WINDOW);
    // Nine actions, all different: the best constant is one in nine.
    let constant = 9f32.ln();
    for columns in ALL_COLUMNS {
        let model = autoencoder(columns, 5);
        fit(&model, &windows, &[], &PLAN, 5).unwrap();
        let loss = mean(&model.scores(&windows).unwrap());
        assert!(loss < constant / 3.0, "{columns:?}: {loss}");
    }
    let model = predictor(sasrec::Aim::Softmax, 5);
    fit(&model, &windows, &[], &PLAN, 5).unwrap();
    // The first action is a coin toss, the others follow.
    let loss = mean(&model.scores(&windows).unwrap());
    assert!(loss < constant / 3.0, "{loss}");
    // One other action a time seldom pits the two that are most alike: the right one is among the best two.
    let model = predictor(sasrec::Aim::Sampled, 5);
    fit(&model, &windows, &[], &PLAN, 5).unwrap();
    for window in &windows {
        for (probabilities, q) in model.predict(window).unwrap().iter().zip(*window) {
            let right = probabilities[usize::from(q.action.0)];
            assert!(probabilities.iter().filter(|p| **p > right).count() < 2);
        }
    }
}

/// A catalog that has grown since changes nothing of what an encoder says; what it does not know says nothing.
#[test]
fn an_encoder_outlives_its_catalog() {
    let shape = Preset::Small.encoder();
    let model = Autoencoder::fresh(&catalog(), shape, &mut generator(3, 0)).unwrap();
    let weights = model.parameters().weights().unwrap();
    let met = catalog_of(&[("Heater", &["boost"]), ("Fan", &["on", "off"])]);
    let grown = catalog().grown(met.devices()).unwrap();
    let was = Embedder::load(&catalog(), Preset::Small, &weights).unwrap();
    let now = Embedder::load(&grown, Preset::Small, &weights).unwrap();
    let known = sequence(&[(0, 2, 0), (0, 2, 11)]);
    assert_eq!(was.embed(&known).unwrap(), now.embed(&known).unwrap());
    let more = sequence(&[(0, 2, 0), (0, 2, 13), (0, 2, 11)]);
    assert_eq!(was.embed(&known).unwrap(), now.embed(&more).unwrap());
    let strange = now.embed(&sequence(&[(0, 2, 12)])).unwrap();
    assert_eq!(strange.len(), was.embed(&known).unwrap().len());
}

#[test]
fn order_matters() {
    let sequences = routines();
    let mut turned = sequences[1].clone();
    turned.0.reverse();
    let model = autoencoder(Columns::All, 5);
    fit(&model, &windows(&sequences, WINDOW), &[], &PLAN, 5).unwrap();
    let loss = |s: &Sequence| mean(&model.scores(&windows([s], WINDOW)).unwrap());
    assert!(loss(&turned) > loss(&sequences[1]) + 1.0);

    let weights = model.parameters().weights().unwrap();
    let embedder = Embedder::load(&catalog(), Preset::Small, &weights).unwrap();
    let (a, b) = (embedder.embed(&sequences[1]), embedder.embed(&turned));
    let cosine: f32 = a.unwrap().iter().zip(b.unwrap()).map(|(a, b)| a * b).sum();
    // Little, for the latent mostly says what happened; far more than rounding, though.
    assert!(cosine < 0.99999, "{cosine}");

    let model = predictor(sasrec::Aim::Softmax, 5);
    fit(&model, &windows(&sequences, WINDOW), &[], &PLAN, 5).unwrap();
    let loss = |s: &Sequence| mean(&model.scores(&windows([s], WINDOW)).unwrap());
    assert!(loss(&turned) > loss(&sequences[1]) + 1.0);
}

#[test]
fn an_anomalous_behaviour_scores_above_the_others() {
    let sequences = routines();
    let model = autoencoder(Columns::All, 5);
    fit(&model, &windows(&sequences, WINDOW), &[], &PLAN, 5).unwrap();
    // The heater in the middle of the evening; and an evening action at dawn.
    for detector in [Detector::of(model), habits(&sequences)] {
        for (place, anomalous) in [(2, (4, 7, 0)), (3, (4, 1, 4))] {
            let mut s = sequences[1].clone();
            s.0[place] = sequence(&[anomalous]).0[0];
            let losses = detector.losses(&s).unwrap();
            let worst = (0..5).max_by(|&a, &b| losses[a].total_cmp(&losses[b]));
            assert_eq!(worst, Some(place), "{losses:?}");
            assert!(
                detector.anomaly_score(&s).unwrap()
                    > detector.anomaly_score(&sequences[1]).unwrap()
            );
        }
    }
}

fn habits(sequences: &[Sequence]) -> Detector {
    let learnt = Habits::learn(&catalog(), &sequences.iter().collect::<Vec<_>>());
    Detector::counted(learnt.unwrap())
}

#[test]
fn nothing_of_a_behaviour_is_told_to_its_prediction() {
    let network = predictor(sasrec::Aim::Softmax, 2);
    trained(&network, 2);
    let predictor = Predictor::load(&catalog(), Preset::Small, &mixed(network)).unwrap();
    let s = &routines()[1];
    let mut other = s.clone();
    other.0[2] = sequence(&[(1, 0, 11)]).0[0];
    let (a, b) = (
        predictor.predict(s).unwrap(),
        predictor.predict(&other).unwrap(),
    );
    assert_eq!(a[..3], b[..3]);
    assert_ne!(a[3], b[3]);
}

/// A mixture says the same after it was stored, and its counts lie over a cohort's in the file too.
#[test]
fn a_mixture_is_stored_whole() {
    let network = predictor(sasrec::Aim::Softmax, 2);
    let sequences = routines();
    let [cohort, home] = [0, 1].map(|i| [&sequences[i]]);
    let counts = Ngram::learn(12, &cohort, false).over(&home);
    let mixture = Mixture::new(network, counts, [0.25, 0.75]);
    let weights = mixture.weights().unwrap();
    let shape = Preset::Small.predictor();
    let again = Mixture::stored(&catalog(), shape, &weights, true).unwrap();
    for s in &sequences {
        assert_eq!(mixture.predict(s).unwrap(), again.predict(s).unwrap());
    }
    assert_eq!(again.weights().unwrap(), weights);
}

/// The network's share goes to what is right where nothing was learnt.
#[test]
fn the_share_is_that_of_who_is_right() {
    let sequences = routines();
    let evening = [&sequences[1]];
    let trained_network = |on: usize| {
        let network = predictor(sasrec::Aim::Softmax, 5);
        fit(&network, &windows([&sequences[on]], WINDOW), &[], &PLAN, 5).unwrap();
        network
    };
    let share = |network: usize, counts: usize| {
        let counts = Ngram::learn(12, &[&sequences[counts]], false);
        let mut mixture = Mixture::new(trained_network(network), counts, [0.5; 2]);
        mixture.weigh(&evening).unwrap();
        mixture.into_parts().2[1]
    };
    let (right, wrong) = (share(1, 0), share(0, 1));
    assert!(right > 0.7 && wrong < 0.3, "{right} {wrong}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let weights = trained(&autoencoder(Columns::All, 2), 2);
    let small = Preset::Small;
    let refused = |weights: &Weights| {
        matches!(
            Embedder::load(&catalog(), small, weights),
            Err(ModelError::Weights(_))
        )
    };
    assert!(!refused(&weights));
    assert!(refused(&Weights(Arc::new(Vec::new()))));
    assert!(refused(&Weights(Arc::new(vec![0xff; 64]))));
    let cut = weights.0[..weights.0.len() - 4].to_vec();
    assert!(Embedder::load(&catalog(), small, &Weights(Arc::new(cut))).is_err());
    assert!(Embedder::load(&catalog(), Preset::Paper, &weights).is_err());
    assert!(Predictor::load(&catalog(), small, &weights).is_err());
    assert!(refused(&trained(&autoencoder(Columns::Action, 2), 2)));
    // A network without counts, and counts without a network.
    let network = predictor(sasrec::Aim::Softmax, 2);
    let alone = network.parameters().weights().unwrap();
    let error = Predictor::load(&catalog(), small, &alone).err().unwrap();
    assert!(error.to_string().contains("`counts.mix`"), "{error}");
    let whole = mixed(network);
    assert!(Predictor::load(&catalog(), small, &whole).is_ok());
    assert!(Predictor::load(&catalog(), Preset::Paper, &whole).is_err());
    // A catalog with one device less.
    let fewer = Catalog::new(catalog().devices()[1..].to_vec()).unwrap();
    let error = Predictor::load(&fewer, small, &whole).err().unwrap();
    assert!(error.to_string().contains("`counts.0`"), "{error}");
    let error = Embedder::load(&fewer, small, &weights).err().unwrap();
    assert!(error.to_string().contains("`table`"), "{error}");

    let habits = habits(&routines()).weights().unwrap();
    for (catalog, preset, weights) in [
        (catalog(), Preset::Paper, &habits),
        (catalog(), small, &weights),
        (fewer, small, &habits),
    ] {
        let error = Detector::load(&catalog, preset, weights).err().unwrap();
        assert!(matches!(error, ModelError::Weights(_)), "{error}");
    }
    let detectors = [
        Detector::load(&catalog(), small, &habits).unwrap(),
        Detector::of(autoencoder(Columns::All, 2)),
    ];
    for detector in detectors {
        for anomalous in [(0, 0, 12), (7, 0, 0), (0, 8, 0)] {
            let error = detector.losses(&sequence(&[anomalous])).unwrap_err();
            assert!(matches!(error, ModelError::Unknown { .. }));
        }
        let error = detector.losses(&Sequence(Vec::new())).unwrap_err();
        assert!(matches!(error, ModelError::Empty));
    }
}

/// Equal but for rounding.
fn near(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// A window's results are the same alone as beside longer ones.
    #[test]
    fn padding_changes_nothing(mut beside in prop::collection::vec(any_sequence(WINDOW), 1..4), alone in any_sequence(WINDOW)) {
        beside.push(alone.clone());
        let (one, many) = (windows([&alone], WINDOW), windows(&beside, WINDOW));
        let model = autoencoder(Columns::All, 1);
        prop_assert!(near(&model.scores(&one).unwrap()[0], model.scores(&many).unwrap().last().unwrap()));
        prop_assert!(near(&model.embed(&one).unwrap()[0], model.embed(&many).unwrap().last().unwrap()));
        let model = predictor(sasrec::Aim::Softmax, 1);
        prop_assert!(near(&model.scores(&one).unwrap()[0], model.scores(&many).unwrap().last().unwrap()));
    }

    /// Embeddings have length 1, probabilities sum to 1, and there is one answer a behaviour however long the sequence.
    /// Weekday, hours, action and device: to change any of one behaviour changes the embedding by far more than rounding. The
    /// same sequence has the same one, bit by bit, whoever asks and whatever was asked before.
    #[test]
    fn an_embedding_repeats_and_keeps_columns_apart(s in any_sequence(WINDOW), at: prop::sample::Index, seed in 0..4u64) {
        let weights = autoencoder(Columns::All, seed).parameters().weights().unwrap();
        let load = || Embedder::load(&catalog(), Preset::Small, &weights).unwrap();
        let (one, other) = (load(), load());
        let embedding = one.embed(&s).unwrap();
        let at = at.index(s.0.len());
        let changes: [fn(&mut Quadruple); 4] = [
            |q| q.weekday = (q.weekday + 1) % 7,
            |q| q.hours = (q.hours + 1) % 8,
            // Of the same device, and the same action of another one.
            |q| q.action.0 = q.action.0 / 3 * 3 + (q.action.0 + 1) % 3,
            |q| q.action.0 = (q.action.0 + 3) % 12,
        ];
        for change in changes {
            let mut changed = s.clone();
            change(&mut changed.0[at]);
            let changed = other.embed(&changed).unwrap();
            let cosine: f32 = embedding.iter().zip(&changed).map(|(a, b)| a * b).sum();
            prop_assert!(cosine < 1.0 - 1e-5, "{cosine}");
        }
        prop_assert_eq!(embedding, other.embed(&s).unwrap());
    }

    #[test]
    fn answers_have_their_form(s in any_sequence(60)) {
        let catalog = catalog();
        let weights = autoencoder(Columns::All, 1).parameters().weights().unwrap();
        let embedding = Embedder::load(&catalog, Preset::Small, &weights).unwrap().embed(&s).unwrap();
        prop_assert!((embedding.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-4);
        for detector in [Detector::of(autoencoder(Columns::All, 1)), habits(&routines())] {
            let losses = detector.losses(&s).unwrap();
            prop_assert_eq!(losses.len(), s.0.len());
            prop_assert!(losses.iter().all(|l| l.is_finite() && *l >= 0.0));
        }
        let weights = mixed(predictor(sasrec::Aim::Softmax, 1));
        let predictions = Predictor::load(&catalog, Preset::Small, &weights).unwrap().predict(&s).unwrap();
        prop_assert_eq!(predictions.len(), s.0.len());
        for probabilities in predictions {
            prop_assert_eq!(probabilities.len(), 12);
            prop_assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        }
    }
}
