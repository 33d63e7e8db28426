//! Junk among recorded candidates: public data, and no label of a new context in it.

use std::path::Path;

use super::junk::{Deleted, share, some_of, tried};
use super::*;
use crate::experiment::data::{Kind, Pair, Store};

/// A pair's recorded replies, and what is real in the new context.
struct Recorded {
    candidates: Candidates,
    catalog: Catalog,
    normal: Vec<Sequence>,
}

/// `None`, loudly, without the public data.
fn recorded(dataset: &str, shift: Kind) -> Option<Recorded> {
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
    let material = store.material(&pair).unwrap();
    let catalog = Catalog::clone(&material.catalog);
    Some(Recorded {
        candidates: candidates_after(&catalog, material.source.clone(), replies.to_vec()),
        catalog,
        normal: material.normal.clone(),
    })
}

/// Which of the recorded ones are good, nobody knows; so few of them may be deleted, and of junk most must. A language model's
/// sequences lie within one weekday and bucket, and its devices are new to the home: their order is anybody's guess, so those
/// that are reordered are counted and not asserted. Of real ones, too, most have two or three behaviours that come in any
/// order: who knows all the others of the new context finds half of what is reordered.
///
/// `HEARTH_DATA=… cargo test --release --lib junk_among_recorded -- --nocapture`
#[test]
fn junk_among_recorded_candidates_is_deleted() {
    let pairs = ["fr", "sp"].map(|dataset| Kind::ALL.map(|shift| (dataset, shift)));
    let mut all = [[Deleted::default(); 3]; 2];
    for (dataset, shift) in pairs.into_iter().flatten() {
        let Some(Recorded {
            candidates,
            catalog,
            normal,
        }) = recorded(dataset, shift)
        else {
            return;
        };
        let source = &candidates.regime.source;
        let replies: Vec<Sequence> = candidates
            .candidates
            .iter()
            .map(|c| c.sequence.clone())
            .collect();
        for (i, good) in [replies, some_of(&normal)].iter().enumerate() {
            let what = ["recorded", "real"][i];
            let what = format!("{dataset} {shift:?}, {what}");
            tried(&what, &catalog, source, good, &mut all[i]);
        }
    }
    for found in all {
        eprintln!("in all: {found:?}");
        for deleted in found {
            assert!(share(deleted.good) <= 0.03, "{deleted:?}");
        }
    }
    let [[random, drawn, _], [real, ..]] = all;
    assert!(share(random.junk) >= 0.98, "{random:?}");
    assert!(share(drawn.junk) >= 0.9, "{drawn:?}");
    // Most real sequences of these homes are of one or two behaviours.
    assert!(share(real.long) >= 0.98, "{real:?}");
}

/// How many of the verdicts on recorded candidates agree: of the two presets, and of two seeds of each, which is the most that can
/// be hoped for. Most are retained by anybody, so what is deleted is counted too, and how many would agree if each preset
/// deleted as many as it does, but any.
///
/// `RAYON_NUM_THREADS=1 HEARTH_DATA=… cargo test --release --lib both_presets -- --ignored --nocapture`
#[test]
#[ignore = "runs the paper's filter thirty times: ten to twenty minutes; its figures are in docs/experiments.md"]
fn both_presets_agree_on_most_recorded_candidates() {
    let pairs = ["fr", "sp"].map(|dataset| Kind::ALL.map(|shift| (dataset, shift)));
    let (mut every_fast, mut every_exact) = (Vec::new(), Vec::new());
    for (dataset, shift) in pairs.into_iter().flatten() {
        let Some(Recorded {
            candidates: recorded,
            catalog,
            ..
        }) = recorded(dataset, shift)
        else {
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
