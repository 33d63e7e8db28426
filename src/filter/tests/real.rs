//! Junk among recorded candidates: public data, and no label of a new context in it.

use std::path::Path;

use super::*;
use crate::experiment::data::{Kind, Pair, Store};

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

#[test]
fn junk_among_recorded_candidates_is_deleted() {
    for (dataset, shift) in [
        ("fr", Kind::ST),
        ("fr", Kind::TT),
        ("fr", Kind::NT),
        ("sp", Kind::ST),
        ("sp", Kind::TT),
        ("sp", Kind::NT),
    ] {
        let Some((recorded, catalog)) = recorded(dataset, shift) else {
            return;
        };
        let good: Vec<Sequence> = recorded
            .candidates
            .iter()
            .map(|c| c.sequence.clone())
            .collect();
        for shuffled in [false, true] {
            let (mut flagged, mut found, mut planted, mut wrong, mut doubted) = (0, 0, 0, 0, 0);
            let mut auroc = 0.0;
            for seed in 1..=5 {
                let settings = Settings { seed, ..SETTINGS };
                let mut sequences = good.clone();
                sequences.extend(junk(&good, &catalog, shuffled, seed));
                let mut asked = candidates(sequences, &SETTINGS);
                asked.foundation = recorded.foundation.clone();
                let verdicts = filter(&catalog, &asked, &settings).unwrap().verdicts;
                let (of_good, of_junk) = verdicts.split_at(good.len());
                doubted += of_good.iter().filter(|v| v.stage == 2).count();
                wrong += of_good.iter().filter(|v| !v.retain).count();
                flagged += of_junk.iter().filter(|v| v.stage == 2).count();
                found += of_junk.iter().filter(|v| !v.retain).count();
                planted += of_junk.len();
                let mut above = 0.0;
                for j in of_junk {
                    for g in of_good {
                        above += f64::from(u8::from(j.loss > g.loss));
                    }
                }
                auroc += above / (of_junk.len() * of_good.len()) as f64 / 5.0;
            }
            eprintln!(
                "{dataset} {shift:?} shuffled {shuffled}: {} good; junk {planted}: stage 1 {flagged}, deleted {found}; good: stage 1 {doubted}, deleted {wrong} of {}; auroc of loss {auroc:.3}",
                good.len(),
                5 * good.len()
            );
        }
    }
}
