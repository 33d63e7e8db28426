//! Anomaly detection: weekday, hour, device and action together, one rule for the threshold.

use anyhow::{Result, ensure};
use hearth_operators::words::Sequence;

use super::attacks::{Harm, Usual};
use super::trial::Trial;
use crate::evaluate::statistics::Judged;
use crate::experiment::cells::{Measured, timed};
use crate::experiment::methods::{Calibrated, Detection, Scorer};
use crate::experiment::metrics::{Figures, detection};

/// The share of normal sequences that may be called.
const ALARMS: f64 = 0.05;

/// Trains a method and looks at the authors' attack and at the harder ones.
///
/// The one rule: a sequence is called if at most one in twenty of the training sequences scores as high while it is not learnt:
/// a fifth of them is held out, and methods that count [leave each out](Detection::calibrated) in turn. No label of the new
/// context is needed or used. The trivial rules have thresholds of their own.
pub(super) fn measure(trial: &Trial, method: &dyn Detection) -> Result<Measured> {
    timed(|| {
        let Calibrated { scorer, unlearnt } = method.calibrated(&trial.training_data())?;
        let threshold = match scorer.threshold() {
            Some(threshold) => f64::from(threshold),
            None => threshold(unlearnt.iter().map(|score| f64::from(*score)).collect())?,
        };
        let called = |score: f64| score > threshold;
        let normal = &trial.material.normal;
        let mut plain = vec![None; normal.len()];
        for &at in &trial.tested {
            plain[at] = Some(score(scorer.as_ref(), &normal[at])?);
        }

        let mut figures = Figures::new();
        let mut items: Vec<Judged> = Vec::new();
        let mut alone = vec![true; normal.len()];
        for attack in &trial.material.attacks {
            if let Some(of) = attack.of {
                if plain[of].is_none() {
                    continue;
                }
                // An attack that changed nothing is no anomaly, and its twin no normal sequence apart.
                alone[of] = attack.sequence != normal[of];
                if !alone[of] {
                    continue;
                }
            }
            items.push((score(scorer.as_ref(), &attack.sequence)?, true));
        }
        let apart = plain.iter().zip(&alone).filter(|(_, alone)| **alone);
        items.extend(apart.filter_map(|(score, _)| Some(((*score)?, false))));
        detection(&mut figures, "", &items, called);

        let usual = Usual::of(&trial.material.catalog, normal);
        for harm in Harm::ALL {
            let mut items: Vec<Judged> = Vec::new();
            for (at, plain) in plain.iter().enumerate() {
                let Some(plain) = *plain else { continue };
                if let Some(attacked) = usual.attack(harm, at, &normal[at], trial.seed) {
                    items.push((plain, false));
                    items.push((score(scorer.as_ref(), &attacked)?, true));
                }
            }
            detection(&mut figures, harm.name(), &items, called);
        }
        Ok(figures)
    })
}

fn score(scorer: &dyn Scorer, sequence: &Sequence) -> Result<f64> {
    let score = f64::from(scorer.score(sequence)?);
    ensure!(!score.is_nan(), "a score is no number");
    Ok(score)
}

/// Above this, at most [`ALARMS`] of the held-out scores lie.
fn threshold(mut held: Vec<f64>) -> Result<f64> {
    ensure!(
        !held.is_empty(),
        "nothing is held out to set the threshold by"
    );
    held.sort_unstable_by(|a, b| b.total_cmp(a));
    let allowed = (ALARMS * held.len() as f64) as usize;
    Ok(held[allowed])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use hearth_operators::words::ActionId;

    use super::super::fixtures::{material, sequence};
    use super::*;
    use crate::catalog::catalog_of;
    use crate::experiment::data::{Attack, Kind, real_source};
    use crate::experiment::methods::{Life, TrainingData};
    use crate::experiment::metrics::Figure;
    use crate::experiment::roster::Roster;
    use crate::models::{ModelError, Preset};
    use crate::trainer::split;

    /// Finds every sequence with the last action anomalous.
    struct Last;

    impl Detection for Last {
        fn name(&self) -> &'static str {
            "last"
        }
        fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
            let last = data.catalog.actions() as u16 - 1;
            Ok(Box::new(Holds(ActionId(last))))
        }
    }

    struct Holds(ActionId);

    impl Scorer for Holds {
        fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
            let held = sequence.0.iter().any(|q| q.action == self.0);
            Ok(f32::from(u8::from(held)))
        }
    }

    /// Four normal sequences, each attacked by one more action; the attack on the first did nothing.
    fn trial(tested: Vec<usize>) -> Trial {
        let catalog = catalog_of(&[("Light", &["on", "off", "dim", "alarm"])]);
        let mut material = material(catalog, Vec::new(), vec![sequence(&[0, 1]); 4]);
        let attacks = (0..4).map(|of| Attack {
            of: Some(of),
            sequence: sequence(if of == 0 { &[0, 1] } else { &[0, 3] }),
        });
        material.attacks = attacks.collect();
        Trial {
            material: Arc::new(material),
            train: vec![sequence(&[0, 1])],
            held: vec![sequence(&[0, 1])],
            life: Life::default(),
            tested,
            seed: 1,
        }
    }

    #[test]
    fn twins_that_are_equal_are_left_out() {
        for tested in [vec![0, 1, 2, 3], vec![0, 3]] {
            let found = measure(&trial(tested), &Last).unwrap().figures;
            for figure in ["auroc", "f1", "recall", "ap"] {
                assert_eq!(found[figure], Figure::One(1.0), "{figure}");
            }
            assert_eq!(found["false_alarms"], Figure::One(0.0));
        }
    }

    /// Held-out source sequences of the paper's homes against the harder attacks: what the detector was chosen by. No test set is
    /// read.
    ///
    /// `HEARTH_DATA=… cargo test --release --lib harms_in_real_homes -- --ignored --nocapture`
    #[test]
    #[ignore = "trains four detectors on six contexts, three times: a minute; its figures are in docs/experiments.md"]
    fn harms_in_real_homes() {
        let names = [
            "SmartGen",
            "Hearth",
            "SmartGen's network",
            "surprisal",
            "Aegis",
        ]
        .map(str::to_owned);
        let roster = Roster::new(Preset::Small, &names).unwrap();
        let mut sums = BTreeMap::<(&str, &str), Vec<f64>>::new();
        for (dataset, shift) in ["fr", "sp"]
            .into_iter()
            .flat_map(|dataset| Kind::ALL.map(|shift| (dataset, shift)))
        {
            let Some((catalog, source)) = real_source(dataset, shift) else {
                return;
            };
            for seed in 1..=3 {
                let parts = split(source.iter().collect(), seed);
                let owned = |part: &[&Sequence]| part.iter().map(|s| (*s).clone()).collect();
                let material = material(catalog.clone(), Vec::new(), owned(&parts.held));
                // Ranks need no threshold, so one sequence is enough to set one by. It must not be tested: what counts learns it.
                let (one, train) = parts.train.split_at(1);
                let trial = Trial {
                    material: Arc::new(material),
                    train: owned(train),
                    held: owned(one),
                    life: Life {
                        past: owned(train),
                        ..Life::default()
                    },
                    tested: (0..parts.held.len()).collect(),
                    seed,
                };
                for name in roster.detectors() {
                    let found = measure(&trial, roster.detector(name).unwrap()).unwrap();
                    for harm in Harm::ALL {
                        if let Some(Figure::One(auroc)) =
                            found.figures.get(&format!("auroc:{}", harm.name()))
                        {
                            sums.entry((name, harm.name())).or_default().push(*auroc);
                        }
                    }
                }
            }
        }
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        for ((name, harm), of) in &sums {
            eprintln!("{name} {harm}: AUROC {:.3}", mean(of));
        }
        let all = |name: &str| mean(&Harm::ALL.map(|harm| mean(&sums[&(name, harm.name())])));
        assert!(all("SmartGen") > all("SmartGen's network") && all("SmartGen") > all("surprisal"));
    }

    #[test]
    fn one_in_twenty_held_out_sequences_is_called() {
        for (count, most) in [(1, 0), (19, 0), (20, 1), (100, 5)] {
            let held: Vec<f64> = (0..count).map(f64::from).collect();
            let threshold = threshold(held.clone()).unwrap();
            assert_eq!(held.iter().filter(|s| **s > threshold).count(), most);
        }
        // Ties are not called together where that would be too many.
        assert_eq!(threshold(vec![1.0; 50]).unwrap(), 1.0);
        assert!(threshold(Vec::new()).is_err());
    }
}
