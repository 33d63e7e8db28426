//! Maintained models against what follows from the segments, the pooled counts and the answers that are out.

use std::collections::BTreeMap;

use crate::log::{BUDGET, Log, Outputs, TRIAL, epochs};
use differential_dataflow::consolidation::consolidate;
use hearth_operators::dataflow::Fitting;
use hearth_operators::detect::Vigilance;
use hearth_operators::habits::{Pooled, Vocabulary};
use hearth_operators::pooling::CohortChanges;
use hearth_operators::reference::{HomeLife, detect, models};
use hearth_operators::shift::Placed;
use hearth_operators::surprise::Counts;
use hearth_operators::words::{Epoch, HomeId, Score, Sequence};
use proptest::prelude::*;

/// Every score and every alarm.
pub fn scores_and_alarms_are_those_of_the_twin(
    log: &Log,
    outputs: &Outputs,
) -> Result<(), TestCaseError> {
    if log.fitting != Fitting::Maintained {
        return Ok(());
    }
    let catalogs = &log.rules.catalogs;
    // What all segments that stand before an epoch count, from scratch.
    let shared = |epoch: Epoch| {
        let before = outputs.placed.iter().filter(|(e, _)| *e < epoch);
        let mut stand: Vec<_> = before
            .map(|(_, p)| {
                (
                    Placed {
                        diff: 0,
                        ..p.clone()
                    },
                    p.diff,
                )
            })
            .collect();
        consolidate(&mut stand);
        let mut changes = CohortChanges::default();
        for (placed, _) in stand {
            let words = Vocabulary::new(catalogs, placed.key.home);
            changes.add(&words, &placed.segment, placed.context(), 1);
        }
        changes
    };
    let pooled = |epoch: Epoch| {
        let mut pooled = Pooled::default();
        pooled.apply(&shared(epoch).predictor);
        pooled
    };
    let counted = |epoch: Epoch| {
        let mut counts = Counts::default();
        counts.apply(&shared(epoch).detector);
        counts
    };
    let mut lives: BTreeMap<HomeId, HomeLife> = BTreeMap::new();
    for (epoch, placed) in &outputs.placed {
        let life = lives.entry(placed.key.home).or_default();
        life.updates.entry(*epoch).or_default().push(placed.clone());
    }
    for (home, life) in &mut lives {
        let erased = (0..epochs(log)).filter(|epoch| log.revises(*epoch, *home));
        life.erased = erased.map(|epoch| epoch as Epoch).collect();
        // Also where what comes in the epoch undoes what goes.
        for epoch in &life.erased {
            life.updates.entry(*epoch).or_default();
        }
    }
    let feedback = log.feedback.iter().map(|(epoch, f)| (*epoch as Epoch, *f));
    let feedback: Vec<_> = feedback.collect();
    let mut retained: BTreeMap<_, Vec<Sequence>> = BTreeMap::new();
    for (epoch, request) in &outputs.requests {
        retained.entry((*epoch, request.key.shift)).or_default();
    }
    for (epoch, verdict) in outputs.verdicts.iter().filter(|(_, v)| v.retain) {
        let of = retained
            .entry((*epoch, verdict.candidate.request.shift))
            .or_default();
        of.push(verdict.candidate.sequence.clone());
    }
    for ((epoch, key), sequences) in retained {
        let life = lives.entry(key.home).or_default();
        life.answers
            .entry(epoch)
            .or_default()
            .push((key, sequences));
    }
    let watch = Vigilance {
        catalogs: catalogs.clone(),
        lateness: log.rules.lateness,
        budget: BUDGET,
        memory: 0,
    };
    let said = detect(&lives, &feedback, &watch, counted);
    prop_assert_eq!(sorted(&outputs.alarms), sorted(&said.alarms));
    prop_assert_eq!(sorted(&outputs.heard), sorted(&said.heard));
    let mut expected: Vec<(Epoch, Score)> = Vec::new();
    for (home, life) in &lives {
        let words = Vocabulary::new(catalogs, *home);
        let detected = &said.detected;
        expected.extend(models(
            &words,
            life,
            (log.rules.lateness, TRIAL),
            pooled,
            detected,
        ));
    }
    prop_assert_eq!(
        sorted(&outputs.scores),
        sorted(&expected),
        "of {} epochs",
        epochs(log)
    );
    Ok(())
}

fn sorted<D: std::fmt::Debug>(lines: &[D]) -> Vec<String> {
    let mut lines: Vec<String> = lines.iter().map(|line| format!("{line:?}")).collect();
    lines.sort();
    lines
}
