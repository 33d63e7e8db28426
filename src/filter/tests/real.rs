//! Junk among recorded candidates: public data, and no label of a new context in it.

use std::path::Path;

use super::*;
use crate::experiment::data::{Kind, Pair, Store};
use crate::models::generator;

/// Recorded replies of a pair, what filtering starts from, and the catalog. `None`, loudly, without the public data.
fn recorded(dataset: &str, shift: Kind) -> Option<(Candidates, Catalog)> {
    let data = std::env::var_os("HEARTH_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        Into::into,
    );
    let store = Store::new(Some(data.join("smartgen-repo")), Preset::Small);
    let dataset = dataset.to_owned();
    let pair = Pair { dataset, shift };
    if store.repository(&pair).is_err() {
        eprintln!("SKIPPED: no {pair} in {} (set HEARTH_DATA)", data.display());
        return None;
    }
    let replies = store.training(&pair, "gpt-4o", 0).unwrap();
    let mut asked = candidates(replies.to_vec(), &SETTINGS);
    asked.foundation = store.foundation(&pair).unwrap();
    let catalog = store.material(&pair).unwrap().catalog.clone();
    Some((asked, Catalog::clone(&catalog)))
}

/// One in ten is junk: as long as a candidate, but of any actions on any day at any hour; or of the candidates' own behaviours,
/// drawn one by one.
fn junk(good: &[Sequence], catalog: &Catalog, shuffled: bool, seed: u64) -> Vec<Sequence> {
    let mut rng = generator(seed, 9);
    let all: Vec<Quadruple> = good.iter().flat_map(|s| s.0.iter().copied()).collect();
    (0..good.len().div_ceil(10))
        .map(|_| {
            let length = good[rng.random_range(0..good.len())].0.len();
            let behavior = |_| {
                if shuffled {
                    all[rng.random_range(0..all.len())]
                } else {
                    Quadruple {
                        weekday: rng.random_range(0..7),
                        hours: rng.random_range(0..8),
                        action: ActionId(rng.random_range(0..catalog.actions() as u16)),
                    }
                }
            };
            Sequence((0..length).map(behavior).collect())
        })
        .collect()
}

/// Which of the recorded ones are good, nobody knows; so few of them may be deleted, and of junk most must.
///
/// `HEARTH_DATA=… cargo test --release --lib junk_among_recorded -- --ignored --nocapture`
#[test]
#[ignore = "trains hundreds of models: minutes; its figures are in RESULTS.md"]
fn junk_among_recorded_candidates_is_deleted() {
    let pairs = ["fr", "sp"].map(|dataset| Kind::ALL.map(|shift| (dataset, shift)));
    let (mut found, mut planted) = ([0; 2], [0; 2]);
    let (mut wrong, mut all, mut equal, mut compared) = (0, 0, 0, 0);
    for (dataset, shift) in pairs.into_iter().flatten() {
        let Some((recorded, catalog)) = recorded(dataset, shift) else {
            return;
        };
        let good: Vec<Sequence> = recorded
            .candidates
            .iter()
            .map(|c| c.sequence.clone())
            .collect();
        let verdicts = |sequences: Vec<Sequence>, seed: u64| {
            let mut asked = candidates(sequences, &SETTINGS);
            asked.foundation = recorded.foundation.clone();
            let settings = Settings { seed, ..SETTINGS };
            filter(&catalog, &asked, &settings).unwrap().verdicts
        };
        let mut alone = Vec::new();
        for seed in 1..=5 {
            for (kind, shuffled) in [false, true].into_iter().enumerate() {
                let mut sequences = good.clone();
                sequences.extend(junk(&good, &catalog, shuffled, seed));
                let verdicts = verdicts(sequences, seed);
                let (of_good, of_junk) = verdicts.split_at(good.len());
                let deleted = |verdicts: &[Verdict]| verdicts.iter().filter(|v| !v.retain).count();
                let second =
                    |verdicts: &[Verdict]| verdicts.iter().filter(|v| v.stage == 2).count();
                eprintln!(
                    "{dataset} {shift:?}, seed {seed}, shuffled {shuffled}: junk {} of {} outliers, {} deleted; others {} of {}, {}",
                    second(of_junk),
                    of_junk.len(),
                    deleted(of_junk),
                    second(of_good),
                    of_good.len(),
                    deleted(of_good)
                );
                found[kind] += deleted(of_junk);
                planted[kind] += of_junk.len();
                wrong += deleted(of_good);
                all += of_good.len();
            }
            let retained = verdicts(good.clone(), seed);
            alone.push(retained.iter().map(|v| v.retain).collect::<Vec<_>>());
        }
        for (i, one) in alone.iter().enumerate() {
            for other in &alone[..i] {
                equal += one.iter().zip(other).filter(|(a, b)| a == b).count();
                compared += one.len();
            }
        }
    }
    eprintln!(
        "deleted: {} of {} at random, {} of {} shuffled, {wrong} of {all} others; {equal} of {compared} verdicts agree",
        found[0], planted[0], found[1], planted[1]
    );
    assert!(found[0] * 10 >= planted[0] * 8, "{found:?} of {planted:?}");
    assert!(wrong * 20 <= all, "{wrong} of {all}");
    assert!(equal * 100 >= compared * 95, "{equal} of {compared}");
}

/// How many of the verdicts on recorded candidates agree: of the two presets, and of two seeds of each, which is the most that can
/// be hoped for. Most are retained by anybody, so what is deleted is counted too, and how many would agree if each preset
/// deleted as many as it does, but any.
///
/// `RAYON_NUM_THREADS=1 HEARTH_DATA=… cargo test --release --lib both_presets -- --ignored --nocapture`
#[test]
#[ignore = "runs the paper's filter thirty times: ten to twenty minutes; its figures are in RESULTS.md"]
fn both_presets_agree_on_most_recorded_candidates() {
    let pairs = ["fr", "sp"].map(|dataset| Kind::ALL.map(|shift| (dataset, shift)));
    let (mut every_fast, mut every_exact) = (Vec::new(), Vec::new());
    for (dataset, shift) in pairs.into_iter().flatten() {
        let Some((recorded, catalog)) = recorded(dataset, shift) else {
            return;
        };
        let retained = |preset| -> Vec<Vec<bool>> {
            let judged = (1..=5).map(|seed| {
                let filtered = filter(&catalog, &recorded, &Settings { preset, seed }).unwrap();
                filtered.verdicts.iter().map(|v| v.retain).collect()
            });
            judged.collect()
        };
        let [small, paper] = [Preset::Small, Preset::Paper].map(retained);
        let (fast, exact) = (small.concat(), paper.concat());
        eprintln!(
            "{dataset} {shift:?}: {}; two seeds of small agree on {:.3}, of paper on {:.3}",
            compared(&fast, &exact),
            of_two_seeds(&small),
            of_two_seeds(&paper)
        );
        every_fast.extend(fast);
        every_exact.extend(exact);
    }
    eprintln!("in all: {}", compared(&every_fast, &every_exact));
    let (agree, all) = (equal(&every_fast, &every_exact), every_fast.len());
    assert!(agree * 10 >= all * 9, "{agree} of {all}");
}

fn equal(a: &[bool], b: &[bool]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a == b).count()
}

/// What preset small and preset paper retain of the same candidates, in words.
fn compared(small: &[bool], paper: &[bool]) -> String {
    let deleted = |retained: &[bool]| retained.iter().filter(|r| !**r).count();
    let both = small.iter().zip(paper).filter(|(a, b)| !**a && !**b);
    let (fast, exact, all) = (deleted(small), deleted(paper), small.len());
    let (p, q) = (fast as f64 / all as f64, exact as f64 / all as f64);
    format!(
        "{} of {all} verdicts agree ({:.3}, by chance {:.3}); small deletes {fast}, paper {exact}, both {}",
        equal(small, paper),
        equal(small, paper) as f64 / all as f64,
        (1.0 - p) * (1.0 - q) + p * q,
        both.count()
    )
}

/// The share of verdicts on which two seeds agree, mean over all pairs of seeds.
fn of_two_seeds(runs: &[Vec<bool>]) -> f64 {
    let pairs = (1..runs.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let shares: Vec<f64> = pairs
        .map(|(i, j)| equal(&runs[i], &runs[j]) as f64 / runs[i].len() as f64)
        .collect();
    shares.iter().sum::<f64>() / shares.len() as f64
}
