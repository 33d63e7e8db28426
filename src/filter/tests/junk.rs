//! Junk among candidates: how much of it is deleted, and how much of what is good.

use rand::seq::{IndexedRandom, SliceRandom};

use super::*;
use crate::experiment::data::{HOMES, Kind as Context, Pair, Store};
use crate::pool::cpu_micros;

/// What is mixed in, one to ten candidates and as long as these.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Of any actions, on any day, at any hour.
    Random,
    /// Of the candidates' own behaviours, drawn one by one.
    Drawn,
    /// A candidate in another order.
    Reordered,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Random, Kind::Drawn, Kind::Reordered];
}

/// How many there were, and how many of them were deleted; of the good, of junk, and of junk of three behaviours and more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deleted {
    pub good: (usize, usize),
    pub junk: (usize, usize),
    pub long: (usize, usize),
}

impl Deleted {
    fn add(&mut self, more: Deleted) {
        for (all, some) in [
            (&mut self.good, more.good),
            (&mut self.junk, more.junk),
            (&mut self.long, more.long),
        ] {
            all.0 += some.0;
            all.1 += some.1;
        }
    }
}

/// The share that was deleted.
pub(super) fn share((all, deleted): (usize, usize)) -> f64 {
    deleted as f64 / all as f64
}

pub(super) fn junk(good: &[Sequence], catalog: &Catalog, kind: Kind, seed: u64) -> Vec<Sequence> {
    let mut rng = generator(seed, 9);
    let own: Vec<Quadruple> = good.iter().flat_map(|s| s.0.iter().copied()).collect();
    // What is the same in any order is none.
    let orderly: Vec<&Sequence> = good
        .iter()
        .filter(|s| s.0.iter().any(|q| q != &s.0[0]))
        .collect();
    let mut one = || {
        let like = good.choose(&mut rng).unwrap();
        match kind {
            Kind::Random => {
                let behavior = |_| Quadruple {
                    weekday: rng.random_range(0..7),
                    hours: rng.random_range(0..8),
                    action: ActionId(rng.random_range(0..catalog.actions() as u16)),
                };
                Sequence((0..like.0.len()).map(behavior).collect())
            }
            Kind::Drawn => {
                let behavior = |_| *own.choose(&mut rng).unwrap();
                Sequence((0..like.0.len()).map(behavior).collect())
            }
            Kind::Reordered => {
                let like = orderly.choose(&mut rng).unwrap();
                let mut other = Sequence::clone(like);
                while &other == *like {
                    other.0.shuffle(&mut rng);
                }
                other
            }
        }
    };
    (0..good.len().div_ceil(10)).map(|_| one()).collect()
}

/// Filters good candidates of a home with junk among them.
pub(super) fn mixed(
    catalog: &Catalog,
    source: &[Sequence],
    good: &[Sequence],
    kind: Kind,
    seed: u64,
) -> Deleted {
    let junk = junk(good, catalog, kind, seed);
    let sequences = [good, &junk].concat();
    let asked = candidates_after(catalog, source.to_vec(), sequences);
    let verdicts = filter(catalog, &asked, &SETTINGS).unwrap().verdicts;
    let count = |verdicts: &[&Verdict]| {
        let deleted = verdicts.iter().filter(|v| !v.retain).count();
        (verdicts.len(), deleted)
    };
    let verdicts: Vec<&Verdict> = verdicts.iter().collect();
    let (of_good, of_junk) = verdicts.split_at(good.len());
    let long = of_junk.iter().filter(|v| v.candidate.sequence.0.len() > 2);
    Deleted {
        good: count(of_good),
        junk: count(of_junk),
        long: count(&long.copied().collect::<Vec<_>>()),
    }
}

/// By kind of junk, over some seeds; one line of each.
pub(super) fn tried(
    what: &str,
    catalog: &Catalog,
    source: &[Sequence],
    good: &[Sequence],
    all: &mut [Deleted; 3],
) {
    for (kind, all) in Kind::ALL.into_iter().zip(all) {
        let mut found = Deleted::default();
        let began = cpu_micros();
        for seed in 1..=3 {
            found.add(mixed(catalog, source, good, kind, seed));
        }
        let spent = (cpu_micros() - began) as f64 / 3e3;
        eprintln!("{what}, {kind:?}: {found:?}, {spent:.1} ms of CPU a filter");
        all.add(found);
    }
}

/// Some of many, evenly.
pub(super) fn some_of(many: &[Sequence]) -> Vec<Sequence> {
    let step = many.len().div_ceil(150).max(1);
    many.iter().step_by(step).cloned().collect()
}

/// Simulated homes, of some seed each: of what the embedded synthesizer makes, and of what really followed.
fn in_simulated_homes(homes: impl IntoIterator<Item = (String, Context)>) {
    let store = Store::new(None, Preset::Small);
    let mut all = [[Deleted::default(); 3]; 2];
    for (dataset, shift) in homes {
        let pair = Pair { dataset, shift };
        let material = store.material(&pair).unwrap();
        let made = some_of(&store.training(&pair, "embedded", 1).unwrap());
        for (good, all) in [made, some_of(&material.normal)].iter().zip(&mut all) {
            tried(
                &pair.to_string(),
                &material.catalog,
                &material.source,
                good,
                all,
            );
        }
    }
    for [random, drawn, reordered] in all {
        eprintln!("in all: {random:?} {drawn:?} {reordered:?}");
        assert!(share(random.long) >= 0.98, "{random:?}");
        assert!(share(drawn.junk) >= 0.9, "{drawn:?}");
        assert!(share(reordered.junk) >= 0.9, "{reordered:?}");
        for deleted in [random, drawn, reordered] {
            assert!(share(deleted.good) <= 0.03, "{deleted:?}");
        }
    }
}

#[test]
fn junk_in_simulated_homes_is_deleted() {
    let homes = Context::ALL.into_iter().zip(1..=HOMES);
    in_simulated_homes(homes.map(|(shift, home)| (format!("sim-{home}"), shift)));
}

/// Homes of seeds by which nothing was chosen.
///
/// `cargo test --release --lib junk_in_other -- --ignored --nocapture`
#[test]
#[ignore = "filters 45 homes 18 times each: a minute"]
fn junk_in_other_simulated_homes_is_deleted() {
    let homes = (61..=65).flat_map(|seed| {
        let shifts = Context::ALL.into_iter();
        shifts.flat_map(move |shift| {
            (1..=HOMES).map(move |home| (format!("sim-{home}-{seed}"), shift))
        })
    });
    in_simulated_homes(homes);
}
