//! Maintained models against what follows from the segments, the pooled counts and the answers that are out.

use std::collections::BTreeMap;

use crate::log::{Log, Outputs, at, epochs};
use hearth_operators::dataflow::Fitting;
use hearth_operators::habits::{Pooled, PooledChanges, Vocabulary};
use hearth_operators::reference::{HomeLife, models};
use hearth_operators::words::{Epoch, HomeId, Score, Sequence};
use proptest::prelude::*;

/// Every score, and what became of every answer.
pub fn scores_are_those_of_the_twin(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    if log.fitting != Fitting::Maintained {
        return Ok(());
    }
    let catalogs = &log.rules.catalogs;
    // The counts of all segments that stand before each epoch, from scratch.
    let pooled = |epoch: Epoch| {
        let mut changes = PooledChanges::default();
        let stand = |(_, e, _): &&(_, Epoch, i64)| *e < epoch;
        let before: Vec<_> = outputs.segments.iter().filter(stand).cloned().collect();
        for (segment, _) in at(&before, Epoch::MAX) {
            changes.add(&Vocabulary::new(catalogs, segment.home), &segment, 1);
        }
        changes.consolidate();
        let mut pooled = Pooled::default();
        pooled.apply(&changes, 1);
        pooled
    };
    let mut lives: BTreeMap<HomeId, HomeLife> = BTreeMap::new();
    for ((key, segment), epoch, diff) in &outputs.regimes {
        let life = lives.entry(key.home).or_default();
        let updates = life.updates.entry(*epoch).or_default();
        updates.push(((*key, segment.clone()), *diff));
    }
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
    let mut expected: Vec<(Epoch, Score)> = Vec::new();
    for (home, life) in &lives {
        let words = Vocabulary::new(catalogs, *home);
        expected.extend(models(&words, life, log.rules.lateness, pooled));
    }
    let order = |scores: &[(Epoch, Score)]| {
        let mut lines: Vec<String> = scores.iter().map(|line| format!("{line:?}")).collect();
        lines.sort();
        lines
    };
    prop_assert_eq!(
        order(&outputs.scores),
        order(&expected),
        "of {} epochs",
        epochs(log)
    );
    Ok(())
}
