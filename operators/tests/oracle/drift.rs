//! Drift against its twin.

use std::collections::BTreeMap;

use crate::log::{Log, Outputs};
use hearth_operators::drift::Alertness;
use hearth_operators::reference::{self, HomeLife};
use hearth_operators::words::HomeId;
use proptest::prelude::*;

/// What is found, when, and how strong the case is.
pub fn drifts_are_those_of_the_twin(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    let alertness = Alertness {
        catalogs: log.rules.catalogs.clone(),
        lateness: log.rules.lateness,
        strictness: log.strictness,
    };
    let mut lives: BTreeMap<HomeId, HomeLife> = BTreeMap::new();
    for (epoch, placed) in &outputs.placed {
        let life = lives.entry(placed.key.home).or_default();
        life.updates.entry(*epoch).or_default().push(placed.clone());
    }
    for (home, life) in &lives {
        let own = outputs.drifts.iter().filter(|(_, d)| d.home == *home);
        let mut own: Vec<_> = own.collect();
        own.sort_by_key(|(_, drift)| drift.time);
        let expected = reference::drifts(*home, life, &alertness);
        let ends = |epoch, time, since| (epoch, time, since);
        let told: Vec<_> = own.iter().map(|(e, d)| ends(*e, d.time, d.since)).collect();
        let twins: Vec<_> = expected
            .iter()
            .map(|d| ends(d.epoch, d.time, d.since))
            .collect();
        prop_assert_eq!(told, twins, "of {:?}", home);
        for ((_, told), twin) in own.iter().zip(&expected) {
            let rate = told.changes.rate;
            let pairs = [
                (told.evidence, twin.evidence),
                (rate.before, twin.rate.0),
                (rate.after, twin.rate.1),
            ];
            for (told, twin) in pairs {
                // Sums are in another order.
                prop_assert!(
                    (told - twin).abs() <= 1e-9 * twin.abs(),
                    "{} {}",
                    told,
                    twin
                );
            }
        }
    }
    Ok(())
}
