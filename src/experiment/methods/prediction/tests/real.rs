//! On the paper's source contexts, a fifth of whose sequences is held out: skipped where the data is not.

use rand::seq::SliceRandom;

use super::super::super::Ranker;
use super::*;
use crate::experiment::data::{Kind, real_source};
use crate::pool::cpu_micros;

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

/// Learns four fifths of a source context (a quarter of them to choose epochs by) and prints how the held-out fifth is
/// predicted, nothing being told: behaviours that have one before them, means over the seeds.
fn measured(set: &str, kind: Kind, preset: Preset, seeds: u64) -> Vec<(&'static str, [f64; 4])> {
    let Some((catalog, sequences)) = real_source(set, kind) else {
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
            let data = data(&catalog, train, held, seed);
            let before = cpu_micros() as f64 / 1e3;
            let ranker = method.fit(&data).unwrap();
            spent += cpu_micros() as f64 / 1e3 - before;
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
            "{set} {} | {} | {} | first {} | all told, last {} | {:.0} ms",
            kind.from(),
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

/// Every method that reads the behaviours before ranks better than a constant on real homes, over six contexts together
/// (fr daytime alone holds out a dozen behaviours); and what is printed is where figures of the documentation come from.
fn better_than_a_constant(preset: Preset, seeds: u64) {
    let mut sums: Vec<(&str, f64)> = Vec::new();
    for set in ["fr", "sp"] {
        for kind in [Kind::ST, Kind::TT, Kind::NT] {
            for (i, (name, found)) in measured(set, kind, preset, seeds).into_iter().enumerate() {
                if sums.len() == i {
                    sums.push((name, 0.0));
                }
                sums[i].1 += found[3];
            }
        }
    }
    let constant = sums.iter().find(|(name, _)| *name == "most frequent");
    let constant = constant.map_or(0.0, |(_, sum)| *sum);
    for (name, sum) in sums {
        if !["most frequent", "count table"].contains(&name) {
            assert!(sum > constant, "{name}: {sum} against {constant}");
        }
    }
}

/// `HEARTH_DATA=… cargo test --release --lib real_homes_are -- --ignored --nocapture`
#[test]
#[ignore = "trains every method on six contexts: minutes"]
fn real_homes_are_predicted_better_than_by_a_constant() {
    better_than_a_constant(Preset::Small, 5);
}

/// `HEARTH_DATA=… cargo test --release --lib with_the_papers_sizes -- --ignored --nocapture`
#[test]
#[ignore = "trains every method for the paper's epochs on six contexts: an hour"]
fn so_they_are_with_the_papers_sizes() {
    better_than_a_constant(Preset::Paper, 1);
}

/// On one context, in the time that a test may take.
#[test]
fn the_yardstick_beats_the_bigram_on_a_real_home() {
    let Some((catalog, mut sequences)) = real_source("fr", Kind::ST) else {
        return;
    };
    sequences.shuffle(&mut generator(1, 0));
    let (train, test) = sequences.split_at(sequences.len() * 4 / 5);
    let data = data(&catalog, train, &[], 1);
    let of = |method: &dyn Prediction| {
        let ranker = method.fit(&data).unwrap();
        figures(&*ranker, test, |_| Given::default(), |i, _| i > 0)
    };
    let (ngram, bigram) = (of(&InterpolatedNgram), of(&Bigram));
    eprintln!("fr winter: n-gram {ngram:.3?}, bigram {bigram:.3?}");
    assert!(ngram[3] > bigram[3]);
}
