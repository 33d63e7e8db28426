//! On the paper's source data: skipped where the data is not. Nothing here reads a test set.

use super::*;
use crate::experiment::data::{Kind, real_source};
use crate::pool::cpu_micros;

/// FR winter after the authors' split, shuffled, if it is there.
fn winter() -> Option<(Catalog, Vec<Sequence>)> {
    let (catalog, mut sequences) = real_source("fr", Kind::ST)?;
    sequences.shuffle(&mut generator(1, 0));
    Some((catalog, sequences))
}

/// Each with one action swapped: for any other of the catalog, or for another that the home knows.
fn swapped(normal: &[Sequence], choices: &[ActionId], seed: u64) -> Vec<Sequence> {
    let mut rng = generator(seed, 2);
    let mut sequences = normal.to_vec();
    for sequence in &mut sequences {
        let place = rng.random_range(0..sequence.0.len());
        let before = sequence.0[place].action;
        while sequence.0[place].action == before {
            sequence.0[place].action = choices[rng.random_range(0..choices.len())];
        }
    }
    sequences
}

/// A fifth of the home's own winter against itself with a swapped action.
#[test]
fn swapped_actions_are_found_in_a_real_home() {
    let Some((catalog, sequences)) = winter() else {
        return;
    };
    let (normal, train) = sequences.split_at(sequences.len() / 5);
    let any: Vec<ActionId> = catalog.action_ids().collect();
    let known: Vec<ActionId> = train.iter().flat_map(|s| &s.0).map(|q| q.action).collect();
    let cpu = || cpu_micros() as f64 / 1e3;
    let mut results = Vec::new();
    eprintln!("method | any action | known action | fit ms | score us");
    for method in all(Preset::Small) {
        let start = cpu();
        let scorer = method.fit(&data(&catalog, train, 1)).unwrap();
        let fitted = cpu();
        let [any, known] =
            [&any, &known].map(|choices| skill(&*scorer, normal, &swapped(normal, choices, 1)));
        let scored = (cpu() - fitted) * 1e3 / (4 * normal.len()) as f64;
        let name = method.name();
        eprintln!(
            "{name} | {any:.3} | {known:.3} | {:.0} | {scored:.0}",
            fitted - start
        );
        results.push((name, any, known));
    }
    for (name, any, known) in &results[..9] {
        assert!(any + known > 1.1, "{name}: {any} and {known}");
    }
    // An action that the home knows, in the wrong place, is the hard part: there counts alone are beaten.
    let known = |wanted| {
        let mut named = results.iter().filter(|(name, ..)| *name == wanted);
        named.next().unwrap().2
    };
    assert!(known("SmartGen") > known("surprisal") + 0.05);
}
