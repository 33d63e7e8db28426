//! On the paper's source contexts, a fifth of whose sequences is held out: skipped where the data is not.

use std::path::PathBuf;

use rand::seq::SliceRandom;
use rustix::time::{ClockId, clock_gettime};

use super::super::super::Ranker;
use super::*;

/// A source context after the authors' split, if it is there: the catalog and the sequences.
fn source(set: &str, context: &str) -> Option<(Catalog, Vec<Sequence>)> {
    let data = std::env::var_os("HEARTH_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        Into::into,
    );
    let folder = data.join("smartgen").join(set);
    let Ok(vocab) = std::fs::read_to_string(folder.join("vocab.json")) else {
        eprintln!("SKIPPED: no {} (set HEARTH_DATA)", folder.display());
        return None;
    };
    let vocab: serde_json::Value = serde_json::from_str(&vocab).unwrap();
    let names = vocab["actions"].as_object().unwrap();
    let mut devices: Vec<Device> = Vec::new();
    for name in names.values() {
        let (device, action) = name.as_str().unwrap().split_once(':').unwrap();
        let action = Action {
            name: action.into(),
            closes: Vec::new(),
        };
        match devices.iter_mut().find(|d| d.name == device) {
            Some(known) => known.actions.push(action),
            None => devices.push(Device {
                name: device.into(),
                actions: vec![action],
            }),
        }
    }
    let catalog = Catalog::new(devices).unwrap();
    let plain = folder.join(format!("raw/{context}.split_trn.jsonl"));
    let mut lines = String::new();
    if plain.is_file() {
        lines = std::fs::read_to_string(plain).unwrap();
    } else {
        let packed = std::fs::File::open(plain.with_extension("jsonl.gz")).unwrap();
        let mut reader = flate2::read::MultiGzDecoder::new(packed);
        std::io::Read::read_to_string(&mut reader, &mut lines).unwrap();
    }
    let sequences = lines.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let behaviors = line["seq"].as_array().unwrap().iter().map(|q| {
            let number = |i: usize| q[i].as_u64().unwrap();
            let name = names[&number(3).to_string()].as_str().unwrap();
            let (device, action) = name.split_once(':').unwrap();
            Quadruple {
                weekday: number(0) as u8,
                hours: number(1) as u8,
                action: catalog.lookup(device, action).unwrap(),
            }
        });
        Sequence(behaviors.collect())
    });
    let sequences = sequences.collect();
    Some((catalog, sequences))
}

/// HR@1, HR@10, NDCG@10 and MRR over the behaviours of some sequences; those that tie share their places.
fn figures(
    ranker: &dyn Ranker,
    sequences: &[Sequence],
    given: impl Fn(&Quadruple) -> Given,
    asked: impl Fn(usize, &Sequence) -> bool,
) -> [f64; 4] {
    let (mut sums, mut count) = ([0.0; 4], 0.0);
    for s in sequences {
        for (i, q) in s.0.iter().enumerate() {
            if !asked(i, s) {
                continue;
            }
            let scores = ranker.rank(&s.0[..i], &given(q)).unwrap();
            let own = scores[usize::from(q.action.0)];
            let above = scores.iter().filter(|s| **s > own).count() as f64;
            let tied = scores.iter().filter(|s| **s == own).count() as f64;
            let place = above + (tied + 1.0) / 2.0;
            sums[0] += f64::from(place <= 1.0);
            sums[1] += f64::from(place <= 10.0);
            if place <= 10.0 {
                sums[2] += 1.0 / (place + 1.0).log2();
            }
            sums[3] += 1.0 / place;
            count += 1.0;
        }
    }
    sums.map(|sum: f64| sum / count)
}

/// CPU milliseconds of this thread.
fn cpu() -> f64 {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    t.tv_sec as f64 * 1e3 + t.tv_nsec as f64 / 1e6
}

/// Learns four fifths of a source context (a quarter of them to choose epochs by) and prints how the held-out fifth is
/// predicted, nothing being told: behaviours that have one before them, means over the seeds.
fn measured(set: &str, context: &str, preset: Preset, seeds: u64) -> Vec<(&'static str, [f64; 4])> {
    let Some((catalog, sequences)) = source(set, context) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for method in all(preset) {
        let (mut sums, mut leaky, mut first, mut spent) = ([0.0; 4], [0.0; 4], [0.0; 4], 0.0);
        for seed in 0..seeds {
            let mut drawn = sequences.clone();
            drawn.shuffle(&mut generator(seed, 0));
            let (rest, test) = drawn.split_at(sequences.len() * 4 / 5);
            let (train, held) = rest.split_at(rest.len() * 4 / 5);
            let lesson = lesson(&catalog, train, held, seed);
            let before = cpu();
            let ranker = method.fit(&lesson).unwrap();
            spent += cpu() - before;
            let add = |sums: &mut [f64; 4], found: [f64; 4]| {
                for (sum, found) in sums.iter_mut().zip(found) {
                    *sum += found / seeds as f64;
                }
            };
            let nothing = |_: &Quadruple| Given::default();
            add(&mut sums, figures(&*ranker, test, nothing, |i, _| i > 0));
            add(&mut first, figures(&*ranker, test, nothing, |i, _| i == 0));
            let told = |q: &Quadruple| Given {
                weekday: Some(q.weekday),
                hours: Some(q.hours),
                device: Some(catalog.device_of(q.action)),
            };
            add(
                &mut leaky,
                figures(&*ranker, test, told, |i, s| i + 1 == s.0.len()),
            );
        }
        let print = |of: [f64; 4]| of.map(|f| format!("{f:.3}")).join(" ");
        eprintln!(
            "{set} {context} | {} | {} | first {} | all told, last {} | {:.0} ms",
            method.name(),
            print(sums),
            print(first),
            print(leaky),
            spent / seeds as f64
        );
        rows.push((method.name(), sums));
    }
    rows
}

/// Every method that reads the behaviours before ranks better than a constant on a real home; and what is printed
/// is where figures of the documentation come from.
#[test]
#[ignore = "trains every method on six contexts: minutes"]
fn real_homes_are_predicted_better_than_by_a_constant() {
    for set in ["fr", "sp"] {
        for context in ["winter", "daytime", "single"] {
            let rows = measured(set, context, Preset::Small, 3);
            let Some((_, constant)) = rows.iter().find(|(name, _)| *name == "most frequent") else {
                return;
            };
            for (name, found) in &rows {
                if !["most frequent", "count table"].contains(name) {
                    assert!(found[3] > constant[3], "{set} {context} {name}: {found:?}");
                }
            }
        }
    }
}

/// The same on the smallest context alone, in the time that a test may take.
#[test]
fn the_yardstick_beats_the_bigram_on_a_real_home() {
    let Some((catalog, mut sequences)) = source("fr", "winter") else {
        return;
    };
    sequences.shuffle(&mut generator(1, 0));
    let (train, test) = sequences.split_at(sequences.len() * 4 / 5);
    let lesson = lesson(&catalog, train, &[], 1);
    let of = |method: &dyn Prediction| {
        let ranker = method.fit(&lesson).unwrap();
        figures(&*ranker, test, |_| Given::default(), |i, _| i > 0)
    };
    let (ngram, bigram) = (of(&InterpolatedNgram), of(&Bigram));
    eprintln!("fr winter: n-gram {ngram:.3?}, bigram {bigram:.3?}");
    assert!(ngram[3] > bigram[3]);
}
