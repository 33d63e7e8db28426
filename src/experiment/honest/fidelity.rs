//! How like the real sequences of the new context a set is.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use hearth_operators::words::{ActionId, HOURS, Quadruple, Sequence};

use crate::experiment::data::Material;
use crate::experiment::metrics::{Figure, Figures};

/// At most so many distinct sequences of a set are compared with all others one by one.
const COMPARED: usize = 400;

/// Lengths from this on are counted together.
const LONG: usize = 10;

/// The figures of a set, beside those of the real thing:
///
/// | name | what |
/// |---|---|
/// | `sequences`, `distinct` | how many, and the share of them that are different |
/// | `length`, `length:real`, `lengths`, `lengths:real` | mean, and shares of lengths 1 to 10 and more |
/// | `hours`, `hours:source`, `hours:real` | shares of the three-hour buckets |
/// | `device:<name>`, `device:<name>:source`, `device:<name>:real` | shares of the devices |
/// | `js:hours`, `js:device`, `js:action`, `js:transition` | Jensen–Shannon divergence from the real thing in bits, 0 to 1 |
/// | `coverage` | share of the real actions that occur in the set |
/// | `foreign` | share of the set's behaviours whose action never really happens |
/// | `copied` | share of the set's sequences that stand in the source word for word |
/// | `nearest:real`, `nearest:source` | mean edit distance to the nearest such sequence, as a share of the longer one's length |
pub(super) fn figures(material: &Material, set: &[Sequence]) -> Figures {
    let mut figures = Figures::new();
    let mut put = |name: &str, figure: f64| {
        figures.insert(name.to_owned(), Figure::One(figure));
    };
    let catalog = &material.catalog;
    let real = &material.normal;
    let distinct: BTreeSet<&Sequence> = set.iter().collect();
    let count = set.len().max(1) as f64;
    put("sequences", set.len() as f64);
    put("distinct", distinct.len() as f64 / count);
    let length = |s: &[Sequence]| behaviors(s).count() as f64 / s.len().max(1) as f64;
    put("length", length(set));
    put("length:real", length(real));

    let hours = |s: &[Sequence]| shares(behaviors(s).map(|q| q.hours));
    let device = |s: &[Sequence]| shares(behaviors(s).map(|q| catalog.device_of(q.action)));
    let action = |s: &[Sequence]| shares(behaviors(s).map(|q| q.action));
    let transition = |s: &[Sequence]| shares(transitions(s));
    put("js:hours", divergence(&hours(set), &hours(real)));
    put("js:device", divergence(&device(set), &device(real)));
    put("js:action", divergence(&action(set), &action(real)));
    put(
        "js:transition",
        divergence(&transition(set), &transition(real)),
    );

    let known: HashSet<ActionId> = behaviors(set).map(|q| q.action).collect();
    let happens: HashSet<ActionId> = behaviors(real).map(|q| q.action).collect();
    let covered = happens.intersection(&known).count();
    put("coverage", covered as f64 / happens.len().max(1) as f64);
    let foreign = behaviors(set)
        .filter(|q| !happens.contains(&q.action))
        .count();
    put(
        "foreign",
        foreign as f64 / behaviors(set).count().max(1) as f64,
    );
    let source: HashSet<&Sequence> = material.source.iter().collect();
    let copied = set.iter().filter(|s| source.contains(s)).count();
    put("copied", copied as f64 / count);
    put("nearest:real", nearest(&distinct, real));
    put("nearest:source", nearest(&distinct, &material.source));

    for (of, sequences) in [("", set), (":source", &material.source), (":real", real)] {
        let hours = hours(sequences);
        let hours = (0..HOURS.len() as u8).map(|bucket| hours.get(&bucket).copied().unwrap_or(0.0));
        figures.insert(format!("hours{of}"), Figure::Many(hours.collect()));
        let lengths = shares(sequences.iter().map(|s| s.0.len().min(LONG)));
        let lengths = (1..=LONG).map(|length| lengths.get(&length).copied().unwrap_or(0.0));
        figures.insert(format!("lengths{of}"), Figure::Many(lengths.collect()));
        for (device, share) in device(sequences) {
            if let Some(device) = catalog.devices().get(usize::from(device.0)) {
                figures.insert(format!("device:{}{of}", device.name), Figure::One(share));
            }
        }
    }
    figures
}

fn behaviors(sequences: &[Sequence]) -> impl Iterator<Item = &Quadruple> {
    sequences.iter().flat_map(|s| &s.0)
}

fn transitions(sequences: &[Sequence]) -> impl Iterator<Item = (ActionId, ActionId)> {
    let pairs = sequences.iter().flat_map(|s| s.0.windows(2));
    pairs.map(|pair| (pair[0].action, pair[1].action))
}

fn shares<K: Ord>(items: impl Iterator<Item = K>) -> BTreeMap<K, f64> {
    let mut shares = BTreeMap::new();
    let mut count = 0.0;
    for item in items {
        *shares.entry(item).or_insert(0.0) += 1.0;
        count += 1.0;
    }
    shares.values_mut().for_each(|share| *share /= count);
    shares
}

/// Jensen–Shannon divergence in bits: 0 for equal distributions, 1 for such as share nothing (or where one is empty).
fn divergence<K: Ord + Copy>(a: &BTreeMap<K, f64>, b: &BTreeMap<K, f64>) -> f64 {
    if a.is_empty() || b.is_empty() {
        return if a.len() == b.len() { 0.0 } else { 1.0 };
    }
    let keys: BTreeSet<K> = a.keys().chain(b.keys()).copied().collect();
    let term = |p: f64, middle: f64| {
        if p > 0.0 {
            p * (p / middle).log2()
        } else {
            0.0
        }
    };
    let share = |of: &BTreeMap<K, f64>, key| of.get(&key).copied().unwrap_or(0.0);
    let sum = keys.into_iter().map(|key| {
        let (p, q) = (share(a, key), share(b, key));
        let middle = (p + q) / 2.0;
        (term(p, middle) + term(q, middle)) / 2.0
    });
    sum.sum()
}

/// The mean over some of the set's distinct sequences, evenly taken.
fn nearest(set: &BTreeSet<&Sequence>, others: &[Sequence]) -> f64 {
    let others: BTreeSet<&Sequence> = others.iter().collect();
    let step = set.len().div_ceil(COMPARED).max(1);
    let (mut sum, mut count) = (0.0, 0.0);
    for sequence in set.iter().step_by(step) {
        let mut best = 1.0_f64;
        for other in &others {
            let longer = sequence.0.len().max(other.0.len());
            // So many edits are needed at least.
            let least = sequence.0.len().abs_diff(other.0.len()) as f64 / longer as f64;
            if least < best {
                best = best.min(edits(&sequence.0, &other.0) as f64 / longer as f64);
            }
        }
        sum += best;
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { 1.0 }
}

/// Levenshtein distance, a behaviour a letter.
fn edits(a: &[Quadruple], b: &[Quadruple]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{material, sequence};
    use super::*;
    use crate::catalog::catalog_of;

    fn one(figures: &Figures, name: &str) -> f64 {
        match &figures[name] {
            Figure::One(number) => *number,
            Figure::Many(_) => panic!("{name}"),
        }
    }

    #[test]
    fn the_real_thing_is_like_itself_and_a_copy_is_told() {
        let real = vec![sequence(&[0, 1]), sequence(&[2, 3, 2])];
        let old = vec![sequence(&[0]), sequence(&[0, 0])];
        let catalog = catalog_of(&[("Fan", &["on", "off"]), ("Light", &["on", "off"])]);
        let home = material(catalog, old.clone(), real.clone());
        let same = figures(&home, &real);
        for name in [
            "js:hours",
            "js:device",
            "js:action",
            "js:transition",
            "foreign",
            "copied",
            "nearest:real",
        ] {
            assert!(one(&same, name).abs() < 1e-12, "{name}");
        }
        assert_eq!((one(&same, "coverage"), one(&same, "distinct")), (1.0, 1.0));
        let copy = figures(&home, &old);
        assert_eq!((one(&copy, "copied"), one(&copy, "coverage")), (1.0, 0.25));
        assert!((one(&copy, "js:transition") - 1.0).abs() < 1e-12);
        // [0] to [0, 1] is one edit of two, and so is [0, 0].
        assert_eq!(one(&copy, "nearest:real"), 0.5);
    }

    #[test]
    fn divergence_by_hand() {
        let halves = BTreeMap::from([(0, 0.5), (1, 0.5)]);
        let one = BTreeMap::from([(0, 1.0)]);
        // Middle: .75, .25. (.5·log(.5/.75) + .5·log(.5/.25) + log(1/.75)) / 2.
        let expected = (0.5 * (2.0f64 / 3.0).log2() + 0.5 + (4.0f64 / 3.0).log2()) / 2.0;
        assert!((divergence(&halves, &one) - expected).abs() < 1e-12);
        assert_eq!(divergence(&one, &BTreeMap::from([(1, 1.0)])), 1.0);
    }

    #[test]
    fn edits_by_hand() {
        let letters = |text: &str| -> Vec<Quadruple> {
            sequence(&text.bytes().map(u16::from).collect::<Vec<_>>()).0
        };
        assert_eq!(edits(&letters("kitten"), &letters("sitting")), 3);
        assert_eq!(edits(&letters(""), &letters("abc")), 3);
    }
}
